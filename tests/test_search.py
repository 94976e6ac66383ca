"""Encoder effort: never worse, always the same bytes, read by the one decoder there is."""

from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pytest
from skimage import data

import latens
from latens import search
from latens.errors import UsageError
from latens.latents import Analysed, restored
from latens.pixels import ROWS, difference
from latens.weights.package import load
from latens.weights.shelf import select


def pictures() -> dict[str, np.ndarray]:
    """A face, text, noise and a flat picture, of sizes that are no multiples of anything."""
    random = np.random.default_rng(0)
    text = np.repeat(data.page()[40:120, 20:130, None], 3, 2)
    return {
        "face": np.ascontiguousarray(data.astronaut()[60:150, 170:290]),
        "text": np.ascontiguousarray(text),
        "noise": random.integers(0, 256, (50, 70, 3), np.uint8),
        "flat": np.full((40, 33, 3), 77, np.uint8),
    }


@pytest.fixture(scope="module", params=["latens", "balle2018", "balle2017"])
def analysed(request: pytest.FixtureRequest) -> Iterator[dict[str, Analysed]]:
    """The pictures' latents of a model with a conditional prior, and of one without."""
    weights = load(select(request.param, 30))
    yield {name: Analysed.of(pixels, weights) for name, pixels in pictures().items()}


def test_more_effort_never_gives_a_worse_lagrangian(analysed: dict[str, Analysed]) -> None:
    gained, first = [], []
    for picture in analysed.values():
        lmbda = picture.weights.lmbda(30.0)
        assert lmbda is not None
        spent = []
        for file in islice(search.climbed(picture, 30.0), 7):
            came = latens.decode(file.data, output="array")
            error = np.square(came - picture.pixels.astype(float)).sum()
            spent.append(8 * len(file.data) + lmbda * error / 3)
        assert all(after <= before for before, after in pairwise(spent))
        first.append(1 - spent[1] / spent[0])
        gained.append(1 - spent[-1] / spent[0])
    assert max(first) > 0.005 and max(gained) > 0.01 and sum(gain > 0 for gain in gained) >= 2


def test_the_lagrangian_is_that_of_the_decoded_file(analysed: dict[str, Analysed]) -> None:
    picture = analysed["face"]
    file = search.coded(picture, 30.0, 1)
    came = latens.decode(file.data, output="array")
    assert np.array_equal(came, picture.seen(file))
    expected = 8 * len(file.data) + 0.01 * np.square(came - picture.pixels.astype(float)).sum() / 3
    assert search.lagrangian(file, picture, 0.01) == pytest.approx(expected, rel=1e-12)


def test_errors_that_come_with_a_derivative_are_a_decoders_but_for_a_small_part_of_the_doubt(
    analysed: dict[str, Analysed],
) -> None:
    for picture in analysed.values():
        file, weights = picture.filtered(search.coded(picture, 30.0, 1), None), picture.weights
        lmbda = weights.lmbda(30.0)
        assert lmbda is not None
        for most in (4096, 10):  # whole and in strips
            error, _ = weights.squared_error(restored(file.header, weights, file.y_hat), picture.pixels, most)
            off = lmbda * abs(error - difference(picture.pixels, picture.seen(file))) / 3
            assert off <= search.DOUBT / 4 * search.lagrangian(file, picture, lmbda)


def test_squared_errors_are_exact_over_all_rows() -> None:
    tall = np.zeros((ROWS + 3, 2, 3), np.uint8)
    assert difference(tall, tall + np.uint8(255)) == (ROWS + 3) * 6 * 255.0**2


def test_effort_0_rounds_and_the_same_call_gives_the_same_bytes(photograph: np.ndarray) -> None:
    pixels = photograph[:128, 100:228]  # large enough not to be coded in stairs, where every effort rounds
    weights = load(select("balle2018", 30))
    picture = Analysed.of(pixels, weights)
    header = picture.header(30.0)
    rounded = latens.encode(pixels, model="balle2018", quality=30, effort=0)
    assert rounded == picture.coded(header, picture.scaled(header)).data
    once = latens.encode(pixels, model="balle2018", quality=30, effort=3)
    assert once != rounded
    assert latens.encode(pixels, model="balle2018", quality=30, effort=3) == once


def test_an_effort_is_a_rung_of_one_ladder(analysed: dict[str, Analysed]) -> None:
    ladder = list(search.climbed(analysed["face"], 30.0))
    assert len(ladder) == search.MOST_EFFORT + 1
    for effort in (0, 1, 6, 9):
        assert search.coded(analysed["face"], 30.0, effort).data == ladder[effort].data
    assert ladder[0].data != ladder[9].data


def test_strides_that_do_not_help_are_followed_by_others() -> None:
    first, later = (list(islice(search._strides(1.0, first), 5)) for first in (True, False))
    assert first[0] == (1.0, search.PRICE) and later[0] == (1.0, search.LATER)
    assert all(after[0] < before[0] and after[1] > before[1] for before, after in pairwise(first))
    sizes = [size for size, _ in later]
    assert sizes[1] < sizes[0] < sizes[2] and sizes[3] < sizes[1] and sizes[3] < sizes[4] < sizes[2]
    assert {price for _, price in later} == {search.LATER}


@pytest.mark.parametrize("effort", [-1, 10, 2.5, 2.0])
def test_an_effort_that_is_none_is_refused(photograph: np.ndarray, effort: float) -> None:
    with pytest.raises(UsageError, match=f"effort is {effort}, and must be a whole number from 0 to 9"):
        latens.encode(photograph[:16, :16], effort=effort)
    with pytest.raises(UsageError, match=f"effort is {effort}"):
        latens.encode_to(photograph[:16, :16], size=100, effort=effort)


def test_weights_trained_for_another_error_are_rounded(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load(select("balle2018", 30))
    picture = Analysed.of(photograph[:96, :128], weights)
    plain = search.coded(picture, 30.0, 0).data
    assert search.coded(picture, 30.0, 5).data != plain
    monkeypatch.setitem(weights.card, "metric", "ms-ssim")
    assert search.coded(picture, 30.0, 3).data == plain
