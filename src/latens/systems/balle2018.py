"""Balle, Minnen, Singh, Hwang & Johnston, "Variational image compression with a scale hyperprior", ICLR 2018
(arXiv 1802.01436).

::

    x --g_a--> y --round--> q --(Gaussian of mean 0 and scale sigma_hat, range coder)--> bytes
               |                     sigma_hat <--h_s-- z_hat <--+
               +--h_a--> z --round--> z_hat --(factorised prior, range coder)--> bytes
    x_hat <--g_s-- q

Figure 4: g_a and g_s have four stages of 5x5 convolutions, down- or up-sampling by 2, with (I)GDN between
them. h_a sees |y| and gives z at 1/64 of the picture's sides; h_s gives each latent its scale::

    p(y_tilde | z_tilde) = prod N(0, sigma^2) * U(-1/2, 1/2),        sigma = h_s(z_tilde)      (equation 6)
    L = E[-log2 p(y_tilde | z_tilde) - log2 p(z_tilde)] + lambda * E[d(x, x_hat)]               (equation 7)

What differs from the paper: the number of channels may differ from stage to stage; h_s ends in positions of
the table of scales (`latens.entropy.scales`), logarithms of the paper's sigma, so that its last ReLU is not
needed and an integer network can say it exactly; z has the density of balle2017. Pictures are padded to
multiples of 16, not 64: z's grid is a quarter of y's, rounded up, the convolutions pad what is missing with
zeros, and what h_s gives too much is cut off. That costs no symbol of y, and z is as small either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from latens.entropy.channels import Channel, Parameters
from latens.systems.base import Model
from latens.transforms import GDN, Abs, Conv, Deconv, Network, Predictions, ReLU, Shift

HYPER_STRIDE = 4  # latents per z and side


@dataclass(frozen=True)
class FourStages(Model):
    """The transforms of the paper: N1, N2, N3 channels at 1/2, 1/4, 1/8 resolution, M latents at 1/16.

    Nh is the width of the hyper-transforms, and the channels of z. The paper: N1 = N2 = N3 = Nh = 128 and
    M = 192, or 192 and 320 for the higher rates.
    """

    stride: ClassVar[int] = 16

    N1: int = 128
    N2: int = 128
    N3: int = 128
    M: int = 192
    Nh: int = 128
    gdn: Literal["squared", "absolute"] = "squared"

    def transforms(self) -> dict[str, Network]:
        """g_a: (B, 3, H, W) in [0, 1] -> (B, M, H/16, W/16), and g_s back."""
        a, b, c, m, form = self.N1, self.N2, self.N3, self.M, self.gdn
        return {
            "g_a": (
                Shift(-0.5),
                Conv(3, a, kernel=5, stride=2), GDN(a, form=form),
                Conv(a, b, kernel=5, stride=2), GDN(b, form=form),
                Conv(b, c, kernel=5, stride=2), GDN(c, form=form),
                Conv(c, m, kernel=5, stride=2),
            ),
            "g_s": (
                Deconv(m, c, kernel=5, stride=2), GDN(c, inverse=True, form=form),
                Deconv(c, b, kernel=5, stride=2), GDN(b, inverse=True, form=form),
                Deconv(b, a, kernel=5, stride=2), GDN(a, inverse=True, form=form),
                Deconv(a, 3, kernel=5, stride=2),
                Shift(0.5),
            ),
        }  # fmt: skip

    def priors(self) -> Mapping[str, int]:
        return {"z": self.Nh}

    def conditional(self) -> tuple[str, ...]:
        return ("y",)

    def exact(self) -> tuple[str, ...]:
        return ("h_s",)

    def side_information(self, y: Any, channel: Channel) -> Any:
        """Send z; what h_s says of each latent of the grid, (B, C, H/16, W/16)."""
        z = None if y is None else channel.networks["h_a"](y)
        z_hat = channel.factorised(z, "z", stride=HYPER_STRIDE * self.stride)
        rows, columns = channel.grid(self.stride)
        return channel.networks["h_s"](z_hat)[:, :, :rows, :columns]


@dataclass(frozen=True)
class Balle2018(FourStages):
    """A scale hyperprior."""

    id: ClassVar[str] = "balle2018"
    fourcc: ClassVar[str] = "BL18"
    title: ClassVar[str] = "Scale hyperprior"
    paper: ClassVar[str] = "Ballé, Minnen, Singh, Hwang & Johnston 2018"

    def networks(self) -> Mapping[str, Network]:
        """Beside `transforms`, h_a: (B, M, h, w) -> (B, Nh, ceil(h/4), ceil(w/4)), and h_s back to M channels."""
        m, n = self.M, self.Nh
        return self.transforms() | {
            "h_a": (
                Abs(),
                Conv(m, n, kernel=3), ReLU(),
                Conv(n, n, kernel=5, stride=2), ReLU(),
                Conv(n, n, kernel=5, stride=2),
            ),
            "h_s": (
                Deconv(n, n, kernel=5, stride=2), ReLU(),
                Deconv(n, n, kernel=5, stride=2), ReLU(),
                Conv(n, m, kernel=3),
                Predictions(means=0),
            ),
        }  # fmt: skip

    def code(self, y: Any, channel: Channel) -> Any:
        return channel.gaussian(y, "y", Parameters(0.0, self.side_information(y, channel)))
