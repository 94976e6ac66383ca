"""Directions in which filters differ: principal ones, measured by what they do to the mean picture."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from latens.entropy.scales import SMALLEST, STEP
from latens.features import FEATURES, features
from latens.latents import Analysed
from latens.search import coded
from latens.train import filters
from latens.train.filters import directions
from latens.weights.package import Weights, load
from latens.wiener import Basis, over

QUALITIES = (30.0, 70.0)


@pytest.fixture(scope="module")
def weights(filtering: tuple[Path, Path]) -> Weights:
    return load(filtering[0])


@pytest.fixture(scope="module")
def pictures(photograph: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(photograph[top : top + 112, 60:190]) for top in (20, 300)]


def equations(weights: Weights, pixels: np.ndarray, quality: float) -> tuple[np.ndarray, np.ndarray]:
    """G and X of one pixel on the average, float64, from all features at once."""
    analysed = Analysed.of(pixels, weights)
    x = analysed.synthesised(coded(analysed, quality))
    parts = over(x, lambda _, planes: features(planes).reshape(FEATURES, -1))
    found = np.concatenate(list(parts), 1).astype(np.float64)
    lack = (pixels.transpose(2, 0, 1) - 255 * x.astype(np.float64)).reshape(3, -1)
    return found @ found.T / lack.shape[1], found @ lack.T / lack.shape[1]


def test_directions_are_principal_and_say_how_far_pictures_go(
    weights: Weights, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = directions(weights, iter(product(pictures, QUALITIES)))
    basis = Basis.of(arrays["filters.vectors"], arrays["filters.scales"])
    met = [equations(weights, pixels, quality) for pixels in pictures for quality in QUALITIES]
    mean = sum(gram for gram, _ in met) / len(met)
    assert 1 <= len(basis.scales) <= len(met)
    assert (np.diff(basis.scales) <= 0).all()
    measured = np.einsum("kfc,fg,lgc->kl", basis.vectors, mean, basis.vectors)
    np.testing.assert_allclose(measured, np.eye(len(measured)), atol=0.02)  # float16
    optimal = np.stack([np.linalg.solve(gram + filters.RIDGE * mean, cross) for gram, cross in met])
    amounts = np.einsum("nfc,fg,kgc->nk", optimal, mean, basis.vectors)
    spread = np.sqrt(np.square(amounts).mean(0))
    expected = np.log(spread * 2**filters.WIDER / SMALLEST) / STEP
    np.testing.assert_allclose(basis.scales, expected, atol=0.7)
    products = amounts.T @ amounts / len(met) / np.outer(spread, spread)
    np.testing.assert_allclose(products, np.eye(len(products)), atol=0.1)  # none says what another has said
    whole = np.einsum("nfc,fg,ngc->n", optimal, mean, optimal)
    assert (np.square(amounts).sum(1) > 0.97 * whole).all()  # nothing is left of the pictures' own filters
    monkeypatch.setattr(filters, "MOST", 2)
    first = directions(weights, product(pictures, QUALITIES))
    assert np.array_equal(first["filters.vectors"], arrays["filters.vectors"][:2])
    assert np.array_equal(first["filters.scales"], arrays["filters.scales"][:2])


def test_one_picture_is_enough_and_order_makes_no_difference_to_what_is_spanned(
    weights: Weights, pictures: list[np.ndarray]
) -> None:
    single = directions(weights, product(pictures[:1], QUALITIES))
    assert single["filters.vectors"].shape[1:] == (FEATURES, 3) and len(single["filters.scales"]) <= len(QUALITIES)
    one, other = (directions(weights, product(some, QUALITIES)) for some in (pictures, pictures[::-1]))
    assert np.array_equal(one["filters.scales"], other["filters.scales"])
    for a, b in zip(one["filters.vectors"].astype(float), other["filters.vectors"].astype(float), strict=True):
        assert min(np.abs(a - b).max(), np.abs(a + b).max()) < 0.02 * np.abs(a).max()  # but for the sign
