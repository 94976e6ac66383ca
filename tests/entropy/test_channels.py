"""Latents through the channels and the real coder: what is decoded is what was encoded."""

import numpy as np
import pytest

from latens.coding import Decoder, Encoder, Tables, integer_table
from latens.entropy.channels import Decode, Encode, Group, Parameters, PriorTables
from latens.errors import ChecksumError

SCALES = (0.3, 0.7, 1.5, 4.0)
PRIORS = {
    "z": PriorTables(0, (Group(3),)),
    "y": PriorTables(3, (Group(len(SCALES)),)),
}


def bell(scale: float) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-20, 21) / scale) ** 2)
    return weights / weights.sum()


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.stack(integer_table(bell(scale), -20) for scale in (1.0, 2.0, 3.0, *SCALES))


def predicted(shape: tuple[int, ...]) -> Parameters:
    """Fixed-point means, multiples of 1/16, and table indices."""
    random = np.random.default_rng(7)
    mean = (random.integers(-80, 80, shape) / 16).astype(np.float32)
    return Parameters(mean, random.integers(0, len(SCALES), shape))


def latents(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 3, shape).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (33, 80), (64, 17)])
def test_factorised_latents_come_back_rounded(tables: Tables, recording, height: int, width: int) -> None:
    y = latents(1, 3, -(-height // 16), -(-width // 16))
    y[0, 1, 0, 0] = -4000.4  # an escape
    encoder = Encoder(tables)
    sent = recording(Encode)(encoder, PRIORS, height, width)
    q = sent.factorised(y, "z", stride=16)
    assert q.dtype == np.float32 and np.array_equal(q, np.rint(y))
    decoder = Decoder(tables, encoder.finish())
    came = recording(Decode)(decoder, PRIORS, height, width)
    assert np.array_equal(came.factorised(None, "z", stride=16), q)
    decoder.finish()
    assert np.array_equal(np.concatenate(sent.symbols), np.concatenate(came.symbols))
    assert np.array_equal(np.concatenate(sent.symbols), np.rint(y).ravel())


def test_conditional_latents_come_back_rounded_around_their_means(tables: Tables, recording) -> None:
    y, parameters = latents(1, 5, 4, 6), predicted((1, 5, 4, 6))
    encoder = Encoder(tables)
    sent = recording(Encode)(encoder, PRIORS, 64, 96)
    y_hat = sent.gaussian(y, "y", parameters)
    q = y_hat - parameters.mean
    assert np.array_equal(q, np.rint(q)) and np.abs(y_hat - y).max() <= 0.5
    assert np.array_equal(np.concatenate(sent.symbols), q.ravel())
    decoder = Decoder(tables, encoder.finish())
    assert np.array_equal(Decode(decoder, PRIORS, 64, 96).gaussian(None, "y", parameters), y_hat)
    decoder.finish()


def test_the_scale_counts_tables_from_the_priors_first(tables: Tables) -> None:
    """Latents of a small spread cost less with the narrow table than with the wide one."""
    y = latents(1, 4, 16, 16) * 0.1
    sizes = []
    for scale in range(len(SCALES)):
        encoder = Encoder(tables)
        parameters = Parameters(np.zeros(y.shape, np.float32), np.full(y.shape, scale))
        Encode(encoder, PRIORS, 256, 256).gaussian(y, "y", parameters)
        sizes.append(len(encoder.finish()))
    assert sizes == sorted(sizes) and sizes[-1] > 2 * sizes[0]
    for number, size in enumerate(sizes):
        offset, masses = tables.table(PRIORS["y"].first + number)
        ideal = -np.log2(masses[np.rint(y).astype(int).ravel() - offset] / 2**16).sum() / 8
        assert abs(size - ideal) < 8


def by_rows(rows: int) -> list[tuple[slice, slice, int]]:
    return [(slice(None), slice(None), row) for row in range(rows)]


def from_the_row_above(y_hat: np.ndarray, step: tuple[slice, slice, int]) -> Parameters:
    """The row above is the mean, and how large it is tells the scale."""
    above = y_hat[:, :, step[2] - 1] if step[2] else np.zeros_like(y_hat[:, :, 0])
    return Parameters(above, np.minimum(np.abs(above), len(SCALES) - 1).astype(int))


def test_scanned_latents_come_back_though_each_step_needs_the_one_before(tables: Tables, recording) -> None:
    y = np.cumsum(latents(1, 4, 9, 6), axis=2)
    encoder = Encoder(tables)
    sent = recording(Encode)(encoder, PRIORS, 144, 96)
    y_hat = sent.scan(y, "y", by_rows(9), from_the_row_above, shape=y.shape)
    assert np.array_equal(y_hat, np.rint(y)) and len(sent.symbols) == 9
    decoder = Decoder(tables, encoder.finish())
    came = recording(Decode)(decoder, PRIORS, 144, 96)
    assert np.array_equal(came.scan(None, "y", by_rows(9), from_the_row_above, shape=y.shape), y_hat)
    decoder.finish()
    assert np.array_equal(np.concatenate(sent.symbols), np.concatenate(came.symbols))


def test_another_prediction_in_the_decoder_does_not_pass_unnoticed(tables: Tables, recording) -> None:
    """What the checksum of the symbols is for: a drifted decoder reads other symbols from whole bytes."""
    y, parameters = latents(1, 5, 8, 8), predicted((1, 5, 8, 8))
    encoder = Encoder(tables)
    sent = recording(Encode)(encoder, PRIORS, 128, 128)
    sent.gaussian(y, "y", parameters)
    drifted = parameters.scale.copy()
    drifted[0, 0, 0, 0] ^= 1
    came = recording(Decode)(Decoder(tables, encoder.finish()), PRIORS, 128, 128)
    try:
        came.gaussian(None, "y", Parameters(parameters.mean, drifted))
    except ChecksumError:
        return
    assert not np.array_equal(np.concatenate(sent.symbols), np.concatenate(came.symbols))


def test_several_calls_share_one_stream(tables: Tables) -> None:
    """A hyperprior: z first, then y given z."""
    z, y, parameters = latents(1, 3, 2, 2), latents(1, 5, 8, 8), predicted((1, 5, 8, 8))
    encoder = Encoder(tables)
    sent = Encode(encoder, PRIORS, 128, 128)
    z_hat, y_hat = sent.factorised(z, "z", stride=64), sent.gaussian(y, "y", parameters)
    decoder = Decoder(tables, encoder.finish())
    came = Decode(decoder, PRIORS, 128, 128)
    assert np.array_equal(came.factorised(None, "z", stride=64), z_hat)
    assert np.array_equal(came.gaussian(None, "y", parameters), y_hat)
    decoder.finish()
