"""The Gaussian conditional of Balle 2018 (equation 6): bits of latents given predicted scales."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from latens.entropy.scales import COUNT, SMALLEST, STEP
from latens.transforms.gradients import lower_bound

LIMIT = 20.0  # bits from which on a latent is counted as an escape, whose length grows as a logarithm


def _bits(distance: Tensor, sigma: Tensor) -> Tensor:
    """-log2 of a Gaussian's mass within 1/2 of ``distance``: from logarithms, so nothing underflows."""
    distance = distance.abs()
    near = torch.special.log_ndtr((0.5 - distance) / sigma)
    far = torch.special.log_ndtr((-0.5 - distance) / sigma)
    bits: Tensor = -(near + torch.log(-torch.expm1((far - near).clamp_max(-1e-6)))) / math.log(2)
    return bits


class GaussianConditional(nn.Module):
    """A Gaussian of mean 0 over unit intervals; it has no parameters of its own."""

    def bits(self, values: Tensor, scale: Tensor) -> Tensor:
        """Bits of ``values`` (latents less their means), elementwise; upper bounds in expectation if noisy.

        ``scale`` are positions in the table of scales; outside the table they are taken to its ends, with a
        gradient that leads back.
        """
        position = -lower_bound(-lower_bound(scale.float(), 0.0), 1.0 - COUNT)
        bits = _bits(values.float(), SMALLEST * torch.exp(STEP * position))
        excess = (bits - LIMIT).clamp_min(0) * math.log(2)
        return bits.clamp_max(LIMIT) + torch.log2(1 + excess)
