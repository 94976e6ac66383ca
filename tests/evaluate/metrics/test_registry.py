"""Metrics by id."""

import math

import numpy as np
import pytest

from latens.errors import UsageError
from latens.evaluate.metrics import METRICS, measure_all


def test_ids_are_keys_and_libraries_have_versions() -> None:
    assert all(metric.id == name for name, metric in METRICS.items())
    assert all(any(c.isdigit() for c in metric.library()) for metric in METRICS.values() if metric.available())
    assert METRICS["psnr_rgb"].default


def test_what_is_asked_for_is_measured_and_nothing_else(photograph: np.ndarray) -> None:
    worse = photograph // 8 * 8
    found = measure_all(photograph, worse, ["ms_ssim", "psnr_rgb"])
    assert list(found) == ["ms_ssim", "psnr_rgb"]
    assert 30 < found["psnr_rgb"] < 40


def test_a_metric_that_a_picture_is_too_small_for_is_no_number(photograph: np.ndarray) -> None:
    small = photograph[:100, :100]
    found = measure_all(small, small, list(METRICS))
    assert math.isnan(found["ms_ssim"])
    assert found["psnr_rgb"] == math.inf
    assert found["ssim"] == 1


def test_unknown_metrics_are_refused_by_name(photograph: np.ndarray) -> None:
    with pytest.raises(UsageError, match="metric is 'lpips', and must be one of psnr_rgb"):
        measure_all(photograph, photograph, ["lpips"])
