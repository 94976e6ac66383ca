"""The checksum of symbols depends on their values and order, and on nothing else."""

import numpy as np

from latens.coding import symbols_check


def test_the_check_is_frozen_and_fits_24_bits() -> None:
    assert symbols_check(np.array([0, 1, -1, 2**31 - 1, -(2**31)])) == 0x1420A8
    assert symbols_check(np.array([], np.int32)) == 0


def test_the_check_sees_neither_dtype_nor_byte_order_nor_memory_layout() -> None:
    symbols = np.arange(-6, 6).reshape(3, 4)
    expected = symbols_check(symbols)
    for same in [symbols.astype("i1"), symbols.astype(">i4"), np.asfortranarray(symbols), symbols.ravel()]:
        assert symbols_check(same) == expected
    assert symbols_check(symbols.T) != expected
