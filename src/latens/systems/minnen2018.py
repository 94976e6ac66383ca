"""Minnen, Balle & Toderici, "Joint Autoregressive and Hierarchical Priors for Learned Image Compression",
NeurIPS 2018 (arXiv 1809.02736).

::

    x --g_a--> y --round around mu--> y_hat --(Gaussian of mean mu and scale sigma, range coder)--> bytes
               |                        |                            ^
               |                     context --> entropy_parameters -+
               |                                         ^
               |                                        psi <--h_s-- z_hat <--+
               +--h_a--> z --round--> z_hat --(factorised prior, range coder)-+-> bytes
    x_hat <--g_s-- y_hat

Figure 1 and table 1: the transforms of balle2018; h_a sees y itself; a masked 5x5 convolution of what is
decoded already and three layers of 1x1 convolutions, the entropy parameters, join psi in the prediction of
mean and scale of every latent (equation 5). ``context=False`` is their mean-scale hyperprior alone (section 4).

What differs from the paper: the scales are positions in a table, as in balle2018; the entropy parameters correct
the hyperprior's prediction psi instead of replacing it, so that the context can join a trained mean-scale model
and start exactly there; leaky ReLUs have the slope 1/128, which integers can do; positions are coded along a
wavefront (`latens.entropy.order`), with the same predictions and the same symbols as in raster order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from latens.entropy.channels import Channel, Parameters
from latens.entropy.order import Step, wavefront
from latens.entropy.serial import serial
from latens.systems.balle2018 import FourStages
from latens.transforms import Conv, Deconv, LeakyReLU, MaskedConv, Network, Predictions


@dataclass(frozen=True)
class Minnen2018(FourStages):
    """Mean-scale hyperprior and serial context; P1 and P2 are the widths of the entropy parameters."""

    id: ClassVar[str] = "minnen2018"
    fourcc: ClassVar[str] = "MN18"
    title: ClassVar[str] = "Mean-scale hyperprior with a serial context"
    paper: ClassVar[str] = "Minnen, Ballé & Toderici 2018"

    P1: int = 640
    P2: int = 512
    context: bool = True

    def networks(self) -> Mapping[str, Network]:
        """Beside `transforms`: h_a and h_s (two channels a latent), context and entropy parameters."""
        m, n = self.M, self.Nh
        networks = self.transforms() | {
            "h_a": (
                Conv(m, n, kernel=3), LeakyReLU(),
                Conv(n, n, kernel=5, stride=2), LeakyReLU(),
                Conv(n, n, kernel=5, stride=2),
            ),
            "h_s": (
                Deconv(n, n, kernel=5, stride=2), LeakyReLU(),
                Deconv(n, n * 3 // 2, kernel=5, stride=2), LeakyReLU(),
                Conv(n * 3 // 2, 2 * m, kernel=3),
            ),
        }  # fmt: skip
        if not self.context:
            return networks | {"h_s": (*networks["h_s"], Predictions(means=m))}
        return networks | {
            "context": (MaskedConv(m, 2 * m, kernel=5),),
            "entropy_parameters": (
                Conv(4 * m, self.P1, kernel=1), LeakyReLU(),
                Conv(self.P1, self.P2, kernel=1), LeakyReLU(),
                Conv(self.P2, 2 * m, kernel=1),
                Predictions(means=m, beside=True),
            ),
        }  # fmt: skip

    def exact(self) -> tuple[str, ...]:
        return ("h_s", "context", "entropy_parameters") if self.context else ("h_s",)

    def code(self, y: Any, channel: Channel) -> Any:
        psi = self.side_information(y, channel)
        if not self.context:
            return channel.gaussian(y, "y", self._split(psi))
        rows, columns = channel.grid(self.stride)
        steps = wavefront(rows, columns)
        predicted = serial(channel.networks["context"], channel.networks["entropy_parameters"], psi, steps)

        def predict(y_hat: Any, step: Step) -> Parameters:
            return self._split(predicted(y_hat, step))

        shape = (psi.shape[0], self.M, rows, columns)
        return channel.scan(y, "y", steps, predict, shape=shape)

    def _split(self, predicted: Any) -> Parameters:
        return Parameters(predicted[:, : self.M], predicted[:, self.M :])
