"""The header: what the picture is and who can decode it. See docs/format.md, section Header."""

from binascii import crc_hqx
from dataclasses import dataclass
from enum import IntFlag
from io import BytesIO
from typing import BinaryIO, Literal, NamedTuple, get_args

from latens.bitstream.reader import Reader, varint
from latens.errors import ChecksumError, FormatError, NewerVersionError, NotLatensError, TruncatedError

MAGIC = b"\x8aLTN\r\n"
VERSION = 1
LONGEST = 31  # bytes of a header
MAX_PIXELS = 2**28  # of a picture, where nobody says how many are allowed
QUALITY_STEPS = 100  # quality is stored in hundredths
Colour = Literal["rgb", "grey"]


class Flag(IntFlag):
    """The flags byte. Bits that are not here are reserved and must be 0."""

    GREY = 1 << 0
    DEEP = 1 << 1
    ALPHA = 1 << 2
    QUALITY = 1 << 3
    TILED = 1 << 4
    SEGMENTS = 1 << 5


KNOWN_FLAGS = sum(Flag)
MORE_FLAGS = 1 << 7


class Limits(NamedTuple):
    """The least and the largest legal value of a header field."""

    least: int
    most: int


LIMITS = {
    "width": Limits(1, 1 << 20),
    "height": Limits(1, 1 << 20),
    "quality": Limits(0, 100),
    "tile": Limits(1 << 6, 1 << 15),
}


@dataclass(frozen=True)
class Header:
    """Everything a reader knows before the first tile. A field that breaks a rule raises FormatError.

    ``model`` is the four-character id of the model and ``fingerprint`` four bytes that name its weights.
    ``depth`` is bits a sample. ``quality`` is 0 to 100, kept in hundredths, and None for a model of one
    rate. ``tile`` is the side of a tile in pixels, a power of two; None is one tile, whatever the size.
    """

    width: int
    height: int
    model: str
    fingerprint: bytes
    colour: Colour = "rgb"
    depth: int = 8
    alpha: bool = False
    quality: float | None = None
    tile: int | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise FormatError(f"the {name} {value} is not in {least} to {most}")
        if len(self.model) != 4 or not all("!" <= letter <= "~" for letter in self.model):
            raise FormatError(f"the model id {self.model!r} is not four printable ASCII characters")
        if len(self.fingerprint) != 4:
            raise FormatError(f"the fingerprint has {len(self.fingerprint)} bytes, not 4")
        if self.colour not in get_args(Colour):
            raise FormatError(f"the colour {self.colour!r} is neither 'rgb' nor 'grey'")
        if self.depth not in (8, 16):
            raise FormatError(f"the depth {self.depth} is neither 8 nor 16")
        if self.tile is not None and self.tile & (self.tile - 1):
            raise FormatError(f"the tile side {self.tile} is no power of two")
        if self.quality is not None:
            object.__setattr__(self, "quality", round(self.quality * QUALITY_STEPS) / QUALITY_STEPS)


def tile_grid(header: Header) -> tuple[int, int]:
    """(rows, cols) of the tile grid; (1, 1) for an untiled picture."""
    if header.tile is None:
        return 1, 1
    return -(-header.height // header.tile), -(-header.width // header.tile)


def pack_header(header: Header, segments: bool) -> bytes:
    """The header's bytes, magic to checksum. ``segments``: whether a segment list follows."""
    flags = (
        Flag.GREY * (header.colour == "grey")
        | Flag.DEEP * (header.depth == 16)
        | Flag.ALPHA * header.alpha
        | Flag.QUALITY * (header.quality is not None)
        | Flag.TILED * (header.tile is not None)
        | Flag.SEGMENTS * segments
    )
    parts = [MAGIC, bytes([VERSION, flags]), varint(header.width), varint(header.height)]
    parts += [header.model.encode("ascii"), header.fingerprint]
    if header.quality is not None:
        parts.append(round(header.quality * QUALITY_STEPS).to_bytes(2, "little"))
    if header.tile is not None:
        parts.append(bytes([header.tile.bit_length() - 1]))
    packed = b"".join(parts)
    return packed + crc_hqx(packed, 0).to_bytes(2, "little")


def take_header(reader: Reader) -> tuple[Header, bool]:
    """The header and whether a segment list follows; takes the header's bytes and no more."""
    reader.start()
    magic = reader.some(len(MAGIC))
    if magic != MAGIC:
        if MAGIC.startswith(magic):
            raise TruncatedError(f"the file ends in its magic: {len(magic)} of {len(MAGIC)} bytes are there")
        raise NotLatensError(f"the file begins with {magic.hex(' ')}, not {MAGIC.hex(' ')}")
    version = reader.number(1, "version")
    if version > VERSION:
        raise NewerVersionError(f"the file has version {version}; this program reads version {VERSION}")
    if version < VERSION:
        raise FormatError(f"the version {version} does not exist; the first is {VERSION}")
    bits = reader.number(1, "flags")
    if bits & MORE_FLAGS:
        raise FormatError(f"the flags {bits:#04x} announce a second byte; version {VERSION} has one")
    if bits & ~KNOWN_FLAGS:
        raise FormatError(f"the flags {bits:#04x} set a reserved bit; only {KNOWN_FLAGS:#04x} are defined")
    flags = Flag(bits)
    width, height = reader.varint("width"), reader.varint("height")
    model, fingerprint = reader.take(4, "model id"), reader.take(4, "fingerprint")
    quality = reader.number(2, "quality") / QUALITY_STEPS if Flag.QUALITY in flags else None
    tile_log2 = reader.number(1, "tile side") if Flag.TILED in flags else None
    expected = crc_hqx(bytes(reader.taken), 0)
    stored = reader.number(2, "header checksum")
    if stored != expected:
        raise ChecksumError(f"the header's checksum is {stored:#06x}, its bytes make {expected:#06x}")
    header = Header(
        width=width,
        height=height,
        model=model.decode("latin-1"),
        fingerprint=fingerprint,
        colour="grey" if Flag.GREY in flags else "rgb",
        depth=16 if Flag.DEEP in flags else 8,
        alpha=Flag.ALPHA in flags,
        quality=quality,
        tile=None if tile_log2 is None else 1 << tile_log2,
    )
    return header, Flag.SEGMENTS in flags


def read_header(stream: BinaryIO) -> Header:
    """Read the header and nothing after it: at most `LONGEST` bytes, from a stream that need not be seekable.

    Raises NotLatensError, NewerVersionError, FormatError, TruncatedError or ChecksumError.
    """
    header, _ = take_header(Reader(stream))
    return header


def read_whole(stream: BinaryIO) -> bytes:
    """All bytes of a file; of one whose header cannot be read, no more than the first.

    Raises as `read_header`.
    """
    begin = Reader(stream).some(LONGEST)
    read_header(BytesIO(begin))
    return begin + stream.read()
