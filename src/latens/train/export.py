"""From a run's averaged weights to an .ltm file that `latens encode` can use at once."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latens.coding import Tables
from latens.entropy.channels import Group, PriorTables
from latens.entropy.scales import COUNT
from latens.train.integers import quantise
from latens.train.noise import Trainable
from latens.train.observe import count, observe
from latens.train.options import Storage
from latens.train.precision import fitted
from latens.train.tables import of_conditionals, refit
from latens.transforms import torch_modules
from latens.transforms.gains import Gains
from latens.transforms.onnx_graph import to_onnx
from latens.weights.package import write

CALIBRATION, COUNTED = 4, 48  # batches of tiles that integer networks are fitted to; tiles of counted symbols


def graphs(module: Trainable, tiles: Tensor, storage: Storage) -> dict[str, bytes]:
    """The float networks as ONNX graphs by name; arguments as `export`."""
    model = module.model
    floats = {name: net for name, net in module.networks.items() if name not in model.exact()}
    if storage == "fitted":
        return {name: to_onnx(model.networks()[name], found) for name, found in fitted(module, tiles).items()}
    return {
        name: to_onnx(model.networks()[name], torch_modules.arrays(net), storage)  # type: ignore[arg-type]
        for name, net in floats.items()
    }


@torch.no_grad()
def export(
    module: Trainable, tiles: Tensor, path: Path, card: dict[str, Any], storage: Storage = "fitted"
) -> bytes:
    """Write the module as an .ltm file and return its fingerprint.

    Args:
        module: on the CPU, with the weights to export
        tiles: uint8 (n, H, W, 3) training pictures, on which the tables' symbols are counted
        card: what is known of the training
        storage: of the networks' weights
    """
    model, description = module.model, module.model.networks()
    stacked: list[tuple[int, np.ndarray]] = []
    priors: dict[str, PriorTables] = {}
    symbols: dict[str, list[np.ndarray]] = {name: [] for name in model.priors()}
    calls: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in model.exact()}
    for number, observed in enumerate(observe(module, tiles)):
        for name, found in symbols.items():
            found.append(observed.symbols[name])
        for name, met in calls.items():
            met += observed.inputs[name] if number < CALIBRATION else []
    for name in model.priors():
        groups, tables = refit(module.priors[name], np.concatenate(symbols[name]))  # type: ignore[arg-type]
        priors[name] = PriorTables(len(stacked), groups)
        stacked += tables
    exact = {name: quantise(description[name], module.networks[name], calls[name]) for name in model.exact()}
    if model.conditional():
        for k, name in enumerate(model.conditional()):
            priors[name] = PriorTables(len(stacked) + k * COUNT, (Group(COUNT),))
        counted = partial(count, module, tiles[:COUNTED], exact)
        priors, tables = of_conditionals(model, priors, counted)
        stacked += tables
    networks = graphs(module, tiles, storage)
    whole = {
        "model": module.model.id,
        "sizes": asdict(module.model),
        "priors": priors,
        "storage": storage,
        **card,
    }
    gains = None
    if module.gains is not None:
        gains = Gains(module.gains.gain.numpy().copy(), module.gains.inverse.numpy().copy())
    return write(path, whole, Tables.stack(stacked), networks, exact, gains)
