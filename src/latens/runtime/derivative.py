"""What the encoder's search asks of a synthesis network: how the squared error changes with the latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latens.pixels import difference, to_network, to_pixels
from latens.runtime.onnx import answered, session, shrinking
from latens.transforms import Network, adjoint
from latens.transforms.strips import pieces, rows_after

MOST = 1 << 11  # positions of the latents that are computed at a time: some 200 to 400 MB are in use then
LOWEST = 4  # rows of them, before strips are cut into pieces


class SquaredError:
    """The squared error of network(y) against a picture, and its derivative by y; by ONNX Runtime always.

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

    def __call__(self, y: np.ndarray, pixels: np.ndarray, most: int = MOST) -> tuple[float, np.ndarray]:
        """Both on 0..255, summed over samples: the error of the 8-bit picture, the derivative as (1, C, h, w).

        Args:
            y: float32 (1, C, h, w)
            pixels: uint8 (H, W, 3), which may have fewer rows and columns than the network's output: what is
                beyond them is without error
            most: positions of y at a time. Strips of rows are computed one after the other, in bounded memory,
                each from all rows that it depends on; likewise pieces of strips, where a picture is very wide
        """
        rows, columns = y.shape[2:]
        up = rows_after(self._network, rows) // rows
        error, derivative = 0.0, np.zeros_like(y)
        across = min(columns, max(1, most // LOWEST))
        options = shrinking() if rows * columns > most else None
        for down in pieces(self._network, rows, max(1, most // across) * up, pixels.shape[0]):
            for right in pieces(self._network, columns, across * up, pixels.shape[1]):
                latents = np.s_[:, :, down.seen, right.seen]
                x = np.zeros((1, 3, *(np.array(y[latents].shape[2:]) * up)), np.float32)
                inside = np.zeros((1, 1, *x.shape[2:]), np.float32)
                part = np.s_[:, :, down.within, right.within]
                original = pixels[down.made, right.made]
                x[part], inside[part] = to_network(original, 1), 1
                given = {"y": np.ascontiguousarray(y[latents]), "x": x, "inside": inside}
                x_hat, pulled = answered(self._session, adjoint.OUTPUTS, given, options)
                error += difference(original, to_pixels(x_hat[part]))
                derivative[latents] += pulled
        derivative *= np.float32(255**2)
        return error, derivative
