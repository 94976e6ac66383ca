"""The channel of encoders that choose: symbols by their bits and their error together.

Rounding takes the nearest symbol; a table may price its neighbour, nearer to what the prior expects, many times
lower. With the cost w of a squared unit of error in bits, the symbol of a latent that shall be a is

    argmin over s of  bits(s) + w (s + mean - a)^2,        s = round(a - mean), one step towards 0 from it, or 0.

What a choice does to the predictions of later latents is not counted: it is for the caller to compare files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from latens.coding.cost import bits
from latens.entropy.channels import Encode, nearest

HYPER = "h_a"  # what makes z of y, in every model that has one; z is rounded


class Weigh(Encode):
    """`Encode` of latents on their way elsewhere: (3, C, H, W), the aim, its price and y (see `weighed`).

    z is that of y, so that hyper-networks which remember (`latens.entropy.recall`) answer once for all aims.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.networks = _Latents(self.networks)

    def _rounded(self, y: np.ndarray, mean: np.ndarray | float, index: np.ndarray) -> np.ndarray:
        if len(y) == 1:  # z
            return super()._rounded(y, mean, index)
        aims, prices, _ = y
        wanted = (aims[None] - mean).ravel()
        symbols = nearest(wanted)
        at = np.flatnonzero(symbols)
        first, around, price, tables = symbols[at], wanted[at], prices.ravel()[at], index[at]
        best = first
        least = self._cost(best, around, price, tables)
        for other in (first - np.sign(first), np.zeros_like(first)):
            cost = self._cost(other, around, price, tables)
            best, least = np.where(cost < least, other, best), np.minimum(cost, least)
        symbols[at] = best
        return symbols

    def _cost(self, symbols: np.ndarray, wanted: np.ndarray, price: np.ndarray, index: np.ndarray) -> np.ndarray:
        cost: np.ndarray = bits(self.coder.tables, symbols, index) + price * (symbols - wanted) ** 2
        return cost


class _Latents(Mapping[str, Callable[..., Any]]):
    """A model's networks, of which the hyper-analysis is given y alone."""

    def __init__(self, networks: Mapping[str, Callable[..., Any]]) -> None:
        self.networks = networks

    def __getitem__(self, name: str) -> Callable[..., Any]:
        network = self.networks[name]
        return (lambda y: network(y[2:])) if name == HYPER else network

    def __iter__(self) -> Any:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)


def weighed(aim: np.ndarray, price: np.ndarray | float, y: np.ndarray) -> np.ndarray:
    """What `Weigh` takes: where symbols shall lead, the bits that a squared unit off it costs, and latents y.

    All (1, C, H, W); symbols of z are those of y.
    """
    whole: np.ndarray = np.concatenate([aim, np.broadcast_to(np.float32(price), aim.shape), y])
    return whole
