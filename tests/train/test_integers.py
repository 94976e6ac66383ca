"""From trained floats to integers: close to what was trained, and always within the proof."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.entropy.integer import EXACT, IntegerNetwork, largest_sum  # noqa: E402
from latens.errors import InexactError  # noqa: E402
from latens.train.integers import quantise, unquantised  # noqa: E402
from latens.transforms import Conv, Deconv, LeakyReLU, MaskedConv, Network, Predictions, ReLU  # noqa: E402
from latens.transforms.torch_modules import build  # noqa: E402

HYPER: Network = (
    Deconv(6, 16, 5, 2), ReLU(), Deconv(16, 20, 5, 2), LeakyReLU(), Conv(20, 10, 3), Predictions(means=5),
)  # fmt: skip
PLAIN: Network = (Deconv(6, 16, 5, 2), LeakyReLU(), Conv(16, 10, 3))
CONTEXT: Network = (MaskedConv(6, 12, 5),)


def trained(network: Network, spread: float = 1.0, seed: int = 0):
    """A module whose channels have weights of very different sizes."""
    torch.manual_seed(seed)
    module = build(network)
    with torch.no_grad():
        for layer in module.children():
            if hasattr(layer, "weight"):
                outputs = layer.weight.shape[1 if isinstance(layer, torch.nn.ConvTranspose2d) else 0]
                factor = spread * torch.exp(torch.randn(outputs))
                shape = (1, -1, 1, 1) if isinstance(layer, torch.nn.ConvTranspose2d) else (-1, 1, 1, 1)
                layer.weight.mul_(factor.view(shape[: layer.weight.dim()]))
                layer.bias.mul_(factor)
    return module


def integers(*shape: int, spread: float = 3.0, seed: int = 1):
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread).round()


def proven(network: IntegerNetwork) -> list[float]:
    """The largest sum of each stage, in parts of 2^24."""
    largest, found = network.entry[1].astype(np.int64), []
    for stage, one in zip(network.stages, network.integers, strict=True):
        found.append(float(largest_sum(stage.layer, one.weight, one.row("bias"), largest).max() / EXACT))
        largest = one.largest()
    return found


@pytest.mark.parametrize(("network", "tolerance"), [(PLAIN, 0.05), (CONTEXT, 0.02)], ids=["plain", "context"])
@pytest.mark.parametrize("spread", [0.02, 1.0, 50.0])
def test_integers_compute_nearly_what_floats_do(network: Network, tolerance: float, spread: float) -> None:
    module = trained(network, spread)
    exact = quantise(network, module, [(integers(4, 6, 6, 5),)])
    x = integers(1, 6, 6, 5, seed=2)
    with torch.no_grad():
        expected = module(x).numpy()
    if network is CONTEXT:
        r, c = np.divmod(np.arange(30), 5)
        step = (slice(None), slice(None), r[:, None], c[:, None])
        found, expected = exact(x.numpy(), step), expected[step]
    else:
        found = exact(x.numpy())
    error = np.sqrt(((found - expected) ** 2).mean((0, 2, 3)) / expected.var((0, 2, 3)))
    assert error.max() < tolerance


def test_predictions_are_close_means_and_the_right_scales() -> None:
    module = trained(HYPER)
    with torch.no_grad():
        module[-2].bias[5:] += 25
    exact = quantise(HYPER, module, [(integers(4, 6, 6, 5),)])
    x = integers(1, 6, 6, 5, seed=2)
    with torch.no_grad():
        expected = module(x).numpy()
    found = exact(x.numpy())
    assert np.abs(found[:, :5] - expected[:, :5]).max() < 0.03 * np.abs(expected[:, :5]).max()
    assert np.array_equal(found[:, :5] * 64, np.rint(found[:, :5] * 64))
    assert np.abs(found[:, 5:] - expected[:, 5:].clip(0, 63)).max() <= 1.0
    assert np.array_equal(found[:, 5:], np.rint(found[:, 5:]))


@pytest.mark.parametrize("network", [HYPER, PLAIN, CONTEXT])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 1e4])
def test_every_network_is_within_the_proof_and_uses_it(network: Network, spread: float) -> None:
    exact = quantise(network, trained(network, spread), [(integers(4, 6, 6, 5),)])
    assert 0.1 < max(proven(exact)) < 1


def test_many_inputs_get_smaller_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    """4000 products of 8 and 11 binary digits do not fit 24: something has to give."""
    wide: Network = (Conv(8, 4000, 1), ReLU(), Conv(4000, 3, 1))
    module = trained(wide)
    exact = quantise(wide, module, [(integers(2, 8, 4, 4),)])
    assert 0.1 < proven(exact)[-1] < 1
    assert np.median(exact.integers[0].row("high")) < 2047
    x = integers(2, 8, 4, 4)[:1]
    with torch.no_grad():
        expected = module(x).numpy()
    assert np.abs(exact(x.numpy()) - expected).max() < 0.1 * np.abs(expected).max()
    monkeypatch.setattr("latens.train.integers.FINER", 0)
    alike = quantise(wide, module, [(integers(2, 8, 4, 4),)])
    assert alike.integers[0].row("high").max() < 2047


def test_a_channel_that_outweighs_the_others_does_not_cost_them_their_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one range for all channels, the others' weights would be a few steps large."""
    network: Network = (Conv(8, 64, 1), ReLU(), Conv(64, 6, 1))
    module = trained(network)
    with torch.no_grad():
        module[0].weight[5].zero_()[2] = 40.0  # idle where one input is not positive
        module[0].bias[5] = 0.0
        module[2].weight[:, 5] *= 20
    calls = [(integers(4, 8, 8, 8),)]
    x = integers(1, 8, 8, 8, seed=2)
    x[:, 2] = -x[:, 2].abs()
    with torch.no_grad():
        expected = module(x).numpy()

    def error() -> float:
        return float(np.abs(quantise(network, module, calls)(x.numpy()) - expected).mean())

    finer = error()
    monkeypatch.setattr("latens.train.integers.FINER", 0)
    assert finer < 0.5 * error()


