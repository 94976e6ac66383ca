"""Fitting a picture's own filter: errors foretold, filters found where they pay, numbers that a file can hold."""

import warnings
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from latens import fitting, wiener
from latens.coding import Encoder, Tables, integer_table
from latens.entropy.account import Estimate
from latens.entropy.channels import Encode, Group, PriorTables
from latens.entropy.scales import COUNT, gaussian_pmf, position, sigmas
from latens.features import FEATURES, FEWER, features
from latens.fitting import Normal, fitted, normal
from latens.wiener import MOST_STEP, MOST_SYMBOL, Basis, Filter, filtered, over

FIRST = COUNT  # so many tables of something else are before those of the scales
PRIORS = {"y": PriorTables(FIRST, (Group(COUNT),))}
KNOWN = np.array([30, -20, 9, 14], np.int32)


@pytest.fixture(autouse=True)
def _numbers() -> Iterator[None]:
    """Whatever overflows or is no number is an error here, in any thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture(scope="module")
def tables() -> Tables:
    made = [gaussian_pmf(float(sigma)) for sigma in sigmas()]
    return Tables.stack(integer_table(masses, low) for masses, low in [*made[:1] * FIRST, *made])


def smooth(photograph: np.ndarray) -> np.ndarray:
    """A part of a photograph as g_s might make it, float32 (3, 90, 70)."""
    part = photograph[60:150, 180:250].transpose(2, 0, 1).astype(np.float32) / 255
    return (0.1 + 0.8 * (part + np.roll(part, 1, 1) + np.roll(part, 1, 2)) / 3).astype(np.float32)


@pytest.fixture(scope="module")
def basis(photograph: np.ndarray) -> Basis:
    """A tint, a contrast, a blur, a shift of colour, and eight more: by turns, each without those before it.

    They are measured by what they do to `smooth`: a unit of each changes a pixel by a quarter of a level.
    """
    vectors = np.random.default_rng(0).normal(0, 1e-3, (12, FEATURES, 3))
    vectors[:4] = 0
    vectors[0, 0] = (2, 0, -1)
    vectors[1, 1] = 1
    vectors[2, [10, 15]] = 1  # pairs of luma: beside, and above and below
    vectors[3, 2, 2] = 1
    equations = normal(smooth(photograph), photograph[60:150, 180:250], FEATURES)
    gram = equations.gram / equations.pixels
    for k, vector in enumerate(vectors):
        for other in vectors[:k]:
            vector -= 16 * (other * (gram @ vector)).sum() * other
        vector /= 4 * np.sqrt((vector * (gram @ vector)).sum())
    return Basis.of(vectors.astype(np.float16), np.full(12, round(position(12.0)), np.int16))


def squared(pixels: np.ndarray, x: np.ndarray, taps: np.ndarray | None = None) -> float:
    """The squared error of taps before any rounding, in float64."""
    aim = 255 * x.astype(np.float64)
    if taps is not None:
        parts = over(x, lambda _, planes: features(planes).reshape(FEATURES, -1))
        found = np.concatenate(list(parts), 1).astype(np.float64)
        aim = aim + (taps.T.astype(np.float64) @ found).reshape(aim.shape)
    return float(np.square(pixels.transpose(2, 0, 1) - aim).sum())


def foretold(equations: Normal, taps: np.ndarray) -> float:
    """What a filter changes about the squared error, by the module's docstring."""
    t = taps.astype(np.float64)
    return float((t * (equations.gram @ t)).sum() - 2 * (equations.cross * t).sum())


def spent(found: Filter | None, basis: Basis, tables: Tables) -> float:
    channel = Estimate(Encoder(tables), PRIORS, 1, 1)
    wiener.send(found, basis, "y", channel)
    return float(channel.spent().sum())


def saved(found: Filter, equations: Normal, basis: Basis, tables: Tables, price: float) -> float:
    """Bits: the error taken away at its price, less what the file grows by."""
    taps = np.tensordot(found.symbols * wiener.delta(found.step), basis.vectors[: len(found.symbols)], 1)
    return -price * foretold(equations, taps) - spent(found, basis, tables) + spent(None, basis, tables)


def filter_of(
    equations: Normal, basis: Basis, tables: Tables, price: float, first: int = FIRST
) -> Filter | None:
    """What is fitted."""
    found = fitted(equations, basis, tables, first, price)
    return found and found.filter


@pytest.mark.parametrize("most", [wiener.PIXELS, 200])
def test_the_error_of_any_taps_is_foretold(
    most: int, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiener, "PIXELS", most)
    x, random = smooth(photograph), np.random.default_rng(1)
    pixels = photograph[60:150, 180:250]
    equations = normal(x, pixels, FEATURES)
    assert equations.pixels == 90 * 70 and equations.gram.shape == (FEATURES, FEATURES)
    assert equations.gram.dtype == equations.cross.dtype == np.float64
    before = squared(pixels, x)
    for size in (1e-4, 1e-3, 1e-2):
        taps = random.normal(0, size, (FEATURES, 3))
        after = squared(pixels, x, taps)
        assert foretold(equations, taps) == pytest.approx(after - before, rel=1e-4, abs=1e-5 * (before + after))


