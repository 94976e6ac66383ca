"""The picture's own filter: a few numbers in the file, by which a decoder corrects what g_s has made.

A synthesis is right on the average of its training pictures. How the errors of this picture go together with what
is seen around them, its encoder can tell, and a least squares fit (Wiener's; `latens.fitting`) takes some of them
away, as the adaptive loop filter of VVC does. Of a pixel p are seen up to `FEATURES` numbers f(p), linear ones of
the 5x5 pixels around it and others (`latens.features`)::

    x_hat(p) = g_s(y_hat)(p) + taps^T f(p),    taps = delta(step) * sum over k < n of q_k v_k

The v_k come with the weights (`Basis`): directions of taps, first those in which pictures differ most. They have
taps for all of the features, or for the first `FEWER`, which take less time.
n, the step and the integers q_k are the last passes of a payload, under the tables of scales of the latents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from latens.entropy.channels import Decode, Encode
from latens.entropy.scales import COUNT, STEP, position
from latens.errors import ChecksumError, WeightsError
from latens.features import FEATURES, FEWER, REACH, combined, planar
from latens.runtime.cores import cores

FILTERS = ("filters.vectors", "filters.scales")  # in an .ltm file
MOST = 160  # vectors of a basis
MOST_STEP, MOST_SYMBOL = 127, 2**15 - 1
NUMBER = round(position(32.0))  # the scale of n and of the step
PIXELS, WIDEST = 1 << 15, 1 << 13  # of what is filtered at a time; its columns


class Filter(NamedTuple):
    """What a file says: ``step``, and the q_k as ``symbols`` (n,) int32, n >= 1."""

    step: int
    symbols: np.ndarray


@dataclass(frozen=True)
class Basis:
    """``vectors`` (K, F, 3), for R, G and B in 0..255; ``scales`` (K,), of the symbols at step 0.

    F is how many features there are taps for: all of them, or the first `FEWER`.
    """

    vectors: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, scales: np.ndarray) -> Basis:
        """From the arrays of an .ltm file, `FILTERS`: (K, F, 3) float16 and (K,) int16, 1 <= K <= `MOST`.

        Raises:
            ValueError: other shapes or types, or values that are no numbers
        """
        count = len(vectors) if vectors.ndim else 0
        shapes = [(count, seen, 3) for seen in (FEWER, FEATURES)]
        if vectors.shape not in shapes or vectors.dtype != np.float16 or not 1 <= count <= MOST:
            found, most = f"{vectors.shape} {vectors.dtype}", f"(1 to {MOST}, {FEWER} or {FEATURES}, 3)"
            raise ValueError(f"the filters are {found}, and must be {most} float16")
        if scales.shape != (count,) or scales.dtype != np.int16:
            found = f"{scales.shape} {scales.dtype}"
            raise ValueError(f"the scales of the filters are {found}, and must be ({count},) int16")
        if not np.isfinite(vectors).all():
            raise ValueError("the filters have values that are no numbers")
        return cls(vectors.astype(np.float64), scales.astype(np.int64))

    @property
    def features(self) -> int:
        """F."""
        return int(self.vectors.shape[1])

    def at(self, step: int, count: int) -> np.ndarray:
        """The scales (count,) of the first symbols, as positions in the table of scales."""
        return np.asarray(np.clip(self.scales[:count] - step, 0, COUNT - 1))

    def taps(self, found: Filter) -> np.ndarray:
        """float32 (F, 3)."""
        symbols = found.symbols * delta(found.step)
        return np.asarray(np.tensordot(symbols, self.vectors[: len(symbols)], 1), np.float32)


def delta(step: int) -> float:
    """What a symbol's unit stands for: the table's scales grow as much in ``step`` places."""
    return float(np.exp(STEP * step))


def send(found: Filter | None, basis: Basis, prior: str, channel: Encode) -> None:
    """A filter, or none, as the next symbols of a channel, under the scales of a conditional prior."""
    _one(channel, prior, 0 if found is None else len(found.symbols))
    if found is not None:
        _one(channel, prior, found.step)
        channel.listed(found.symbols, prior, basis.at(found.step, len(found.symbols)))


def receive(basis: Basis, prior: str, channel: Decode) -> Filter | None:
    """What was sent.

    Raises:
        ChecksumError: no filter that an encoder writes
    """
    count = _one(channel, prior)
    if not 0 <= count <= len(basis.scales):
        raise ChecksumError(f"the picture's filter has {count} numbers, and must have 0 to {len(basis.scales)}")
    if count == 0:
        return None
    step = _one(channel, prior)
    if abs(step) > MOST_STEP:
        raise ChecksumError(f"the step of the picture's filter is {step}, and must be {-MOST_STEP} to {MOST_STEP}")
    symbols = channel.listed(None, prior, basis.at(step, count))
    most = max(int(symbols.max()), -int(symbols.min()))
    if most > MOST_SYMBOL:
        raise ChecksumError(f"the picture's filter has a number of size {most}, and may have {MOST_SYMBOL}")
    return Filter(step, symbols)


def _one(channel: Encode | Decode, prior: str, value: int | None = None) -> int:
    symbol = None if value is None else np.array([value], np.int32)
    return int(channel.listed(symbol, prior, np.array([NUMBER]))[0])


Area = tuple[slice, slice]  # rows and columns


def over(x: np.ndarray, use: Callable[[Area, np.ndarray], Any], threads: int = 1, every: int = 1) -> Iterator[Any]:
    """What ``use`` makes of areas of a picture and of their planes (`latens.features`), from the top down.

    Args:
        x: float32 (3, H, W), 0..1
        threads: areas are computed side by side by so many; 0 for one every two cores, as they wait for memory
        every: of so many rows, only one is looked at, a piece of its own
    """
    height, width = x.shape[1:]
    columns = min(width, WIDEST)
    rows = max(1, PIXELS // columns) * every

    def area(start: tuple[int, int]) -> Any:
        (top, left), (bottom, right) = start, (min(start[0] + rows, height), min(start[1] + columns, width))
        if every == 1:
            seen = np.arange(top - REACH, bottom + REACH)[None]
        else:
            seen = np.arange(top, bottom, every)[:, None] + np.arange(-REACH, REACH + 1)
        before, after = max(0, left - REACH), min(right + REACH, width)
        planes = planar(x[:, np.clip(seen, 0, height - 1), before:after] * np.float32(255))
        missing = (REACH - (left - before), REACH - (after - right))
        planes = np.pad(planes, ((0, 0), (0, 0), (0, 0), missing), mode="edge")
        return use((slice(top, bottom, every), slice(left, right)), planes)

    areas = product(range(0, height, rows), range(0, width, columns))
    threads = threads or -(-cores() // 2)
    if threads == 1:
        yield from map(area, areas)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(area, areas)


def filtered(x: np.ndarray, taps: np.ndarray, threads: int = 1) -> np.ndarray:
    """uint8 (H, W, 3) of what g_s has made, float32 (3, H, W), and taps (F, 3); threads as `over`.

    Raises:
        WeightsError: values that are no numbers
    """
    pixels = np.empty((*x.shape[1:], 3), np.uint8)

    def corrected(at: Area, planes: np.ndarray) -> None:
        part = combined(planes, taps)[:, 0]
        part += x[:, *at] * np.float32(255)
        if not np.isfinite(part.max() - part.min()):
            raise WeightsError("the picture's filter makes values that are no numbers")
        pixels[at] = np.rint(np.clip(part, 0, 255, out=part), out=part).astype(np.uint8).transpose(1, 2, 0)

    deque(over(x, corrected, threads), maxlen=0)
    return pixels
