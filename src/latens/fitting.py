"""Fitting the picture's own filter (`latens.wiener`): which numbers take more error away than they cost bits.

With f the features of a pixel and e = x - g_s(y_hat) what it lacks, g_s clipped, on 0..255 and in R, G and B,

    squared error of taps t = sum |e|^2 - 2 <X, t> + <t, G t>,       G = sum f f^T,  X = sum f e^T

so after one pass over the picture the error of any filter is known, but for the rounding of its pixels.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from latens.coding import Tables
from latens.coding.coder import WORD
from latens.coding.cost import bits
from latens.features import features
from latens.wiener import MOST_STEP, MOST_SYMBOL, NUMBER, Area, Basis, Filter, delta, over

LENGTHS = (12, 24, 48, 96, 160)  # numbers of a filter; the last ones of them may turn out not to pay
AWAY = 3  # between steps that are tried, from the one that theory asks for, on
UNIT = 0.75  # of the step of a uniform quantiser at high rate
ENOUGH, ROWS = 1 << 17, 32  # pixels that say enough of a picture; rows of it, at least
RIDGE = 1e-7  # of the largest curvature, at least
SWEEPS = 6  # over the numbers of the best filter, each of which is chosen again given the others
ENDS = 8 * WORD  # bits that a file may grow by more than its numbers take: it ends in whole words
LISTED = 24  # of symbols whose bits are looked up; one beyond costs as much more as the last of them


class Normal(NamedTuple):
    """The normal equations of a picture: G (F, F) and X (F, 3) of F features, float64; how many pixels.

    ``doubt`` is how much less of the squared error of pixels a filter may take away than they say. Where g_s
    overshoots by o and lacks e, it may change the pixel by o less than it should, which costs up to o (2 |e| + o).
    And rounding, which adds 1/12 a sample on the average, may have taken away already what the filter would.
    """

    gram: np.ndarray
    cross: np.ndarray
    pixels: int
    doubt: float


class Fit(NamedTuple):
    """A filter, and how many bits the equations say that it saves: the error's, less its own."""

    filter: Filter
    saved: float


