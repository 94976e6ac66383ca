"""From a run's averaged weights to an .ltm file that `latens encode` can use at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latens.coding import Tables, integer_table
from latens.entropy.channels import Group, PriorTables, activity
from latens.entropy.scales import COUNT, gaussian_pmf, sigmas
from latens.train.density import PiecewiseLinearDensity
from latens.train.integers import quantise
from latens.train.noise import Trainable
from latens.train.observe import count, observe
from latens.train.options import Storage
from latens.train.precision import fitted
from latens.transforms import torch_modules
from latens.transforms.gains import Gains
from latens.transforms.onnx_graph import to_onnx
from latens.weights.package import write

PSEUDO_COUNT = 200.0  # symbols that the learned density is worth beside the counted ones
CONTEXT_COUNT = 30.0  # symbols that a channel's table is worth beside those counted in one context
SCALE_COUNT, OUTLIERS = 1000.0, 2.0**-10  # of the tables of scales: symbols that the Gaussian is worth
CALIBRATION, COUNTED = 4, 48  # batches of tiles that integer networks are fitted to; tiles of counted symbols
FIRST_GROUP, GROUPS, CONTEXTS = 3, 24, 16  # groups grow geometrically: the first say most about the rest


def _counts(symbols: np.ndarray, first: int, size: int) -> np.ndarray:
    """Histogram of the symbols within first .. first + size - 1."""
    inside = symbols[(symbols >= first) & (symbols < first + size)] - first
    return np.bincount(inside, minlength=size).astype(np.float64)


def refit(
    density: PiecewiseLinearDensity, symbols: np.ndarray
) -> tuple[tuple[Group, ...], list[tuple[int, np.ndarray]]]:
    """The groups of a prior and its integer tables, from symbols (B, C, H, W) of training pictures.

    A channel's distribution is the learned density at the integers, updated by counted symbols: it was learned
    on noisy latents, and where they cluster within a step, rounded ones are distributed differently. That of
    the channel in one context is the channel's, updated by what was counted there. Both are posterior means
    under Dirichlet priors. Contexts divide the positions of the training pictures about evenly.
    """
    pmf, first = density.pmf()
    groups: list[Group] = []
    tables: list[tuple[int, np.ndarray]] = []
    busy = np.zeros((symbols.shape[0], *symbols.shape[2:]), np.int64)
    ends = np.unique(np.geomspace(min(FIRST_GROUP, len(pmf)), len(pmf), GROUPS).round().astype(int))
    for channels in np.split(np.arange(len(pmf)), ends[:-1]):
        seen = activity(busy)
        levels = np.quantile(seen, np.linspace(0, 1, CONTEXTS + 1)[1:-1]).astype(np.int64)
        thresholds = tuple(int(edge) for edge in np.unique(levels)) if groups else ()
        context = np.searchsorted(np.asarray(thresholds, np.int64), seen)
        whole = []
        for channel in channels:
            learned = pmf[channel] / pmf[channel].sum()
            posterior = _counts(symbols[:, channel], first, len(learned)) + PSEUDO_COUNT * learned
            whole.append(posterior / posterior.sum())
        for level in range(len(thresholds) + 1):
            here = context == level
            for channel, distribution in zip(channels, whole, strict=True):
                counted = _counts(symbols[:, channel][here], first, len(distribution))
                posterior = counted + CONTEXT_COUNT * distribution
                tables.append(integer_table(posterior / posterior.sum(), first))
        groups.append(Group(len(channels), thresholds))
        busy += (symbols[:, channels] != 0).sum(1)
    return tuple(groups), tables


def conditional_tables(counts: Mapping[tuple[int, int], int], first: int) -> list[tuple[int, np.ndarray]]:
    """The integer tables of a Gaussian conditional, one a scale, from counts of (table, symbol).

    The posterior mean again: the prior is the Gaussian, with a little of one three times as wide for outliers;
    counts n and -n are pooled. Latents of one predicted scale are no exact Gaussian: the counts know.
    """
    tables = []
    seen: dict[int, list[tuple[int, int]]] = {}
    for (table, symbol), times in counts.items():
        seen.setdefault(table, []).append((symbol, times))
    for number, sigma in enumerate(sigmas()):
        (narrow, low), (wide, start) = gaussian_pmf(float(sigma)), gaussian_pmf(3 * float(sigma))
        posterior = OUTLIERS * wide
        posterior[low - start : start - low or None] += (1 - OUTLIERS) * narrow
        posterior *= SCALE_COUNT / posterior.sum()
        for symbol, times in seen.get(first + number, []):
            if abs(symbol) <= -start:
                posterior[symbol - start] += times / 2
                posterior[-symbol - start] += times / 2
        tables.append(integer_table(posterior / posterior.sum(), start))
    return tables


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
        counts = count(module, tiles[:COUNTED], priors, exact)
        for name in model.conditional():
            stacked += conditional_tables(counts[name], priors[name].first)
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
