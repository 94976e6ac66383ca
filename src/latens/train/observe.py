"""What an export learns from training pictures: symbols to count, and inputs of the probability networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latens.entropy.channels import Encode, Parameters, PriorTables
from latens.systems import Model
from latens.train.data import to_input
from latens.train.noise import Trainable
from latens.train.variable_rate import spread
from latens.weights.package import Weights

Counts = dict[str, dict[tuple[int, int], int]]  # by prior, of (table, symbol)

FEWEST = 16  # tiles of a model of several levels
BATCH = 16  # tiles played at once


class Observer:
    """A channel over PyTorch that rounds, and remembers symbols and what networks were given.

    What a conditional prior would do to latents is left out: their predictions depend on integer networks
    that are not made yet.
    """

    def __init__(self, module: Trainable, size: tuple[int, int]) -> None:
        self.size = size
        self.symbols: dict[str, np.ndarray] = {}
        self.inputs: dict[str, list[tuple[Tensor, ...]]] = {}
        self.networks: Mapping[str, Callable[..., Any]] = {
            name: self._listening(name, network) for name, network in module.by_name().items()
        }

    def _listening(self, name: str, network: Callable[..., Any]) -> Callable[..., Any]:
        def call(*inputs: Any) -> Any:
            self.inputs.setdefault(name, []).append(tuple(one for one in inputs if isinstance(one, Tensor)))
            return network(*inputs)

        return call

    def grid(self, stride: int) -> tuple[int, int]:
        return -(-self.size[0] // stride), -(-self.size[1] // stride)

    def factorised(self, y: Tensor, prior: str, *, stride: int) -> Tensor:
        q = y.float().round()
        self.symbols[prior] = q.to(torch.int32).cpu().numpy()
        return q

    def gaussian(
        self, y: Tensor, prior: str, parameters: Parameters, inside: Any = None, *, adaptive: bool = False
    ) -> Tensor:
        return y

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), 1)

    def picked(self, x: Tensor, channels: np.ndarray) -> Tensor:
        return x[:, channels]

    def scan(
        self,
        y: Tensor,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> Tensor:
        predict(y, ...)
        return y


class Counting(Encode):
    """The encoder's channel without an encoder: it counts the symbols of every table of a conditional prior."""

    def __init__(
        self,
        priors: Mapping[str, PriorTables],
        size: tuple[int, int],
        networks: Mapping[str, Callable[..., Any]],
        counts: Counts,
    ) -> None:
        super().__init__(None, priors, *size, networks)
        self.counts = counts
        self._prior = ""

    def factorised(self, y: np.ndarray | None, prior: str, *, stride: int) -> np.ndarray:
        assert y is not None
        return np.asarray(np.rint(y), np.float32)

    def _conditional(self, y: np.ndarray | None, prior: str, parameters: Parameters) -> np.ndarray:
        self._prior = prior
        return super()._conditional(y, prior, parameters)

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        assert symbols is not None
        counts = self.counts.setdefault(self._prior, {})
        pairs, times = np.unique(np.stack([index, symbols]), axis=1, return_counts=True)
        for table, symbol, count in zip(*pairs.tolist(), times.tolist(), strict=True):
            counts[table, symbol] = counts.get((table, symbol), 0) + count
        return symbols


@torch.no_grad()
def observe(module: Trainable, tiles: Tensor) -> Iterator[Observer]:
    """The model played over uint8 tiles (n, H, W, 3), batch by batch; few of them again, at other levels."""
    for part in torch.split(_enough(tiles, module.model.levels), BATCH):
        observer = Observer(module, (part.shape[1], part.shape[2]))
        module.model.code(module.latents(to_input(part)), observer)
        yield observer


@torch.no_grad()
def count(
    module: Trainable, tiles: Tensor, exact: Mapping[str, Callable[..., Any]], priors: Mapping[str, PriorTables]
) -> Counts:
    """How often each (table, symbol) of the conditional priors is coded in uint8 tiles (n, H, W, 3).

    The integer networks ``exact`` predict, as in a file; the others are the module's.
    """

    def in_numpy(network: Callable[..., Any]) -> Callable[..., np.ndarray]:
        return lambda y: np.asarray(network(torch.from_numpy(y)).numpy())

    others = {name: in_numpy(network) for name, network in module.by_name().items() if name not in exact}
    tiles = _enough(tiles, module.model.levels)
    levels = spread(len(tiles), module.model.levels)
    each = zip(tiles, levels, strict=True)
    latents = (module.latents(to_input(tile[None]), level[None]).numpy() for tile, level in each)
    return _counted(module.model, latents, (tiles.shape[1], tiles.shape[2]), {**others, **exact}, priors)


def count_shipped(weights: Weights, tiles: Tensor, priors: Mapping[str, PriorTables]) -> Counts:
    """`count`, of weights from a file."""
    model, gains = weights.model, weights.gains
    tiles = _enough(tiles, model.levels)
    qualities = (100 * spread(len(tiles), model.levels) / max(1, model.levels - 1)).tolist()

    def latents() -> Iterator[np.ndarray]:
        for tile, quality in zip(tiles, qualities, strict=True):
            y = weights.g_a(to_input(tile[None]).numpy())
            yield y if gains is None else gains.scaled(y, quality)

    return _counted(model, latents(), (tiles.shape[1], tiles.shape[2]), weights.networks, priors)


def _counted(
    model: Model,
    latents: Iterable[np.ndarray],
    size: tuple[int, int],
    networks: Mapping[str, Callable[..., Any]],
    priors: Mapping[str, PriorTables],
) -> Counts:
    counts: Counts = {}
    for y in latents:
        model.code(y, Counting(priors, size, networks, counts))
    return counts


def _enough(tiles: Tensor, levels: int) -> Tensor:
    """The tiles, repeated where a model has several levels and they are too few to meet them all."""
    least = max(FEWEST, 2 * levels) if levels > 1 else 1
    return tiles.repeat(-(-least // len(tiles)), 1, 1, 1) if len(tiles) < least else tiles
