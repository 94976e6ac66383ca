"""The state of a run on disk, and the averaged weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from latens.errors import TrainingError


class Effort(NamedTuple):
    """What training took, in a run and in those that it began from."""

    steps: int = 0
    seconds: float = 0.0

    def and_then(self, steps: int, seconds: float) -> Effort:
        """With a run after it."""
        return Effort(self.steps + steps, self.seconds + seconds)

    @classmethod
    def of(cls, state: dict[str, Any]) -> Effort:
        """Of a checkpoint and all before it."""
        return cls(*state.get("history", ())).and_then(state["step"], state["seconds"])

    def __str__(self) -> str:
        return f"{self.steps} steps, {self.seconds / 3600:.2f} h"


class Average:
    """Exponential moving average of a module's parameters; young averages follow faster."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        current = module.state_dict()
        torch._foreach_lerp_(list(self.shadow.values()), [current[k] for k in self.shadow], weight)

    def apply(self, module: nn.Module) -> dict[str, Tensor]:
        """Put the average into ``module`` and return what was there."""
        before = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.shadow)
        return before


def save(path: Path, state: dict[str, Any]) -> None:
    """Write atomically: an interrupted save leaves the previous checkpoint."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read tensors and plain values only (no code is ever unpickled).

    Raises:
        TrainingError: there is none, or it cannot be read
    """
    if not path.is_file():
        raise TrainingError(f"there is no checkpoint {path}")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    return state
