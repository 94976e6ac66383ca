"""Strips: the values of the whole plane, from no more rows than they depend on."""

from fractions import Fraction

import numpy as np
import pytest

from latens.systems import Balle2017, Balle2018, Latens, Minnen2018, Model
from latens.transforms import GDN, Abs, Conv, Deconv, LeakyReLU, Network, ReLU, Shift
from latens.transforms.strips import MOST, in_strips, rows_after, rows_seen, widest

SIZES = {"N1": 3, "N2": 4, "N3": 5, "M": 6, "Nh": 4}
NETWORKS: dict[str, Network] = {
    "1x1": (Conv(2, 3, 1), ReLU()),
    "3x3": (Conv(2, 3, 3), LeakyReLU(), Conv(3, 2, 3)),
    "down": (Shift(0.5), Conv(2, 3, 9, 4), Abs(), Conv(3, 2, 5, 2)),
    "up": (Deconv(2, 3, 5, 2), ReLU(), Deconv(3, 2, 9, 4)),
    "down and up": (Conv(2, 3, 3, 2), Deconv(3, 2, 3, 2)),
    "h_a": Minnen2018(**SIZES).networks()["h_a"],
    "h_s": Minnen2018(**SIZES).networks()["h_s"],
    "balle2018 g_a": Balle2018(**SIZES).networks()["g_a"],
    "balle2018 g_s": Balle2018(**SIZES).networks()["g_s"],
    "balle2017 g_a": Balle2017(N1=3, N2=4, M=5).networks()["g_a"],
    "balle2017 g_s": Balle2017(N1=3, N2=4, M=5).networks()["g_s"],
}


def inputs(network: Network) -> int:
    return next(layer for layer in network if isinstance(layer, Conv | Deconv)).inputs


def module(network: Network):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from latens.transforms.torch_modules import build

    torch.manual_seed(0)
    return build(network)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rows", [1, 9, 37, 64])
@pytest.mark.parametrize("high", [1, 5, 16])
def test_strips_give_the_values_of_the_whole_plane(name: str, rows: int, high: int) -> None:
    import torch

    network, asked = NETWORKS[name], []
    built = module(network)

    def run(x: np.ndarray) -> np.ndarray:
        asked.append(x.shape[2])
        with torch.no_grad():
            return np.asarray(built(torch.from_numpy(np.ascontiguousarray(x))))

    x = np.random.default_rng(rows).normal(0, 1, (1, inputs(network), rows, 6)).astype(np.float32)
    whole = run(x)
    asked.clear()
    found = in_strips(network, run, x, most=int(high * 6 * widest(network)))
    assert found.shape == whole.shape and np.allclose(found, whole, rtol=1e-5, atol=1e-6)
    assert np.ptp(whole) > 1e-3
    assert len(asked) == 1 if rows <= high else len(asked) > 1 or rows_after(network, rows) == 1


@pytest.mark.parametrize("name", ["g_a", "g_s"])
@pytest.mark.parametrize("high", [8, 24])
def test_residual_stacks_and_pixel_shuffles_are_cut_as_well(name: str, high: int) -> None:
    import torch

    network = Latens(C=4, n=2, M=8).networks()[name]
    built = module(network)

    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(built(torch.from_numpy(np.ascontiguousarray(x))))

    shape = (1, 3, 160, 16) if name == "g_a" else (1, 8, 40, 2)
    x = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    whole, most = run(x), int(high * shape[3] * widest(network))
    assert in_strips(network, run, x[:, :, :8], most) is not None
    assert np.allclose(in_strips(network, run, x, most), whole, rtol=1e-5, atol=1e-6)
    if name == "g_s":
        assert not np.allclose(run(x[:, :, :20]), whole[:, :, : 20 * 16], atol=1e-3), "strips need their halo"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rows_seen_are_those_that_gradients_reach(name: str) -> None:
    import torch

    network = NETWORKS[name]
    if any(isinstance(layer, GDN | ReLU | LeakyReLU | Abs) for layer in network):  # shapes alone matter
        network = tuple(layer for layer in network if isinstance(layer, Conv | Deconv))
    built = module(network)
    for weight in built.parameters():
        torch.nn.init.uniform_(weight, 0.5, 1.0)  # nothing cancels
    x = torch.rand(1, inputs(network), 32 if "_s" in name or name == "up" else 512, 8, requires_grad=True)
    out = built(x)
    for first in (out.shape[2] // 2, out.shape[2] // 2 + 1, out.shape[2] // 2 + 5):
        (gradient,) = torch.autograd.grad(out[:, :, first : first + 3].sum(), x, retain_graph=True)
        reached = np.flatnonzero(gradient.abs().sum((0, 1, 3)).numpy())
        assert (reached[0], reached[-1]) == rows_seen(network, first, first + 2)


def test_the_widest_plane_is_counted_by_position_of_the_input() -> None:
    assert widest(Balle2018(N1=48, N2=96, N3=192, M=256).networks()["g_a"]) == 12  # 48 channels at half the side
    assert widest(Balle2018(N1=48, N2=96, N3=192, M=256).networks()["g_s"]) == 12 * 256
    assert widest((Conv(2, 6, 3, 4),)) == Fraction(6, 16)


def test_a_plane_that_fits_is_computed_at_once_and_a_larger_one_in_parts_of_bounded_size() -> None:
    network, asked = NETWORKS["3x3"], []

    def run(x: np.ndarray) -> np.ndarray:
        asked.append(x.shape)
        return x

    x = np.zeros((1, 2, 100, 7), np.float32)
    in_strips(network, run, x, most=3 * 7 * 100)
    assert asked == [x.shape]
    asked.clear()
    in_strips(network, run, x, most=3 * 7 * 100 - 1)
    assert len(asked) == 2
    asked.clear()
    in_strips(network, run, x, most=3 * 7 * 20)
    assert len(asked) == 5 and max(shape[2] for shape in asked) == 20 + 4  # two rows of halo on either side


@pytest.mark.parametrize("system", [Balle2018(), Minnen2018(), Latens(), Balle2017()], ids=lambda model: model.id)
@pytest.mark.parametrize("name", ["g_a", "g_s"])
def test_the_widest_pictures_are_computed_little_more_than_once_and_in_bounded_memory(
    system: Model, name: str
) -> None:
    network, seen = system.networks()[name], []
    up = 1 if name == "g_a" else system.stride
    rows, columns = 256 // up, 2**20 // up

    def run(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape[2] * x.shape[3])
        return np.zeros((1, 1, rows_after(network, x.shape[2]), rows_after(network, x.shape[3])), np.float32)

    x = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, 1, rows, columns), (0, 0, 0, 0))
    found = in_strips(network, run, x)
    assert found.shape == (1, 1, rows_after(network, rows), rows_after(network, columns))
    assert sum(seen) < 1.6 * rows * columns
    assert max(seen) * widest(network) < 1.6 * MOST
