"""Results on the disk: rows survive, mixtures are refused."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latens.errors import UsageError
from latens.evaluate.results import Key, Results, Row, writing

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


@pytest.mark.parametrize("name", ['a "b", c.png', "a\rb.png", "a\r\nb\n.png"])
def test_names_with_commas_quotes_and_line_ends_survive(tmp_path: Path, name: str) -> None:
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


def test_results_that_cannot_reach_the_disk_leave_those_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results.open(tmp_path / "r", run())
    results.add(ROW)

    def broken(_: int) -> None:
        raise OSError("broken disk")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="broken disk"):
        results.save()
    assert list(Results.read(tmp_path / "r").rows) == [ROW.key]
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["rows.csv", "run.json"]


def test_failures_stay_with_what_was_measured_until_others_take_their_places(tmp_path: Path) -> None:
    results = Results.open(tmp_path / "r", run())
    results.add(replace(ROW, error="no such program"))
    results.add(Row("jpeg", "60", "a.png", 8, 4, error="no luck"))
    again = Results.open(tmp_path / "r", run())
    assert [row.error for row in again.rows.values()] == ["no such program", "no luck"]
    assert again.rows[ROW.key].bytes == 100 and again.rows[ROW.key].metrics["psnr_rgb"] == 31.5
    again.add(Row("jpeg", "60", "a.png", 8, 4, 120, 30.0))
    assert [row.error for row in Results.read(tmp_path / "r").rows.values()] == ["no such program", ""]


def test_two_evaluations_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with writing(tmp_path / "r"):
        Results.open(tmp_path / "r", run())
        with pytest.raises(UsageError, match="another evaluation"), writing(tmp_path / "r"):
            pass
        with writing(tmp_path / "other"):
            pass
    with writing(tmp_path / "r"):
        assert Results.read(tmp_path / "r").run["dataset"]


def test_a_run_that_computed_nothing_is_forgotten_and_data_sets_are_added_up(tmp_path: Path) -> None:
    Results.open(tmp_path / "r", run(sources={"a.png": "kodak/a.png"}, runs=[{"machine": "fast"}]))
    more = run(sources={"b.png": "clic/b.png"}, pictures={"b.png": {"sha256": "01"}}, runs=[{"machine": "slow"}])
    second = Results.open(tmp_path / "r", more)
    assert second.run["dataset"] == "kodak and clic, 2 pictures"
    second.forget_run()
    assert second.run["runs"] == [{"machine": "fast"}]
    second.forget_run()  # the first one stays
    assert second.run["runs"] == [{"machine": "fast"}]


@pytest.mark.skipif(os.name == "nt", reason="names of files are no bytes on Windows")
def test_names_of_any_bytes_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    results = Results.open(tmp_path / "r", run(sources={name: name}, pictures={name: {"sha256": "00"}}))
    results.add(replace(ROW, picture=name))
    results.save()
    back = Results.read(tmp_path / "r")
    assert list(back.run["sources"]) == [name] and [key.picture for key in back.rows] == [name]


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


def test_a_run_that_lacks_a_fact_is_refused(tmp_path: Path) -> None:
    Results.open(tmp_path / "r", run())
    path = tmp_path / "r" / "run.json"
    whole = json.loads(path.read_text())
    for name in ("codecs", "pictures", "runs"):
        path.write_text(json.dumps({key: value for key, value in whole.items() if key != name}))
        for attempt in (Results.read, lambda folder: Results.open(folder, run())):
            with pytest.raises(UsageError, match=f"cannot be read: KeyError.'{name}'"):
                attempt(tmp_path / "r")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": "x"}', '{"format": 99}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match="results"):
        Results.read(tmp_path)
    with pytest.raises(UsageError, match=r"has no run\.json"):
        Results.read(tmp_path / "nowhere")
