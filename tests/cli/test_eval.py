"""``latens eval``, ``latens report`` and ``latens compare`` on real pictures through classic codecs."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("bjontegaard", reason="the extra eval is not installed")
JPEG = ("--codec", "jpeg", "--setting", "jpeg=10,30,60,90")
QUICK = ("--metric", "psnr_rgb", "--metric", "ms_ssim", "--jobs", "1")


@pytest.fixture
def pictures(tmp_path: Path, photograph: np.ndarray) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(photograph[:176, :208]).save(folder / "face.png")
    return folder


@pytest.fixture
def results(run: Callable, pictures: Path, tmp_path: Path) -> Path:
    out = tmp_path / "results"
    two = ("--codec", "webp", "--setting", "webp=5,40,75,95")
    assert run("eval", pictures, "-o", out, *JPEG, *two, *QUICK, "--quiet").status == 0
    return out


def test_an_effort_goes_to_learned_codecs_that_have_none(run: Callable, pictures: Path, tmp_path: Path) -> None:
    from latens.cli.eval import chosen_codecs

    assert chosen_codecs(["jpeg", "stored", "stored@2"], 7) == (("jpeg", "stored@7", "stored@2"), {})
    assert chosen_codecs(["stored"]) == (("stored",), {})
    said = run("eval", pictures, "-o", tmp_path / "results", "--codec", "stored", "-e", "10")
    assert said.status == 2 and "effort is 10, and must be from 0 to 9" in said.err


def test_settings_given_again_go_on_with_a_ladder() -> None:
    from latens.cli.eval import _ladders

    again = _ladders(["jpeg=20", "webp=5", "jpeg=50,80"])
    assert again == {"jpeg": (20, 50, 80), "webp": (5,)}


def test_help_names_every_codec_and_metric() -> None:
    from latens.classic import CODECS
    from latens.cli import options
    from latens.metrics import METRICS

    codecs, metrics = (kind.__metadata__[0].help for kind in (options.Codecs, options.Metrics))
    assert codecs.startswith(", ".join((*CODECS, "a model, or NAME=FILE.ltm,...; learned ones")))
    assert metrics.startswith(f"{', '.join(METRICS)}. May")
    unasked = [name for name, metric in METRICS.items() if not metric.default]
    assert f"all but {' and '.join(unasked)} if none" in metrics


def test_results_are_written_and_told(run: Callable, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    said = run("eval", pictures, "-o", out, *JPEG, *QUICK, "--json")
    assert said.status == 0, said.err
    facts = json.loads(said.out)
    assert facts["pictures"] == ["face.png"]
    assert facts["codecs"][0]["settings"] == ["10", "30", "60", "90"]
    assert facts["failed"] == []
    assert json.loads((out / "summary" / "jpeg.json").read_text()) == facts["codecs"][0]
    assert (out / "rows.csv").read_text().count("\n") == 5
    assert json.loads((out / "run.json").read_text())["runs"][0]["jobs"] == 1


def test_bd_rates_name_anchor_metric_and_range(run: Callable, results: Path, pictures: Path) -> None:
    again = ("eval", pictures, "-o", results, *JPEG, *QUICK, "--codec", "webp", "--setting", "webp=5,40,75,95")
    said = run(*again, "--anchor", "jpeg")
    assert said.status == 0, said.err
    assert b"BD-rate webp vs jpeg: -" in said.out
    assert re.search(rb"BD-rate webp vs jpeg: -\d+\.\d % \(PSNR-RGB, [\d.]+-[\d.]+ dB", said.out)
    assert b"Mean over 1 picture" in said.out
    facts = json.loads(run(*again, "--anchors", "kodak", "--anchor", "vtm", "--json").out)
    assert {entry["anchor"] for entry in facts["bd_rate"]} == {"vtm"}


def test_a_failure_is_reported_and_the_exit_code_is_1(run: Callable, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    said = run("eval", pictures, "-o", tmp_path / "out", *JPEG, *QUICK)
    assert said.status == 1
    assert "failed: broken.png" in said.err
    assert b"Mean over 1 picture" in said.out


def test_why_everything_failed_is_told(run: Callable, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.ltm").write_bytes(b"no weights")
    said = run("eval", pictures, "-o", tmp_path / "out", "--codec", f"bad={tmp_path / 'bad.ltm'}", *QUICK)
    assert said.status == 2 and "failed: bad 0" in said.err and "run the evaluation to its end" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--codec", "gif"), "codec is 'gif'"),
        (("--metric", "lpips"), "metric is 'lpips'"),
        (("--setting", "jpeg"), "must be CODEC=NUMBER"),
        (("--setting", "jpeg=a"), "must be CODEC=NUMBER"),
        (("--setting", "jpeg=300"), "quality is 300"),
        (("--setting", "avif=3"), "avif, which is not among"),
        (("--jobs", "0"), "jobs is 0"),
        (("--anchor", "vtm"), "anchor is 'vtm'"),
    ],
)
def test_wrong_calls_are_told_before_any_work(
    run: Callable, pictures: Path, tmp_path: Path, arguments: tuple[str, str], said: str
) -> None:
    codec = () if "--codec" in arguments else ("--codec", "jpeg")
    found = run("eval", pictures, "-o", tmp_path / "out", *codec, *arguments)
    assert (found.status, said in found.err) == (2, True), found.err
    assert not (tmp_path / "out").exists()


def test_folders_without_pictures_are_refused(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = run("eval", tmp_path / "empty", "-o", tmp_path / "out", "--codec", "jpeg")
    assert (said.status, "has no pictures" in said.err) == (2, True)


def test_a_report_shows_curves_and_pictures(run: Callable, results: Path, tmp_path: Path) -> None:
    said = run("report", results, "--anchors", "kodak", "--json")
    assert said.status == 0, said.err
    facts = json.loads(said.out)
    page = (results / "report.html").read_text(encoding="utf-8")
    assert facts["bytes"] == len(page.encode())
    assert facts["pictures"] == 1
    assert page.count("data:image/") > 6
    data = json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])
    assert [c["id"] for c in data["codecs"]][:3] == ["jpeg", "webp", "av1"]
    assert {"jpeg (published)", "vtm"} <= {c["id"] for c in data["codecs"]}
    assert data["default_anchor"] == "bpg_444_x265_ycbcr"
    assert data["bd"]["psnr_rgb"]["jpeg"]["webp"]["percent"] < 0


def test_a_report_is_not_overwritten_and_bounds_its_size(run: Callable, results: Path, tmp_path: Path) -> None:
    (results / "report.html").write_text("mine")
    said = run("report", results)
    assert (said.status, "exists" in said.err) == (1, True)
    assert (results / "report.html").read_text() == "mine"
    small = run("report", results, "-o", tmp_path / "small.html", "--max-size", "1", "--json")
    assert json.loads(small.out)["bytes"] < 1_050_000


def test_a_report_without_originals_says_that_it_has_no_pictures(
    run: Callable, results: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "face.png").rename(tmp_path / "face.png")
    said = run("report", results, "-o", tmp_path / "a.html")
    assert (said.status, "no picture viewer" in said.err) == (0, True)
    found = run("report", results, "-o", tmp_path / "b.html", "--pictures", tmp_path, "--show", "webp", "--json")
    assert json.loads(found.out)["pictures"] == 1
    wrong = run("report", results, "-o", tmp_path / "c.html", "--show", "gif")
    assert (wrong.status, "gif" in wrong.err) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="names of files are no bytes on Windows")
def test_a_report_shows_pictures_of_any_name(run: Callable, pictures: Path, tmp_path: Path) -> None:
    (pictures / "face.png").rename(pictures / os.fsdecode(b"caf\xe9\r.png"))
    out = tmp_path / "results"
    assert run("eval", pictures, "-o", out, *JPEG, *QUICK, "--quiet").status == 0
    said = run("report", out, "--json")
    assert (said.status, json.loads(said.out)["pictures"]) == (0, 1)
    assert "caf\\udce9\\r.png" in (out / "report.html").read_text(encoding="utf-8")


def test_a_report_leaves_out_what_cannot_be_decoded(run: Callable, results: Path, tmp_path: Path) -> None:
    for path in (results / "files" / "webp").rglob("*.webp"):
        path.write_bytes(b"damaged")
    said = run("report", results, "-o", tmp_path / "a.html", "--json")
    assert (said.status, json.loads(said.out)["pictures"]) == (0, 1)
    assert said.err.count("note: the page's pictures lack versions of webp: ") == 1
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    data = json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])
    assert {version["codec"] for version in data["pictures"][0]["versions"]} == {"jpeg"}
    assert [codec["id"] for codec in data["codecs"]] == ["jpeg", "webp"]
    for path in (results / "files" / "jpeg").rglob("*.jpg"):
        path.write_bytes(b"damaged")
    said = run("report", results, "-o", tmp_path / "b.html", "--json")
    assert (said.status, json.loads(said.out)["pictures"]) == (0, 0) and "no picture viewer" in said.err


def test_compare_matches_the_rate_and_writes_a_page(
    run: Callable, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two = ("--codec", "jpeg", "--codec", "webp")
    said = run("compare", pictures / "face.png", *two, "--bpp", "0.8", *QUICK[:4], "--json")
    assert said.status == 0, said.err
    facts = json.loads(said.out)
    assert [row["codec"] for row in facts["rows"]] == ["jpeg", "webp"]
    assert all(0.7 < row["bpp"] < 0.9 for row in facts["rows"])
    assert facts["page"] == "face-compare.html"
    assert "data:image/webp" in (tmp_path / "face-compare.html").read_text(encoding="utf-8")
    again = run("compare", pictures / "face.png", *two)
    assert (again.status, "exists" in again.err) == (1, True)
    table = run("compare", pictures / "face.png", *two, "--no-page")
    assert table.status == 0
    assert b"PSNR-RGB" in table.out


def test_compare_lists_the_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    from latens.cli.compare import _print
    from latens.evaluate.results import Row

    figures = {"good": {"gmsd": 0.01, "psnr_rgb": 40.0}, "bad": {"gmsd": 0.2, "psnr_rgb": 20.0}}
    rows = [Row(name, "50", "a.png", 8, 8, 9, 1.0, 0.1, 0.1, metrics=m) for name, m in figures.items()]
    for metric in ("gmsd", "psnr_rgb"):
        _print(rows[::-1], (metric,))
        said = capsys.readouterr().out
        assert 0 < said.index("good") < said.index("bad")


def test_compare_refuses_codecs_of_one_name(run: Callable, pictures: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.ltm").write_bytes(b"weights")
    two = [word for name in ("a", "b") for word in ("--codec", f"mine={tmp_path / name}.ltm")]
    said = run("compare", pictures / "face.png", *two, "--no-page")
    assert (said.status, "both called mine" in said.err) == (2, True)


@pytest.mark.parametrize("bpp", ["0", "-1", "nan"])
def test_compare_refuses_rates_that_are_not_above_0(run: Callable, pictures: Path, bpp: str) -> None:
    said = run("compare", pictures / "face.png", "--codec", "jpeg", "--bpp", bpp, "--no-page")
    assert (said.status, "must be above 0" in said.err) == (2, True)
