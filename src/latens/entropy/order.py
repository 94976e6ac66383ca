"""The orders in which contexts code the positions of a plane.

Serial: Minnen 2018 codes in raster order, each position after the twelve that its masked 5x5 context sees. The
same symbols come from fewer, wider steps: position (r, c) in step t = c + 3r. All twelve have smaller t, and
positions of equal t do not see each other, so a step is predicted and coded as a whole::

    .  .  .  .  .        a row of C positions and R rows take C + 3 (R - 1) steps
    .  x  x  x  x  x     in place of R C
    .  x  x  x  x  x
    .  x  x (r, c)

In four passes: see `passes`. What a 2x2 square of positions holds is four times as many channels of one position,
by `squares`; those functions take arrays of NumPy and of PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Step = tuple[Any, ...]  # an index: (:, :, rows (n, 1), columns (n, 1)), what it takes is (B, C, n, 1)
SLOPE = 3  # steps from a position to the one below it
PASSES = 4
ORDER = (0, 3, 1, 2)  # positions of a square, 2 * row + column: diagonals first


def wavefront(rows: int, columns: int) -> list[Step]:
    """The steps of a plane; within one, positions stand by rising row."""
    r, c = np.divmod(np.arange(rows * columns), columns)
    t = c + SLOPE * r
    steps = np.split(np.argsort(t, kind="stable"), np.cumsum(np.bincount(t))[:-1])
    return [(slice(None), slice(None), r[at][:, None], c[at][:, None]) for at in steps if at.size]


def raster(rows: int, columns: int) -> list[Step]:
    """One position a step, row by row: the paper's order."""
    return [
        (slice(None), slice(None), np.array([[r]]), np.array([[c]])) for r in range(rows) for c in range(columns)
    ]


def evened(y: Any) -> Any:
    """(B, C, H, W) with the last row and column twice where H and W are odd."""
    rows, columns = (np.minimum(np.arange(side + side % 2), side - 1) for side in y.shape[2:])
    return y[:, :, rows[:, None], columns] if y.shape[2] % 2 or y.shape[3] % 2 else y


def squares(y: Any) -> Any:
    """(B, C, 2H, 2W) -> (B, 4C, H, W): channel 4c + 2r + s is position (r, s) of channel c's squares."""
    batch, channels, height, width = y.shape
    parts = y.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return parts.swapaxes(2, 3).swapaxes(3, 5).swapaxes(4, 5).reshape(batch, 4 * channels, height // 2, width // 2)


def unsquared(y: Any) -> Any:
    """The inverse of `squares`."""
    batch, channels, height, width = y.shape
    parts = y.reshape(batch, channels // 4, 2, 2, height, width)
    return parts.swapaxes(4, 5).swapaxes(3, 5).swapaxes(2, 3).reshape(batch, channels // 4, 2 * height, 2 * width)


@lru_cache(maxsize=8)
def passes(channels: int) -> list[np.ndarray]:
    """The channels of `squares` that each pass codes, ``channels`` of them: one position of every channel.

    Channel c takes the positions of a square in the order of `ORDER` from the (c modulo 4)th on, so a pass meets a
    quarter of the channels at every position (Li, Li & Lu 2023, section 3.3).
    """
    c = np.arange(channels)
    return [4 * c + np.array(ORDER)[(c + number) % 4] for number in range(PASSES)]


def within(rows: int, columns: int) -> np.ndarray:
    """Which positions of squares belong to a plane of rows x columns: bool (4, ceil(rows/2), ceil(columns/2))."""
    place = np.arange(4)[:, None, None]
    r = 2 * np.arange(-(-rows // 2))[:, None] + place // 2
    s = 2 * np.arange(-(-columns // 2)) + place % 2
    return (r < rows) & (s < columns)
