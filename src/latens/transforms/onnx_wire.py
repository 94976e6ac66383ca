"""Messages of Protocol Buffers, as much of them as ONNX graphs need, without the package ``onnx``.

A message is fields, one after the other: each a key (number and kind) and a value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

OPSET, IR_VERSION = 17, 9  # of graphs that are written here
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # kinds of values
FLOAT, INT64 = 1, 7  # of a tensor's numbers; an attribute's FLOAT is the same
INT, STRING, INTS = 2, 3, 7  # of an attribute

Attribute = int | float | str | list[int]


class Field(NamedTuple):
    """A field: its number, its value (an integer, bytes, or None of kinds without a use here), and all of it."""

    number: int
    value: Any
    whole: bytes


def fields(message: bytes) -> Iterator[Field]:
    """The fields of a message in their order.

    Raises:
        ValueError, IndexError: not a message
    """
    at = 0
    while at < len(message):
        start = at
        key, at = read_varint(message, at)
        kind = key & 7
        value: Any = None
        if kind == VARINT:
            value, at = read_varint(message, at)
        elif kind == BYTES:
            size, at = read_varint(message, at)
            value, at = message[at : at + size], at + size
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"a field of kind {kind}: not a message of Protocol Buffers")
        yield Field(key >> 3, value, message[start:at])


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, least first, and where it ends."""
    number = shift = 0
    while True:
        if shift > 63:
            raise ValueError("a number of more than 64 bits: not a message of Protocol Buffers")
        byte = message[at]
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:
            return number, at
        shift += 7


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of an integer that is not negative, or of bytes."""
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(data)) + data


def node(kind: str, inputs: list[str], output: str, **attributes: Attribute) -> bytes:
    """A NodeProto of one output."""
    message = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    return message + b"".join(field(5, _attribute(name, value)) for name, value in attributes.items())


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return field(1, name) + _varint(2 << 3 | FIXED32) + struct.pack("<f", value) + field(20, FLOAT)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, INT)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, STRING)
    return field(1, name) + b"".join(field(8, one) for one in value) + field(20, INTS)


def integers(name: str, values: list[int]) -> bytes:
    """A TensorProto of one axis, int64."""
    return field(1, len(values)) + field(2, INT64) + field(8, name) + field(9, np.array(values, "<i8").tobytes())


def floats(name: str, values: np.ndarray) -> bytes:
    """A TensorProto of float32."""
    sides = b"".join(field(1, side) for side in values.shape)
    return sides + field(2, FLOAT) + field(8, name) + field(9, values.astype("<f4").tobytes())


def model(nodes: list[bytes], constants: list[bytes], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A ModelProto of a graph of nodes and constants, whose inputs and outputs are float32 of four axes."""
    graph = b"".join(field(1, one) for one in nodes) + field(2, "network")
    graph += b"".join(field(5, one) for one in constants)
    graph += b"".join(
        field(number, _side(name)) for number, names in ((11, inputs), (12, outputs)) for name in names
    )
    opset = field(1, "") + field(2, OPSET)
    return field(1, IR_VERSION) + field(2, "latens") + field(7, graph) + field(8, opset)


def _side(name: str) -> bytes:
    """A ValueInfoProto."""
    axes = b"".join(field(1, field(2, f"{axis}{name}")) for axis in "BCHW")
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, axes)))
