"""The order in which a serial context codes the positions of a plane.

Minnen 2018 codes in raster order, each position after the twelve that its masked 5x5 context sees. The same
symbols come from fewer, wider steps: position (r, c) in step t = c + 3r. All twelve have smaller t, and
positions of equal t do not see each other, so a step is predicted and coded as a whole::

    .  .  .  .  .        a row of C positions and R rows take C + 3 (R - 1) steps
    .  x  x  x  x  x     in place of R C
    .  x  x  x  x  x
    .  x  x (r, c)
"""

from __future__ import annotations

from typing import Any

import numpy as np

Step = tuple[Any, ...]  # an index: (:, :, rows (n, 1), columns (n, 1)), what it takes is (B, C, n, 1)
SLOPE = 3  # steps from a position to the one below it


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
