"""What is pushed pops out, at the cost its tables promise; the bytes are frozen; damage never crashes."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latens.coding import Decoder, Encoder, Tables, integer_table
from latens.errors import ChecksumError, FormatError, UsageError

LEAST, MOST = -(2**31), 2**31 - 1


def laplacian(scale: float) -> tuple[int, np.ndarray]:
    k = np.arange(-300, 301)
    p = np.exp(-np.abs(k) / scale)
    return integer_table(p / p.sum(), -300)


LAPLACIANS = Tables.stack(laplacian(scale) for scale in np.geomspace(0.1, 12, 64))


def encode(tables: Tables, passes: list[tuple[np.ndarray, np.ndarray]]) -> bytes:
    encoder = Encoder(tables)
    for symbols, index in passes:
        encoder.push(symbols, index)
    return encoder.finish()


def decode(tables: Tables, data: bytes, indices: list[np.ndarray]) -> list[np.ndarray]:
    decoder = Decoder(tables, data)
    passes = [decoder.pop(index) for index in indices]
    decoder.finish()
    return passes


def drawn(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols of the 64 Laplacians, by their own tables."""
    index = rng.integers(0, 64, count)
    scale = np.geomspace(0.1, 12, 64)[index]
    a, b = rng.geometric(1 - np.exp(-1 / scale)), rng.geometric(1 - np.exp(-1 / scale))
    return (a - b).astype(np.int32), index


