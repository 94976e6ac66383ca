"""SOAP (Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam", algorithm 3).

Adam in the eigenbasis of Shampoo's preconditioner. A weight of o outputs and i inputs (a kernel's taps counted as
inputs) has a gradient G, (o, i), and two running averages, L of G G' and R of G' G. Adam's second moments are kept
in the basis of their eigenvectors, which is refined by one step of the power method (a QR decomposition) every
``every`` steps. A side longer than ``longest`` keeps its own basis, and so does a vector: for them it is Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Soap(torch.optim.Optimizer):
    """Groups may say ``turned=False``, which makes them Adam's.

    The first gradient of a turned weight only tells its basis and moves nothing.

    Args:
        params: tensors, or groups of them
        lr: two or three times Adam's
        betas: of the first moments, and of all other running averages
        epsilon: Adam's
        every: steps between refinements of the bases
        longest: side, from which on it is not turned
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        epsilon: float = 1e-8,
        every: int = 10,
        longest: int = 256,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "epsilon": epsilon, "every": every, "longest": longest}
        super().__init__(params, {**defaults, "turned": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step from the gradients that are there."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _step(weight, self.state[weight], group)


def _step(weight: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    assert weight.grad is not None
    gradient = weight.grad.float().reshape(len(weight), -1) if weight.ndim > 1 else weight.grad.float().view(1, -1)
    first, second = group["betas"]
    if not state:
        state["step"] = 0
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        for axis, side in enumerate(gradient.shape):
            if group["turned"] and weight.ndim > 1 and 1 < side <= group["longest"]:
                state[f"average{axis}"] = torch.zeros(side, side, device=gradient.device)
    axes = [axis for axis in (0, 1) if f"average{axis}" in state]
    for axis in axes:
        outer = gradient @ gradient.T if axis == 0 else gradient.T @ gradient
        state[f"average{axis}"].lerp_(outer, 1 - second)
    if axes and f"basis{axes[0]}" not in state:
        for axis in axes:
            state[f"basis{axis}"] = torch.linalg.eigh(state[f"average{axis}"])[1].flip(1)
        return
    state["step"] += 1
    state["mean"].lerp_(gradient, 1 - first)
    turned = _turned(gradient, state, axes)
    state["square"].lerp_(turned * turned, 1 - second)
    spread = (state["square"] / (1 - second ** state["step"])).sqrt() + group["epsilon"]
    update = _turned(_turned(state["mean"], state, axes) / spread, state, axes, back=True)
    weight.add_(update.reshape(weight.shape), alpha=-group["lr"] / (1 - first ** state["step"]))
    if axes and state["step"] % group["every"] == 0:
        for axis in axes:
            _refine(state, axis)


def _turned(matrix: Tensor, state: dict[str, Any], axes: list[int], back: bool = False) -> Tensor:
    """Into the eigenbasis, or back."""
    for axis in axes:
        basis = state[f"basis{axis}"]
        basis = basis if back else basis.T
        matrix = basis @ matrix if axis == 0 else matrix @ basis.T
    return matrix


def _refine(state: dict[str, Any], axis: int) -> None:
    """One step of the power method, in the order of falling eigenvalues; the second moments follow the order."""
    average, basis = state[f"average{axis}"], state[f"basis{axis}"]
    product = average @ basis
    order = (basis * product).sum(0).argsort(descending=True)
    state["square"] = state["square"].index_select(axis, order)
    state[f"basis{axis}"] = torch.linalg.qr(product[:, order])[0]
