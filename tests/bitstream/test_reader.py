"""Varints have one spelling each, and short reads say so."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latens.bitstream.reader import Reader, varint
from latens.errors import FormatError, TruncatedError


def read(data: bytes) -> int:
    return Reader(io.BytesIO(data)).varint("number")


@given(st.integers(0, (1 << 32) - 1))
def test_every_number_below_2_to_the_32_round_trips_in_the_fewest_bytes(value: int) -> None:
    packed = varint(value)
    assert read(packed) == value
    assert len(packed) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize("long", ["8000", "ff00", "ffffffff00", "8080808000"])
def test_a_number_not_in_its_shortest_form_is_refused(long: str) -> None:
    with pytest.raises(FormatError, match="shortest"):
        read(bytes.fromhex(long))


@pytest.mark.parametrize("large", ["8080808010", "ffffffff7f", "808080808001"])
def test_a_number_of_2_to_the_32_or_more_is_refused(large: str) -> None:
    with pytest.raises(FormatError):
        read(bytes.fromhex(large))


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_number_that_does_not_fit_is_not_written(value: int) -> None:
    with pytest.raises(FormatError):
        varint(value)


@pytest.mark.parametrize("cut", ["", "80", "ffff"])
def test_a_number_that_is_cut_off_is_truncated(cut: str) -> None:
    with pytest.raises(TruncatedError, match="number"):
        read(bytes.fromhex(cut))
