"""Weights as ONNX graphs hold them, read without the package ``onnx``.

A graph is a message of Protocol Buffers (`latens.transforms.onnx_wire`). Of a model the field 7 is the graph, of
which the fields 5 are constants: their sides (1), the type of their numbers (2), and the numbers as bytes (9),
little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from latens.transforms import layers
from latens.transforms.onnx_wire import fields, read_varint

GRAPH, INITIALIZER, SIDES, KIND, RAW = 7, 5, 1, 2, 9  # fields
KINDS = {1: "<f4", 3: "<i1", 5: "<i2", 7: "<i8", 10: "<f2"}  # of numbers that `to_onnx` stores


@dataclass(frozen=True, eq=False)
class Stepped:
    """Weights that are whole multiples of steps: ``integers * steps[0] * steps[1]``.

    integers: of any shape, magnitudes below 2^22; steps: float32, of shapes that broadcast to it.
    """

    integers: np.ndarray
    steps: tuple[np.ndarray, np.ndarray]

    def array(self) -> np.ndarray:
        """The weights, float32, as a runtime computes them."""
        return np.asarray(self.integers.astype(np.float32) * self.steps[0] * self.steps[1])

    def __getitem__(self, key: Any) -> Stepped:
        """With more axes: ``key`` indexes with slices and None."""
        return Stepped(self.integers[key], (self.steps[0][key], self.steps[1][key]))

    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """int8 and int16: ``integers = low + 256 high``.

        Raises:
            ValueError: an integer is too large
        """
        if np.abs(self.integers).max(initial=0) >= 1 << 22:
            raise ValueError(f"a weight is {np.abs(self.integers).max()} steps, and must be below 2^22")
        low = (self.integers + 128) % 256 - 128
        return low.astype(np.int8), ((self.integers - low) // 256).astype(np.int16)


def stored(graph: bytes) -> list[np.ndarray]:
    """The constants of a serialised ONNX model, in their order.

    Raises:
        ValueError: not such a message, or constants that `latens.transforms.onnx_graph.to_onnx` does not write
    """
    try:
        return [_constant(value) for part in _fields(graph, GRAPH) for value in _fields(part, INITIALIZER)]
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"not a graph of float32, float16, int8, int16 and int64 constants: {error!r}") from error


def _constant(message: bytes) -> np.ndarray:
    sides = [side for value in _fields(message, SIDES) for side in _sides(value)]
    (kind,) = _fields(message, KIND)
    (raw,) = _fields(message, RAW)
    return np.frombuffer(raw, KINDS[kind]).reshape(sides)


def _sides(value: Any) -> list[int]:
    """Repeated numbers: one a field, or packed into one field's bytes."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        found.append(number)
    return found


def _fields(message: bytes, wanted: int) -> Iterator[Any]:
    """The values of the fields of a number: integers, or bytes."""
    return (found.value for found in fields(message) if found.number == wanted and found.value is not None)


def from_onnx(network: layers.Network, graph: bytes) -> list[dict[str, np.ndarray]]:
    """The weights that `to_onnx` stored, float32.

    Raises:
        ValueError: not a graph of this network, or one of int8 weights alone, which nothing writes any more
    """
    constants = stored(graph)
    kernels = iter(_kernels(constants))  # gamma is a 1x1 kernel
    vectors = iter([array for array in constants if array.ndim == 1 and array.dtype == np.float32])
    return [_stored(layer, kernels, vectors) for layer in network]


def _kernels(constants: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The weights of four axes among a graph's constants, float32."""
    left = iter(array for array in constants if array.ndim == 4)
    for array in left:
        if array.dtype != np.int8:
            yield array.astype(np.float32)
            continue
        high, *steps = (next(left, np.zeros(0)) for _ in range(3))
        if high.dtype != np.int16:
            raise ValueError("the graph holds int8 weights, which are too coarse, or is not one of this network")
        yield Stepped(array + 256 * high.astype(np.int32), (steps[0], steps[1])).array()


def _stored(
    layer: layers.Layer, kernels: Iterator[np.ndarray], vectors: Iterator[np.ndarray]
) -> dict[str, np.ndarray]:
    """The weights of a layer, taken from what is left of a graph's constants."""
    if isinstance(layer, layers.Residual):
        inside = [_stored(inner, kernels, vectors) for inner in layer.branch]
        return {f"{number}.{name}": array for number, found in enumerate(inside) for name, array in found.items()}
    if not isinstance(layer, layers.Conv | layers.Deconv | layers.Depthwise | layers.GDN):
        return {}
    kernel, vector = next(kernels, None), next(vectors, None)
    if kernel is None or vector is None:
        raise ValueError("the graph is not one of this network")
    if isinstance(layer, layers.GDN):
        return {"beta": vector, "gamma": kernel[:, :, 0, 0]}
    phases = layer.stride**2 if isinstance(layer, layers.Deconv) else 1  # a Deconv's bias stands once a phase
    return {"weight": kernel, "bias": vector[::phases]}
