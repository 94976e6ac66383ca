"""What a step minimises: R + lambda D of its pictures, each at a level of its own if there are several."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from latens.train.losses import distortion
from latens.train.noise import Trainable
from latens.train.options import Options
from latens.train.parallel import ALONE, Share
from latens.transforms.gains import lambda_of


class Objective(nn.Module):
    """A model's Lagrangian. Its networks compute in the options' precision, what is counted in float32."""

    def __init__(self, module: Trainable, options: Options) -> None:
        super().__init__()
        self.module, self.options = module, options

    def forward(
        self, x: Tensor, generator: torch.Generator | None = None, share: Share = ALONE
    ) -> tuple[Tensor, Tensor]:
        """The loss, and (loss, bpp, mse) without gradients; mse is NaN where only priors are trained.

        x: (B, 3, H, W), this process's share of the batch; ``generator`` draws levels and noise for all of it.
        """
        options, level = self.options, self._drawn(x, generator, share)
        rounded = options.quantiser == "mixed"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
            if options.only:
                bits, x_hat = self.module.rate(x, generator, rounded, level, share), None
            else:
                x_hat, bits = self.module(x, generator, rounded, level, share)
        bpp = bits / x[0, 0].numel()
        costs, squares = bpp, torch.full((), math.nan, device=x.device)
        if x_hat is not None:  # out of autocast: MS-SSIM takes differences of near numbers
            x_hat = x_hat.float()
            costs = bpp + self._lambda(level) * distortion(x, x_hat, options.metric)
            squares = (x_hat.detach() - x).square().mean()
        loss: Tensor = (costs * self._weight(level)).mean()
        return loss, torch.stack([loss.detach(), bpp.detach().mean(), squares])

    @torch.no_grad()
    def rounded(self, x: Tensor, level: Tensor | None) -> Tensor:
        """(B, 3): the Lagrangian, bpp and PSNR of each picture, with really rounded latents and float32."""
        played = self.module.rounded(x, level)
        x_hat = played.x_hat.clamp(0, 1)
        bpp = played.bits / x[0, 0].numel()
        costs = bpp + self._lambda(level) * distortion(x, x_hat, self.options.metric)
        psnr = -10 * (x_hat - x).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
        return torch.stack([costs * self._weight(level), bpp, psnr], 1)

    def _drawn(self, x: Tensor, generator: torch.Generator | None, share: Share) -> Tensor | None:
        """A level for every picture, each from its own part of the range; None for a model of one rate."""
        levels, whole = self.module.model.levels, len(x) * share.parts
        if levels == 1:
            return None
        part = torch.tensor(list(share.indices(whole)), device=x.device)
        return (part + share.uniform((len(x),), generator, x.device)) / whole * (levels - 1)

    def _lambda(self, level: Tensor | None) -> Tensor | float:
        options, levels = self.options, self.module.model.levels
        if level is None:
            return options.lmbda
        lmbda: Tensor = lambda_of(level, levels, options.lowest_lmbda, options.lmbda)
        return lmbda

    def _weight(self, level: Tensor | None) -> Tensor | float:
        """Of a picture in the loss: R + lambda D grows like the root of lambda, and every rate counts alike."""
        middle = math.sqrt(self.options.lmbda * self.options.lowest_lmbda)
        return 1.0 if level is None else (middle / self._lambda(level)) ** 0.5
