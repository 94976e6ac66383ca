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
from latens.transforms.onnx_graph import Stepped, from_onnx, to_onnx  # noqa: E402
from latens.transforms.torch_modules import GDN as TorchGDN  # noqa: E402
from latens.transforms.torch_modules import arrays, build  # noqa: E402

ONE = np.ones((1, 1), np.float32)
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
    found = OnnxNetwork(network, to_onnx(network, arrays(module), storage), threads=1)(x)  # type: ignore[arg-type]
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


def test_float16_is_close_and_half_as_large() -> None:
    networks = Balle2017(N1=12, N2=16, M=20).networks()
    x = np.random.default_rng(2).random((1, 3, 48, 32), np.float32)
    y_hat = np.rint(sample(1, 20, 3, 2, scale=4))
    for name, signal in (("g_a", x), ("g_s", y_hat)):
        errors = {}
        for storage in ("float32", "float16"):
            found, expected = both(networks[name], signal, storage)
            errors[storage] = float(np.abs(found - expected).max() / np.abs(expected).max())
        assert errors["float32"] < 1e-5 < errors["float16"] < 1e-3
    weights = arrays(random_module((Conv(16, 32, 5, 2),)))
    sizes = {storage: len(to_onnx((Conv(16, 32, 5, 2),), weights, storage)) for storage in ("float32", "float16")}  # type: ignore[arg-type]
    assert sizes["float16"] < 0.55 * sizes["float32"]


def stepped(array: np.ndarray, seed: int = 0) -> Stepped:
    """Integers of that shape, some of more than 16 bits, and steps for its first two axes."""
    random = np.random.default_rng(seed)
    integers = np.rint(random.standard_normal(array.shape) * 100).astype(np.int32)
    integers.flat[:4] = (-(1 << 21), (1 << 22) - 1, 128, -129)
    shapes = ((array.shape[0], 1), (1, array.shape[1]))
    first, second = (random.random(s + (1,) * (array.ndim - 2), np.float32) * 1e-2 + 1e-4 for s in shapes)
    return Stepped(integers, (first, second))


def test_a_graph_of_stepped_weights_computes_with_them_and_gives_them_back() -> None:
    network = (Shift(-0.5), Conv(3, 6, 5, 2), GDN(6), Deconv(6, 4, 5, 2), Residual((Depthwise(4, 3),)))
    weights = arrays(random_module(network))
    integers = [{k: stepped(v) if v.ndim > 1 else v for k, v in layer.items()} for layer in weights]
    floats = [
        {k: v.array() if isinstance(v, Stepped) else v for k, v in layer.items()} for layer in integers
    ]
    graph, plain = to_onnx(network, integers), to_onnx(network, floats, "float32")
    for found, expected in zip(from_onnx(network, graph), floats, strict=True):
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array.astype(np.float32))
    x = sample(1, 3, 16, 16)
    expected_y = OnnxNetwork(network, plain, threads=1)(x)
    np.testing.assert_allclose(OnnxNetwork(network, graph, threads=1)(x), expected_y, rtol=1e-6, atol=1e-9)


def test_planes_are_bytes_and_what_exceeds_them() -> None:
    integers = np.array([[0, 127, 128, -128, -129, 1000, (1 << 22) - 1, 1 - (1 << 22)]], np.int32)
    whole = Stepped(integers, (ONE, ONE))
    low, high = whole.planes()
    assert low.dtype == np.int8 and high.dtype == np.int16
    np.testing.assert_array_equal(low + 256 * high.astype(int), whole.integers)
    assert high[0, :2].tolist() == [0, 0] and high[0, 3] == 0  # what fits into int8 leaves the other plane empty
    with pytest.raises(ValueError, match="4194304 steps, and must be below"):
        Stepped(np.array([[1 << 22]]), (ONE, ONE)).planes()


def test_weights_in_int8_alone_are_too_coarse_to_be_restored() -> None:
    onnx = pytest.importorskip("onnx")
    network = (Conv(3, 4, 3),)
    model = onnx.load_model_from_string(to_onnx(network, arrays(random_module(network))))
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            array = onnx.numpy_helper.to_array(tensor).astype(np.int8)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    with pytest.raises(ValueError, match="int8 weights"):
        from_onnx(network, model.SerializeToString())


def test_a_graph_that_is_none_is_refused() -> None:
    with pytest.raises(WeightsError, match="a network cannot be loaded"):
        OnnxNetwork((), b"not a graph")
