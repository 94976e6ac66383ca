"""What a network costs and sees, computed from its description."""

from __future__ import annotations

from fractions import Fraction

from latens.transforms.layers import (
    GDN,
    Conv,
    Deconv,
    Depthwise,
    MaskedConv,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    Residual,
)


def scale_after(layer: object, scale: Fraction) -> Fraction:
    """Samples per pixel and side after ``layer``, given those before it."""
    if isinstance(layer, Conv):
        return scale / layer.stride
    if isinstance(layer, Deconv):
        return scale * layer.stride
    if isinstance(layer, PixelUnshuffle):
        return scale / layer.factor
    if isinstance(layer, PixelShuffle):
        return scale * layer.factor
    return scale


def macs_per_pixel(network: Network, scale: Fraction | int = 1) -> float:
    """Multiply-adds per pixel; ``scale`` is the input's samples per pixel and side (1/16 for latents)."""
    return float(_macs(network, Fraction(scale)))


def _macs(network: Network, scale: Fraction) -> Fraction:
    total = Fraction(0)
    for layer in network:
        after = scale_after(layer, scale)
        if isinstance(layer, Conv):
            total += layer.kernel**2 * layer.inputs * layer.outputs * after**2
        elif isinstance(layer, Deconv):  # the inserted zeros are not counted
            total += layer.kernel**2 * layer.inputs * layer.outputs * scale**2
        elif isinstance(layer, MaskedConv):
            total += len(layer.offsets) * layer.inputs * layer.outputs * scale**2
        elif isinstance(layer, Depthwise):
            total += layer.kernel**2 * layer.channels * scale**2
        elif isinstance(layer, Residual):
            total += _macs(layer.branch, scale)
        elif isinstance(layer, GDN):
            total += layer.channels**2 * scale**2
        scale = after
    return total


def parameters(network: Network) -> int:
    """Number of trained values."""
    total = 0
    for layer in network:
        if isinstance(layer, Conv | Deconv):
            total += layer.outputs * (layer.inputs * layer.kernel**2 + 1)
        elif isinstance(layer, MaskedConv):
            total += layer.outputs * (layer.inputs * len(layer.offsets) + 1)
        elif isinstance(layer, Depthwise):
            total += layer.channels * (layer.kernel**2 + 1)
        elif isinstance(layer, Residual):
            total += parameters(layer.branch)
        elif isinstance(layer, GDN):
            total += layer.channels * (layer.channels + 1)
    return total


def receptive_field(network: Network) -> int:
    """Side, in samples of the *input*, of the square that one output sample can depend on.

    For an up-sampling network this is the number of latent positions that the widest of its phases sees.
    """
    reach, _ = _reach(network, Fraction(1), Fraction(1))
    return reach.numerator // reach.denominator  # a window this wide covers at most as many whole samples


def _reach(network: Network, reach: Fraction, jump: Fraction) -> tuple[Fraction, Fraction]:
    """The side seen after ``network``; jump: input samples between neighbouring outputs."""
    for layer in network:
        match layer:
            case Conv():
                reach += (layer.kernel - 1) * jump
                jump *= layer.stride
            case PixelUnshuffle():
                reach += (layer.factor - 1) * jump
                jump *= layer.factor
            case Deconv():
                jump /= layer.stride
                reach += (layer.kernel - 1) * jump
            case PixelShuffle():  # the samples of a square see the same
                jump /= layer.factor
                reach += (layer.factor - 1) * jump
            case MaskedConv() | Depthwise():
                reach += (layer.kernel - 1) * jump
            case Residual():
                reach, jump = _reach(layer.branch, reach, jump)
    return reach, jump
