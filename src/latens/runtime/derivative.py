"""What the encoder's search asks of a synthesis network: how the squared error changes with the latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latens.runtime.onnx import session, shrinking
from latens.transforms import Network, adjoint
from latens.transforms.strips import rows_after, rows_seen

MOST = 1 << 11  # positions of the latents that are computed at a time: some 200 to 400 MB are in use then


class SquaredError:
    """x_hat = network(y), and the derivative by y of the sum of (x_hat - x)^2; by ONNX Runtime always.

    Args:
        network: a synthesis
        weights: those of `latens.transforms.onnx_weights`
        threads: 0 is one for every core that the process may use

    Raises:
        ValueError: a layer that no synthesis network has
    """

    def __init__(self, network: Network, weights: Sequence[Mapping[str, Any]], threads: int = 0) -> None:
        self._network = network
        self._session = session(adjoint.squared_error(network, weights), threads)

    def __call__(self, y: np.ndarray, x: np.ndarray, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
        """(1, C', H, W) and (1, C, h, w), from y (1, C, h, w) and x (1, C', H, W), float32.

        x may have fewer rows and columns than the network's output, which are then without error and left out.
        Strips of rows are computed one after the other, in bounded memory, from all rows that they depend on.
        """
        rows, columns = y.shape[2:]
        up = rows_after(self._network, rows) // rows
        x_hat, derivative = np.empty_like(x), np.zeros_like(y)
        step = max(1, most // columns) * up
        options = shrinking() if rows * columns > most else None
        for start in range(0, x.shape[2], step):
            end = min(start + step, x.shape[2])
            first, last = rows_seen(self._network, start, end - 1)
            first, last = max(0, first), min(last, rows - 1)
            wanted = np.zeros((1, x.shape[1], (last + 1 - first) * up, columns * up), np.float32)
            inside = np.zeros((1, 1, *wanted.shape[2:]), np.float32)
            part = np.s_[:, :, start - first * up : end - first * up, : x.shape[3]]
            wanted[part], inside[part] = x[:, :, start:end], 1
            given = {"y": np.ascontiguousarray(y[:, :, first : last + 1]), "x": wanted, "inside": inside}
            came, pulled = self._session.run(adjoint.OUTPUTS, given, options)
            x_hat[:, :, start:end] = came[part]
            derivative[:, :, first : last + 1] += pulled
        return x_hat, derivative
