"""PSNR and MS-SSIM against known answers, against pytorch-msssim, and against yesterday."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latens.errors import UnsupportedPictureError, UsageError
from latens.metrics import MIN_SIDE, Quality, decibels, measure, ms_ssim, psnr, ssim

Picture = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(name: str) -> Picture:
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return np.asarray(getattr(data, name)())


def jpeg(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = noise(261, 190)
    b = jpeg(a, 40)
    whole = ms_ssim(a, b), ssim(a, b)
    for positions in (1, 5000):
        monkeypatch.setattr("latens.metrics.structure.POSITIONS", positions)
        assert (ms_ssim(a, b), ssim(a, b)) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(("step", "expected"), [(1, 48.1308036), (5, 34.1514036), (255, 0.0)])
def test_psnr_of_a_constant_error_is_the_textbook_value(step: int, expected: float) -> None:
    a = np.zeros((7, 5, 3), np.uint8)
    assert psnr(a, a + np.uint8(step)) == pytest.approx(expected, abs=1e-7)


def test_psnr_takes_one_mean_over_all_channels() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[..., 2] = 30
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 300), abs=1e-12)


def test_psnr_does_not_wrap_where_bytes_would() -> None:
    a, b = np.full((1, 1, 3), 250, np.uint8), np.full((1, 1, 3), 5, np.uint8)
    assert psnr(a, b) == psnr(b, a) == pytest.approx(20 * math.log10(255 / 245), abs=1e-12)


def test_identical_pictures_have_infinite_psnr_and_ms_ssim_1() -> None:
    a = noise(176, 200)
    assert measure(a, a) == Quality(math.inf, 1.0)
    assert measure(a, a).ms_ssim_db == math.inf


def test_flat_pictures_leave_only_the_luminance_of_the_coarsest_scale() -> None:
    # (2 * 100 * 120 + C1) / (100^2 + 120^2 + C1), C1 = 2.55^2, to the power 0.1333; sides divide by 16
    a, b = np.full((176, 192, 3), 100, np.uint8), np.full((176, 192, 3), 120, np.uint8)
    assert ms_ssim(a, b) == pytest.approx((24006.5025 / 24406.5025) ** 0.1333, abs=1e-12)


def test_ms_ssim_is_symmetric() -> None:
    a, b = noise(161, 170, seed=1), noise(161, 170, seed=2)
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-12)


def test_an_inverted_picture_scores_zero_and_not_nan() -> None:
    a = noise(200, 176)
    assert ms_ssim(a, 255 - a) == 0.0


def test_ms_ssim_of_a_fixed_pattern_stays_what_it_was() -> None:
    r, c = np.mgrid[0:176, 0:209]
    waves = [127.5 + 60 * np.sin(r / k) + 60 * np.cos(c / (k + 2)) for k in (3, 7, 19)]
    a = np.stack(waves, axis=-1).astype(np.uint8)
    b = (a // 32 * 32 + 16).astype(np.uint8)
    assert psnr(a, b) == pytest.approx(28.7794235, abs=1e-6)
    assert ms_ssim(a, b) == pytest.approx(0.95478090, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "size"),
    [("astronaut", (512, 512)), ("coffee", (400, 600)), ("chelsea", (300, 451)), ("coffee", (161, 173))],
)
def test_ms_ssim_is_that_of_pytorch_msssim(name: str, size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    reference = pytest.importorskip("pytorch_msssim", reason="pytorch-msssim is not installed")

    def tensor(picture: Picture) -> Any:
        return torch.tensor(picture).permute(2, 0, 1)[None].double()

    original = photo(name)[: size[0], : size[1]]
    noisy = original + np.random.default_rng(5).normal(0, 20, original.shape)
    for distorted in (jpeg(original, 5), jpeg(original, 40), np.clip(noisy, 0, 255).astype(np.uint8)):
        expected = float(reference.ms_ssim(tensor(original), tensor(distorted), data_range=255))
        assert ms_ssim(original, distorted) == pytest.approx(expected, abs=1e-5)


def test_psnr_of_a_photo_is_that_of_scikit_image() -> None:
    reference = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    a = photo("coffee")
    b = jpeg(a, 30)
    assert psnr(a, b) == pytest.approx(float(reference.peak_signal_noise_ratio(a, b)), abs=1e-9)


@pytest.mark.parametrize(("value", "expected"), [(0.9, 10.0), (0.99, 20.0), (0.0, 0.0), (1.0, math.inf)])
def test_decibels_count_the_distance_to_1(value: float, expected: float) -> None:
    assert decibels(value) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("value", [1.0001, math.nan])
def test_decibels_refuse_what_is_no_ms_ssim(value: float) -> None:
    with pytest.raises(UsageError, match="at most 1"):
        decibels(value)


@pytest.mark.parametrize("size", [(160, 500), (500, 160), (1, 1)])
def test_pictures_too_small_for_five_scales_are_refused(size: tuple[int, int]) -> None:
    a = noise(*size)
    with pytest.raises(UnsupportedPictureError, match=rf"{size[1]}x{size[0]} pixels.*at least 161"):
        ms_ssim(a, a)


def test_the_smallest_picture_with_five_scales_is_taken() -> None:
    a = noise(MIN_SIDE, MIN_SIDE)
    assert 0 < ms_ssim(a, jpeg(a, 90)) < 1


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((200, 200, 3), np.float32),
        np.zeros((200, 200), np.uint8),
        np.zeros((200, 200, 4), np.uint8),
        np.zeros((0, 200, 3), np.uint8),
    ],
)
@pytest.mark.parametrize("metric", [psnr, ms_ssim])
def test_anything_but_8_bit_rgb_is_refused(metric: Any, picture: NDArray[Any]) -> None:
    with pytest.raises(UsageError, match="uint8 pictures"):
        metric(picture, picture)


@pytest.mark.parametrize("metric", [psnr, ms_ssim])
def test_pictures_of_different_sizes_are_refused(metric: Any) -> None:
    with pytest.raises(UsageError, match="same size"):
        metric(noise(200, 200), noise(200, 201))


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_ssim_is_that_of_scikit_image(quality: int) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    original = photo("astronaut")[:200, :240]
    decoded = jpeg(original, quality)
    _, found = metrics.structural_similarity(
        original, decoded, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, full=True,
    )  # fmt: skip
    inside = found[5:-5, 5:-5]  # where the window lies wholly inside the picture
    assert ssim(original, decoded) == pytest.approx(inside.mean(), abs=1e-9)


def test_ssim_of_pictures_smaller_than_its_window_is_refused() -> None:
    tiny = np.zeros((10, 300, 3), np.uint8)
    with pytest.raises(UnsupportedPictureError, match="at least 11"):
        ssim(tiny, tiny)
