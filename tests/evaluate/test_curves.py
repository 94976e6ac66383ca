"""Mean curves: what is averaged over what, and how they travel."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from latens.errors import LatensError, UsageError
from latens.evaluate import curves
from latens.evaluate.bdrate import BdRate
from latens.evaluate.curves import MeanCurve, compare, measured, published, summary, together
from latens.evaluate.results import Results, Row


def row(codec: str, setting: str, picture: str, bpp: float, psnr: float, ms_ssim: float, error: str = "") -> Row:
    metrics = {} if error else {"psnr_rgb": psnr, "ms_ssim": ms_ssim}
    return Row(codec, setting, picture, 8, 8, int(bpp * 8), bpp, 0.5, 0.25, math.nan, error, metrics)


def results(tmp_path: Path, *rows: Row) -> Results:
    codecs = {r.codec: {"title": r.codec, "version": "1"} for r in rows}
    run: dict[str, Any] = {"codecs": codecs, "metrics": {"psnr_rgb": {}, "ms_ssim": {}}, "unreadable": {}}
    return Results(tmp_path, run, rows)


def curve(name: str, bpp: list[float], psnr: list[float]) -> MeanCurve:
    return MeanCurve(name, name, ("",) * len(bpp), {"bpp": tuple(bpp), "psnr_rgb": tuple(psnr)})


def test_ms_ssim_becomes_decibels_after_averaging(tmp_path: Path) -> None:
    (mean,) = measured(results(tmp_path, row("j", "1", "a", 1, 30, 0.9), row("j", "1", "b", 2, 40, 0.99)))
    assert mean.values["bpp"] == (1.5,)
    assert mean.values["psnr_rgb"] == (35.0,)
    assert mean.values["ms_ssim_db"] == (pytest.approx(-10 * math.log10(1 - 0.945)),)


def test_points_are_ordered_by_rate_whatever_their_names(tmp_path: Path) -> None:
    found = results(tmp_path, row("j", "9", "a", 2, 40, 0.9), row("j", "80", "a", 1, 30, 0.9))
    assert measured(found)[0].settings == ("80", "9")


def test_all_codecs_are_averaged_over_the_same_pictures(tmp_path: Path) -> None:
    both = [row("j", "1", "a", 1, 30, 0.9), row("k", "1", "a", 3, 31, 0.9)]
    found = results(tmp_path, *both, row("j", "1", "b", 9, 50, 0.9), row("k", "1", "b", 0, 0, 0, "broke"))
    assert [c.values["bpp"] for c in measured(found)] == [(1.0,), (3.0,)]


def test_results_without_one_whole_picture_have_no_mean(tmp_path: Path) -> None:
    found = results(tmp_path, row("j", "1", "a", 1, 30, 0.9), row("k", "1", "b", 3, 31, 0.9))
    with pytest.raises(UsageError, match="to its end"):
        measured(found)


def test_summaries_are_what_compressai_reads(tmp_path: Path) -> None:
    found = results(tmp_path, row("j", "1", "a", 1, 30, 0.9), row("j", "2", "a", 2, math.inf, 0.95))
    written = summary(measured(found)[0], "libjpeg 1")
    assert set(written) >= {"name", "description", "results"}
    assert written["results"]["bpp"] == [1.0, 2.0]
    assert written["results"]["psnr-rgb"] == [30.0, None]  # JSON has no infinity
    assert written["results"]["ms-ssim-rgb"] == [0.9, 0.95]
    assert written["results"]["encoding_time"] == [0.5, 0.5]
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_a_summary_comes_back_as_a_published_curve(tmp_path: Path) -> None:
    ours = measured(results(tmp_path, row("j", "1", "a", 1, 30, 0.9), row("j", "2", "a", 2, 35, 0.95)))[0]
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(summary(ours, "v")))
    (theirs,) = published(path)
    assert theirs.id == "j"
    assert theirs.values["psnr_rgb"] == ours.values["psnr_rgb"]
    assert theirs.values["ms_ssim_db"] == pytest.approx(ours.values["ms_ssim_db"])


def test_the_published_curves_of_kodak_come_with_latens() -> None:
    found = {entry.id: entry for entry in published("kodak")}
    assert {"jpeg", "jpeg2000", "webp", "bpg_444_x265_ycbcr", "vtm"} <= set(found)
    bpg = found["bpg_444_x265_ycbcr"]
    assert all(a < b for a, b in zip(bpg.values["bpp"], bpg.values["bpp"][1:], strict=False))
    gain = compare(found["jpeg"], bpg, "psnr_rgb")
    assert isinstance(gain, BdRate)
    assert gain.percent == pytest.approx(-58, abs=1)  # 28-37 dB: +137.9 % the other way round


@pytest.mark.parametrize("text", ["", "[1]", '{"methods": 3}', '{"results": {"psnr-rgb": [1]}}'])
def test_anchors_of_no_known_form_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match="anchors"):
        published(tmp_path / "a.json")
    with pytest.raises(UsageError, match="a file or kodak"):
        published(tmp_path / "missing.json")


def test_published_curves_give_way_to_measured_ones_of_their_name() -> None:
    named = together([curve("jpeg", [1], [30])], [curve("jpeg", [1], [29]), curve("vtm", [1], [35])])
    assert [entry.id for entry in named] == ["jpeg", "jpeg (published)", "vtm"]


def test_published_curves_of_one_name_are_told_apart() -> None:
    one, two = (MeanCurve("a", "A", ("",), {"bpp": (b,)}, published=True) for b in (1.0, 2.0))
    ours = MeanCurve("a", "A", ("1",), {"bpp": (3.0,)})
    found = together([ours], [one, two, two])
    assert [curve.id for curve in found] == ["a", "a (published)", "a (published 2)", "a (published 3)"]
    assert [curve.title for curve in together([], [one, two])] == ["A", "A (published)"]
    assert [curve.values["bpp"] for curve in found] == [(3.0,), (1.0,), (2.0,), (2.0,)]


def test_less_of_an_error_metric_is_better() -> None:
    rates, errors = [0.25, 0.5, 1, 2], [0.2, 0.15, 0.1, 0.05]
    a = MeanCurve("a", "a", ("",) * 4, {"bpp": tuple(rates), "gmsd": tuple(errors)})
    b = MeanCurve("b", "b", ("",) * 4, {"bpp": tuple(r / 2 for r in rates), "gmsd": tuple(errors)})
    found = compare(a, b, "gmsd")
    assert isinstance(found, BdRate)
    assert found.percent == pytest.approx(-50)


def test_curves_that_cannot_be_compared_say_why() -> None:
    rates = [1, 2, 3, 4]
    found = compare(curve("a", rates, [30, 31, 30.5, 33]), curve("b", rates, [30, 31, 32, 33]), "psnr_rgb")
    assert isinstance(found, LatensError)
    assert "does not rise from (2 bpp, 31 dB) to (3 bpp, 30.5 dB)" in str(found)
    assert isinstance(compare(curve("a", [1], [30]), curve("b", [1], [30]), "ms_ssim_db"), LatensError)


def test_reasons_are_told_in_unit_and_sign_of_the_metric() -> None:
    def reason(*values: tuple[float, ...]) -> str:
        rates = (0.25, 0.5, 1.0, 2.0)
        pairs = zip("ab", values, strict=True)
        one, two = (MeanCurve(n, n, ("",) * 4, {"bpp": rates, "gmsd": v}) for n, v in pairs)
        return str(compare(one, two, "gmsd"))

    falling = (0.2, 0.15, 0.1, 0.05)
    apart = reason(falling, (0.6, 0.5, 0.4, 0.3))
    assert apart.startswith("no common GMSD between a (0.05-0.2) and b (0.3-0.6): ")
    bent = reason(falling, (0.2, 0.15, 0.16, 0.05))
    assert bent.startswith("curve b does not fall from (0.5 bpp, 0.15) to (1 bpp, 0.16): ")


def test_every_range_belongs_to_a_metric_with_a_title() -> None:
    assert [curves.metric_title(name) for name in curves.RANGES] == ["PSNR-RGB", "MS-SSIM"]
