"""Encoder effort 0..9: of the files that a decoder would read alike, the one of the least Lagrangian found.

    L = bits + lambda * (squared error on 0..255, summed over samples) / 3

with the bits of the file and the error of the decoded 8-bit picture: nothing is estimated where files are
compared. lambda is what the weights were trained for at the file's quality (`latens.train.losses`, times the
pixels). Every effort tries what those below it try and keeps the best, so a higher one is never worse.

    0        latents are rounded
    1 to 9   and `STEPS` steps, 1 to 32, are taken from there against the error's derivative (`_descent`), symbols
             being chosen by their bits and their distance from where it leads (`latens.entropy.weighing`)

All of it needs NumPy, ONNX Runtime and the networks, not PyTorch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count, islice

import numpy as np

from latens.entropy.weighing import Weigh, weighed
from latens.errors import UsageError
from latens.latents import Analysed, Coded, restored, synthesised
from latens.pixels import difference

MOST_EFFORT = 9
STEPS = (1, 2, 3, 4, 6, 8, 12, 20, 32)  # of the efforts from 1 on
# How steps are taken (docs/effort.md says what else was tried):
PRICE = 30.0  # bits that a symbol's squared distance from the aim costs
KEPT = 0.85  # of what the aim was, beside the symbols
FIRST, AFTER, UNDONE = 0.08, 0.9, 0.7  # size times curvature; the next one, after a step and after no help
LONGER = 2.5  # than that: every second step after one that did not help
TRIES, DEARER = 4, 1.5  # of a first step; the next price, after no help
DOUBT = 1e-3  # of the Lagrangian of pixels that come with a derivative: they are not to the last bit a decoder's


def check_effort(effort: int | None) -> None:
    """UsageError unless it is one; None is the model's own."""
    if effort is not None and effort not in range(MOST_EFFORT + 1):
        raise UsageError(f"effort is {effort}, and must be a whole number from 0 to {MOST_EFFORT}")


def coded(analysed: Analysed, quality: float, effort: int | None = None) -> Coded:
    """The file of a picture at a quality 0..100; by default of the model's effort."""
    rung = analysed.weights.model.effort if effort is None else effort
    return next(islice(climbed(analysed, quality), rung, None))


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
    descent, taken = _descent(analysed, rounded, y, lmbda), 0
    for steps in STEPS:
        (file,) = deque(islice(descent, steps - taken), maxlen=1)
        taken = steps
        yield file


def _descent(analysed: Analysed, rounded: Coded, y: np.ndarray, lmbda: float) -> Iterator[Coded]:
    """The best file after one step against the Lagrangian's derivative, after two, and so on.

    A step aims at y_hat + KEPT (aim - y_hat) - size g, where g is the derivative of lambda times the squared error
    at the latents y_hat of the best file, and the aim before the first step is y; and then chooses symbols. So
    latents move that were nearly rounded the other way, or that the derivative has long been asking to: all at
    once would overshoot. A step that does not help is taken back. If it is the first, shorter ones with dearer
    errors are tried in its place, `TRIES` in all; later, a shorter one is taken and a longer one, by turns.
    """
    header, weights = rounded.header, analysed.weights
    best, least, aim, size = rounded, np.inf, y, 0.0
    while True:
        y_hat, first = best.y_hat, best is rounded
        error, pulled = weights.squared_error(restored(header, weights, y_hat), analysed.pixels)
        g = restored(header, weights, pulled) * np.float32(lmbda / 3)
        if first:
            least = (1 - DOUBT) * _lagrangian(rounded, error, lmbda)
            size = FIRST / _curvature(g, y_hat - y)
        for tries, (taken, price) in enumerate(_strides(size, first), 1):
            wanted = y_hat + np.float32(KEPT) * (aim - y_hat) - np.float32(taken) * g
            tried = analysed.coded(header, weighed(wanted, price, y), Weigh)
            reached = lagrangian(tried, analysed, lmbda)
            if reached < least:
                best, least, aim, size = tried, reached, wanted, AFTER * min(taken, size)
                break
            if not first or tries >= TRIES:
                yield best
        yield best


def _strides(size: float, first: bool) -> Iterator[tuple[float, float]]:
    """Sizes and prices of a step, and of those in its place while none helps."""
    yield size, PRICE
    for again in count(1):
        shorter = size * UNDONE ** (again if first else (again + 1) // 2)
        yield (shorter, PRICE * DEARER**again) if first else (shorter * LONGER ** (1 - again % 2), PRICE)


def _curvature(g: np.ndarray, away: np.ndarray) -> float:
    """Bits that a squared step costs, if the derivative g comes of latents being ``away`` from their best values.

    About 8, a little more or less by picture and by model. At least 1: nothing is known where nothing was rounded.
    """
    square = float(np.square(away).sum(dtype=np.float64))
    return max(1.0, float((g * away).sum(dtype=np.float64)) / (2 * square)) if square else 1.0


def lagrangian(file: Coded, analysed: Analysed, lmbda: float) -> float:
    """In bits: what the file takes, and lambda times the squared error of the pixels that it brings."""
    return _lagrangian(file, difference(analysed.pixels, pixels_of(file, analysed)), lmbda)


def _lagrangian(file: Coded, error: float, lmbda: float) -> float:
    return 8 * len(file.data) + lmbda * error / 3


def pixels_of(file: Coded, analysed: Analysed) -> np.ndarray:
    """uint8 (H, W, 3), as a decoder has them."""
    return synthesised(file.header, analysed.weights, file.y_hat)
