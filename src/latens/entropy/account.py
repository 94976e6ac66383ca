"""Decoding that keeps account: how many bits each position of the latents has cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latens.coding.cost import bits
from latens.entropy.channels import Decode, Parameters


class Account(Decode):
    """`Decode`, with the bits of every symbol; `spent` adds them up by position."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self._pass: list[np.ndarray] = []  # bits of the symbols of the call in progress
        self._maps: list[np.ndarray] = []  # (rows, columns) of each finished call

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        popped = super()._exchange(symbols, index)
        self._pass.append(bits(self.coder.tables, popped, index))
        return popped

    def factorised(self, y: np.ndarray | None, prior: str, *, stride: int) -> np.ndarray:
        return self._accounted(lambda: super(Account, self).factorised(y, prior, stride=stride))

    def gaussian(self, y: np.ndarray | None, prior: str, parameters: Parameters) -> np.ndarray:
        return self._accounted(lambda: super(Account, self).gaussian(y, prior, parameters))

    def _accounted(self, call: Callable[[], np.ndarray]) -> np.ndarray:
        self._pass = []
        arrived = call()
        if arrived.ndim == 4:  # a step of a scan is not an array of positions
            self._maps.append(np.concatenate(self._pass).reshape(arrived.shape[1:]).sum(0))
        return arrived

    def spent(self) -> np.ndarray:
        """Bits per position of the finest grid, float64 (rows, columns); coarser grids are spread evenly."""
        rows, columns = max((grid.shape for grid in self._maps), key=lambda shape: shape[0] * shape[1])
        total = np.zeros((rows, columns))
        for grid in self._maps:
            down, across = -(-rows // grid.shape[0]), -(-columns // grid.shape[1])
            block = np.repeat(np.repeat(grid, down, 0), across, 1)[:rows, :columns]
            total += block * (grid.sum() / block.sum() if block.sum() else 0.0)
        return total
