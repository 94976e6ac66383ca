"""Variable rate from one set of weights: gain vectors around the coder (Cui et al. 2021, section 3).

::

    y --(* gain(level))--> coded --> y_hat --(* inverse(level))--> g_s

A gain scales each latent, and so chooses its quantiser's step. There is one row of gains for each of a few
*levels*, whose lambdas are evenly spaced in their logarithm; between two rows the vectors are interpolated
geometrically (equation 9 there), so that every rate between is to be had. Qualities 0..100 are the levels in
between, linearly: ``level = quality / 100 * (levels - 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


def level_of(quality: float, levels: int) -> float:
    """Where a quality 0..100 stands among the rows."""
    return quality / 100 * (levels - 1)


def lambda_of(level: Any, levels: int, lowest: float, highest: float) -> Any:
    """The lambda that a level is trained for; ``level`` may be a number or a tensor, and so is the lambda."""
    return lowest * (highest / lowest) ** (level / (levels - 1))


@dataclass(frozen=True, eq=False)
class Gains:
    """Rows of gains, as logarithms to the base 2: ``gain`` and ``inverse``, float32 (levels, M)."""

    gain: np.ndarray
    inverse: np.ndarray

    def scaled(self, y: np.ndarray, quality: float) -> np.ndarray:
        """Latents (B, M, h, w) as they are coded."""
        return np.asarray(y * self._row(self.gain, quality))

    def restored(self, y_hat: np.ndarray, quality: float) -> np.ndarray:
        """Coded latents (B, M, h, w) as g_s wants them."""
        return np.asarray(y_hat * self._row(self.inverse, quality))

    @staticmethod
    def _row(rows: np.ndarray, quality: float) -> np.ndarray:
        level = level_of(quality, len(rows))
        below = min(int(level), len(rows) - 2)
        part = np.float32(level - below)
        return np.asarray(np.exp2(rows[below] * (1 - part) + rows[below + 1] * part)[:, None, None])
