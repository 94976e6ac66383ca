"""A serial context in integers, step by step: what can be known earlier is computed earlier, in larger products.

A prediction is a chain of matrix products of a step's few positions, and small products are slow: each reads all
of the weights. Two parts of them need not wait for their step:

- A tap of the mask sees a position that was coded some steps before, its *lag*: in a wavefront 8 for the tap two
  rows up and two columns left, 1 for the nearest. Taps of lag k and more are computed for k steps at once, k being
  one of `BLOCKS`, as soon as the first of these steps is due.
- What the entropy parameters' first layer makes of psi depends on no latent: it is computed for the whole plane.

Sums are of the same integers, taken in another order: `latens.entropy.integer` proves them exact in any.
Positions stand in the order of the steps here, so that those of a step, and of several, are a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from latens.entropy.integer import IntegerNetwork
from latens.entropy.order import Step
from latens.entropy.planes import convolved
from latens.transforms import MaskedConv

BLOCKS = (4, 2, 1)  # steps that taps are computed for at once; the last is 1
Predict = Callable[[Any, Step], Any]  # y_hat (B, M, H, W), of which earlier steps are there -> (B, C, n, 1)


def serial(context: Any, parameters: Any, psi: Any, steps: Sequence[Step]) -> Predict:
    """``parameters(psi[step], context(y_hat, step))`` as a function of y_hat and step.

    Of integer networks, it is to be asked for all of ``steps`` in their order, once; others are asked as it says.
    """
    if isinstance(context, IntegerNetwork) and isinstance(parameters, IntegerNetwork):
        return Serial(context, parameters, psi, steps)
    return lambda y_hat, step: parameters(psi[step], context(y_hat, step))


class Serial:
    """A plane on its way through a context and entropy parameters, one call a step.

    Args:
        context: begins with a masked convolution
        parameters: begins with a 1x1 convolution, of psi and what the context gives
        psi: (1, C, H, W), fixed-point
        steps: index tuples, in which no position sees one of its own step or a later one
    """

    def __init__(
        self, context: IntegerNetwork, parameters: IntegerNetwork, psi: np.ndarray, steps: Sequence[Step]
    ) -> None:
        self.context, self.parameters, self.psi, self.steps = context, parameters, psi, steps
        self.ends = np.cumsum([0, *(len(step[-1]) for step in steps)]).tolist()
        self.step = 0
        masked, taken = context.stages[0].layer, context.integers[0].kernel  # (taps, M, outputs)
        assert isinstance(masked, MaskedConv)
        seen, lags = neighbours(masked, steps, *psi.shape[2:])
        self.blocks = [
            (block, np.ascontiguousarray(seen[:, taps]), taken[taps].reshape(-1, masked.outputs))
            for block, taps in shared(lags)
        ]
        self.ahead: dict[int, tuple[int, np.ndarray]] = {}  # by block: sums (n, outputs) from a position on
        self.activations = np.zeros((len(seen) + 1, masked.inputs), np.float32)  # the last: beyond the plane
        kernel, width = parameters.integers[0].kernel[0], psi.shape[1]
        self.kernel, self.rest = kernel[width:], slice(width, None)
        entered = parameters.entered(psi[0].transpose(1, 2, 0), slice(0, width))
        self.of_psi = convolved(entered, kernel[None, :width])  # (H, W, outputs)

    def __call__(self, y_hat: np.ndarray, step: Step) -> np.ndarray:
        """float32 (1, outputs, n, 1) at the next step's n positions, from latents (1, M, H, W) before it."""
        now = self.step
        self.step += 1
        if now:
            before = y_hat[self.steps[now - 1]][0, :, :, 0].T  # (n, M)
            self.activations[self.ends[now - 1] : self.ends[now]] = self.context.entered(before)
        found = self.context.concluded(self._sums(now)[:, None], None)[0, :, :, 0].T  # (n, outputs)
        sums = self.parameters.entered(found, self.rest) @ self.kernel
        sums += self.of_psi[step[-2][:, 0], step[-1][:, 0]]
        return self.parameters.concluded(sums[:, None], self.psi[step])

    def _sums(self, now: int) -> np.ndarray:
        """What the mask's taps sum up to at a step's positions: (n, outputs)."""
        first, end = self.ends[now : now + 2]
        parts = []
        for number, (block, seen, kernel) in enumerate(self.blocks):
            if now % block == 0:
                last = self.ends[min(now + block, len(self.steps))]
                met = np.take(self.activations, seen[first:last], axis=0)  # (n of them all, taps, M)
                self.ahead[number] = first, met.reshape(len(met), -1) @ kernel
            start, product = self.ahead[number]
            parts.append(product[first - start : end - start])
        total, *others = parts
        for part in others:
            total += part
        return total


def neighbours(layer: MaskedConv, steps: Sequence[Step], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """What each position sees, (H W, taps): numbers of positions in the order of the steps, H W beyond the plane.

    And the taps' lags, (taps,): how many steps before a position the one that it sees is coded, at the least; the
    largest integer where all are beyond the plane.
    """
    r, c = (np.concatenate([step[at].ravel() for step in steps]) for at in (-2, -1))
    pad = layer.kernel // 2
    number = np.full((rows + 2 * pad, columns + 2 * pad), r.size)
    number[r + pad, c + pad] = np.arange(r.size)
    down, right = np.array(layer.offsets).T
    seen = number[r[:, None] + down + pad, c[:, None] + right + pad]
    when = np.repeat(np.arange(len(steps)), [len(step[-1]) for step in steps])
    most = np.iinfo(when.dtype).max
    lags = np.where(seen < r.size, when[:, None] - np.append(when, 0)[seen], most).min(0)
    return seen, lags


def shared(lags: np.ndarray) -> list[tuple[int, list[int]]]:
    """The taps that are computed for each number of steps of `BLOCKS` at once, those without any left out."""
    block = np.array([next(block for block in BLOCKS if block <= lag) for lag in lags.tolist()])
    return [(one, np.flatnonzero(block == one).tolist()) for one in BLOCKS if (block == one).any()]
