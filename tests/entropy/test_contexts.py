"""The context of a latent: how many of those coded before it are not 0 around it."""

import numpy as np
import pytest

from latens.coding import Decoder, Encoder, Tables, integer_table
from latens.entropy.channels import Decode, Encode, Group, PriorTables, activity


def laplacian(scale: float) -> np.ndarray:
    weights = np.exp(-np.abs(np.arange(-8, 9)) / scale)
    return weights / weights.sum()


GROUPS = (Group(2), Group(3, (0, 9, 30)), Group(1, (70,)))
PRIORS = {"y": PriorTables(1, GROUPS)}


@pytest.fixture(scope="module")
def tables() -> Tables:
    """One unused table, then those of the groups: 2 + 3 * 4 + 1 * 2."""
    return Tables.stack(integer_table(laplacian(0.2 + 0.1 * k), -8) for k in range(1 + 2 + 12 + 2))


def latents(seed: int, rows: int = 5, columns: int = 7) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.laplace(0, 1.5, (1, 6, rows, columns)).astype(np.float32)


def test_activity_weighs_the_position_nine_times_and_its_neighbours_once() -> None:
    busy = np.zeros((5, 6), int)
    busy[2, 3] = 1
    expected = np.zeros((5, 6), int)
    expected[1:4, 2:5] = 1
    expected[2, 3] = 9
    assert np.array_equal(activity(busy), expected)


def test_activity_repeats_the_nearest_position_outside_the_plane() -> None:
    assert np.array_equal(activity(np.full((1, 1), 2)), [[8 * 2 + 9 * 2]])
    assert np.array_equal(activity(np.full((2, 3, 4), 1)), np.full((2, 3, 4), 17))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 7)])
def test_decoding_gives_the_symbols_that_were_encoded(tables: Tables, shape: tuple[int, int]) -> None:
    y = latents(3, *shape)
    y[0, 4, 0, 0] = 1000  # an escape
    encoder = Encoder(tables)
    sent = Encode(encoder, PRIORS, 16 * shape[0], 16 * shape[1]).factorised(y, "y", stride=16)
    channel = Decode(Decoder(tables, encoder.finish()), PRIORS, 16 * shape[0], 16 * shape[1])
    assert np.array_equal(channel.factorised(None, "y", stride=16), sent)
    assert np.array_equal(sent, np.rint(y))


class Recording(Encode):
    """Keeps the table numbers instead of coding."""

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        assert symbols is not None
        self.numbers = [*getattr(self, "numbers", []), index]
        return symbols


def numbers(y: np.ndarray) -> list[np.ndarray]:
    channel = Recording(None, PRIORS, 80, 112)  # type: ignore[arg-type]
    channel.factorised(y, "y", stride=16)
    return [index.reshape(group.size, 5, 7) for index, group in zip(channel.numbers, GROUPS, strict=True)]


def test_tables_are_those_of_the_specification() -> None:
    """docs/format.md, Models: written out with loops."""
    y = latents(4)
    q = np.rint(y[0]).astype(int)
    table, low = 1, 0
    for (size, thresholds), found in zip(GROUPS, numbers(y), strict=True):
        for row in range(5):
            for column in range(7):

                def b(r: int, c: int, low: int = low) -> int:
                    return int((q[:low, min(max(r, 0), 4), min(max(c, 0), 6)] != 0).sum())

                a = 8 * b(row, column) + sum(b(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
                context = sum(threshold < a for threshold in thresholds)
                for channel in range(size):
                    assert found[channel, row, column] == table + context * size + channel
        table, low = table + size * (len(thresholds) + 1), low + size


def test_a_table_never_depends_on_its_own_group_or_a_later_one() -> None:
    y = latents(5)
    before = numbers(y)
    y[0, 2:] += 7
    after = numbers(y)
    assert np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])
    assert not np.array_equal(before[2], after[2])
