"""Scales that adapt: as defined, the same for both sides, and worth it."""

import math

import numpy as np
import pytest

from latens.coding import Decoder, Encoder, Tables, integer_table
from latens.entropy import adaptive
from latens.entropy.account import Account, Estimate
from latens.entropy.adaptive import EDGES, LARGEST, LATTICES, ONE, WHOLE, Adaptive, magnitudes
from latens.entropy.channels import Decode, Encode, Group, Parameters, PriorTables
from latens.entropy.scales import COUNT, gaussian_pmf, sigmas

SIZES = [(1, 1), (1, 4), (5, 1), (2, 2), (5, 7), (6, 4)]
C = 3


@pytest.fixture(scope="module")
def tables() -> Tables:
    made = (gaussian_pmf(float(sigma)) for sigma in sigmas())
    return Tables.stack(integer_table(masses, low) for masses, low in made)


@pytest.fixture(scope="module")
def priors(tables: Tables) -> dict[str, PriorTables]:
    return {"y": PriorTables(0, (Group(COUNT),), magnitudes(tables, 0))}


def calls(rows: int, columns: int, times: float = 1.0) -> list[tuple[np.ndarray, Parameters]]:
    """Four planes of latents with parameters; their deviations are ``times`` the predicted ones."""
    random = np.random.default_rng(rows * 10 + columns)
    found = []
    for _ in range(4):
        mean = (random.integers(-80, 80, (1, C, rows, columns)) / 64).astype(np.float32)
        scale = random.integers(15, 35, mean.shape).astype(np.float32)
        off = random.normal(size=mean.shape) * sigmas()[scale.astype(int)] * times
        found.append(((mean + off).astype(np.float32), Parameters(mean, scale)))
    return found


def within(rows: int, columns: int) -> np.ndarray:
    """The last row and column are beyond the picture, in one channel of three."""
    inside = np.ones((C, rows, columns), bool)
    inside[0, -1] = inside[0, :, -1] = False
    return inside


def test_edges_are_where_the_logarithm_is_rounded_up() -> None:
    middle = len(EDGES) // 2
    for number, edge in enumerate(EDGES.tolist()):
        assert 2 / 3 * math.log2(edge) == pytest.approx(number - middle + 0.5, abs=1e-4)


def test_no_sum_leaves_what_float32_holds() -> None:
    assert 81 * len(LATTICES) * LARGEST + adaptive.PRIOR < 1 << 24  # 3x3 of 3x3 places, in each of four calls


def test_expected_magnitudes_are_those_of_the_tables(tables: Tables) -> None:
    found = magnitudes(tables, 0)
    assert len(found) == COUNT and list(found) == sorted(found) and found[0] == 0 and found[-1] <= LARGEST
    for sigma, value in zip(sigmas()[30:], found[30:], strict=True):  # wide ones: E|x| of a Gaussian
        assert value / ONE == pytest.approx(sigma * math.sqrt(2 / math.pi), rel=0.03)


def test_lattices_cover_a_plane_once() -> None:
    for lattices in (LATTICES, WHOLE):
        seen = np.zeros((5, 7), int)
        for at in lattices:
            seen[at] += 1
        assert (seen == 1).all()


