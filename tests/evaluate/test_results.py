"""Results on the disk: rows survive, mixtures are refused."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latens.errors import UsageError
from latens.evaluate.results import Key, Results, Row

ROW = Row("jpeg", "50", "a.png", 8, 4, 100, 25.0, 0.01, 0.02, 90.5, "", {"psnr_rgb": 31.5, "ms_ssim": math.nan})


def run(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "dataset": "few, 1 picture",
        "pictures": {"a.png": {"sha256": "00"}},
        "sources": {"a.png": "a.png"},
        "unreadable": {},
        "complexity": {},
        "codecs": {"jpeg": {"version": "1", "options": {}}},
        "metrics": {"psnr_rgb": {"library": "latens"}, "ms_ssim": {"library": "latens"}},
        "runs": [{"command": "latens eval"}],
    }
    return facts | changes


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    Results.open(tmp_path / "r", run()).add(ROW)
    (back,) = Results.read(tmp_path / "r").rows.values()
    assert replace(back, metrics={}) == replace(ROW, metrics={})
    assert back.metrics == {"psnr_rgb": 31.5, "ms_ssim": pytest.approx(math.nan, nan_ok=True)}
    assert back.key == Key("jpeg", "50", "a.png")


def test_names_with_commas_quotes_and_line_ends_survive(tmp_path: Path) -> None:
    name = 'a "b", c.png'
    results = Results.open(tmp_path / "r", run())
    results.add(Row("jpeg", "50", name, 1, 1, error="bad\nluck"))
    (back,) = Results.read(tmp_path / "r").rows.values()
    assert (back.picture, back.error) == (name, "bad luck")


def test_a_last_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    Results.open(tmp_path / "r", run()).add(ROW)
    path = tmp_path / "r" / "rows.csv"
    path.write_text(path.read_text() + "jpeg,50,b.png,8,4,1")
    assert [key.picture for key in Results.read(tmp_path / "r").rows] == ["a.png"]
    Results.open(tmp_path / "r", run()).add(Row("jpeg", "60", "a.png", 8, 4, 120, 30.0))
    assert [row.setting for row in Results.read(tmp_path / "r").rows.values()] == ["50", "60"]


def test_failed_rows_are_tried_again(tmp_path: Path) -> None:
    results = Results.open(tmp_path / "r", run())
    results.add(ROW)
    results.add(Row("jpeg", "60", "a.png", 8, 4, error="no luck"))
    assert list(Results.open(tmp_path / "r", run()).rows) == [ROW.key]


def test_later_runs_add_codecs_and_remember_earlier_commands(tmp_path: Path) -> None:
    Results.open(tmp_path / "r", run()).add(ROW)
    again = run(codecs={"webp": {"version": "2", "options": {}}}, runs=[{"command": "latens eval again"}])
    merged = Results.open(tmp_path / "r", again)
    assert list(merged.run["codecs"]) == ["jpeg", "webp"]
    assert [entry["command"] for entry in merged.run["runs"]] == ["latens eval", "latens eval again"]
    assert ROW.key in merged.rows


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"codecs": {"jpeg": {"version": "2", "options": {}}}}, "jpeg with version 1, and now it is 2"),
        ({"pictures": {"a.png": {"sha256": "01"}}}, "a.png with sha256 00, and now it is 01"),
        ({"metrics": {"psnr_rgb": {"library": "other"}}}, "psnr_rgb with library latens, and now it is other"),
    ],
)
def test_a_folder_never_mixes_versions(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    Results.open(tmp_path / "r", run())
    with pytest.raises(UsageError, match=named):
        Results.open(tmp_path / "r", run(**changed))


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(UsageError, match="holds no results"):
        Results.open(tmp_path, run())
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": "x"}', '{"format": 99}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match="results"):
        Results.read(tmp_path)
    with pytest.raises(UsageError, match=r"has no run\.json"):
        Results.read(tmp_path / "nowhere")
