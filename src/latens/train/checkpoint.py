"""The state of a run on disk, and the averaged weights."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from latens.errors import DiskFullError, TrainingError
from latens.whole import is_full, replacing


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
    """Write atomically: an interrupted save leaves the previous checkpoint.

    Raises:
        DiskFullError: no space is left
        TrainingError: it cannot be written for another reason
    """
    try:
        with replacing(path) as temporary:
            _write(temporary, state)
    except (OSError, RuntimeError) as error:
        if is_full(error):
            words = f"it takes {_size(state)} bytes, and no space is left"
            raise DiskFullError(f"cannot write {path}: {words}") from error
        raise TrainingError(f"cannot write {path}: {error}") from error


def _write(path: Path, state: dict[str, Any]) -> None:
    """PyTorch's writer does not say what the system told it: want of space is said as the system says it."""
    try:
        torch.save(state, path)
    except RuntimeError as error:
        if path.parent.is_dir() and shutil.disk_usage(path.parent).free < _size(state):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def _size(state: Any) -> int:
    """The bytes of all tensors in nested containers."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(_size(part) for part in parts)


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
