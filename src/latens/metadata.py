"""What picture files hold beside 8-bit RGB pixels, as far as Pillow says it, and where it does not, in bytes.

Nothing here decodes pixels. ``head`` is always the first `HEAD` bytes of a file, or nothing where there is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

HEAD = 1 << 16  # bytes in which a file's headers are looked for

ORIENTATION = 0x0112
SAMPLES, WHITE, PRIMARIES = 277, 318, 319  # tags of TIFF
IPTC = {33723, 34377}  # on its own, and in a block of Photoshop's
# Tags that say how a TIFF stores its pixels, or its density, or that are asked for here by another name.
STRUCTURAL_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, ORIENTATION, SAMPLES, 278, 279, 282, 283, 284, 296, 297, 317}
    | {WHITE, PRIMARIES, 320, 322, 323, 324, 325, 338, 339, 347, 529, 530, 531, 532, 700, 34675}
    | IPTC
)
INFO_KINDS = {  # what Pillow calls the other kinds
    **{"icc_profile": "ICC profile", "xmp": "XMP", "XML:com.adobe.xmp": "XMP"},
    **{"comment": "comment", "mp": "further pictures"},
}
CAPTIONS, DENSITY = 0x0404, 0x03ED  # of the blocks that Photoshop leaves in a JPEG: IPTC, and dots an inch
STANDARD_GAMMA = 1 / 2.2
SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # x and y of white, red, green and blue
SRGB_CICP = b"\x01\x0d"  # primaries and transfer of ITU-T H.273


def kinds(image: Image.Image, head: bytes) -> tuple[str, ...]:
    """What will be lost when the pixels of a loaded picture are all that is kept: EXIF, XMP, ICC profile, ..."""
    found = ["EXIF"] if _has_exif(image) else []
    found += [kind for key, kind in INFO_KINDS.items() if image.info.get(key)]
    found += ["IPTC"] if IPTC & set(getattr(image, "tag_v2", ())) else []
    blocks = set(image.info.get("photoshop") or ()) - {DENSITY}
    found += (["IPTC"] if CAPTIONS in blocks else []) + (["Photoshop resources"] if blocks - {CAPTIONS} else [])
    found += ["text"] if set(getattr(image, "text", {})) - set(INFO_KINDS) else []
    gamma = STANDARD_GAMMA if "srgb" in image.info else image.info.get("gamma", STANDARD_GAMMA)
    found += ["gamma"] if abs(gamma - STANDARD_GAMMA) > 1e-3 else []
    found += ["colour primaries"] if _other_primaries(image, head) else []
    return tuple(dict.fromkeys(found))


def orientation(image: Image.Image) -> int:
    """As EXIF says, 1 to 8; 1 where it says nothing or is broken."""
    found = _tags(image).get(ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def bits(image: Image.Image, head: bytes) -> int:
    """Bits a sample in the file, where Pillow is about to reduce them to 8, which it does silently."""
    told = image.info.get("bit_depth", 8) if image.format == "HEIF" else 8  # by the plugin pillow-heif
    return max(_stored_bits(image), _stated_bits(head, image.format), int(told))


def samples(image: Image.Image) -> int:
    """Samples a pixel in the file, where Pillow leaves some out silently: those of a TIFF without a meaning."""
    found = getattr(image, "tag_v2", {}).get(SAMPLES, 3)
    return int(found) if image.mode == "RGB" else len(image.getbands())


def head_of(image: Image.Image) -> bytes:
    """The head of the file that a picture will be loaded from; nothing if it is loaded, or comes from none."""
    stream = getattr(image, "fp", None)
    try:
        place = stream.tell()  # type: ignore[union-attr]
        stream.seek(0)  # type: ignore[union-attr]
        head = stream.read(HEAD)  # type: ignore[union-attr]
        stream.seek(place)  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # none, closed, or one that does not go back
        return b""
    return bytes(head)


# --- EXIF ---------------------------------------------------------------------------------------------------


def _tags(image: Image.Image) -> dict[int, Any]:
    try:
        return dict(image.getexif())
    except Exception:  # whatever a broken block makes Pillow raise: the pixels are whole
        return {}


def _has_exif(image: Image.Image) -> bool:
    """Whether there is more than an orientation. A block that Pillow cannot read, or not all of, counts."""
    tags = _tags(image)
    return bool(set(tags) - STRUCTURAL_TAGS) or len(tags) < _entries(image.info.get("exif", b""))


def _entries(exif: bytes) -> int:
    """Of the first directory of a block as in JPEG, by its own count; 1 if that is not to be found."""
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(block[:4])
    at = int.from_bytes(block[4:8], order) if order else 0  # type: ignore[arg-type]
    if not order or not 8 <= at <= len(block) - 2:
        return 1 if block else 0
    return int.from_bytes(block[at : at + 2], order)  # type: ignore[arg-type]


# --- colours ------------------------------------------------------------------------------------------------


def _other_primaries(image: Image.Image, head: bytes) -> bool:
    """Whether red, green, blue and white are said to be others than those of sRGB, outside an ICC profile."""
    if image.format == "PNG" and (at := head.find(b"cICP", 0, head.find(b"IDAT"))) >= 0:
        return head[at + 4 : at + 6] != SRGB_CICP
    tags = getattr(image, "tag_v2", {})
    said = image.info.get("chromaticity") or (*tags.get(WHITE, SRGB[:2]), *tags.get(PRIMARIES, SRGB[2:]))
    stated = "srgb" not in image.info and len(said) == len(SRGB)
    return stated and any(abs(float(a) - b) > 2e-3 for a, b in zip(said, SRGB, strict=True))


# --- depth --------------------------------------------------------------------------------------------------


def _stored_bits(image: Image.Image) -> int:
    """As Pillow's plan of loading tells them, and TIFF's tags."""
    bits = getattr(image, "tag_v2", {}).get(258, 8)  # BitsPerSample
    found = max(bits if isinstance(bits, tuple) else (bits,))
    for codec, _, _, arguments in getattr(image, "tile", ()):
        words = arguments if isinstance(arguments, tuple) else (arguments,)
        if any(isinstance(word, str) and re.match("RGB.*;16", word) for word in words):
            found = 16
        elif codec.startswith("ppm"):
            found = int(words[-1]).bit_length()  # its largest value
    return int(found)


def _stated_bits(head: bytes, format: str | None) -> int:
    """In the header of a JPEG 2000 or AVIF file, which Pillow does not tell; else 0."""
    if format == "AVIF" and (at := head.find(b"av1C")) >= 0:
        return 10 if head[at + 6] & 0x40 else 8  # the flag high_bitdepth
    if format == "JPEG2000" and (at := head.find(b"\xff\x4f\xff\x51")) >= 0:
        components = int.from_bytes(head[at + 40 : at + 42], "big")
        return max([(bits & 0x7F) + 1 for bits in head[at + 42 : at + 42 + 3 * components : 3]], default=0)
    return 0
