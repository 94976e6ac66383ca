"""The classic codecs that learned ones are compared with, behind one small interface.

Each takes and gives uint8 pictures (H, W, 3), codes with one thread, and names the library behind it with its
version. Packages beyond Pillow come with the extra ``eval`` and are imported when first used.
"""

from latens.classic.base import Codec
from latens.classic.bpg import Bpg420, Bpg444
from latens.classic.heic import Heic
from latens.classic.jxl import Jxl
from latens.classic.pillow import Avif, Jpeg, Jpeg444, Jpeg2000, WebP

_ALL: tuple[Codec, ...] = (
    Jpeg(), Jpeg444(), Jpeg2000(), WebP(), Avif(), Jxl(), Heic(), Bpg444(), Bpg420(),
)  # fmt: skip

CODECS: dict[str, Codec] = {codec.id: codec for codec in _ALL}

__all__ = ["CODECS", "Codec"]