def defined(coded: np.ndarray, expected: np.ndarray, channel: int, row: int, column: int) -> int:
    """The correction by the module's docstring, in float64; coded and expected are (C, H, W) in units of 1."""

    def ratio(one: float, other: float) -> float:
        return (one + 4) / (other + 4)

    around = []
    for plane in (coded[channel], expected[channel]):
        rows, columns = plane.shape  # of the 3x3 around a place, those in the plane have a 3x3 around them
        inner = np.pad(plane, 4)
        wide = sum(
            inner[row + 3 + r : row + 6 + r, column + 3 + c : column + 6 + c].sum()
            for r in (-1, 0, 1)
            for c in (-1, 0, 1)
            if 0 <= row + r < rows and 0 <= column + c < columns
        )
        around.append((inner[row + 3 : row + 6, column + 3 : column + 6].sum(), wide, plane.sum()))
    near, far, whole = (ratio(*pair) for pair in zip(*around, strict=True))
    return round(max(-4, min(4, 2 / 3 * math.log2(near * far) + math.log2(whole))))


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("most", [adaptive.MOST, 1])
def test_corrections_are_as_defined(
    rows: int, columns: int, most: int, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "MOST", most)  # 1: in strips of two rows
    expects = magnitudes(tables, 0)
    tested = Adaptive(expects, (1, C, rows, columns))
    coded, expected = np.zeros((C, rows, columns)), np.zeros((C, rows, columns))
    random, moved = np.random.default_rng(1), 0
    inside = within(rows, columns)
    for _, (_, scale) in calls(rows, columns):
        for at in tested.begin(scale):
            found = tested.corrected(at)
            for channel, row, column in np.ndindex(C, rows, columns):
                if at in LATTICES and (row % 2, column % 2) != (at[0].start, at[1].start):
                    continue
                place = (0, channel, row // 2, column // 2) if at in LATTICES else (0, channel, row, column)
                correction = defined(coded, expected, channel, row, column)
                assert found[place] == np.clip(scale[0, channel, row, column] + correction, 0, COUNT - 1)
                moved += correction != 0
            symbols = random.integers(-9, 10, found.shape).astype(np.float32)
            tested.see(symbols, at, inside[:, *at])
            coded[:, *at] += np.where(inside[:, *at], np.abs(symbols[0]), 0)
            wanted = np.array(expects)[scale.astype(int)][0] / ONE
            expected[:, *at] += np.where(inside[:, *at], wanted[:, *at], 0)
    assert moved or rows * columns == 1


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("partly", [False, True])
def test_both_sides_adapt_alike(
    rows: int, columns: int, partly: bool, tables: Tables, priors: dict[str, PriorTables]
) -> None:
    encoder = Encoder(tables)
    sent = Encode(encoder, priors, 32 * rows, 32 * columns)
    inside = within(rows, columns) if partly else None
    planes = calls(rows, columns, 3)
    went = [sent.gaussian(y, "y", parameters, inside, adaptive=True) for y, parameters in planes]
    data = encoder.finish()
    decoder = Decoder(tables, data)
    came = Decode(decoder, priors, 32 * rows, 32 * columns)
    account = Account(Decoder(tables, data), priors, 32 * rows, 32 * columns)
    for y_hat, (y, parameters) in zip(went, planes, strict=True):
        coded = np.broadcast_to(True if inside is None else inside, y.shape)
        assert np.abs(y_hat - y)[coded].max(initial=0) <= 0.5
        assert (y_hat == parameters.mean)[~coded].all()
        assert np.array_equal(came.gaussian(None, "y", parameters, inside, adaptive=True), y_hat)
        account.gaussian(None, "y", parameters, inside, adaptive=True)
    decoder.finish()
    spent = account.spent()
    assert spent.shape == (rows, columns) and 0 <= 8 * len(data) - spent.sum() <= 40


@pytest.mark.parametrize("place", [(0, 0), (3, 2), (4, 5), (2, 6)])
def test_bits_are_entered_where_they_went(
    place: tuple[int, int], tables: Tables, priors: dict[str, PriorTables]
) -> None:
    channel = Estimate(Encoder(tables), priors, 1, 1)
    for _, parameters in calls(5, 7):
        y = parameters.mean.copy()
        y[:, :, *place] += 40
        channel.gaussian(y, "y", parameters, adaptive=True)
    for spent in channel._maps:
        assert np.unravel_index(spent.argmax(), spent.shape) == place


def cost(planes: list[tuple[np.ndarray, Parameters]], tables: Tables, priors: dict[str, PriorTables]) -> float:
    channel = Estimate(Encoder(tables), priors, 1, 1)
    for y, parameters in planes:
        channel.gaussian(y, "y", parameters, adaptive=True)
    return float(channel.spent().sum())


def test_what_turns_out_other_than_predicted_costs_less(tables: Tables, priors: dict[str, PriorTables]) -> None:
    plain = {"y": priors["y"]._replace(magnitudes=())}
    for times, least in ((3.0, 0.1), (1 / 3, 0.1), (1.0, -0.02)):
        planes = calls(24, 20, times)
        gained = 1 - cost(planes, tables, priors) / cost(planes, tables, plain)
        assert gained > least


def test_calls_that_do_not_adapt_are_as_ever(tables: Tables, priors: dict[str, PriorTables]) -> None:
    plain = {"y": priors["y"]._replace(magnitudes=())}
    files = []
    for found, asked in ((priors, False), (plain, True), (plain, False)):
        encoder = Encoder(tables)
        channel = Encode(encoder, found, 1, 1)
        for y, parameters in calls(5, 7):
            channel.gaussian(y, "y", parameters, adaptive=asked)
        files.append(encoder.finish())
    assert files[0] == files[1] == files[2]
