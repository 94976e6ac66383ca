"""What a network costs and sees, computed from its description."""

from __future__ import annotations

from fractions import Fraction

from latens.transforms.layers import GDN, Conv, Deconv, MaskedConv, Network


def scale_after(layer: object, scale: Fraction) -> Fraction:
    """Samples per pixel and side after ``layer``, given those before it."""
    if isinstance(layer, Conv):
        return scale / layer.stride
    if isinstance(layer, Deconv):
        return scale * layer.stride
    return scale


def macs_per_pixel(network: Network, scale: Fraction | int = 1) -> float:
    """Multiply-adds per pixel; ``scale`` is the input's samples per pixel and side (1/16 for latents)."""
    scale, total = Fraction(scale), Fraction(0)
    for layer in network:
        after = scale_after(layer, scale)
        if isinstance(layer, Conv):
            total += layer.kernel**2 * layer.inputs * layer.outputs * after**2
        elif isinstance(layer, Deconv):  # the inserted zeros are not counted
            total += layer.kernel**2 * layer.inputs * layer.outputs * scale**2
        elif isinstance(layer, MaskedConv):
            total += len(layer.offsets) * layer.inputs * layer.outputs * scale**2
        elif isinstance(layer, GDN):
            total += layer.channels**2 * scale**2
        scale = after
    return float(total)


def parameters(network: Network) -> int:
    """Number of trained values."""
    total = 0
    for layer in network:
        if isinstance(layer, Conv | Deconv):
            total += layer.outputs * (layer.inputs * layer.kernel**2 + 1)
        elif isinstance(layer, MaskedConv):
            total += layer.outputs * (layer.inputs * len(layer.offsets) + 1)
        elif isinstance(layer, GDN):
            total += layer.channels * (layer.channels + 1)
    return total


def receptive_field(network: Network) -> int:
    """Side, in samples of the *input*, of the square that one output sample can depend on.

    For an up-sampling network this is the number of latent positions that the widest of its phases sees.
    """
    reach, jump = Fraction(1), Fraction(1)  # jump: input samples between neighbouring outputs
    for layer in network:
        if isinstance(layer, Conv | MaskedConv):
            reach += (layer.kernel - 1) * jump
            jump *= layer.stride if isinstance(layer, Conv) else 1
        elif isinstance(layer, Deconv):
            jump /= layer.stride
            reach += (layer.kernel - 1) * jump
    return reach.numerator // reach.denominator  # a window this wide covers at most as many whole samples
