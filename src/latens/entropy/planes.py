"""Convolutions over planes of activations, as sums of matrix products: (H, W, inputs) -> (H', W', outputs).

A kernel's tap multiplies the plane shifted by its offset. In a zero-padded plane stored row after row, a
shift is another first row of one matrix, so a tap is one matrix product without a copy. What the products
add up is exact if it is made of integers below 2^24 (`latens.entropy.integer`), in whatever order.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from latens.entropy.order import Step
from latens.transforms import Deconv, MaskedConv

Phase = tuple[int, int]  # row and column of an output sample within its input's square
Tap = tuple[int, tuple[int, int]]  # number of a tap, and the input position that it sees, relative


class _Padded:
    """A plane (H, W, C) with ``pad`` zeros around it, whose shifts are slices."""

    def __init__(self, plane: np.ndarray, pad: int) -> None:
        self.rows, self.columns, channels = plane.shape
        self.pad, self.width = pad, self.columns + 2 * pad
        whole = np.zeros((self.rows + 2 * pad + (pad > 0), self.width, channels), np.float32)
        whole[pad : pad + self.rows, pad : pad + self.columns] = plane
        self.flat = whole.reshape(-1, channels)

    def shifted(self, row: int, column: int) -> np.ndarray:
        """(H * width, C): the plane moved by an offset; columns past W are to be ignored."""
        start = (row + self.pad) * self.width + column + self.pad
        return self.flat[start : start + self.rows * self.width]

    def sums(self, taps: list[tuple[np.ndarray, tuple[int, int]]]) -> np.ndarray:
        """(H, W, outputs): the sum of ``shifted @ kernel`` over taps (kernel, offset)."""
        total: np.ndarray | None = None
        part: np.ndarray | None = None
        for kernel, offset in taps:
            if total is None:
                total = self.shifted(*offset) @ kernel
            else:
                part = np.matmul(self.shifted(*offset), kernel, out=part)
                total += part
        assert total is not None
        return total.reshape(self.rows, self.width, -1)[:, : self.columns]


def convolved(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution with zero padding; kernel (side^2, inputs, outputs)."""
    if len(kernel) == 1:
        rows, columns, channels = plane.shape
        return np.asarray(plane.reshape(-1, channels) @ kernel[0]).reshape(rows, columns, -1)
    side = round(len(kernel) ** 0.5)
    pad = side // 2
    reach = range(-pad, pad + 1)
    taps = zip(kernel, product(reach, reach), strict=True)
    return np.ascontiguousarray(_Padded(plane, pad).sums(list(taps)))


@lru_cache(maxsize=16)
def phases(layer: Deconv) -> dict[Phase, list[Tap]]:
    """For the output samples of each phase, the taps that they meet.

    Sample stride * a + r sees the input a + d through the tap r + pad - stride * d.
    """
    stride, pad = layer.stride, layer.kernel // 2
    reach = -(-pad // stride)

    def along(r: int) -> list[tuple[int, int]]:
        taps = [(r + pad - stride * d, d) for d in range(-reach, reach + 1)]
        return [(tap, d) for tap, d in taps if 0 <= tap < layer.kernel]

    return {
        (row, column): [
            (i * layer.kernel + j, (down, right)) for (i, down), (j, right) in product(along(row), along(column))
        ]
        for row, column in product(range(stride), repeat=2)
    }


def deconvolved(layer: Deconv, plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A transposed convolution, phase by phase: (H, W, inputs) -> (H*stride, W*stride, outputs)."""
    rows, columns, _ = plane.shape
    stride = layer.stride
    padded = _Padded(plane, -(-(layer.kernel // 2) // stride))
    out = np.empty((rows, stride, columns, stride, layer.outputs), np.float32)
    for (row, column), taps in phases(layer).items():
        out[:, row, :, column] = padded.sums([(kernel[tap], offset) for tap, offset in taps])
    return out.reshape(rows * stride, columns * stride, -1)


def seen_before(layer: MaskedConv, y_hat: np.ndarray, step: Step) -> np.ndarray:
    """What a masked convolution sees from the positions of a step: (n, taps, inputs); zeros outside."""
    *_, r, c = step
    _, channels, rows, columns = y_hat.shape
    down, right = np.array(layer.offsets).T
    at, beside = r + down, c + right  # (n, taps)
    outside = (at < 0) | (beside < 0) | (beside >= columns)
    positions = y_hat[0].transpose(1, 2, 0).reshape(rows * columns, channels)  # a view, if channels stand together
    seen = positions[np.where(outside, 0, at * columns + beside)]
    seen[outside] = 0
    return np.asarray(seen)
