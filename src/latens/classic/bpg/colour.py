"""RGB to the planes of a BPG file and back.

    RGB --matrix--> Y, Cb, Cr at full size --decimation--> chroma of 4:2:0 --rounding--> samples
    RGB <--matrix, rounding-- Y, Cb, Cr at full size <--interpolation-- chroma of 4:2:0, 4:2:2

The filters are those of the reference encoder and decoder (0.9.8), whose pictures come out in every sample.
Chroma is interpolated down, then across, and rounded once, to samples again; the picture's edges are repeated
outwards. `to_pixels` works in bands of rows: beyond the picture it takes memory for one band only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DECIMATION = np.array([2, -4, -8, 17, 57, 57, 17, -8, -4, 2]) / 128  # taps at -4 ... 5: between two samples
QUARTER = np.array([2, -6, 18, 57, -10, 4, -1]) / 64  # taps at -3 ... 3: a quarter sample before the place
HALF = np.array([-1, 4, -11, 40, 40, -11, 4, -1]) / 64  # taps at -3 ... 4: halfway to the next
BAND = 64  # rows converted at a time; even, for chroma has half of them
LUMA = {0: (0.299, 0.114), 3: (0.2126, 0.0722), 4: (0.2627, 0.0593)}  # K_R, K_B by colour space


class Planes(NamedTuple):
    """Samples as they are coded: (H, W), chroma smaller if subsampled; no chroma in grey pictures."""

    first: np.ndarray  # Y, or G
    second: np.ndarray | None  # Cb, or B
    third: np.ndarray | None  # Cr, or R


def to_planes(pixels: np.ndarray, subsampled: bool) -> Planes:
    """uint8 (H, W, 3) RGB -> uint8 YCbCr BT.601, full range; 4:2:0 with centred (JPEG) siting if ``subsampled``.

    Chroma of 4:2:0 has ceil(H/2) x ceil(W/2) samples, decimated before anything is rounded.
    """
    red, green, blue = np.moveaxis(pixels.astype(np.float64), -1, 0)
    k_r, k_b = LUMA[0]
    y = k_r * red + (1 - k_r - k_b) * green + k_b * blue
    chroma = [(blue - y) / (2 - 2 * k_b) + 128, (red - y) / (2 - 2 * k_r) + 128]
    if subsampled:
        chroma = [_halved(_halved(plane, 1), 0) for plane in chroma]
    return Planes(*(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, *chroma)))


def to_pixels(planes: Planes, space: int, depth: int, limited: bool, sited: tuple[bool, bool]) -> np.ndarray:
    """Planes of ``depth`` bits -> uint8 (H, W, 3) RGB.

    space: 0 YCbCr BT.601, 1 GBR, 2 YCgCo, 3 BT.709, 4 BT.2020
    limited: luma from 16 to 235, chroma 16 to 240 (on 8 bits)
    sited: whether subsampled chroma lies on luma samples, down and across (MPEG-2), or between them (JPEG)
    """
    height, width = planes.first.shape
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, BAND):
        rows = slice(top, min(top + BAND, height))
        chroma = (None if p is None else interpolated(p, (height, width), depth, sited, rows) for p in planes[1:])
        pixels[rows] = _converted(Planes(planes.first[rows], *chroma), space, depth, limited)
    return pixels


def _converted(planes: Planes, space: int, depth: int, limited: bool) -> np.ndarray:
    """`to_pixels` once chroma is whole."""
    y, second, third = planes
    scale = 1 << depth - 8 if limited else ((1 << depth) - 1) / 255
    offset, luma_gain, chroma_gain = (16, 255 / 219, 255 / 224) if limited else (0, 1, 1)
    luma = (y / scale - offset) * luma_gain
    if second is None or third is None:
        return _rounded(np.stack([luma] * 3, -1))
    middle = float(1 << depth - 1)
    if space == 1:
        blue, red = ((plane / scale - offset) * luma_gain for plane in (second, third))
        return _rounded(np.stack([red, luma, blue], -1))
    cb, cr = ((plane - middle) / scale * chroma_gain for plane in (second, third))
    if space == 2:
        cb, cr = cb * luma_gain / chroma_gain, cr * luma_gain / chroma_gain  # one gain, as in the reference
        return _rounded(np.stack([luma - cb + cr, luma + cb, luma - cb - cr], -1))
    k_r, k_b = LUMA[space]
    red, blue = luma + (2 - 2 * k_r) * cr, luma + (2 - 2 * k_b) * cb
    green = (luma - k_r * red - k_b * blue) / (1 - k_r - k_b)
    return _rounded(np.stack([red, green, blue], -1))


def interpolated(
    plane: np.ndarray,
    size: tuple[int, int],
    depth: int,
    sited: tuple[bool, bool],
    rows: slice = slice(None),
) -> np.ndarray:
    """A plane (h, w) of samples brought to ``size`` (H, W), along each axis if it is halved there: float64.

    rows: of the H to return, from an even one
    """
    full = plane
    for axis, part in ((0, range(size[0])[rows]), (1, range(size[1]))):
        if plane.shape[axis] != size[axis]:
            full = _doubled(full, axis, part, sited[axis])
        elif axis == 0:
            full = full[rows]
    return np.clip(np.floor(full + 0.5), 0, (1 << depth) - 1)


def _doubled(plane: np.ndarray, axis: int, part: range, sited: bool) -> np.ndarray:
    """The places ``part`` of twice as many along ``axis``."""
    first, count = part.start // 2, (part.stop + 1) // 2 - part.start // 2
    source = _taken(plane, axis, first - 3, first + count + 4)
    out = np.empty((2 * count, *source.shape[1:]))
    out[0::2] = source[3 : 3 + count] if sited else _filtered(source, QUARTER, count)
    out[1::2] = _filtered(source, HALF if sited else QUARTER[::-1], count)
    return np.moveaxis(out[: len(part)], 0, axis)


def _halved(plane: np.ndarray, axis: int) -> np.ndarray:
    """Half as many places along ``axis``, each between two."""
    count = (plane.shape[axis] + 1) // 2
    source = _taken(plane, axis, -4, 2 * count + 4)
    return np.moveaxis(_filtered(source, DECIMATION, count, step=2), 0, axis)


def _taken(plane: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
    """Places ``start`` to ``stop`` along ``axis``, edges repeated outwards, that axis first: float64."""
    places = np.clip(np.arange(start, stop), 0, plane.shape[axis] - 1)
    return np.moveaxis(plane.take(places, axis), axis, 0).astype(np.float64)


def _filtered(source: np.ndarray, taps: np.ndarray, count: int, step: int = 1) -> np.ndarray:
    """``count`` outputs, ``step`` apart, the first of them over the first ``len(taps)`` places."""
    out = np.zeros((count, *source.shape[1:]))
    for k, tap in enumerate(taps):
        out += tap * source[k : k + step * (count - 1) + 1 : step]
    return out


def _rounded(pixels: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded
