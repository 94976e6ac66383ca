"""Colour of BPG files: filters by their definition, bands that do not show."""

import numpy as np
import pytest
from skimage import data

from latens.classic.bpg import colour
from latens.classic.bpg.colour import BAND, Planes, interpolated, to_pixels, to_planes
from latens.metrics import psnr

SITINGS = [(False, False), (False, True)]


def ramp(count: int, start: float, step: float) -> np.ndarray:
    return start + step * np.arange(count)


@pytest.mark.parametrize("taps", [colour.DECIMATION, colour.QUARTER, colour.HALF], ids=["1/2 down", "1/4", "1/2"])
def test_filters_keep_what_is_flat(taps: np.ndarray) -> None:
    assert taps.sum() == 1


def test_samples_lie_where_the_siting_says() -> None:
    """On a ramp, away from its ends, interpolation gives the ramp at the places of the luma samples."""
    plane = np.tile(ramp(20, 40, 8), (3, 1)).astype(np.uint8)
    between = interpolated(plane, (3, 40), 8, (False, False))[1, 10:30]
    on = interpolated(plane, (3, 40), 8, (False, True))[1, 10:30]
    assert abs(between - ramp(20, 40 - 2 + 4 * 10, 4)).max() <= 0.5
    assert abs(on - ramp(20, 40 + 4 * 10, 4)).max() <= 0.5


def test_decimation_lies_between_two_samples() -> None:
    grey = np.tile(ramp(40, 30, 4), (40, 1))
    half = colour._halved(colour._halved(grey, 1), 0)
    assert half.shape == (20, 20)
    assert np.allclose(half[:, 3:17], ramp(20, 32, 8)[3:17])


@pytest.mark.parametrize("sited", SITINGS)
@pytest.mark.parametrize("height", [1, 2, BAND - 1, BAND, BAND + 1, 3 * BAND + 5])
def test_bands_do_not_show(height: int, sited: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(height)
    plane = rng.integers(0, 256, (-(-height // 2), 5), np.uint8)
    whole = interpolated(plane, (height, 9), 8, sited)
    assert whole.shape == (height, 9)
    for top in range(0, height, BAND):
        rows = slice(top, min(top + BAND, height))
        assert np.array_equal(interpolated(plane, (height, 9), 8, sited, rows), whole[rows])


def test_halved_chroma_comes_back_better_than_by_means() -> None:
    pixels = np.asarray(data.astronaut())[:256, :256]
    planes = to_planes(pixels, True)
    assert [p.shape for p in planes if p is not None] == [(256, 256), (128, 128), (128, 128)]
    whole = to_planes(pixels, False)
    means = [
        np.rint(p.reshape(128, 2, 128, 2).mean((1, 3))).astype(np.uint8) for p in whole[1:] if p is not None
    ]
    by_means = Planes(whole.first, *means)
    ours, theirs = (psnr(pixels, to_pixels(p, 0, 8, False, (False, False))) for p in (planes, by_means))
    assert ours > theirs + 0.2


def test_limited_ycgco_has_one_gain_as_in_the_reference() -> None:
    y, cg, co = (np.array([[v]], np.uint8) for v in (126, 138, 148))
    expected = [(126 - 16 + d) * 255 / 219 for d in (-10 + 20, 10, -10 - 20)]
    assert to_pixels(Planes(y, cg, co), 2, 8, True, (False, False))[0, 0].tolist() == [round(v) for v in expected]
