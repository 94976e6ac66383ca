"""Integer probability tables: part of a model's weights, never of a file.

A table covers the symbols ``offset .. offset + size - 2``; its last mass is that of the escape, which
stands for every other int32. Masses are at least 1 and sum to 2^16, so every symbol has an exact
probability that no machine rounds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from latens.errors import UsageError, WeightsError

TOTAL = 1 << 16
MOST_TABLES = 1 << 16  # a table number fits uint16, which NumPy sorts by radix
MOST_OFFSET = 1 << 30  # an int32 minus an offset can then be taken modulo 2^32, see coder.py
Ints = NDArray[np.integer[Any]]
ARRAYS: dict[str, np.dtype[np.integer[Any]]] = {
    "offsets": np.dtype(np.int32),
    "sizes": np.dtype(np.int32),
    "masses": np.dtype(np.uint16),
}


def categorical(masses: Ints) -> Any:
    """The constriction model whose probabilities are exactly ``masses / masses.sum()``.

    constriction 0.4 and 0.5 have no integer interface in Python, but one can be had. Their model with
    ``perfect=False`` gives symbol i of n the 24-bit cumulative mass ``floor(c_i * (2^24 - n) / c_n) + i``
    for the cumulative sums c of the floats it is given. With ``mass * 2^8 - 1`` for a mass out of 2^16 the
    sum c_n is 2^24 - n, the factor is exactly 1, every c_i is an integer below 2^24, which a float64 holds
    exactly, and the result is ``cumulative mass * 2^8``: nothing is rounded anywhere.
    """
    return constriction.stream.model.Categorical(masses.astype(np.float64) * 256 - 1, perfect=False)


@dataclass(frozen=True, eq=False)
class Tables:
    """T tables, stored flat: offsets (T,) int32, sizes (T,) int32, masses (sum of sizes,) uint16.

    Raises WeightsError if the arrays break a rule of the module's docstring.
    """

    offsets: Ints
    sizes: Ints
    masses: Ints
    starts: NDArray[np.int64] = field(init=False, repr=False)
    models: dict[int, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            array = np.asarray(getattr(self, name))
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise WeightsError(f"{name} has {array.ndim} axes of {array.dtype}, not one of integers")
            limits = np.iinfo(dtype)
            if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
                raise WeightsError(f"{name} has {array.min()} to {array.max()}: not {dtype}")
            object.__setattr__(self, name, np.ascontiguousarray(array, dtype))
        ends = np.cumsum(self.sizes, dtype=np.int64)
        if not 1 <= len(self) <= MOST_TABLES or len(self.offsets) != len(self):
            raise WeightsError(f"{len(self)} sizes, {len(self.offsets)} offsets: not both 1 to {MOST_TABLES}")
        if self.sizes.min() < 2:
            raise WeightsError(f"table {self.sizes.argmin()} has {self.sizes.min()} masses; 2 is the least")
        if ends[-1] != len(self.masses):
            raise WeightsError(f"the sizes sum to {ends[-1]}, but there are {len(self.masses)} masses")
        if np.abs(self.offsets.astype(np.int64)).max() > MOST_OFFSET:
            raise WeightsError(f"offsets from {self.offsets.min()} to {self.offsets.max()} leave -2^30 to 2^30")
        if self.masses.min() < 1:
            raise WeightsError(f"mass {self.masses.argmin()} is 0; 1 is the least")
        object.__setattr__(self, "starts", ends - self.sizes)
        sums = np.add.reduceat(self.masses, self.starts, dtype=np.int64)
        if (sums != TOTAL).any():
            worst = int((sums != TOTAL).argmax())
            raise WeightsError(f"the masses of table {worst} sum to {sums[worst]}, not to {TOTAL}")

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def stack(cls, tables: Iterable[tuple[int, Ints]]) -> "Tables":
        """Tables from (offset, masses) pairs, as ``integer_table`` returns them."""
        offsets, masses = zip(*tables, strict=True)
        return cls(np.array(offsets), np.array([len(mass) for mass in masses]), np.concatenate(masses))

    def to_arrays(self) -> dict[str, Ints]:
        """The arrays by name, ready for ``numpy.savez``."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Ints]) -> "Tables":
        """The inverse of ``to_arrays``; WeightsError if an array is missing or breaks a rule."""
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise WeightsError(f"the tables lack {' and '.join(missing)}")
        return cls(*(arrays[name] for name in ARRAYS))

    def table(self, number: int) -> tuple[int, Ints]:
        """(offset, masses) of one table."""
        start = self.starts[number]
        return int(self.offsets[number]), self.masses[start : start + self.sizes[number]]

    def model(self, number: int) -> Any:
        """constriction's model of one table, built when first asked for."""
        found = self.models.get(number)
        if found is None:
            found = self.models[number] = categorical(self.table(number)[1])
        return found


def integer_table(
    pmf: NDArray[np.floating[Any]], offset: int, tail: float = 2.0**-16
) -> tuple[int, NDArray[np.uint16]]:
    """Round a pmf (n,) of the symbols ``offset .. offset + n - 1`` to a table: (offset, masses).

    For exporting a model, never at coding time: it uses floats. Symbols at either end whose mass sums to at
    most ``tail / 2`` are cut off and left to the escape, as is whatever ``pmf`` lacks to one. The masses
    minimise the expected length of code, the sum of -p log2(m / 2^16), among integers >= 1 that sum to 2^16.
    Raises UsageError if ``pmf`` is no distribution or has more symbols than 2^16 masses can hold.
    """
    p = np.asarray(pmf, dtype=np.float64)
    if p.ndim != 1 or not np.isfinite(p).all() or (p < 0).any() or not 0 < p.sum() < 1 + 1e-3:
        raise UsageError(f"a pmf of shape {p.shape} with sum {p.sum()} is no distribution")
    p = p / max(1.0, p.sum())
    first = int((np.cumsum(p) <= tail / 2).sum())
    last = len(p) - int((np.cumsum(p[::-1]) <= tail / 2).sum())
    if first >= last:  # all of it is tail: keep the likeliest symbol
        first, last = int(p.argmax()), int(p.argmax()) + 1
    kept = p[first:last]
    p = np.append(kept, max(0.0, 1.0 - kept.sum()))
    if len(p) > TOTAL:
        raise UsageError(f"{len(kept)} symbols and the escape do not fit {TOTAL} masses; raise the tail {tail}")
    return offset + first, _round_masses(p)


def _round_masses(p: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Integers >= 1 with sum 2^16 that minimise -sum(p log m): the objective is separable and concave in each
    mass, so moving single units from the least loss to the largest gain ends in the optimum."""
    masses = np.maximum(1, np.floor(p * TOTAL)).astype(np.int64)
    masses = np.minimum(masses, TOTAL - 1)
    while True:
        gain = p * np.log1p(1 / masses)
        loss = np.where(masses > 1, -p * np.log1p(-1 / np.maximum(masses, 2)), np.inf)
        excess = masses.sum() - TOTAL
        giver, taker = int(loss.argmin()), int(gain.argmax())
        if excess == 0 and gain[taker] <= loss[giver] * (1 + 1e-12):
            return masses.astype(np.uint16)
        if excess >= 0:
            masses[giver] -= 1
        if excess <= 0:
            masses[taker] += 1
