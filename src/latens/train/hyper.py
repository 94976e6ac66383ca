"""Hyper-networks before the first step: random features, and a last layer fitted to what it has to predict.

h_a and h_s begin at random, with every layer scaled so that its outputs have the spread 1 on pictures (the
first of h_a after its inputs were divided by theirs). z is the principal components of what h_a sees, as large
as costs fewest bits in all. The last layer of h_s is ridge regression from its features, z rounded, to

means       the latents themselves;
positions   the logarithm of the mean magnitude of what the means leave, over the 5x5 positions around; then
            each channel's factor and constant that cost fewest bits: at worst one scale a channel.

A context begins by correcting nothing, serial or in passes: the last layer of its network is 0.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from latens.entropy.order import evened
from latens.entropy.scales import COUNT, SMALLEST, STEP
from latens.errors import TrainingError
from latens.train.closed_form import fit_conv
from latens.train.gaussian import GaussianConditional
from latens.train.noise import Trainable
from latens.transforms.torch_modules import Conv, Deconv, convolutions

SPREADS = (1.0, 3.0, 9.0)  # of z's first channel: the one that costs fewest bits is taken
COMPONENTS = 24  # of z that are fitted
QUIET = 0.05
SHIFTS = (-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 11.0, 15.0)  # tried constants, in positions
SLOPES = (0.0, 0.5, 1.0)  # tried factors of what the features say


@torch.no_grad()
def _scaled(layers: Any, signal: Tensor) -> Tensor:
    """Scale all convolutions among ``layers`` to outputs of spread 1, without bias; returns the last output."""
    for layer in layers:
        if isinstance(layer, Conv | Deconv):
            assert layer.bias is not None
            layer.bias.zero_()
            factor = 1 / layer(signal).std((0, 2, 3)).clamp_min(1e-6)
            layer.weight.mul_(factor.view((1, -1, 1, 1) if isinstance(layer, Deconv) else (-1, 1, 1, 1)))
        signal = layer(signal)
    return signal


def _ridge(features: Tensor, target: Tensor, damping: float = 1e-2) -> tuple[Tensor, Tensor]:
    """Weights (outputs, inputs) and biases of the regression from (B, C, h, w) to (B, N, h, w)."""
    a = features.transpose(0, 1).flatten(1).double()
    b = target.transpose(0, 1).flatten(1).double()
    mean_a, mean_b = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    a, b = a - mean_a, b - mean_b
    gram = a @ a.T / a.shape[1]
    gram.diagonal().add_(damping * gram.diagonal().mean())
    weight = torch.linalg.solve(gram, a @ b.T / a.shape[1]).T
    return weight.float(), (mean_b - weight @ mean_a)[:, 0].float()


@torch.no_grad()
def rescale_hyper(module: Trainable, ratio: float) -> None:
    """Let the probability networks predict latents that are ``ratio`` times as large; z stays. Exact."""
    networks, shift = module.networks, math.log(ratio) / STEP
    convolutions(networks["h_a"])[0].weight.div_(ratio)
    last = convolutions(networks["h_s"])[-1]
    latents = module.model.M
    means = last.out_channels - latents * _side(last, latents) ** 2
    last.weight[:means].mul_(ratio)
    last.bias[:means].mul_(ratio)
    last.bias[means:].add_(shift)
    for refine in _refinements(module):
        _rescale_refinement(refine, latents, ratio, shift)
    if "context" in networks:
        networks["context"][0].weight.div_(ratio)  # type: ignore[index]
        first, *_, last = convolutions(networks["entropy_parameters"])
        first.bias.sub_(shift * first.weight[:, means : 2 * means, 0, 0].sum(1))
        first.weight[:, :means].div_(ratio)
        last.weight[:means].mul_(ratio)
        last.bias[:means].mul_(ratio)


@torch.no_grad()
def start_context(module: Trainable, x: Tensor) -> None:
    """A context, serial or in passes, that changes nothing yet; its first layers see inputs of spread about 1."""
    networks = module.networks
    spread = module.latents(x).std((0, 2, 3)).clamp_min(0.3)
    predictions = [spread, torch.full_like(spread, COUNT / 4)]
    correcting = _refinements(module)
    if "context" in networks:
        networks["context"][0].weight.div_(spread[:, None])  # type: ignore[index]
        correcting.append(networks["entropy_parameters"])
    for network in correcting:
        first, *_, last = convolutions(network)
        known = first.in_channels // len(spread) - 2  # latents of earlier passes; a context's features
        inputs = torch.cat(predictions + [torch.ones_like(spread) if "context" in networks else spread] * known)
        first.weight.div_(inputs[:, None, None])
        last.weight.zero_()
        last.bias.zero_()


def _refinements(module: Trainable) -> list[Any]:
    return [network for name, network in module.networks.items() if name.startswith("refine")]


@torch.no_grad()
def _rescale_refinement(refine: Any, latents: int, ratio: float, shift: float) -> None:
    """Its inputs are means, positions, and latents of earlier passes; its outputs corrections of the first two."""
    first, *_, last = convolutions(refine)
    first.bias.sub_(shift * first.weight[:, latents : 2 * latents, 0, 0].sum(1))
    first.weight[:, :latents].div_(ratio)
    first.weight[:, 2 * latents :].div_(ratio)
    last.weight[:latents].mul_(ratio)
    last.bias[:latents].mul_(ratio)


def _side(last: Any, latents: int) -> int:
    """Positions that a sample of h_s speaks of, per side: 1, or 2 if its channels are those of squares."""
    return math.isqrt(int(last.out_channels) // latents)


@torch.no_grad()
def start_hyper(module: Trainable, x: Tensor) -> None:
    """Set the hyper-networks and z's prior from pictures x (B, 3, H, W); g_a is taken as it is.

    Raises:
        TrainingError: z is the same everywhere, as in one small picture or one of one colour
    """
    networks = module.networks
    y = module.latents(x)
    h_a, h_s = networks["h_a"], networks["h_s"]
    first, *_, last = convolutions(h_a)
    first.weight.div_(y.std((0, 2, 3)).clamp_min(0.05)[:, None, None])
    _scaled(h_a[:-1], y)  # type: ignore[index]
    fit_conv(last, h_a[:-1](y), last.stride[0])  # type: ignore[index]
    last.weight[COMPONENTS:].mul_(QUIET)  # what the few pictures here cannot tell begins near 0
    last.bias[COMPONENTS:].mul_(QUIET)
    z = h_a(y)
    unit = float(z.square().mean((0, 2, 3)).max().sqrt())
    if unit == 0:
        raise TrainingError(
            "z is the same everywhere in these pictures, and must vary for the closed-form start: "
            "more pictures, or --start random"
        )
    half = (len(x) + 1) // 2
    judges = slice(half if len(x) > 1 else 0, None)  # a spread is judged by pictures that it was not fitted to
    density: Any = module.priors["z"]
    costs = []
    for spread in SPREADS:
        z_hat = (z * (spread / unit)).round()
        density.fit(z_hat[:half])
        _fit_synthesis(h_s, z_hat[:half], y[:half])
        costs.append(float(density.bits(z_hat[judges]).sum()) + _cost(h_s, z_hat[judges], y[judges]))
    factor = SPREADS[costs.index(min(costs))] / unit
    last.weight.mul_(factor)
    last.bias.mul_(factor)
    density.fit(z * factor)
    _fit_synthesis(h_s, (z * factor).round(), y)


def _arranged(h_s: Any, y: Tensor) -> Tensor:
    """Latents as h_s predicts them: their squares are channels if it has so many."""
    side = _side(convolutions(h_s)[-1], y.shape[1])
    return F.pixel_unshuffle(evened(y) if side == 2 else y, side)


def _cost(h_s: Any, z_hat: Tensor, y: Tensor) -> float:
    """Bits of the rounded latents."""
    y = _arranged(h_s, y)
    predicted = h_s(z_hat)[:, :, : y.shape[2], : y.shape[3]]
    means = predicted.shape[1] - y.shape[1]
    left = (y - predicted[:, :means]).round() if means else y.round()
    return float(GaussianConditional().bits(left, predicted[:, means:]).sum())


def _fit_synthesis(h_s: Any, z_hat: Tensor, y: Tensor) -> None:
    """Set h_s to predict y from z_hat."""
    y = _arranged(h_s, y)
    last = convolutions(h_s)[-1]
    at = list(h_s).index(last)
    features = _scaled(h_s[:at], z_hat)[:, :, : y.shape[2], : y.shape[3]]
    means = last.out_channels - y.shape[1]
    last.weight.zero_()
    centre = last.weight[:, :, last.kernel_size[0] // 2, last.kernel_size[1] // 2]
    left = y
    if means:
        centre[:means], last.bias[:means] = _ridge(features, y)
        left = y - (torch.einsum("mn,bnhw->bmhw", centre[:means], features) + last.bias[:means, None, None])
    around = F.avg_pool2d(left.abs(), 5, 1, 2, count_include_pad=False) * math.sqrt(math.pi / 2)
    target = (around.clamp_min(0.03) / SMALLEST).log() / STEP
    weight, constant = _ridge(features, target)
    level = target.mean((0, 2, 3))
    detail = torch.einsum("mn,bnhw->bmhw", weight, features) + (constant - level)[:, None, None]
    tried = [(slope, shift) for slope in SLOPES for shift in SHIFTS]
    prior, rounded = GaussianConditional(), left.round()
    costs = [
        prior.bits(rounded, level[:, None, None] + slope * detail + shift).sum((0, 2, 3)) for slope, shift in tried
    ]
    slope, shift = torch.tensor(tried)[torch.stack(costs).argmin(0)].T
    centre[means:] = weight * slope[:, None]
    last.bias[means:] = level + slope * (constant - level) + shift
