"""What an optimiser knows of parameters, by their names: so that a run that begins from another one keeps it.

Adam without its averages takes steps of full size in directions of one batch. What a new start costs beside that
is the learning rate's affair: one well above the last run's undoes what that gained (training/LOG.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from latens.train.noise import Trainable
from latens.train.optimisers import optimiser
from latens.train.options import Options


@dataclass(frozen=True)
class Momentum:
    """The state of an optimiser of this ``kind`` for each parameter that it has moved."""

    kind: str = ""
    of: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def saved(cls, state: Mapping[str, Any], options: Options) -> Momentum:
        """Of a checkpoint of the run that had these options. Nothing if its parameters were others."""
        module = Trainable(options.build(), options.radius)
        there = optimiser(module, options)
        try:
            there.load_state_dict(dict(state))
        except ValueError:  # groups of an earlier version
            return cls()
        found = {name: there.state.get(weight) for name, weight in module.named_parameters()}
        return cls(options.optimiser, {name: known for name, known in found.items() if known})

    def of_parts(self, wanted: Callable[[str], bool]) -> Momentum:
        """Of those parameters alone."""
        return Momentum(self.kind, {name: state for name, state in self.of.items() if wanted(name)})

    def beside(self, other: Momentum) -> Momentum:
        """Of the parameters of both, which have none in common; this one's alone if they are of two kinds."""
        if not self.of:
            return other
        return Momentum(self.kind, {**self.of, **other.of} if self.kind == other.kind else self.of)

    def renamed(self, names: Mapping[str, str]) -> Momentum:
        """With the names that parameters have now, ``names[before]``; without those that are gone."""
        return Momentum(self.kind, {names[name]: state for name, state in self.of.items() if name in names})

    def give(self, to: torch.optim.Optimizer, module: Trainable, kind: str) -> None:
        """Go on with it in another optimiser, of the ``kind``, if that is the same."""
        moved = {id(weight) for group in to.param_groups for weight in group["params"]}
        for name, weight in module.named_parameters():
            if kind == self.kind and name in self.of and id(weight) in moved:
                to.state[weight] = {key: _at(value, weight) for key, value in self.of[name].items()}


def below(*names: str) -> Callable[[str], bool]:
    """Whether a name in a module's state belongs to one of these parts, such as networks.g_a."""
    return lambda name: name.startswith(tuple(f"{part}." for part in names))


def _at(value: Any, weight: Tensor) -> Any:
    return value.to(weight.device, copy=True) if isinstance(value, Tensor) else value
