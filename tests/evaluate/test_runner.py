"""Evaluations: complete, resumable, and going on when something fails."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens.errors import UsageError
from latens.evaluate import runner, worker
from latens.evaluate.curves import measured, write_summaries
from latens.evaluate.runner import Plan, evaluate, failures, pictures_in
from latens.evaluate.worker import Task


@pytest.fixture
def folder(tmp_path: Path, photograph: np.ndarray) -> Path:
    """Two pictures of different sizes, as files."""
    place = tmp_path / "pictures"
    place.mkdir()
    Image.fromarray(photograph[:176, :200]).save(place / "face.png")
    Image.fromarray(photograph[200:400, 100:280]).save(place / "suit.png")
    return place


def plan(folder: Path, **changes: object) -> Plan:
    asked = Plan(
        pictures_in([folder]), ("jpeg", "webp"), {"jpeg": (20, 60), "webp": (50,)}, ("psnr_rgb", "ms_ssim"), 2
    )
    return asked._replace(**changes)  # type: ignore[arg-type]


def test_every_picture_codec_and_setting_has_a_row_and_a_file_of_its_size(folder: Path, tmp_path: Path) -> None:
    results = evaluate(plan(folder), tmp_path / "out")
    assert sorted(results.rows) == [
        (codec, setting, name)
        for codec, setting in (("jpeg", "20"), ("jpeg", "60"), ("webp", "50"))
        for name in ("face.png", "suit.png")
    ]
    for row in results.rows.values():
        file = results.file(row, ".jpg" if row.codec == "jpeg" else ".webp")
        assert file.stat().st_size == row.bytes
        assert row.bpp == pytest.approx(8 * row.bytes / (row.width * row.height))
        assert row.encode_s > 0
        assert row.decode_s > 0
        assert 20 < row.metrics["psnr_rgb"] < 50
    assert len(measured(results)) == 2


def test_pictures_of_like_names_have_files_of_their_own(tmp_path: Path, photograph: np.ndarray) -> None:
    for name, side in (("a/b_1", 176), ("a_b/1", 192), ("a/c", 176), ("a_b/c", 192)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photograph[:side, :side]).save(path)
    pictures = pictures_in([tmp_path / "a", tmp_path / "a_b"])
    assert sorted(pictures) == ["a/b_1.png", "a/c.png", "a_b/1.png", "a_b/c.png"]
    results = evaluate(plan(tmp_path / "a", pictures=pictures), tmp_path / "out")
    files = {results.file(row, ".jpg" if row.codec == "jpeg" else ".webp") for row in results.rows.values()}
    assert len(files) == len(results.rows) == 12 and not failures(results)
    assert all(file.is_file() for file in files)


def test_learned_codecs_come_with_what_they_compute_and_hold(folder: Path, tmp_path: Path) -> None:
    asked = plan(folder, specs=("balle2017", "jpeg"), settings={"balle2017": (10,), "jpeg": (50,)})
    results = evaluate(asked, tmp_path / "out")
    write_summaries(results, measured(results))
    ours, theirs = (json.loads((tmp_path / "out" / "summary" / f"{n}.json").read_text()) for n in asked.specs)
    assert ours["parameters"] == [latens.models()[0].points[0].parameters]
    assert ours["kmac_per_pixel"] == [list(latens.models()[0].points[0].kmac_per_pixel)]
    assert "parameters" not in theirs
    if sys.platform == "linux":
        assert 20 < theirs["peak_memory_mb"] < 2000


def test_nothing_is_computed_twice(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(plan(folder), tmp_path / "out")
    path = tmp_path / "out" / "rows.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))  # as if it had been killed before the last two
    done: list[object] = []
    run = runner._run

    def counted(function, given, *rest):
        done.append((function, len(given)))
        return run(function, given, *rest)

    monkeypatch.setattr(runner, "_run", counted)
    again = evaluate(plan(folder), tmp_path / "out")
    assert done == [(runner.survey, 2), (runner.work, 2)]
    assert set(again.rows) == set(first.rows)
    kept = {key for key, row in again.rows.items() if row == first.rows[key]}
    assert len(kept) == 4  # their times are those of the first run


def test_metrics_asked_for_later_are_taken_from_the_kept_files(folder: Path, tmp_path: Path) -> None:
    first = evaluate(plan(folder), tmp_path / "out")
    second = evaluate(plan(folder, metrics=("psnr_y",)), tmp_path / "out")
    for key, row in second.rows.items():
        assert replace(row, metrics={}) == replace(first.rows[key], metrics={})  # not coded again
        assert set(row.metrics) == {"psnr_rgb", "ms_ssim", "psnr_y"}


def test_files_that_were_kept_stay_when_a_run_that_keeps_none_measures_them(
    folder: Path, tmp_path: Path
) -> None:
    first = evaluate(plan(folder, specs=("jpeg",), settings={"jpeg": (20,)}), tmp_path / "out")
    asked = plan(folder, specs=("jpeg",), settings={"jpeg": (20,)}, metrics=("psnr_y",), keep=False)
    assert all("psnr_y" in row.metrics for row in evaluate(asked, tmp_path / "out").rows.values())
    assert all(first.file(row, ".jpg").stat().st_size == row.bytes for row in first.rows.values())


def test_a_kept_file_of_another_size_is_coded_again(folder: Path, tmp_path: Path) -> None:
    first = evaluate(plan(folder, specs=("jpeg",), settings={"jpeg": (20,)}), tmp_path / "out")
    row = next(iter(first.rows.values()))
    first.file(row, ".jpg").write_bytes(b"cut short")
    asked = plan(folder, specs=("jpeg",), settings={"jpeg": (20,)}, metrics=("psnr_y",))
    again = evaluate(asked, tmp_path / "out").rows[row.key]
    assert not again.error and {name: again.metrics[name] for name in row.metrics} == row.metrics
    assert first.file(row, ".jpg").stat().st_size == again.bytes == row.bytes


def test_a_metric_that_fails_later_costs_no_row(folder: Path, tmp_path: Path) -> None:
    (task, *_) = tasks = [
        Task("jpeg", 20.0, name, path, tmp_path / f"{name}.jpg", ("psnr_rgb",), True)
        for name, path in plan(folder).pictures.items()
    ]
    first = worker.work(task)
    later = worker.work(task._replace(metrics=("psnr_rgb", "nonesuch"), have=first))
    assert later.error and replace(later, error="") == first
    assert runner._crashed_task(task._replace(have=first)).metrics == first.metrics
    assert not worker.work(tasks[1]._replace(metrics=("nonesuch",))).metrics


def test_metrics_asked_for_later_are_added_to_those_of_files_that_were_not_kept(
    folder: Path, tmp_path: Path
) -> None:
    evaluate(plan(folder, keep=False), tmp_path / "out")
    second = evaluate(plan(folder, keep=False, metrics=("psnr_y",)), tmp_path / "out")
    assert all(set(row.metrics) == {"psnr_rgb", "ms_ssim", "psnr_y"} for row in second.rows.values())
    third = evaluate(plan(folder, keep=False), tmp_path / "out")
    assert len(third.run["runs"]) == 2  # the third had nothing to do


def test_what_failed_is_tried_again_and_nothing_else_that_failed_is_forgotten(
    folder: Path, tmp_path: Path
) -> None:
    results = evaluate(plan(folder), tmp_path / "out")
    face, suit = (key for key in results.rows if key[:2] == ("jpeg", "20"))
    other = next(key for key in results.rows if key.codec == "webp")
    failed = [replace(results.rows[face], error="no luck", metrics={}, bytes=0)]
    failed += [replace(results.rows[key], error="no such program") for key in (suit, other)]
    for row in failed:
        results.add(row)
    again = evaluate(plan(folder, specs=("jpeg",), settings={"jpeg": (20,)}), tmp_path / "out")
    assert [key for key, row in again.rows.items() if row.error] == [other]
    assert again.rows[suit] == replace(failed[1], error="")  # measured again, not coded again
    assert len(failures(again)) == 1 and "no such program" in failures(again)[0]
    assert again.rows[face].metrics.keys() == {"psnr_rgb", "ms_ssim"} and again.rows[face].bytes > 0


def test_codecs_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.ltm").write_bytes(b"weights")
    specs = (f"mine={tmp_path / 'a.ltm'}", f"mine={tmp_path / 'b.ltm'}")
    with pytest.raises(UsageError, match="both called mine"):
        evaluate(plan(folder, specs=specs, settings={}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_coded_files_need_not_be_kept(folder: Path, tmp_path: Path) -> None:
    results = evaluate(plan(folder, keep=False), tmp_path / "out")
    assert len(results.rows) == 6
    assert [path for path in (tmp_path / "out" / "files").rglob("*") if path.is_file()] == []


def test_a_codec_that_fails_costs_its_rows_and_no_others(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.ltm").write_bytes(b"no weights")
    asked = plan(folder, specs=("jpeg", f"bad={tmp_path / 'bad.ltm'}"), settings={"jpeg": (50,)})
    results = evaluate(asked, tmp_path / "out")
    assert len(failures(results)) == 2
    assert all("bad 0, " in line and "weights" in line for line in failures(results))
    assert [row.bytes > 0 for row in results.rows.values() if row.codec == "jpeg"] == [True, True]


def test_an_unreadable_picture_is_reported_once(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    results = evaluate(plan(folder), tmp_path / "out")
    assert len(results.rows) == 6
    assert [line.split(":")[0] for line in failures(results)] == ["broken.png"]


def test_without_one_readable_picture_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "only.png").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="none of 1 pictures"):
        evaluate(plan(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_that_dies_costs_its_own_item_only() -> None:
    found = dict(runner._run(signal.raise_signal, [0, signal.SIGKILL, 0, 0], 2, lambda item: f"lost {item}"))
    assert found == {0: None, 1: f"lost {signal.SIGKILL}", 2: None, 3: None}


PARENT = """
from latens.evaluate import runner
import os, time
pool = runner._pool(1)
print(pool.submit(os.getpid).result(), flush=True)
pool.submit(time.sleep, 600)
time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_workers_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    try:
        parent.communicate(timeout=60)  # until the worker, which has the same output, has closed it
    except subprocess.TimeoutExpired:
        os.kill(worker, signal.SIGKILL)
        raise


