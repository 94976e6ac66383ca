"""From symbols of training pictures to the integer tables that code them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

import numpy as np

from latens.coding import Tables, integer_table
from latens.entropy.adaptive import magnitudes
from latens.entropy.channels import Group, PriorTables, activity
from latens.entropy.scales import gaussian_pmf, sigmas
from latens.systems import Model
from latens.train.density import PiecewiseLinearDensity
from latens.train.observe import Counts

PSEUDO_COUNT = 200.0  # symbols that the learned density is worth beside the counted ones
CONTEXT_COUNT = 30.0  # symbols that a channel's table is worth beside those counted in one context
SCALE_COUNT, OUTLIERS = 1000.0, 2.0**-10  # of the tables of scales: symbols that the Gaussian is worth
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


def of_conditionals(
    model: Model, priors: Mapping[str, PriorTables], counted: Callable[[Mapping[str, PriorTables]], Counts]
) -> tuple[dict[str, PriorTables], list[tuple[int, np.ndarray]]]:
    """The conditional priors of a model and the tables of all of them, from symbols that ``counted`` counts.

    Scales that adapt are counted twice: as predicted, for what is to be expected, and then as they are coded.
    """
    found = {name: prior._replace(magnitudes=()) for name, prior in priors.items()}
    counts = counted(found)
    if model.adaptive:
        for name in model.conditional():
            plain = Tables.stack(conditional_tables(counts[name], priors[name].first))
            found[name] = found[name]._replace(magnitudes=magnitudes(plain, 0))
        counts = counted(found)
    tables = (conditional_tables(counts[name], found[name].first) for name in model.conditional())
    return found, list(chain.from_iterable(tables))
