"""What the hyper-networks said last: the files that an encoder tries of one picture often agree in z.

Their synthesis is asked for the same z_hat again, and their analysis for the same latents. Both are functions of
one array; what they gave for an equal one is given again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

RECALLED = ("h_a", "h_s")  # in every model that has them
MOST = 1 << 22  # values of an input and its output that are kept, 16 MiB: of larger pictures nothing is


class Recalling(Mapping[str, Callable[..., Any]]):
    """A model's networks, of which the hyper-networks remember one answer each."""

    def __init__(self, networks: Mapping[str, Callable[..., Any]]) -> None:
        self.networks = networks
        self.last: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def __getitem__(self, name: str) -> Callable[..., Any]:
        network = self.networks[name]
        return (lambda x: self._asked(name, x)) if name in RECALLED else network

    def _asked(self, name: str, x: np.ndarray) -> np.ndarray:
        if name in self.last and np.array_equal(self.last[name][0], x):
            return self.last[name][1]
        answer: np.ndarray = self.networks[name](x)
        if x.size + answer.size <= MOST:
            answer.flags.writeable = False
            self.last[name] = x.copy(), answer
        return answer

    def __iter__(self) -> Iterator[str]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)
