"""Encoder effort 0..9: of the files that a decoder would read alike, the one of the least Lagrangian found.

    L = bits + lambda * (squared error on 0..255, summed over samples) / 3

with the bits of the file and the error of the decoded 8-bit picture; on the way, of one that differs from it by
roundings (`DOUBT`). lambda is what the weights were trained for at the file's quality (`latens.train.losses`,
times the pixels). Every effort tries what those below it try and keeps the best, so a higher one is never worse.

    0        latents are rounded
    1 to 9   and `STEPS` steps, 1 to 32, are taken from there against the error's derivative (`_descent`), symbols
             being chosen by their bits and their distance from where it leads (`latens.entropy.weighing`); and
             every rung of the ladder up to the effort is fitted a filter of the picture's own (`latens.fitting`),
             where weights have directions of them. The best file is kept. A model may begin with rungs of filters
             `alone`; its steps are then taken by later ones

All of it needs NumPy, ONNX Runtime and the networks, not PyTorch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from numbers import Integral
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from latens.entropy.weighing import Weigh, weighed
from latens.errors import UsageError
from latens.fitting import ENDS, fitted, normal
from latens.latents import LATENTS, Analysed, Coded, restored
from latens.pixels import difference

MOST_EFFORT = 9
STEPS = (1, 2, 3, 4, 6, 8, 12, 20, 32)  # of the efforts from 1 on, or from the first one that takes any
# How steps are taken (docs/effort.md says what else was tried):
PRICE, LATER = 30.0, 24.0  # bits that a symbol's squared distance from the aim costs: in the first step; after
KEPT = 0.85  # of what the aim was, beside the symbols
FIRST, AFTER, UNDONE = 0.08, 0.9, 0.7  # size times curvature; the next one, after a step and after no help
LONGER = 2.5  # than that: every second step after one that did not help
DEARER = 1.5  # the next price, while the first step has not helped
SURE = 2e-3  # of the Lagrangian that a filter must save, beyond all doubt, to be taken without looking
DOUBT = 2e-4  # of Lagrangians that come with a derivative: their pixels are not to the last bit a decoder's


def check_effort(effort: int | None) -> None:
    """UsageError unless it is one; None is the model's own."""
    if effort is not None and not (isinstance(effort, Integral) and 0 <= effort <= MOST_EFFORT):
        raise UsageError(f"effort is {effort}, and must be a whole number from 0 to {MOST_EFFORT}")


def coded(analysed: Analysed, quality: float, effort: int | None = None) -> Coded:
    """The file of a picture at a quality 0..100; by default of the model's effort.

    Raises:
        WeightsError: the graph of g_s cannot be read
    """
    return next(climbed(analysed, quality, [analysed.weights.model.effort if effort is None else effort]))


def climbed(
    analysed: Analysed, quality: float, efforts: Iterable[int] = range(MOST_EFFORT + 1)
) -> Iterator[Coded]:
    """The files of efforts 0..9, each above the one before, computed when asked for from what those before know.

    Weights that were trained for another error than MSE, or do not say for which lambda, are rounded for always.
    """
    header = analysed.header(quality)
    y = analysed.scaled(header)
    rounded = analysed.coded(header, y)
    weights = analysed.weights
    lmbda = weights.lmbda(header.quality)
    steps = (0,) * (1 if weights.filters is None else 1 + weights.model.alone) + STEPS  # by effort
    descent = None if lmbda is None else _descent(analysed, rounded, y, lmbda)
    best: tuple[float, Coded] | None = None
    last: Coded | None = None  # that a filter was fitted to
    reached = 0  # of the rungs
    for effort in efforts:
        if descent is None or lmbda is None or effort == 0:
            yield rounded
            continue
        given = False
        for rung in range(effort if weights.filters is None else reached + 1, effort + 1):
            if steps[rung]:
                (step,) = deque(islice(descent, steps[rung] - steps[reached]), maxlen=1)
                least, file = step.settled()
            else:
                least, file = lagrangian(rounded, analysed, lmbda), rounded
            reached = rung
            if weights.filters is None:
                yield file
            elif file is not last:
                found, last = Filtered.of(analysed, least, file, lmbda), file
                given = best is None and rung == effort and found.sure
                if given:  # before it is known for certain: who asks for no more effort does not wait for that
                    yield found.file
                measured = found.measured(analysed, lmbda)
                best = measured if best is None else min(best, measured, key=itemgetter(0))
        if best is not None and not given:
            yield best[1]


