"""Weights per tune: shipped by training/ship.py, asked for when encoding, and never when decoding."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens.cli import main
from latens.errors import UsageError
from latens.weights import shelf

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("onnx", reason="exporting needs the extra train")

from latens.train import run  # noqa: E402
from latens.train.options import Options  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import ship  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)
SIZES = {"N1": 4, "N2": 4, "N3": 6, "M": 6, "Nh": 4, "context": 0, "levels": 2}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k, picture in enumerate((photograph, photograph[:, ::-1])):
        Image.fromarray(picture).save(folder / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> dict[str, Path]:
    """A run of each metric, of one step."""
    base = Options(
        "minnen2018", SIZES, (str(photos),), steps=1, batch=1, crop=176, radius=16, lmbda=0.1, lowest_lmbda=0.01
    )
    tuned = {
        "psnr": base,
        "ms-ssim": dataclasses.replace(base, metric="ms-ssim", lmbda=130.0, lowest_lmbda=13.0, seed=1),
    }
    made = {}
    for tune, options in tuned.items():
        made[tune] = tmp_path_factory.mktemp("runs") / tune
        run.begin(made[tune], options, QUIET).train()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, Path], photos: Path) -> Path:
    """A shelf with minnen2018 in both tunes, shipped one after the other, the first one twice."""
    root = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ship, "SHELF", root)
        for tune, keep in (("ms-ssim", False), ("psnr", False), ("ms-ssim", True)):
            ship.ship([runs[tune]], [photos], [photos], keep)
    return root


@pytest.fixture
def both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[shelf.ModelInfo]:
    monkeypatch.setattr(shelf, "HERE", folder)
    shelf.shipped.cache_clear()
    yield shelf.shipped()[0]
    monkeypatch.undo()
    shelf.shipped.cache_clear()


def test_a_card_has_the_points_of_each_tune(both: shelf.ModelInfo) -> None:
    assert both.tunes == ("psnr", "ms-ssim")
    assert [(point.name, point.tune) for point in both.points] == [("all", "psnr"), ("all-ms-ssim", "ms-ssim")]
    assert [point.tune for point in both.retired] == ["ms-ssim"], "and not the other's"
    assert both.codecs == {"minnen2018": "psnr", "minnen2018-ms-ssim": "ms-ssim"}


def test_the_tune_chooses_the_weights_and_the_file_names_them(
    both: shelf.ModelInfo, photograph: np.ndarray
) -> None:
    pixels = photograph[:96, :96]
    marks = {}
    for tune in (None, "psnr", "ms-ssim"):
        data = latens.encode(pixels, model="minnen2018", tune=tune, quality=30)
        point = latens.open(data).rate_point
        assert point is not None and point.tune == (tune or "psnr")
        assert latens.decode(data, output="array").shape == pixels.shape
        marks[tune] = point.fingerprint
    assert marks[None] == marks["psnr"] != marks["ms-ssim"]


def test_targets_and_evaluations_have_tunes(both: shelf.ModelInfo, photograph: np.ndarray) -> None:
    from latens.evaluate.codecs import everything, find

    pixels = np.ascontiguousarray(photograph[:96, :96])
    low, high = (len(latens.encode(pixels, model="minnen2018", tune="ms-ssim", quality=q)) for q in (0, 100))
    data = latens.encode_to(pixels, size=(low + high) / 2, model="minnen2018", tune="ms-ssim", closest=True)
    assert latens.open(data).rate_point.tune == "ms-ssim"
    codec = find("minnen2018-ms-ssim")
    assert codec.continuous and codec.id in everything()
    assert list(codec.options()["weights"]) == ["all-ms-ssim"]
    assert latens.open(codec.encode(pixels, 50)).rate_point.tune == "ms-ssim"


def test_the_command_line_has_tunes(both: shelf.ModelInfo, tmp_path: Path, photos: Path, capsys) -> None:
    command = ["encode", str(photos / "0.png"), "-o", str(tmp_path / "a.ltn"), "--model", "minnen2018", "--json"]
    assert main([*command, "--tune", "ms-ssim"]) == 0
    assert json.loads(capsys.readouterr().out)["tune"] == "ms-ssim"
    assert main(["info", str(tmp_path / "a.ltn")]) == 0
    assert "all-ms-ssim" in capsys.readouterr().out
    assert main(["decode", str(tmp_path / "a.ltn"), "-o", str(tmp_path / "a.png")]) == 0
    capsys.readouterr()
    assert main([*command, "-f"]) == 0
    assert json.loads(capsys.readouterr().out)["tune"] == "psnr"


def test_a_tune_that_there_is_not_is_refused(both: shelf.ModelInfo) -> None:
    with pytest.raises(UsageError, match="tune is 'vmaf', and must be one of psnr, ms-ssim"):
        shelf.select("minnen2018", 50, "vmaf")


def test_weights_of_one_metric_are_a_start_for_the_other(runs: dict[str, Path], tmp_path: Path) -> None:
    options = dataclasses.replace(Options.load(runs["ms-ssim"] / "options.json"), steps=0)
    begun = run.begin(tmp_path / "a", options, QUIET, runs["psnr"])
    first = run.resume(runs["psnr"], QUIET)
    assert torch.equal(begun.module.gains.gain, first.average.shadow["gains.gain"])


def test_what_there_is_is_named(photograph: np.ndarray) -> None:
    without = next(info.id for info in latens.models() if "ms-ssim" not in info.tunes)
    said = rf"'ms-ssim', and {without} has weights tuned for psnr only; .* has some"
    with pytest.raises(UsageError, match=said):
        latens.encode(photograph[:32, :32], model=without, tune="ms-ssim")


def test_a_weights_file_is_asked_for_the_tune_it_has(folder: Path, photograph: np.ndarray) -> None:
    path = folder / "minnen2018" / "all-ms-ssim.ltm"
    pixels = photograph[:32, :32]
    assert latens.encode(pixels, model=path) == latens.encode(pixels, model=path, tune="ms-ssim")
    with pytest.raises(UsageError, match=r"tune is 'psnr', and all-ms-ssim\.ltm is tuned for ms-ssim"):
        latens.encode(pixels, model=path, tune="psnr")


def test_runs_of_two_metrics_are_not_shipped_together(runs: dict[str, Path], photos: Path) -> None:
    with pytest.raises(SystemExit, match="one model and one metric"):
        ship.ship(list(runs.values()), [photos], [photos], False)
