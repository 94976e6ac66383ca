"""Encoder effort 0..9: of the files that a decoder would read alike, the one of the least Lagrangian found.

    L = bits + lambda * (squared error on 0..255, summed over samples) / 3

with the bits of the file and the error of the decoded 8-bit picture: nothing is estimated where files are
compared. lambda is what the weights were trained for at the file's quality (`latens.train.losses`, times the
pixels). Every effort tries what those below it try and keeps the best, so a higher one is never worse.

    0        latents are rounded
    1        and weighed (`latens.entropy.weighing`), their error at `PRICES[0]` bits a squared step
    2 to 9   and `STEPS` steps, 1 to 32, are taken from there against the error's derivative (`_descent`)

All of it needs NumPy and the networks, not PyTorch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import NamedTuple

import numpy as np

from latens.entropy.weighing import Weigh, weighed
from latens.errors import UsageError
from latens.latents import Analysed, Coded, restored, synthesised, to_network
from latens.transforms.adjoint import squared_error

MOST_EFFORT = 9
DEFAULT_EFFORT = 1
PRICES = (40.0, 26.0, 60.0, 90.0)  # bits a squared step of the latents: see docs/effort.md
STEPS = (1, 2, 3, 5, 8, 12, 20, 32)  # of the efforts from 2 on
CURVATURES = (16.0, 32.0, 64.0, 8.0)  # half of the second derivative, bits a squared step
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
    """The file of a picture at a quality 0..100."""
    return next(islice(climbed(analysed, quality), effort, None))


def climbed(analysed: Analysed, quality: float) -> Iterator[Coded]:
    """The files of effort 0, 1, ..., 9, each computed when it is asked for, from what the one before knows.

    Weights that were trained for another error than MSE, or do not say for which lambda, are rounded for always.
    """
    header = analysed.header(quality)
    y = analysed.scaled(header)
    rounded = analysed.coded(header, y)
    yield rounded
    lmbda = analysed.weights.lmbda(header.quality)
    if lmbda is None:
        yield from [rounded] * MOST_EFFORT
        return
    first = Tried(rounded, lagrangian(rounded, analysed, lmbda))
    best = min(first, _tried(analysed, first, y, PRICES[0], lmbda), key=lambda tried: tried.lagrangian)
    yield best.file
    descent, taken = _descent(analysed, best, lmbda), 0
    for steps in STEPS:
        (best,) = deque(islice(descent, steps - taken), maxlen=1)
        taken = steps
        yield best.file


def _tried(analysed: Analysed, like: Tried, y: np.ndarray, price: float, lmbda: float) -> Tried:
    """The file of latents weighed at a price."""
    file = analysed.coded(like.file.header, weighed(y, price), Weigh)
    return Tried(file, lagrangian(file, analysed, lmbda))


def _descent(analysed: Analysed, best: Tried, lmbda: float) -> Iterator[Tried]:
    """The best after one step against the Lagrangian's derivative, after two, and so on.

    A step wants the latents y_hat - g / (2 c), g being the derivative of lambda times the squared error: its least
    value, were it c (y - ...)^2 in each latent alone. They are weighed as before. A step that does not help is
    taken back, and the next one is taken with the next c of `CURVATURES`, and after all of them at the next price.
    """
    header, weights = best.file.header, analysed.weights
    network = weights.model.networks()["g_s"]
    x = to_network(analysed.pixels, 1)
    trials = cycle(product(PRICES, CURVATURES))
    price, curvature = next(trials)
    while True:
        y_hat = best.file.y_hat
        _, pulled = squared_error(network, weights.synthesis, restored(header, weights, y_hat), x)
        derivative = restored(header, weights, pulled) * np.float32(lmbda * 255**2 / 3)
        while best.file.y_hat is y_hat:
            tried = _tried(analysed, best, y_hat - derivative * np.float32(0.5 / curvature), price, lmbda)
            if tried.lagrangian < best.lagrangian:
                best = tried
            else:
                price, curvature = next(trials)
            yield best


def lagrangian(file: Coded, analysed: Analysed, lmbda: float) -> float:
    """In bits: what the file takes, and lambda times the squared error of the pixels that it brings."""
    return 8 * len(file.data) + lmbda * difference(analysed.pixels, pixels_of(file, analysed)) / 3


def pixels_of(file: Coded, analysed: Analysed) -> np.ndarray:
    """uint8 (H, W, 3), as a decoder has them."""
    return synthesised(file.header, analysed.weights, file.y_hat)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The sum over the samples of two pictures, uint8 (H, W, 3); exact."""
    total = 0
    for row in range(0, len(a), ROWS):
        off = a[row : row + ROWS].astype(np.int32) - b[row : row + ROWS]
        total += int(np.square(off, out=off).sum(dtype=np.int64))
    return float(total)
