"""Symbols to bytes and back, with one table number a symbol.

    push(symbols, index)     order by table, then one call of the range coder per table, then the escapes
    pop(index)               the same calls in the same order

The order, the escapes and the range coder are specified in docs/format.md, section Payloads. The bytes
depend on the calls' contents and order alone, not on machine, threads or batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import constriction
import numpy as np
from numpy.typing import NDArray

from latens.coding.escapes import INT32, pop_escapes, push_escapes
from latens.coding.tables import Ints, Tables
from latens.errors import ChecksumError, FormatError, UsageError

WORD = 4  # bytes of a constriction word


class Encoder:
    """Collects passes of symbols; ``finish`` gives the payload."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.coder = constriction.stream.queue.RangeEncoder()

    def push(self, symbols: Ints, index: Ints) -> None:
        """Code symbols (n,) int32 with tables index (n,).

        Raises UsageError if a symbol is no int32, or an index is no table.
        """
        if symbols.shape != index.shape:
            raise UsageError(f"{symbols.shape} symbols were given with {index.shape} table numbers")
        if symbols.dtype.kind not in "iu":
            raise UsageError(f"symbols are {symbols.dtype}, not integers")
        if symbols.size and not INT32.min <= symbols.min() <= symbols.max() <= INT32.max:
            raise UsageError(f"symbols from {symbols.min()} to {symbols.max()} do not fit int32")
        groups = Groups(self.tables, index)
        symbols = groups.gather(symbols.astype(np.int32))
        # Distance from the table's first symbol, modulo 2^32: as offsets lie within 2^30 of zero, a symbol
        # outside its table wraps to a large number, and one minimum turns all of those into the escape.
        distance = (symbols - groups.offset).view(np.uint32)
        coded = np.minimum(distance, groups.escape.view(np.uint32)).view(np.int32)
        encode, model = self.coder.encode, self.tables.model
        for number, start, end in groups:
            encode(coded[start:end], model(number))
        at = groups.escapes(coded)
        if at.size:
            push_escapes(self.coder, symbols[at].astype(np.int64), *groups.edges(at))

    def branched(self) -> Encoder:
        """Another one that has been given the same, and goes on by itself."""
        other = Encoder(self.tables)
        other.coder = self.coder.clone()
        return other

    def finish(self) -> bytes:
        """The payload: little-endian words on every machine, without zero bytes at the end."""
        words: NDArray[np.uint32] = self.coder.get_compressed()
        return words.astype("<u4").tobytes().rstrip(b"\0")


class Decoder:
    """Plays an Encoder's passes back from its payload.

    Damaged data raise ChecksumError or FormatError, or decode to other symbols: which is for the checksums
    of the file to tell. Memory is taken for the symbols asked for, never for what the data claim.
    """

    def __init__(self, tables: Tables, data: bytes) -> None:
        if data.endswith(b"\0"):
            raise FormatError("the coded symbols end with a zero byte, which a writer leaves out")
        words = np.frombuffer(data + bytes(-len(data) % WORD), "<u4").astype(np.uint32)
        self.tables = tables
        self.coder = constriction.stream.queue.RangeDecoder(words)

    def pop(self, index: Ints) -> NDArray[np.int32]:
        """The symbols (n,) of a pass whose table numbers were index (n,)."""
        groups = Groups(self.tables, index)
        decode, model = self.coder.decode, self.tables.model
        try:
            parts = [decode(model(number), end - start) for number, start, end in groups]
            symbols = np.concatenate(parts) if parts else np.empty(0, np.int32)
            at = groups.escapes(symbols)
            symbols += groups.offset
            if at.size:
                symbols[at] = pop_escapes(self.coder, *groups.edges(at))
        except AssertionError as error:  # how constriction says that no encoder wrote these data
            raise ChecksumError("the coded symbols are damaged: no encoder writes these bytes") from error
        return groups.scatter(symbols)

    def finish(self) -> None:
        """ChecksumError if data are left. Some damage ends where it should: the file's checksums see it."""
        if not self.coder.maybe_exhausted():
            raise ChecksumError("the coded symbols are damaged: data are left after the last symbol")


class Groups:
    """The symbols of a pass, ordered by table number; iterating gives (table number, start, end).

    ``offset`` (n,) is each ordered symbol's table offset and ``escape`` (n,) its escape's place in the table.
    """

    def __init__(self, tables: Tables, index: Ints) -> None:
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise UsageError(f"table numbers have {index.ndim} axes of {index.dtype}, not one of integers")
        if index.size and not 0 <= index.min() <= index.max() < len(tables):
            raise UsageError(f"table numbers {index.min()} to {index.max()}: there are {len(tables)} tables")
        ordered = bool((index[1:] >= index[:-1]).all())
        self.order = None if ordered else np.argsort(index.astype(np.uint16), kind="stable")
        self.counts = np.bincount(index.astype(np.intp), minlength=len(tables))
        self.offset = np.repeat(tables.offsets, self.counts)
        self.escape = np.repeat(tables.sizes - 1, self.counts)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        numbers = np.flatnonzero(self.counts)
        ends = np.cumsum(self.counts[numbers]).tolist()
        yield from zip(numbers.tolist(), [0, *ends], ends, strict=False)

    def gather(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """Symbols (n,) from the pass's order to the tables'."""
        return symbols if self.order is None else symbols[self.order]

    def scatter(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """Symbols (n,) from the tables' order back to the pass's."""
        if self.order is None:
            return symbols
        out = np.empty_like(symbols)
        out[self.order] = symbols
        return out

    def escapes(self, coded: NDArray[np.int32]) -> NDArray[np.int64]:
        """Where coded (n,), in the tables' order, is the escape; listed in the pass's order."""
        at = np.flatnonzero(coded == self.escape)
        return at if self.order is None else at[np.argsort(self.order[at])]

    def edges(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first and the last symbol of the tables at the given places."""
        lo = self.offset[at].astype(np.int64)
        return lo, lo + self.escape[at] - 1
