"""The payload of docs/format.md written again, in plain Python integers, sharing no code with latens.coding.

Slow and short. What the fast coder writes must be what this writes.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from latens.coding import Encoder, Tables

Table = tuple[int, Sequence[int]]
Interval = tuple[int, int]  # cumulative mass and mass, of 2^24

CLASS_MASSES = [mass for k in range(32) for mass in [16368 if k == 0 else 2 ** max(0, 14 - k)] * 2]


def of_table(masses: Sequence[int], place: int) -> Interval:
    return sum(masses[:place]) << 8, masses[place] << 8


def uniform(value: int, bits: int) -> Interval:
    return value << 24 - bits, 1 << 24 - bits


def intervals(tables: Sequence[Table], symbols: Sequence[int], index: Sequence[int]) -> Iterable[Interval]:
    """One pass, symbol by symbol."""
    escaped = set()
    for at in sorted(range(len(index)), key=lambda at: index[at]):
        offset, masses = tables[index[at]]
        place = symbols[at] - offset
        if not 0 <= place < len(masses) - 1:
            place = len(masses) - 1
            escaped.add(at)
        yield of_table(masses, place)
    numbers = []
    for at in sorted(escaped):
        lo, masses = tables[index[at]]
        hi = lo + len(masses) - 2
        below = symbols[at] < lo
        numbers.append(lo - symbols[at] if below else symbols[at] - hi)
        yield of_table(CLASS_MASSES, 2 * (numbers[-1].bit_length() - 1) + below)
    for number in numbers:
        if bits := min(number.bit_length() - 1, 16):
            yield uniform(number % 2**bits, bits)
    for number in numbers:
        if (bits := number.bit_length() - 17) > 0:
            yield uniform(number // 2**16 % 2**bits, bits)


def payload(coded: Iterable[Interval]) -> bytes:
    """The range coder, without carries: ``low`` is one large number."""
    low, span, words = 0, 2**64 - 1, 0
    for cumulative, mass in coded:
        scale = span >> 24
        low, span = low + scale * cumulative, scale * mass
        if span < 2**32:
            low, span, words = low << 32, span << 32, words + 1
    if span == 2**64 - 1:
        return b""
    number = (low + 2**32 - 1 >> 32).to_bytes(4 * (words + 1), "big")
    return b"".join(number[at : at + 4][::-1] for at in range(0, len(number), 4)).rstrip(b"\0")


def random_table(rng: np.random.Generator) -> Table:
    """Two to forty masses of very different sizes."""
    masses = 1 + (rng.dirichlet([0.3] * int(rng.integers(2, 40))) * 60_000).astype(int)
    masses[0] += 2**16 - masses.sum()
    return int(rng.choice([-(2**30), -20, 0, 2**30])), masses.tolist()


@pytest.mark.parametrize("seed", range(40))
def test_the_bytes_are_those_of_the_specification_in_plain_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = [random_table(rng) for _ in range(5)]
    encoder = Encoder(Tables.stack((offset, np.array(masses)) for offset, masses in tables))
    coded: list[Interval] = []
    for count in rng.integers(0, 400, 3):
        index = rng.integers(0, 5, count)
        near = np.array([tables[number][0] for number in index], np.int64) + rng.integers(-3, 45, count)
        far = rng.integers(-(2**31), 2**31, count) >> rng.integers(0, 31, count)
        symbols = np.where(rng.random(count) < 0.9, near, far)
        encoder.push(symbols, index)
        coded += intervals(tables, symbols.tolist(), index.tolist())
    assert encoder.finish() == payload(coded)