def test_settings_and_codecs_are_checked_before_any_work(folder: Path, tmp_path: Path) -> None:
    for changes, named in (
        ({"settings": {"jpeg": (101,)}}, "quality is 101"),
        ({"settings": {"avif": (50,)}}, "avif, which is not among"),
        ({"specs": ("gif",)}, "codec is 'gif', and must be one of"),
        ({"specs": ("mine=none.ltm",)}, "there is no file none.ltm"),
    ):
        with pytest.raises(UsageError, match=named):
            evaluate(plan(folder, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_setting_given_twice_is_coded_once() -> None:
    assert runner._ladder("jpeg", (20, 60, 20)) == (20, 60)
    assert len(runner._ladder("balle2017", (10, 50, 50.0000001))) == 2


def test_pictures_are_found_in_folders_and_named_apart(folder: Path, tmp_path: Path) -> None:
    assert list(pictures_in([folder])) == ["face.png", "suit.png"]
    assert list(pictures_in([folder, folder / "face.png"])) == ["face.png", "suit.png"]  # once each
    other = tmp_path / "others"
    other.mkdir()
    (other / "face.png").write_bytes(b"")
    assert list(pictures_in([folder, other])) == ["pictures/face.png", "pictures/suit.png", "others/face.png"]
    (tmp_path / "empty").mkdir()
    wrong = (([tmp_path / "empty"], "no pictures"), ([tmp_path / "nowhere"], "there is no"), ([], "at least"))
    for places, named in wrong:
        with pytest.raises(UsageError, match=named):
            pictures_in(places)


def test_workers_take_one_thread_and_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with runner._one_thread():
        assert dict(runner._run(os.getenv, ["OMP_NUM_THREADS"], 1, str)) == {0: "1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
