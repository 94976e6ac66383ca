"""8-bit pictures as the networks take and give them, and how far one is from another."""

from __future__ import annotations

import numpy as np

ROWS = 256  # squared at a time


def to_network(pixels: np.ndarray, stride: int) -> np.ndarray:
    """uint8 (H, W, 3) -> float32 (1, 3, H', W') in [0, 1], reflected to multiples of ``stride``."""
    height, width = pixels.shape[:2]
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    padded = np.pad(pixels, padding, mode="reflect") if any(after for _, after in padding) else pixels
    x = np.empty((1, 3, *padded.shape[:2]), np.float32)
    np.multiply(padded.transpose(2, 0, 1)[None], np.float32(1 / 255), out=x, casting="unsafe")
    return x


def to_pixels(x: np.ndarray) -> np.ndarray:
    """float32 (1, 3, H, W) -> uint8 (H, W, 3), clipped and rounded; ``x`` is used up."""
    np.clip(x, 0, 1, out=x)
    np.multiply(x, 255, out=x)
    pixels: np.ndarray = np.rint(x, out=x)[0].astype(np.uint8).transpose(1, 2, 0)
    return pixels


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The sum over the samples of two pictures, uint8 (H, W, 3), of their squared distance; exact."""
    total = 0
    for row in range(0, len(a), ROWS):
        off = a[row : row + ROWS].astype(np.int32) - b[row : row + ROWS]
        total += int(np.square(off, out=off).sum(dtype=np.int64))
    return float(total)
