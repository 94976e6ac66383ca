"""The .ltn file: bytes in, bytes out, standard library only. docs/format.md is the specification.

::

    header.py      Header: what the picture is, and read_header, which reads nothing more
    container.py   Container: header, segments and tiles, with pack and unpack
    reader.py      Reader: takes bytes and varints from a stream and never believes a length

This layer knows nothing of pixels, models or symbols: payloads are bytes and a tile's ``check`` is a number.
"""

from latens.bitstream.container import Container, Segment, Tile, pack, unpack
from latens.bitstream.header import Colour, Header, read_header, read_whole, tile_grid

__all__ = [
    "Colour",
    "Container",
    "Header",
    "Segment",
    "Tile",
    "pack",
    "read_header",
    "read_whole",
    "tile_grid",
    "unpack",
]
