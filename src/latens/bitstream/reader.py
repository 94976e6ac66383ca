"""Bytes and varints from a stream; every short read is a TruncatedError that says what was missing."""

from typing import BinaryIO

from latens.errors import FormatError, TruncatedError

VARINT_BYTES = 5
VARINT_LIMIT = 1 << 32


def varint(value: int) -> bytes:
    """The shortest LEB128 form of ``value``, 1 to 5 bytes; FormatError unless 0 <= value < 2^32."""
    if not 0 <= value < VARINT_LIMIT:
        raise FormatError(f"{value} does not fit a varint: the limit is 2^32 - 1")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Takes bytes from a stream, which need not be seekable, and keeps those taken since ``start``.

    ``taken`` is what a checksum covers: call ``start()`` where its range begins.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.taken = bytearray()

    def start(self) -> None:
        """Begin a new checksum range here."""
        self.taken.clear()

    def some(self, count: int) -> bytes:
        """Up to ``count`` bytes; fewer only at the end of the stream. Unlike ``take``, does not complain."""
        found = bytearray()
        while len(found) < count and (piece := self.stream.read(count - len(found))):
            found += piece
        self.taken += found
        return bytes(found)

    def take(self, count: int, what: str) -> bytes:
        """Exactly ``count`` bytes of ``what``; TruncatedError if the stream ends before them.

        The caller vouches for ``count``: one read from a file is first compared with what remains.
        """
        found = self.some(count)
        if len(found) < count:
            raise TruncatedError(f"the file ends in its {what}: {len(found)} of {count} bytes are there")
        return found

    def number(self, count: int, what: str) -> int:
        """``count`` bytes as a little-endian unsigned integer."""
        return int.from_bytes(self.take(count, what), "little")

    def varint(self, what: str) -> int:
        """A varint in its shortest form, below 2^32; FormatError if it is neither."""
        value = 0
        for place in range(VARINT_BYTES):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if byte == 0 and place:
                    raise FormatError(f"the {what} {value} takes {place + 1} bytes, not its shortest")
                if value >= VARINT_LIMIT:
                    raise FormatError(f"the {what} {value} is above the limit of 2^32 - 1")
                return value
        raise FormatError(f"the {what} is a varint of more than {VARINT_BYTES} bytes")
