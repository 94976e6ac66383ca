"""The checksum of symbols depends on their values and order, and on nothing else."""

import numpy as np

from latens.coding import SymbolsCheck


def check_of(*parts: np.ndarray) -> int:
    check = SymbolsCheck()
    for part in parts:
        check.see(part)
    return check.value


def test_the_check_is_frozen_and_fits_24_bits() -> None:
    assert check_of(np.array([0, 1, -1, 2**31 - 1, -(2**31)])) == 0x1420A8
    assert check_of(np.array([], np.int32)) == 0


def test_the_check_sees_neither_dtype_nor_byte_order_nor_memory_layout() -> None:
    symbols = np.arange(-6, 6).reshape(3, 4)
    expected = check_of(symbols)
    for same in [symbols.astype("i1"), symbols.astype(">i4"), np.asfortranarray(symbols), symbols.ravel()]:
        assert check_of(same) == expected
    assert check_of(symbols.T) != expected


def test_the_check_does_not_see_where_one_part_ends() -> None:
    symbols = np.arange(-6, 6)
    assert check_of(symbols[:5], symbols[:0], symbols[5:]) == check_of(symbols) != check_of(symbols[5:])
