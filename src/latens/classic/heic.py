"""HEIC: an HEVC intra picture in the HEIF container, by libheif and x265 through pillow-heif."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from latens.classic.base import Codec
from latens.errors import MissingExtraError, UnreadablePictureError, UnsupportedPictureError


def _pillow_heif() -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError(
            "package pillow-heif is not installed: HEIC needs pip install 'latens[eval]'"
        ) from error
    return pillow_heif


class Heic(Codec):
    """8-bit 4:4:4, tuned for PSNR (libheif's own default is tuned for SSIM)."""

    id = "heic"
    title = "HEIC 4:4:4 (libheif, x265)"
    suffix = ".heic"
    parameter = "quality"
    settings = (4, 11, 18, 25, 32, 39, 46, 54)
    bounds = (0, 100)
    fixed = {"chroma": 444, "enc_params": {"preset": "slow", "tune": "psnr", "x265:pools": "none"}}  # noqa: RUF012

    def version(self) -> str:
        library = _pillow_heif()
        found = library.libheif_info()
        if not found["HEIF"]:
            raise MissingExtraError(f"pillow-heif {library.__version__} has no HEVC encoder, which heic needs")
        x265 = found["HEIF"].partition("(")[2].partition("+")[0]
        return f"libheif {found['libheif']}, x265 {x265} (pillow-heif {library.__version__})"

    def options(self) -> dict[str, object]:
        return {"chroma": "4:4:4", **self.fixed["enc_params"]}  # type: ignore[dict-item]

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        library, quality = _pillow_heif(), int(self.check(setting))
        height, width = pixels.shape[:2]
        file = io.BytesIO()
        try:
            data = np.ascontiguousarray(pixels).tobytes()
            library.encode("RGB", (width, height), data, file, quality=quality, **self.fixed)
        except Exception as error:  # RuntimeError, ValueError and what libheif calls them
            raise UnsupportedPictureError(f"heic cannot hold {width} x {height} pixels: {error}") from error
        return file.getvalue()

    def decode(self, data: bytes) -> np.ndarray:
        library = _pillow_heif()
        try:
            return np.asarray(library.open_heif(io.BytesIO(data)).to_pillow().convert("RGB"))
        except Exception as error:
            raise UnreadablePictureError(f"{len(data)} bytes are no heic that can be read: {error}") from error
