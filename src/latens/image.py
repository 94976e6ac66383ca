"""Pictures in and out: files, PIL images and arrays <-> uint8 (H, W, 3).

::

    source --(open)--> size, mode, depth, frames --(load)--> orientation --> Picture(pixels, dropped)

Nothing is dropped without a word. A picture that 8-bit RGB cannot hold (grey, alpha, more than 8 bits a
sample, several frames) is refused before its pixels are decoded. An EXIF orientation is applied. Metadata,
which files cannot store yet, is named in ``Picture.dropped``: EXIF, XMP, ICC profile, IPTC, text, gamma,
colour primaries, further pictures (`latens.metadata`). The density (dpi) alone does not count as metadata.
The size limit is latens's own. Pillow's (``PIL.Image.MAX_IMAGE_PIXELS``) is global: left alone, and avoided.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn, TypeAlias, cast

import numpy as np

from latens import metadata
from latens.bitstream.header import LIMITS, MAGIC, MAX_PIXELS
from latens.errors import (
    OutputError,
    TooLargeError,
    UnreadablePictureError,
    UnsupportedPictureError,
    UsageError,
)

if TYPE_CHECKING:
    from PIL import Image

PictureSource: TypeAlias = "Image.Image | np.ndarray | str | os.PathLike[str] | bytes | BinaryIO"

# What is read. The others of Pillow's list run other programs (EPS), draw vectors or hide their depth.
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "TGA", "QOI", "JPEG2000", "AVIF")

# What the readers of Pillow and its plugins raise.
DAMAGE = (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, RuntimeError, struct.error)
MODES = {"1": "black and white", "L": "grey", "LA": "grey with alpha", "RGBA": "RGB with alpha", "F": "float"}
CONVERT = 'convert it first, with Pillow: image.convert("RGB")'
REDUCE = "reduce it to 8 bits first"


class MetadataWarning(UserWarning):
    """Metadata of the picture is not stored in the file."""


class Picture(NamedTuple):
    """What is encoded, and what is not: ``dropped`` names the kinds of metadata that are lost."""

    pixels: np.ndarray  # uint8 (H, W, 3)
    dropped: tuple[str, ...] = ()

    def warn(self) -> None:
        """Issue a MetadataWarning if anything is lost, at the caller of the caller."""
        if self.dropped:
            warnings.warn(dropped_note(self.dropped, "the picture"), MetadataWarning, stacklevel=3)


def dropped_note(dropped: tuple[str, ...], name: str) -> str:
    """``EXIF and ICC profile of photo.jpg are not stored yet``."""
    return f"{_listed(dropped, name)} not stored yet"


def left_behind(kinds: tuple[str, ...]) -> str:
    """``EXIF and ICC profile of the file are left behind: this version decodes pixels alone``."""
    return f"{_listed(kinds, 'the file')} left behind: this version decodes pixels alone"


def _listed(kinds: tuple[str, ...], name: str) -> str:
    *first, last = kinds
    several = f"{', '.join(first)} and {last}" if first else last
    return f"{several} of {name} {'are' if first or last.endswith('s') else 'is'}"


def read_picture(source: PictureSource, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read 8-bit RGB pixels from a PIL image, a uint8 array (H, W, 3), a path, bytes or an open binary file.

    Raises:
        UnreadablePictureError: no file, no picture in it, or a damaged one
        UnsupportedPictureError: not 8-bit RGB, or several frames; the message says how to convert
        TooLargeError: more than ``max_pixels``; nothing has been decoded yet
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        return Picture(_checked_array(source, max_pixels))
    if isinstance(source, Image.Image):
        with _translated("the PIL image"):
            return _read(source, metadata.head_of(source), max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_stream(io.BytesIO(source), f"the given {len(source)} bytes", max_pixels)
    if isinstance(source, str | os.PathLike):
        with _translated(os.fspath(source)), open(source, "rb") as stream:
            return _read_stream(stream, os.fspath(source), max_pixels)
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "the open file"))
        with _translated(name):
            return _read_stream(source, name, max_pixels)
    raise UnsupportedPictureError(
        f"the picture is a {type(source).__name__}, and must be a PIL image, a uint8 array (H, W, 3), "
        "a path, bytes or an open binary file"
    )


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """What Pillow and the system raise while a picture is read, as errors of latens."""
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:  # raised by a few formats' own readers
        raise TooLargeError(f"{name} is larger than Pillow's PIL.Image.MAX_IMAGE_PIXELS: {error}") from error
    except DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadablePictureError(f"cannot read {name}: {reason}") from error


def _checked_array(array: np.ndarray, max_pixels: int) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise UnsupportedPictureError(
            f"the array is {array.dtype} of shape {array.shape}, and must be uint8 of shape (H, W, 3)"
        )
    height, width = array.shape[:2]
    check_size(width, height, max_pixels)
    return array


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse what no file can hold, and what is larger than allowed."""
    for name, side in (("width", width), ("height", height)):
        least, most = LIMITS[name]
        if not least <= side <= most:
            raise UnsupportedPictureError(f"the {name} is {side} pixels, and must be from {least} to {most}")
    if width * height > max_pixels:
        raise TooLargeError(
            f"the picture has {width} x {height} = {width * height} pixels, "
            f"and at most {max_pixels} are allowed (--max-pixels)"
        )


