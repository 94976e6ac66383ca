"""Integer networks: float32 against int64 to the bit, whatever the sizes, and no network that might round."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from latens.entropy import integer
from latens.entropy.integer import EXACT, FRACTION, IntegerNetwork, Integers, largest_sum, stages
from latens.entropy.order import wavefront
from latens.entropy.planes import phases
from latens.entropy.scales import COUNT
from latens.errors import InexactError, WeightsError
from latens.transforms import (
    GDN,
    Conv,
    Deconv,
    LeakyReLU,
    MaskedConv,
    Network,
    Predictions,
    ReLU,
)
from latens.transforms.strips import in_strips, widest

NETWORKS: dict[str, Network] = {
    "1x1": (Conv(3, 4, 1), ReLU(), Conv(4, 6, 1), Predictions(means=3)),
    "hyper": (Deconv(3, 4, 5, 2), ReLU(), Deconv(4, 5, 5, 2), LeakyReLU(3), Conv(5, 6, 3), Predictions(means=2)),
    "plain end": (Deconv(3, 4, 3, 2), LeakyReLU(7), Conv(4, 6, 5)),
    "beside": (Conv(10, 5, 1), LeakyReLU(2), Conv(5, 6, 1), Predictions(means=3, beside=True)),
    "context": (MaskedConv(3, 6, 5),),
}


def integers(network: Network, seed: int = 0, bits: int = 8, high: int = 500) -> tuple[np.ndarray, list[Integers]]:
    """Random integers of a network: ``bits`` of weights, activations of up to ``high``."""
    random = np.random.default_rng(seed)
    found = []
    for stage in stages(network):
        layer = stage.layer
        taps = len(layer.offsets) if isinstance(layer, MaskedConv) else layer.kernel**2
        top = 1 << (bits - 1)
        weight = random.integers(1 - top, top, (taps, layer.inputs, layer.outputs)).astype(np.int8)
        bias = random.integers(-30000, 30000, layer.outputs)
        shift = random.integers(5, 9, layer.outputs)
        low = np.full(layer.outputs, 0 if isinstance(stage.activation, ReLU) else -high)
        found.append(Integers(weight, np.stack([bias, shift, low, np.full_like(low, high)]).astype(np.int32)))
    inputs = stages(network)[0].layer.inputs
    entry = np.stack([random.integers(-1, 5, inputs), np.full(inputs, high)]).astype(np.int32)
    return entry, found


def network_of(name: str, **more: int) -> IntegerNetwork:
    return IntegerNetwork(NETWORKS[name], *integers(NETWORKS[name], **more))


def fixed_point(*shape: int, spread: float = 40.0, seed: int = 1) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, spread, shape)
    return (np.rint(values * 2**FRACTION) / 2**FRACTION).astype(np.float32)


# --- the reference: integers in int64, one output sample at a time --------------------------------------


def reference_sums(layer, weight: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(inputs, H, W) int64 -> (outputs, H', W') int64, from the definition of each layer."""
    weight = weight.astype(np.int64)
    _, rows, columns = a.shape
    if isinstance(layer, Deconv):  # zeros between the samples, then every product scattered
        s, k, p = layer.stride, layer.kernel, layer.kernel // 2
        out = np.zeros((layer.outputs, s * rows, s * columns), np.int64)
        for r, c, i, j in itertools.product(range(rows), range(columns), range(k), range(k)):
            at, beside = s * r + i - p, s * c + j - p
            if 0 <= at < s * rows and 0 <= beside < s * columns:
                out[:, at, beside] += a[:, r, c] @ weight[i * k + j]
        return out
    pad = layer.kernel // 2
    square = [(i, j) for i in range(-pad, pad + 1) for j in range(-pad, pad + 1)]
    offsets = layer.offsets if isinstance(layer, MaskedConv) else square
    out = np.zeros((layer.outputs, rows, columns), np.int64)
    for tap, (i, j) in enumerate(offsets):
        for r, c in np.ndindex(rows, columns):
            if 0 <= r + i < rows and 0 <= c + j < columns:
                out[:, r, c] += a[:, r + i, c + j] @ weight[tap]
    return out


