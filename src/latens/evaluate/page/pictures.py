"""Pictures inside a page: data URLs, exact where they can be, and small where they must be."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, features

NATIVE = {".jpg": "jpeg", ".webp": "webp", ".avif": "avif"}  # files that every browser shows as we decode them
GAIN = 8  # of error maps: 32 levels of error are white
ORIGINAL = 1.5  # times the bytes of its largest version's preview are its own
ERRORS = 1 / 8  # of a page's pictures, in bytes, are error maps
URL = 32  # bytes of a data URL besides the data
ERROR_QUALITIES = (60, 35, 15)  # of error maps, tried in this order until one fits; then smaller
ERROR_SHRINKS = (1, 2, 4)  # of their sides
LIKELY = 0.2  # bytes of lossless data URL a sample, below which trying is a waste of time
QUALITIES = (10, 97)  # of previews: the least and the most
TRIES = 4  # encodings in search of the quality that fits
SLOPE = 28  # steps of quality that multiply a file's size by e, about
CLOSE = 0.9  # of the limit: a preview that large is not made larger
INFERNO = ((0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164))


class Budget(NamedTuple):
    """Bytes of data URL: of a preview for each byte of the coded file, and of an error map."""

    scale: float
    error: int

    @classmethod
    def divided(cls, limit: int, pictures: Sequence[Sequence[tuple[int, str]]]) -> Budget:
        """``limit`` bytes among ``pictures``, each a list of its versions' files: bytes and suffix.

        Previews take in proportion to the coded files, so that each is as faithful as the next; an original takes
        `ORIGINAL` times as much as its largest version. Files that browsers show take what they are.
        """
        versions = [version for picture in pictures for version in picture]
        error = int(limit * ERRORS) // max(1, len(versions))
        native = sum(size * 4 // 3 for size, suffix in versions if suffix in NATIVE)
        shown = sum(size for size, suffix in versions if suffix not in NATIVE)
        originals = sum(ORIGINAL * max(size for size, _ in picture) for picture in pictures if picture)
        left = limit - error * len(versions) - native - URL * (len(versions) + len(pictures))
        return cls(max(0.0, left / max(1, shown + originals)), error)

    def original(self, coded: Sequence[int]) -> int:
        """Of the preview of an original whose versions' files are of ``coded`` bytes."""
        return int(self.scale * ORIGINAL * max(coded, default=0))

    def preview(self, coded: int) -> int:
        """Of the preview of a file of ``coded`` bytes."""
        return int(self.scale * coded)


def data_url(pixels: np.ndarray) -> str:
    """uint8 (H, W, 3) or (H, W), exactly: lossless WebP."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=60, method=3, exact=True)
    return url(file.getvalue(), "webp")


def preview(pixels: np.ndarray, limit: int) -> tuple[str, bool]:
    """A data URL of at most ``limit`` bytes if a lossy one can be that small, and whether it is exact.

    Lossy ones are AVIF 4:4:4, or WebP where Pillow was built without AVIF, at the best quality that fits.
    """
    if limit <= 0:
        return _lossy(pixels, QUALITIES[0]), False
    if limit > pixels.size * LIKELY or pixels.size < 1 << 16:
        found = data_url(pixels)
        if len(found) <= limit:
            return found, True
    least, most = QUALITIES
    quality, found = 60, ""
    for _ in range(TRIES):
        tried = _lossy(pixels, quality)
        if len(tried) <= limit:
            found, least = tried, quality + 1
            if len(tried) > CLOSE * limit:
                break
        else:
            most = quality - 1
        if least > most:
            break
        aim = quality + math.floor(SLOPE * math.log(CLOSE * limit / len(tried)))
        quality = min(most, max(least, aim))
    return found or _lossy(pixels, QUALITIES[0]), False


def _lossy(pixels: np.ndarray, quality: int) -> str:
    file, image = io.BytesIO(), Image.fromarray(pixels)
    if features.check("avif"):
        image.save(file, "AVIF", quality=quality, subsampling="4:4:4", speed=6, max_threads=1)
        return url(file.getvalue(), "avif")
    image.save(file, "WEBP", quality=quality, method=3)
    return url(file.getvalue(), "webp")


def native_url(data: bytes, suffix: str) -> str | None:
    """The coded file itself, if browsers show its format; None otherwise."""
    return url(data, NATIVE[suffix]) if suffix in NATIVE else None


def error_map(original: np.ndarray, decoded: np.ndarray, limit: int | None = None) -> str:
    """`GAIN` times the absolute error of uint8 (H, W, 3), the largest of the channels; black where none is.

    Exact, or with ``limit`` lossy and about that many bytes of data URL at most.
    """
    error = np.abs(original.astype(np.int16) - decoded).max(-1)
    scaled = np.minimum(error * GAIN, 255).astype(np.uint8)
    if limit is None:
        return data_url(scaled)
    image = Image.fromarray(scaled)
    found = ""
    for shrink in ERROR_SHRINKS:
        candidate = image.reduce(min(shrink, *image.size))
        for quality in ERROR_QUALITIES:
            file = io.BytesIO()
            candidate.save(file, "WEBP", quality=quality, method=3)
            found = url(file.getvalue(), "webp")
            if len(found) <= limit:
                return found
    return found


def bits_map(bits: np.ndarray) -> dict[str, Any]:
    """A map (h, w) of bits per latent position as a tiny PNG, a pixel a position, dark to bright from 0 to its
    largest value."""
    most = float(bits.max()) or 1.0
    place = bits / most * (len(INFERNO) - 1)
    low = np.minimum(place.astype(int), len(INFERNO) - 2)
    colours = np.array(INFERNO, float)
    mixed = colours[low] + (place - low)[..., None] * (colours[low + 1] - colours[low])
    file = io.BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(file, "PNG", optimize=True)
    return {"image": url(file.getvalue(), "png"), "max": round(most, 1), "unit": "bits per latent position"}


def url(data: bytes, kind: str) -> str:
    """``data:image/KIND;base64,...``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
