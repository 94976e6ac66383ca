"""The weights and biases of an integer network, set for its sums on given inputs and not each for itself.

weights     what one is rounded away, others make up for (GPTQ, Frantar et al. 2023)
biases      such that every stage's sums are right on average, given the integers before it: rounded weights of
            one sign on activations of one sign add up (Nagel et al. 2019, section 4.2)
"""

from __future__ import annotations

import numpy as np

from latens.entropy.integer import EXACT, RULE, IntegerNetwork, Integers, largest_sum
from latens.transforms import Conv, Deconv, MaskedConv

DAMPING = 0.01  # of the mean second moment


def settled(
    made: IntegerNetwork,
    wishes: list[tuple[np.ndarray, np.ndarray]],
    means: list[np.ndarray],
    inputs: list[np.ndarray],
) -> IntegerNetwork:
    """The network with weights rounded together and biases set anew, given the integers before them.

    A channel keeps its own where the proof has no room for others. Sums are to have the ``means`` over the
    ``inputs``, (H, W, inputs) each.
    """
    planes = [made.entered(plane) for plane in inputs]
    largest = made.entry[1].astype(np.int64)
    for number, (stage, (wish, unit)) in enumerate(zip(made.stages, wishes, strict=True)):
        found = made.integers[number]
        if not isinstance(stage.layer, Deconv):
            weight = _together(wish, _second_moments(stage.layer, planes))
            fits = largest_sum(stage.layer, weight, found.row("bias"), largest) < EXACT * 63 // 64
            made = _with(made, number, np.where(fits, weight, found.weight), found.rule)
            found = made.integers[number]
        sums = [_sums_of(made, plane, number) for plane in planes]
        met = np.mean([one.mean((0, 1), dtype=np.float64) for one in sums], axis=0)
        half = 0 if number == len(wishes) - 1 else half_step(found.row("shift"))
        bias = rounded_bias(means[number] - met * unit, unit) + half
        fits = largest_sum(stage.layer, found.weight, bias, largest) < EXACT
        rule = found.rule.copy()
        rule[RULE.index("bias")] = np.where(fits, bias, found.row("bias"))
        made = _with(made, number, found.weight, rule)
        planes = [made.finished(one, number) for one in sums]
        largest = found.largest()
    return made


def _with(made: IntegerNetwork, number: int, weight: np.ndarray, rule: np.ndarray) -> IntegerNetwork:
    """The network with another stage."""
    integers = [*made.integers[:number], Integers(weight, rule), *made.integers[number + 1 :]]
    return IntegerNetwork(made.network, made.entry, integers)


def _seen(layer: Conv | MaskedConv, plane: np.ndarray) -> np.ndarray:
    """(H, W, taps, inputs), what a convolution's taps see of a plane (H, W, inputs)."""
    kernel, reach = layer.kernel, layer.kernel // 2
    padded = np.pad(plane, ((reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))  # (H, W, C, k, k)
    seen = windows.transpose(0, 1, 3, 4, 2).reshape(*plane.shape[:2], kernel * kernel, plane.shape[2])
    return seen[:, :, : len(layer.offsets)] if isinstance(layer, MaskedConv) else seen


def _sums_of(made: IntegerNetwork, plane: np.ndarray, number: int) -> np.ndarray:
    """The sums (H', W', outputs) of a stage of ``made``, without bias, a masked convolution's at all positions."""
    layer = made.stages[number].layer
    if not isinstance(layer, MaskedConv):
        return made.sums(plane, number)
    sums: np.ndarray = np.tensordot(_seen(layer, plane), made.integers[number].kernel, 2)
    return sums


def _second_moments(layer: Conv | MaskedConv, planes: list[np.ndarray]) -> np.ndarray:
    """(n, n), n = taps inputs: products of what a convolution's taps see, every plane (H, W, inputs) alike."""
    total: np.ndarray = np.zeros(())
    for plane in planes:
        seen = _seen(layer, plane).reshape(plane.shape[0] * plane.shape[1], -1)
        total = total + seen.T @ seen / max(float(np.square(plane, dtype=np.float64).sum()), 1.0)
    return total.astype(np.float64)


def _together(wish: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """int8 weights (taps, inputs, outputs) near ``wish``, each rounded after making up for those before.

    Small is to be the mean square of a sum's error, e^T M e with M the inputs' second moments (Frantar et al.
    2023, "GPTQ", algorithm 1).
    """
    weight = wish.reshape(-1, wish.shape[2]).copy()
    damped = moments + (DAMPING * np.trace(moments) / len(moments) + 1e-12) * np.eye(len(moments))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    for k in range(len(weight)):
        rounded = np.clip(np.rint(weight[k]), -127, 127)
        weight[k + 1 :] -= np.outer(upper[k, k + 1 :] / upper[k, k], weight[k] - rounded)
        weight[k] = rounded
    return weight.reshape(wish.shape).astype(np.int8)


def rounded_bias(bias: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """In steps of ``unit``, int64."""
    return np.asarray(np.clip(np.rint(bias / unit), -(2.0**31) + 1, 2.0**31 - 1), np.int64)


def half_step(shift: np.ndarray) -> np.ndarray:
    """What a bias needs so that dividing by 2^shift rounds to the nearest integer."""
    return np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
