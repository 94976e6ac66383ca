"""Pictures that are refused: what latens cannot encode (yet), what is too large, what is none."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latens.errors import (
    TooLargeError,
    UnreadablePictureError,
    UnsupportedPictureError,
)
from latens.image import read_picture


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB", "HSV", "PA", "La"]
)
def test_other_modes_are_refused_by_name_with_a_way_out(mode: str) -> None:
    with pytest.raises(UnsupportedPictureError) as caught:
        read_picture(Image.new(mode, (4, 3)))
    message = str(caught.value)
    assert f"mode {mode}" in message and "8-bit RGB" in message
    assert 'image.convert("RGB")' in message or "reduce it to 8 bits" in message


def test_transparency_is_refused_also_outside_an_alpha_channel(pixels: np.ndarray) -> None:
    palette = Image.fromarray(pixels).quantize(16)
    for data in (
        saved(palette, "PNG", transparency=3),
        saved(palette, "GIF", transparency=3),
        saved(Image.fromarray(pixels), "PNG", transparency=(1, 2, 3)),
    ):
        with pytest.raises(UnsupportedPictureError, match="transparency"):
            read_picture(data)


def png16(width: int, height: int) -> bytes:
    """A PNG of 16 bits a sample, which Pillow reads as 8-bit RGB without a word."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(6 * width)) * height
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def tiff16() -> bytes:
    """The same for TIFF: one strip of one pixel."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 128), (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 6)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head + struct.pack("<HHH", 16, 16, 16) + bytes(6)


def test_sixteen_bits_are_refused_where_pillow_reduces_them_silently(pixels: np.ndarray) -> None:
    sources = [png16(2, 3), tiff16(), b"P6 1 1 65535\n" + bytes(6)]
    jpeg2000 = bytearray(saved(Image.fromarray(pixels), "JPEG2000"))
    jpeg2000[jpeg2000.index(b"\xff\x4f\xff\x51") + 42] = 15  # Ssiz: 16 bits
    for data in (*sources, bytes(jpeg2000)):
        with pytest.raises(UnsupportedPictureError, match="more than 8 bits"):
            read_picture(data)
    with pytest.raises(UnsupportedPictureError, match="more than 8 bits"):
        read_picture(Image.open(io.BytesIO(png16(2, 3))))


@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_an_avif_of_ten_bits_is_refused(brand: bytes) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")

    def of(bits: int) -> bytes:
        black = np.zeros((16, 16, 3), np.uint8 if bits == 8 else np.uint16)
        data = imagecodecs.avif_encode(black, bitspersample=bits)
        return bytes(data[:8] + brand + data[12:])

    for source in (of(10), Image.open(io.BytesIO(of(10)))):
        with pytest.raises(UnsupportedPictureError, match="more than 8 bits"):
            read_picture(source)
    assert read_picture(of(8)).pixels.shape == (16, 16, 3)


def test_a_heif_of_ten_bits_is_refused_where_pillow_reads_it() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    with io.BytesIO() as buffer:
        heif.from_bytes("RGB;16", (64, 64), bytes(6 * 64 * 64)).save(buffer, quality=50)
        image = Image.open(io.BytesIO(buffer.getvalue()))
    assert (image.format, image.mode) == ("HEIF", "RGB")
    with pytest.raises(UnsupportedPictureError, match="more than 8 bits"):
        read_picture(image)


def test_a_tiff_with_a_fourth_sample_of_no_meaning_is_refused(pixels: np.ndarray) -> None:
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 4, 140), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 148), (277, 3, 1, 4), (278, 3, 1, 1), (279, 4, 1, 4), (338, 3, 1, 0)]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)
    data += bytes(140 - len(data)) + struct.pack("<4H", 8, 8, 8, 8) + b"\1\2\3\4"
    assert Image.open(io.BytesIO(data)).mode == "RGB"  # Pillow leaves it out
    with pytest.raises(UnsupportedPictureError, match="has 4 samples a pixel"):
        read_picture(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_several_frames_are_refused(pixels: np.ndarray, kind: str) -> None:
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    with pytest.raises(UnsupportedPictureError, match="2 frames"):
        read_picture(saved(first, kind, save_all=True, append_images=[second]))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros(((1 << 20) + 1, 1, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_wrong_arrays_are_refused_with_value_and_rule(array: np.ndarray) -> None:
    with pytest.raises(UnsupportedPictureError, match="must be"):
        read_picture(array)


def test_things_that_are_no_sources_are_refused() -> None:
    for thing in ([[1, 2, 3]], None, 7):
        with pytest.raises(UnsupportedPictureError, match=type(thing).__name__):
            read_picture(thing)  # type: ignore[arg-type]


def test_max_pixels_holds_before_pixels_are_decoded(pixels: np.ndarray) -> None:
    data = saved(Image.fromarray(pixels), "PNG")
    assert read_picture(data, max_pixels=35).pixels.shape == (5, 7, 3)
    for source in (data, data[:60], pixels, Image.fromarray(pixels)):  # cut: decoding would fail otherwise
        with pytest.raises(TooLargeError, match=r"7 x 5 = 35 pixels, and at most 34"):
            read_picture(source, max_pixels=34)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000"])
def test_truncated_files_are_unreadable_not_half_grey(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    for length in (1, 10, len(data) // 3, len(data) // 2):
        with pytest.raises(UnreadablePictureError):
            read_picture(data[:length])


def test_what_is_no_picture_says_so(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (b"", "empty"),
        (b"hello, world", "no picture"),
        (b"\x8aLTN\r\n\x01", "latens file already"),
        (tmp_path / "missing.png", "No such file"),
        (tmp_path, "directory"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    ]
    for source, reason in cases:
        with pytest.raises(UnreadablePictureError, match=reason):
            read_picture(source)
    with pytest.raises(UnreadablePictureError):
        read_picture(io.StringIO("text"))  # type: ignore[arg-type]
