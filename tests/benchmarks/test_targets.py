"""benchmarks/targets.py: what counts as met, and that a wrong refusal is found out."""

import sys
from pathlib import Path

import numpy as np
import pytest

import latens
from latens.errors import TargetError
from latens.targets import Target

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import targets

MODEL = "minnen2018"


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[200:264, 200:296])


@pytest.mark.parametrize(
    ("kind", "value", "met"),
    [
        ("bpp", 0.99, True),
        ("bpp", 1.001, False),
        ("bpp", 0.97, False),
        ("psnr", 1.01, True),
        ("psnr", 0.999, False),
    ],
)
def test_a_target_is_met_on_its_right_side_within_two_percent(kind: str, value: float, met: bool) -> None:
    assert targets.met(Target(kind, 1.0), value) == met


def test_outcomes_are_met_and_out_of_reach(pixels: np.ndarray) -> None:
    reach = targets.Reach(pixels, MODEL)
    assert targets.outcome(pixels, Target("bpp", 1.0), MODEL, reach).verdict == "met"
    assert not reach.files, "nothing is searched for where a target is met"
    far = targets.outcome(pixels, Target("psnr", 60.0), MODEL, reach)
    assert far.verdict == "refused" and far.off < -0.1 and len(reach.files) == 21


def test_refusals_of_what_is_in_reach_are_found_out(
    pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **more: object) -> bytes:
        raise TargetError("no")

    monkeypatch.setitem(vars(latens), "encode_to", refuse)
    found = targets.outcome(pixels, Target("bpp", 1.0), MODEL, targets.Reach(pixels, MODEL))
    assert found.verdict == "refused wrongly"


def test_files_beside_their_target_are_found_out(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    data = latens.encode(pixels, model=MODEL, quality=90)
    monkeypatch.setitem(vars(latens), "encode_to", lambda *given, **more: data)
    assert targets.outcome(pixels, Target("size", 100), MODEL, targets.Reach(pixels, MODEL)).verdict == "missed"


def test_crops_have_many_sizes_and_none_is_too_small_for_ms_ssim() -> None:
    shapes = [picture.shape for picture in targets.crops(None, 12)]
    assert len(shapes) == 12 and len(set(shapes)) >= 4
    assert min(min(shape[:2]) for shape in shapes) >= 161
