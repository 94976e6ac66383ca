"""BD-rate on curves with known answers, on the published curves, and on curves that have none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from latens import evaluate
from latens.errors import UsageError
from latens.evaluate.bdrate import BdRate, Curve, bd_rate

ANCHORS = Path(evaluate.__file__).parent / "anchors" / "kodak.json"

JPEG = Curve(
    "jpeg",
    [0.33, 0.51, 0.73, 0.96, 1.24, 1.86, 3.40],
    [26.6, 29.0, 30.9, 32.4, 33.8, 36.3, 40.6],
)
JPEG2000 = Curve("jpeg2000", [0.126, 0.24, 0.48, 0.80, 1.20, 2.40], [26.4, 28.4, 31.1, 33.5, 35.7, 39.8])


def scaled(curve: Curve, factor: float) -> Curve:
    return Curve("scaled", [factor * bpp for bpp in curve.bpp], curve.quality)


@pytest.mark.parametrize("factor", [0.5, 0.86, 1.0, 1.25])
def test_a_curve_of_scaled_rates_costs_exactly_the_scale(factor: float) -> None:
    result = bd_rate(JPEG, scaled(JPEG, factor))
    assert result.percent == pytest.approx(100 * (factor - 1), abs=1e-9)


def test_a_straight_line_in_log_rate_gives_the_integral_done_by_hand() -> None:
    # log10(bpp) = (q - 30) / 10 against (q - 30) / 8: their mean difference over 30-34 is 0.05
    quality = [26.0, 30.0, 34.0, 38.0]
    anchor = Curve("a", [10 ** ((q - 30) / 10) for q in quality], quality)
    test = Curve("b", [10 ** ((q - 30) / 8) for q in quality], quality)
    result = bd_rate(anchor, test, low=30, high=34)
    assert result.percent == pytest.approx(100 * (10**0.05 - 1), abs=1e-9)


def test_points_outside_the_range_do_not_count_but_those_beside_it_shape_the_curve() -> None:
    bent = Curve("bent", [*JPEG.bpp[:-1], 9.9], JPEG.quality)
    assert bd_rate(JPEG, bent, high=33).percent == pytest.approx(0, abs=1e-9)
    assert abs(bd_rate(JPEG, bent, high=37).percent) > 0.1


def test_swapping_anchor_and_test_inverts_the_ratio_of_rates() -> None:
    one = bd_rate(JPEG, JPEG2000).percent
    other = bd_rate(JPEG2000, JPEG).percent
    assert (1 + one / 100) * (1 + other / 100) == pytest.approx(1, abs=1e-12)


def test_the_order_of_points_does_not_matter() -> None:
    backwards = Curve("backwards", JPEG2000.bpp[::-1], JPEG2000.quality[::-1])
    assert bd_rate(JPEG, backwards).percent == bd_rate(JPEG, JPEG2000).percent


def test_the_number_of_these_two_curves_stays_what_it_was() -> None:
    assert bd_rate(JPEG, JPEG2000).percent == pytest.approx(-35.4648, abs=1e-4)


def test_over_the_whole_overlap_it_is_the_number_of_the_package() -> None:
    import bjontegaard

    expected = bjontegaard.bd_rate(
        JPEG.bpp, JPEG.quality, JPEG2000.bpp, JPEG2000.quality, method="pchip", require_matching_points=False
    )
    assert bd_rate(JPEG, JPEG2000, low=0, high=99).percent == pytest.approx(float(expected), abs=1e-9)


def test_a_result_prints_anchor_metric_and_range() -> None:
    result = BdRate(-25.04, 28.0, 37.0, "PSNR-RGB", "jpeg", "balle2017", (28.0, 37.0))
    assert str(result) == "balle2017 vs jpeg: -25.0 % (PSNR-RGB, 28-37 dB)"
    assert not result.shrunk


def test_a_range_that_the_curves_do_not_cover_shrinks_and_says_so() -> None:
    short = Curve("short", JPEG.bpp[1:5], JPEG.quality[1:5])
    result = bd_rate(JPEG, short)
    assert (result.low, result.high) == (29.0, 33.8)
    assert result.shrunk
    assert "29-33.8 dB, asked for 28-37" in str(result)


def test_curves_that_do_not_overlap_are_refused_with_their_spans() -> None:
    high = Curve("high", JPEG.bpp, [q + 20 for q in JPEG.quality])
    with pytest.raises(UsageError, match=r"jpeg \(26.6-40.6\), high \(46.6-60.6\)"):
        bd_rate(JPEG, high, high=60)


def test_curves_that_overlap_only_outside_the_range_are_refused() -> None:
    with pytest.raises(UsageError, match="range 41-45"):
        bd_rate(JPEG, JPEG2000, low=41, high=45)


def test_a_curve_that_falls_is_refused_naming_the_two_points() -> None:
    bent = Curve("bent", [0.2, 0.4, 0.8, 1.6], [28, 33, 31, 37])
    with pytest.raises(UsageError, match=r"bent does not rise from \(0.4 bpp, 33 dB\) to \(0.8 bpp, 31 dB\)"):
        bd_rate(JPEG, bent)


def test_two_points_of_one_rate_are_refused() -> None:
    with pytest.raises(UsageError, match="does not rise from"):
        bd_rate(JPEG, Curve("twice", [0.2, 0.4, 0.4, 1.6], [28, 30, 31, 37]))


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_lossless_or_missing_point_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="8 bpp"):
        bd_rate(JPEG, Curve("odd", [0.2, 0.4, 1.6, 8], [28, 30, 37, value]))


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        bd_rate(JPEG, Curve("free", [0, 0.4, 0.8, 1.6], [28, 30, 32, 37]))


def test_a_point_given_twice_is_one_point() -> None:
    again = Curve("again", [JPEG.bpp[2], *JPEG.bpp], [JPEG.quality[2], *JPEG.quality])
    assert bd_rate(JPEG, again) == bd_rate(JPEG, Curve("again", JPEG.bpp, JPEG.quality))
    with pytest.raises(UsageError, match="3 points: BD-rate needs at least 4"):
        bd_rate(JPEG, Curve("few", [0.2, 0.2, 0.4, 0.8], [28, 28, 30, 32]))


def test_infinite_ends_stand_for_all_that_both_curves_cover() -> None:
    result = bd_rate(JPEG, JPEG2000, low=-math.inf, high=math.inf)
    assert (result.low, result.high, result.shrunk) == (26.6, 39.8, False)
    assert result.percent == bd_rate(JPEG, JPEG2000, low=0, high=99).percent


def test_ranges_that_begin_below_0_can_be_read() -> None:
    result = BdRate(-25.0, -28.1, 83.07, "SSIMULACRA2", "jpeg", "avif", (-28.1, 83.07), "")
    assert str(result) == "avif vs jpeg: -25.0 % (SSIMULACRA2, -28.1 to 83.07)"


def test_too_few_points_are_refused() -> None:
    with pytest.raises(UsageError, match="3 points: BD-rate needs at least 4"):
        bd_rate(JPEG, Curve("few", [0.2, 0.4, 0.8], [28, 30, 32]))


def test_unequal_numbers_of_rates_and_qualities_are_refused() -> None:
    with pytest.raises(UsageError, match="4 rates and 3 qualities"):
        bd_rate(JPEG, Curve("ragged", [0.2, 0.4, 0.8, 1], [28, 30, 32]))


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(UsageError, match="range 37-28"):
        bd_rate(JPEG, JPEG2000, low=37, high=28)


FACTORIZED = "compressai-bmshj2018-factorized_mse_cuda"
BPG = "bpg_444_x265_ycbcr"


@pytest.mark.parametrize(
    ("anchor", "test", "wide", "percent"),
    [
        ("jpeg", "jpeg2000", True, -35.9),
        ("jpeg2000", "jpeg", True, 55.9),
        ("jpeg", "webp", True, -36.2),
        ("jpeg", FACTORIZED, True, -44.5),
        ("jpeg2000", FACTORIZED, True, -14.7),
        (BPG, "jpeg", False, 137.9),
        (BPG, "jpeg2000", False, 54.0),
        (BPG, "webp", False, 47.2),
        (BPG, FACTORIZED, False, 33.6),
    ],
)
def test_published_curves_give_the_published_numbers(anchor: str, test: str, wide: bool, percent: float) -> None:
    methods = json.loads(ANCHORS.read_text())["methods"]
    curves = [Curve(name, methods[name]["bpp"], methods[name]["psnr_rgb_db"]) for name in (anchor, test)]
    low, high = (0, 99) if wide else (28, 37)
    assert bd_rate(*curves, low=low, high=high).percent == pytest.approx(percent, abs=0.1)
