"""The picture's own filter: features as defined, the same pixels however they are computed, and what files say."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from latens import wiener
from latens.coding import Decoder, Encoder, Tables, integer_table
from latens.entropy.account import Account
from latens.entropy.channels import Decode, Encode, Group, PriorTables
from latens.entropy.scales import COUNT, gaussian_pmf, sigmas
from latens.errors import ChecksumError
from latens.features import FEATURES, FEWER, features
from latens.wiener import (
    MOST,
    MOST_STEP,
    MOST_SYMBOL,
    NUMBER,
    Basis,
    Filter,
    delta,
    filtered,
    over,
)

SIZES = [(1, 1), (1, 5), (3, 2), (7, 9)]
K = 40
FIRST = 2  # tables before those of the scales


def made(height: int, width: int) -> np.ndarray:
    """A random picture as g_s makes them, float32 (3, H, W): a little beyond 0..1, and smooth in places."""
    random = np.random.default_rng(height * 10 + width)
    steep = random.uniform(-0.1, 1.1, (3, height, width))
    calm = 0.5 + random.uniform(-0.03, 0.03, (3, height, width))
    return np.where(random.random((height, width)) < 0.6, calm, steep).astype(np.float32)


def defined(x: np.ndarray, row: int, column: int) -> list[float]:
    """The features of one pixel, one after the other."""

    def seen(down: int, right: int) -> tuple[float, float, float]:
        at = (min(max(row + down, 0), x.shape[1] - 1), min(max(column + right, 0), x.shape[2] - 1))
        r, g, b = (255 * float(plane[at]) for plane in x)
        luma = 0.299 * r + 0.587 * g + 0.114 * b
        return luma - 128, -0.169 * r - 0.331 * g + 0.5 * b, 0.5 * r - 0.419 * g - 0.081 * b

    half = [(0, 1), (0, 2), *itertools.product((1, 2), range(-2, 3))]  # of the 5x5, the rest being opposite
    close = [(0, 1), (1, -1), (1, 0), (1, 1)]
    here = seen(0, 0)
    found = [1.0, *here]
    found += [here[i] * here[j] / 128 for i in range(3) for j in range(i, 3)]
    for plane in range(3):
        found += [seen(d, r)[plane] + seen(-d, -r)[plane] - 2 * here[plane] for d, r in half]

    def pair(d: int, r: int) -> tuple[float, float]:
        return seen(d, r)[0] - here[0], seen(-d, -r)[0] - here[0]

    found += [sum(v / (1 + abs(v) / 8) for v in pair(d, r)) for d, r in half]
    found += [v * w / (8 + abs(v) + abs(w)) for v, w in (pair(d, r) for d, r in close)]
    for plane in (1, 2):
        for d, r in close:
            gates = [max(0.0, 1 - abs(v) / 16) for v in pair(d, r)]
            others = [seen(d, r)[plane] - here[plane], seen(-d, -r)[plane] - here[plane]]
            found.append(gates[0] * others[0] + gates[1] * others[1])
    found += [sum(v / (1 + abs(v) / 2.5) for v in pair(d, r)) for d, r in half]
    found += [seen(d, r)[0] - seen(-d, -r)[0] for d, r in half]
    return found


def gathered(x: np.ndarray, threads: int = 1) -> np.ndarray:
    """The features of a picture, (FEATURES, H, W), of which every pixel is met once."""
    whole, met = np.empty((FEATURES, *x.shape[1:]), np.float32), np.zeros(x.shape[1:], int)
    for at, found in over(x, lambda at, planes: (at, features(planes)), threads):
        met[at] += 1
        whole[:, *at] = found[:, 0]
    assert (met == 1).all()
    return whole


def exact(x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """What taps make of a picture, float64 (H, W, 3), clipped and not rounded."""
    found = np.array([[defined(x, r, c) for c in range(x.shape[2])] for r in range(x.shape[1])])
    return np.clip(255 * x.transpose(1, 2, 0).astype(np.float64) + found @ taps, 0, 255)


def tapped(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, (FEATURES, 3)).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_features_are_as_defined(height: int, width: int) -> None:
    x = made(height, width)
    found = gathered(x)
    assert found.dtype == np.float32 and found.shape == (FEATURES, height, width)
    for row, column in np.ndindex(height, width):
        np.testing.assert_allclose(found[:, row, column], defined(x, row, column), rtol=1e-5, atol=1e-3)
    if height * width > 10:
        assert (np.abs(found).max((1, 2)) > 0.1).all()  # none of them is idle here


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_taps_are_applied_rounded_and_clipped(height: int, width: int) -> None:
    x, taps = made(height, width), tapped()
    pixels, aim = filtered(x, taps), exact(x, taps)
    assert pixels.dtype == np.uint8 and pixels.shape == (height, width, 3)
    assert np.abs(pixels - aim).max() <= 0.5 + 2e-3
    pixels = filtered(x, 1000 * taps)
    assert set(np.unique(pixels)) <= set(range(256)) and np.abs(pixels - exact(x, 1000 * taps)).max() <= 1.5


def test_taps_of_fewer_features_are_as_if_the_others_had_none() -> None:
    x, taps = made(7, 9), tapped()
    (few,) = over(x, lambda _, planes: features(planes, FEWER))
    assert np.array_equal(few[:, 0], gathered(x)[:FEWER])
    taps[FEWER:] = 0
    assert np.array_equal(filtered(x, taps[:FEWER]), filtered(x, taps))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_no_taps_leave_what_is_rounded(height: int, width: int) -> None:
    x = made(height, width)
    plain = np.rint(np.clip(x * np.float32(255), 0, 255)).transpose(1, 2, 0)
    assert np.array_equal(filtered(x, np.zeros((FEATURES, 3), np.float32)), plain)


@pytest.mark.parametrize(("most", "widest"), [(1, 9), (20, 9), (40, 9), (40, 4)])
@pytest.mark.parametrize("threads", [1, 3])
def test_areas_and_threads_make_no_difference(
    most: int, widest: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, taps = made(23, 9), tapped()
    whole, pixels = gathered(x), filtered(x, taps, 1)
    clear = np.abs(exact(x, taps) % 1 - 0.5) > 2e-3  # sums in another order are rounded alike
    assert clear.mean() > 0.95
    monkeypatch.setattr(wiener, "PIXELS", most)
    monkeypatch.setattr(wiener, "WIDEST", widest)
    assert sum(1 for _ in over(x, lambda *_: None)) == -(-23 // max(1, most // widest)) * -(-9 // widest)
    np.testing.assert_allclose(gathered(x, threads), whole, rtol=1e-5, atol=1e-4)
    assert np.array_equal(filtered(x, taps, threads)[clear], pixels[clear])


def test_threads_make_no_difference_to_any_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiener, "PIXELS", 40)
    x = made(23, 9)
    one, *others = (gathered(x, threads) for threads in (1, 2, 5, 0))
    assert all(np.array_equal(one, other) for other in others)


def test_a_unit_grows_with_the_step_as_the_scales_do() -> None:
    for away in (-20, -1, 0, 1, 7):
        for k in (25, 40):
            assert delta(away) == pytest.approx(sigmas()[k + away] / sigmas()[k], rel=1e-12)


@pytest.fixture(scope="module")
def basis() -> Basis:
    random = np.random.default_rng(3)
    vectors = random.normal(0, 0.1, (K, FEATURES, 3)).astype(np.float16)
    return Basis.of(vectors, np.linspace(80, -20, K).astype(np.int16))  # beyond the table at both ends


def test_symbols_of_any_step_have_the_same_spread_of_taps(basis: Basis) -> None:
    for step in (-6, 0, 5):
        at = basis.at(step, 30)
        assert at.shape == (30,) and at.min() >= 0 and at.max() <= COUNT - 1
        inside = (basis.scales[:30] - step >= 0) & (basis.scales[:30] - step < COUNT)
        spread = sigmas()[at[inside]] * delta(step)
        np.testing.assert_allclose(spread, 0.11 * np.exp(wiener.STEP * basis.scales[:30][inside]))
    assert basis.at(-MOST_STEP, K).tolist() == [COUNT - 1] * K and basis.at(MOST_STEP, K).tolist() == [0] * K


def test_taps_are_the_sum_of_the_first_directions(basis: Basis) -> None:
    symbols = np.array([3, 0, -7], np.int32)
    taps = basis.taps(Filter(-4, symbols))
    expected = sum(int(q) * v for q, v in zip(symbols, basis.vectors, strict=False)) * delta(-4)
    assert taps.dtype == np.float32 and taps.shape == (FEATURES, 3)
    np.testing.assert_allclose(taps, expected, rtol=1e-6, atol=1e-7)


def test_the_largest_taps_are_numbers() -> None:
    largest = Basis.of(np.full((MOST, FEATURES, 3), 65504, np.float16), np.zeros(MOST, np.int16))
    taps = largest.taps(Filter(MOST_STEP, np.full(MOST, MOST_SYMBOL, np.int32)))
    assert np.isfinite(taps).all() and (filtered(made(3, 4), taps) % 255 == 0).all()


GOOD = np.zeros((3, FEATURES, 3), np.float16)
SCALES = np.zeros(3, np.int16)


def poisoned(value: float) -> np.ndarray:
    vectors = GOOD.copy()
    vectors[2, 5, 1] = value
    return vectors


@pytest.mark.parametrize("features", [FEWER, FEATURES])
def test_a_basis_has_as_few_as_one_direction_and_at_most_so_many(features: int) -> None:
    for count in (1, MOST):
        found = Basis.of(np.ones((count, features, 3), np.float16), np.full(count, -7, np.int16))
        assert found.vectors.dtype == np.float64 and found.scales.dtype == np.int64
        assert found.vectors.shape == (count, features, 3) and found.scales.tolist() == [-7] * count
        assert found.features == features and found.taps(Filter(0, np.ones(1, np.int32))).shape == (features, 3)


@pytest.mark.parametrize(
    ("vectors", "scales", "said"),
    [
        (GOOD[:0], SCALES[:0], "the filters are"),
        (np.zeros((MOST + 1, FEATURES, 3), np.float16), np.zeros(MOST + 1, np.int16), "the filters are"),
        (GOOD[:, 1:], SCALES, "the filters are"),
        (GOOD[:, : FEWER - 1], SCALES, "the filters are"),
        (GOOD[:, : FEWER + 1], SCALES, "the filters are"),
        (GOOD[:, :, :2], SCALES, "the filters are"),
        (GOOD[0], SCALES, "the filters are"),
        (GOOD[None], SCALES[:1], "the filters are"),
        (np.float16(0), SCALES, "the filters are"),
        (np.array(0, np.float16), SCALES, "the filters are"),
        (GOOD.astype(np.float32), SCALES, "the filters are"),
        (GOOD.astype(np.int16), SCALES, "the filters are"),
        (GOOD, SCALES[:2], "the scales of the filters are"),
        (GOOD, SCALES[:, None], "the scales of the filters are"),
        (GOOD, np.array(0, np.int16), "the scales of the filters are"),
        (GOOD, SCALES.astype(np.int32), "the scales of the filters are"),
        (GOOD, SCALES.astype(np.uint16), "the scales of the filters are"),
        (GOOD, SCALES.astype(np.float16), "the scales of the filters are"),
        (poisoned(np.nan), SCALES, "no numbers"),
        (poisoned(-np.inf), SCALES, "no numbers"),
    ],
)
def test_other_arrays_are_no_basis(vectors: np.ndarray, scales: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Basis.of(np.asarray(vectors), scales)


@pytest.fixture(scope="module")
def tables() -> Tables:
    made = [gaussian_pmf(float(sigma)) for sigma in sigmas()]
    return Tables.stack(integer_table(masses, low) for masses, low in [*made[30 : 30 + FIRST], *made])


PRIORS = {"y": PriorTables(FIRST, (Group(COUNT),))}


def filters() -> Iterator[Filter | None]:
    random = np.random.default_rng(5)
    yield None
    for step in (-MOST_STEP, -9, 0, 4, MOST_STEP):
        for count in (1, 7, K):
            symbols = np.rint(random.normal(0, 6, count)).astype(np.int32)
            yield Filter(step, symbols)
    yield Filter(3, np.zeros(2, np.int32))
    yield Filter(0, np.array([0, MOST_SYMBOL, -1, -MOST_SYMBOL, 2000], np.int32))
    yield Filter(MOST_STEP, np.full(K, -MOST_SYMBOL, np.int32))  # all of them escapes


@pytest.mark.parametrize("found", list(filters()), ids=lambda one: str(one and (one.step, len(one.symbols))))
def test_what_is_sent_is_received(found: Filter | None, basis: Basis, tables: Tables) -> None:
    around = np.array([4, -4, 0], np.int32), np.array([30, 30, 31])
    encoder = Encoder(tables)
    sent = Encode(encoder, PRIORS, 1, 1)
    sent.listed(around[0], "y", around[1])
    wiener.send(found, basis, "y", sent)
    sent.listed(around[0], "y", around[1])
    data = encoder.finish()
    for play in (Decode, Account):
        decoder = Decoder(tables, data)
        channel = play(decoder, PRIORS, 1, 1)
        assert np.array_equal(channel.listed(None, "y", around[1]), around[0])
        came = wiener.receive(basis, "y", channel)
        assert np.array_equal(channel.listed(None, "y", around[1]), around[0])
        decoder.finish()
        assert channel.check.value == sent.check.value
        if found is None:
            assert came is None
        else:
            assert came is not None and came.step == found.step and came.symbols.dtype == np.int32
            assert np.array_equal(came.symbols, found.symbols)
        if isinstance(channel, Account):
            assert -8 <= 8 * len(data) - channel.spent().sum() <= 40  # zero bytes at the end are left out


def test_a_branch_goes_on_by_itself(basis: Basis, tables: Tables) -> None:
    trunk = Encode(Encoder(tables), PRIORS, 1, 1)
    trunk.listed(np.array([7], np.int32), "y", np.array([33]))
    mark = trunk.check.value
    sent = [None, Filter(1, np.array([5, 9], np.int32)), None]
    branches = [trunk.branched() for _ in sent]
    for found, branch in zip(sent, branches, strict=True):
        wiener.send(found, basis, "y", branch)
    first, second, third = (branch.coder.finish() for branch in branches)
    assert first == third != second and branches[0].check.value != branches[1].check.value
    assert trunk.check.value == mark and trunk.coder.finish() == trunk.branched().coder.finish()
    wiener.send(None, basis, "y", trunk)
    assert trunk.coder.finish() == first


LEAST = -(2**31)


@pytest.mark.parametrize(
    ("count", "step", "symbols", "said"),
    [
        (-1, 0, [1], "has -1 numbers"),
        (LEAST, 0, [1], "numbers"),
        (K + 1, 0, [1] * (K + 1), f"has {K + 1} numbers, and must have 0 to {K}"),
        (2**31 - 1, 0, [1], "has 2147483647 numbers"),
        (1, MOST_STEP + 1, [1], "is 128, and must be -127 to 127"),
        (1, -MOST_STEP - 1, [1], "is -128"),
        (1, LEAST, [1], "is -2147483648"),
        (1, 0, [MOST_SYMBOL + 1], f"number of size {MOST_SYMBOL + 1}, and may have {MOST_SYMBOL}"),
        (3, 0, [1, -MOST_SYMBOL - 1, 0], f"number of size {MOST_SYMBOL + 1}"),
        (2, 5, [1, 2**31 - 1], "number of size 2147483647"),
        (2, -5, [LEAST, 1], "number of size 2147483648"),
    ],
)
def test_a_filter_that_no_encoder_writes_is_refused(
    count: int, step: int, symbols: list[int], said: str, basis: Basis, tables: Tables
) -> None:
    encoder = Encoder(tables)
    channel = Encode(encoder, PRIORS, 1, 1)
    for value in (count, step):
        channel.listed(np.array([value], np.int32), "y", np.array([NUMBER]))
    scales = np.clip(np.resize(basis.scales, len(symbols)) - step, 0, COUNT - 1)
    channel.listed(np.array(symbols, np.int32), "y", scales)
    with pytest.raises(ChecksumError, match=said):
        wiener.receive(basis, "y", Decode(Decoder(tables, encoder.finish()), PRIORS, 1, 1))
