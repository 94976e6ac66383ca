"""The header of a BPG file (format 0.9.5)."""

from __future__ import annotations

from dataclasses import dataclass

from latens.classic.bpg.bits import Reader, Writer, ue7
from latens.errors import UnreadablePictureError, UnsupportedPictureError

MAGIC = b"BPG\xfb"
CHROMA = {0: "4:0:0", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4", 4: "4:2:0", 5: "4:2:2"}  # 4, 5: MPEG-2 siting
SPACES = ("YCbCr BT.601", "RGB", "YCgCo", "YCbCr BT.709", "YCbCr BT.2020")
DEPTHS = range(8, 15)


@dataclass(frozen=True)
class Header:
    """What stands before the HEVC header."""

    width: int
    height: int
    pixel_format: int  # a key of `CHROMA`
    depth: int = 8
    space: int = 0  # an index of `SPACES`
    limited: bool = False  # 16-235 in place of the full range
    data_length: int = 0  # of the picture data; 0: to the end of the file

    @property
    def chroma(self) -> int:
        """chroma_format_idc of HEVC."""
        return self.pixel_format if self.pixel_format < 4 else self.pixel_format - 3

    def write(self) -> bytes:
        """The header's bytes, for a picture without alpha, animation or extensions."""
        out = Writer().u(3, self.pixel_format).u(1, 0).u(4, self.depth - 8)
        out.u(4, self.space).u(1, 0).u(1, 0).u(1, self.limited).u(1, 0)
        return MAGIC + out.bytes() + ue7(self.width) + ue7(self.height) + ue7(self.data_length)

    @classmethod
    def read(cls, data: bytes) -> tuple[Header, bytes, bytes]:
        """The header, the HEVC header's bytes and the HEVC data of a file.

        Raises:
            UnreadablePictureError: not BPG, cut short, or a field breaks a rule of the format
            UnsupportedPictureError: alpha or animation
        """
        if not data.startswith(MAGIC):
            raise UnreadablePictureError(f"a file that begins with {data[:4].hex()}: BPG begins with 425047fb")
        bits = Reader(data, "the BPG header")
        bits.u(32)
        pixel_format, alpha, depth = bits.u(3), bits.flag(), bits.u(4) + 8
        space, extension, alpha2 = bits.u(4), bits.flag(), bits.flag()
        limited, animation = bits.flag(), bits.flag()
        width, height, length = bits.ue7(), bits.ue7(), bits.ue7()
        for name, value, allowed in (
            ("pixel format", pixel_format, CHROMA),
            ("bit depth", depth, DEPTHS),
            ("colour space", space, range(len(SPACES) if pixel_format else 1)),  # grey pictures have no other
            ("width", width, range(1, 1 << 31)),
            ("height", height, range(1, 1 << 31)),
        ):
            if value not in allowed:
                raise UnreadablePictureError(f"the BPG header has {name} {value}, which the format does not know")
        if alpha or alpha2:
            plane = "an alpha plane" if alpha else "a fourth plane (CMYK, kept as alpha)"
            raise UnsupportedPictureError(f"the BPG file has {plane}, and opaque pictures are read here")
        if animation:
            raise UnsupportedPictureError("the BPG file is an animation, and single pictures are read here")
        if extension:
            skipped = bits.ue7()
            bits.u(8 * min(skipped, len(data)))  # EXIF, ICC, XMP
        start = bits.position // 8
        end = start + length if length else len(data)
        if end > len(data):
            left = len(data) - start
            raise UnreadablePictureError(f"the BPG file has {left} bytes of picture data, and says {length}")
        rest = Reader(data[start:end], "the BPG picture data")
        size = rest.ue7()
        hevc = start + rest.position // 8
        if hevc + size >= end:
            raise UnreadablePictureError(f"the HEVC header has {size} bytes, and {end - hevc} are left for all")
        header = cls(width, height, pixel_format, depth, space, limited, length)
        return header, data[hevc : hevc + size], data[hevc + size : end]
