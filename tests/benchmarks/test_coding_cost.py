"""benchmarks/coding_cost.py: which rate points it lists, and what it says of a folder that has no pictures."""

import sys
from pathlib import Path

import pytest

import latens

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import coding_cost


def test_rate_points_are_those_that_files_are_written_with() -> None:
    assert any(len(info.points) > len(info.tuned()) for info in latens.models())
    for info in latens.models():
        assert coding_cost.rate_points(info.id) == [(point.name, point.quality[0]) for point in info.tuned()]
    assert coding_cost.rate_points("mine.ltm") == []


def test_a_folder_without_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["coding_cost.py", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        coding_cost.main()
    assert "has no PNG files in it" in capsys.readouterr().err
