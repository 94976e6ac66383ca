"""The table of scales: its ends, its spacing, its masses."""

import math

import numpy as np
import pytest

from latens.entropy.scales import COUNT, LARGEST, SMALLEST, gaussian_pmf, position, sigmas


def test_the_scales_rise_evenly_in_their_logarithm_from_end_to_end() -> None:
    table = sigmas()
    assert len(table) == COUNT and table[0] == pytest.approx(SMALLEST) and table[-1] == pytest.approx(LARGEST)
    assert np.ptp(np.diff(np.log(table))) < 1e-12
    assert table[1] / table[0] < 1.14


def test_positions_undo_the_table_and_stay_inside() -> None:
    assert [position(sigma) for sigma in sigmas()] == pytest.approx(list(range(COUNT)), abs=1e-9)
    assert position(0.0) == 0 and position(1e9) == COUNT - 1


@pytest.mark.parametrize("sigma", [0.11, 0.5, 1.0, 7.3, 256.0])
def test_a_pmf_is_a_gaussian_over_the_integers(sigma: float) -> None:
    masses, first = gaussian_pmf(sigma)
    assert len(masses) == 1 - 2 * first and np.array_equal(masses, masses[::-1])
    assert 1 - 2.0**-19 < masses.sum() <= 1 + 1e-12
    for n in (0, 1, 2):
        if n <= -first:
            edges = [math.erf((n + side) / sigma / math.sqrt(2)) for side in (-0.5, 0.5)]
            assert masses[n - first] == pytest.approx((edges[1] - edges[0]) / 2, rel=1e-9, abs=1e-15)
    if sigma > 2:
        n = np.arange(first, 1 - first)
        assert np.sqrt((masses * n**2).sum()) == pytest.approx(math.sqrt(sigma**2 + 1 / 12), rel=1e-3)
