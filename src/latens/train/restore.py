"""From an .ltm file back to a trainable module, so that shipped weights can be trained further."""

from __future__ import annotations

from pathlib import Path

import torch

from latens.errors import TrainingError
from latens.train.integers import unquantised
from latens.train.noise import Trainable
from latens.train.options import as_of_mse
from latens.transforms.onnx_graph import from_onnx
from latens.transforms.torch_modules import fill
from latens.weights.package import load


@torch.no_grad()
def restore(path: Path, radius: int) -> tuple[Trainable, tuple[float, ...]]:
    """The networks of an .ltm file as modules, and the lambdas of their levels.

    Priors are not restored: fit them to the latents (`PiecewiseLinearDensity.fit`). Networks that files hold as
    integers (`Model.exact`) are what these compute, as `latens.train.integers.unquantised` says.

    Raises:
        WeightsError: the file cannot be read, or has no encoder
        TrainingError: its weights are int8 and nothing else, as early versions could store them
    """
    weights = load(path.absolute())
    module = Trainable(weights.model, radius)
    for name, network in weights.model.networks().items():
        if name in weights.model.exact():
            unquantised(weights.network(name), module.networks[name])  # type: ignore[arg-type]
            continue
        try:
            stored = from_onnx(network, weights.graph(name))
        except ValueError as error:
            raise TrainingError(f"{path} cannot be trained further: {error}") from error
        fill(module.networks[name], stored)  # type: ignore[arg-type]
    if module.gains is not None and weights.gains is not None:
        module.gains.gain.copy_(torch.from_numpy(weights.gains.gain))
        module.gains.inverse.copy_(torch.from_numpy(weights.gains.inverse))
    card = weights.card
    metric = card.get("metric", "mse")
    return module, tuple(card["lmbdas"] if "lmbdas" in card else [as_of_mse(card["lmbda"], metric)])