def _read_stream(stream: BinaryIO, name: str, max_pixels: int) -> Picture:
    with _translated(name):
        stream = stream if stream.seekable() else io.BytesIO(stream.read())  # pipes
        stream.seek(0)
        head = stream.read(metadata.HEAD)
        return _read(_open(stream, head, name), head, max_pixels)


def _open(stream: BinaryIO, head: bytes, name: str) -> Image.Image:
    """``PIL.Image.open`` without its global limit on the size, and for READABLE formats only."""
    from PIL import Image

    for load_plugins in (Image.preinit, Image.init):
        load_plugins()
        for kind in READABLE:
            factory, accepts = Image.OPEN.get(kind, (None, None))
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                if factory is not None and (accepts is None or accepts(head[:16]) is True):
                    stream.seek(0)
                    return cast("Image.Image", factory(stream, ""))
    found = "is empty" if not head else f"is no picture that can be read ({', '.join(READABLE)})"
    raise UnreadablePictureError(f"{name} {'is a latens file already' if head.startswith(MAGIC) else found}")


def _read(image: Image.Image, head: bytes, max_pixels: int) -> Picture:
    """All checks, from cheap to dear; then the pixels."""
    check_size(*image.size, max_pixels)
    if image.has_transparency_data and image.mode in ("RGB", "P", "L"):
        _refuse(f"is of mode {image.mode} with transparency", CONVERT)
    palette_is_rgb = image.mode == "P" and image.palette is not None and image.palette.mode == "RGB"
    if image.mode != "RGB" and not palette_is_rgb:
        words = f" ({MODES[image.mode]})" if image.mode in MODES else ""
        _refuse(f"is of mode {image.mode}{words}", REDUCE if image.mode[0] in "IF" else CONVERT)
    if metadata.bits(image, head) > 8:
        _refuse("has more than 8 bits a sample", REDUCE)
    if (samples := metadata.samples(image)) > len(image.getbands()):
        _refuse(f"has {samples} samples a pixel, of which RGB are three", CONVERT)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO is a JPEG followed by previews, or by the other eye's view
        _refuse(f"has {frames} frames", "choose one, with Pillow: image.seek(n); image.copy()")
    image.load()
    check_size(*image.size, max_pixels)
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return Picture(_turned(pixels, metadata.orientation(image)), metadata.kinds(image, head))


def _refuse(found: str, advice: str) -> NoReturn:
    raise UnsupportedPictureError(
        f"the picture {found}, and latens encodes single pictures in 8-bit RGB so far: {advice}"
    )


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright: 5 to 8 are transposed; then rows and columns run backwards as EXIF says."""
    if orientation > 4:
        pixels = pixels.transpose(1, 0, 2)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else None)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else None)
    return np.ascontiguousarray(pixels[rows, columns])


FORMATS = {  # by extension: Pillow's name
    **{"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"},
    **{"tif": "TIFF", "tiff": "TIFF", "bmp": "BMP", "ppm": "PPM"},
}
DEFAULTS: dict[str, dict[str, Any]] = {  # of Pillow's options
    "JPEG": {"quality": 95, "subsampling": "4:4:4", "optimize": True},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}


def format_named(name: str) -> str:
    """The key of FORMATS for an extension (``.PNG``), a format (``png``) or a path (``out.png``).

    Raises:
        UsageError: latens does not write it
    """
    key = (Path(name).suffix or name).lstrip(".").lower()
    if key not in FORMATS:
        raise UsageError(f"the picture format is {name!r}, and must be one of {', '.join(FORMATS)}")
    return key


def write_picture(picture: np.ndarray | Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of a picture file.

    Everything is lossless (WebP too) but JPEG: quality 95, 4:4:4. ``options`` go to Pillow's ``save``.

    Raises:
        UsageError: an unknown format
        OutputError: the format cannot hold this picture (JPEG ends at 65500 pixels a side, say)
    """
    from PIL import Image

    target = FORMATS[format_named(format)]
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    buffer = io.BytesIO()
    try:
        image.save(buffer, target, **{**DEFAULTS.get(target, {}), **options})
    except (OSError, ValueError, SystemError, OverflowError, struct.error) as error:
        raise OutputError(f"{target} cannot hold this picture, {image.size}, {image.mode}: {error}") from error
    return buffer.getvalue()
