"""The closed-form start: networks that begin as the best linear transform code.

Stage by stage and without a gradient step:

analysis    each convolution = the leading eigenvectors of the covariance of the patches it sees (PCA);
latents     scaled so that the unit quantiser is the Lagrangian's best uniform step, measured in pixels:
            step^2 = 12 / (2 ln 2 * lambda * 255^2 / 3) = 18 / (ln 2 * lambda * 255^2) for 3 samples a pixel;
synthesis   each up-sampling convolution = ridge regression from what the stage receives, quantisation noise
            and the earlier stages' errors included, back to the analysis stage's input;
GDN, IGDN   the identity (beta = 1, gamma nearly 0), and so is a residual block, whose last layer is 0;
priors      fitted to the latents' histograms.

At high rate a uniform quantiser of step s costs s^2/12 of squared error a latent, and one step's change of
rate against it, d(-log2 s) and d(s^2/12), balances where lambda * D'(s) = R'(s).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latens.train.density import PiecewiseLinearDensity
from latens.transforms.torch_modules import GDN, Conv, Deconv, Depthwise, Residual

SAMPLES = 40_000  # patches behind every covariance
GAMMA = 1e-6


def _features(x: Tensor, kernel: int, stride: int) -> Tensor:
    """The patches of x (B, C, H, W) that a zero-padded kernel sees: (C*kernel^2, n), at most `SAMPLES`."""
    chosen: list[Tensor] = []
    each = max(1, SAMPLES // len(x))
    generator = torch.Generator().manual_seed(0)
    for image in x:
        patches = F.unfold(image[None], kernel, padding=kernel // 2, stride=stride)[0]
        chosen.append(patches[:, torch.randperm(patches.shape[1], generator=generator)[:each]])
    return torch.cat(chosen, 1)


@torch.no_grad()
def fit_conv(conv: Conv, x: Tensor, support: int | None = None) -> None:
    """PCA of the patches of x (B, C, H, W); outputs are centred and of falling variance.

    ``support`` restricts the patches to that many samples a side, from the kernel's centre on: with the
    stride as support the start is a block transform, which the training then overlaps.
    """
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    patches = _features(x, kernel, stride).view(x.shape[1], kernel, kernel, -1)
    first = kernel // 2 if support else 0
    support = support or kernel
    window = patches[:, first : first + support, first : first + support].reshape(-1, patches.shape[-1])
    mean = window.mean(1, keepdim=True)
    centred = (window - mean).double()
    _, vectors = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    leading = vectors.flip(1)[:, : conv.out_channels].float()  # (C*support^2, at most outputs)
    conv.weight.zero_()
    kept = leading.shape[1]
    block = leading.T.reshape(kept, x.shape[1], support, support)
    conv.weight[:kept, :, first : first + support, first : first + support] = block
    if kept < conv.out_channels:  # more channels than dimensions: the rest start as noise
        conv.weight[kept:].normal_(std=0.01)
    assert conv.bias is not None
    conv.bias.zero_()
    conv.bias[:kept] = -(leading.T @ mean)[:, 0]


@torch.no_grad()
def fit_deconv(deconv: Deconv, y: Tensor, target: Tensor, ridge: float = 1e-7) -> None:
    """Ridge regression from y (B, C, h, w) to target (B, N, h*stride, w*stride), phase by phase.

    An output sample of phase r sees the latents at offsets d with 0 <= r + padding - stride*d < kernel.
    """
    kernel, stride, padding = deconv.kernel_size[0], deconv.stride[0], deconv.kernel_size[0] // 2
    reach = -(-padding // stride)  # offsets -reach .. reach
    side = 2 * reach + 1
    channels, outputs = y.shape[1], target.shape[1]
    generator = torch.Generator().manual_seed(0)
    each = max(1, SAMPLES // len(y))
    seen: list[Tensor] = []
    wanted: list[Tensor] = []
    for image, picture in zip(y, target, strict=True):
        features = F.unfold(image[None], side, padding=reach)[0]  # (C*side^2, h*w)
        blocks = F.unfold(picture[None], stride, stride=stride)[0]  # (N*stride^2, h*w)
        pick = torch.randperm(features.shape[1], generator=generator)[:each]
        seen.append(features[:, pick])
        wanted.append(blocks[:, pick])
    features, blocks = torch.cat(seen, 1), torch.cat(wanted, 1)
    features = torch.cat([features, torch.ones(1, features.shape[1])]).double()  # the last row is the bias
    gram = features @ features.T / features.shape[1]
    cross = (features @ blocks.double().T / features.shape[1]).T.reshape(outputs, stride, stride, -1)
    taps = torch.arange(channels * side * side).view(channels, side, side)
    deconv.weight.zero_()
    biases = torch.zeros(outputs, dtype=torch.double)
    for row in range(stride):
        rows = [d for d in range(-reach, reach + 1) if 0 <= row + padding - stride * d < kernel]
        for column in range(stride):
            columns = [d for d in range(-reach, reach + 1) if 0 <= column + padding - stride * d < kernel]
            seen_taps = taps[:, [d + reach for d in rows]][:, :, [d + reach for d in columns]]
            index = torch.cat([seen_taps.reshape(-1), torch.tensor([channels * side * side])])
            system = gram[index][:, index]
            damping = ridge * system.diagonal()[:-1].mean()
            system.diagonal()[:-1].add_(damping)
            solution = torch.linalg.solve(system, cross[:, row, column][:, index].T)  # (taps + 1, N)
            weights = solution[:-1].T.reshape(outputs, channels, len(rows), len(columns)).float()
            for i, down in enumerate(rows):
                for j, right in enumerate(columns):
                    deconv.weight[:, :, row + padding - stride * down, column + padding - stride * right] = (
                        weights[:, :, i, j].T
                    )
            biases += solution[-1] / stride**2
    assert deconv.bias is not None
    deconv.bias.copy_(biases.float())


@torch.no_grad()
def fit_shuffled(conv: Conv, y: Tensor, target: Tensor, ridge: float = 1e-7) -> None:
    """The same for a 1x1 convolution whose outputs a pixel shuffle puts in order, if target is larger than y."""
    wanted = F.pixel_unshuffle(target, target.shape[2] // y.shape[2]).transpose(0, 1).flatten(1).double()
    features = y.transpose(0, 1).flatten(1).double()
    features = torch.cat([features, torch.ones_like(features[:1])])  # the last row is the bias
    gram = features @ features.T / features.shape[1]
    gram.diagonal()[:-1].add_(ridge * gram.diagonal()[:-1].mean())
    solution = torch.linalg.solve(gram, features @ wanted.T / features.shape[1]).T.float()
    assert conv.bias is not None
    conv.weight.copy_(solution[:, :-1, None, None])
    conv.bias.copy_(solution[:, -1])


@torch.no_grad()
def silence(residual: Residual) -> None:
    """Make a residual block the identity: the last layer of its branch is 0."""
    *_, last = (layer for layer in residual if isinstance(layer, Conv | Depthwise))
    assert last.bias is not None
    last.weight.zero_()
    last.bias.zero_()


@torch.no_grad()
def pixel_gain(g_s: nn.Sequential, channels: int) -> Tensor:
    """Squared error in the output per squared error in each latent (C,), by unit impulses."""
    side = 7
    nothing = g_s(torch.zeros(1, channels, side, side))
    gains = []
    for channel in range(channels):
        impulse = torch.zeros(1, channels, side, side)
        impulse[0, channel, side // 2, side // 2] = 1
        gains.append((g_s(impulse) - nothing).square().sum())
    return torch.stack(gains)


def best_step(lmbda: float) -> float:
    """The quantiser step for an orthonormal transform of pixels in [0, 1]; see the module's docstring."""
    return math.sqrt(18 / (math.log(2) * lmbda * 255**2))


