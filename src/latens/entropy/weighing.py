"""The channel of encoders that choose: symbols by their bits and their error together.

Rounding takes the nearest symbol; a table may price its neighbour, nearer to what the prior expects, many times
lower. With the cost w of a squared unit of error in bits, the symbol of a latent y is

    argmin over s of  bits(s) + w (s + mean - y)^2,        s = round(y - mean), one step towards 0 from it, or 0.

What a choice does to the predictions of later latents is not counted: it is for the caller to compare files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from latens.coding.cost import bits
from latens.entropy.channels import Encode

HYPER = "h_a"  # what makes z of y, in every model that has one; z is rounded


class Weigh(Encode):
    """`Encode` of latents y with what their errors cost: (2, C, H, W), y and w (see `weighed`)."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.networks = _Latents(self.networks)

    def _rounded(self, y: np.ndarray, mean: np.ndarray | float, index: np.ndarray) -> np.ndarray:
        if len(y) == 1:  # z
            return super()._rounded(y, mean, index)
        wanted = (y[:1] - mean).ravel()
        symbols = np.rint(wanted).astype(np.int32)
        at = np.flatnonzero(symbols)
        first, around, price, tables = symbols[at], wanted[at], y[1].ravel()[at], index[at]
        best = first
        least = self._cost(best, around, price, tables)
        for other in (first - np.sign(first), np.zeros_like(first)):
            cost = self._cost(other, around, price, tables)
            best, least = np.where(cost < least, other, best), np.minimum(cost, least)
        symbols[at] = best
        return symbols

    def _cost(self, symbols: np.ndarray, wanted: np.ndarray, price: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.asarray(bits(self.coder.tables, symbols, index) + price * (symbols - wanted) ** 2)


class _Latents(Mapping[str, Callable[..., Any]]):
    """A model's networks, of which the hyper-analysis is given the latents alone."""

    def __init__(self, networks: Mapping[str, Callable[..., Any]]) -> None:
        self.networks = networks

    def __getitem__(self, name: str) -> Callable[..., Any]:
        network = self.networks[name]
        return (lambda y: network(y[:1])) if name == HYPER else network

    def __iter__(self) -> Any:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)


def weighed(y: np.ndarray, price: np.ndarray | float) -> np.ndarray:
    """Latents (1, C, H, W) and the bits that a squared unit of error costs, as `Weigh` takes them."""
    return np.concatenate([y, np.broadcast_to(np.float32(price), y.shape)])