@pytest.mark.parametrize("constant", [25.0, -3000.0])
def test_channels_that_hardly_depend_on_their_input_keep_their_constant(constant: float) -> None:
    """Weights that are almost 0 beside a bias: a young hyper-synthesis has many of them."""
    module = trained(PLAIN)
    with torch.no_grad():
        for layer, outputs in ((module[0], (slice(None), 2)), (module[2], (4,))):
            layer.weight[outputs].mul_(1e-7)
            layer.bias[outputs[-1]] = constant
    x = integers(2, 6, 4, 4)
    exact = quantise(PLAIN, module, [(x,)])
    with torch.no_grad():
        expected = module(x[:1]).numpy()
    found = exact(x[:1].numpy())
    assert np.abs(found[:, 4] - constant).max() < 2.0**-7
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


def test_weights_that_are_all_alike_get_a_larger_step() -> None:
    network: Network = (Conv(3000, 2, 1),)
    module = build(network)
    with torch.no_grad():
        module[0].weight.fill_(0.3)
    exact = quantise(network, module, [(integers(1, 3000, 2, 2, spread=30),)])
    assert 15 <= np.abs(exact.integers[0].weight).max() < 127
    assert proven(exact)[0] < 1


def test_an_export_that_cannot_be_exact_is_refused() -> None:
    network: Network = (Conv(1_000_000, 1, 1),)
    module = build(network)
    with torch.no_grad():
        module[0].weight.normal_()
    with pytest.raises(InexactError, match=r"output 0 of .* cannot stay below 2\^24"):
        quantise(network, module, [(integers(1, 1_000_000, 1, 1, spread=30),)])
    with torch.no_grad():
        module[0].weight[0, 5] = float("nan")
    with pytest.raises(InexactError, match="not finite"):
        quantise(network, module, [(integers(1, 1_000_000, 1, 1),)])


def test_silent_channels_and_inputs_do_no_harm() -> None:
    module = trained(PLAIN)
    with torch.no_grad():
        module[0].weight[:, 3] = 0
        module[0].bias[3] = 0
        module[2].weight[4] = 0
    x = integers(2, 6, 4, 4)
    x[:, 2] = 0
    exact = quantise(PLAIN, module, [(x,)])
    out = exact(x[:1].numpy())
    assert np.isfinite(out).all()
    with torch.no_grad():
        assert np.abs(out[:, 4] - module(x[:1])[:, 4].numpy()).max() < 1e-3