@torch.no_grad()
def closed_form(
    g_a: nn.Sequential,
    g_s: nn.Sequential,
    prior: PiecewiseLinearDensity | None,
    x: Tensor,
    lmbda: float,
) -> None:
    """Set the weights of a chain of Conv/GDN stages, its mirror image and the prior from pictures x.

    The analysis starts as non-overlapping blocks: PCA on the stride.

    Args:
        g_a, g_s: modules of as many stages each: g_a's are its convolutions, g_s's its `Deconv`s, or its 1x1
            convolutions with the pixel shuffles after them; GDN and residual blocks may stand between
        x: (B, 3, H, W) in [0, 1]
        prior: of the latents, if they have a factorised one
        lmbda: weight of the MSE on the scale 0..255
    """
    for module in (*g_a, *g_s):
        if isinstance(module, GDN):
            module.reset(GAMMA)
        elif isinstance(module, Residual):
            silence(module)
    inputs: list[Tensor] = []
    signal = x
    for module in g_a:
        if isinstance(module, Conv):
            inputs.append(signal)
            fit_conv(module, signal, module.stride[0])
        signal = module(signal)
    last = [module for module in g_a if isinstance(module, Conv)][-1]
    assert last.bias is not None
    step = best_step(lmbda)
    # two rounds: the first synthesis tells what an error in each latent costs in pixels
    scale = torch.full((last.out_channels,), 1 / step)
    for _ in range(2):
        last.weight.mul_(scale[:, None, None, None])
        last.bias.mul_(scale)
        y = g_a(x)
        signal = y.round()
        targets = list(inputs)
        for module in g_s:
            if isinstance(module, Deconv):
                fit_deconv(module, signal, targets.pop())
            elif isinstance(module, Conv):
                fit_shuffled(module, signal, targets.pop())
            signal = module(signal)
        scale = (pixel_gain(g_s, last.out_channels).sqrt() / step).clamp(0.25, 4)
    if prior is not None:
        prior.fit(y)


@torch.no_grad()
def rescale(
    g_a: nn.Sequential, g_s: nn.Sequential, prior: PiecewiseLinearDensity | None, x: Tensor, ratio: float
) -> None:
    """Multiply the latents by ``ratio`` and leave the reconstruction as it is; the prior is fitted anew.

    Turns weights of one lambda into a start for another, whose best step is smaller by ``ratio``. Exact:
    GDN(w) scales with w if gamma scales with 1/ratio^2, and so does IGDN, which the next layer undoes.
    """
    last = [module for module in g_a if isinstance(module, Conv)][-1]
    first = next(module for module in g_s if isinstance(module, Conv | Deconv))
    assert last.bias is not None
    last.weight.mul_(ratio)
    last.bias.mul_(ratio)
    first.weight.div_(ratio)
    for norm in (g_a[-1], g_s[0]):
        if isinstance(norm, GDN):
            power = 2 if norm.squared else 1
            norm.gamma_root.copy_((norm.gamma / ratio**power + norm.PEDESTAL) ** 0.5)
    if prior is not None:
        prior.fit(g_a(x))