def halved(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """floor(values / 2^shift) with Python's integers."""
    return np.array(
        [[[int(v) >> int(s) for v in row] for row in plane] for plane, s in zip(values, shift, strict=True)]
    )


def reference(network: IntegerNetwork, *inputs: np.ndarray) -> np.ndarray:
    """What the module's docstring says, in int64 and exact fractions."""
    x = np.concatenate([one[0] for one in inputs]).astype(np.float64)
    shift, high = (row[:, None, None].astype(np.int64) for row in network.entry)
    a = np.clip(np.floor(x * 2.0**shift + 0.5).astype(np.int64), -high, high)
    chain = list(zip(network.stages, network.integers, strict=True))
    for stage, found in chain[:-1]:
        bias, shift, low, high = (row[:, None, None] for row in map(found.row, ("bias", "shift", "low", "high")))
        a = halved(reference_sums(stage.layer, found.weight, a) + bias, shift[:, 0, 0])
        if isinstance(stage.activation, LeakyReLU):
            slope = stage.activation.shift
            a = np.where(a < 0, (a + (1 << (slope - 1))) >> slope, a)
        a = np.clip(a, low, high)
    stage, found = chain[-1]
    sums = reference_sums(stage.layer, found.weight, a) + found.row("bias")[:, None, None]
    out = sums / 2.0 ** found.row("shift")[:, None, None]
    if network.end is None:
        return out[None]
    means = network.end.means
    out = out + inputs[0][0] if network.end.beside else out
    mean = np.floor(out[:means] * 2**FRACTION + 0.5) / 2**FRACTION
    return np.concatenate([mean, np.clip(np.floor(out[means:] + 0.5), 0, COUNT - 1)])[None]


@pytest.mark.parametrize("name", ["1x1", "hyper", "plain end"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (4, 3), (7, 8)])
def test_float32_computes_the_integers_of_int64(name: str, rows: int, columns: int) -> None:
    network = network_of(name, seed=rows)
    x = fixed_point(1, 3, rows, columns)
    out = network(x)
    assert out.dtype == np.float32
    assert np.array_equal(out, reference(network, x))
    assert len(np.unique(out)) > 3, "the outputs hardly differ: too easy"


@pytest.mark.parametrize("name", ["1x1", "hyper"])
def test_sums_just_below_the_bound_are_exact(name: str) -> None:
    """Scaled to the limit of the proof: a single bit more would be refused."""
    entry, found = integers(NETWORKS[name])
    largest = entry[1].astype(np.int64)
    tight = []
    for stage, one in zip(stages(NETWORKS[name]), found, strict=True):
        rule = one.rule.copy()
        room = EXACT - 1 - largest_sum(stage.layer, one.weight, np.zeros(stage.layer.outputs, np.int64), largest)
        rule[0] = np.where(np.arange(len(room)) % 2, room, -room)
        rule[1] = 14
        tight.append(Integers(one.weight, rule))
        largest = one.largest()
    network = IntegerNetwork(NETWORKS[name], entry, tight)
    x = fixed_point(1, 3, 5, 4)
    assert np.array_equal(network(x), reference(network, x))
    rule = tight[0].rule.copy()
    rule[0, 0] += np.sign(rule[0, 0])
    with pytest.raises(InexactError, match=f"output 0 of layer 0 may sum to {EXACT}"):
        IntegerNetwork(NETWORKS[name], entry, [Integers(tight[0].weight, rule), *tight[1:]])


@pytest.mark.parametrize("high", [1, 2, 5])
@pytest.mark.parametrize("name", ["hyper", "plain end"])
def test_strips_give_the_integers_of_the_whole_plane(
    monkeypatch: pytest.MonkeyPatch, name: str, high: int
) -> None:
    network = network_of(name)
    x = fixed_point(1, 3, 11, 4)
    whole = network(x)
    most = int(high * 4 * widest(network.network))
    monkeypatch.setattr(integer, "in_strips", functools.partial(in_strips, most=most))
    found = network(x)
    assert np.array_equal(found, whole) and np.array_equal(found, reference(network, x))
    assert found.strides[1:] == whole.strides[1:], "a serial context wants channels that stand together"


def test_an_input_beside_the_correction_is_added_to_it() -> None:
    network = network_of("beside")
    psi, seen = fixed_point(1, 6, 3, 4), fixed_point(1, 4, 3, 4, seed=2)
    assert np.array_equal(network(psi, seen), reference(network, psi, seen))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 1), (5, 7)])
