"""Files of a wanted size, rate or fidelity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latens
from latens.errors import TargetError, TooLargeError, UsageError
from latens.metrics import decibels, ms_ssim, psnr

KINDS = ("size", "bpp", "psnr", "ms_ssim")


@pytest.fixture(scope="module")
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[60:316, 100:356])


def reached(kind: str, data: bytes, pixels: np.ndarray, weights: Path) -> float:
    if kind in ("size", "bpp"):
        return len(data) if kind == "size" else 8 * len(data) / pixels[..., 0].size
    came = latens.decode(data, weights=weights, output="array")
    return psnr(pixels, came) if kind == "psnr" else ms_ssim(pixels, came)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_target_between_the_ends_is_met_on_its_right_side(
    exported: dict[str, Path], pixels: np.ndarray, kind: str, share: float
) -> None:
    weights = exported["variable"]
    low, high = (
        reached(kind, latens.encode(pixels, quality=quality, model=weights), pixels, weights)
        for quality in (5, 95)
    )
    wanted = low + share * (high - low)
    data = latens.encode_to(pixels, **{kind: wanted}, model=weights)
    found = reached(kind, data, pixels, weights)
    if kind in ("size", "bpp"):
        assert 0.98 * wanted <= found <= wanted
    elif kind == "psnr":
        assert wanted <= found <= 1.02 * wanted
    else:
        assert decibels(wanted) <= decibels(found) <= 1.02 * decibels(wanted)
    assert 5 < latens.open(data).header.quality < 95


@pytest.mark.parametrize(
    ("target", "end", "message"),
    [
        ({"size": 100}, 0, r"no file of at most 100 bytes and within 2 % of it: the nearest, of quality [01]"),
        ({"bpp": 7.5}, 100, r"at most 7\.5000 bpp .* quality 100"),
        ({"psnr": 90.0}, 100, r"at least 90\.00 dB of PSNR"),
        ({"ms_ssim": 0.99999}, 100, r"at least 0\.99999 of MS-SSIM"),
    ],
)
def test_what_is_out_of_reach_is_said_and_the_closest_taken_if_asked(
    exported: dict[str, Path], pixels: np.ndarray, target: dict, end: float, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        latens.encode_to(pixels, **target, model=exported["variable"])
    data = latens.encode_to(pixels, **target, model=exported["variable"], closest=True)
    ((kind, wanted),) = target.items()
    last = latens.encode(pixels, quality=end, model=exported["variable"])
    found, best = (reached(kind, file, pixels, exported["variable"]) for file in (data, last))
    assert abs(found - wanted) <= abs(best - wanted)


def test_a_model_of_few_rates_offers_those(photograph: np.ndarray) -> None:
    sizes = [len(latens.encode(photograph, quality=q, model="balle2017")) for q in (10, 30, 50, 70, 90)]
    data = latens.encode_to(photograph, size=sizes[2] + 10, model="balle2017")
    assert len(data) == sizes[2]
    with pytest.raises(TargetError, match="balle2017 has 5 rates; the nearest, of quality 50"):
        latens.encode_to(photograph, size=sizes[2] * 1.1, model="balle2017")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({}, "0 targets are given"),
        ({"bpp": 0.5, "psnr": 30}, "2 targets are given, and there must be one of size, bpp, psnr, ms_ssim"),
        ({"bpp": 0}, "target bpp is 0, and must be a number above 0"),
        ({"psnr": float("nan")}, "target psnr is nan"),
        ({"ms_ssim": 1.0}, "target ms_ssim is 1, and must be between 0 and 1"),
    ],
)
def test_targets_that_mean_nothing_are_refused(pixels: np.ndarray, targets: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        latens.encode_to(pixels, **targets)


def test_a_target_that_an_effort_jumps_over_is_met_by_rounding(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latens import targets

    real = targets.coded

    def jumping(analysed: Any, quality: float, effort: int | None) -> Any:
        file = real(analysed, quality, 0)
        data = file.data if effort == 0 else file.data[: len(file.data) // 2] if quality < 50 else 2 * file.data
        return file._replace(data=data)

    monkeypatch.setattr(targets, "coded", jumping)
    picture = photograph[:128, :192]
    wanted = len(latens.encode(picture, quality=50, effort=0))
    assert 0.98 * wanted <= len(latens.encode_to(picture, size=wanted)) <= wanted
    with pytest.raises(TargetError):
        latens.encode_to(picture, size=wanted / 100)


@pytest.mark.parametrize("effort", [None, 0, 4])
def test_the_effort_asked_for_is_that_of_every_file_tried(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, effort: int | None
) -> None:
    from latens import targets

    real, seen = targets.coded, []

    def noted(analysed: Any, quality: float, effort: int | None = None) -> Any:
        seen.append(effort)
        return real(analysed, quality, 0)

    monkeypatch.setattr(targets, "coded", noted)
    latens.encode_to(photograph[:32, :48], size=150, closest=True, effort=effort)
    tried = seen.index(0) if 0 in seen and effort != 0 else len(seen)  # then by rounding, where no file met it
    assert tried > 0 and set(seen[:tried]) == {effort} and set(seen[tried:]) <= {0}


def test_a_picture_of_too_many_pixels_is_refused(photograph: np.ndarray) -> None:
    with pytest.raises(TooLargeError, match="max-pixels"):
        latens.encode_to(photograph[:1, :2], size=100, max_pixels=1)


@pytest.mark.parametrize("kind", ["size", "psnr"])
def test_what_a_file_of_a_flat_picture_reaches_can_be_had_for_no_more(kind: str) -> None:
    """Finer files of flat ground may be smaller: bisecting alone stops at larger ones, or at none."""
    white = np.full((128, 160, 3), 255, np.uint8)
    for quality in (0, 25, 60, 100):
        file = latens.encode(white, quality=quality)
        wanted = len(file) if kind == "size" else psnr(white, latens.decode(file, output="array"))
        data = latens.encode_to(white, **{kind: wanted})
        assert len(data) <= len(file)
        if kind == "psnr":
            assert wanted <= psnr(white, latens.decode(data, output="array")) <= 1.02 * wanted
        else:
            assert len(data) >= 0.98 * wanted


def test_a_high_ms_ssim_is_not_overshot(pixels: np.ndarray) -> None:
    """Near 1, 2 % of the value itself are all files there are."""
    found = {q: latens.encode(pixels, quality=q, effort=0) for q in (60, 62, 64, 66, 68, 70)}
    reaches = {q: ms_ssim(pixels, latens.decode(data, output="array")) for q, data in found.items()}
    wanted = reaches[64] - 1e-6
    data = latens.encode_to(pixels, ms_ssim=wanted, effort=0)
    assert wanted <= ms_ssim(pixels, latens.decode(data, output="array")) < reaches[66]
    assert len(data) < len(found[66])
