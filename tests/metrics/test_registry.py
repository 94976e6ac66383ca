"""Metrics by id."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from latens.errors import MissingExtraError, UsageError
from latens.metrics import METRICS, measure_all

AVAILABLE = [name for name, metric in METRICS.items() if metric.available()]


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_ids_are_keys_and_libraries_have_versions() -> None:
    assert all(metric.id == name for name, metric in METRICS.items())
    assert all(any(c.isdigit() for c in metric.library()) for metric in METRICS.values() if metric.available())
    assert [metric.id for metric in METRICS.values() if not metric.default] == ["vmaf"]


def test_default_metrics_need_no_package_of_others() -> None:
    assert all(metric.package == "latens" for metric in METRICS.values() if metric.default)


def test_the_library_of_a_missing_package_is_refused_with_the_extra() -> None:
    metric = replace(METRICS["vmaf"], package="no-such-package-for-latens")
    assert not metric.available()
    with pytest.raises(MissingExtraError, match=r"VMAF needs pip install 'latens\[vmaf\]'"):
        metric.library()


@pytest.mark.parametrize("name", AVAILABLE)
def test_every_metric_grows_better_with_jpeg_quality(name: str, photograph: np.ndarray) -> None:
    metric = METRICS[name]
    picture = photograph[:256, 100:356]
    scores = [metric.function(picture, jpeg(picture, quality)) for quality in (5, 15, 30, 50, 75, 95)]
    best = metric.function(picture, picture)
    expected = sorted([*scores, best], reverse=metric.better == "lower")
    assert [*scores, best] == expected
    assert len(set(scores)) == len(scores)


def test_what_is_asked_for_is_measured_and_nothing_else(photograph: np.ndarray) -> None:
    worse = photograph // 8 * 8
    found = measure_all(photograph, worse, ["ms_ssim", "psnr_rgb"])
    assert list(found) == ["ms_ssim", "psnr_rgb"]
    assert 30 < found["psnr_rgb"] < 40


def test_a_metric_that_a_picture_is_too_small_for_is_no_number(photograph: np.ndarray) -> None:
    small = photograph[:100, :100]
    found = measure_all(small, small, AVAILABLE)
    assert math.isnan(found["ms_ssim"])
    assert found["psnr_rgb"] == math.inf
    assert found["ssim"] == 1
    assert math.isfinite(found["ssimulacra2"])
    dot = measure_all(small[:1, :1], small[:1, :1] // 2, AVAILABLE)
    assert {name for name, value in dot.items() if math.isfinite(value)} == {"psnr_rgb", "psnr_y"}


def test_unknown_metrics_are_refused_by_name(photograph: np.ndarray) -> None:
    with pytest.raises(UsageError, match="metric is 'lpips', and must be one of psnr_rgb"):
        measure_all(photograph, photograph, ["lpips"])


@pytest.mark.parametrize("name", AVAILABLE)
def test_measuring_leaves_the_pictures_as_they_were(name: str, photograph: np.ndarray) -> None:
    a, b = photograph[:200, :200].copy(), photograph[1:201, :200].copy()
    a.flags.writeable = b.flags.writeable = False
    METRICS[name].function(a, b)