def test_fewer_features_make_the_first_of_the_same_equations(photograph: np.ndarray) -> None:
    x, pixels = smooth(photograph), photograph[60:150, 180:250]
    whole, few = (normal(x, pixels, count) for count in (FEATURES, FEWER))
    assert few.gram.shape == (FEWER, FEWER) and few.cross.shape == (FEWER, 3)
    np.testing.assert_allclose(few.gram, whole.gram[:FEWER, :FEWER], rtol=1e-5)
    np.testing.assert_allclose(few.cross, whole.cross[:FEWER], rtol=1e-5, atol=1e-3 * np.abs(whole.cross).max())


def test_a_known_filter_is_found(photograph: np.ndarray, basis: Basis, tables: Tables) -> None:
    x = smooth(photograph)
    pixels = filtered(x, basis.taps(Filter(0, KNOWN)))
    equations = normal(x, pixels, FEATURES)
    found = filter_of(equations, basis, tables, 1.0)
    assert found is not None
    z = np.zeros(12)
    z[: len(found.symbols)] = found.symbols * wiener.delta(found.step)
    assert np.abs(z - np.append(KNOWN, np.zeros(8))).max() < 0.5
    taps = basis.taps(found)
    before, after = squared(pixels, x), squared(pixels, x, taps)
    floor = pixels.size / 12  # what rounding has left there is not to be had
    assert before > 20 * floor and floor * 0.8 < after < floor * 1.1
    seen = float(np.square(filtered(x, taps).astype(float) - pixels).sum())
    assert seen < 0.1 * before


def test_the_bits_of_a_filter_are_less_than_it_saves_and_more_so_at_a_higher_price(
    photograph: np.ndarray, basis: Basis, tables: Tables
) -> None:
    x = smooth(photograph)
    equations = normal(x, filtered(x, basis.taps(Filter(0, KNOWN))), FEATURES)
    gains, errors = [], []
    for price in (1e-3, 1e-2, 0.1, 1.0):
        found = fitted(equations, basis, tables, FIRST, price)
        assert found is not None
        gains.append(saved(found.filter, equations, basis, tables, price))
        assert found.saved == pytest.approx(gains[-1], rel=1e-3)
        errors.append(foretold(equations, basis.taps(found.filter)))
    assert gains[0] > 0 and all(after > 5 * before for before, after in pairwise(gains))
    assert errors == sorted(errors, reverse=True)


def test_no_single_number_of_it_could_be_better(photograph: np.ndarray, basis: Basis, tables: Tables) -> None:
    x = smooth(photograph)
    equations = normal(x, filtered(x, basis.taps(Filter(0, KNOWN))), FEATURES)
    for price in (1e-3, 1e-2, 0.1):
        found = filter_of(equations, basis, tables, price)
        assert found is not None
        gain = saved(found, equations, basis, tables, price)
        for k in range(len(found.symbols)):
            for away in (-2, -1, 1, 2):
                symbols = found.symbols.copy()
                symbols[k] += away
                other = saved(Filter(found.step, symbols), equations, basis, tables, price)
                assert other <= gain + 0.5  # it was chosen given what the others were then
        for count in range(1, len(found.symbols)):
            shorter = Filter(found.step, found.symbols[:count])
            assert saved(shorter, equations, basis, tables, price) <= gain + 1e-6


def test_noise_has_no_filter(photograph: np.ndarray, basis: Basis, tables: Tables) -> None:
    x = smooth(photograph)
    noise = np.random.default_rng(2).normal(0, 4, x.shape)
    pixels = np.rint(np.clip(255 * x + noise, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    assert filter_of(normal(x, pixels, FEATURES), basis, tables, 0.02) is None


def test_a_perfect_picture_has_no_filter(photograph: np.ndarray, basis: Basis, tables: Tables) -> None:
    pixels = photograph[60:150, 180:250]
    x = (pixels.transpose(2, 0, 1) / 255).astype(np.float32)
    for price in (1e-3, 1.0):
        assert filter_of(normal(x, pixels, FEATURES), basis, tables, price) is None


def valid(found: Filter | None, basis: Basis, tables: Tables) -> bool:
    """Whether a file can hold it, and its taps are numbers."""
    if found is None:
        return True
    wiener.send(found, basis, "y", Encode(Encoder(tables), PRIORS, 1, 1))
    assert 1 <= len(found.symbols) <= len(basis.scales) and found.symbols.dtype == np.int32
    assert abs(found.step) <= MOST_STEP and np.abs(found.symbols.astype(np.int64)).max() <= MOST_SYMBOL
    return bool(np.isfinite(basis.taps(found)).all())


@pytest.mark.parametrize("price", [1e-7, 1e-2, 1e6])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 128 / 255])
@pytest.mark.parametrize("size", [(1, 1), (5, 1), (16, 11)])
def test_flat_pictures_have_what_filters_they_like(
    size: tuple[int, int], level: float, price: float, basis: Basis, tables: Tables
) -> None:
    x = np.full((3, *size), level, np.float32)
    for grey in (0, 128, 255):
        equations = normal(x, np.full((*size, 3), grey, np.uint8), FEATURES)
        assert np.abs(equations.gram[10:]).max() < 1e-3  # no pixel differs from another
        found = filter_of(equations, basis, tables, price)
        assert valid(found, basis, tables)
        assert found is None or saved(found, equations, basis, tables, price) > 0


