"""Rate-distortion losses: ``L = R + lambda * D`` (Balle 2017, equation 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli & Bovik 2003, section 3.2
PerceptualTransform = Callable[[Tensor], Tensor]  # g_p of Balle 2017, figure 1


def ms_ssim(x: Tensor, x_hat: Tensor) -> Tensor:
    """(B,) mean multi-scale SSIM of pictures (B, C, H, W) in [0, 1]; sides of at least 161."""
    if min(x.shape[-2:]) < 161:
        raise ValueError(f"MS-SSIM has five scales and needs sides of 161 or more, these are {x.shape[-2:]}")
    channels = x.shape[1]
    taps = torch.exp(-((torch.arange(11, device=x.device) - 5.0) ** 2) / (2 * 1.5**2))
    taps = (taps / taps.sum()).expand(channels, 1, 1, 11)

    def blur(image: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(image, taps, groups=channels), taps.transpose(2, 3), groups=channels)

    a, b, product = x.float(), x_hat.float(), torch.ones((), device=x.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
        covariance = blur(a * b) - mean_a * mean_b
        term = (2 * covariance + 0.03**2) / (var_a + var_b + 0.03**2)
        if scale == len(SCALE_WEIGHTS) - 1:
            term = term * (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        product = product * term.mean((2, 3)).clamp_min(1e-6) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return product.mean(1)


def distortion(
    x: Tensor,
    x_hat: Tensor,
    metric: Literal["mse", "ms-ssim"] = "mse",
    g_p: PerceptualTransform | None = None,
) -> Tensor:
    """D of each picture, (B,): the MSE on the scale 0..255 squared, or 1 - MS-SSIM, of g_p(x) and g_p(x_hat)."""
    if g_p is not None:
        x, x_hat = g_p(x), g_p(x_hat)
    if metric == "mse":
        return (x_hat.float() - x.float()).square().mean((1, 2, 3)) * 255**2
    return 1 - ms_ssim(x, x_hat)
