"""Metrics fitted to what people see, none of which needs a network's weights."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latens.errors import MissingExtraError, UnsupportedPictureError
from latens.evaluate.metrics.fidelity import LUMA, require_pair

GMSD_C = 170.0  # T of the paper, section II, for 8-bit luma
SSIMULACRA2_SIDE = 8  # the least that its first scale needs


def gmsd(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Gradient magnitude similarity deviation; 0 for identical pictures, less is better.

    W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient magnitude similarity deviation", IEEE Transactions on Image
    Processing 23(2), 2014: Prewitt gradients (eqs. 1-3) of the luma, averaged 2x2 and halved first; GMS (eq. 4),
    of which this is the standard deviation over the picture (eq. 7).

    a, b: uint8 (H, W, 3), both sides at least 6. Raises UnsupportedPictureError for smaller pictures, UsageError
    for other arrays.
    """
    require_pair(a, b)
    if min(a.shape[:2]) < 6:
        raise UnsupportedPictureError(f"picture of {a.shape[1]}x{a.shape[0]} pixels: GMSD needs at least 6 a side")
    first, second = (_gradient(_half(picture @ np.array(LUMA))) for picture in (a, b))
    similarity = (2 * first * second + GMSD_C) / (first * first + second * second + GMSD_C)
    return float(similarity.std())


def _half(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """2x2 averages, (H, W) -> (H // 2, W // 2)."""
    rows, columns = y.shape[0] // 2 * 2, y.shape[1] // 2 * 2
    halved: NDArray[np.float64] = y[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))
    return halved


def _gradient(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitude of the Prewitt gradient where the 3x3 window lies inside: (H, W) -> (H - 2, W - 2)."""
    across = y[:, 2:] - y[:, :-2]
    down = y[2:] - y[:-2]
    horizontal = (across[:-2] + across[1:-1] + across[2:]) / 3
    vertical = (down[:, :-2] + down[:, 1:-1] + down[:, 2:]) / 3
    return np.hypot(horizontal, vertical)


def ssimulacra2(a: NDArray[Any], b: NDArray[Any]) -> float:
    """SSIMULACRA2 by the package ``ssimulacra2``: 100 for identical pictures, 90 hardly to be told apart.

    J. Sneyers, 2022 (libjxl, tools/ssimulacra2). Raises MissingExtraError without the package,
    UnsupportedPictureError for sides below 8, UsageError for other arrays.
    """
    require_pair(a, b)
    if min(a.shape[:2]) < SSIMULACRA2_SIDE:
        size = f"{a.shape[1]}x{a.shape[0]}"
        raise UnsupportedPictureError(f"picture of {size} pixels: SSIMULACRA2 needs {SSIMULACRA2_SIDE} a side")
    try:
        import ssimulacra2 as package
    except ImportError as error:
        raise MissingExtraError(
            "package ssimulacra2 is not installed: SSIMULACRA2 needs pip install 'latens[eval]'"
        ) from error
    return float(package.compute_ssimulacra2(_file(a), _file(b)))


def _file(pixels: NDArray[Any]) -> io.BytesIO:
    """The package reads files; this one holds the pixels as they are."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PPM")
    file.seek(0)
    return file
