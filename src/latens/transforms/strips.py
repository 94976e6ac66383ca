"""Networks over large planes, a strip of rows at a time: the same values in bounded memory.

What a network's planes take grows with the picture, and the widest of them many times faster than what goes in
and comes out. A strip is computed from the rows that it depends on, no others, and cut out: zeros that are padded
where a strip ends reach only rows that are thrown away. Strips of a wide plane are cut into pieces, likewise: low
ones would be little more than what they share with their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

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
HIGHER = 4  # times what one row of the output depends on: the least height of strips, or they are cut


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


class Piece(NamedTuple):
    """Rows of a network's output, or columns, and what they are computed from."""

    made: slice  # of the output
    seen: slice  # of the input
    within: slice  # where they are in what comes of that


def pieces(network: Network, side: int, step: int, total: int) -> Iterator[Piece]:
    """The first ``total`` rows of the output for ``side`` rows of the input, ``step`` at a time.

    What is seen begins where all the strides of the network do.
    """
    align = math.prod(_down(layer) for layer in network)
    for start in range(0, total, step):
        end = min(start + step, total)
        first, last = rows_seen(network, start, end - 1)
        first = max(0, first) // align * align
        skipped = rows_after(network, first)
        seen = slice(first, min(last, side - 1) + 1)
        yield Piece(slice(start, end), seen, slice(start - skipped, end - skipped))


def in_strips(
    network: Network, run: Callable[[np.ndarray], np.ndarray], x: np.ndarray, most: int = MOST
) -> np.ndarray:
    """``run(x)`` of a network of convolutions: (1, C, H, W) -> (1, C', H', W').

    Strips are as high as their widest plane has ``most`` values, and pieces of them `HIGHER` times as high as what
    a row of the output depends on.
    """
    rows, columns = x.shape[2:]
    held = int(most / widest(network))  # positions of the input
    if rows * columns <= held:
        return run(x)
    first, last = rows_seen(network, 0, 0)
    down, right = rows_after(network, rows), rows_after(network, columns)
    across = max(1, min(columns, held // (HIGHER * (last - first + 1))) * right // columns)  # of the output
    high = max(1, held * right // (across * columns) * down // rows)
    whole: np.ndarray | None = None
    for strip in pieces(network, rows, high, down):
        for piece in pieces(network, columns, across, right):
            part = run(x[:, :, strip.seen, piece.seen])
            if whole is None:  # axes in the order that they have in memory
                whole = np.empty_like(part, shape=(*part.shape[:2], down, right))
            whole[:, :, strip.made, piece.made] = part[:, :, strip.within, piece.within]
    assert whole is not None
    return whole
