"""What a picture's own filter sees of a pixel: up to `FEATURES` numbers of the 5x5 pixels around it.

They are the colours and their products; the pixels around it, in pairs of opposite ones; what is not linear in
them: differences of luma, large ones held down, products of opposite ones, and differences of colour where there
is none of luma; and differences of luma across it. docs/format.md defines them one by one.

Planes (3, n, h + 4, w + 4) are `planar` colours of n pieces of a picture, with two more pixels on all sides.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# Of R, G and B: a luma, and two differences of colour.
PLANES = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32)
MIDDLE = np.array([128, 0, 0], np.float32)
REACH = 2
SIDE = 2 * REACH + 1
PAIRS = tuple((row, column) for row in range(3) for column in range(-2, 3) if (row, column) > (0, 0))
NEAR = tuple((row, column) for row, column in PAIRS if row < 2 and abs(column) < 2)
SOFT, SOFTER = 8.0, 2.5  # differences of luma that count half
EDGE = 16.0  # of them, from which on it is another object

_ENDS = np.cumsum((1 + 3, 6, 3 * len(PAIRS), len(PAIRS) + 3 * len(NEAR), len(PAIRS), len(PAIRS)))
FEWER, FEATURES = int(_ENDS[3]), int(_ENDS[5])
LINEAR = np.r_[0 : _ENDS[0], _ENDS[1] : _ENDS[2], _ENDS[4] : _ENDS[5]]
NONLINEAR = np.setdiff1d(np.arange(FEATURES), LINEAR)


def planar(rgb: np.ndarray) -> np.ndarray:
    """Pixels (3, ...) in 0..255, as luma about 0 and differences of colour."""
    found: np.ndarray = np.tensordot(PLANES, rgb, 1)
    found -= MIDDLE.reshape(3, *[1] * (rgb.ndim - 1))
    return found


def features(planes: np.ndarray, count: int = FEATURES) -> np.ndarray:
    """float32 (count, n, h, w) of planes; ``count`` is `FEATURES`, or `FEWER`."""
    out = np.empty((count, *_inside(planes[0]).shape), np.float32)
    _linear(planes, (out[k] for k in _below(count, LINEAR)))
    _nonlinear(planes, (out[k] for k in _below(count, NONLINEAR)))
    return out


def combined(planes: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """The features times taps (count, 3): float32 (3, n, h, w). Of the linear ones, a convolution."""
    count = len(taps)
    curved, straight = _below(count, NONLINEAR), _below(count, LINEAR)[1:]
    bent = np.empty((len(curved), *_inside(planes[0]).shape), np.float32)
    _nonlinear(planes, iter(bent))
    total: np.ndarray = (taps[curved].T @ bent.reshape(len(bent), -1)).reshape(3, *bent.shape[1:])
    total += taps[0][:, None, None, None]
    kernel = (taps[straight].T @ _SEEN[: len(straight)]).reshape(3, 3, SIDE, SIDE)
    total += _convolved(planes, kernel)
    return total


def _below(count: int, numbers: np.ndarray) -> np.ndarray:
    """Those of the first ``count`` features."""
    found: np.ndarray = numbers[numbers < count]
    return found


def _inside(plane: np.ndarray, row: int = 0, column: int = 0) -> np.ndarray:
    """The pixels of planes (..., h + 4, w + 4) so far away from those that features are of: (..., h, w)."""
    height, width = plane.shape[-2] - 2 * REACH, plane.shape[-1] - 2 * REACH
    found: np.ndarray = plane[..., REACH + row : REACH + row + height, REACH + column : REACH + column + width]
    return found


def _linear(planes: np.ndarray, slots: Iterable[np.ndarray]) -> None:
    slots = iter(slots)
    next(slots)[:] = 1
    for plane in planes:
        next(slots)[:] = _inside(plane)
    for plane in planes:
        twice = 2 * _inside(plane)
        for row, column in PAIRS:
            slot = np.add(_inside(plane, row, column), _inside(plane, -row, -column), out=next(slots))
            slot -= twice
    for (row, column), slot in zip(PAIRS, slots, strict=False):
        np.subtract(_inside(planes[0], row, column), _inside(planes[0], -row, -column), out=slot)


def _nonlinear(planes: np.ndarray, slots: Iterable[np.ndarray]) -> None:
    slots = iter(slots)
    luma, *colours = planes
    for k, plane in enumerate(planes):
        for other in planes[k:]:
            slot = np.multiply(_inside(plane), _inside(other), out=next(slots))
            slot *= np.float32(1 / 128)
    steps = {pair: _step(luma, *pair) for pair in PAIRS}
    sizes = {pair: np.abs(step) for pair, step in steps.items()}

    def held(soft: float) -> None:
        """d / (1 + |d| / soft), of both sides."""
        for pair, slot in zip(PAIRS, slots, strict=False):
            found = sizes[pair] + np.float32(soft)
            np.divide(steps[pair], found, out=found)
            found *= np.float32(soft)
            np.subtract(*_sides(found, *pair), out=slot)

    held(SOFT)
    for pair in NEAR:
        one, other = _sides(steps[pair], *pair)
        slot = np.multiply(one, other, out=next(slots))
        one, other = _sides(sizes[pair], *pair)
        slot /= np.float32(-SOFT) - one - other
    gates = {pair: np.maximum(1 - sizes[pair] * np.float32(1 / EDGE), 0) for pair in NEAR}
    for plane in colours:
        for pair in NEAR:
            found = _step(plane, *pair)
            found *= gates[pair]
            np.subtract(*_sides(found, *pair), out=next(slots))
    held(SOFTER)


def _step(plane: np.ndarray, row: int, column: int) -> np.ndarray:
    """Differences from pixels to those a pair's offset away, (n, h + row, w + |column|), for `_sides`."""
    height, width = plane.shape[-2] - 2 * REACH, plane.shape[-1] - 2 * REACH
    top, left, right = REACH - row, REACH - max(column, 0), REACH + width + max(-column, 0)
    here = plane[..., top : REACH + height, left:right]
    found: np.ndarray = plane[..., REACH : REACH + height + row, left + column : right + column] - here
    return found


