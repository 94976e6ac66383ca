"""The channel that weighs bits against error."""

import numpy as np
import pytest

from latens.coding import Encoder, Tables
from latens.coding.cost import bits
from latens.coding.tables import integer_table
from latens.entropy.channels import Encode, Group, Parameters, PriorTables
from latens.entropy.scales import gaussian_pmf, sigmas
from latens.entropy.weighing import Weigh, weighed


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.stack(integer_table(*gaussian_pmf(sigma)) for sigma in sigmas()[:30])


def played(play: type[Encode], tables: Tables, y: np.ndarray, scale: np.ndarray) -> tuple[Encode, np.ndarray]:
    channel = play(Encoder(tables), {"y": PriorTables(0, (Group(30),))}, 16, 16)
    return channel, channel.gaussian(y, "y", Parameters(np.float32(0.25), scale))


def test_every_symbol_is_the_cheapest_of_its_candidates(tables: Tables, recording) -> None:
    random = np.random.default_rng(1)
    y = (4 * random.standard_normal((1, 5, 8, 8))).astype(np.float32)
    scale = random.integers(0, 30, y.shape)
    price = np.float32(9)
    channel, y_hat = played(recording(Weigh), tables, weighed(y, price, np.zeros_like(y)), scale)
    symbols = channel.symbols[0]
    assert np.array_equal(y_hat.ravel(), symbols + np.float32(0.25))
    wanted = (y - np.float32(0.25)).ravel()
    nearest = np.rint(wanted).astype(np.int32)
    options = np.stack([nearest, nearest - np.sign(nearest), 0 * nearest])
    costs = np.stack([bits(tables, s, scale.ravel()) + price * (s - wanted) ** 2 for s in options])
    at = (options == symbols).argmax(0)
    assert (options == symbols).any(0).all()
    assert np.allclose(np.take_along_axis(costs, at[None], 0)[0], costs.min(0))
    assert (symbols != nearest).sum() > 10


def test_errors_of_a_great_price_are_not_made(tables: Tables) -> None:
    y = (3 * np.random.default_rng(2).standard_normal((1, 2, 8, 8))).astype(np.float32)
    scale = np.full(y.shape, 12)
    rounded = played(Encode, tables, y, scale)
    weighty = played(Weigh, tables, weighed(y, 1e9, np.zeros_like(y)), scale)
    assert np.array_equal(rounded[1], weighty[1])


def test_each_latent_has_its_own_price(tables: Tables, recording) -> None:
    y = np.full((1, 1, 4, 4), 1.0, np.float32)
    price = np.where(np.arange(16).reshape(1, 1, 4, 4) < 8, 1e9, 0.0)
    channel, _ = played(recording(Weigh), tables, weighed(y, price, np.zeros_like(y)), np.zeros(y.shape, int))
    assert channel.symbols[0].tolist() == [1] * 8 + [0] * 8
