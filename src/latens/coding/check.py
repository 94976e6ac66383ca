"""The checksum of decoded symbols: it tells a drifted decoder from a damaged file."""

from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray


class SymbolsCheck:
    """The low 24 bits of the CRC-32 of symbols, as little-endian int32, in the order in which they were seen."""

    def __init__(self) -> None:
        self._crc = 0

    def see(self, symbols: NDArray[np.integer[Any]]) -> None:
        """Further symbols, any shape, in C order."""
        self._crc = crc32(np.ascontiguousarray(symbols, dtype="<i4").data, self._crc)

    @property
    def value(self) -> int:
        """Of all that were seen."""
        return self._crc & 0xFFFFFF
