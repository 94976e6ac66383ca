"""GMSD: how unevenly the edges of a picture are kept.

W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient magnitude similarity deviation: a highly efficient perceptual
image quality index", IEEE Transactions on Image Processing 23(2), 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latens.errors import UnsupportedPictureError
from latens.metrics.fidelity import LUMA, require_pair

C = 170.0  # of eq. (4), for luma 0 ... 255
LEAST = 6  # pixels a side: a picture of fewer has no 3x3 window inside once it is halved


def gmsd(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Gradient magnitude similarity deviation; 0 for identical pictures, less is better.

    The luma is averaged 2x2 and halved; of the magnitudes m of its Prewitt gradients (eqs. 1-3) come the
    similarity (2 m_a m_b + c) / (m_a^2 + m_b^2 + c) (eq. 4) and its standard deviation over the picture
    (eqs. 5-7). Beyond the borders are zeros, as in the authors' program.

    a, b: uint8 (H, W, 3), both sides at least 6. Raises UnsupportedPictureError for smaller pictures, UsageError
    for other arrays.
    """
    require_pair(a, b)
    height, width = a.shape[:2]
    if min(height, width) < LEAST:
        raise UnsupportedPictureError(f"picture of {width}x{height} pixels: GMSD needs at least {LEAST} a side")
    first, second = (_magnitude(_halve(picture @ np.array(LUMA))) for picture in (a, b))
    similarity = (2 * first * second + C) / (first * first + second * second + C)
    return float(similarity.std())


def _halve(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """2x2 averages, (H, W) -> (ceil(H/2), ceil(W/2)); odd sides first get a line of zeros at the end."""
    y = np.pad(y, ((0, y.shape[0] % 2), (0, y.shape[1] % 2)))
    rows: NDArray[np.float64] = y[0::2] + y[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) / 4


def _magnitude(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the Prewitt gradient, (H, W) -> (H, W)."""
    y = np.pad(y, 1)
    across, down = y[:, 2:] - y[:, :-2], y[2:] - y[:-2]
    horizontal = (across[:-2] + across[1:-1] + across[2:]) / 3
    vertical = (down[:, :-2] + down[:, 1:-1] + down[:, 2:]) / 3
    return np.hypot(horizontal, vertical)
