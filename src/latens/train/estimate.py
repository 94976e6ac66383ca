"""What a picture's latents cost, before there is a file: from what training minimises to what a file has.

::

    densities        float networks, learned densities        the rate of the training's Lagrangian, rounded
    float networks   float networks, integer tables           what the tables change: counts, and z's contexts
    tables           integer networks, integer tables         what integers cost; the ideal length of the file

A file adds its header, at most a word at the coder's end, and the coder's losses (below 0.1 %).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from latens.coding import Encoder
from latens.entropy import account
from latens.entropy.scales import COUNT
from latens.train.noise import Rounded, Trainable
from latens.transforms import Network, Predictions
from latens.weights.package import Weights


class Estimate(NamedTuple):
    """Bits of one picture's latents: see the module's docstring."""

    densities: float
    float_networks: float
    tables: float

    @property
    def integer_loss(self) -> float:
        """What exact networks cost, as a part of the bits."""
        return self.tables / self.float_networks - 1


def estimate(module: Trainable, weights: Weights, y: np.ndarray, size: tuple[int, int]) -> Estimate:
    """The bits of latents y (1, M, h, w), as they are coded, of a picture of ``size`` (height, width).

    Args:
        module: the model in floats
        weights: what was exported from it
    """
    return Estimate(
        by_densities(module, y, size),
        by_tables(weights, y, size, _coded(module, weights)),
        by_tables(weights, y, size),
    )


@torch.no_grad()
def by_densities(module: Trainable, y: np.ndarray, size: tuple[int, int]) -> float:
    """-log2 of the float model's own probabilities of the rounded latents."""
    channel = Rounded(module.priors, networks=module.by_name(), size=size)
    module.model.code(torch.from_numpy(y), channel)
    return float(torch.stack(channel.bits).double().sum())


def by_tables(
    weights: Weights,
    y: np.ndarray,
    size: tuple[int, int],
    networks: Mapping[str, Callable[..., np.ndarray]] | None = None,
) -> float:
    """-log2 of the integer tables' probabilities of the symbols; ``networks`` in place of the weights' own."""
    networks = weights.networks if networks is None else networks
    channel = account.Estimate(Encoder(weights.tables), weights.priors, *size, networks)
    weights.model.code(y, channel)
    return float(channel.spent().sum())


def _coded(module: Trainable, weights: Weights) -> dict[str, Callable[..., np.ndarray]]:
    """The networks as coding calls them, those that are integers there in floats."""
    networks, exact = module.model.networks(), module.model.exact()
    return {
        name: _in_numpy(networks[name], net) if name in exact else weights.networks[name]
        for name, net in module.by_name().items()
        if name not in ("g_a", "g_s")
    }


def _in_numpy(network: Network, net: Callable[..., torch.Tensor]) -> Callable[..., np.ndarray]:
    """A float network over arrays; the positions of its predictions become whole numbers."""
    end = network[-1]

    @torch.no_grad()
    def call(*inputs: Any) -> np.ndarray:
        tensors = [torch.from_numpy(one) if isinstance(one, np.ndarray) else one for one in inputs]
        out: np.ndarray = net(*tensors).numpy().copy()
        if isinstance(end, Predictions):
            out[:, end.means :] = np.clip(np.rint(out[:, end.means :]), 0, COUNT - 1)
        return out

    return call
