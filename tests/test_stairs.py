"""Qualities in stairs: monotone whatever the files are, and only where there is next to nothing in a picture."""

import sys
from pathlib import Path

import numpy as np
import pytest

import latens
from latens.latents import Analysed
from latens.stairs import RUNGS, rung, steady, suits
from latens.weights.package import load
from latens.weights.shelf import select

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import monotone

MODEL = "latens"
LITTLE = ("flat", "slow ramp", "a word", "photograph of")  # beginnings of names
MUCH = ("noise", "text")


@pytest.mark.parametrize("seed", range(20))
def test_stairs_rise_whatever_sizes_and_errors_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, error = (dict(zip(RUNGS, rng.integers(0, 30, len(RUNGS)).tolist(), strict=True)) for _ in range(2))
    chosen = [rung(quality, size.__getitem__, error.__getitem__) for quality in np.arange(0, 100.1, 2.5)]
    sizes, errors = [size[step] for step in chosen], [error[step] for step in chosen]
    assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
    assert sizes[-1] <= max(size.values()) and errors[-1] == min(error.values())


def test_stairs_of_files_that_rise_by_themselves_are_those() -> None:
    chosen = [rung(quality, lambda step: int(step), lambda step: -int(step)) for quality in (0, 4.9, 5, 62, 100)]
    assert chosen == [0, 0, 5, 60, 100]


def test_errors_are_asked_only_of_files_within_the_budget() -> None:
    asked: list[float] = []

    def error(step: float) -> int:
        asked.append(step)
        return 0

    assert rung(10, lambda step: int(step) // 10, error) == 0
    assert asked == [0, 5, 10, 15]


def test_photographs_are_not_coded_in_stairs(photograph: np.ndarray) -> None:
    y = np.zeros((1, 4, 20, 20), np.float32)
    noise = np.random.default_rng(0).normal(0, 9, y.shape)
    assert suits(y, 320 * 320) and not suits(y, 2000 * 2000)
    assert suits(noise, 96 * 96) and not suits(noise, 96 * 96 + 1)
    data = latens.encode(photograph[:128, :128], quality=43.21, model=MODEL)
    assert latens.open(data).header.quality == 43.21


@pytest.mark.parametrize("model", [MODEL, "minnen2018"])
@pytest.mark.parametrize("name", [name for name, _ in monotone.odd_pictures(104)])
def test_odd_pictures_never_lose_by_a_higher_quality(
    name: str, model: str, request: pytest.FixtureRequest
) -> None:
    if model == "minnen2018" and name == "line art":
        request.applymarker(pytest.mark.xfail(strict=True, reason="docs/effort.md: what one step mends is luck"))
    pixels = dict(monotone.odd_pictures(104))[name]
    weights = load(Path(select(model, 50)))
    rungs = monotone.ladder(pixels, weights, [0, 25, 50, 75, 100])
    assert not monotone.violations(rungs)
    if name.startswith(LITTLE) or name in MUCH:
        in_stairs = steady(Analysed.of(pixels, weights))(31).header.quality != 31
        assert in_stairs == (name not in MUCH)


def test_a_violation_says_what_is_lost() -> None:
    rungs = [monotone.Rung(0, 100, 30.0), monotone.Rung(5, 90, 31.0), monotone.Rung(10, 95, 30.5)]
    first, second = monotone.violations(rungs)
    assert str(first) == "0 to 5: loses 10 bytes of 100"
    assert str(second) == "5 to 10: loses 0.5000 dB of 31.00"
    infinite = [monotone.Rung(0, 100, float("inf")), monotone.Rung(5, 100, float("inf"))]
    assert not monotone.violations(infinite)
