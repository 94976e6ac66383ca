"""The cost of symbols is what the range coder spends on them."""

import numpy as np
import pytest

from latens.coding import Encoder
from latens.coding.cost import bits
from latens.coding.tables import Tables, integer_table
from latens.errors import UsageError

HALF = np.array([32768, 16384, 8192, 8192], np.int64)  # -1, 0, 1, escape


def test_a_symbol_costs_its_information() -> None:
    tables = Tables.stack([(-1, HALF)])
    assert bits(tables, np.array([-1, 0, 1]), np.zeros(3, int)).tolist() == [1.0, 2.0, 3.0]


def test_an_escape_costs_its_mass_its_class_and_its_raw_bits() -> None:
    tables = Tables.stack([(-1, HALF)])
    near, far = bits(tables, np.array([2, 2 + 1023]), np.zeros(2, int))
    assert near == pytest.approx(3 + 2, abs=0.1)  # the first class on either side has a quarter of the mass
    assert far - near == pytest.approx(10 + 10, abs=0.1)  # ten classes on, each of half the mass, and ten raw bits


def test_the_sum_is_the_length_of_the_payload() -> None:
    rng = np.random.default_rng(5)
    pmfs = [np.exp(-np.abs(np.arange(-20, 21)) / scale) for scale in (0.3, 1.0, 4.0)]
    tables = Tables.stack([integer_table(pmf / pmf.sum(), -20) for pmf in pmfs])
    index = rng.integers(0, 3, 20_000)
    symbols = np.rint(rng.laplace(0, np.array([0.3, 1.0, 4.0])[index])).astype(np.int32)
    symbols[::500] += 1000 * (-1) ** np.arange(40)
    encoder = Encoder(tables)
    encoder.push(symbols, index)
    assert bits(tables, symbols, index).sum() / 8 == pytest.approx(len(encoder.finish()), rel=1e-4, abs=5)


def test_symbols_that_cannot_be_coded_have_no_cost() -> None:
    tables = Tables.stack([(-1, HALF)])
    with pytest.raises(UsageError, match="do not fit int32"):
        bits(tables, np.array([2**31]), np.zeros(1, int))
    with pytest.raises(UsageError, match="table numbers"):
        bits(tables, np.array([1, 2]), np.zeros(1, int))
