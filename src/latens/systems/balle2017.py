"""Balle, Laparra & Simoncelli, "End-to-end Optimized Image Compression", ICLR 2017 (arXiv 1611.01704).

::

    x --g_a--> y --round--> q --(factorised prior, range coder)--> bytes
    x_hat <--g_s-- q <----------------------------------------------+

Analysis g_a: three stages of convolution, down-sampling and GDN (equations 1-2); 9x9 down 4, then twice
5x5 down 2. Synthesis g_s: its approximate inverse, IGDN, up-sampling, convolution (equations 3-4).

Rate and distortion (equation 5), with additive uniform noise in place of rounding (section 3.2)::

    L = E[-log2 p(y_tilde)] + lambda * E[d(g_p(x), g_p(x_hat))],      y_tilde = y + U(-1/2, 1/2)

p is factorised over the channels of y; each density is piecewise linear, finely sampled (appendix 6.2):
`latens.train.density.PiecewiseLinearDensity`. Its values at the integers are the table of the range coder,
P_q(n) = p_y_tilde(n) (equations 7 and 10).

What differs from the paper: the number of channels may differ from stage to stage (a 4x4 block of pixels has
only 48 dimensions, a 16x16 block has 768);
the density is the unit-box mean of a histogram, so that it is exactly of the form p_y * U(-1/2, 1/2) which
the paper derives, and needs no renormalisation; training starts from the closed form of
`latens.train.closed_form` unless told otherwise; lambda weighs the MSE on the scale 0..255 (times 255^2 for
pictures in [0, 1]) and the rate is in bits per pixel. In files, the tables are conditioned on how many latents
coded before are not 0 nearby (`latens.entropy.channels.activity`): the factorised rate is an upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from latens.entropy.channels import Channel
from latens.systems.base import Model
from latens.transforms import GDN, Conv, Deconv, Network, Shift


@dataclass(frozen=True)
class Balle2017(Model):
    """N1 channels at 1/4 resolution, N2 at 1/8, M latents at 1/16 (the paper: 128 or 256 throughout)."""

    id: ClassVar[str] = "balle2017"
    fourcc: ClassVar[str] = "BL17"
    title: ClassVar[str] = "Factorised prior, GDN transforms"
    paper: ClassVar[str] = "Ballé, Laparra & Simoncelli 2017"
    stride: ClassVar[int] = 16

    N1: int = 128
    N2: int = 128
    M: int = 192
    gdn: Literal["squared", "absolute"] = "squared"

    def networks(self) -> Mapping[str, Network]:
        """g_a: (B, 3, H, W) in [0, 1] -> (B, M, H/16, W/16), and g_s back."""
        a, b, m, form = self.N1, self.N2, self.M, self.gdn
        return {
            "g_a": (
                Shift(-0.5),
                Conv(3, a, kernel=9, stride=4), GDN(a, form=form),
                Conv(a, b, kernel=5, stride=2), GDN(b, form=form),
                Conv(b, m, kernel=5, stride=2), GDN(m, form=form),
            ),
            "g_s": (
                GDN(m, inverse=True, form=form), Deconv(m, b, kernel=5, stride=2),
                GDN(b, inverse=True, form=form), Deconv(b, a, kernel=5, stride=2),
                GDN(a, inverse=True, form=form), Deconv(a, 3, kernel=9, stride=4),
                Shift(0.5),
            ),
        }  # fmt: skip

    def priors(self) -> Mapping[str, int]:
        return {"y": self.M}

    def code(self, y: Any, channel: Channel) -> Any:
        return channel.factorised(y, "y", stride=self.stride)
