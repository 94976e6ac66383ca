"""Qualities in stairs, for pictures with so little in them that a finer step may give a larger error.

On photographs size and fidelity rise with the quality because thousands of latents are rounded at once. On a flat
picture a few are, many times over: whether they fall well on their steps is luck, and luck is not monotone. Such
pictures are coded at each of a few qualities, `RUNGS`, and a quality is given the best of those files within a
budget. With s(r) and e(r) the size and the squared error of rung r::

    budget(q) = max { s(r) : r <= q }
    file(q)   = of those with s(r) <= budget(q), the smallest of the least e(r)

The budget never falls as q rises, so what there is to choose from only grows: the error never rises. Nor does the
size fall: a better file that fitted the smaller budget would have been chosen there. Often a finer rung is even
smaller on flat ground, and every quality is given it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from latens.latents import Analysed, Coded
from latens.pixels import difference
from latens.search import coded

RUNGS = tuple(float(quality) for quality in range(0, 101, 5))
LITTLE = 0.1  # changes per latent of a large picture: photographs have 0.11 and more, flat pictures next to none
SMALLER = 1  # times that are added where a picture is as small as `TINY`: the fewer latents, the more luck
TINY = 96 * 96  # pixels up to which there is always too little in a picture
MOST = 1 << 19  # pixels up to which twenty-one codings can be waited for


def changes(y: np.ndarray) -> float:
    """How many latents (1, M, h, w) differ from a neighbour by half a step and more, mean over both directions.

    What is flat, a ramp or a pattern that repeats has next to none of them.
    """
    return sum(np.count_nonzero(np.abs(np.diff(y, axis=axis)) >= 0.5) for axis in (2, 3)) / 2


def suits(y: np.ndarray, pixels: int) -> bool:
    """Whether a picture of so many pixels, with latents y as coded at the highest quality, is coded in stairs."""
    little = LITTLE * (1 + SMALLER * TINY / pixels)
    return pixels <= TINY or (pixels <= MOST and changes(y) <= little * y.size)


def stairs(analysed: Analysed) -> Callable[[float], Coded] | None:
    """The files of a picture by their rung, rounded; None of one that is not coded in stairs."""
    highest = analysed.header(RUNGS[-1])
    area = highest.width * highest.height
    if highest.quality is None or not suits(analysed.scaled(highest), area):
        return None

    @cache
    def file(step: float) -> Coded:
        header = analysed.header(step)
        return analysed.coded(header, analysed.scaled(header))

    return file


def steady(analysed: Analysed, effort: int | None = None) -> Callable[[float], Coded]:
    """The files of a picture by their quality 0..100, in stairs where that suits it: rounded at any effort."""
    file = stairs(analysed)
    if file is None:
        return lambda quality: coded(analysed, quality, effort)

    @cache
    def error(step: float) -> float:
        return difference(analysed.pixels, analysed.seen(file(step)))

    return lambda quality: file(rung(quality, lambda step: len(file(step).data), error))


def rung(quality: float, size: Callable[[float], int], error: Callable[[float], float]) -> float:
    """The one of RUNGS that ``quality`` is given; ``error`` is asked for as few of them as it takes."""
    sizes = {step: size(step) for step in RUNGS}
    budget = max(taken for step, taken in sizes.items() if step <= quality)
    return min((step for step in RUNGS if sizes[step] <= budget), key=lambda step: (error(step), sizes[step]))