def one_sided(*shape: int, seed: int) -> "torch.Tensor":
    """Inputs that are never negative, and alike in all channels: errors of their weights add up."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.rand((shape[0], 1, *shape[2:]), generator=generator)
    return (common * 8 + torch.rand(shape, generator=generator)).round()


def heavy_tailed(layer: Conv | MaskedConv) -> "torch.nn.Module":
    """A layer of which most weights are small beside the largest: they are left two or three integers."""
    module = build((layer,))
    with torch.no_grad():
        weight = torch.randn(module[0].weight.shape, generator=torch.Generator().manual_seed(5))
        module[0].weight.copy_(weight.sign() * weight.abs() ** 4)
        module[0].bias.zero_()
    return module


def everywhere(exact: IntegerNetwork, x: "torch.Tensor") -> np.ndarray:
    """What a network says of each of (B, inputs, H, W), at all positions."""
    batch, _, rows, columns = x.shape
    if not isinstance(exact.stages[0].layer, MaskedConv):
        return np.concatenate([exact(one[None].numpy()) for one in x])
    r, c = np.divmod(np.arange(rows * columns), columns)
    step = (slice(None), slice(None), r[:, None], c[:, None])
    return np.concatenate([exact(one[None].numpy(), step) for one in x]).reshape(batch, -1, rows, columns)


@pytest.mark.parametrize("layer", [Conv(256, 8, 1), MaskedConv(24, 8, 5)], ids=["conv", "masked"])
def test_weights_are_rounded_together(layer: Conv | MaskedConv) -> None:
    """The error of a sum is a fraction of what rounding each weight for itself leaves, on other inputs too."""
    module, x = heavy_tailed(layer), one_sided(4, layer.inputs, 12, 12, seed=3)
    exact = quantise((layer,), module, [(one_sided(8, layer.inputs, 12, 12, seed=1),)])
    with torch.no_grad():
        expected = module(x).numpy()
        weight = module[0].weight
        unit = torch.exp2(torch.ceil(torch.log2(weight.abs().flatten(1).amax(1) / 127)))
        unit = unit.view(-1, *[1] * (weight.ndim - 1))
        weight.copy_((weight / unit).round() * unit)
        alone = module(x).numpy() - expected
    together = everywhere(exact, x) - expected
    assert np.sqrt(np.square(together).mean()) < 0.3 * np.sqrt(np.square(alone).mean())


@pytest.mark.parametrize(
    "network", [(Conv(64, 32, 3), LeakyReLU(), Conv(32, 6, 1)), (MaskedConv(64, 32), LeakyReLU(), Conv(32, 6, 1))],
    ids=["conv", "masked"],
)  # fmt: skip
def test_sums_are_right_on_average(network: Network) -> None:
    """Through two layers, as far as biases have steps."""
    torch.manual_seed(4)
    module, x = build(network), one_sided(6, 64, 10, 10, seed=2)
    exact = quantise(network, module, [(x,)])
    with torch.no_grad():
        expected = module(x).numpy()
    off = np.abs((everywhere(exact, x) - expected).mean((0, 2, 3)))
    assert (off <= np.exp2(-exact.integers[-1].row("shift").astype(float))).all()


@pytest.mark.parametrize(("network", "tolerance"), [(PLAIN, 0.05), (CONTEXT, 0.02)], ids=["plain", "context"])
@pytest.mark.parametrize("spread", [0.02, 50.0])
def test_integers_become_floats_again(network: Network, tolerance: float, spread: float) -> None:
    first, again = trained(network, spread), build(network)
    unquantised(quantise(network, first, [(integers(4, 6, 6, 5),)]), again)
    x = integers(1, 6, 6, 5, seed=2)
    with torch.no_grad():
        expected, found = first(x).numpy(), again(x).numpy()
        sizes = [float(layer.weight.square().mean()) for layer in again if hasattr(layer, "weight")]
    error = np.sqrt(((found - expected) ** 2).mean((0, 2, 3)) / expected.var((0, 2, 3)))
    assert error.max() < tolerance, "what quantising may cost, and nothing more"
    assert max(sizes) < 1.5 * min(sizes), "no layer's weights are far larger than another's"
