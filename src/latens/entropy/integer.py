"""Probability networks in exact integer arithmetic, carried in float32 (Balle, Johnston & Minnen 2019).

A file can be decoded where every machine finds the same probabilities. Sums of floats differ in their last bits
with the order of the terms, so the sums here are of integers that float32 holds exactly: weights are small
integers, activations are integers of known range, and for every output channel it is *proven*, when the
network is made and again when it is read, that

    sum |weight| * (largest |activation|) + |bias| < 2^24.

Then no order of summation, number of threads, fused multiply-add or matrix library can change a bit. Between
layers, in elementwise operations that IEEE 754 defines to the bit::

    input       a = clip(floor(x * 2^shift + 1/2), -high, high)        x: float32, fixed-point
    layer       s = sum w * a + bias                                    bias includes 2^(shift - 1) for rounding
                a = floor(s * 2^-shift); LeakyReLU: a < 0 becomes floor(a * 2^-slope + 1/2); clip(a, low, high)
    last layer  s * 2^-shift                                            float32, fixed-point
    Predictions means floor(s * 2^6 + 1/2) * 2^-6; positions clip(floor(s + 1/2), 0, 63)

Networks are evaluated with NumPy, as sums of matrix products, one for each tap of a kernel: any BLAS will do, and
what runs is what was proven, without a graph or a compiler between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from latens.entropy.planes import convolved, deconvolved, phases, seen_before
from latens.entropy.scales import COUNT
from latens.errors import InexactError, WeightsError
from latens.transforms import Conv, Deconv, LeakyReLU, MaskedConv, Network, Predictions, ReLU
from latens.transforms.strips import in_strips

EXACT = 1 << 24  # float32 holds all integers below
FRACTION = 6  # binary digits of a mean
MOST_SHIFT = 40
RULE = ("bias", "shift", "low", "high")
Weighted = Conv | Deconv | MaskedConv


@dataclass(frozen=True)
class Stage:
    """A convolution of a description, and the activation after it."""

    layer: Weighted
    activation: ReLU | LeakyReLU | None = None


def stages(network: Network) -> list[Stage]:
    """The convolutions of a probability network.

    Raises:
        WeightsError: it has layers that integers do not do, or none
    """
    found: list[Stage] = []
    for number, layer in enumerate(network):
        match layer:
            case Conv(stride=1) | Deconv() | MaskedConv():
                found.append(Stage(layer))
            case ReLU() | LeakyReLU() if found and found[-1].activation is None:
                found[-1] = Stage(found[-1].layer, layer)
            case Predictions() if number == len(network) - 1:
                pass
            case _:
                raise WeightsError(f"{layer} has no place in a probability network")
    if not found or found[-1].activation is not None:
        raise WeightsError("a probability network ends in a convolution")
    if any(isinstance(stage.layer, MaskedConv) for stage in found[1:]) or (
        isinstance(found[0].layer, MaskedConv) and any(stage.layer.kernel > 1 for stage in found[1:])
    ):
        raise WeightsError("a masked convolution comes first, and only 1x1 convolutions after it")
    return found


@dataclass(frozen=True, eq=False)
class Integers:
    """The integers of one stage: weight (taps, inputs, outputs), rule (4, outputs) with the rows of `RULE`.

    Taps stand in raster order; those of a Deconv are a transposed convolution's.
    """

    weight: np.ndarray
    rule: np.ndarray

    @cached_property
    def kernel(self) -> np.ndarray:
        """The weights as they are multiplied: float32."""
        return np.asarray(self.weight, np.float32)

    def row(self, name: str) -> np.ndarray:
        """(outputs,) of the rule, int64."""
        return np.asarray(self.rule[RULE.index(name)], np.int64)

    @cached_property
    def floats(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """bias, 2^-shift, low, high as float32."""
        scale = np.ldexp(1.0, -self.row("shift"))
        return tuple(v.astype(np.float32) for v in (self.row("bias"), scale, self.row("low"), self.row("high")))  # type: ignore[return-value]

    def largest(self) -> np.ndarray:
        """(outputs,) the largest magnitude of an activation after this stage."""
        return np.asarray(np.maximum(np.abs(self.row("low")), np.abs(self.row("high"))))


def largest_sum(layer: Weighted, weight: np.ndarray, bias: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """(outputs,) what no partial sum of a stage exceeds, in integers of any size; see the module's docstring.

    An output sample of a Deconv meets only the taps of its phase.
    """
    by_tap = np.einsum("i,tio->to", largest.astype(np.int64), np.abs(weight.astype(np.int64)))
    if isinstance(layer, Deconv):
        by_phase = [by_tap[[tap for tap, _ in taps]].sum(0) for taps in phases(layer).values()]
        return np.asarray(np.max(by_phase, axis=0) + np.abs(bias))
    return np.asarray(by_tap.sum(0) + np.abs(bias))


class IntegerNetwork:
    """A probability network ready to run; its integers are proven when it is made.

    Args:
        network: the description
        entry: (2, inputs) int32: shift and largest magnitude of the input's channels
        stages: the integers of the description's convolutions

    Raises:
        WeightsError: arrays of other shapes or types than the description's
        InexactError: a sum might not be exact
    """

    def __init__(self, network: Network, entry: np.ndarray, integers: list[Integers]) -> None:
        self.network, self.entry, self.integers = network, entry, integers
        self.stages = stages(network)
        self.end = network[-1] if isinstance(network[-1], Predictions) else None
        self._check_shapes()
        self._prove()
        shift, high = entry.astype(np.int64)
        self._scale, self._high = np.ldexp(1.0, shift).astype(np.float32), high.astype(np.float32)

    def _check_shapes(self) -> None:
        if len(self.integers) != len(self.stages):
            raise WeightsError(f"{len(self.integers)} layers of integers for {len(self.stages)} of a network")
        wanted: list[tuple[np.ndarray, tuple[int, ...], type]] = [
            (self.entry, (2, self.stages[0].layer.inputs), np.int32)
        ]
        for stage, found in zip(self.stages, self.integers, strict=True):
            layer = stage.layer
            taps = len(layer.offsets) if isinstance(layer, MaskedConv) else layer.kernel**2
            wanted.append((found.weight, (taps, layer.inputs, layer.outputs), np.int8))
            wanted.append((found.rule, (len(RULE), layer.outputs), np.int32))
        for array, shape, dtype in wanted:
            if array.shape != shape or array.dtype != dtype:
                raise WeightsError(f"integers have shape {array.shape} of {array.dtype}, not {shape} of {dtype}")
        shifts = [self.entry[0], *(found.rule[RULE.index("shift")] for found in self.integers)]
        if max(int(np.abs(shift.astype(np.int64)).max()) for shift in shifts) > MOST_SHIFT:
            raise WeightsError(f"a shift of more than {MOST_SHIFT} binary digits")
        if (self.entry[1] < 0).any() or any(
            (found.row("low") > found.row("high")).any() for found in self.integers
        ):
            raise WeightsError("a range of activations is empty")

    def _prove(self) -> None:
        largest = self.entry[1].astype(np.int64)
        for number, (stage, found) in enumerate(zip(self.stages, self.integers, strict=True)):
            sums = largest_sum(stage.layer, found.weight, found.row("bias"), largest)
            worst = int(sums.argmax())
            if sums[worst] >= EXACT:
                raise InexactError(
                    f"output {worst} of layer {number} may sum to {sums[worst]}, and must stay below 2^24"
                )
            largest = found.largest()
            if number < len(self.stages) - 1 and (largest >= EXACT).any():
                raise InexactError(f"layer {number} may give {largest.max()}, and must stay below 2^24")

    def __call__(self, *inputs: Any) -> np.ndarray:
        """float32 (1, C_i, H, W) each, joined along the channels; with a masked convolution, y_hat and a step.

        Returns float32 (1, outputs, H', W'), or (1, outputs, n, 1) at the step's n positions.
        """
        first, masked = inputs[0], self.stages[0].layer
        if isinstance(masked, MaskedConv):
            seen = self.entered(seen_before(masked, first, inputs[1]))  # (n, taps, inputs)
            kernel = self.integers[0].kernel.reshape(-1, masked.outputs)
            return self.concluded((seen.reshape(len(seen), -1) @ kernel)[:, None], None)
        if len(inputs) > 1:  # joined where their channels stand together
            planes = [one[0].transpose(1, 2, 0) for one in inputs]
            first = np.ascontiguousarray(np.concatenate(planes, 2)).transpose(2, 0, 1)[None]
        return in_strips(self.network, self._run, first)

    def _run(self, x: np.ndarray) -> np.ndarray:
        return self.concluded(self.sums(self.entered(x[0].transpose(1, 2, 0)), 0), x)

    def entered(self, x: np.ndarray, channels: slice = slice(None)) -> np.ndarray:
        """Fixed-point values (..., inputs) as activations; or those of some of the inputs' channels."""
        high = self._high[channels]
        a: np.ndarray = x * self._scale[channels]
        a += np.float32(0.5)
        np.floor(a, out=a)
        return _held(a, -high, high)

    def concluded(self, sums: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """What becomes of the first stage's sums (H, W, outputs), used up: float32 (1, outputs, H', W').

        given: (1, C, H', W'), what the network corrects, if it does.
        """
        plane = self.finished(sums, 0)
        for number in range(1, len(self.stages)):
            plane = self.finished(self.sums(plane, number), number)
        return self._predictions(plane.transpose(2, 0, 1)[None], given)

    def sums(self, plane: np.ndarray, number: int) -> np.ndarray:
        """A stage's sums (H', W', outputs), without bias, from activations (H, W, inputs)."""
        layer, kernel = self.stages[number].layer, self.integers[number].kernel
        return deconvolved(layer, plane, kernel) if isinstance(layer, Deconv) else convolved(plane, kernel)

    def finished(self, sums: np.ndarray, number: int) -> np.ndarray:
        """A stage's sums (H, W, outputs), used up: the next one's activations, fixed-point values at the end."""
        bias, scale, low, high = self.integers[number].floats
        sums += bias
        sums *= scale
        if number == len(self.stages) - 1:
            return sums
        np.floor(sums, out=sums)
        activation = self.stages[number].activation
        if isinstance(activation, LeakyReLU):  # of integers, the larger one
            sloping = sums * np.float32(2.0**-activation.shift)
            sloping += np.float32(0.5)
            np.maximum(sums, np.floor(sloping, out=sloping), out=sums)
        return _held(sums, low, high)

    def _predictions(self, x: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        if self.end is None:
            return x
        means = self.end.means
        if self.end.beside:
            assert given is not None
            x += given[:, : x.shape[1]]
        x[:, :means] = np.floor(x[:, :means] * np.float32(2**FRACTION) + np.float32(0.5)) * np.float32(
            2**-FRACTION
        )
        x[:, means:] = np.clip(np.floor(x[:, means:] + np.float32(0.5)), 0, COUNT - 1)
        return x

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The integers by name; `from_arrays` reads them."""
        named = {"entry": self.entry}
        for number, found in enumerate(self.integers):
            named |= {f"{number}.weight": found.weight, f"{number}.rule": found.rule}
        return named

    @classmethod
    def from_arrays(cls, network: Network, arrays: Mapping[str, np.ndarray]) -> IntegerNetwork:
        """The inverse of `to_arrays`.

        Raises:
            WeightsError, InexactError: see `IntegerNetwork`; also if an array is missing
        """
        try:
            integers = [
                Integers(arrays[f"{number}.weight"], arrays[f"{number}.rule"])
                for number in range(len(stages(network)))
            ]
            return cls(network, arrays["entry"], integers)
        except KeyError as error:
            raise WeightsError(f"a probability network lacks its array {error}") from None


def _held(a: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Clipped in place, by channel: in a quarter of the time that one call takes."""
    np.maximum(a, low, out=a)
    np.minimum(a, high, out=a)
    return a