class Filtered(NamedTuple):
    """A file of Lagrangian ``least``, and the same with a filter of the picture's own, if one seems to pay.

    It is ``sure`` to pay, without a look at its pixels, if it is said to save more than can be doubted.
    """

    least: float
    plain: Coded
    file: Coded
    sure: bool

    @classmethod
    def of(cls, analysed: Analysed, least: float, file: Coded, lmbda: float) -> Filtered:
        weights = analysed.weights
        basis, price = weights.filters, lmbda / 3
        assert basis is not None
        equations = normal(analysed.synthesised(file), analysed.pixels, basis.features)
        found = fitted(equations, basis, weights.tables, weights.priors[LATENTS].first, price)
        if found is None:
            return cls(least, file, file, True)
        sure = found.saved > price * equations.doubt + SURE * least + ENDS
        return cls(least, file, analysed.filtered(file, found.filter), sure)

    def measured(self, analysed: Analysed, lmbda: float) -> tuple[float, Coded]:
        """The better one of the two files, and before it its Lagrangian."""
        if self.file is self.plain:
            return self.least, self.plain
        reached = lagrangian(self.file, analysed, lmbda)
        return min((self.least, self.plain), (reached, self.file), key=itemgetter(0))


class _Step(NamedTuple):
    """A file that is tried, before it is decoded; and the best one before it, with its Lagrangian."""

    best: Coded
    least: float
    tried: Coded
    reached: Callable[[Coded], float]  # a file's Lagrangian, as decoders see it

    def settled(self) -> tuple[float, Coded]:
        """What an encoder that goes no further writes, and before it its Lagrangian."""
        reached = self.reached(self.tried)
        return (reached, self.tried) if reached < (1 - 2 * DOUBT) * self.least else (self.least, self.best)


def _descent(analysed: Analysed, rounded: Coded, y: np.ndarray, lmbda: float) -> Iterator[_Step]:
    """Steps against the Lagrangian's derivative.

    A step aims at y_hat + KEPT (aim - y_hat) - size g, where g is the derivative of lambda times the squared error
    at the latents y_hat of the best file, and the aim before the first step is y; and then chooses symbols. So
    latents move that were nearly rounded the other way, or that the derivative has long been asking to: all at
    once would overshoot. A step that does not help is taken back, and another one is tried (`_strides`).

    The derivative comes with the file's Lagrangian, so that whether a step has helped is known on the way to the
    next one. A step after one that did not help is likely not to help either, and is decoded first.
    """
    header, weights = rounded.header, analysed.weights

    def reached(file: Coded) -> float:
        return lagrangian(file, analysed, lmbda)

    def derived(file: Coded) -> tuple[float, np.ndarray]:  # restoring is linear: it takes derivatives, too
        error, g = weights.squared_error(restored(header, weights, file.y_hat), analysed.pixels)
        return _lagrangian(file, error, lmbda), restored(header, weights, g) * np.float32(lmbda / 3)

    best, aim = rounded, y
    least, g = derived(best)
    size = FIRST / _curvature(g, best.y_hat - y)
    while True:
        for again, (taken, price) in enumerate(_strides(size, best is rounded)):
            wanted = best.y_hat + np.float32(KEPT) * (aim - best.y_hat) - np.float32(taken) * g
            tried = analysed.coded(header, weighed(wanted, price, y), Weigh)
            yield _Step(best, least, tried, reached)
            if again and reached(tried) >= (1 - DOUBT) * least:
                continue
            there, slope = derived(tried)
            if there < (1 - DOUBT) * least:
                best, least, g = tried, there, slope
                aim, size = wanted, AFTER * min(taken, size)
                break


def _strides(size: float, first: bool) -> Iterator[tuple[float, float]]:
    """Sizes and prices of a step, and of those in its place while none helps.

    In place of the first one, shorter ones with dearer errors; later, shorter ones and longer ones by turns.
    """
    for again in count():
        if first:
            yield size * UNDONE**again, PRICE * DEARER**again
        else:
            yield size * UNDONE ** ((again + 1) // 2) * (LONGER if again and again % 2 == 0 else 1), LATER


def _curvature(g: np.ndarray, away: np.ndarray) -> float:
    """Bits that a squared step costs, if the derivative g comes of latents being ``away`` from their best values.

    About 8, a little more or less by picture and by model. At least 1: nothing is known where nothing was rounded.
    """
    square = float(np.square(away).sum(dtype=np.float64))
    return max(1.0, float((g * away).sum(dtype=np.float64)) / (2 * square)) if square else 1.0


def lagrangian(file: Coded, analysed: Analysed, lmbda: float) -> float:
    """In bits: what the file takes, and lambda times the squared error of the pixels that it brings."""
    return _lagrangian(file, difference(analysed.pixels, analysed.seen(file)), lmbda)


def _lagrangian(file: Coded, error: float, lmbda: float) -> float:
    return 8 * len(file.data) + lmbda * error / 3
