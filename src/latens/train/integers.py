"""Trained probability networks -> exact integer networks, after training and without more of it.

He et al. (2022) found that the loss of such a conversion is negligible; `latens.entropy.integer` says what the
integers compute. How they are chosen, channel by channel:

weights       int8, as large as fits: one step an output channel, max |w| / 127. As activations scale with their
              step, and (leaky) ReLUs are homogeneous, a step may be any real number: the next layer's weights
              absorb it. Only the last layer's steps are powers of two, for its outputs are fixed-point numbers
activations   of as many binary digits, 8 to 11, as the proof leaves room for, and up to 4 more in channels that
              move outputs much (`_finer`); a power of two divides the sums so that the largest activation of the
              calibration pictures just fits, and what is larger is clipped
the proof     a channel whose sums would still be too large gets a larger step, hence smaller integers
rounding      of weights and biases for their sums over the calibration: `latens.train.rounding`

The way back (`unquantised`) is exact but for what integers round and clip, so integers can be trained further.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from latens.entropy.integer import EXACT, FRACTION, IntegerNetwork, Integers, Stage, largest_sum, stages
from latens.errors import InexactError
from latens.train.rounding import half_step, rounded_bias, settled
from latens.transforms import Deconv, LeakyReLU, MaskedConv, Network
from latens.transforms import torch_modules as modules

DIGITS = (11, 10, 9, 8)  # of an activation; the first that leaves enough room is taken
FINER = 4  # digits more at most, by channel
ROOM = 0.02  # of the channels may need a larger step
HEADROOM = 1.1  # over the largest activation of the calibration
SWEEPS = 8  # of a float network's layers until its weights are alike in size
TOLERANCE = 0.05  # of a channel's largest sum: what the error of weights with an enlarged step may come to

Inputs = tuple[Any, ...]  # of one call of a network


class Observed(NamedTuple):
    """By channel, over the calibration; lists have an entry a stage."""

    entering: np.ndarray  # the largest magnitude of the inputs
    sums: list[np.ndarray]  # the largest of the convolution's sums
    activations: list[np.ndarray]  # the largest after the activation
    means: list[np.ndarray]  # of the convolution's sums


def quantise(network: Network, module: Any, calibration: list[Inputs]) -> IntegerNetwork:
    """The integer network of a trained ``module``, given inputs that it meets.

    Raises:
        InexactError: its sums cannot be made exact with weights of 8 bits
    """
    chain = stages(network)
    weights = [_taps(stage, layer) for stage, layer in zip(chain, modules.convolutions(module), strict=True)]
    observed = _observed(module, chain, calibration)
    entry, step = _entry(chain[0], weights[0], observed.entering)
    integers: list[Integers] = []
    wishes: list[tuple[np.ndarray, np.ndarray]] = []  # weights in steps, and the steps
    largest = entry[1].astype(np.int64)
    for number, (stage, (weight, bias)) in enumerate(zip(chain, weights, strict=True)):
        last = number == len(chain) - 1
        found, unit = _weights(stage, weight * step[:, None], bias, largest, observed.sums[number], last)
        wishes.append((weight * step[:, None] / unit, unit))
        if last:
            shift = np.rint(-np.log2(unit)).astype(np.int64)
            zero = np.zeros_like(shift)
            integers.append(_integers(found, rounded_bias(bias, unit), shift, zero, zero))
            break
        follower, (w, b) = chain[number + 1], weights[number + 1]
        finer = _finer(w * observed.activations[number][:, None])
        for digits in DIGITS:
            shift, low, high = _range(stage, unit, observed.activations[number], digits + finer)
            total = rounded_bias(bias, unit) + half_step(shift)
            step = unit * np.exp2(shift)
            if digits == DIGITS[-1] or _fits(follower, w * step[:, None], b, np.maximum(-low, high)):
                break
        integers.append(_integers(found, total, shift, low, high))
        largest = np.maximum(-low, high)
    joined = (x.permute(0, 2, 3, 1).cpu().numpy() for x in _joined(chain, calibration))
    planes = [plane for pictures in joined for plane in pictures]
    return settled(IntegerNetwork(network, entry, integers), wishes, observed.means, planes)


def _taps(stage: Stage, layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights (taps, inputs, outputs) and biases of a trained convolution, float64."""
    weight = layer.weight.detach().double()
    ordered = weight.flatten(2).permute(_axes(stage))
    values = ordered.contiguous().cpu().numpy(), layer.bias.detach().double().cpu().numpy()
    if not all(np.isfinite(value).all() for value in values):
        raise InexactError("a probability network has weights that are not finite")
    return values


