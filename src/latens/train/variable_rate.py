"""Gain vectors in training: parameters, and the levels that pictures are given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GOLDEN = (5**0.5 - 1) / 2


def spread(count: int, levels: int) -> Tensor:
    """(count,) positions from the lowest to the highest level, the same ones every time, in mixed order."""
    return (torch.arange(count) * GOLDEN % 1 * (levels - 1)).float()


class VariableRate(nn.Module):
    """The gains of `latens.transforms.gains` as parameters: logarithms to the base 2, (levels, M) each."""

    def __init__(self, levels: int, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(levels, channels))
        self.inverse = nn.Parameter(torch.zeros(levels, channels))

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """The gains and the inverse gains at levels (B,): (B, M, 1, 1) each."""
        below = level.floor().clamp(0, len(self.gain) - 2).long()
        part = (level - below)[:, None]
        gain, inverse = (
            torch.exp2(torch.lerp(rows[below], rows[below + 1], part))[:, :, None, None]
            for rows in (self.gain, self.inverse)
        )
        return gain, inverse

    @torch.no_grad()
    def start(self, ratios: Tensor) -> None:
        """Every latent of a level scaled by that level's ratio (levels,), and back."""
        rows = ratios.log2()[:, None].expand_as(self.gain)
        self.gain.copy_(rows)
        self.inverse.copy_(-rows)
