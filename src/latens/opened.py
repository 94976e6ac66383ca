"""Opening a file: its header and what is known of its weights, without loading the codec."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from latens.bitstream import Header, read_header
from latens.errors import UsageError
from latens.weights.shelf import ModelInfo, RatePoint, describe

Encoded = bytes | bytearray | memoryview | str | os.PathLike[str]  # a file's bytes, or its path


@dataclass(frozen=True)
class LatensFile:
    """What a .ltn file says about itself, from its header alone."""

    header: Header
    source: Encoded | None

    @property
    def width(self) -> int:
        """In pixels."""
        return self.header.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.header.height

    @property
    def model(self) -> ModelInfo | None:
        """The model, if this version has weights of it."""
        return describe(self.header.model, self.header.fingerprint)[0]

    @property
    def rate_point(self) -> RatePoint | None:
        """The shipped weights the file was written with, if it was."""
        return describe(self.header.model, self.header.fingerprint)[1]

    def decode(self, **options: Any) -> Any:
        """The picture; ``options`` are those of `latens.decode`."""
        if self.source is None:
            raise UsageError("this file was opened from a stream: decode its bytes instead")
        from latens.codec import decode

        return decode(self.source, **options)


def open_file(source: Encoded | BinaryIO) -> LatensFile:
    """Read the header of a .ltn file (`latens.open`), and nothing more.

    Raises:
        FileError: not a latens file, a newer version, or a broken header
        OSError: the path cannot be read
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return LatensFile(read_header(io.BytesIO(data)), data)
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as stream:
            return LatensFile(read_header(stream), source)
    return LatensFile(read_header(source), None)
