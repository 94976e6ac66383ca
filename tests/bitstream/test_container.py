"""Whole files: they round-trip, cost at most 32 bytes, and no flip or cut passes."""

import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latens.bitstream import Container, Header, Segment, Tile, pack, tile_grid, unpack
from latens.bitstream.header import pack_header
from latens.bitstream.reader import varint
from latens.errors import (
    ChecksumError,
    FileError,
    FormatError,
    NewerVersionError,
    NotLatensError,
    TruncatedError,
)

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "format.md"
REFUSALS = (NotLatensError, NewerVersionError, FormatError, TruncatedError, ChecksumError)

PLAIN = Header(width=768, height=512, model="BL17", fingerprint=b"\xc0\xff\xee\x01")
RICH = Container(
    Header(300, 200, "BL17", b"\xc0\xff\xee\x01", colour="grey", depth=16, alpha=True, quality=62.5, tile=128),
    (Segment("iccp", b"profile"), Segment("Alph", b"\0" * 5), Segment("noTe", b"")),
    tuple(Tile(bytes([number]) * number, number << 20 | 7) for number in range(6)),
)
SMALL = Container(
    Header(300, 2, "BL17", b"\xc0\xff\xee\x01", colour="grey", quality=62.5),
    (Segment("xmpx", b"<x/>"),),
    (Tile(b"tile!", 0x123456),),
)  # the file of docs/format.md


@st.composite
def containers(draw: st.DrawFn) -> Container:
    tags = draw(st.lists(st.from_regex("[a-z][A-Za-z]{3}", fullmatch=True), max_size=3, unique=True))
    alpha = draw(st.booleans())
    header = Header(
        width=draw(st.integers(1, 300)),
        height=draw(st.integers(1, 300)),
        model="MSHP",
        fingerprint=draw(st.binary(min_size=4, max_size=4)),
        alpha=alpha,
        quality=draw(st.none() | st.floats(0, 100)),
        tile=draw(st.sampled_from([None, 64, 128])),
    )
    rows, cols = tile_grid(header)
    tile = st.builds(Tile, st.binary(max_size=200), st.integers(0, (1 << 24) - 1))
    segments = [Segment(tag, draw(st.binary(max_size=200))) for tag in tags + ["Alph"] * alpha]
    tiles = draw(st.lists(tile, min_size=rows * cols, max_size=rows * cols))
    return Container(header, tuple(segments), tuple(tiles))


@given(containers())
@settings(max_examples=60, deadline=None)
def test_every_container_unpacks_as_it_was_packed(container: Container) -> None:
    assert unpack(pack(container)) == container


@pytest.mark.parametrize(("payload", "overhead"), [(0, 30), (127, 30), (16_383, 31), (2_000_000, 32)])
def test_a_plain_picture_of_one_tile_costs_at_most_32_bytes(payload: int, overhead: int) -> None:
    packed = pack(Container(PLAIN, (), (Tile(b"p" * payload, 1),)))
    assert len(packed) - payload == overhead <= 32


@pytest.mark.parametrize("container", [RICH, SMALL, Container(PLAIN, (), (Tile(b"", 0),))])
def test_every_flipped_bit_is_refused(container: Container) -> None:
    packed = pack(container)
    for bit in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(REFUSALS) as error:
            unpack(bytes(damaged))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("container", [RICH, SMALL])
def test_every_truncation_is_reported_as_one(container: Container) -> None:
    packed = pack(container)
    for size in range(len(packed)):
        with pytest.raises(TruncatedError):
            unpack(packed[:size])


@given(st.binary(max_size=80), st.sampled_from([0, 6, 7, 8, 12, 24]), st.data())
@settings(max_examples=300, deadline=None)
def test_any_bytes_after_any_good_beginning_are_refused_with_a_file_error(
    noise: bytes, keep: int, data: st.DataObject
) -> None:
    with pytest.raises(FileError):
        unpack(pack(RICH)[:keep] + noise)


def test_a_byte_after_the_last_payload_is_refused() -> None:
    with pytest.raises(FormatError, match="1 bytes follow"):
        unpack(pack(SMALL) + b"\0")


def test_damage_is_named_by_the_place_where_it_was_found() -> None:
    packed = pack(RICH)
    for piece, name in [(b"profile", "'iccp'"), (b"\5\5\5\5\5", "tile 5 of 6")]:
        damaged = packed.replace(piece, piece[:-1] + b"!")
        with pytest.raises(ChecksumError, match=name):
            unpack(damaged)


