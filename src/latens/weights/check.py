"""Whether the parts of an .ltm file fit each other. That they are what was written, its fingerprint says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from latens.coding import Tables
from latens.entropy.adaptive import LARGEST
from latens.entropy.channels import PriorTables
from latens.entropy.scales import COUNT
from latens.systems import Model
from latens.weights.shelf import TUNED


def check_card(card: Mapping[str, Any], model: Model) -> None:
    """ValueError unless the levels, lambdas and metric of a card can be those of its model."""
    levels, lmbdas = model.levels, card.get("lmbdas")
    metric = card.get("metric", "mse")
    if levels < 1:
        raise ValueError(f"levels is {levels}, and must be at least 1")
    if metric not in TUNED:
        raise ValueError(f"metric is {metric!r}, and must be one of {', '.join(TUNED)}")
    if levels > 1 and (not isinstance(lmbdas, list) or len(lmbdas) != levels):
        raise ValueError(f"lmbdas is {lmbdas}, and must be one for each of {levels} levels")
    for value in [card.get("lmbda", 1.0), *(lmbdas or ())]:
        if not (isinstance(value, int | float) and 0 < value < math.inf):
            raise ValueError(f"a lambda is {value!r}, and must be a number above 0")


def check_priors(priors: Mapping[str, PriorTables], model: Model) -> None:
    """ValueError unless there are tables for all priors of the model, and for each of their channels."""
    wanted = {**model.priors(), **dict.fromkeys(model.conditional(), COUNT)}
    if priors.keys() != wanted.keys():
        raise ValueError(f"there are priors {', '.join(priors) or 'none'}, and must be {', '.join(wanted)}")
    for name, prior in priors.items():
        if prior.channels != wanted[name]:
            raise ValueError(f"prior {name} has {prior.channels} channels, and must have {wanted[name]}")
        for size, thresholds in prior.groups:
            if size < 1 or sorted(thresholds) != list(thresholds):
                raise ValueError(f"prior {name} has a group of {size} channels with thresholds {thresholds}")
        if name not in model.priors() and any(group.thresholds for group in prior.groups):
            raise ValueError(f"prior {name} is conditional, and must have no thresholds")
        expected = prior.magnitudes
        if expected and not (
            model.adaptive
            and name in model.conditional()
            and len(expected) == COUNT
            and all(isinstance(one, int) and 0 <= one <= LARGEST for one in expected)
        ):
            rule = f"{COUNT} from 0 to {LARGEST}, if it is conditional and its scales adapt, or none"
            raise ValueError(f"prior {name} expects magnitudes {expected}, and must expect {rule}")


def check_tables(priors: Mapping[str, PriorTables], tables: Tables) -> None:
    """ValueError unless the tables of all priors are there."""
    for name, (first, groups, _) in priors.items():
        last = first + sum(group.size * (len(group.thresholds) + 1) for group in groups)
        if first < 0 or last > len(tables):
            raise ValueError(f"prior {name} has tables {first} to {last - 1}, and there are {len(tables)}")
