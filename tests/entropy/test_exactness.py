"""Integers below 2^24 in float32: NumPy, PyTorch and ONNX Runtime find the same sums, with one thread and two.

The same sums of ordinary floats differ, so the test would notice.
"""

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="compares runtimes")
pytest.importorskip("onnx", reason="compares runtimes")

from latens.entropy.planes import convolved, deconvolved  # noqa: E402
from latens.runtime.onnx import OnnxNetwork  # noqa: E402
from latens.transforms import Conv, Deconv  # noqa: E402
from latens.transforms.onnx_graph import to_onnx  # noqa: E402

LAYERS = [Conv(96, 40, 3), Conv(700, 30, 1), Deconv(96, 40, 5, 2)]
Sums = dict[str, np.ndarray]


def weights(layer: Conv | Deconv, integers: bool) -> np.ndarray:
    """As PyTorch stores them; integers reach the bound with `activations`."""
    random = np.random.default_rng(1)
    order = (layer.inputs, layer.outputs) if isinstance(layer, Deconv) else (layer.outputs, layer.inputs)
    values = random.integers(-127, 128, (*order, layer.kernel, layer.kernel))
    return np.asarray(values if integers else values * random.random(values.shape), np.float32)


def activations(layer: Conv | Deconv, integers: bool) -> np.ndarray:
    random = np.random.default_rng(2)
    values = random.integers(-230, 230, (1, layer.inputs, 13, 11))
    return np.asarray(values if integers else values * random.random(values.shape), np.float32)


def everywhere(layer: Conv | Deconv, integers: bool) -> Sums:
    """The layer's sums by runtime."""
    weight, x = weights(layer, integers), activations(layer, integers)
    stacked = weight.reshape(*weight.shape[:2], -1)
    plane = np.ascontiguousarray(x[0].transpose(1, 2, 0))
    by_numpy: Callable[[], np.ndarray] = (
        (lambda: deconvolved(layer, plane, np.ascontiguousarray(stacked.transpose(2, 0, 1))))
        if isinstance(layer, Deconv)
        else (lambda: convolved(plane, np.ascontiguousarray(stacked.transpose(2, 1, 0))))
    )
    found = {"numpy": by_numpy().transpose(2, 0, 1)[None]}
    bias = np.zeros(layer.outputs, np.float32)
    graph = to_onnx((layer,), [{"weight": weight, "bias": bias}], "float32")
    pad, tensors = layer.kernel // 2, (torch.from_numpy(x), torch.from_numpy(weight))
    for threads in (1, 2):
        found[f"onnxruntime {threads}"] = OnnxNetwork((layer,), graph, threads=threads)(x)
        torch.set_num_threads(threads)
        if isinstance(layer, Deconv):
            out = torch.nn.functional.conv_transpose2d(*tensors, stride=2, padding=pad, output_padding=1)
        else:
            out = torch.nn.functional.conv2d(*tensors, padding=pad)
        found[f"torch {threads}"] = out.numpy()
    torch.set_num_threads(1)
    return found


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_runtime_finds_the_same_integers(layer: Conv | Deconv) -> None:
    sums = everywhere(layer, integers=True)
    assert len(sums) == 5
    for runtime, found in sums.items():
        assert np.array_equal(found, sums["numpy"]), runtime
    assert np.abs(sums["numpy"]).max() > 2**18


def test_floats_would_not_agree() -> None:
    sums = everywhere(LAYERS[0], integers=False)
    assert any(not np.array_equal(found, sums["numpy"]) for found in sums.values())
    assert all(np.allclose(found, sums["numpy"], rtol=1e-3, atol=1.0) for found in sums.values())
