"""Backward-adaptive scales: what has been decoded corrects what is predicted next.

Networks predict scales as they were on the pictures of their training. How large a channel's latents are in this
picture, and around here, a decoder sees as it goes. Both sides sum up magnitudes, as coded and as the predicted
scales led to expect, over the 3x3 places around a latent, the 5x5 (those of the 3x3 around each), and the plane::

    r = (coded + PRIOR) / (expected + PRIOR)
    position' = position + round(2/3 log2(r_3x3 r_5x5) + log2(r_plane))        in the table of scales

Latents of one call are independent given their scales, so they may be coded in any order: the first call, which
has nothing to learn from, is coded in four lattices, of which the later ones learn from those before.

Magnitudes are whole multiples of 2^-6 and their sums exact in float32, quotients, products and square roots are
rounded as IEEE 754 says, and r_3x3 r_5x5 r_plane^(3/2) is compared with `EDGES` in place of a logarithm, for a
correction of 4 at most: every machine finds the same positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latens.coding.tables import TOTAL, Tables
from latens.entropy.scales import COUNT

ONE = 64  # a magnitude of 1
LARGEST = 255 * ONE  # that is seen: 81 of them, four times, are below 2^24
PRIOR = np.float32(4 * ONE)  # of magnitudes that came as expected, in every sum
EDGES = np.array(  # 2^(3/2 (j - 1/2)), from where the correction is at least j, for j from -3 to 4
    [0.026278, 0.074325, 0.210224, 0.594604, 1.681793, 4.756828, 13.454343, 38.054628], np.float32
)
EVEN, ODD, ALL = slice(0, None, 2), slice(1, None, 2), slice(None)
Lattice = tuple[slice, slice]  # rows and columns
WHOLE: tuple[Lattice, ...] = ((ALL, ALL),)
LATTICES: tuple[Lattice, ...] = ((EVEN, EVEN), (ODD, ODD), (EVEN, ODD), (ODD, EVEN))
MOST = 1 << 22  # values whose sums are held at once


def magnitudes(tables: Tables, first: int) -> tuple[int, ...]:
    """What is expected at each scale, in parts of `ONE`, by its table; ``first`` is the number of the first one's.

    Escapes count as the first symbol beyond their table.
    """
    found = []
    for number in range(first, first + COUNT):
        start, size = int(tables.starts[number]), int(tables.sizes[number])
        masses = tables.masses[start : start + size].astype(np.int64)
        symbols = np.abs(int(tables.offsets[number]) + np.arange(size))
        found.append(min(LARGEST, int((ONE * (masses * symbols).sum() + TOTAL // 2) // TOTAL)))
    return tuple(found)


class Adaptive:
    """The scales of one plane of channels, call after call.

    Args:
        expected: `magnitudes`, by scale
        shape: of what a call codes: (1, C, H, W)
    """

    def __init__(self, expected: Sequence[int], shape: tuple[int, ...]) -> None:
        _, channels, rows, columns = shape
        self.by_scale = np.asarray(expected, np.float32)
        self.sums = np.zeros((rows, columns, 2, channels), np.float32)  # coded, and expected
        self.whole = np.zeros((2, channels))
        self.calls = 0

    def begin(self, scale: np.ndarray) -> tuple[Lattice, ...]:
        """A call of predicted positions (1, C, H, W) in the table of scales; the lattices to code it in."""
        self.scale = np.ascontiguousarray(scale[0].transpose(1, 2, 0), np.int32)
        self.expected = np.take(self.by_scale, self.scale)
        self.calls += 1
        return LATTICES if self.calls == 1 else WHOLE

    def corrected(self, at: Lattice) -> np.ndarray:
        """The positions (1, C, h, w) of a lattice as they are coded, int32."""
        rows, columns, _, channels = self.sums.shape
        found, step = self.scale[at].copy(), at[0].step or 1
        if self.whole.any():
            of_plane = _ratio(self.whole.astype(np.float32))  # (C,)
            of_plane *= np.sqrt(of_plane)
            strip = max(2, MOST // (columns * channels) // 2 * 2)  # even: lattices begin alike in each
            for first in range(0, rows, strip):
                above = max(0, first - 2)
                near = _around(self.sums[above : first + strip + 2])
                far, kept = _around(near), slice(first - above, first - above + strip)
                ratio = _ratio(near[kept][at]) * _ratio(far[kept][at])
                ratio *= of_plane
                part = found[first // step : (first + strip) // step]
                part += sum((ratio >= edge).view(np.int8) for edge in EDGES)
            found -= len(EDGES) // 2
            np.clip(found, 0, COUNT - 1, out=found)
        return found.transpose(2, 0, 1)[None]

    def see(self, symbols: np.ndarray, at: Lattice, inside: np.ndarray | None) -> None:
        """What a lattice's symbols (1, C, h, w) were; those not ``inside`` (C, h, w) are none."""
        coded = np.abs(symbols[0].transpose(1, 2, 0))
        coded *= np.float32(ONE)
        np.minimum(coded, np.float32(LARGEST), out=coded)
        expected = self.expected[at]
        if inside is not None:
            none = ~inside.transpose(1, 2, 0)
            coded, expected = np.where(none, np.float32(0), coded), np.where(none, np.float32(0), expected)
        for number, part in enumerate((coded, expected)):
            self.sums[at][:, :, number] += part
            self.whole[number] += part.sum((0, 1), dtype=np.float64)


def _around(sums: np.ndarray) -> np.ndarray:
    """The sums over 3x3 places of (H, W, ...); zeros outside."""
    down = sums.copy()
    down[1:] += sums[:-1]
    down[:-1] += sums[1:]
    both = down.copy()
    both[:, 1:] += down[:, :-1]
    both[:, :-1] += down[:, 1:]
    return both


def _ratio(sums: np.ndarray) -> np.ndarray:
    """(..., 2, C), coded and expected, -> (..., C)."""
    found: np.ndarray = (sums[..., 0, :] + PRIOR) / (sums[..., 1, :] + PRIOR)
    return found
