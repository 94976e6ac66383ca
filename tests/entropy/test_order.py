"""The wavefront visits what raster order does, and never too early; four passes visit all of a square."""

import numpy as np
import pytest

from latens.entropy.order import passes, raster, squares, unsquared, wavefront, within
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


def test_squares_are_channels_and_positions_again() -> None:
    y = np.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    found = squares(y)
    assert found.shape == (2, 12, 3, 4)
    for c, r, s in np.ndindex(3, 2, 2):
        assert np.array_equal(found[:, 4 * c + 2 * r + s], y[:, c, r::2, s::2])
    assert np.array_equal(unsquared(found), y)


def test_squares_are_the_same_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="compares frameworks")
    y = torch.arange(2 * 3 * 6 * 8).view(2, 3, 6, 8)
    assert torch.equal(squares(y), torch.nn.functional.pixel_unshuffle(y, 2))
    assert torch.equal(unsquared(squares(y)), y)


def test_four_passes_code_everything_once_and_a_quarter_of_the_channels_everywhere() -> None:
    parts = passes(12)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(48))
    for part in parts:
        assert np.array_equal(part // 4, np.arange(12)), "each channel once"
        assert np.array_equal(np.bincount(part % 4), [3, 3, 3, 3])


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_what_is_within_a_plane_are_its_positions(rows: int, columns: int) -> None:
    """The mask of squares, put back in place."""
    mask = unsquared(within(rows, columns)[None])[0, 0]
    assert mask[:rows, :columns].all() and mask.sum() == rows * columns
