"""Derivatives of synthesis networks as ONNX graphs: what the encoder's search asks, without a framework for it.

The graph computes a network and then goes back through it: every layer knows its output and, given what it has
seen, how a derivative by its output becomes one by its input. It is written without the package ``onnx``.

::

    y ---> layer ---> layer ---> ... ---> x_hat      E = sum of ((x_hat - x) inside)^2
    dE/dy <-- pull <-- pull <--- ... <--- 2 (x_hat - x) inside
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from latens.transforms import onnx_wire as wire
from latens.transforms.layers import (
    GDN,
    Conv,
    Deconv,
    Depthwise,
    Layer,
    LeakyReLU,
    Network,
    PixelShuffle,
    Residual,
    Shift,
)
from latens.transforms.onnx_phases import Phases, gains

INPUTS, OUTPUTS = ("y", "x", "inside"), ("x_hat", "derivative")
HUGE = 1e20

Pull = Callable[[str], str]  # name of the derivative by the output -> by the input


def squared_error(network: Network, weights: Sequence[Mapping[str, Any]]) -> bytes:
    """A serialised ONNX model of x_hat = network(y) and of the derivative of sum(((x_hat - x) inside)^2) by y.

    Inputs are y (1, C, h, w), x (1, C', H, W) and inside (1, 1, H, W), 1 where errors count and else 0; outputs
    are x_hat (1, C', H, W) and the derivative (1, C, h, w); all float32.

    Args:
        weights: those of `latens.transforms.onnx_weights`

    Raises:
        ValueError: a layer that no synthesis network has
    """
    graph = _Graph()
    x_hat, pull = _through(graph, network, weights, INPUTS[0])
    error = graph.node("Mul", graph.node("Sub", x_hat, INPUTS[1]), INPUTS[2])
    found = x_hat, pull(graph.node("Add", error, error))
    graph.nodes += [wire.node("Identity", [name], output) for name, output in zip(found, OUTPUTS, strict=True)]
    return wire.model(graph.nodes, graph.constants, INPUTS, OUTPUTS)


class _Graph:
    """Nodes and constants as they are added; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes, self.constants = list[bytes](), list[bytes]()

    def node(self, kind: str, *inputs: str, **attributes: wire.Attribute) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(wire.node(kind, list(inputs), output, **attributes))
        return output

    def constant(self, values: Any) -> str:
        """float32, of the values' shape."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(wire.floats(name, np.asarray(values, np.float32)))
        return name

    def conv(
        self, x: str, weight: np.ndarray, bias: np.ndarray | None = None, stride: int = 1, group: int = 1
    ) -> str:
        """weight (outputs, inputs, k, k), planes padded by half of k."""
        side = weight.shape[-1]
        given = [x, self.constant(weight), *([] if bias is None else [self.constant(bias)])]
        return self.node("Conv", *given, group=group, strides=[stride] * 2, pads=[side // 2] * 4)

    def integers(self, values: list[int]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(wire.integers(name, values))
        return name


def _through(graph: _Graph, network: Network, weights: Sequence[Mapping[str, Any]], x: str) -> tuple[str, Pull]:
    """A network's output, and the way back."""
    pulls: list[Pull] = []
    channels = 0  # of x, once a convolution has said so
    for layer, given in zip(network, weights, strict=True):
        if isinstance(layer, PixelShuffle):
            x, pull = _shuffled(graph, layer.factor, channels, x)
            channels //= layer.factor**2
        else:
            x, pull = _layer(graph, layer, given, x)
            channels = layer.outputs if isinstance(layer, Conv | Deconv) else channels
        pulls.append(pull)

    def back(g: str) -> str:
        for pull in reversed(pulls):
            g = pull(g)
        return g

    return x, back


def _layer(graph: _Graph, layer: Layer, given: Mapping[str, Any], x: str) -> tuple[str, Pull]:
    match layer:
        case Shift():
            return graph.node("Add", x, graph.constant(layer.amount)), lambda g: g
        case Conv(stride=1):
            weight = given["weight"]
            back = weight.swapaxes(0, 1)[:, :, ::-1, ::-1]
            return graph.conv(x, weight, given["bias"]), lambda g: graph.conv(g, back)
        case Deconv():
            weight, stride = given["weight"], layer.stride  # (inputs, outputs, k, k)
            return _deconv(graph, layer, weight, given["bias"], x), lambda g: graph.conv(g, weight, stride=stride)
        case Depthwise():
            weight, group = given["weight"], layer.channels
            back = weight[:, :, ::-1, ::-1]
            return graph.conv(x, weight, given["bias"], group=group), lambda g: graph.conv(g, back, group=group)
        case GDN(inverse=True):
            return _igdn(graph, given["beta"], given["gamma"], layer.form == "squared", x)
        case LeakyReLU():
            return _leaky(graph, 2.0**-layer.shift, x)
        case Residual():
            inner = [
                {name.split(".", 1)[1]: array for name, array in given.items() if name.startswith(f"{number}.")}
                for number in range(len(layer.branch))
            ]
            added, pull = _through(graph, layer.branch, inner, x)
            return graph.node("Add", x, added), lambda g: graph.node("Add", g, pull(g))
        case _:
            raise ValueError(f"{layer} has no derivative here: synthesis networks do without it")


def _shuffled(graph: _Graph, factor: int, channels: int, x: str) -> tuple[str, Pull]:
    """The way back has its channels put in order: ONNX has the place in the square before the channel."""
    order = graph.integers(np.arange(channels).reshape(factor**2, -1).T.ravel().tolist())
    return (
        graph.node("DepthToSpace", x, blocksize=factor, mode="CRD"),
        lambda g: graph.node("Gather", graph.node("SpaceToDepth", g, blocksize=factor), order, axis=1),
    )


def _deconv(graph: _Graph, layer: Deconv, weight: np.ndarray, bias: np.ndarray, x: str) -> str:
    """A convolution for each phase, or one of all phases and a pixel shuffle (`latens.transforms.onnx_graph`)."""
    inputs, outputs, kernel = weight.shape[:3]
    stride = layer.stride
    each = np.repeat(bias, stride**2)
    if gains(layer):
        output = f"deconv_{len(graph.nodes)}"
        made = Phases(layer, x, graph.constant(weight), graph.constant(each), output)
        made.shuffle()
        graph.nodes += made.nodes
        graph.constants += made.constants
        return output
    reach = -(-(kernel // 2) // stride)
    side, front = 2 * reach + 1, stride * reach - kernel // 2
    taps = np.zeros((inputs, outputs, side * stride, side * stride), np.float32)
    taps[:, :, front : front + kernel, front : front + kernel] = weight
    split = taps.reshape(inputs, outputs, side, stride, side, stride)[:, :, ::-1, :, ::-1]
    phases = split.transpose(1, 3, 5, 0, 2, 4).reshape(outputs * stride**2, inputs, side, side)
    y = graph.conv(x, phases, each)
    return y if stride == 1 else graph.node("DepthToSpace", y, blocksize=stride, mode="CRD")


def _igdn(graph: _Graph, beta: np.ndarray, gamma: np.ndarray, squared: bool, x: str) -> tuple[str, Pull]:
    """y = x n with n = (beta + gamma x^2)^(1/2) or beta + gamma |x|."""
    kernel = gamma[:, :, None, None]
    norm = graph.conv(graph.node("Mul", x, x) if squared else graph.node("Abs", x), kernel, beta)
    norm = graph.node("Sqrt", norm) if squared else norm

    def pull(g: str) -> str:
        pulled = graph.node("Mul", g, x)
        pulled = graph.conv(graph.node("Div", pulled, norm) if squared else pulled, kernel.swapaxes(0, 1))
        around = graph.node("Mul", x if squared else graph.node("Sign", x), pulled)
        return graph.node("Add", graph.node("Mul", g, norm), around)

    return graph.node("Mul", x, norm), pull


def _leaky(graph: _Graph, slope: float, x: str) -> tuple[str, Pull]:
    """y = max(x, slope x); the derivative is y times a huge number, clipped to slope and 1."""
    y = graph.node("LeakyRelu", x, alpha=slope)

    def pull(g: str) -> str:
        bounds = graph.constant(slope), graph.constant(1.0)
        return graph.node("Mul", g, graph.node("Clip", graph.node("Mul", y, graph.constant(HUGE)), *bounds))

    return y, pull