def test_a_tint_of_a_flat_picture_is_found(basis: Basis, tables: Tables) -> None:
    x = np.full((3, 20, 20), 0.5, np.float32)
    pixels = np.full((20, 20, 3), (139, 128, 122), np.uint8)
    found = filter_of(normal(x, pixels, FEATURES), basis, tables, 1.0)
    assert found is not None
    assert np.abs(filtered(x, basis.taps(found)).astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("seed", range(6))
def test_no_basis_and_no_price_make_what_a_file_cannot_hold(seed: int, tables: Tables) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, wiener.MOST + 1))
    size = 10.0 ** random.uniform(-7, 3.5)
    vectors = np.clip(random.normal(0, size, (count, FEATURES, 3)), -65504, 65504).astype(np.float16)
    vectors[random.random(count) < 0.2] = 0  # directions that are none
    basis = Basis.of(vectors, random.integers(-(2**15), 2**15, count).astype(np.int16))
    height, width = random.integers(1, 24, 2)
    x = random.uniform(-0.2, 1.2, (3, height, width)).astype(np.float32)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    equations = normal(x, pixels, FEATURES)
    for price in (1e-9, 1e-2, 1e6):
        assert valid(filter_of(equations, basis, tables, price), basis, tables)


@pytest.mark.parametrize(("enough", "rows"), [(90 * 70 // 3, 1), (90 * 70 // 4, 1), (90 * 70 // 8, 1), (1, 18)])
def test_some_rows_say_enough_of_a_large_picture(
    enough: int, rows: int, photograph: np.ndarray, basis: Basis, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = smooth(photograph)
    pixels = filtered(x, basis.taps(Filter(0, KNOWN)))
    whole = normal(x, pixels, FEATURES)
    monkeypatch.setattr(fitting, "ENOUGH", enough)
    monkeypatch.setattr(fitting, "ROWS", rows)
    some = normal(x, pixels, FEATURES)
    assert some.pixels == whole.pixels and not np.array_equal(some.gram, whole.gram)
    assert some.gram[0, 0] == pytest.approx(90 * 70)  # the feature that is 1 everywhere
    found = filter_of(some, basis, tables, 1.0)
    assert found is not None
    assert squared(pixels, x, basis.taps(found)) < 0.1 * squared(pixels, x)


def test_rows_that_are_left_out_change_nothing_of_the_others(photograph: np.ndarray) -> None:
    x = smooth(photograph)
    whole = np.concatenate([found[:, 0] for found in over(x, lambda _, planes: features(planes))], 1)
    for every in (1, 2, 5, 7, 90, 200):
        for at, found in over(x, lambda at, planes: (at, features(planes)), every=every):
            np.testing.assert_allclose(found.reshape(FEATURES, -1, 70), whole[:, *at], rtol=1e-5, atol=1e-3)


def test_what_a_synthesis_overshoots_is_no_error(basis: Basis, tables: Tables) -> None:
    x = np.full((3, 20, 20), 1.2, np.float32)
    assert filter_of(normal(x, np.full((20, 20, 3), 255, np.uint8), FEATURES), basis, tables, 1.0) is None


def test_numbers_are_weighed_by_the_tables_of_the_scales(
    photograph: np.ndarray, basis: Basis, tables: Tables
) -> None:
    alone = Tables.stack(tables.table(number) for number in range(FIRST, FIRST + COUNT))
    equations = normal(smooth(photograph), photograph[60:150, 180:250], FEATURES)
    other = 0
    for price in (1e-3, 3e-3, 1e-2, 3e-2):
        places = ((tables, FIRST), (alone, 0), (tables, 0))
        found = [filter_of(equations, basis, where, price, first) for where, first in places]
        said = [one and (one.step, one.symbols.tolist()) for one in found]
        assert said[0] is not None and said[0] == said[1]
        other += said[2] != said[0]
    assert other


def test_errors_that_only_numbers_before_rounding_have_are_doubted(photograph: np.ndarray) -> None:
    x, pixels = smooth(photograph), photograph[60:150, 180:250]
    assert normal(x, pixels, FEATURES).doubt < 0.002 * squared(pixels, x)
    exact = pixels.transpose(2, 0, 1) / np.float32(255)
    near = (exact + np.float32(0.3 / 255)).astype(np.float32)  # which rounds to the picture
    float_error = squared(pixels, near)
    assert float_error < normal(near, pixels, FEATURES).doubt < 2 * float_error
    over = (exact + np.float32(0.2)).astype(np.float32)  # beyond 255 in places
    beyond = np.maximum(255 * over - 255, 0).astype(np.float64)
    lack = np.abs(pixels.transpose(2, 0, 1) - np.clip(255 * over.astype(np.float64), 0, 255))
    assert normal(over, pixels, FEATURES).doubt == pytest.approx((beyond * (2 * lack + beyond)).sum(), rel=1e-2)
