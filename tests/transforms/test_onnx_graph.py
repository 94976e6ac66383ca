"""The graph that codes and the module that was trained compute the same; the compact storages nearly so."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

from latens.errors import WeightsError  # noqa: E402
from latens.runtime.onnx import OnnxNetwork  # noqa: E402
from latens.systems import Balle2017  # noqa: E402
from latens.transforms import (  # noqa: E402
    GDN,
    Conv,
    Deconv,
    Depthwise,
    LeakyReLU,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Residual,
    Shift,
)
from latens.transforms.onnx_graph import DROPPED, from_onnx, to_onnx  # noqa: E402
from latens.transforms.torch_modules import GDN as TorchGDN  # noqa: E402
from latens.transforms.torch_modules import arrays, build  # noqa: E402

STRIDES = [(9, 4), (5, 2), (3, 1), (5, 1), (1, 1), (3, 2), (7, 3), (3, 4), (1, 2)]


def random_module(network: Network, seed: int = 0) -> torch.nn.Sequential:
    """Magnitudes as training leaves them: GDN far from the identity, biases far from zero."""
    torch.manual_seed(seed)
    module = build(network)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, TorchGDN):
                layer.beta_root.uniform_(0.3, 1.5)
                layer.gamma_root.copy_(torch.rand_like(layer.gamma_root) ** 4)
            elif hasattr(layer, "bias"):
                layer.bias.normal_(std=0.3)
    return module


def both(network: Network, x: np.ndarray, storage: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """What ONNX Runtime and PyTorch make of x."""
    module = random_module(network)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    found = OnnxNetwork(to_onnx(network, arrays(module), storage), threads=1)(x)  # type: ignore[arg-type]
    assert found.dtype == np.float32 and found.shape == expected.shape
    return found, expected


def sample(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(1).standard_normal(shape) * scale).astype(np.float32)


@pytest.mark.parametrize(("kernel", "stride"), STRIDES)
def test_a_convolution_is_the_same_in_both(kernel: int, stride: int) -> None:
    found, expected = both((Conv(3, 4, kernel, stride),), sample(2, 3, 5 * stride, 7 * stride))
    assert expected.shape == (2, 4, 5, 7)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride"), STRIDES)
def test_a_transposed_convolution_is_the_same_in_both(kernel: int, stride: int) -> None:
    """The graph computes it by phases at the low resolution: edges and every phase have to agree."""
    found, expected = both((Deconv(3, 4, kernel, stride),), sample(2, 3, 5, 7))
    assert expected.shape == (2, 4, 5 * stride, 7 * stride)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_depthwise_convolution_is_the_same_in_both(kernel: int) -> None:
    found, expected = both((Depthwise(6, kernel),), sample(2, 6, 5, 7))
    assert expected.shape == (2, 6, 5, 7)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 8])
def test_squares_become_the_same_channels_in_both_and_samples_again(factor: int) -> None:
    """Sample for sample, by the description's own words."""
    x = sample(2, 3, 2 * factor, 3 * factor)
    found, expected = both((PixelUnshuffle(3, factor),), x)
    for c, r, s in np.ndindex(3, factor, factor):
        assert np.array_equal(found[:, (c * factor + r) * factor + s], x[:, c, r::factor, s::factor])
    assert np.array_equal(found, expected)
    back, again = both((PixelShuffle(factor),), found)
    assert np.array_equal(back, x) and np.array_equal(again, x)


BLOCKS: Network = (
    Conv(3, 6, 1),
    Residual((Conv(6, 6, 1), LeakyReLU(), Depthwise(6, 3), Conv(6, 6, 1))),
    Residual((Conv(6, 12, 1), LeakyReLU(), Residual((Depthwise(12, 5),)), Conv(12, 6, 1))),
)


