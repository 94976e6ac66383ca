"""The factorised non-parametric density of Balle, Laparra & Simoncelli 2017, appendix 6.2."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 1e-9  # density added everywhere: bounds the bits of one sample to 30 plus the distance outside


class PiecewiseLinearDensity(nn.Module):
    """p(y_tilde) of each channel: piecewise linear between ``samples`` points per unit.

    A histogram m of the latents themselves, ``samples`` bins per unit over [-radius, radius), is averaged
    over a unit box; the result is linear between the bins' edges, exactly of the form p_y * U(-1/2, 1/2)
    (equation 10), integrates to 1, and its values at the integers are a probability mass function.

    Args:
        channels: C
        radius: half the support, in quantiser steps
        samples: sampling points per unit, even (the paper: 10)
    """

    def __init__(self, channels: int, radius: int, samples: int = 10) -> None:
        super().__init__()
        if samples % 2:
            raise ValueError(f"samples is {samples}, and must be even: bins may not straddle the integers")
        self.radius, self.samples = radius, samples
        self.logits = nn.Parameter(torch.zeros(channels, 2 * radius * samples))

    @torch.no_grad()
    def fit(self, y: Tensor, weight: float = 0.9) -> None:
        """Set the histograms to those of latents (B, C, H, W), blended with Laplacians of their spread."""
        channels = y.shape[1]
        values = y.transpose(0, 1).reshape(channels, -1)
        edges = (values + self.radius) * self.samples
        bins = edges.floor().long().clamp(0, self.logits.shape[1] - 1)
        histogram = torch.zeros_like(self.logits)
        histogram.scatter_add_(1, bins, torch.ones_like(values))
        centres = (torch.arange(self.logits.shape[1], device=y.device) + 0.5) / self.samples - self.radius
        spread = (values - values.median(1, keepdim=True).values).abs().mean(1, keepdim=True)
        laplacian = torch.exp(-(centres - values.median(1, keepdim=True).values).abs() / spread.clamp_min(0.05))
        masses = weight * histogram / histogram.sum(1, keepdim=True)
        masses += (1 - weight) * laplacian / laplacian.sum(1, keepdim=True)
        self.logits.copy_((masses + 1e-9).log())

    def nodes(self) -> Tensor:
        """(C, 2*radius*samples + samples + 1): the density at -radius - 1/2 + k/samples."""
        s = self.samples
        masses = F.pad(self.logits.float().softmax(1), (s, s))
        count = masses.shape[1] - s + 1
        boxes: Tensor = sum(masses[:, k : k + count] for k in range(s))  # type: ignore[assignment]
        return boxes  # twice as fast as avg_pool1d

    def bits(self, y_tilde: Tensor) -> Tensor:
        """-log2 p(y_tilde) of noisy latents (B, C, H, W), elementwise: an upper bound in expectation."""
        nodes = self.nodes()
        channels, count = nodes.shape
        position = (y_tilde.float() + (self.radius + 0.5)) * self.samples
        inside = position.clamp(0, count - 1.001)
        left = inside.detach().nan_to_num().floor().long()  # NaN stays in ``inside``, and so in the bits
        flat = left + (torch.arange(channels, device=left.device) * count)[:, None, None]
        p_left, p_right = nodes.take(flat), nodes.take(flat + 1)
        fraction = inside - left
        density = p_left + fraction * (p_right - p_left)
        excess = (position - inside).abs() / self.samples  # units outside the support, one bit each
        return excess - torch.log2(density + FLOOR)

    @torch.no_grad()
    def pmf(self) -> tuple[np.ndarray, int]:
        """P_q(n) = p_y_tilde(n) at the integers of [-radius, radius]: (C, 2*radius + 1), and the first n."""
        s = self.samples
        return self.nodes()[:, s // 2 :: s].double().cpu().numpy(), -self.radius