def _axes(stage: Stage) -> tuple[int, int, int]:
    """Where a module's weights, flattened, have taps, inputs and outputs."""
    return (2, 0, 1) if isinstance(stage.layer, Deconv) else (2, 1, 0)


@torch.no_grad()
def unquantised(made: IntegerNetwork, module: Any) -> None:
    """Write into a ``module`` of the same description floats that compute what the integers do.

    Units between layers are free: weights into a channel and out of it become alike in size (`_balance`).
    """
    layers = modules.convolutions(module)
    step = np.ldexp(1.0, -made.entry[0].astype(np.int64))  # what 1 stands for, of each input
    for stage, layer, found in zip(made.stages, layers, made.integers, strict=True):
        last, shift = layer is layers[-1], found.row("shift")
        scale, half = np.ldexp(1.0, -shift), 0 if last else half_step(shift)
        weight = torch.from_numpy(found.weight / step[:, None] * scale).permute(np.argsort(_axes(stage)).tolist())
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(torch.from_numpy((found.row("bias") - half) * scale))
        step = np.ones_like(scale)
    for _ in range(SWEEPS):
        for before, after in pairwise(layers):
            _balance(before, after)


@torch.no_grad()
def _balance(before: Any, after: Any) -> None:
    """Scale the channels between two convolutions so that weights on both sides have the same mean square."""
    into = before.weight.transpose(0, 1) if isinstance(before, modules.Deconv) else before.weight
    out = after.weight if isinstance(after, modules.Deconv) else after.weight.transpose(0, 1)
    sizes = [side.square().flatten(1).mean(1).sqrt().clamp_min(1e-12) for side in (into, out)]
    factor = (sizes[1] / sizes[0]).sqrt()
    before.bias.mul_(factor)
    for side, change in ((into, factor), (out, 1 / factor)):
        side.mul_(change.view(-1, *[1] * (side.dim() - 1)))


def _joined(chain: list[Stage], calibration: list[Inputs]) -> Iterator[Tensor]:
    """The inputs (B, inputs, H, W) of each call; a masked convolution's second one is a step."""
    for inputs in calibration:
        yield inputs[0] if isinstance(chain[0].layer, MaskedConv) else torch.cat(inputs, 1)


@torch.no_grad()
def _observed(module: Any, chain: list[Stage], calibration: list[Inputs]) -> Observed:
    def largest(x: Tensor) -> np.ndarray:
        return np.asarray(x.abs().amax((0, 2, 3)).double().cpu().numpy())

    counts: list[int] = []
    calls: list[Observed] = []
    for x in _joined(chain, calibration):
        entering, sums, activations, means = largest(x), [], [], []
        counts.append(len(x))
        for layer in module.children():
            if isinstance(layer, modules.Predictions):
                break
            x = layer(x)
            if isinstance(layer, modules.CONVOLUTIONS):
                sums.append(largest(x))
                activations.append(sums[-1])
                means.append(np.asarray(x.double().mean((0, 2, 3)).cpu().numpy()))
            else:
                activations[-1] = largest(x)
        calls.append(Observed(entering, sums, activations, means))
    return Observed(
        np.max([call.entering for call in calls], axis=0),
        [np.max(each, axis=0) for each in zip(*(call.sums for call in calls), strict=True)],
        [np.max(each, axis=0) for each in zip(*(call.activations for call in calls), strict=True)],
        [np.average(each, axis=0, weights=counts) for each in zip(*(call.means for call in calls), strict=True)],
    )


