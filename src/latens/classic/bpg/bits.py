"""Bits as BPG and HEVC write them: most significant first.

    u(n)    n bits                              u(1) is a flag
    ue(v)   Exp-Golomb, HEVC section 9.2
    ue7     7 bits a byte, a set top bit means more follow; shortest form only
"""

from __future__ import annotations

from latens.errors import UnreadablePictureError

MOST_UE = 32  # leading zeros of an Exp-Golomb code in HEVC at most


class Reader:
    """Bits of ``data``; reading past its end raises UnreadablePictureError."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.what, self.position = data, what, 0

    def u(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        end = self.position + count
        if end > 8 * len(self.data):
            raise UnreadablePictureError(f"{self.what} ends after {len(self.data)} bytes, before its last field")
        first, last = self.position // 8, -(-end // 8)
        value = int.from_bytes(self.data[first:last], "big") >> (8 * last - end)
        self.position = end
        return value & ((1 << count) - 1)

    def flag(self) -> bool:
        """u(1)."""
        return self.u(1) == 1

    def ue(self) -> int:
        """Exp-Golomb."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > MOST_UE:
                raise UnreadablePictureError(f"{self.what} has an Exp-Golomb code of more than {MOST_UE} zeros")
        return (1 << zeros) - 1 + self.u(zeros)

    def ue7(self) -> int:
        """At most 32 bits; UnreadablePictureError for a longer form than needed."""
        value = 0
        for count in range(5):
            byte = self.u(8)
            if count == 0 and byte == 0x80:
                raise UnreadablePictureError(f"{self.what} has a number that is not in its shortest form")
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                break
        else:
            raise UnreadablePictureError(f"{self.what} has a number of more than 5 bytes")
        if value >= 1 << 32:
            raise UnreadablePictureError(f"{self.what} has the number {value}, above 32 bits")
        return value


class Writer:
    """Bits, collected."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def u(self, count: int, value: int) -> Writer:
        """``value`` in ``count`` bits."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit {count} bits")
        self.bits += [value >> k & 1 for k in reversed(range(count))]
        return self

    def ue(self, value: int) -> Writer:
        """Exp-Golomb."""
        length = (value + 1).bit_length()
        return self.u(2 * length - 1, value + 1)

    def bytes(self, stop: bool = False) -> bytes:
        """Zero bits to the byte; ``stop`` puts HEVC's one bit before them."""
        bits = self.bits + [1] * stop
        bits += [0] * (-len(bits) % 8)
        return int("".join(map(str, bits)) or "0", 2).to_bytes(len(bits) // 8, "big")


def ue7(value: int) -> bytes:
    """``value`` in its shortest form."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def escape(payload: bytes) -> bytes:
    """A NAL unit's payload with emulation prevention, HEVC section 7.3.1.1: 00 00 0x becomes 00 00 03 0x."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def unescape(payload: bytes) -> bytes:
    """The inverse of `escape`."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
