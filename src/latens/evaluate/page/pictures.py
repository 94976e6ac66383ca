"""Pictures inside a page: data URLs, exact where they can be, and small where they must be."""

from __future__ import annotations

import base64
import io
import math
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, features

NATIVE = {".jpg": "jpeg", ".webp": "webp", ".avif": "avif"}  # files that every browser shows as we decode them
GAIN = 8  # of error maps: 32 levels of error are white
ERROR_QUALITIES = (60, 35, 15)  # of error maps, tried in this order until one fits; then smaller
ERROR_SHRINKS = (1, 2, 4)  # of their sides
LIKELY = 0.2  # bytes of lossless data URL a sample, below which trying is a waste of time
QUALITIES = (10, 97)  # of previews: the least and the most
TRIES = 4  # encodings in search of the quality that fits
SLOPE = 28  # steps of quality that multiply a file's size by e, about
CLOSE = 0.9  # of the limit: a preview that large is not made larger
INFERNO = ((0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164))


class Budget(NamedTuple):
    """Bytes of data URL that an original and a version may take."""

    original: int
    version: int
    error: int

    @classmethod
    def divided(cls, limit: int, pictures: int, versions: int) -> Budget:
        """``limit`` bytes among ``pictures`` with ``versions`` each.

        An original weighs as much as three versions, an error map as much as half of one.
        """
        share = 2 * limit // pictures // (3 * versions + 6)
        return cls(3 * share, share, share // 2)


def data_url(pixels: np.ndarray) -> str:
    """uint8 (H, W, 3) or (H, W), exactly: lossless WebP."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=60, method=3, exact=True)
    return url(file.getvalue(), "webp")


def preview(pixels: np.ndarray, limit: int) -> tuple[str, bool]:
    """A data URL of at most ``limit`` bytes if a lossy one can be that small, and whether it is exact.

    Lossy ones are AVIF 4:4:4, or WebP where Pillow was built without AVIF, at the best quality that fits.
    """
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
