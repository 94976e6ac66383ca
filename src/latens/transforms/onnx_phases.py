"""Transposed convolutions of a stored graph as one convolution for each phase of the output: the same, faster.

A graph holds a `Deconv` as one convolution of all phases and a pixel shuffle (`latens.transforms.onnx_graph`). Its
kernels are as large as the largest phase's; with 5x5 taps and a stride of 2, 11 of 36 taps are zeros. Here each
phase has a kernel of the size that it needs, 3x3, 3x2, 2x3 and 2x2. What is stored stays as it is.

A shuffle is slow, value by value, and has the runtime leave the layout in which it convolves. What follows one
and works position by position, as a GDN does, is therefore done of each phase, and the shuffle then of positions
with all of their channels at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from latens.transforms.layers import GDN, Deconv, Layer, Network
from latens.transforms.onnx_wire import Attribute, field, fields, integers, node

GRAPH, NODE, INITIALIZER = 7, 1, 5  # fields of a model and of a graph
INPUT, OUTPUT, KIND = 1, 2, 4  # fields of a node
STORED = ["Pad", "Reshape", "Slice", "Transpose", "Reshape", "Conv", "DepthToSpace"]  # the nodes of a Deconv
GDN_NODES = {"squared": 4, "absolute": 3}  # of a GDN's form, those that work on the plane
LEAST = 16  # outputs: runtimes compute as many at once, and would pad those of each phase


def in_phases(network: Network, graph: bytes) -> bytes:
    """The graph of a network with its transposed convolutions split where that is of use.

    Raises:
        ValueError, IndexError: not a graph
    """
    after = (*network[1:], None)
    layers = iter([pair for pair in zip(network, after, strict=True) if _upsamples(pair[0])])
    return b"".join(
        field(GRAPH, _split(part.value, layers)) if part.number == GRAPH else part.whole for part in fields(graph)
    )


def _upsamples(layer: Layer) -> bool:
    return isinstance(layer, Deconv) and layer.stride > 1


def _split(graph: bytes, layers: Iterator[tuple[Layer, Layer | None]]) -> bytes:
    parts = list(fields(graph))
    nodes = [part.value for part in parts if part.number == NODE]
    kinds = [_texts(one, KIND)[0] for one in nodes]
    out, constants, at = list[bytes](), list[bytes](), 0
    while at < len(nodes):
        layer, after = next(layers, (None, None)) if kinds[at : at + len(STORED)] == STORED else (None, None)
        if not isinstance(layer, Deconv) or not gains(layer):
            out.append(nodes[at])
            at += 1
            continue
        pad, *_, conv, shuffle = nodes[at : at + len(STORED)]
        x, _, bias = _texts(conv, INPUT)
        made = Phases(layer, x, _texts(pad, INPUT)[0], bias, _texts(shuffle, OUTPUT)[0])
        at += len(STORED)
        following = GDN_NODES[after.form] if isinstance(after, GDN) else 0
        while following:
            following -= made.follow(nodes[at])
            at += 1
        made.shuffle()
        out += made.nodes
        constants += [field(INITIALIZER, one) for one in made.constants]
    rest = (part.whole for part in parts if part.number != NODE)
    return b"".join([*(field(NODE, one) for one in out), *constants, *rest])


def gains(layer: Deconv) -> bool:
    """Whether one convolution for each phase is faster than one of all phases, and possible."""
    return layer.stride > 1 and layer.outputs >= LEAST and all(map(_reaches, _along(layer)))


def _texts(message: bytes, number: int) -> list[str]:
    return [part.value.decode() for part in fields(message) if part.number == number]


def _along(layer: Deconv) -> list[range]:
    """For each phase of an axis, the inputs that it sees, relative: d of the taps r + pad - stride * d."""
    stride, pad = layer.stride, layer.kernel // 2
    reach = -(-pad // stride)
    inputs = range(-reach, reach + 1)
    seen = [[d for d in inputs if 0 <= r + pad - stride * d < layer.kernel] for r in range(stride)]
    return [range(d[0], d[-1] + 1) if d else range(0) for d in seen]


def _reaches(seen: range) -> bool:
    """Whether a phase sees the input at its own place, so that no padding is negative."""
    return 0 in seen


class Phases:
    """The nodes and constants of a Deconv in phases.

    Args:
        x, weight, bias, output: names; weight is (inputs, outputs, rows, columns), bias stands once a phase
    """

    def __init__(self, layer: Deconv, x: str, weight: str, bias: str, output: str) -> None:
        self.name, self.nodes, self.constants = f"{output}_phase", list[bytes](), list[bytes]()
        self.layer, self.output = layer, output
        stride, pad = layer.stride, layer.kernel // 2
        once = self._cut(bias, [0], [layer.outputs * stride**2], [0], [stride**2])
        found = []
        for (r, down), (s, right) in product(enumerate(_along(layer)), repeat=2):
            last = [r + pad - stride * down.start, s + pad - stride * right.start]  # taps fall as inputs rise
            taps = self._cut(weight, last, [-layer.kernel - 1] * 2, [2, 3], [-stride] * 2)
            found.append(
                self._node(
                    "Conv", [x, self._node("Transpose", [taps], perm=[1, 0, 2, 3]), once],
                    pads=[-down.start, -right.start, down.stop - 1, right.stop - 1],
                    kernel_shape=[len(down), len(right)],
                )
            )  # fmt: skip
        self.phases = {output: found}  # what a name of the whole is of each

    def follow(self, node: bytes) -> bool:
        """Take in a node that comes after: done of each phase, if it works on what they give."""
        parts = list(fields(node))
        if not any(part.number == INPUT and part.value.decode() in self.phases for part in parts):
            self.nodes.append(node)
            return False
        (self.output,) = _texts(node, OUTPUT)
        made = [f"{self.output}_{number}" for number in range(self.layer.stride**2)]
        self.phases[self.output] = made
        for number in range(len(made)):
            own = {name: names[number] for name, names in self.phases.items()}
            self.nodes.append(
                b"".join(
                    field(part.number, own.get(part.value.decode(), part.value))
                    if part.number in (INPUT, OUTPUT)
                    else part.whole
                    for part in parts
                )
            )
        return True

    def shuffle(self) -> None:
        """Put the phases in their places: (B, H, W, phases, C) -> (B, C, stride * H, stride * W)."""
        stride, channels = self.layer.stride, self.layer.outputs
        found = self.phases[self.output]
        sides = self._node("Shape", [found[0]])
        sides = self._node("Gather", [sides, self._constant([0, 2, 3, 1])], axis=0)
        sides = self._node("Mul", [sides, self._constant([1, stride, stride, 1])])
        whole = self._node("Transpose", [self._node("Concat", found, axis=1)], perm=[0, 2, 3, 1])
        rows = self._node("Reshape", [whole, self._constant([0, 0, 0, stride, stride * channels])])
        rows = self._node("Transpose", [rows], perm=[0, 1, 3, 2, 4])
        whole = self._node("Reshape", [rows, sides])
        self.nodes.append(node("Transpose", [whole], self.output, perm=[0, 3, 1, 2]))

    def _node(self, kind: str, inputs: list[str], **attributes: Attribute) -> str:
        output = f"{self.name}_{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, output, **attributes))
        return output

    def _constant(self, values: list[int]) -> str:
        name = f"{self.name}_constant_{len(self.constants)}"
        self.constants.append(integers(name, values))
        return name

    def _cut(self, x: str, *where: list[int]) -> str:
        """x sliced by starts, ends, axes and steps."""
        return self._node("Slice", [x, *(self._constant(values) for values in where)])