def _sides(steps: np.ndarray, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """What is odd in `_step`, (n, h, w) each: from every pixel ahead, and less what is from it backwards."""
    height, width = steps.shape[-2] - row, steps.shape[-1] - abs(column)
    left = max(column, 0)
    ahead = steps[..., row:, left : left + width]
    return ahead, steps[..., :height, left - column : left - column + width]


def _convolved(planes: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A kernel (3, 3, 5, 5) over planes: float32 (3, n, h, w).

    One matrix product for all rows of the kernel, whose shares are then shifted and added.
    """
    _, pieces, height, width = planes.shape
    wide = np.empty((3, SIDE, pieces, height, width - 2 * REACH), np.float32)
    for column in range(SIDE):
        wide[:, column] = planes[..., column : column + wide.shape[-1]]
    by_row = kernel.transpose(2, 0, 1, 3).reshape(SIDE * 3, 3 * SIDE)
    shares = (by_row @ wide.reshape(3 * SIDE, -1)).reshape(SIDE, 3, *wide.shape[2:])
    total: np.ndarray = shares[0, ..., : height - 2 * REACH, :]
    for row in range(1, SIDE):
        total += shares[row, ..., row : row + height - 2 * REACH, :]
    return total


def _seen() -> np.ndarray:
    """The linear features but the constant as kernels, float32 (features, 3 * 5 * 5)."""
    alone = np.eye(3 * SIDE * SIDE, dtype=np.float32).reshape(-1, 3, SIDE, SIDE).swapaxes(0, 1)
    out = np.empty((len(LINEAR), alone.shape[1], 1, 1), np.float32)
    _linear(alone, iter(out))
    return out[1:, :, 0, 0]


_SEEN = _seen()