def normal(x: np.ndarray, pixels: np.ndarray, count: int) -> Normal:
    """Of what g_s has made, float32 (3, H, W) in 0..1, of a picture uint8 (H, W, 3), and of ``count`` features.

    Of large pictures some rows are looked at, evenly spread, for all of them.
    """
    height, width = pixels.shape[:2]
    every = max(1, min(round(height * width / ENOUGH), height // ROWS))
    every -= 1 - every % 2  # odd, so that all rows of the blocks that g_s ends in have their turn
    gram, cross, doubt = np.zeros((count, count)), np.zeros((count, 3)), np.zeros(2)

    def add(at: Area, planes: np.ndarray) -> None:
        nonlocal gram, cross, doubt
        found = features(planes, count).reshape(count, -1)
        made = x[:, *at] * np.float32(255)
        seen = np.clip(made, 0, 255)
        lack = pixels[at].transpose(2, 0, 1) - seen
        gram += found @ found.T
        cross += found @ lack.reshape(3, -1).T
        beyond = np.abs(made - seen)
        less = beyond * (2 * np.abs(lack) + beyond)
        gone = np.square(lack) - np.square(np.rint(lack)) + np.float32(1 / 12)
        doubt += np.array([less.sum(dtype=np.float64), gone.sum(dtype=np.float64)])

    with np.errstate(over="ignore", invalid="ignore"):  # of weights that make no picture
        deque(over(x, add, every=every), maxlen=0)
    more = height / len(range(0, height, every))
    return Normal(more * gram, more * cross, height * width, more * float(np.maximum(doubt, 0).sum()))


def fitted(equations: Normal, basis: Basis, tables: Tables, first: int, price: float) -> Fit | None:
    """The filter that saves most; None if none saves any bits.

    Args:
        tables: those of the latents' scales are there from ``first`` on
        price: bits that a unit of squared error is worth, lambda / 3
    """
    gram = np.tensordot(basis.vectors, equations.gram, (1, 1)).swapaxes(1, 2).reshape(len(basis.scales), -1)
    vectors = basis.vectors.reshape(gram.shape)
    # Of numbers z, in units of delta 1: bits saved are 2 <linear, z> - <z, quadratic z>.
    with np.errstate(over="ignore", invalid="ignore"):
        quadratic, linear = price * (gram @ vectors.T), price * (vectors @ equations.cross.ravel())
    if not np.isfinite(quadratic.sum() + linear.sum()):
        return None  # no synthesis that was trained makes such a picture
    unit = UNIT * np.sqrt(6 / (price * equations.pixels * np.log(2)))
    middle = int(np.clip(np.rint(np.log(unit) / np.log(delta(1))), -MOST_STEP, MOST_STEP))

    def solved(length: int, away: int) -> tuple[float, int, int, _Lattice, np.ndarray]:
        """Bits saved at a step by the first so many numbers or fewer; the lattice, and all of these numbers."""
        step = int(np.clip(middle + away, -MOST_STEP, MOST_STEP))
        index = basis.at(step, length) + first
        lattice = _Lattice(step, quadratic[:length, :length], linear[:length], index, tables)
        symbols = lattice.solved()
        return lattice.prefix(symbols, NUMBER + first)[0], length, away, lattice, symbols

    lengths = sorted({min(length, len(basis.scales)) for length in LENGTHS})
    best = max((solved(length, 0) for length in lengths), key=itemgetter(0))
    for turn in (-AWAY, AWAY):
        while (other := solved(best[1], best[2] + turn))[0] > best[0]:
            best = other
    *_, lattice, symbols = best
    parts = [lattice.prefix(found, NUMBER + first) for found in (symbols, lattice.swept(symbols))]
    saved, symbols = max(parts, key=itemgetter(0))
    return Fit(Filter(lattice.step, symbols), saved) if saved > 0 else None


@dataclass(frozen=True)
class _Lattice:
    """Filters of one step: bits saved by whole numbers of units, each coded with its table ``index``."""

    step: int
    quadratic: np.ndarray
    linear: np.ndarray
    index: np.ndarray
    tables: Tables

    def solved(self) -> np.ndarray:
        """Symbols (n,) int32 near the best: the last one first, those before it being free.

        With A = R^T R, R triangular, the error is |R (z - z*)|^2, and row k of R says what z_k adds to it.
        """
        unit, most = delta(self.step), float(np.diag(self.quadratic).max())
        found = np.zeros(len(self.linear))
        if most > 0:
            kept, upper = _rooted(self.quadratic, most)
            upper, ideal = upper * unit, np.linalg.solve(kept, self.linear) / unit
            for k in reversed(range(len(found))):
                row = upper[k]
                wanted = float(ideal[k] + row[k + 1 :] @ (ideal[k + 1 :] - found[k + 1 :]) / row[k])
                found[k] = _cheapest(wanted, float(row[k]) ** 2, self.costs[k])
        return found.astype(np.int32)

    def swept(self, symbols: np.ndarray) -> np.ndarray:
        """Symbols (n,) int32 that save more than those given: each in turn is the best given the others."""
        unit = delta(self.step)
        slope, rows = (self.linear * unit).tolist(), self.quadratic * unit**2
        found = symbols.astype(np.float64)
        for _ in range(SWEEPS):
            before = found.copy()
            for k, own in enumerate(np.diag(rows).tolist()):
                if own > 0:  # else there is nothing of it in this picture
                    wanted = (slope[k] - float(rows[k] @ found)) / own + float(found[k])
                    found[k] = _cheapest(wanted, own, self.costs[k])
            if np.array_equal(found, before):
                break
        return found.astype(np.int32)

    @cached_property
    def costs(self) -> list[list[float]]:
        """The bits of each number's symbols from -LISTED to LISTED."""
        around = np.arange(-LISTED, LISTED + 1, dtype=np.int32)
        spent = bits(self.tables, np.tile(around, len(self.index)), np.repeat(self.index, len(around)))
        return [row.tolist() for row in spent.reshape(-1, len(around))]

    def prefix(self, symbols: np.ndarray, number: int) -> tuple[float, np.ndarray]:
        """What the first symbols save, as many as save most, and these. ``number`` is the table of n and step."""
        z = symbols * delta(self.step)
        products = np.tril(self.quadratic) * np.outer(z, z)
        gained = np.cumsum(2 * self.linear * z - 2 * products.sum(1) + np.diag(products))
        spent = np.cumsum(bits(self.tables, symbols, self.index))
        counts = np.append(np.arange(len(z) + 1), self.step).astype(np.int32)
        none, *each, step = bits(self.tables, counts, np.full(len(counts), number))
        saved = gained - spent - (np.array(each) - none) - step
        best = int(np.argmax(saved))
        return float(saved[best]), symbols[: best + 1]


def _rooted(quadratic: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with a little on its diagonal, without which sums of float32 have no root, and its root R."""
    even, ridge = (quadratic + quadratic.T) / 2, RIDGE * most
    while True:
        try:
            kept = even + ridge * np.eye(len(even))
            return kept, np.linalg.cholesky(kept).T
        except np.linalg.LinAlgError:
            ridge *= 10


def _cheapest(wanted: float, own: float, costs: list[float]) -> int:
    """Of 0 and the symbols on both sides of ``wanted``, the one of least own (symbol - wanted)^2 + bits."""
    low = max(-MOST_SYMBOL, min(math.floor(wanted), MOST_SYMBOL - 1))
    best, least = 0, math.inf
    for symbol in (0, low, low + 1):
        inside = max(-LISTED, min(symbol, LISTED))
        beyond = abs(symbol - inside) * (costs[-1] - costs[-2])
        spent = own * (symbol - wanted) ** 2 + costs[inside + LISTED] + beyond
        if spent < least:
            best, least = symbol, spent
    return best
