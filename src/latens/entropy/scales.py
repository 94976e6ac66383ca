"""The table of scales of a Gaussian conditional: log-spaced standard deviations, numbered from 0.

Probability networks predict a *position* in this table, not a standard deviation: a float in training, a whole
number in coding (as the indexed models of Balle, Johnston & Minnen 2019 do). A network's small relative error
is then a small relative error of the scale, at every scale, which is what makes integer networks cheap.

    sigma(i) = SMALLEST * (LARGEST / SMALLEST)^(i / (COUNT - 1)),      i from 0 to COUNT - 1
"""

from __future__ import annotations

import math

import numpy as np

SMALLEST, LARGEST, COUNT = 0.11, 256.0, 64
TAIL = 2.0**-20  # of the masses: left out, at both ends together
STEP = math.log(LARGEST / SMALLEST) / (COUNT - 1)  # natural logarithm of one scale over the one before


def position(sigma: float) -> float:
    """Where a standard deviation stands in the table, between two whole numbers; never outside."""
    return min(COUNT - 1.0, max(0.0, math.log(max(sigma, 1e-9) / SMALLEST) / STEP))


def sigmas() -> np.ndarray:
    """(COUNT,) the standard deviations, float64."""
    return np.asarray(SMALLEST * np.exp(STEP * np.arange(COUNT)))


def gaussian_pmf(sigma: float) -> tuple[np.ndarray, int]:
    """The masses of the integers under a Gaussian of mean 0 around them, but for TAIL, and the first integer."""
    reach = 0
    while math.erfc((reach + 0.5) / (sigma * math.sqrt(2))) > TAIL:
        reach += 1
    edges = np.arange(-reach, reach + 2) - 0.5
    cumulative = np.array([math.erfc(-edge / (sigma * math.sqrt(2))) / 2 for edge in edges])
    masses = np.diff(cumulative)
    return (masses + masses[::-1]) / 2, -reach
