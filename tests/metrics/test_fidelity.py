"""PSNR of the luma, and what all metrics refuse."""

import math
import tracemalloc

import numpy as np
import pytest

from latens.errors import UsageError
from latens.metrics import METRICS, psnr, psnr_y


def test_a_grey_error_is_the_same_in_luma() -> None:
    a = np.full((8, 9, 3), 100, np.uint8)
    assert psnr_y(a, a + np.uint8(5)) == pytest.approx(34.1514036, abs=1e-6)
    assert psnr_y(a, a) == math.inf


@pytest.mark.parametrize(("channel", "weight"), [(0, 0.299), (1, 0.587), (2, 0.114)])
def test_channels_count_as_bt_601_says(channel: int, weight: float) -> None:
    a = np.full((4, 4, 3), 100, np.uint8)
    b = a.copy()
    b[..., channel] += 20
    assert psnr_y(a, b) == pytest.approx(20 * math.log10(255 / (20 * weight)), abs=1e-9)


def test_psnr_is_exact_and_needs_no_plane_of_wide_integers() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 256, (2, 2048, 512, 3), np.uint8)
    tracemalloc.start()
    found = psnr(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    squares = sum(int(((x.astype(int) - y) ** 2).sum()) for x, y in zip(a, b, strict=True))
    assert found == 10 * math.log10(255**2 * a.size / squares)
    assert peak < 2 * a.nbytes


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_only_pictures_of_one_size_and_8_bits_are_measured(metric) -> None:
    a = np.zeros((176, 176, 3), np.uint8)
    for wrong in (a.astype(float), a[..., 0], a[..., :2], a[:0]):
        with pytest.raises(UsageError, match="uint8 pictures"):
            metric.function(wrong, wrong)
    with pytest.raises(UsageError, match=r"\(176, 176, 3\) and \(176, 175, 3\)"):
        metric.function(a, a[:, :-1])
