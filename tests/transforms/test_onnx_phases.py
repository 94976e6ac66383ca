"""Graphs whose transposed convolutions are split into phases compute what they did."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are built with onnx")

from latens.runtime import onnx as runtime  # noqa: E402
from latens.runtime.onnx import OnnxNetwork  # noqa: E402
from latens.transforms import GDN, Conv, Deconv, Network, PixelShuffle, Shift  # noqa: E402
from latens.transforms.onnx_graph import Stepped, to_onnx  # noqa: E402
from latens.transforms.onnx_phases import in_phases  # noqa: E402
from latens.transforms.onnx_wire import field, fields  # noqa: E402
from latens.weights.package import load  # noqa: E402
from latens.weights.shelf import select  # noqa: E402

SPLIT: dict[str, Network] = {
    "5x5": (Deconv(3, 16, 5, 2),),
    "3x3": (Deconv(3, 17, 3, 2),),
    "9x9 in steps of 4": (Deconv(2, 16, 9, 4),),
    "normalised with magnitudes": (Deconv(4, 16, 5, 2), GDN(16, form="absolute")),
    "normalised at the end": (Deconv(4, 24, 5, 2), GDN(24)),
    "two, and one too narrow": (
        Deconv(4, 24, 5, 2), GDN(24, inverse=True), Deconv(24, 16, 5, 2), GDN(16, inverse=True),
        Deconv(16, 3, 5, 2), Shift(0.5),
    ),
}  # fmt: skip
WHOLE: dict[str, Network] = {
    "too narrow": (Deconv(4, 3, 5, 2),),
    "phases without taps": (Deconv(4, 16, 1, 2),),
    "stride 1": (Deconv(4, 16, 5, 1),),
    "a shuffle of its own": (Conv(4, 64, 1), PixelShuffle(2), Conv(16, 3, 3)),
}


def graph_of(network: Network, storage: str = "float32") -> bytes:
    random, weights = np.random.default_rng(1), []
    for layer in network:
        if isinstance(layer, GDN):
            gamma = random.random((layer.channels, layer.channels)) / layer.channels
            weights.append({"beta": np.ones(layer.channels), "gamma": gamma})
        elif isinstance(layer, Conv | Deconv):
            sides = [layer.inputs, layer.outputs] if isinstance(layer, Deconv) else [layer.outputs, layer.inputs]
            kernel = random.integers(-300, 300, (*sides, layer.kernel, layer.kernel))
            steps = (np.full((1, sides[1], 1, 1), 0.01, np.float32), np.full((sides[0], 1, 1, 1), 0.1, np.float32))
            weights.append({"weight": Stepped(kernel, steps), "bias": random.normal(size=layer.outputs)})
        else:
            weights.append({})
    return to_onnx(network, weights, storage)  # type: ignore[arg-type]


def kinds(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (8, 7)])
def test_phases_compute_the_sums_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, name: str, rows: int, columns: int
) -> None:
    network, graph = SPLIT[name], graph_of(SPLIT[name])
    split = in_phases(network, graph)
    onnx.checker.check_model(onnx.load_model_from_string(split), full_check=True)
    wide = [layer for layer in network if isinstance(layer, Deconv) and layer.outputs >= 16]
    narrow = len([layer for layer in network if isinstance(layer, Deconv)]) - len(wide)
    normalised = len([layer for layer in network if isinstance(layer, GDN)])  # each after a wide one
    stride = wide[0].stride
    assert kinds(split).count("Conv") == stride**2 * (len(wide) + normalised) + narrow
    assert kinds(split).count("DepthToSpace") == narrow
    x = np.random.default_rng(2).normal(size=(2, network[0].inputs, rows, columns)).astype(np.float32)  # type: ignore[union-attr]
    found = OnnxNetwork(network, graph, 1)(x)
    monkeypatch.setattr(runtime, "in_phases", lambda network, graph: graph)
    expected = OnnxNetwork(network, graph, 1)(x)
    assert found.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", WHOLE)
def test_what_gains_nothing_is_left_as_it_is(name: str) -> None:
    graph = graph_of(WHOLE[name])
    assert in_phases(WHOLE[name], graph) == graph


@pytest.mark.parametrize(("model", "split"), [("balle2018", 3), ("minnen2018", 3), ("latens", 0)])
def test_the_syntheses_of_shipped_models_are_split(model: str, split: int) -> None:
    weights = load(select(model, 50))
    graph = in_phases(weights.model.networks()["g_s"], weights.graph("g_s"))
    assert kinds(graph).count("Concat") == split
    graph = weights.graph("g_a")
    assert in_phases(weights.model.networks()["g_a"], graph) == graph


def test_a_message_is_the_fields_that_it_was_made_of() -> None:
    message = field(1, 300) + field(2, "name") + field(17, b"\0" * 200) + field(3, 0)
    found = list(fields(message))
    assert [(one.number, one.value) for one in found] == [(1, 300), (2, b"name"), (17, b"\0" * 200), (3, 0)]
    assert b"".join(one.whole for one in found) == message
    with pytest.raises(ValueError, match="a field of kind 3"):
        list(fields(b"\x0b"))
