"""The header: every field round-trips, every rule has its error, and reading stops where the header ends."""

import io
from binascii import crc_hqx
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latens.bitstream import Header, read_header, read_whole, tile_grid
from latens.bitstream.header import MAGIC, pack_header
from latens.errors import ChecksumError, FormatError, NewerVersionError, NotLatensError, TruncatedError

PLAIN = Header(width=768, height=512, model="BL17", fingerprint=b"\x01\x02\x03\x04")

headers = st.builds(
    Header,
    width=st.integers(1, 1 << 20),
    height=st.integers(1, 1 << 20),
    model=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=4),
    fingerprint=st.binary(min_size=4, max_size=4),
    colour=st.sampled_from(["rgb", "grey"]),
    depth=st.sampled_from([8, 16]),
    alpha=st.booleans(),
    quality=st.none() | st.floats(0, 100),
    tile=st.none() | st.sampled_from([1 << k for k in range(6, 16)]),
)


class Endless(io.RawIOBase):
    """What a mistaken device or film looks like; it may not be read to its end."""

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        return bytes(size)


def test_what_is_no_file_of_ours_is_not_read_to_its_end() -> None:
    with pytest.raises(NotLatensError):
        read_whole(Endless())


@given(headers)
def test_a_file_is_read_whole_from_any_stream(header: Header) -> None:
    data = pack_header(header, False) + bytes(100)
    assert read_whole(io.BytesIO(data)) == data
    with pytest.raises(TruncatedError):
        read_whole(io.BytesIO(pack_header(header, False)[:-1]))


class Drip(io.RawIOBase):
    """A stream that cannot seek and gives one byte a read, as a slow socket may."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def read(self, size: int = -1) -> bytes:
        piece, self.rest = self.rest[:1], self.rest[1:]
        return piece if size else b""


def resealed(packed: bytes) -> bytes:
    """The same header bytes with a checksum that fits them."""
    return packed[:-2] + crc_hqx(packed[:-2], 0).to_bytes(2, "little")


@given(headers, st.booleans())
def test_every_header_reads_back_as_it_was_written(header: Header, segments: bool) -> None:
    packed = pack_header(header, segments)
    assert len(packed) <= 31
    assert read_header(io.BytesIO(packed)) == header


def test_reading_takes_the_headers_bytes_and_no_more_from_a_stream_that_drips() -> None:
    stream = Drip(pack_header(PLAIN, False) + b"the tiles")
    assert read_header(stream) == PLAIN  # type: ignore[arg-type]
    assert stream.rest == b"the tiles"


def test_a_plain_header_takes_22_bytes() -> None:
    assert len(pack_header(PLAIN, False)) == 22


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0), ("width", (1 << 20) + 1), ("height", 0), ("height", -1), ("model", "BL1"),
        ("model", "BL 1"), ("model", "BL1é"), ("fingerprint", b"123"), ("colour", "cmyk"), ("depth", 10),
        ("quality", -0.01), ("quality", 100.1), ("quality", float("nan")), ("tile", 32), ("tile", 96),
        ("tile", 1 << 16),
    ],
)  # fmt: skip
def test_a_field_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(FormatError, match=field) as error:
        replace(PLAIN, **{field: value})
    assert "\n" not in str(error.value)


def test_quality_is_kept_in_hundredths() -> None:
    assert replace(PLAIN, quality=62.503).quality == 62.5


def test_a_value_out_of_range_in_a_file_is_refused_with_a_valid_checksum() -> None:
    packed = bytearray(pack_header(replace(PLAIN, tile=64), False))
    packed[-3] = 16
    with pytest.raises(FormatError, match="tile 65536 is not in 64 to 32768"):
        read_header(io.BytesIO(resealed(bytes(packed))))


@pytest.mark.parametrize("bit", [6, 7])
def test_a_reserved_flag_is_refused(bit: int) -> None:
    packed = bytearray(pack_header(PLAIN, False))
    packed[7] |= 1 << bit
    with pytest.raises(FormatError, match="flags"):
        read_header(io.BytesIO(resealed(bytes(packed))))


def test_versions_above_are_newer_and_zero_does_not_exist() -> None:
    for version, error in [(0, FormatError), (2, NewerVersionError), (255, NewerVersionError)]:
        with pytest.raises(error, match=str(version)):
            read_header(io.BytesIO(MAGIC + bytes([version]) + bytes(30)))


def test_other_files_are_not_latens_and_a_piece_of_the_magic_is_truncated() -> None:
    for other in [b"\x89PNG\r\n\x1a\n", b"LTN", b"\x8aLTN\n", b"x"]:
        with pytest.raises(NotLatensError):
            read_header(io.BytesIO(other))
    for size in range(len(MAGIC)):
        with pytest.raises(TruncatedError):
            read_header(io.BytesIO(MAGIC[:size]))


def test_a_damaged_header_is_a_checksum_error() -> None:
    packed = bytearray(pack_header(PLAIN, False))
    packed[13] ^= 1
    with pytest.raises(ChecksumError, match="header"):
        read_header(io.BytesIO(bytes(packed)))


def test_tiles_at_the_edges_count_in_full() -> None:
    assert tile_grid(PLAIN) == (1, 1)
    assert tile_grid(replace(PLAIN, tile=256)) == (2, 3)
    assert tile_grid(replace(PLAIN, width=769, height=1, tile=256)) == (1, 4)
