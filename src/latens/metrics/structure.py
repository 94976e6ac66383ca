"""Structural similarity: SSIM and MS-SSIM on 8-bit RGB.

Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image quality assessment",
Asilomar Conference on Signals, Systems and Computers, 2003 (MS-SSIM below); the single scale is Wang, Bovik,
Sheikh & Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE
Transactions on Image Processing 13(4), 2004.

Pictures are uint8 arrays (H, W, 3) and nothing else: a float picture has not been through a file yet.
Arithmetic is float64; needs NumPy only.

The mean over a set of pictures is taken of PSNR in dB and of MS-SSIM *before* `decibels`, as in the published
curves of the field.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latens.errors import UnsupportedPictureError, UsageError
from latens.metrics.fidelity import PEAK, require_pair
from latens.metrics.windows import Array, band, gaussian, moments

C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2  # (K L)^2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # beta_1 ... beta_5 = gamma_j, section 3.2 of the paper
WINDOW, SIGMA = 11, 1.5
POSITIONS = 1 << 19  # of the window in a strip: some 150 MB
MIN_SIDE = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # 161: the last scale still holds one whole window


def ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Structural similarity at the pictures' own scale, eq. (13) of the 2004 paper, mean over R, G and B.

    The window is that of `ms_ssim`, at the positions where it lies wholly inside the picture; moments are
    population moments, as in the paper.

    a, b: uint8 (H, W, 3), both sides at least 11. Errors as `ms_ssim`.
    """
    require_pair(a, b)
    height, width = a.shape[:2]
    if min(height, width) < WINDOW:
        raise UnsupportedPictureError(f"picture of {width}x{height} pixels: SSIM needs at least {WINDOW} a side")
    return float(_means(_planes(a), _planes(b))[0].mean())


def ms_ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Multi-scale structural similarity over five scales, eq. (7): l_M^a_M * prod_j (c_j s_j)^b_j.

    c_j s_j is the contrast-structure term (eqs. 2 and 3 with C3 = C2 / 2), averaged over the positions of an
    11x11 Gaussian window (sigma 1.5) that lies wholly inside the picture; l_M, the luminance term (eq. 1),
    joins at the coarsest scale only. Between scales 2x2 averages are taken.

    The paper leaves three things open; here they are as in pytorch-msssim, which the published curves use:
    each of R, G, B is scored and the three scores are averaged; a negative mean of c_j s_j counts as 0 (its
    root would not be real); a side of odd length gets one line of zeros in front before the 2x2 averages.

    a, b: uint8 (H, W, 3), both sides at least 161. Raises UnsupportedPictureError for smaller pictures, which
    have no five scales, and UsageError for other arrays.
    """
    require_pair(a, b)
    height, width = a.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise UnsupportedPictureError(
            f"picture of {width}x{height} pixels: MS-SSIM needs at least {MIN_SIDE} a side, for five scales"
        )
    x: NDArray[Any] = _planes(a)
    y: NDArray[Any] = _planes(b)
    score = np.ones(3)
    for scale, weight in enumerate(WEIGHTS):
        if scale > 0:
            x, y = _halve(x), _halve(y)
        product, contrast_structure = _means(x, y)
        term = product if scale == len(WEIGHTS) - 1 else contrast_structure
        score *= np.maximum(term, 0) ** weight
    return float(score.mean())


def decibels(value: float) -> float:
    """MS-SSIM on the scale of the published curves, -10 log10(1 - MS-SSIM); infinity for 1."""
    if not value <= 1:
        raise UsageError(f"MS-SSIM of {value}: it is at most 1")
    return math.inf if value == 1 else -10 * math.log10(1 - value)


def _planes(a: NDArray[Any]) -> NDArray[np.uint16]:
    """(3, H, W), of a type that holds the sum of four samples."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 0), np.uint16)


def _means(x: NDArray[Any], y: NDArray[Any]) -> tuple[Array, Array]:
    """The means of l c s and of c s over two planes (3, H, W), both (3,); a strip of rows at a time."""
    rows, columns = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    step = max(1, POSITIONS // columns)
    sums = np.zeros((2, 3))
    for start in range(0, rows, step):
        strip = np.s_[:, start : start + step + WINDOW - 1]
        luminance, contrast_structure = _similarity(x[strip].astype(np.float64), y[strip].astype(np.float64))
        sums += (luminance * contrast_structure).sum((1, 2)), contrast_structure.sum((1, 2))
    product, contrast_structure = sums / (rows * columns)
    return product, contrast_structure


def _similarity(x: Array, y: Array) -> tuple[Array, Array]:
    """The maps l and c s of two planes (3, H, W): both (3, H - 10, W - 10)."""
    mu_x, mu_y, square, product = moments(x, y, _WINDOW)
    mu_product = mu_x * mu_y
    mu_square = mu_x * mu_x + mu_y * mu_y
    luminance = (2 * mu_product + C1) / (mu_square + C1)
    contrast_structure = (2 * (product - mu_product) + C2) / (square - mu_square + C2)
    return luminance, contrast_structure


def _halve(x: NDArray[Any]) -> Array:
    """2x2 averages, (C, H, W) -> (C, ceil(H/2), ceil(W/2)); odd sides first get a line of zeros in front."""
    x = np.pad(x, ((0, 0), (x.shape[1] % 2, 0), (x.shape[2] % 2, 0)))
    rows: Array = x[:, 0::2] + x[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) / 4


_WINDOW = band(gaussian(WINDOW, SIGMA))