def test_a_context_at_a_step_is_the_whole_plane_there(rows: int, columns: int) -> None:
    network = network_of("context")
    y_hat = fixed_point(1, 3, rows, columns)
    whole = reference(network, y_hat)
    for step in wavefront(rows, columns):
        assert np.array_equal(network(y_hat, step), whole[step])


def test_a_context_reads_only_what_came_before() -> None:
    network = network_of("context")
    y_hat = fixed_point(1, 3, 5, 7)
    for step in wavefront(5, 7):
        *_, r, c = step
        later = y_hat.copy()
        for at, beside in np.ndindex(5, 7):
            if ((beside + 3 * at) >= (c + 3 * r)).any():
                later[:, :, at, beside] = np.nan
        assert np.array_equal(network(later, step), network(y_hat, step))


def test_huge_inputs_are_clipped_to_what_was_proven() -> None:
    network = network_of("hyper")
    x = np.where(np.random.default_rng(0).random((1, 3, 4, 4)) < 0.5, -(2.0**31), 2.0**31).astype(np.float32)
    assert np.array_equal(network(x), reference(network, x))


@pytest.mark.parametrize("kernel", [1, 3, 5, 9])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_phases_of_a_deconv_share_out_its_taps(kernel: int, stride: int) -> None:
    met = [tap for taps in phases(Deconv(1, 1, kernel, stride)).values() for tap, _ in taps]
    assert sorted(met) == list(range(kernel**2))


def test_what_is_stored_is_read() -> None:
    for name, network in NETWORKS.items():
        made = network_of(name)
        again = IntegerNetwork.from_arrays(network, made.to_arrays())
        assert all(np.array_equal(again.to_arrays()[key], value) for key, value in made.to_arrays().items())


def spoilt(**changes: object) -> None:
    entry, found = integers(NETWORKS["1x1"])
    arrays: dict[str, object] = {"entry": entry, "weight": found[0].weight, "rule": found[0].rule} | changes
    IntegerNetwork(NETWORKS["1x1"], arrays["entry"], [Integers(arrays["weight"], arrays["rule"]), found[1]])  # type: ignore[arg-type]


def test_arrays_of_another_shape_type_or_range_are_refused() -> None:
    spoilt()
    entry, found = integers(NETWORKS["1x1"])
    weight, rule = found[0].weight, found[0].rule
    shifted, empty = rule.copy(), rule.copy()
    shifted[1, 0], empty[2, 0] = -41, 501
    for wrong in (
        {"entry": entry[:, :2]}, {"entry": entry.astype(np.int64)}, {"entry": -entry}, {"weight": weight[0]},
        {"weight": weight.astype(np.int16)}, {"rule": rule[:3]}, {"rule": shifted}, {"rule": empty},
    ):  # fmt: skip
        with pytest.raises(WeightsError):
            spoilt(**wrong)
    with pytest.raises(WeightsError, match=r"lacks its array '1\.rule'"):
        arrays = network_of("1x1").to_arrays()
        IntegerNetwork.from_arrays(NETWORKS["1x1"], {k: v for k, v in arrays.items() if k != "1.rule"})
    with pytest.raises(WeightsError, match="1 layers of integers for 2"):
        IntegerNetwork(NETWORKS["1x1"], entry, found[:1])


def test_activations_that_float32_cannot_count_are_refused() -> None:
    entry, found = integers(NETWORKS["1x1"])
    rule = found[0].rule.copy()
    rule[3, 0] = EXACT
    with pytest.raises(InexactError):
        IntegerNetwork(NETWORKS["1x1"], entry, [dataclasses.replace(found[0], rule=rule), found[1]])


@pytest.mark.parametrize(
    "network",
    [
        (Conv(2, 2, 3, stride=2),), (GDN(2), Conv(2, 2, 1)), (Conv(2, 2, 1), ReLU()), (), (ReLU(), Conv(2, 2, 1)),
        (Conv(2, 2, 1), MaskedConv(2, 2)), (MaskedConv(2, 2), Conv(2, 2, 3)),
    ],
)  # fmt: skip
def test_networks_that_integers_do_not_do_are_refused(network: Network) -> None:
    with pytest.raises(WeightsError):
        stages(network)
