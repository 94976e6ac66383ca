"""From a run's averaged weights to an .ltm file that `latens encode` can use at once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latens.coding import Tables, integer_table
from latens.entropy.channels import PriorTables
from latens.train.data import to_input
from latens.train.density import PiecewiseLinearDensity
from latens.train.noise import Trainable
from latens.train.options import Storage
from latens.transforms import torch_modules
from latens.transforms.onnx_graph import to_onnx
from latens.weights.package import write

PSEUDO_COUNT = 200.0  # symbols that the learned density is worth beside the counted ones


class _Counting:
    """A channel that rounds and remembers the symbols, to count them."""

    def __init__(self) -> None:
        self.seen: dict[str, list[np.ndarray]] = {}

    def factorised(self, y: Tensor, prior: str, *, stride: int) -> Tensor:
        q = y.float().round()
        symbols = q.transpose(0, 1).reshape(q.shape[1], -1).to(torch.int32).cpu().numpy()
        self.seen.setdefault(prior, []).append(symbols)
        return q


def refit(density: PiecewiseLinearDensity, symbols: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Integer tables of a prior: the learned density at the integers, updated by counted symbols (C, n).

    The density was learned on noisy latents; where they cluster within a step, rounded ones are distributed
    differently. The posterior mean under a Dirichlet prior (the density, `PSEUDO_COUNT` symbols strong).
    """
    pmf, first = density.pmf()
    tables = []
    for learned, counted in zip(pmf, symbols, strict=True):
        inside = counted[(counted >= first) & (counted < first + len(learned))] - first
        histogram = np.bincount(inside, minlength=len(learned)).astype(np.float64)
        posterior = histogram + PSEUDO_COUNT * learned / learned.sum()
        tables.append(integer_table(posterior / posterior.sum(), first))
    return tables


@torch.no_grad()
def export(
    module: Trainable, tiles: Tensor, path: Path, card: dict[str, Any], storage: Storage = "float16"
) -> bytes:
    """Write the module as an .ltm file and return its fingerprint.

    Args:
        module: on the CPU, with the weights to export
        tiles: uint8 (n, H, W, 3) training pictures, on which the tables' symbols are counted
        card: what is known of the training
        storage: of the networks' weights
    """
    counting = _Counting()
    for batch in torch.split(tiles, 16):
        module.model.code(module.networks["g_a"](to_input(batch)), counting)  # type: ignore[arg-type]
    stacked: list[tuple[int, np.ndarray]] = []
    priors: dict[str, PriorTables] = {}
    for name, symbols in counting.seen.items():
        tables = refit(module.priors[name], np.concatenate(symbols, 1))  # type: ignore[arg-type]
        priors[name] = PriorTables(len(stacked), len(tables))
        stacked += tables
    description = module.model.networks()
    networks = {
        name: to_onnx(description[name], torch_modules.arrays(net), storage)  # type: ignore[arg-type]
        for name, net in module.networks.items()
    }
    whole = {
        "model": module.model.id,
        "sizes": asdict(module.model),
        "priors": priors,
        "storage": storage,
        **card,
    }
    return write(path, whole, Tables.stack(stacked), networks)