def _entry(
    stage: Stage, weights: tuple[np.ndarray, np.ndarray], into: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The input's rule (2, inputs) int32 and its steps."""
    weight, bias = weights
    for digits in DIGITS:
        high = (1 << (digits - 1)) - 1
        shift = np.minimum(np.floor(np.log2(high / np.maximum(into * HEADROOM, 2.0**-10))), FRACTION)
        step = np.exp2(-shift)
        if digits == DIGITS[-1] or _fits(stage, weight * step[:, None], bias, np.full(len(into), high)):
            break
    return np.stack([shift, np.full(len(into), high)]).astype(np.int32), step


def _steps(weight: np.ndarray, power_of_two: bool) -> np.ndarray:
    """The steps with which int8 holds weights (taps, inputs, outputs)."""
    unit = np.maximum(np.abs(weight).max((0, 1)), 2.0**-30) / 127
    return np.asarray(np.exp2(np.ceil(np.log2(unit))) if power_of_two else unit)


def _sums(stage: Stage, weight: np.ndarray, bias: np.ndarray, unit: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """The largest sums of a stage, with room for the rounding that a shift adds to the bias."""
    integers = np.rint(weight / unit).astype(np.int64)
    sums = largest_sum(stage.layer, integers, rounded_bias(bias, unit), largest)
    return np.asarray(sums * 65 // 64)  # half a step of an activation of 7 digits or more


def _fits(stage: Stage, weight: np.ndarray, bias: np.ndarray, largest: np.ndarray) -> bool:
    sums = _sums(stage, weight, np.zeros_like(bias), _steps(weight, False), largest)
    return bool((sums >= EXACT).mean() <= ROOM)


def _weights(
    stage: Stage, weight: np.ndarray, bias: np.ndarray, largest: np.ndarray, seen: np.ndarray, last: bool
) -> tuple[np.ndarray, np.ndarray]:
    """int8 weights and their steps, enlarged where the proof asks for it; ``seen`` are the largest sums met."""
    unit = _steps(weight, last)
    for _ in range(200):
        much = _sums(stage, weight, bias, unit, largest) >= EXACT
        if not much.any():
            break
        unit = np.where(much, unit * (2.0 if last else 1.25), unit)
    integers = np.rint(weight / unit)
    wrong = np.sqrt((((weight - integers * unit) * largest[:, None] / 4) ** 2).sum((0, 1)))
    coarse = (unit > _steps(weight, last)) & (wrong > TOLERANCE * seen)  # activations are about a quarter
    if much.any() or coarse.any():
        worst = int(np.argmax(much | coarse))
        raise InexactError(
            f"output {worst} of {stage.layer} cannot stay below 2^24 with weights of useful precision"
        )
    return integers.astype(np.int8), unit


def _range(
    stage: Stage, unit: np.ndarray, seen: np.ndarray, digits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """shift, low and high of activations of so many digits that reach ``seen``."""
    signed = stage.activation is None or isinstance(stage.activation, LeakyReLU)
    high = (1 << (digits - (stage.activation is None))) - 1
    ratio = np.maximum(seen * HEADROOM, 2.0**-20) / (unit * high)
    shift = np.maximum(np.ceil(np.log2(ratio)), 0).astype(np.int64)
    return shift, -high if signed else np.zeros_like(high), high


def _finer(moved: np.ndarray) -> np.ndarray:
    """How many binary digits more channels get, given by how much they move outputs: (taps, inputs, outputs).

    A weight's rounding costs as much as its activation is large, in steps, and an activation's as much as its
    weight is large: of a given product, both are least where each is its root. One channel that moves an output
    much and has no finer steps than the others would make all of their weights small integers.
    """
    share = np.abs(moved) / np.maximum(np.abs(moved).max((0, 1)), 2.0**-30)
    root = np.log2(np.maximum(np.square(share).mean((0, 2)), 2.0**-60)) / 4
    return np.asarray(np.clip(np.rint(root - np.median(root)), 0, FINER), np.int64)


def _integers(
    weight: np.ndarray, bias: np.ndarray, shift: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Integers:
    return Integers(weight, np.stack([bias, shift, low, high]).astype(np.int32))
