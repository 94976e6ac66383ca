"""Description + weights -> ONNX graph. Needs the package ``onnx`` to build; running needs only a runtime.

Weights are stored compactly and widened by nodes that the runtime folds into constants when it loads the
graph; all arithmetic at run time is float32. An array is stored as float32 or float16, as `to_onnx` is told; a
`Stepped` one as its integers in two planes, int8 and what exceeds it (nearly all 0), and its steps. A zip of the
planes takes little more than the entropy of the integers.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from latens.transforms import layers
from latens.transforms.onnx_weights import Stepped as Stepped
from latens.transforms.onnx_weights import from_onnx as from_onnx

Storage = Literal["float32", "float16"]  # of arrays that are not `Stepped`
OPSET = 17


Weight = np.ndarray | Stepped


class _Graph:
    """Nodes and constants as they are added; every method returns the name of its output."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def exact(self, array: np.ndarray) -> str:
        """A small float32 constant."""
        return self.constant(array.astype(np.float32))

    def weight(self, array: Weight) -> str:
        """A large constant, widened to float32."""
        if isinstance(array, Stepped):
            low, high = (self.node("Cast", self.constant(p), to=TensorProto.FLOAT) for p in array.planes())
            whole = self.node("Add", low, self.node("Mul", high, self.exact(np.array(256))))
            first, second = (self.exact(steps) for steps in array.steps)
            return self.node("Mul", self.node("Mul", whole, first), second)
        if self.storage == "float32":
            return self.exact(array)
        return self.node("Cast", self.constant(array.astype(np.float16)), to=TensorProto.FLOAT)

    def conv(self, x: str, layer: layers.Conv, weight: Weight, bias: np.ndarray) -> str:
        pad = layer.kernel // 2
        return self.node(
            "Conv", x, self.weight(weight), self.exact(bias),
            strides=[layer.stride] * 2, pads=[pad] * 4, kernel_shape=[layer.kernel] * 2,
        )  # fmt: skip

    def depthwise(self, x: str, layer: layers.Depthwise, weight: Weight, bias: np.ndarray) -> str:
        pad = layer.kernel // 2
        return self.node(
            "Conv", x, self.weight(weight), self.exact(bias),
            group=layer.channels, pads=[pad] * 4, kernel_shape=[layer.kernel] * 2,
        )  # fmt: skip

    def unshuffle(self, x: str, layer: layers.PixelUnshuffle) -> str:
        """ONNX puts the place in the square before the channel: the channels are then put in our order."""
        moved = self.node("SpaceToDepth", x, blocksize=layer.factor)
        order = np.arange(layer.channels * layer.factor**2).reshape(layer.factor**2, layer.channels).T.ravel()
        return self.node("Gather", moved, self.constant(order.astype(np.int64)), axis=1)

    def residual(self, x: str, layer: layers.Residual, weights: dict[str, Any]) -> str:
        name = x
        for number, inner in enumerate(layer.branch):
            mark = f"{number}."
            found = {k.removeprefix(mark): array for k, array in weights.items() if k.startswith(mark)}
            name = self.add(name, inner, found)
        return self.node("Add", x, name)

    def deconv(self, x: str, layer: layers.Deconv, weight: Weight, bias: np.ndarray) -> str:
        """A transposed convolution as a convolution at the low resolution and a pixel shuffle.

        Output sample s*a + r sees the inputs a + d through the tap r + padding - s*d: with the kernel padded
        to s*(2*reach + 1) taps, its taps split into (reach - d, r). Many times faster than ConvTranspose.
        """
        stride, pad = layer.stride, layer.kernel // 2
        reach = -(-pad // stride)
        side = 2 * reach + 1
        front = stride * reach - pad
        back = stride * side - layer.kernel - front
        padded = self.node(
            "Pad",
            self.weight(weight),
            self.constant(np.array([0, 0, front, front, 0, 0, back, back], np.int64)),
        )
        shape = np.array([layer.inputs, layer.outputs, side, stride, side, stride], np.int64)
        split = self.node("Reshape", padded, self.constant(shape))
        flipped = self.node(
            "Slice",
            split,
            self.constant(np.array([-1, -1], np.int64)),
            self.constant(np.array([-side - 1, -side - 1], np.int64)),
            self.constant(np.array([2, 4], np.int64)),
            self.constant(np.array([-1, -1], np.int64)),
        )
        ordered = self.node("Transpose", flipped, perm=[1, 3, 5, 0, 2, 4])
        kernel = self.node(
            "Reshape",
            ordered,
            self.constant(np.array([layer.outputs * stride**2, layer.inputs, side, side], np.int64)),
        )
        phases = self.node(
            "Conv", x, kernel, self.exact(np.repeat(bias, stride**2)),
            pads=[reach] * 4, kernel_shape=[side] * 2,
        )  # fmt: skip
        return phases if stride == 1 else self.node("DepthToSpace", phases, blocksize=stride, mode="CRD")

    def gdn(self, x: str, layer: layers.GDN, beta: np.ndarray, gamma: Weight) -> str:
        energy = self.node("Mul", x, x) if layer.form == "squared" else self.node("Abs", x)
        norm = self.node("Conv", energy, self.weight(gamma[:, :, None, None]), self.exact(beta))
        if layer.form == "squared":
            norm = self.node("Sqrt", norm)
        return self.node("Mul" if layer.inverse else "Div", x, norm)

    def add(self, x: str, layer: layers.Layer, weights: dict[str, Any]) -> str:
        match layer:
            case layers.Shift():
                return self.node("Add", x, self.exact(np.array(layer.amount)))
            case layers.Conv():
                return self.conv(x, layer, **weights)
            case layers.Deconv():
                return self.deconv(x, layer, **weights)
            case layers.Depthwise():
                return self.depthwise(x, layer, **weights)
            case layers.PixelUnshuffle():
                return self.unshuffle(x, layer)
            case layers.PixelShuffle():
                return self.node("DepthToSpace", x, blocksize=layer.factor, mode="CRD")
            case layers.Residual():
                return self.residual(x, layer, weights)
            case layers.GDN():
                return self.gdn(x, layer, **weights)
            case layers.Abs():
                return self.node("Abs", x)
            case layers.ReLU():
                return self.node("Relu", x)
            case layers.LeakyReLU():
                return self.node("LeakyRelu", x, alpha=2.0**-layer.shift)
            case _:
                raise ValueError(f"{layer} has no place in a pixel network")


def to_onnx(network: layers.Network, weights: list[dict[str, Any]], storage: Storage = "float16") -> bytes:
    """Serialise a network as an ONNX model with one input ``x`` (B, C, H, W) and one output ``y``, float32.

    Args:
        weights: the arrays of each layer, as `latens.transforms.torch_modules.arrays` gives them; those of two
            axes and more may be `Stepped`
    """
    graph = _Graph(storage)
    name = "x"
    for layer, arrays in zip(network, weights, strict=True):
        name = graph.add(name, layer, arrays)
    graph.nodes[-1].output[0] = "y"
    sides = [
        helper.make_tensor_value_info(side, TensorProto.FLOAT, ["B", f"C{side}", f"H{side}", f"W{side}"])
        for side in ("x", "y")
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", sides[:1], sides[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="latens",
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
