"""How far pixels are from the original's: PSNR over R, G and B, and of the luma alone.

Pictures are uint8 arrays (H, W, 3) and nothing else: a float picture has not been through a file yet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latens.errors import UsageError
from latens.pixels import difference

PEAK = 255.0  # L, the dynamic range
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, full range, as in JPEG


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / MSE), one MSE over all pixels and channels.

    a, b: uint8 (H, W, 3). Identical pictures give infinity. Raises UsageError for anything else.
    """
    require_pair(a, b)
    squares = difference(a, b)
    return math.inf if squares == 0 else 10 * math.log10(PEAK**2 * a.size / squares)


def psnr_y(a: NDArray[Any], b: NDArray[Any]) -> float:
    """`psnr` of the luma, Y = 0.299 R + 0.587 G + 0.114 B (BT.601, full range), not rounded."""
    require_pair(a, b)
    luma = (a.astype(np.float64) - b) @ np.array(LUMA)
    error = float(np.mean(luma * luma))
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def require_pair(a: NDArray[Any], b: NDArray[Any]) -> None:
    """UsageError unless both are uint8 (H, W, 3) of one shape."""
    for picture in (a, b):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
            raise UsageError(
                f"array of {picture.dtype} {picture.shape}: metrics are taken on uint8 pictures (H, W, 3)"
            )
    if a.shape != b.shape:
        raise UsageError(f"pictures of shapes {a.shape} and {b.shape}: the two must have the same size")
