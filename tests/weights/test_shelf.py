"""Weights that were replaced still decode what was written with them, and are never chosen for encoding."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("constriction")

import latens
from latens.cli import main
from latens.errors import WeightsError
from latens.weights import shelf
from latens.weights.package import load, retire

TINY = Path(__file__).parents[1] / "golden" / "tiny.ltm"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shelf whose only model has one point, of other weights, and one retired: tiny.ltm."""
    folder = tmp_path / "balle2017"
    folder.mkdir()
    mark = retire(TINY, folder / "old.ltm").hex()
    (folder / "old.ltm").rename(folder / f"{mark}.ltm")
    entry = {
        "name": "q50", "quality": [0, 100], "lmbda": 0.01, "parameters": 1, "kmac_per_pixel": [1, 1],
        "bytes": 1, "training": "none",
    }  # fmt: skip
    card = {
        "id": "balle2017", "code": "BL17", "title": "t", "paper": "p",
        "points": [{**entry, "fingerprint": "00000000"}], "retired": [{**entry, "fingerprint": mark}],
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card))
    monkeypatch.setattr(shelf, "HERE", tmp_path)
    shelf.shipped.cache_clear()
    yield mark
    monkeypatch.undo()
    shelf.shipped.cache_clear()


def test_files_of_retired_weights_are_decoded(mark: str, photograph: np.ndarray) -> None:
    pixels = photograph[:64, :80]
    data = latens.encode(pixels, model=TINY)
    np.testing.assert_array_equal(
        latens.decode(data, output="array"), latens.decode(data, output="array", weights=TINY)
    )
    opened = latens.open(data)
    assert opened.rate_point is not None and opened.rate_point.fingerprint == mark


def test_retired_weights_encode_nothing(mark: str, photograph: np.ndarray) -> None:
    assert shelf.select("balle2017", 50).name == "q50.ltm"
    path = shelf.by_fingerprint("BL17", bytes.fromhex(mark))
    assert load(path).fingerprint == load(TINY).fingerprint
    with pytest.raises(WeightsError, match="does not encode"):
        latens.encode(photograph[:64, :80], model=path)


def test_the_command_line_says_that_they_are_retired(
    mark: str, photograph: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.ltn").write_bytes(latens.encode(photograph[:64, :80], model=TINY))
    assert main(["info", str(tmp_path / "a.ltn")]) == 0
    assert f"{mark}: q50, retired" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert f"no longer written: q50 ({mark})" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["retired"][0]["fingerprint"] == mark
