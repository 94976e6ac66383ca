"""Channels that keep account: how many bits each position of the latents has cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from latens.coding.cost import bits
from latens.entropy.adaptive import LATTICES, WHOLE
from latens.entropy.channels import Decode, Encode, Parameters, _Coding


class _Accounting(_Coding):
    """Coding, with the ideal bits of every symbol under its table; `spent` adds them up by position."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._pass: list[np.ndarray] = []  # bits of the symbols of the call in progress
        self._maps: list[np.ndarray] = []  # (rows, columns) of each finished call

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        arrived = super()._exchange(symbols, index)
        self._pass.append(bits(self.coder.tables, arrived, index))
        return arrived

    def factorised(self, y: np.ndarray | None, prior: str, *, stride: int) -> np.ndarray:
        arrived = super().factorised(y, prior, stride=stride)
        self._enter(np.concatenate(self._pass).reshape(arrived.shape))
        return arrived

    def gaussian(
        self, y: Any, prior: str, parameters: Parameters, inside: np.ndarray | None = None, **named: bool
    ) -> np.ndarray:
        arrived = super().gaussian(y, prior, parameters, inside, **named)
        cost = np.zeros(arrived.shape)
        coded = np.broadcast_to(True if inside is None else inside, cost.shape)
        for at, part in zip(WHOLE if len(self._pass) == 1 else LATTICES, self._pass, strict=True):
            cost[:, :, *at][coded[:, :, *at]] = part
        self._enter(cost)
        return arrived

    def scan(
        self,
        y: np.ndarray | None,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> np.ndarray:
        steps = list(steps)
        arrived = super().scan(y, prior, steps, predict, shape=shape)
        cost = np.zeros(shape)
        for step, part in zip(steps, self._pass, strict=True):
            cost[step] = part.reshape(cost[step].shape)
        self._enter(cost)
        return arrived

    def listed(self, symbols: np.ndarray | None, prior: str, scale: np.ndarray) -> np.ndarray:
        arrived = super().listed(symbols, prior, scale)
        self._enter(np.concatenate(self._pass).sum().reshape(1, 1, 1, 1))
        return arrived

    def _enter(self, cost: np.ndarray) -> None:
        """Close the account of a call: ``cost`` (1, C, rows, columns)."""
        self._maps.append(cost[0].sum(0))
        self._pass = []

    def spent(self) -> np.ndarray:
        """Bits per position of the finest grid, float64 (rows, columns).

        What a position of a coarser grid has cost is shared out evenly among those that it stands for.
        """
        rows, columns = max((grid.shape for grid in self._maps), key=lambda shape: shape[0] * shape[1])
        total = np.zeros((rows, columns))
        for grid in self._maps:
            (down, high), (across, wide) = _cells(rows, grid.shape[0]), _cells(columns, grid.shape[1])
            total += (grid / np.outer(high, wide))[np.ix_(down, across)]
        return total


def _cells(fine: int, coarse: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``coarse`` cells each of ``fine`` positions is in, and how many each cell has.

    Grids are a picture's side over strides that are powers of two, rounded up.
    """
    ratio = 1 << (-(-fine // coarse) - 1).bit_length()
    cells = np.arange(fine) // ratio
    return cells, np.bincount(cells, minlength=coarse)


class Account(_Accounting, Decode):
    """`Decode` that keeps account of a file."""


class Estimate(_Accounting, Encode):
    """`Encode` that keeps account of what a file will cost."""
