"""The default codec: depthwise residual blocks at 1/8 of the picture's sides, a hyperprior, four passes.

::

    x --g_a--> y --round around mu, in four passes--> y_hat --g_s--> x_hat
               |                       ^
               +--h_a--> z --round--> z_hat --h_s--> psi --refine(k)--> mu, sigma of pass k
                                        y_hat of passes 0 .. k - 1 ----^

Transforms. Squares of 8x8 pixels are 192 channels at once, which a 1x1 convolution mixes down to C; everything
else happens there, where a sample is cheap: n blocks, then M latents at 1/16. The synthesis mirrors it and ends
in one pixel shuffle. A linear model of this shape is a block transform, which the closed-form start finds
(`latens.train.closed_form`); the blocks begin as the identity and learn what is nonlinear or overlaps.

Passes. In every 2x2 square of positions, each latent channel c is coded in the order of `ORDER`, begun at
c modulo 4: so every pass covers all squares and a quarter of the channels at each position, and the later ones
know neighbours and other channels on all sides (the quadtree partition of Li, Li & Lu, "Neural Video Compression
with Diverse Contexts", CVPR 2023, section 3.3). Squares become channels (M of them a pass) at 1/32: a pass is
then a plain convolutional network over the channels before it, exact in integers like any other, with no mask.

    p(y_tilde | z_tilde) = prod_k N(mu_k, sigma_k^2) * U(-1/2, 1/2)
    (mu_k, sigma_k) = psi_k + refine_k(psi_k, y_hat_0, ..., y_hat_(k-1)),      psi = h_s(z_tilde)

Scales are corrected as the passes go by what has been coded (`latens.entropy.adaptive`); training does not know.
Nor does it know of the filter that a file may bring for what g_s makes of its picture (`latens.wiener`).

Pictures are padded to multiples of 16. Where the latents' rows or columns are odd in number, the last squares
lack some: those are not coded, are what is predicted for the passes after, and nothing for g_s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from latens.entropy.channels import Channel, Parameters
from latens.entropy.order import PASSES, evened, passes, squares, unsquared, within
from latens.systems.base import Model
from latens.transforms import (
    Conv,
    Deconv,
    Depthwise,
    LeakyReLU,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Predictions,
    Residual,
    Shift,
)

LATENT, SQUARE, HYPER = 16, 32, 64  # pixels per latent, per 2x2 of them and per z, and side


@dataclass(frozen=True)
class Latens(Model):
    """C channels and n blocks at 1/8, M latents at 1/16 (a multiple of 4), Nh channels of z, P of the passes.

    g_a has na blocks more, g_s has ns more: those cost an encoder, these a decoder and every step of the search.
    """

    id: ClassVar[str] = "latens"
    fourcc: ClassVar[str] = "LTNS"
    title: ClassVar[str] = "Default codec"
    paper: ClassVar[str] = "latens"
    stride: ClassVar[int] = LATENT
    adaptive: ClassVar[bool] = True
    filtered: ClassVar[int] = 94

    C: int = 128
    n: int = 6
    na: int = 0
    ns: int = 0
    M: int = 256
    Nh: int = 128
    P: int = 192
    block: Literal["depthwise", "plain"] = "depthwise"  # plain: two 3x3 convolutions

    def networks(self) -> Mapping[str, Network]:
        """g_a: (B, 3, H, W) in [0, 1] -> (B, M, H/16, W/16), g_s back; h_a to z, h_s from it to squares."""
        c, m, n, p = self.C, self.M, self.Nh, self.P
        block, blocks = self._block(), self.blocks()
        networks: dict[str, Network] = {
            "g_a": (
                Shift(-0.5),
                PixelUnshuffle(3, 8),
                Conv(192, c, kernel=1), *block * blocks["g_a"],
                Conv(c, m, kernel=3, stride=2),
            ),
            "g_s": (
                Conv(m, 4 * c, kernel=1), PixelShuffle(2), *block * blocks["g_s"],
                Conv(c, 192, kernel=1),
                PixelShuffle(8),
                Shift(0.5),
            ),
            "h_a": (
                Conv(m, n, kernel=3), LeakyReLU(),
                Conv(n, n, kernel=5, stride=2), LeakyReLU(),
                Conv(n, n, kernel=5, stride=2),
            ),
            "h_s": (
                Deconv(n, n, kernel=5, stride=2), LeakyReLU(),
                Conv(n, n, kernel=3), LeakyReLU(),
                Conv(n, 8 * m, kernel=1),
            ),
        }  # fmt: skip
        for number, name in enumerate(self._refinements()):
            networks[name] = (
                Conv((2 + number) * m, p, kernel=1), LeakyReLU(),
                Conv(p, p, kernel=3), LeakyReLU(),
                Conv(p, 2 * m, kernel=1),
                Predictions(means=m, beside=True),
            )  # fmt: skip
        return networks

    def blocks(self) -> dict[str, int]:
        """How many there are, by the network's name."""
        return {"g_a": self.n + self.na, "g_s": self.n + self.ns}

    def _block(self) -> Network:
        c = self.C
        if self.block == "plain":
            return (Residual((Conv(c, c, kernel=3), LeakyReLU(), Conv(c, c, kernel=3))),)
        return (
            Residual((Conv(c, c, kernel=1), LeakyReLU(), Depthwise(c, kernel=3), Conv(c, c, kernel=1))),
            Residual((Conv(c, 2 * c, kernel=1), LeakyReLU(), Conv(2 * c, c, kernel=1))),
        )

    def _refinements(self) -> list[str]:
        return [f"refine{number}" for number in range(PASSES)]

    def priors(self) -> Mapping[str, int]:
        return {"z": self.Nh}

    def conditional(self) -> tuple[str, ...]:
        return ("y",)

    def exact(self) -> tuple[str, ...]:
        return ("h_s", *self._refinements())

    def code(self, y: Any, channel: Channel) -> Any:
        m, networks = self.M, channel.networks
        y = None if y is None else evened(y)
        latents = None if y is None else squares(y)
        z_hat = channel.factorised(None if y is None else networks["h_a"](y), "z", stride=HYPER)
        rows, columns = channel.grid(SQUARE)
        psi = networks["h_s"](z_hat)[:, :, :rows, :columns]
        inside = within(*channel.grid(LATENT))
        order = passes(m)
        found: list[Any] = []
        for name, part in zip(self._refinements(), order, strict=True):
            predicted = networks[name](channel.picked(psi, part), channel.picked(psi, 4 * m + part), *found)
            parameters = Parameters(predicted[:, :m], predicted[:, m:])
            own = None if latents is None else latents[:, part]
            found.append(channel.gaussian(own, "y", parameters, inside[part % 4], adaptive=True))
        y_hat = unsquared(channel.picked(channel.joined(found), np.argsort(np.concatenate(order))))
        height, width = channel.grid(LATENT)
        return y_hat[:, :, :height, :width]


@dataclass(frozen=True)
class LatensFast(Latens):
    """The same with half of the blocks. To be fast, effort 1 is the filter alone; 2 is latens' 1, and so on."""

    id: ClassVar[str] = "latens-fast"
    fourcc: ClassVar[str] = "LTNF"
    title: ClassVar[str] = "Default codec, fast"
    filtered: ClassVar[int] = 70
    alone: ClassVar[int] = 1

    n: int = 3
