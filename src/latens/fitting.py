"""Fitting the picture's own filter (`latens.wiener`): which numbers take more error away than they cost bits.

With f the features of a pixel and e = x - g_s(y_hat) what it lacks, on 0..255 and in R, G and B,

    squared error of taps t = sum |e|^2 - 2 <X, t> + <t, G t>,       G = sum f f^T,  X = sum f e^T

so after one pass over the picture the error of any filter is known, but for the rounding of its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from latens.coding import Tables
from latens.coding.cost import bits
from latens.wiener import FEATURES, MOST_STEP, MOST_SYMBOL, NUMBER, Area, Basis, Filter, delta, over

LENGTHS = (12, 24, 48, 96, 160)  # numbers of a filter; the last ones of them may turn out not to pay
STEPS = (-3, 0, 3)  # around the step that theory asks for
UNIT = 0.75  # of the step of a uniform quantiser at high rate
SWEEPS = 2  # over the numbers, each of which is chosen given the others
REACH = 24  # of symbols whose bits are looked up; one beyond costs as much more as the last of them


class Normal(NamedTuple):
    """The normal equations of a picture: G (FEATURES, FEATURES) and X (FEATURES, 3), float64; how many pixels."""

    gram: np.ndarray
    cross: np.ndarray
    pixels: int


def normal(x: np.ndarray, pixels: np.ndarray, threads: int = 0) -> Normal:
    """Of what g_s has made, float32 (3, H, W) in 0..1, of a picture uint8 (H, W, 3)."""

    def sums(at: Area, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lack = pixels[at].transpose(2, 0, 1) - x[:, *at] * np.float32(255)
        return found @ found.T, found @ lack.reshape(3, -1).T

    gram, cross = np.zeros((FEATURES, FEATURES)), np.zeros((FEATURES, 3))
    for squares, products in over(x, sums, threads):
        gram += squares
        cross += products
    return Normal(gram, cross, pixels.shape[0] * pixels.shape[1])


def fitted(equations: Normal, basis: Basis, tables: Tables, first: int, price: float) -> Filter | None:
    """The filter that saves most; None if none saves any bits.

    Args:
        tables: those of the latents' scales are there from ``first`` on
        price: bits that a unit of squared error is worth, lambda / 3
    """
    gram = np.einsum("fg,kgc->kfc", equations.gram, basis.vectors).reshape(len(basis.scales), -1)
    vectors = basis.vectors.reshape(gram.shape)
    # Of numbers z, in units of delta 1: bits saved are 2 <linear, z> - <z, quadratic z>.
    quadratic, linear = price * (gram @ vectors.T), price * (vectors @ equations.cross.ravel())
    unit = UNIT * np.sqrt(6 / (price * equations.pixels * np.log(2)))
    middle = int(np.clip(np.rint(np.log(unit) / np.log(delta(1))), -MOST_STEP, MOST_STEP))
    saved, best = 0.0, None
    for length in sorted({min(length, len(basis.scales)) for length in LENGTHS}):
        for away in STEPS:
            step = int(np.clip(middle + away, -MOST_STEP, MOST_STEP))
            index = basis.at(step, length) + first
            lattice = _Lattice(step, quadratic[:length, :length], linear[:length], index, tables)
            by, symbols = lattice.prefix(lattice.symbols(), NUMBER + first)
            if by > saved:
                saved, best = by, Filter(step, symbols)
    return best


@dataclass(frozen=True)
class _Lattice:
    """Filters of one step: bits saved by whole numbers of units, each coded with its table ``index``."""

    step: int
    quadratic: np.ndarray
    linear: np.ndarray
    index: np.ndarray
    tables: Tables

    def symbols(self) -> np.ndarray:
        """Whole numbers that save much, int32: each in turn the best given the others, from 0."""
        around = np.arange(-REACH, REACH + 1, dtype=np.int32)
        count, unit = len(self.linear), delta(self.step)
        costs = bits(self.tables, np.tile(around, count), np.repeat(self.index, len(around))).reshape(count, -1)
        slope, rows = self.linear * unit, self.quadratic * unit**2

        def cost(k: int, symbol: int) -> float:
            inside = min(max(symbol, -REACH), REACH)
            return float(costs[k, inside + REACH] + abs(symbol - inside) * (costs[k, -1] - costs[k, -2]))

        found = np.zeros(count)
        for _ in range(SWEEPS):
            for k, own in enumerate(np.diag(rows).tolist()):
                if own > 0:  # else there is nothing of it in this picture
                    wanted = float((slope[k] - rows[k] @ found) / own + found[k])
                    low = int(np.clip(np.floor(wanted), -MOST_SYMBOL, MOST_SYMBOL - 1))
                    spent = {s: own * (s - wanted) ** 2 + cost(k, s) for s in (0, low, low + 1)}
                    found[k] = min(spent, key=spent.__getitem__)
        return found.astype(np.int32)

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