def test_an_unknown_critical_segment_is_refused_by_name_and_an_ancillary_one_is_kept() -> None:
    assert unpack(pack(RICH)).segments[2] == Segment("noTe", b"")
    with pytest.raises(FormatError, match="'NoTe' is critical"):
        pack(RICH._replace(segments=(*RICH.segments[:2], Segment("NoTe", b""))))


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ((Segment("iccp", b""), Segment("iccp", b"")), "twice"),
        ((Segment("ic p", b""),), "four ASCII letters"),
        ((Segment("exifs", b""),), "four ASCII letters"),
        ((Segment("éxif", b""),), "four ASCII letters"),
        ((Segment("Alph", b""),), "alpha"),
    ],
)
def test_segments_that_break_a_rule_are_not_written(segments: tuple[Segment, ...], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        pack(Container(PLAIN, segments, (Tile(b"", 0),)))


def by_hand(header: Header, *segments: tuple[bytes, bytes], count: int | None = None) -> bytes:
    """A file of one empty tile whose segments `pack` might refuse; ``count`` is written where there is none."""

    def checked(covered: bytes) -> bytes:
        return covered + crc32(covered).to_bytes(4, "little")

    announced = count is not None or bool(segments)
    parts = [pack_header(header, announced), varint(count or len(segments)) if announced else b""]
    parts += [checked(tag + varint(len(payload)) + payload) for tag, payload in segments]
    return b"".join(parts) + checked(b"\0" + bytes(3))  # the index: no bytes, symbols 0


def test_segments_written_by_hand_are_read() -> None:
    segments = (Segment("iccp", b"profile"), Segment("noTe", b""))
    expected = Container(PLAIN, segments, (Tile(b"", 0),))
    assert unpack(by_hand(PLAIN, (b"iccp", b"profile"), (b"noTe", b""))) == expected
    header = replace(PLAIN, alpha=True)
    assert unpack(by_hand(header, (b"Alph", b"a"))).segments == (Segment("Alph", b"a"),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (by_hand(PLAIN, (b"NoTe", b"")), "'NoTe' is critical"),
        (by_hand(PLAIN, (b"iccp", b"a"), (b"iccp", b"a")), "'iccp' occurs twice"),
        (by_hand(PLAIN, (b"ic\xe9p", b"")), "four ASCII letters"),
        (by_hand(replace(PLAIN, alpha=True)), "'Alph' is missing"),
        (by_hand(replace(PLAIN, alpha=True), (b"iccp", b"")), "'Alph' is missing"),
        (by_hand(PLAIN, (b"Alph", b"")), "'Alph' is present"),
        (by_hand(PLAIN, count=0), "their number is 0"),
    ],
    ids=["critical", "twice", "letters", "no Alph at all", "another for Alph", "Alph unannounced", "none"],
)
def test_segments_that_break_a_rule_are_not_read(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        unpack(data)


def test_a_header_with_alpha_needs_the_alpha_segment() -> None:
    with pytest.raises(FormatError, match="missing"):
        pack(Container(replace(PLAIN, alpha=True), (), (Tile(b"", 0),)))


def test_the_number_of_tiles_and_their_checks_must_fit() -> None:
    with pytest.raises(FormatError, match="2 x 3 has 6"):
        pack(RICH._replace(tiles=RICH.tiles[:5]))
    with pytest.raises(FormatError, match="24 bits"):
        pack(Container(PLAIN, (), (Tile(b"", 1 << 24),)))


@pytest.mark.parametrize(
    "claim",
    [
        pack_header(replace(PLAIN, width=1 << 20, height=1 << 20, tile=64), False),
        pack_header(PLAIN, True) + varint((1 << 32) - 1),
        pack_header(PLAIN, True) + varint(1) + b"iccp" + varint((1 << 32) - 1),
        pack_header(PLAIN, False) + varint((1 << 32) - 1) + bytes(7),
    ],
    ids=["tiles", "segments", "segment length", "tile length"],
)
def test_a_claim_of_gigabytes_takes_no_memory(claim: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TruncatedError):
            unpack(claim + bytes(20))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_the_hex_dump_of_the_specification_is_this_file() -> None:
    dump = FORMAT_PAGE.read_text(encoding="utf-8").split("## A small file, byte by byte")[1].split("```")[1]
    rows = re.findall(r"^[0-9A-F]{2}  ((?:[0-9A-F]{2} )+)", dump, re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == pack(SMALL)
