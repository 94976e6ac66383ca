"""A single call of a network: what it refuses, and what it leaves as it was."""

from pathlib import Path

import numpy as np
import pytest

import latens
from latens.errors import WeightsError
from latens.runtime import Runtime, pixel_network
from latens.runtime.derivative import SquaredError
from latens.transforms.onnx_weights import from_onnx
from latens.transforms.onnx_wire import read_varint
from latens.weights.package import load

WEIGHTS = load(Path(latens.__file__).parent / "weights" / "latens-fast" / "all.ltm")
NETWORK, GRAPH = WEIGHTS.model.networks()["g_s"], WEIGHTS.graph("g_s")


def test_latents_of_other_channels_are_a_weights_error(capfd: pytest.CaptureFixture[str]) -> None:
    y = np.zeros((1, WEIGHTS.model.M - 1, 2, 3), np.float32)
    with pytest.raises(WeightsError, match=r"does not take x \(1, 255, 2, 3\)"):
        pixel_network(NETWORK, GRAPH)(y)
    derivative = SquaredError(NETWORK, from_onnx(NETWORK, GRAPH))
    with pytest.raises(WeightsError, match=r"does not take y \(1, 255, 2, 3\)"):
        derivative(y, np.zeros((32, 48, 3), np.uint8))
    assert capfd.readouterr() == ("", "")


def test_pytorch_computes_in_float32_and_leaves_its_settings_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    network = pixel_network(NETWORK, GRAPH, Runtime("torch", 1))

    def settings() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        precision = torch.get_float32_matmul_precision()
        return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, precision

    seen = []
    real = torch.nn.Sequential.forward
    monkeypatch.setattr(torch.nn.Sequential, "forward", lambda *a: (seen.append(settings()), real(*a))[1])
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        outside = settings()
        network(np.zeros((1, WEIGHTS.model.M, 2, 3), np.float32))
        assert settings() == outside and outside[-1] == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen[0] == (*outside[:3], False, "highest") and outside[0]


def test_a_number_that_goes_on_and_on_is_no_message() -> None:
    assert read_varint(b"\xff" * 9 + b"\x01", 0) == (2**64 - 1, 10)
    with pytest.raises(ValueError, match="more than 64 bits"):
        read_varint(b"\xff" * 100_000, 0)
