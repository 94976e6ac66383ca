"""SSIMULACRA2, J. Sneyers, 2022-2023, in its version 2.1: https://github.com/cloudinary/ssimulacra2.

It has no paper; its program, tools/ssimulacra2 of libjxl, is the specification, and the one to compare with::

    sRGB -> linear light -> (2x2 averages, five times) -> XYB at six scales
         -> three error maps per scale and channel -> mean and 4-norm of each: 108 numbers
         -> their weighted sum -> a curve fitted to people's scores

That program (libjxl 0.11.2) counts in float32, and its recursive blur gathers rounding errors along every line;
here the blur is the finite window that the recursion stands for, in float64. Of 120 scores of Kodak pictures as
JPEG at qualities 10 to 90 half agree within 0.02 and all below 60 within 0.2. Above, the program reports less
where pictures are bright and flat: 0.1 at quality 90 (median), 1.0 for kodim20. A recursion in float32 put in
the window's place lowers the same scores; one in float64 gives the window's to 1e-9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latens.errors import UnsupportedPictureError
from latens.metrics.fidelity import require_pair
from latens.metrics.windows import Array, band, moments

SCALES = 6
LEAST = 8  # pixels a side of a scale that has another below it
C2 = 0.0009

# Opsin absorbance of JPEG XL (ISO/IEC 18181-1): linear RGB to the response of long, medium and short cones
ABSORBANCE = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
    ]
)
BIAS = 0.0037930732552754493

# Weights of the 108 numbers: channel (X, Y, B), scale (finest first), norm (mean, 4-norm), map (dissimilarity,
# ringing, smoothing); one line per scale
WEIGHTS = np.array(
    [
        [0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0],
        [0.0, 0.0004371155730107379, 0.0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752],
        [0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0],
        [0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0],
        [0.0007289346991508072, 0.9677937080626833, 0.0, 0.00014003424285435884, 0.9981766977854967,
         0.00031949755934435053],
        [0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0],
        [0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262],
        [0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264],
        [225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985],
        [176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408],
        [0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0],
        [0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0],
        [95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307,
         0.9807858872435379],
        [0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537],
    ]
)  # fmt: skip


def ssimulacra2(a: NDArray[Any], b: NDArray[Any]) -> float:
    """100 for identical pictures, 90 hardly to be told apart, 70 high, 50 medium, 30 low quality, and below 0.

    Not symmetric: ``a`` is the original.

    a, b: uint8 (H, W, 3), sRGB, both sides at least 8. Raises UnsupportedPictureError for smaller pictures,
    UsageError for other arrays.
    """
    require_pair(a, b)
    height, width = a.shape[:2]
    if min(height, width) < LEAST:
        raise UnsupportedPictureError(
            f"picture of {width}x{height} pixels: SSIMULACRA2 needs at least {LEAST} a side"
        )
    x, y = (_LINEAR[np.moveaxis(picture, -1, 0)] for picture in (a, b))  # (3, H, W)
    scales = [_numbers(_xyb(x), _xyb(y))]
    while len(scales) < SCALES and min(x.shape[1:]) >= LEAST:
        x, y = _halve(x), _halve(y)
        scales.append(_numbers(_xyb(x), _xyb(y)))
    numbers = np.stack(scales, axis=1).ravel()  # channel, scale, norm, map
    # With fewer than six scales the program runs through the weights without a gap, and so does this
    return _score(float(numbers @ WEIGHTS.ravel()[: len(numbers)]))


def _score(error: float) -> float:
    """The weighted sum on the scale of people's scores."""
    error *= 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * error**0.6276336467831387 if error > 0 else 100.0


def _numbers(x: Array, y: Array) -> Array:
    """Mean and 4-norm of the three error maps of XYB pictures (3, H, W): (3, 2, 3), channel, norm, map.

    Similarity is SSIM without the denominator of its luminance term; the two others compare how far a pixel is
    from the local mean, which tells edges that were added (ringing) from edges that were lost (smoothing).
    """
    around = ((0, 0), (_REACH, _REACH), (_REACH, _REACH))
    mu_x, mu_y, square, product = moments(np.pad(x, around), np.pad(y, around), _WINDOW)  # zeros outside
    variances = square - (mu_x * mu_x + mu_y * mu_y)
    similarity = (1 - (mu_x - mu_y) ** 2) * (2 * (product - mu_x * mu_y) + C2) / (variances + C2)
    edges = (1 + np.abs(y - mu_y)) / (1 + np.abs(x - mu_x)) - 1
    numbers = np.empty((3, 2, 3))
    for k, signed in enumerate((1 - similarity, edges, -edges)):
        error = np.maximum(signed, 0)
        numbers[:, 0, k] = error.mean(axis=(1, 2))
        error *= error
        error *= error
        numbers[:, 1, k] = error.mean(axis=(1, 2)) ** 0.25
    return numbers


def _xyb(linear: Array) -> Array:
    """JPEG XL's opponent colours, each brought into 0 ... 1: linear RGB (3, H, W) -> (3, H, W)."""
    cones = np.tensordot(ABSORBANCE, linear, axes=1) + BIAS  # above 0
    long, medium, short = np.cbrt(cones) - np.cbrt(BIAS)
    luma = (long + medium) / 2
    return np.stack([7 * (long - medium) + 0.42, luma + 0.01, short - luma + 0.55])


def _halve(x: Array) -> Array:
    """2x2 averages, (C, H, W) -> (C, ceil(H/2), ceil(W/2)); the last line of an odd side counts twice."""
    x = np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)), mode="edge")
    rows: Array = x[:, 0::2] + x[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) / 4


def _linear() -> Array:
    """Linear light of the 256 values of sRGB, IEC 61966-2-1."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _cosines(sigma: float = 1.5, radius: int = 5) -> Array:
    """The program's blur as weights (2 radius - 1,): a sum of three cosines that vanish at -radius and radius.

    D. Charalampidis, "Recursive implementation of the Gaussian filter using truncated cosine functions", IEEE
    Transactions on Signal Processing 64(14), 2016, Table I: frequencies pi k / (2 radius), k = 1, 3, 5; of all
    amplitudes that give the weights the sum 1 and the variance sigma^2 (eqs. 52-56), those nearest to the
    Gaussian's (eq. 50).
    """
    n = np.arange(1 - radius, radius)
    frequency = np.array([1, 3, 5]) * np.pi / (2 * radius)
    waves = np.cos(np.outer(frequency, n))  # (3, 2 radius - 1)
    gaussian = np.exp(-((sigma * frequency) ** 2) / 2) / radius
    constraints = waves @ np.stack([np.ones(len(n)), n**2], axis=1)  # (3, 2): sum and variance of each wave
    missing = np.array([1, sigma**2]) - gaussian @ constraints
    weights: Array = (gaussian + missing @ np.linalg.pinv(constraints)) @ waves
    return weights


_LINEAR = _linear()
_REACH = len(_cosines()) // 2
_WINDOW = band(_cosines())
