"""Escapes: symbols outside their table, as the side and the Elias gamma class of the distance past its edge.

See docs/format.md, section Payloads. Any int32 can be coded, whatever the table.
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from latens.coding.tables import TOTAL, categorical
from latens.errors import ChecksumError

CLASSES = 32  # of distance + 1, which offsets within 2^30 of zero keep below 2^32
LOW_BITS = 16  # constriction's uniform models end below 2^24
INT32 = np.iinfo(np.int32)


def _class_masses() -> NDArray[np.int64]:
    """The fixed table of 2 x 32 classes: halving from class to class, above and below alike."""
    masses = np.repeat([max(1, 1 << 14 >> k) for k in range(CLASSES)], 2)
    masses[:2] -= (masses.sum() - TOTAL) // 2
    return masses


CLASS_MASSES = _class_masses()
CLASS_MODEL = categorical(CLASS_MASSES)
UNIFORM = constriction.stream.model.Uniform()


def push_escapes(coder: Any, values: NDArray[np.int64], lo: NDArray[np.int64], hi: NDArray[np.int64]) -> None:
    """Encode values (n,), each outside its table's first and last symbol, lo (n,) and hi (n,)."""
    below = values < lo
    number = np.where(below, lo - values, values - hi)  # distance + 1
    classes = np.frexp(number.astype(np.float64))[1] - 1  # floor(log2), exact below 2^53
    coder.encode((2 * classes + below).astype(np.int32), CLASS_MODEL)
    for part, bits in _raw_parts(classes):
        kept = bits > 0
        coder.encode(
            (number[kept] >> part & (1 << bits[kept]) - 1).astype(np.int32),
            UNIFORM,
            (1 << bits[kept]).astype(np.int32),
        )


def pop_escapes(coder: Any, lo: NDArray[np.int64], hi: NDArray[np.int64]) -> NDArray[np.int32]:
    """Decode values (n,) for tables from lo (n,) to hi (n,); ChecksumError if one is outside int32."""
    coded = coder.decode(CLASS_MODEL, len(lo)).astype(np.int64)
    classes, below = coded >> 1, coded & 1 == 1
    number = 1 << classes
    for part, bits in _raw_parts(classes):
        kept = bits > 0
        number[kept] |= coder.decode(UNIFORM, (1 << bits[kept]).astype(np.int32)).astype(np.int64) << part
    values = np.where(below, lo - number, hi + number)
    if ((values < INT32.min) | (values > INT32.max)).any():
        raise ChecksumError("the coded symbols are damaged: an escaped value lies outside int32")
    found: NDArray[np.int32] = values.astype(np.int32)
    return found


def _raw_parts(classes: NDArray[Any]) -> tuple[tuple[int, NDArray[np.int64]], ...]:
    """(shift, bits (n,)) of the two runs of raw bits under the leading one."""
    bits = classes.astype(np.int64)
    return (0, np.minimum(bits, LOW_BITS)), (LOW_BITS, np.maximum(bits - LOW_BITS, 0))
