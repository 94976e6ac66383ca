"""The checksum of decoded symbols: it tells a drifted decoder from a damaged file."""

from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray


def symbols_check(symbols: NDArray[np.integer[Any]]) -> int:
    """The low 24 bits of the CRC-32 of ``symbols``, any shape, in C order as little-endian int32."""
    return crc32(np.ascontiguousarray(symbols, dtype="<i4").tobytes()) & 0xFFFFFF
