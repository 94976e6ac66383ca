"""Networks over large planes, a strip of rows at a time: the same values in bounded memory.

What a network's planes take grows with the picture, and the widest of them many times faster than what goes in
and comes out. A strip is computed from the rows that it depends on, no others, and cut out: zeros that are padded
where a strip ends reach only rows that are thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np

from latens.transforms.cost import scale_after
from latens.transforms.layers import (
    Conv,
    Deconv,
    Depthwise,
    Layer,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Residual,
)

MOST = 1 << 24  # values in the widest plane of a strip: 64 MiB of float32


def rows_seen(network: Network, first: int, last: int) -> tuple[int, int]:
    """The first and the last row of the input that rows ``first`` to ``last`` of the output depend on.

    In a plane without end: rows before 0 are among them.
    """
    for layer in reversed(network):
        if isinstance(layer, Conv):
            first, last = (row * layer.stride - layer.kernel // 2 for row in (first, last))
            last += layer.kernel - 1
        elif isinstance(layer, Deconv):  # input i gives the outputs stride * i + tap - kernel // 2
            first = -((layer.kernel - 1 - layer.kernel // 2 - first) // layer.stride)
            last = (last + layer.kernel // 2) // layer.stride
        elif isinstance(layer, Depthwise):
            first, last = first - layer.kernel // 2, last + layer.kernel // 2
        elif isinstance(layer, PixelUnshuffle):
            first, last = first * layer.factor, last * layer.factor + layer.factor - 1
        elif isinstance(layer, PixelShuffle):
            first, last = first // layer.factor, last // layer.factor
        elif isinstance(layer, Residual):
            first, last = rows_seen(layer.branch, first, last)
    return first, last


@lru_cache
def widest(network: Network) -> Fraction:
    """Values in the largest plane of a network, for each position of its input."""
    scale, most = Fraction(1), Fraction(0)
    for layer in network:
        scale = scale_after(layer, scale)
        if isinstance(layer, Conv | Deconv):
            most = max(most, layer.outputs * scale**2)
        elif isinstance(layer, Residual):
            most = max(most, widest(layer.branch) * scale**2)
    return most


def rows_after(network: Network, rows: int) -> int:
    """Rows of the output, given those of the input."""
    for layer in network:
        if isinstance(layer, Conv):
            rows = -(-rows // layer.stride)
        elif isinstance(layer, Deconv):
            rows *= layer.stride
        elif isinstance(layer, PixelUnshuffle):
            rows //= layer.factor
        elif isinstance(layer, PixelShuffle):
            rows *= layer.factor
    return rows


def _down(layer: Layer) -> int:
    if isinstance(layer, Conv):
        return layer.stride
    return layer.factor if isinstance(layer, PixelUnshuffle) else 1


def in_strips(
    network: Network, run: Callable[[np.ndarray], np.ndarray], x: np.ndarray, most: int = MOST
) -> np.ndarray:
    """``run(x)`` of a network of convolutions: (1, C, H, W) -> (1, C', H', W').

    Strips are as high as their widest plane has ``most`` values, and give a row at least. They begin where all
    the strides of the network do.
    """
    rows, columns = x.shape[2:]
    high = int(most / (widest(network) * columns)) if columns else rows  # rows of the input
    if high >= rows:
        return run(x)
    total = rows_after(network, rows)
    step = max(1, high * total // rows)
    align = math.prod(_down(layer) for layer in network)
    whole: np.ndarray | None = None
    for start in range(0, total, step):
        end = min(start + step, total)
        first, last = rows_seen(network, start, end - 1)
        first = max(0, first) // align * align
        part = run(x[:, :, first : last + 1])
        if whole is None:  # axes in the order that they have in memory
            whole = np.empty_like(part, shape=(*part.shape[:2], total, part.shape[3]))
        skipped = rows_after(network, first)
        whole[:, :, start:end] = part[:, :, start - skipped : end - skipped]
    assert whole is not None
    return whole
