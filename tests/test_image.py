"""Pictures in and out: what is accepted, said to be lost, and written."""

import io
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

from latens import image as module
from latens.errors import (
    OutputError,
    UsageError,
)
from latens.image import MetadataWarning, Picture, format_named, read_picture, write_picture


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(pixels: np.ndarray, orientation: int) -> Image.Image:
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    return image


def test_every_kind_of_source_gives_the_same_pixels(pixels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    data = saved(Image.fromarray(pixels), "PNG")
    path.write_bytes(data)
    with path.open("rb") as stream:
        sources = [
            pixels,
            Image.fromarray(pixels),
            Image.open(path),
            path,
            str(path),
            data,
            io.BytesIO(data),
            stream,
        ]
        for source in sources:
            assert np.array_equal(read_picture(source).pixels, pixels)
            assert read_picture(source).dropped == ()


def test_a_stream_that_cannot_seek_is_read(pixels: np.ndarray) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation("seek")

    assert np.array_equal(read_picture(Pipe(saved(Image.fromarray(pixels), "PNG"))).pixels, pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "PPM", "TGA", "QOI", "JPEG2000"])
def test_lossless_formats_are_read_exactly(pixels: np.ndarray, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(read_picture(saved(Image.fromarray(pixels), kind, **options)).pixels, pixels)


def test_one_pixel_is_a_picture() -> None:
    one = np.full((1, 1, 3), 7, np.uint8)
    assert np.array_equal(read_picture(saved(Image.fromarray(one), "PNG")).pixels, one)


def test_an_opaque_palette_is_expanded_exactly(pixels: np.ndarray) -> None:
    palette = Image.fromarray(pixels).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(read_picture(saved(palette, "PNG")).pixels, expected)
    assert np.array_equal(read_picture(saved(palette, "GIF")).pixels, expected)


def test_a_photograph_with_a_preview_is_read_and_the_preview_named(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    data = saved(image, "MPO", save_all=True, append_images=[image])
    assert "further pictures" in read_picture(data).dropped


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", None])
def test_an_exif_orientation_is_applied_and_is_not_called_lost(
    pixels: np.ndarray, orientation: int, kind: str | None
) -> None:
    image = oriented(pixels, orientation)
    expected = np.asarray(ImageOps.exif_transpose(image))
    options = {"lossless": True} if kind == "WEBP" else {}
    source = saved(image, kind, exif=image.getexif(), **options) if kind else image
    picture = read_picture(source)
    assert np.array_equal(picture.pixels, expected) and picture.pixels.flags.c_contiguous
    assert picture.dropped == ()
    assert image.size == (7, 5)  # the caller's image is untouched


def test_what_is_lost_is_named(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x010E] = "a description"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "me")
    data = saved(image, "PNG", exif=exif, icc_profile=b"profile", pnginfo=text)
    assert read_picture(data).dropped == ("EXIF", "ICC profile", "text")
    assert read_picture(saved(image, "JPEG", xmp=b"<x/>", comment=b"hello")).dropped == ("XMP", "comment")
    assert read_picture(saved(image, "TIFF", exif=exif)).dropped == ("EXIF",)
    assert read_picture(saved(image, "JPEG", dpi=(72, 72))).dropped == ()


def test_a_strange_gamma_is_lost_and_the_usual_one_is_not(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    image.info["gamma"] = 1.0
    assert read_picture(image).dropped == ("gamma",)
    image.info["gamma"] = 0.45455
    assert read_picture(image).dropped == ()


def test_broken_exif_does_not_cost_the_picture(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    picture = read_picture(saved(image, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"))
    assert np.array_equal(picture.pixels, pixels)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_broken_exif_is_lost_and_said_to_be(pixels: np.ndarray, kind: str) -> None:
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x010E], exif[0x8298] = "a description", "somebody's"
    whole = exif.tobytes()
    far = whole[:10] + (5000).to_bytes(4, "big") + whole[14:]
    for block in (whole, whole[:16], whole[:20], whole[: 6 + 8 + 2 + 24 + 4], far, whole[:6] + b"??" + whole[8:]):
        assert read_picture(saved(image, kind, exif=block)).dropped == ("EXIF",), block
    assert read_picture(saved(image, kind, exif=Image.Exif().tobytes())).dropped == ()  # an empty one


@pytest.mark.parametrize("tag", [33723, 34377])
def test_captions_in_a_tiff_are_lost_and_said_to_be(pixels: np.ndarray, tag: int) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[tag] = b"\x1c\x02\x78\x00\x07caption"
    info.tagtype[tag] = 7
    assert read_picture(saved(Image.fromarray(pixels), "TIFF", tiffinfo=info)).dropped == ("IPTC",)


@pytest.mark.parametrize(
    ("code", "data", "kinds"),
    [
        (0x0404, b"\x1c\x02\x78\x00\x08captions", ("IPTC",)),
        (0x03ED, bytes(16), ()),  # dots an inch
        (0x040A, bytes(2), ("Photoshop resources",)),
    ],
)
def test_what_photoshop_leaves_in_a_jpeg_is_named(
    pixels: np.ndarray, code: int, data: bytes, kinds: tuple[str, ...]
) -> None:
    block = b"Photoshop 3.0\0" + b"8BIM" + code.to_bytes(2, "big") + bytes(2) + len(data).to_bytes(4, "big") + data
    jpeg = saved(Image.fromarray(pixels), "JPEG")
    marked = jpeg[:2] + b"\xff\xed" + (2 + len(block)).to_bytes(2, "big") + block + jpeg[2:]
    assert read_picture(marked).dropped == kinds


SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
DISPLAY_P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    """The chunk after IHDR."""
    body = name + data
    return png[:33] + len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big") + png[33:]


@pytest.mark.parametrize(("primaries", "lost"), [(SRGB, ()), (DISPLAY_P3, ("colour primaries",))])
def test_other_primaries_than_those_of_srgb_are_named(
    pixels: np.ndarray, primaries: tuple[float, ...], lost: tuple[str, ...]
) -> None:
    image = Image.fromarray(pixels)
    chunk = b"".join(round(1e5 * value).to_bytes(4, "big") for value in primaries)
    assert read_picture(with_chunk(saved(image, "PNG"), b"cHRM", chunk)).dropped == lost
    sure = with_chunk(with_chunk(saved(image, "PNG"), b"cHRM", chunk), b"sRGB", b"\0")
    assert read_picture(sure).dropped == ()  # sRGB overrides
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[318], info[319] = primaries[:2], primaries[2:]
    info.tagtype[318] = info.tagtype[319] = 5
    assert read_picture(saved(image, "TIFF", tiffinfo=info)).dropped == lost


def test_coding_independent_code_points_are_named(pixels: np.ndarray) -> None:
    png = saved(Image.fromarray(pixels), "PNG")
    assert read_picture(with_chunk(png, b"cICP", b"\x09\x10\0\1")).dropped == ("colour primaries",)
    assert read_picture(with_chunk(png, b"cICP", b"\x01\x0d\0\1")).dropped == ()


def test_losses_are_warned_of_at_the_callers_line() -> None:
    def encode() -> None:
        Picture(np.zeros((1, 1, 3), np.uint8), ("EXIF", "XMP", "ICC profile")).warn()

    with pytest.warns(MetadataWarning, match="EXIF, XMP and ICC profile of the picture are not") as caught:
        encode()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Picture(np.zeros((1, 1, 3), np.uint8)).warn()
    assert module.dropped_note(("EXIF",), "a.png") == "EXIF of a.png is not stored yet"


def test_an_array_may_be_a_view(pixels: np.ndarray) -> None:
    assert np.array_equal(read_picture(pixels[::2, ::-1]).pixels, pixels[::2, ::-1])


def test_only_latens_decides_what_is_too_large(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("PNG", "JPEG", "BMP", "PPM"):
            assert read_picture(saved(Image.fromarray(pixels), kind)).pixels.shape == (5, 7, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_pictures_are_read_in_several_threads_at_once(pixels: np.ndarray) -> None:
    data = saved(Image.fromarray(pixels), "PNG")
    results: list[bool] = []

    def work() -> None:
        results.extend(np.array_equal(read_picture(data).pixels, pixels) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


@pytest.mark.parametrize("name", ["png", "webp", "tif", "TIFF", "bmp", ".ppm", "some/where.png"])
def test_all_formats_but_jpeg_are_written_without_loss(pixels: np.ndarray, name: str) -> None:
    assert np.array_equal(read_picture(write_picture(pixels, name)).pixels, pixels)
    assert write_picture(Image.fromarray(pixels), name) == write_picture(pixels, name)


def test_jpeg_is_written_fine_and_with_options_coarse() -> None:
    ramp = np.tile(np.arange(0, 256, 4, np.uint8)[:, None, None], (1, 64, 3))
    fine, coarse = write_picture(ramp, "jpg"), write_picture(ramp, "x.jpeg", quality=10)
    assert len(coarse) < len(fine)
    assert np.abs(read_picture(fine).pixels.astype(int) - ramp).max() <= 4


def test_unknown_formats_are_usage_errors_that_name_the_known() -> None:
    for name in ("gif", "out.heic", "", "noextension"):
        with pytest.raises(UsageError, match="png, jpg, jpeg, webp, tif, tiff, bmp, ppm"):
            format_named(name)


def test_a_picture_its_format_cannot_hold_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="WEBP cannot hold"):
        write_picture(np.zeros((1, 16384, 3), np.uint8), "webp")


def test_reading_needs_no_pillow_until_it_happens() -> None:
    import subprocess

    code = "import sys, latens.image; assert not any(name.startswith('PIL') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
