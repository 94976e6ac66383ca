"""What a description says about its network, held against the paper's figures and against PyTorch."""

import math
from fractions import Fraction

import pytest

from latens.systems import Balle2017
from latens.transforms import (
    GDN,
    Conv,
    Deconv,
    Depthwise,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    ReLU,
    Residual,
    Shift,
    macs_per_pixel,
    parameters,
    receptive_field,
)

NETWORKS: list[Network] = [
    (Conv(2, 3, 3),),
    (Conv(2, 3, 5, 2),),
    (Conv(2, 3, 9, 4), Shift(1.0), GDN(3), Conv(3, 2, 5, 2)),
    (Conv(2, 3, 5, 2), Conv(3, 3, 5, 2), Conv(3, 2, 3)),
    (Deconv(2, 3, 5, 2),),
    (Deconv(2, 3, 9, 4),),
    (Deconv(2, 3, 3, 2), GDN(3, inverse=True), Deconv(3, 2, 9, 4)),
    (Deconv(2, 2, 5, 2), Deconv(2, 2, 5, 2), Deconv(2, 3, 9, 4)),
    (Deconv(2, 2, 5, 2), Conv(2, 2, 3)),
    (Conv(2, 2, 3, 2), Deconv(2, 2, 3, 2)),
    (Conv(2, 2, 1), Depthwise(2, 5)),
    (Conv(2, 2, 1), Residual((Conv(2, 3, 1), Depthwise(3, 3), Conv(3, 2, 3)))),
    (PixelUnshuffle(2, 4), Conv(32, 2, 1), Residual((Depthwise(2, 3),)), Conv(2, 2, 3, 2)),
    (Conv(2, 8, 1), PixelShuffle(2), Depthwise(2, 3)),
    (Conv(2, 8, 1), PixelShuffle(2), Residual((Depthwise(2, 5), Conv(2, 2, 1))), Conv(2, 32, 1), PixelShuffle(4)),
]


def test_balle2017_at_the_papers_size_costs_about_11_thousand_macs_a_pixel() -> None:
    networks = Balle2017(N1=128, N2=128, M=128).networks()
    # 9x9x3x128/16 + 128^2/16 + 5x5x128^2/64 + 128^2/64 + 5x5x128^2/256 + 128^2/256, and mirrored
    expected = 1944 + 1024 + 6400 + 256 + 1600 + 64
    assert macs_per_pixel(networks["g_a"]) == expected
    assert macs_per_pixel(networks["g_s"], Fraction(1, 16)) == expected
    assert expected == pytest.approx(11_000, rel=0.05)


def test_a_block_of_the_default_codec_costs_what_its_convolutions_do() -> None:
    block = (
        Residual((Conv(128, 128, 1), ReLU(), Depthwise(128, 3), Conv(128, 128, 1))),
        Residual((Conv(128, 256, 1), ReLU(), Conv(256, 128, 1))),
    )
    expected = (6 * 128**2 + 9 * 128) / 64
    assert macs_per_pixel((PixelUnshuffle(3, 8), *block)) == expected
    assert macs_per_pixel((PixelShuffle(2), *block), Fraction(1, 16)) == expected


def test_a_shift_costs_nothing_and_a_network_the_sum_of_its_layers() -> None:
    assert macs_per_pixel((Shift(0.5),)) == 0 and parameters((Shift(0.5),)) == 0
    assert macs_per_pixel((Conv(3, 8, 1), Shift(0.5), Conv(8, 4, 1))) == 3 * 8 + 8 * 4


@pytest.mark.parametrize("network", [*NETWORKS, *Balle2017(N1=5, N2=6, M=7).networks().values()])
def test_parameters_are_those_of_the_torch_module(network: Network) -> None:
    pytest.importorskip("torch", reason="needs the extra train")
    from latens.transforms.torch_modules import build

    assert parameters(network) == sum(weight.numel() for weight in build(network).parameters())


@pytest.mark.parametrize("network", [*NETWORKS, *Balle2017(N1=2, N2=2, M=2).networks().values()])
def test_the_receptive_field_is_what_gradients_show(network: Network) -> None:
    """The widest reach of any output sample near the centre, over all phases of an up-sampling network."""
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from latens.transforms.torch_modules import build

    torch.manual_seed(0)
    first = next(layer for layer in network if isinstance(layer, Conv | Deconv | PixelUnshuffle))
    channels = first.channels if isinstance(first, PixelUnshuffle) else first.inputs
    module = build(network)
    for weight in module.parameters():
        torch.nn.init.uniform_(weight, 0.5, 1.0)  # nothing cancels
    side = 160 if any(isinstance(layer, Conv) for layer in network) else 16
    phases = math.prod(layer.stride for layer in network if isinstance(layer, Deconv))
    phases *= math.prod(layer.factor for layer in network if isinstance(layer, PixelShuffle))
    x = torch.rand(1, channels, side, side, requires_grad=True)
    y = module(x).sum(1)[0]
    middle, widest = y.shape[0] // 2, 0
    for position in range(middle, middle + phases):
        (gradient,) = torch.autograd.grad(y[position, middle], x, retain_graph=True)
        rows = gradient.abs().amax((0, 1, 3)).nonzero().flatten()
        assert rows[0] > 0 and rows[-1] < side - 1, "the picture is too small to tell"
        widest = max(widest, int(rows[-1] - rows[0]) + 1)
    assert receptive_field(network) == widest
