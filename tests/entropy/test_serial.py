"""What is computed ahead of its step is what the step alone would have computed, to the bit."""

import numpy as np
import pytest

from latens.entropy import serial
from latens.entropy.integer import FRACTION, IntegerNetwork, Integers, stages
from latens.entropy.order import SLOPE, Step, raster, wavefront
from latens.entropy.serial import BLOCKS, Serial, neighbours, shared
from latens.transforms import Conv, LeakyReLU, MaskedConv, Network, Predictions

M = 3
CONTEXT: Network = (MaskedConv(M, 2 * M),)
PARAMETERS: Network = (
    Conv(4 * M, 5, 1), LeakyReLU(3),
    Conv(5, 4, 1), LeakyReLU(3),
    Conv(4, 2 * M, 1), Predictions(means=M, beside=True),
)  # fmt: skip
SIZES = [(1, 1), (1, 9), (7, 1), (2, 5), (5, 2), (6, 11)]


def network(description: Network, seed: int, high: int = 900) -> IntegerNetwork:
    """Random integers; activations of up to ``high``."""
    random = np.random.default_rng(seed)
    inputs = stages(description)[0].layer.inputs
    entry = np.stack([random.integers(0, 4, inputs), np.full(inputs, high)]).astype(np.int32)
    found = []
    for stage in stages(description):
        layer = stage.layer
        taps = len(layer.offsets) if isinstance(layer, MaskedConv) else layer.kernel**2
        weight = random.integers(-127, 128, (taps, layer.inputs, layer.outputs)).astype(np.int8)
        bias, shift = random.integers(-30000, 30000, layer.outputs), np.full(layer.outputs, 11)
        rule = np.stack([bias, shift, 0 * shift - high, 0 * shift + high])
        found.append(Integers(weight, rule.astype(np.int32)))
    return IntegerNetwork(description, entry, found)


def fixed_point(*shape: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 90, shape)
    return (np.rint(values * 2**FRACTION) / 2**FRACTION).astype(np.float32)


def played(steps: list[Step], rows: int, columns: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What is predicted step by step from latents that arrive step by step: ahead, and as it is defined."""
    context, parameters = network(CONTEXT, 1), network(PARAMETERS, 2)
    psi, y = fixed_point(1, 2 * M, rows, columns, seed=3), fixed_point(1, M, rows, columns, seed=4)
    ahead, defined = Serial(context, parameters, psi, steps), []
    y_hat, found = np.full_like(y, np.nan), []  # what is not there yet would be noticed
    for step in steps:
        found.append(ahead(y_hat, step))
        y_hat[step] = y[step]
        defined.append(parameters(psi[step], context(y, step)))
    return found, defined


@pytest.mark.parametrize("order", [wavefront, raster])
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_what_is_computed_ahead_is_what_its_step_would_have_computed(
    order: type, rows: int, columns: int
) -> None:
    found, defined = played(order(rows, columns), rows, columns)
    assert all(np.array_equal(a, b) for a, b in zip(found, defined, strict=True))
    if rows * columns > 20:
        assert len(np.unique(np.concatenate(defined, 2))) > 50, "the predictions hardly differ: too easy"


@pytest.mark.parametrize("blocks", [(1,), (4, 1), (9, 5, 3, 2, 1)])
def test_it_does_not_matter_how_many_steps_share_a_product(
    monkeypatch: pytest.MonkeyPatch, blocks: tuple[int, ...]
) -> None:
    monkeypatch.setattr(serial, "BLOCKS", blocks)
    found, defined = played(wavefront(5, 7), 5, 7)
    assert all(np.array_equal(a, b) for a, b in zip(found, defined, strict=True))


def test_a_tap_that_is_computed_too_early_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: one step more than the lag is enough."""
    monkeypatch.setattr(serial, "shared", lambda lags: shared(np.where(lags == 3, 4, lags)))
    found, defined = played(wavefront(5, 7), 5, 7)
    assert not all(np.array_equal(a, b) for a, b in zip(found, defined, strict=True))


def test_the_lag_of_a_tap_is_its_distance_along_the_wavefront() -> None:
    layer = MaskedConv(M, M)
    seen, lags = neighbours(layer, wavefront(6, 11), 6, 11)
    assert lags.tolist() == [-SLOPE * down - right for down, right in layer.offsets]
    assert seen.shape == (66, 12) and (seen[0] == 66).all(), "the first position sees nothing"
    assert sorted(tap for _, taps in shared(lags) for tap in taps) == list(range(12))
    assert all(lags[tap] >= block for block, taps in shared(lags) for tap in taps)
    assert BLOCKS[-1] == 1, "a tap of any lag has its place"


def test_networks_that_are_no_integers_are_asked_step_by_step() -> None:
    psi, y_hat = fixed_point(1, 2, 3, 4, seed=1), fixed_point(1, 2, 3, 4, seed=2)
    predict = serial.serial(lambda y, step: 2 * y[step], lambda psi, seen: psi + seen, psi, wavefront(3, 4))
    for step in wavefront(3, 4):
        assert np.array_equal(predict(y_hat, step), psi[step] + 2 * y_hat[step])
    assert np.array_equal(predict(y_hat, ...), psi + 2 * y_hat)
