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
    """Convolution with bias and down-sampling; (B, inputs, H, W) -> (B, outputs, ceil(H/stride), ceil(W/stride)).

    Zero padding of ``kernel // 2``; ``kernel`` is odd.
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
class Depthwise:
    """A convolution of each channel alone, with bias; shapes stay. Zero padding of ``kernel // 2``."""

    channels: int
    kernel: int = 3


@dataclass(frozen=True)
class PixelUnshuffle:
    """Squares of samples become channels; (B, channels, H*factor, W*factor) -> (B, channels*factor^2, H, W).

    Output channel c*factor^2 + r*factor + s is sample (r, s) of every square of input channel c.
    """

    channels: int
    factor: int


@dataclass(frozen=True)
class PixelShuffle:
    """The inverse of `PixelUnshuffle`: (B, C*factor^2, H, W) -> (B, C, H*factor, W*factor)."""

    factor: int


@dataclass(frozen=True)
class Residual:
    """``x + branch(x)``; the branch keeps shapes and ends in a convolution."""

    branch: Network


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


@dataclass(frozen=True)
class MaskedConv:
    """Convolution with bias that sees earlier positions only; (B, inputs, H, W) -> (B, outputs, H, W).

    The mask of type A of van den Oord et al. (2016): in raster order, the first ``kernel^2 // 2`` taps, without
    the centre. A network begins with it or has none; it is called with the latents and a *step*, the positions
    (r, c) that are wanted, and what follows it is computed there alone.
    """

    inputs: int
    outputs: int
    kernel: int = 5

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) from a position to those that it sees, in raster order."""
        pad = self.kernel // 2
        return tuple((tap // self.kernel - pad, tap % self.kernel - pad) for tap in range(self.kernel**2 // 2))


@dataclass(frozen=True)
class Abs:
    """``|x|``."""


@dataclass(frozen=True)
class ReLU:
    """``max(x, 0)``."""


@dataclass(frozen=True)
class LeakyReLU:
    """``max(x, x / 2^shift)``: a power of two, so that integers can do the same."""

    shift: int = 7


@dataclass(frozen=True)
class Predictions:
    """The end of a probability network: parameters of a Gaussian for each latent.

    Of its channels, the first ``means`` are means, and the others positions in the table of scales
    (`latens.entropy.scales`). With ``beside``, the network corrects the first channels of its inputs, as many as
    it has outputs, which are added here.
    In training this is arithmetic on floats; in coding, means are fixed-point and positions whole numbers.
    """

    means: int
    beside: bool = False


Layer = (
    Shift | Conv | Deconv | Depthwise | PixelUnshuffle | PixelShuffle | Residual | GDN | MaskedConv
    | Abs | ReLU | LeakyReLU | Predictions
)  # fmt: skip
Network = tuple[Layer, ...]
