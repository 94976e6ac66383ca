"""A whole file: header, segments, tiles. See docs/format.md, sections Segments, Index and Payloads."""

import re
from io import BytesIO
from typing import NamedTuple
from zlib import crc32

from latens.bitstream.header import Header, pack_header, take_header, tile_grid
from latens.bitstream.reader import Reader, varint
from latens.errors import ChecksumError, FormatError, TruncatedError

ALPHA_TAG = "Alph"
KNOWN_TAGS = frozenset({"iccp", "exif", "xmpx", ALPHA_TAG})

SEGMENT_LEAST = 4 + 1 + 4  # bytes of a segment with an empty payload
ENTRY_LEAST = 1 + 3 + 4  # bytes of the shortest index entry
CHECK_LIMIT = 1 << 24


class Segment(NamedTuple):
    """A piece of metadata. A tag of four letters; a capital first letter means a reader must know it."""

    tag: str
    payload: bytes


class Tile(NamedTuple):
    """A tile's coded symbols and their checksum, 24 bits, computed where symbols are known."""

    payload: bytes
    check: int


class Container(NamedTuple):
    """The content of a file. ``tiles`` are in raster order, as many as ``tile_grid(header)`` says."""

    header: Header
    segments: tuple[Segment, ...]
    tiles: tuple[Tile, ...]


class Entry(NamedTuple):
    """A tile's entry in the index; ``covered`` is what its CRC-32 covers beside the payload."""

    length: int
    check: int
    crc: int
    covered: bytes


def pack(container: Container) -> bytes:
    """The bytes of a .ltn file; FormatError if they could not be unpacked again."""
    header, segments, tiles = container
    check_segments(segments, header)
    rows, cols = tile_grid(header)
    if len(tiles) != rows * cols:
        raise FormatError(f"{len(tiles)} tiles were given; a grid of {rows} x {cols} has {rows * cols}")
    parts = [pack_header(header, bool(segments))]
    if segments:
        parts.append(varint(len(segments)))
    for segment in segments:
        covered = segment.tag.encode("ascii") + varint(len(segment.payload)) + segment.payload
        parts += [covered, crc32(covered).to_bytes(4, "little")]
    for number, tile in enumerate(tiles):
        if not 0 <= tile.check < CHECK_LIMIT:
            raise FormatError(f"the symbols checksum {tile.check} of tile {number} does not fit 24 bits")
        covered = varint(len(tile.payload)) + tile.check.to_bytes(3, "little")
        parts += [covered, crc32(tile.payload, crc32(covered)).to_bytes(4, "little")]
    parts += [tile.payload for tile in tiles]
    return b"".join(parts)


def unpack(data: bytes) -> Container:
    """The content of a file, every checksum verified.

    Segments with unknown ancillary tags are kept, for whoever knows them. Raises NotLatensError,
    NewerVersionError, FormatError, TruncatedError or ChecksumError, and never takes memory for a length
    that the data do not have.
    """
    stream = BytesIO(data)
    reader = Reader(stream)
    header, has_segments = take_header(reader)
    segments = take_segments(reader, len(data)) if has_segments else ()
    check_segments(segments, header)
    rows, cols = tile_grid(header)
    if rows * cols * ENTRY_LEAST > len(data) - stream.tell():
        raise TruncatedError(f"the file ends in its index: {rows * cols} tiles need {ENTRY_LEAST} bytes each")
    entries = [take_entry(reader) for _ in range(rows * cols)]

    view = memoryview(data)[stream.tell() :]
    announced = sum(entry.length for entry in entries)
    if announced > len(view):
        raise TruncatedError(f"the file ends in its payloads: {len(view)} of {announced} bytes are there")
    if announced < len(view):
        raise FormatError(f"{len(view) - announced} bytes follow the last payload; nothing may")
    tiles = []
    for number, entry in enumerate(entries):
        payload = bytes(view[: entry.length])
        view = view[entry.length :]
        if crc32(payload, crc32(entry.covered)) != entry.crc:
            raise ChecksumError(f"tile {number} of {len(entries)} has bytes that its checksum does not match")
        tiles.append(Tile(payload, entry.check))
    return Container(header, segments, tuple(tiles))


def take_segments(reader: Reader, size: int) -> tuple[Segment, ...]:
    """The segment list, from a reader of ``size`` bytes in all; each segment's checksum verified."""
    count = reader.varint("number of segments")
    if count == 0:
        raise FormatError("the flags announce segments, but their number is 0")
    if count * SEGMENT_LEAST > size - reader.stream.tell():
        raise TruncatedError(f"the file ends in its segments: {count} need {SEGMENT_LEAST} bytes each")
    segments = []
    for _ in range(count):
        reader.start()
        tag = reader.take(4, "segment tag").decode("latin-1")
        length = reader.varint("segment length")
        remaining = size - reader.stream.tell()
        if length > remaining:
            raise TruncatedError(f"the file ends in its segment {tag!a}: {remaining} of {length} bytes")
        payload = reader.take(length, "segment")
        expected = crc32(reader.taken)
        if reader.number(4, "segment checksum") != expected:
            raise ChecksumError(f"the segment {tag!a} has bytes that its checksum does not match")
        segments.append(Segment(tag, payload))
    return tuple(segments)


def take_entry(reader: Reader) -> Entry:
    """One entry of the index. Its length is only a claim until compared with what remains."""
    reader.start()
    length = reader.varint("tile length")
    check = reader.number(3, "symbols checksum")
    covered = bytes(reader.taken)
    return Entry(length, check, reader.number(4, "tile checksum"), covered)


def check_segments(segments: tuple[Segment, ...], header: Header) -> None:
    """FormatError if a tag breaks a rule: its letters, unknown and critical, twice, or alpha amiss."""
    tags: set[str] = set()
    for tag, _ in segments:
        if not re.fullmatch("[A-Za-z]{4}", tag):
            raise FormatError(f"the segment tag {tag!a} is not four ASCII letters")
        if tag[0].isupper() and tag not in KNOWN_TAGS:
            raise FormatError(f"the segment {tag!a} is critical (a capital first letter) and not known here")
        if tag in tags:
            raise FormatError(f"the segment {tag!a} occurs twice; once is the limit")
        tags.add(tag)
    if header.alpha != (ALPHA_TAG in tags):
        found = "present" if ALPHA_TAG in tags else "missing"
        raise FormatError(f"alpha is {header.alpha} in the header, and the segment {ALPHA_TAG!r} is {found}")