def test_residual_blocks_are_the_same_in_both() -> None:
    found, expected = both(BLOCKS, sample(1, 3, 6, 8))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    bare, _ = both(BLOCKS[:1], sample(1, 3, 6, 8))
    assert np.abs(found - bare).max() > 0.1, "the branches say nothing: too easy"


def test_the_weights_of_residual_blocks_come_out_of_the_graph() -> None:
    weights = arrays(random_module(BLOCKS))
    for stored, given in zip(from_onnx(BLOCKS, to_onnx(BLOCKS, weights, "float32")), weights, strict=True):
        assert stored.keys() == given.keys() and all(np.array_equal(stored[k], given[k]) for k in given)
    assert "2.1.0.weight" not in weights[2] and "2.0.weight" in weights[2]


@pytest.mark.parametrize("form", ["squared", "absolute"])
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_the_same_in_both(form: str, inverse: bool) -> None:
    network = (GDN(6, inverse=inverse, form=form),)  # type: ignore[arg-type]
    found, expected = both(network, sample(2, 6, 4, 5, scale=3))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-5)


def test_a_shift_is_the_same_in_both() -> None:
    found, expected = both((Shift(-0.5),), sample(1, 3, 4, 4))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("form", ["squared", "absolute"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 80), (112, 32)])
def test_balle2017_is_the_same_in_both(form: str, height: int, width: int) -> None:
    networks = Balle2017(N1=12, N2=16, M=20, gdn=form).networks()  # type: ignore[arg-type]
    x = np.random.default_rng(2).random((1, 3, height, width), np.float32)
    found, expected = both(networks["g_a"], x)
    assert expected.shape == (1, 20, height // 16, width // 16)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    y_hat = np.rint(sample(1, 20, height // 16, width // 16, scale=4))
    found, expected = both(networks["g_s"], y_hat)
    assert expected.shape == (1, 3, height, width)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_compact_storages_are_close_in_the_order_of_their_bits() -> None:
    networks = Balle2017(N1=12, N2=16, M=20).networks()
    x = np.random.default_rng(2).random((1, 3, 48, 32), np.float32)
    y_hat = np.rint(sample(1, 20, 3, 2, scale=4))
    for name, signal in (("g_a", x), ("g_s", y_hat)):
        errors = {}
        for storage in ("float32", "float16", "float14", "float12", "int8"):
            found, expected = both(networks[name], signal, storage)
            errors[storage] = float(np.abs(found - expected).max() / np.abs(expected).max())
        assert errors["float32"] < 1e-5
        assert 1e-5 < errors["float16"] < 1e-3
        assert errors["float16"] < errors["float14"] < 4e-3
        assert errors["float14"] < errors["float12"] < 2e-2
        assert errors["float16"] < errors["int8"] < 5e-2


def test_dropped_bits_are_zero_and_rounded_to_nearest() -> None:
    from latens.transforms.onnx_graph import _half

    values = np.concatenate([sample(2000), [1.0, -1.0, 0.0, 2047.9, 6e-5]]).astype(np.float32)
    for dropped in DROPPED.values():
        halves = _half(values, dropped)
        assert not (halves.view(np.uint16) & ((1 << dropped) - 1)).any()
        spacing = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(values), 2.0**-14))) - 10 + dropped)
        # half a step, and half a float16 step for having been rounded before
        assert (np.abs(halves.astype(np.float64) - values) <= spacing * (0.5 + 2.0**-dropped / 2)).all()


def test_compact_storages_make_smaller_graphs() -> None:
    network = (Conv(16, 32, 5, 2),)
    weights = arrays(random_module(network))
    sizes = {storage: len(to_onnx(network, weights, storage)) for storage in ("float32", "float16", "int8")}  # type: ignore[arg-type]
    assert sizes["float16"] < 0.55 * sizes["float32"] and sizes["int8"] < 0.35 * sizes["float32"]


def test_a_graph_that_is_none_is_refused() -> None:
    with pytest.raises(WeightsError, match="a network cannot be loaded"):
        OnnxNetwork(b"not a graph")
