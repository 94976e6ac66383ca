"""Derivatives of graphs, held to PyTorch's; weights of graphs, read without onnx, held to onnx's own reader."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="derivatives are compared with PyTorch's")
onnx = pytest.importorskip("onnx", reason="graphs are built with onnx")

from latens.runtime.derivative import SquaredError  # noqa: E402
from latens.transforms import (  # noqa: E402
    GDN,
    Conv,
    Deconv,
    Depthwise,
    Layer,
    LeakyReLU,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Residual,
    Shift,
    adjoint,
)
from latens.transforms.onnx_graph import from_onnx, to_onnx  # noqa: E402
from latens.transforms.onnx_weights import stored  # noqa: E402
from latens.transforms.torch_modules import arrays, build, fill  # noqa: E402

NETWORKS: dict[str, Network] = {
    "deconvolutions": (
        Deconv(4, 18, kernel=5, stride=2), GDN(18, inverse=True),
        Deconv(18, 6, kernel=5, stride=2), GDN(6, inverse=True),
        Deconv(6, 5, kernel=3, stride=1), GDN(5, inverse=True, form="absolute"),
        Deconv(5, 3, kernel=9, stride=4), Shift(0.5),
    ),
    "blocks": (
        Conv(4, 20, kernel=1), PixelShuffle(2),
        Residual((Conv(5, 7, kernel=1), LeakyReLU(), Depthwise(7, kernel=3), Conv(7, 5, kernel=3))),
        Conv(5, 12, kernel=3), PixelShuffle(2), Shift(0.5),
    ),
}  # fmt: skip


def made(network: Network) -> tuple[Any, bytes]:
    torch.manual_seed(0)
    module = build(network)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.rand_like(parameter))
    return module, to_onnx(network, arrays(module))


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("most", [1 << 12, 24, 7])  # 7: strips are in pieces of one column
def test_derivatives_are_those_of_pytorch_whole_and_in_strips(name: str, most: int) -> None:
    network = NETWORKS[name]
    module, graph = made(network)
    weights = from_onnx(network, graph)
    fill(module, weights)
    random = np.random.default_rng(0)
    y = random.standard_normal((1, 4, 12, 6)).astype(np.float32)
    given = torch.from_numpy(y).requires_grad_()
    came = module(given)
    pixels = random.integers(0, 256, (came.shape[2] - 3, came.shape[3] - 1, 3), np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    loss = (255 * (came[0, :, :-3, :-1] - x)).square().sum()
    loss.backward()
    error, derivative = SquaredError(network, weights, 1)(y, pixels, most)
    as_bytes = (255 * came[0, :, :-3, :-1].detach().clamp(0, 1)).round().permute(1, 2, 0).numpy()
    assert error == pytest.approx(np.square(as_bytes - pixels).sum(), rel=1e-4)
    scale = float(given.grad.abs().max())
    assert np.abs(derivative - given.grad.numpy()).max() < 1e-5 * scale


@pytest.mark.parametrize("layer", [PixelUnshuffle(1, 2), Conv(4, 6, kernel=5, stride=2)])
def test_a_layer_without_a_derivative_is_named(layer: Layer) -> None:
    network = (layer,)
    with pytest.raises(ValueError, match=type(layer).__name__):
        adjoint.squared_error(network, from_onnx(network, made(network)[1]))


def test_constants_are_read_as_onnx_reads_them() -> None:
    _, graph = made(NETWORKS["blocks"])
    expected = [onnx.numpy_helper.to_array(c) for c in onnx.load_model_from_string(graph).graph.initializer]
    found = stored(graph)
    assert len(found) == len(expected) > 5
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


@pytest.mark.parametrize("damaged", [b"\x3b", b"\x3a\x02\x2a\x00", b"\x3a\x80"])
def test_what_is_no_graph_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a graph|not a message|not enough values"):
        stored(damaged)
