"""The Gaussian conditional of Balle 2018 (equation 6): bits of latents given predicted scales."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from latens.entropy.scales import COUNT, SMALLEST, STEP

LIMIT = 20.0  # bits from which on a latent is counted as an escape, whose length grows as a logarithm


def _erfcx(x: Tensor) -> Tensor:
    """exp(x^2) erfc(x) for x > -9, within 3e-6: PyTorch's own takes 25 times as long, element by element.

    Where erfc is too small for float32, three terms of the continued fraction (Abramowitz & Stegun, 7.1.14).
    """
    near, square = x.clamp_max(9), x * x
    direct = torch.erfc(near).mul_(near.mul_(near).exp_())
    fraction = (square + 1).div_((square + 1.5).mul_(x).mul_(math.pi**0.5))
    return torch.where(x < 9, direct, fraction)


class _Bits(torch.autograd.Function):
    """Bits of values v at positions p of the table of scales, sigma = exp(STEP p) SMALLEST, in few passes.

    With d = |v|, a = (d - 1/2) / (sigma 2^(1/2)) and b = (d + 1/2) / (sigma 2^(1/2)), the mass around d is::

        P = (erfc(a) - erfc(b)) / 2 = exp(-a^2) K / 2,      K = erfcx(a) - exp(-d / sigma^2) erfcx(b)

    so nothing underflows, and with c = 2 / (pi^(1/2) ln 2)::

        bits = -log2 P = (a^2 - ln(K / 2)) / ln 2
        dbits/dd = c (1 - exp(-d / sigma^2)) / (K sigma 2^(1/2))
        dbits/dp = STEP c (exp(-d / sigma^2) b - a) / K
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor) -> Tensor:
        position = scale.clamp(0, COUNT - 1)
        width = torch.exp(-STEP * position).mul_(0.5**0.5 / SMALLEST)  # 1 / (sigma 2^(1/2))
        distance = values.abs()
        a, b = (distance - 0.5).mul_(width), (distance + 0.5).mul_(width)
        fall = torch.expm1(distance.mul_(width).mul_(width).mul_(-2))  # exp(-d / sigma^2) - 1
        far = _erfcx(b)
        k = _erfcx(a).sub_(far).addcmul_(fall, far, value=-1)
        bits = (a * a).sub_(torch.log(k * 0.5)).mul_(1 / math.log(2))
        excess = (bits - LIMIT).clamp_min_(0).mul_(math.log(2)).add_(1)
        slope = k.mul_(excess).reciprocal_().mul_(2 / (math.pi**0.5 * math.log(2)))
        of_values = (fall * width).mul_(slope).mul_(values.sign()).neg_()
        of_scale = b.addcmul_(b, fall).sub_(a).mul_(slope).mul_(STEP)
        ctx.save_for_backward(of_values, of_scale, position.sub_(scale))
        return bits.clamp_max_(LIMIT).add_(excess.log2_())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Outside the table, a gradient of ``scale`` passes if it leads back."""
        (of_values, of_scale, back), (gradient,) = ctx.saved_tensors, gradients
        of_scale = gradient * of_scale
        return gradient * of_values, of_scale.masked_fill_(of_scale * back > 0, 0)


class GaussianConditional(nn.Module):
    """A Gaussian of mean 0 over unit intervals; it has no parameters of its own."""

    def bits(self, values: Tensor, scale: Tensor) -> Tensor:
        """Bits of ``values`` (latents less their means), elementwise; upper bounds in expectation if noisy.

        ``scale`` are positions in the table of scales; outside the table they are taken to its ends, with a
        gradient that leads back.
        """
        return _Bits.apply(values.float(), scale.float())  # type: ignore[no-any-return,no-untyped-call]
