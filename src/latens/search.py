"""Encoder effort 0..9: of the files that a decoder would read alike, the one of the least Lagrangian found.

    L = bits + lambda * (squared error on 0..255, summed over samples) / 3

with the bits of the file and the error of the decoded 8-bit picture: nothing is estimated where files are
compared. lambda is what the weights were trained for at the file's quality (`latens.train.losses`, times the
pixels). Every effort tries what those below it try and keeps the best, so a higher one is never worse.

    0        latents are rounded
    1        and weighed (`latens.entropy.weighing`), their error at `PRICES[0]` bits a squared step
    2 to 4   and at the other prices, one after the other, which suit pictures that are unlike others

    5 to 9   and 1, 3, 6, 12 and 24 steps are taken from there against the derivative (`_descended`)

All of it needs NumPy and the networks, not PyTorch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from latens.entropy.weighing import Weigh, weighed
from latens.errors import UsageError
from latens.latents import Analysed, Coded, restored, synthesised, to_network
from latens.transforms.adjoint import squared_error

MOST_EFFORT = 9
DEFAULT_EFFORT = 1
PRICES = (28.0, 16.0, 50.0, 90.0)  # bits a squared step of the latents: see docs/effort.md
STEPS = (0, 1, 3, 6, 12, 24)  # by derivatives, of the efforts after those of prices
CURVATURE = 16.0  # half of the second derivative, bits a squared step: where the search by derivatives begins
ROWS = 256  # of pictures, squared at a time


def check_effort(effort: int) -> None:
    """UsageError unless it is one."""
    if effort not in range(MOST_EFFORT + 1):
        raise UsageError(f"effort is {effort}, and must be a whole number from 0 to {MOST_EFFORT}")


class Tried(NamedTuple):
    """A file and its Lagrangian in bits."""

    file: Coded
    lagrangian: float


def coded(analysed: Analysed, quality: float, effort: int = DEFAULT_EFFORT) -> Coded:
    """The file of a picture at a quality 0..100.

    Weights that were trained for another error than MSE, or do not say for which lambda, are rounded for always.
    """
    header = analysed.header(quality)
    y = analysed.scaled(header)
    rounded = analysed.coded(header, y)
    lmbda = analysed.weights.lmbda(header.quality)
    if effort == 0 or lmbda is None:
        return rounded
    best = Tried(rounded, lagrangian(rounded, analysed, lmbda))
    chosen = PRICES[0]
    for price in PRICES[:effort]:
        file = analysed.coded(header, weighed(y, price), Weigh)
        tried = Tried(file, lagrangian(file, analysed, lmbda))
        if tried.lagrangian < best.lagrangian:
            best, chosen = tried, price
    steps = STEPS[max(0, effort - len(PRICES))]
    return _descended(best, analysed, lmbda, chosen, steps).file if steps else best.file


def _descended(best: Tried, analysed: Analysed, lmbda: float, price: float, steps: int) -> Tried:
    """The best after so many steps against the Lagrangian's derivative.

    A step wants the latents y_hat - g / (2 c), g being the derivative of lambda times the squared error: its least
    value, were it c (y - ...)^2 in each latent alone. They are weighed as before. A step that does not help is
    taken back, and c doubled.
    """
    header, weights = best.file.header, analysed.weights
    network = weights.model.networks()["g_s"]
    x = to_network(analysed.pixels, 1)
    curvature, derivative = CURVATURE, None
    for _ in range(steps):
        if derivative is None:
            y_hat = best.file.y_hat
            _, pulled = squared_error(network, weights.synthesis, restored(header, weights, y_hat), x)
            derivative = restored(header, weights, pulled) * np.float32(lmbda * 255**2 / 3)
        wanted = best.file.y_hat - derivative * np.float32(0.5 / curvature)
        file = analysed.coded(header, weighed(wanted, price), Weigh)
        tried = Tried(file, lagrangian(file, analysed, lmbda))
        if tried.lagrangian < best.lagrangian:
            best, derivative = tried, None
        else:
            curvature *= 2
    return best


def lagrangian(file: Coded, analysed: Analysed, lmbda: float) -> float:
    """In bits: what the file takes, and lambda times the squared error of the pixels that it brings."""
    return 8 * len(file.data) + lmbda * difference(analysed.pixels, _pixels(file, analysed)) / 3


def _pixels(file: Coded, analysed: Analysed) -> np.ndarray:
    return synthesised(file.header, analysed.weights, file.y_hat)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The sum over the samples of two pictures, uint8 (H, W, 3); exact."""
    total = 0
    for row in range(0, len(a), ROWS):
        off = a[row : row + ROWS].astype(np.int32) - b[row : row + ROWS]
        total += int(np.square(off, out=off).sum(dtype=np.int64))
    return float(total)
