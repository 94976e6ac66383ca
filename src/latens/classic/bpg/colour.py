"""RGB to the planes of a BPG file and back.

    RGB --matrix, rounded--> Y, Cb, Cr at full size --2x2 means--> chroma of 4:2:0
    RGB <--matrix, rounded-- Y, Cb, Cr at full size <--filters-- chroma of 4:2:0, 4:2:2

Chroma is interpolated down, then across, and rounded once, to samples again. The filter for chroma between the
luma samples was found from the reference decoder's pictures, which it reproduces in every sample; that for chroma
on the luma samples is HEVC's own for half samples (H.265, table 8-11).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

QUARTER = np.array([2, -6, 18, 57, -10, 4, -1]) / 64  # taps at -3 ... 3: a quarter sample before the place
HALF = np.array([-1, 4, -11, 40, 40, -11, 4, -1]) / 64  # taps at -3 ... 4: halfway to the next
LUMA = {0: (0.299, 0.114), 3: (0.2126, 0.0722), 4: (0.2627, 0.0593)}  # K_R, K_B by colour space


class Planes(NamedTuple):
    """Samples as they are coded: (H, W), chroma smaller if subsampled; no chroma in grey pictures."""

    first: np.ndarray  # Y, or G
    second: np.ndarray | None  # Cb, or B
    third: np.ndarray | None  # Cr, or R


def to_planes(pixels: np.ndarray, subsampled: bool) -> Planes:
    """uint8 (H, W, 3) RGB -> uint8 YCbCr BT.601, full range; 4:2:0 with centred (JPEG) siting if ``subsampled``.

    Odd sides are extended by their last line before the 2x2 means, so chroma has ceil(H/2) x ceil(W/2) samples.
    """
    red, green, blue = np.moveaxis(pixels.astype(np.float64), -1, 0)
    k_r, k_b = LUMA[0]
    y = k_r * red + (1 - k_r - k_b) * green + k_b * blue
    chroma = [(blue - y) / (2 - 2 * k_b) + 128, (red - y) / (2 - 2 * k_r) + 128]
    if subsampled:
        chroma = [_halved(plane) for plane in chroma]
    return Planes(*(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, *chroma)))


def to_pixels(planes: Planes, space: int, depth: int, limited: bool, sited: tuple[bool, bool]) -> np.ndarray:
    """Planes of ``depth`` bits -> uint8 (H, W, 3) RGB.

    space: 0 YCbCr BT.601, 1 GBR, 2 YCgCo, 3 BT.709, 4 BT.2020
    limited: luma from 16 to 235, chroma 16 to 240 (on 8 bits)
    sited: whether subsampled chroma lies on luma samples, down and across (MPEG-2), or between them (JPEG)
    """
    y, second, third = planes
    height, width = y.shape
    scale = 1 << depth - 8 if limited else ((1 << depth) - 1) / 255
    offset, luma_gain, chroma_gain = (16, 255 / 219, 255 / 224) if limited else (0, 1, 1)
    luma = (y / scale - offset) * luma_gain
    if second is None or third is None:
        return _rounded(np.stack([luma] * 3, -1))
    middle = float(1 << depth - 1)
    second, third = (interpolated(plane, (height, width), depth, sited) for plane in (second, third))
    if space == 1:
        blue, red = ((plane / scale - offset) * luma_gain for plane in (second, third))
        return _rounded(np.stack([red, luma, blue], -1))
    cb, cr = ((plane - middle) / scale * chroma_gain for plane in (second, third))
    if space == 2:
        return _rounded(np.stack([luma - cb + cr, luma + cb, luma - cb - cr], -1))
    k_r, k_b = LUMA[space]
    red, blue = luma + (2 - 2 * k_r) * cr, luma + (2 - 2 * k_b) * cb
    green = (luma - k_r * red - k_b * blue) / (1 - k_r - k_b)
    return _rounded(np.stack([red, green, blue], -1))


def interpolated(plane: np.ndarray, size: tuple[int, int], depth: int, sited: tuple[bool, bool]) -> np.ndarray:
    """A plane (h, w) of samples brought to ``size`` (H, W), along each axis if it is halved there: float64."""
    full = plane.astype(np.float64)
    for axis in (0, 1):
        if plane.shape[axis] != size[axis]:
            full = np.moveaxis(_doubled(np.moveaxis(full, axis, 0), sited[axis])[: size[axis]], 0, axis)
    return np.clip(np.floor(full + 0.5), 0, (1 << depth) - 1)


def _doubled(rows: np.ndarray, sited: bool) -> np.ndarray:
    """(n, ...) -> (2n, ...) along the first axis, the edges repeated outwards."""
    padded = np.pad(rows, ((3, 4), (0, 0)), mode="edge")
    count = len(rows)
    out = np.empty((2 * count, *rows.shape[1:]))
    if sited:
        out[0::2] = rows
        out[1::2] = sum(tap * padded[k : k + count] for k, tap in enumerate(HALF))
    else:
        out[0::2] = sum(tap * padded[k : k + count] for k, tap in enumerate(QUARTER))
        out[1::2] = sum(tap * padded[k : k + count] for k, tap in enumerate(QUARTER[::-1]))
    return out


def _halved(plane: np.ndarray) -> np.ndarray:
    padded = np.pad(plane, [(0, n % 2) for n in plane.shape], mode="edge")
    halved: np.ndarray = (padded[0::2, 0::2] + padded[1::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 1::2]) / 4
    return halved


def _rounded(pixels: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded
