"""The wavefront visits what raster order does, and never too early."""

import numpy as np
import pytest

from latens.entropy.order import raster, wavefront
from latens.transforms import MaskedConv

SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (8, 12)]


def visits(steps: list, rows: int, columns: int) -> np.ndarray:
    when = np.full((rows, columns), -1)
    for number, (_, _, r, c) in enumerate(steps):
        assert r.shape == c.shape == (r.size, 1) and r.size
        assert (when[r, c] == -1).all()
        when[r, c] = number
    return when


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("order", [wavefront, raster])
def test_every_position_comes_once_and_after_all_that_its_mask_sees(order, rows: int, columns: int) -> None:
    when = visits(order(rows, columns), rows, columns)
    assert (when >= 0).all()
    for r, c in np.ndindex(rows, columns):
        for i, j in MaskedConv(1, 1, 5).offsets:
            if r + i >= 0 and 0 <= c + j < columns:
                assert when[r + i, c + j] < when[r, c]


def test_a_plane_of_32_by_48_takes_141_steps() -> None:
    assert len(wavefront(32, 48)) == 48 + 3 * 31
    assert len(raster(32, 48)) == 1536


def test_positions_of_one_step_stand_by_rising_row() -> None:
    for _, _, r, _ in wavefront(8, 12):
        assert (np.diff(r[:, 0]) > 0).all()
