"""Files go from every setting to every other, in fresh processes: all symbols, and pictures within one level.

What is run is benchmarks/matrix.py, with a few of its settings and small models of each hyperprior.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latens.coding import SymbolsCheck
from latens.entropy.integer import IntegerNetwork
from latens.evaluate.codecs import find

pytest.importorskip("torch", reason="the models are made here, which needs PyTorch")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import matrix
import settings

CROPS = ((20, 150, 97, 131), (200, 200, 64, 80), (0, 300, 131, 48), (330, 90, 80, 112))  # top, left, height, width


@pytest.fixture
def pictures(photograph: np.ndarray, tmp_path: Path) -> list[Path]:
    paths = []
    for top, left, height, width in CROPS:
        paths.append(tmp_path / f"{top}.png")
        Image.fromarray(photograph[top : top + height, left : left + width]).save(paths[-1])
    return paths


@pytest.fixture
def recording_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`matrix.work` listens in on the codec for as long as its process lives; this one lives on."""
    monkeypatch.setattr(SymbolsCheck, "see", SymbolsCheck.see)


def test_every_pair_of_choices_meets_in_a_setting_and_the_first_is_the_default() -> None:
    values = (("a", "b", "c"), (1, 2), ("x", "y", "z", "w"), (True, False))
    rows = settings.covering(values)
    assert rows[0] == ("a", 1, "x", True)
    for i, j in combinations(range(len(values)), 2):
        assert {(row[i], row[j]) for row in rows} == {(one, other) for one in values[i] for other in values[j]}
    assert len(rows) <= 16 < 3 * 2 * 4 * 2
    assert len(settings.covering((("only",), (1, 2), (1, 2)))) == 4


def test_all_settings_read_what_the_others_wrote(
    exported: dict[str, Path], pictures: list[Path], tmp_path: Path
) -> None:
    chosen = [settings.Setting(*row) for row in settings.covering(settings.knobs())][:4]
    assert {setting.runtime for setting in chosen} == set(settings.knobs()[0])
    specs = [f"{kind}={exported[kind]}" for kind in ("scale", "context")]
    measured = matrix.measure(chosen, matrix.files(specs, pictures, tmp_path), tmp_path)
    totals = measured["settings"]
    assert matrix.agrees(measured), totals
    for total in totals:
        assert (total["encoded"], total["decoded"]) == (2, 8)
        latents = 2 * sum(14 * -(-h // 16) * -(-w // 16) + 6 * -(-h // 64) * -(-w // 64) for _, _, h, w in CROPS)
        assert total["symbols"] == latents and total["samples"] == 2 * sum(3 * h * w for _, _, h, w in CROPS)
    tables = measured["encoder_by_decoder"]
    assert np.array_equal(tables["mismatching"], np.zeros((len(chosen), len(chosen))))
    assert np.shape(tables["largest"]) == (len(chosen), len(chosen)) and np.max(tables["largest"]) <= 1
    found = [total["found"] for total in totals]
    for setting, have in zip(chosen, found, strict=True):  # the settings did what they say
        assert (have["numpy"] == []) >= (setting.numpy == "baseline")
    if found[0].get("blas"):
        assert len({have["blas"] for have in found}) == len({setting.blas for setting in chosen})


def test_pictures_are_coded_at_one_quality_in_turn_and_at_all_of_the_models_that_are_named(tmp_path: Path) -> None:
    pictures = [Path(f"{name}.png") for name in "abc"]
    made = matrix.files(["balle2018", "latens"], pictures, tmp_path, every=["balle2018"])
    qualities = find("balle2018").settings
    of = {
        name: [(file.picture, file.quality) for file in made if file.spec == name]
        for name in ("balle2018", "latens")
    }
    assert of["balle2018"] == [(str(picture), quality) for picture in pictures for quality in qualities]
    assert of["latens"] == list(zip(map(str, pictures), find("latens").settings, strict=False))
    assert len({file.path for file in made}) == len(made) == 3 * len(qualities) + 3


def test_a_decoder_that_drifts_by_one_index_is_noticed(
    exported: dict[str, Path],
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recording_ends: None,
) -> None:
    job: dict[str, Any] = {"files": matrix.files([f"scale={exported['scale']}"], pictures[:1], tmp_path)}
    matrix.work({**job, "task": "encode"})
    (faithful,) = matrix.work({**job, "task": "decode"})["rows"]
    assert (faithful["mismatching"], faithful["refused"], faithful["largest"]) == (0, "", 0)
    predicted = IntegerNetwork._predictions

    def drifting(self: IntegerNetwork, x: np.ndarray, first: Any) -> np.ndarray:
        found = predicted(self, x, first)
        busiest = np.unravel_index(found[:, :, :2, :2].argmax(), (*found.shape[:2], 2, 2))
        found[busiest] -= 4
        return found

    monkeypatch.setattr(IntegerNetwork, "_predictions", drifting)
    (drifted,) = matrix.work({**job, "task": "decode"})["rows"]
    assert drifted["mismatching"] > 0 and drifted["crc"] != faithful["crc"]
    assert "other symbols" in drifted["refused"] or "not those" in drifted["refused"]


def test_a_single_other_symbol_or_a_picture_two_levels_off_does_not_agree(tmp_path: Path) -> None:
    file = matrix.File("any", 0.0, "any.png", str(tmp_path / "0.ltn"))
    Path(file.path).write_bytes(b"")
    sent, picture = np.arange(12, dtype="<i4"), np.full((2, 3, 3), 7, np.uint8)
    np.save(f"{file.path}.symbols.npy", sent)
    other = np.where(sent == 5, 6, sent)
    first, mismatch, off = (
        matrix.compared(file, lambda _, given=given: given, [got])
        for got, given in ((sent, picture), (other, picture), (sent, picture + 2))
    )
    assert (first["mismatching"], first["largest"]) == (0, 0)
    assert (mismatch["mismatching"], off["largest"], off["moved"]) == (1, 2, 18)
    fine = {"mismatching": 0, "refused": 0, "other_crc": 0, "largest": 1}
    assert matrix.agrees({"settings": [fine]})
    for name, value in (("mismatching", 1), ("refused", 1), ("other_crc", 1), ("largest", 2)):
        assert not matrix.agrees({"settings": [fine, {**fine, name: value}]})
