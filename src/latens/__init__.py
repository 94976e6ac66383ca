"""latens: a learned image codec that people can trust with their files.

>>> import latens
>>> data = latens.encode("photo.png", quality=60)          # bytes of a .ltn file
>>> data = latens.encode_to("photo.png", size=80_000)       # or bpp=, psnr=, ms_ssim=
>>> picture = latens.decode(data)                           # a PIL image
>>> latens.open("photo.ltn").width                          # reads the header only
>>> latens.bit_map("photo.ltn")                             # where its bits went
>>> latens.models()                                         # what is shipped, and how good it is

Importing latens is cheap: the codec is loaded when it is first used. PyTorch is never needed here.

After each product the threads of NumPy's OpenBLAS wait for the next with all their might, by default for some
25 ms, in which ONNX Runtime has one core less. Where latens is imported before NumPy they wait for 2^20 cycles,
enough from one step of a serial context to the next, unless OPENBLAS_THREAD_TIMEOUT says otherwise.
"""

import os
from typing import TYPE_CHECKING, Any

from latens.errors import LatensError

if TYPE_CHECKING:
    from latens.codec import bit_map as bit_map
    from latens.codec import decode as decode
    from latens.codec import encode as encode
    from latens.opened import LatensFile as LatensFile
    from latens.opened import open_file as open
    from latens.targets import encode_to as encode_to
    from latens.weights.shelf import shipped as models

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")  # read by OpenBLAS when it is loaded

__version__ = "0.1.0"
__all__ = [
    "LatensError", "LatensFile", "__version__", "bit_map", "decode", "encode", "encode_to", "models", "open"
]  # fmt: skip

_LAZY = {
    "LatensFile": ("latens.opened", "LatensFile"),
    "bit_map": ("latens.codec", "bit_map"),
    "decode": ("latens.codec", "decode"),
    "encode": ("latens.codec", "encode"),
    "encode_to": ("latens.targets", "encode_to"),
    "open": ("latens.opened", "open_file"),
    "models": ("latens.weights.shelf", "shipped"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'latens' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)
