"""Networks as data: one description, from which every form of the network is built.

``layers``         what a network is made of (plain dataclasses, no framework)
``cost``           multiply-adds, parameters, receptive field of a description
``strips``         running a description's network over large planes in bounded memory
``gains``          gain vectors around the coder: variable rate from one set of weights
``torch_modules``  description -> PyTorch module, for training (needs the extra ``train``)
``gradients``      PyTorch functions whose gradients are written by hand
``adjoint``        description + weights -> ONNX graph of a derivative, for the encoder's search
``onnx_graph``     description + weights -> ONNX graph, for coding (needs ``onnx`` to build, not to run)
``onnx_phases``    transposed convolutions of a stored graph, phase by phase: the same, faster
``onnx_weights``   weights as ONNX graphs hold them, read without the package ``onnx``
``onnx_wire``      Protocol Buffers, as much of them as ONNX graphs need
"""

from latens.transforms.cost import macs_per_pixel, parameters, receptive_field
from latens.transforms.layers import (
    GDN,
    Abs,
    Conv,
    Deconv,
    Depthwise,
    Layer,
    LeakyReLU,
    MaskedConv,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Predictions,
    ReLU,
    Residual,
    Shift,
)

__all__ = [
    "GDN",
    "Abs",
    "Conv",
    "Deconv",
    "Depthwise",
    "Layer",
    "LeakyReLU",
    "MaskedConv",
    "Network",
    "PixelShuffle",
    "PixelUnshuffle",
    "Predictions",
    "ReLU",
    "Residual",
    "Shift",
    "macs_per_pixel",
    "parameters",
    "receptive_field",
]
