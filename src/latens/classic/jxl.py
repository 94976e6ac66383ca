"""JPEG XL by libjxl, through imagecodecs."""

from __future__ import annotations

from typing import Any

import numpy as np

from latens.classic.base import Codec
from latens.errors import MissingExtraError, UnreadablePictureError, UnsupportedPictureError


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise MissingExtraError(
            "package imagecodecs is not installed: JPEG XL needs pip install 'latens[eval]'"
        ) from error
    return imagecodecs


class Jxl(Codec):
    """Lossy JPEG XL: XYB colours, VarDCT, a bare codestream without container.

    From distance 20 on libjxl halves the picture first, which takes more bytes than distance 19.9.
    """

    id = "jxl"
    title = "JPEG XL (libjxl)"
    suffix = ".jxl"
    parameter = "distance"  # Butteraugli's, of which 1 is hardly to be seen
    settings = (14, 10, 7, 5, 3.5, 2.5, 1.7, 1.1, 0.7)
    bounds = (25, 0.05)
    whole = False
    fixed = {"effort": 7, "lossless": False, "usecontainer": False, "numthreads": 1}  # noqa: RUF012

    def version(self) -> str:
        library = _imagecodecs()
        return f"libjxl {library.jpegxl_version().removeprefix('libjxl ')} (imagecodecs {library.__version__})"

    def options(self) -> dict[str, object]:
        return dict(self.fixed)

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        library, distance = _imagecodecs(), float(self.check(setting))
        try:
            data = library.jpegxl_encode(np.ascontiguousarray(pixels), distance=distance, **self.fixed)
        except Exception as error:  # a class of the library's own, and ValueError
            height, width = pixels.shape[:2]
            raise UnsupportedPictureError(f"jxl cannot hold {width} x {height} pixels: {error}") from error
        return bytes(data)

    def decode(self, data: bytes) -> np.ndarray:
        library = _imagecodecs()
        try:
            pixels = np.asarray(library.jpegxl_decode(data, numthreads=1))
        except Exception as error:
            raise UnreadablePictureError(f"{len(data)} bytes are no jxl that can be read: {error}") from error
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise UnreadablePictureError(f"jxl of {pixels.dtype} {pixels.shape}: uint8 (H, W, 3) is read here")
        return pixels
