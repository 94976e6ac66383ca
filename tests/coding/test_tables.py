"""Tables are validated on load, and integer_table rounds a pmf as well as integers can."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latens.coding import Tables, integer_table
from latens.coding.tables import TOTAL, _round_masses
from latens.errors import UsageError, WeightsError

GOOD = {
    "offsets": np.array([-1, 5], np.int32),
    "sizes": np.array([3, 2], np.int32),
    "masses": np.array([1, 2, TOTAL - 3, 65535, 1], np.uint16),
}


def bits(p: np.ndarray, masses: np.ndarray) -> float:
    """The expected length of code of p under masses."""
    return float(-(p * np.log2(masses / masses.sum())).sum())


def test_tables_survive_their_arrays_and_an_npz(tmp_path) -> None:
    np.savez(tmp_path / "tables.npz", **Tables.from_arrays(GOOD).to_arrays())
    with np.load(tmp_path / "tables.npz", allow_pickle=False) as arrays:
        loaded = Tables.from_arrays(arrays)
    assert len(loaded) == 2
    for name, array in loaded.to_arrays().items():
        assert array.dtype == GOOD[name].dtype and (array == GOOD[name]).all()
    assert loaded.table(1)[0] == 5 and loaded.table(1)[1].tolist() == [65535, 1]


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("masses", [1, 2, TOTAL - 4, 65535, 1], "table 0 sum to 65535"),
        ("masses", [0, 3, TOTAL - 3, 65535, 1], "mass 0 is 0"),
        ("masses", [1, 2, TOTAL - 3, 65536], "not uint16"),
        ("masses", [1, 2, TOTAL - 3, 65535], "sizes sum to 5"),
        ("masses", [1.0, 2.0, TOTAL - 3.0, 65535.0, 1.0], "float64"),
        ("sizes", [4, 1], "table 1 has 1 masses"),
        ("sizes", [6, -1], "table 1 has -1 masses"),
        ("sizes", [[3], [2]], "2 axes"),
        ("sizes", [3], "1 sizes, 2 offsets"),
        ("offsets", [0, 2**30 + 1], "leave -2"),
        ("offsets", [0, 2**31], "not int32"),
    ],
)
def test_arrays_that_break_a_rule_are_refused(name: str, array: list, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        Tables.from_arrays(GOOD | {name: np.array(array)})


def test_missing_and_empty_arrays_are_refused() -> None:
    with pytest.raises(WeightsError, match="lack sizes and masses"):
        Tables.from_arrays({"offsets": GOOD["offsets"]})
    with pytest.raises(WeightsError):
        Tables.from_arrays({name: np.array([], np.int32) for name in GOOD})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60).filter(sum), st.floats(0.5, 1))
@settings(max_examples=100, deadline=None)
def test_any_pmf_becomes_a_valid_table(weights: list[float], total: float) -> None:
    offset, masses = integer_table(np.array(weights) / sum(weights) * total, -7)
    Tables.stack([(offset, masses)])
    assert offset >= -7 and offset + len(masses) - 1 <= -7 + len(weights)


def test_the_rounding_is_the_best_of_all_roundings(monkeypatch) -> None:
    monkeypatch.setattr("latens.coding.tables.TOTAL", 12)
    rng = np.random.default_rng(0)
    grids = np.array([m for m in itertools.product(range(1, 10), repeat=4) if sum(m) == 12])
    for _ in range(100):
        p = rng.dirichlet([0.3] * 4)
        best = min(bits(p, masses) for masses in grids)
        assert bits(p, _round_masses(p)) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0, 40.0])
def test_a_laplacian_loses_less_than_a_thousandth_to_rounding_and_cut_tails(scale: float) -> None:
    k = np.arange(-2000, 2001)
    p = np.exp(-np.abs(k) / scale)
    p /= p.sum()
    offset, masses = integer_table(p, -2000)
    kept = p[offset + 2000 : offset + 2000 + len(masses) - 1]
    assert 1 - kept.sum() <= 2**-16
    entropy = float(-(p[p > 0] * np.log2(p[p > 0])).sum())
    assert bits(np.append(kept, 1 - kept.sum()), masses) <= entropy * 1.001 + 0.001


def test_a_pmf_that_is_all_tail_keeps_its_likeliest_symbol() -> None:
    offset, masses = integer_table(np.array([1e-9, 2e-9]), 3)
    assert offset == 4 and len(masses) == 2


@pytest.mark.parametrize("pmf", [[], [0.0], [-0.1, 1.1], [np.nan], [np.inf], [0.7, 0.7], [[1.0]]])
def test_what_is_no_distribution_is_refused(pmf: list) -> None:
    with pytest.raises(UsageError, match="no distribution"):
        integer_table(np.array(pmf, np.float64), 0)


def test_a_pmf_wider_than_the_masses_is_refused() -> None:
    with pytest.raises(UsageError, match="raise the tail"):
        integer_table(np.full(70_000, 1 / 70_000), 0, tail=0)
