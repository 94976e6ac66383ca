"""The formats that Pillow brings: JPEG, JPEG 2000, WebP, AVIF."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

from latens.classic.base import Codec
from latens.errors import MissingExtraError, UnreadablePictureError, UnsupportedPictureError

AVIF_SIDE = 32768  # pixels; libavif writes longer sides and then declines to read them


class PillowCodec(Codec):
    """A format of Pillow's with fixed options."""

    format: str  # Pillow's name of it
    library: str  # people's name of the library behind it
    feature: str  # Pillow's name of that
    fixed: dict[str, Any]  # the encoder's options besides the setting

    def version(self) -> str:
        if not features.check(self.feature):
            raise MissingExtraError(f"Pillow {PIL.__version__} has no {self.library}, which {self.id} needs")
        return f"{self.library} {features.version(self.feature)} (Pillow {PIL.__version__})"

    def options(self) -> dict[str, object]:
        return dict(self.fixed)

    def chosen(self, setting: float) -> dict[str, Any]:
        """The encoder's option that the setting is."""
        return {"quality": setting}

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        chosen = self.chosen(self.check(setting))
        self.version()
        file = io.BytesIO()
        try:
            Image.fromarray(pixels).save(file, self.format, **self.fixed, **chosen)
        except (OSError, ValueError, RuntimeError, MemoryError, SystemError) as error:
            height, width = pixels.shape[:2]
            raise UnsupportedPictureError(f"{self.id} cannot hold {width} x {height} pixels: {error}") from error
        return file.getvalue()

    def decode(self, data: bytes) -> np.ndarray:
        self.version()
        try:
            with Image.open(io.BytesIO(data), formats=[self.format]) as image:
                return np.asarray(image.convert("RGB"))
        except Exception as error:  # Pillow's plugins raise whatever struct, zlib or the library raises
            message = f"{len(data)} bytes are no {self.id} that can be read: {error}"
            raise UnreadablePictureError(message) from error


class Jpeg(PillowCodec):
    """Baseline JPEG, chroma halved both ways, Huffman tables of the picture itself."""

    id = "jpeg"
    title = "JPEG 4:2:0 (libjpeg-turbo)"
    suffix = ".jpg"
    parameter = "quality"
    settings = (8, 12, 18, 28, 40, 55, 70, 82, 90, 93)
    bounds = (1, 100)
    format, library, feature = "JPEG", "libjpeg-turbo", "libjpeg_turbo"
    fixed = {"subsampling": "4:2:0", "optimize": True}  # noqa: RUF012


class Jpeg444(Jpeg):
    """The same with whole chroma."""

    id = "jpeg-444"
    title = "JPEG 4:4:4 (libjpeg-turbo)"
    settings = (6, 10, 16, 25, 38, 52, 68, 80, 88, 92)
    fixed = {"subsampling": "4:4:4", "optimize": True}  # noqa: RUF012


class Jpeg2000(PillowCodec):
    """JPEG 2000 part 1: irreversible colour transform and 9/7 wavelet, one quality layer, .jp2."""

    id = "jpeg2000"
    title = "JPEG 2000 9/7 (OpenJPEG)"
    suffix = ".jp2"
    parameter = "compression ratio"  # of 24 bits a pixel: 24 aims at 1 bpp
    settings = (230, 150, 100, 70, 50, 35, 25, 18, 13, 10)
    bounds = (1000, 2)
    whole = False
    format, library, feature = "JPEG2000", "OpenJPEG", "jpg_2000"
    fixed = {"irreversible": True, "mct": 1, "quality_mode": "rates"}  # noqa: RUF012

    def chosen(self, setting: float) -> dict[str, Any]:
        return {"quality_layers": [setting]}


class WebP(PillowCodec):
    """Lossy WebP (VP8), the slowest method."""

    id = "webp"
    title = "WebP (libwebp)"
    suffix = ".webp"
    parameter = "quality"
    settings = (1, 10, 25, 45, 65, 80, 88, 93, 96)
    bounds = (0, 100)
    format, library, feature = "WEBP", "libwebp", "webp"
    fixed = {"lossless": False, "method": 6}  # noqa: RUF012


class Avif(PillowCodec):
    """AVIF by AOM: AV1 intra, 8-bit 4:4:4, full range, tuned for PSNR.

    libavif's own default is tuned for the eye: at equal PSNR it needs 8 % more bytes on Kodak. Speed 6,
    which avifenc takes by itself, needs 9 % more in a seventh of the time.
    """

    id = "avif"
    title = "AVIF 4:4:4 (AOM)"
    suffix = ".avif"
    parameter = "quality"
    settings = (8, 15, 22, 30, 40, 50, 60, 70)
    bounds = (0, 100)
    format, library, feature = "AVIF", "libavif", "avif"
    fixed = {  # noqa: RUF012
        "subsampling": "4:4:4",
        "range": "full",
        "codec": "aom",
        "speed": 4,
        "advanced": {"tune": "psnr"},
        "max_threads": 1,
    }

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        height, width = pixels.shape[:2]
        if max(height, width) > AVIF_SIDE:
            raise UnsupportedPictureError(
                f"avif cannot hold {width} x {height} pixels: its decoder takes at most {AVIF_SIDE} a side"
            )
        return super().encode(pixels, setting)
