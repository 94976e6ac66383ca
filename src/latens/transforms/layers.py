"""The layers that networks are described with.

A network is a tuple of layers; data flows through them in order, shapes are (B, C, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Shift:
    """``x + amount``: moves pictures in [0, 1] to [-1/2, 1/2], so that zero padding means mid-grey."""

    amount: float


@dataclass(frozen=True)
class Conv:
    """Convolution with bias and down-sampling; (B, inputs, H, W) -> (B, outputs, H/stride, W/stride).

    Zero padding of ``kernel // 2``; ``kernel`` is odd; H and W are multiples of ``stride``.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class Deconv:
    """Up-sampling and convolution with bias; (B, inputs, H, W) -> (B, outputs, H*stride, W*stride).

    The transpose of `Conv` of the same kernel and stride: zeros are inserted between the samples, as in
    equation 3 of Balle, Laparra & Simoncelli (2017), and the result is convolved.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class GDN:
    """Generalised divisive normalisation over the channels of each position, or its approximate inverse.

    ``squared``   u_i = w_i / (beta_i + sum_j gamma_ij w_j^2)^(1/2)    Balle 2017, equation 2
    ``absolute``  u_i = w_i / (beta_i + sum_j gamma_ij |w_j|)          Johnston et al. 2019, cheaper

    ``inverse`` multiplies instead of dividing (IGDN).
    """

    channels: int
    inverse: bool = False
    form: Literal["squared", "absolute"] = "squared"


Layer = Shift | Conv | Deconv | GDN
Network = tuple[Layer, ...]
