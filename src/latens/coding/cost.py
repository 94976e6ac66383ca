"""What the symbols of a pass cost, one by one: for estimates and pictures of the rate, never for coding."""

import numpy as np
from numpy.typing import NDArray

from latens.coding.escapes import CLASS_MASSES, INT32
from latens.coding.tables import TOTAL, Ints, Tables
from latens.errors import UsageError


def bits(tables: Tables, symbols: Ints, index: Ints) -> NDArray[np.float64]:
    """Information content (n,) in bits of symbols (n,) under tables index (n,): what `Encoder.push` spends.

    -log2 of the symbol's mass; for one outside its table, of the escape's, of its class's, and the raw bits.
    Raises UsageError where `Encoder.push` does.
    """
    if symbols.shape != index.shape or symbols.ndim != 1:
        raise UsageError(f"{symbols.shape} symbols were given with {index.shape} table numbers")
    if symbols.size and not INT32.min <= symbols.min() <= symbols.max() <= INT32.max:
        raise UsageError(f"symbols from {symbols.min()} to {symbols.max()} do not fit int32")
    values = symbols.astype(np.int64)
    low = tables.offsets[index].astype(np.int64)
    high = low + tables.sizes[index] - 2
    escaped = (values < low) | (values > high)
    place = np.where(escaped, tables.sizes[index] - 1, values - low)
    spent: NDArray[np.float64] = np.log2(TOTAL) - np.log2(tables.masses[tables.starts[index] + place])
    if escaped.any():
        below = values < low
        number = np.where(below, low - values, values - high)[escaped]
        classes = np.frexp(number.astype(np.float64))[1] - 1
        spent[escaped] += np.log2(TOTAL) - np.log2(CLASS_MASSES[2 * classes + below[escaped]]) + classes
    return spent