@st.composite
def random_tables(draw: st.DrawFn) -> Tables:
    """One to four tables of any shape, anywhere the rules allow."""
    tables = []
    for _ in range(draw(st.integers(1, 4))):
        weights = np.array(draw(st.lists(st.integers(1, 10_000), min_size=2, max_size=12)))
        masses = 1 + (weights * (2**16 - len(weights)) // weights.sum())
        masses[draw(st.integers(0, len(masses) - 1))] += 2**16 - masses.sum()
        tables.append((draw(st.integers(-(2**30), 2**30) | st.integers(-9, 9)), masses))
    return Tables.stack(tables)


@st.composite
def random_passes(draw: st.DrawFn) -> tuple[Tables, list[tuple[np.ndarray, np.ndarray]]]:
    """Tables, and passes of symbols near, at and far from their edges."""
    tables = draw(random_tables())
    passes = []
    for _ in range(draw(st.integers(0, 4))):
        index = draw(st.lists(st.integers(0, len(tables) - 1), max_size=30))
        near = [int(tables.offsets[number]) + draw(st.integers(-3, 14)) for number in index]
        far = st.sampled_from([LEAST, LEAST + 1, -65_536, -1, 0, 65_535, MOST - 1, MOST])
        symbols = [draw(st.just(symbol) | far | st.integers(LEAST, MOST)) for symbol in near]
        passes.append((np.array(symbols, np.int64), np.array(index, np.int64)))
    return tables, passes


@given(random_passes())
@settings(max_examples=200, deadline=None)
def test_any_int32_comes_back_through_any_tables_in_any_number_of_passes(case) -> None:
    tables, passes = case
    data = encode(tables, passes)
    found = decode(tables, data, [index for _, index in passes])
    for symbols, (expected, _) in zip(found, passes, strict=True):
        assert symbols.dtype == np.int32 and (symbols == expected).all()


def test_the_bytes_are_frozen() -> None:
    tables = Tables.stack(
        [(-2, np.array([655, 6553, 50000, 6553, 1774, 1])), (0, np.array([40000, 20000, 5000, 536]))]
    )
    first = np.array([0, 1, -1, 0, 2, -2, 0, 0, 100, 0, LEAST, 0]), np.array([0, 1, 0, 1] * 3)
    second = np.array([0, 0, 1, 2, MOST, 0]), np.array([0, 0, 0, 1, 1, 1])
    assert encode(tables, [first, second]).hex() == "6afe9131bcbceea8d7f387ddcefdb7fd576b8db2fd04163c"


def test_symbols_are_coded_by_ascending_table_and_in_their_order_within_one() -> None:
    symbols, index = drawn(np.random.default_rng(1), 1000)
    order = np.argsort(index, kind="stable")
    by_table = symbols[order], index[order]
    assert encode(LAPLACIANS, [(symbols, index)]) == encode(LAPLACIANS, [by_table])


def test_the_dtype_and_layout_of_the_arrays_do_not_change_the_bytes() -> None:
    symbols, index = drawn(np.random.default_rng(2), 1000)
    expected = encode(LAPLACIANS, [(symbols, index)])
    spread = np.repeat(symbols, 2)[::2]
    for other in [(symbols.astype(np.int64), index.astype(np.uint8)), (spread, index.astype(">i4"))]:
        assert encode(LAPLACIANS, [other]) == expected


def test_the_cost_is_within_a_thousandth_of_the_tables_ideal() -> None:
    symbols, index = drawn(np.random.default_rng(3), 50_000)
    ideal = 0.0
    for number in range(64):
        offset, masses = LAPLACIANS.table(number)
        place = symbols[index == number] - offset
        place = np.where((place < 0) | (place >= len(masses) - 1), len(masses) - 1, place)
        ideal -= np.log2(masses[place] / 2**16).sum()
    assert len(encode(LAPLACIANS, [(symbols, index)])) <= ideal / 8 * 1.001 + 4


def test_no_symbols_take_no_bytes_and_near_certain_ones_next_to_none() -> None:
    tables = Tables.stack([(0, np.array([65535, 1]))])
    none = np.array([], np.int32)
    assert encode(tables, []) == encode(tables, [(none, none)]) == b""
    certain = np.zeros(4096, np.int32)
    assert len(encode(tables, [(certain, certain)])) <= 4
    assert (decode(tables, encode(tables, [(certain, certain)]), [certain])[0] == 0).all()


def test_every_flipped_bit_gives_symbols_or_a_typed_error_and_never_a_crash() -> None:
    symbols, index = drawn(np.random.default_rng(4), 300)
    symbols[::50] = [9999, LEAST, MOST, -5000, 70_000, -(2**20)]
    data = encode(LAPLACIANS, [(symbols, index)])
    unnoticed = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = decode(LAPLACIANS, bytes(damaged), [index])[0]
        except (ChecksumError, FormatError):
            continue
        assert found.shape == symbols.shape
        unnoticed += bool((found == symbols).all())
    assert unnoticed <= 32  # the last word has spare bits, which are for the file's checksum to tell


@given(st.binary(max_size=64))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_symbols_or_a_typed_error(data: bytes) -> None:
    for index in [np.arange(64), np.zeros(1000, np.int64)]:
        with contextlib.suppress(ChecksumError, FormatError):
            decode(LAPLACIANS, data, [index])


def test_data_left_over_and_a_zero_byte_at_the_end_are_refused() -> None:
    symbols, index = drawn(np.random.default_rng(6), 300)
    data = encode(LAPLACIANS, [(symbols, index)])
    with pytest.raises(ChecksumError, match="data are left"):
        decode(LAPLACIANS, data + b"\1\2\3\4\5\6\7\x08", [index])
    with pytest.raises(ChecksumError, match="data are left"):
        decode(LAPLACIANS, data, [index[:200]])
    with pytest.raises(FormatError, match="zero byte"):
        Decoder(LAPLACIANS, data + b"\0")


def test_an_escape_outside_int32_is_refused() -> None:
    top = Tables.stack([(2**30, np.array([1, 65535]))])
    low = Tables.stack([(-(2**30), np.array([1, 65535]))])
    index = np.array([0])
    data = encode(low, [(np.array([MOST]), index)])  # the same distance, from a table 2^31 higher
    with pytest.raises(ChecksumError, match="outside int32"):
        decode(top, data, [index])


@pytest.mark.parametrize(
    ("symbols", "index", "reason"),
    [
        ([0, 0], [0], "table numbers"),
        ([0], [64], "there are 64 tables"),
        ([0], [-1], "there are 64 tables"),
        ([2**31], [0], "int32"),
        ([0.5], [0], "float64, not integers"),
        ([0], [0.0], "float64, not one of integers"),
        ([[0]], [[0]], "2 axes"),
    ],
)
def test_a_call_that_makes_no_sense_is_a_usage_error(symbols: list, index: list, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Encoder(LAPLACIANS).push(np.array(symbols), np.array(index))
