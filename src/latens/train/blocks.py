"""Other numbers of residual blocks in trained transforms: a faster or a deeper model that begins where one is."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn, no_grad

from latens.systems import Model
from latens.train.closed_form import silence
from latens.train.noise import Trainable
from latens.transforms.torch_modules import Module, Residual

DEPTHS = ("n", "na", "ns")  # the sizes of a model that say how many there are


@no_grad()
def shorten(module: Trainable, model: Model, x: Tensor) -> dict[str, list[int]]:
    """Leave as many blocks in g_a and g_s as those of ``model`` have, and return which, where that is fewer.

    One after the other goes the block without which what comes back of pictures x (B, 3, H, W), their latents
    rounded, changes least in squared error: of g_a first, then of g_s behind what is left of it.
    """
    x_hat = module.transformed(x)
    counts = _counts(module, model)
    return {name: _shortened(module, name, few, x, x_hat) for name, (many, few) in counts.items() if few < many}


@no_grad()
def lengthen(module: Trainable, model: Model) -> None:
    """Spread what the blocks of ``model`` are more evenly between those of g_a and of g_s, as the identity."""
    longer = Trainable(model, 1)
    for name, (few, count) in _counts(module, model).items():
        if count <= few:
            continue
        network, larger = list(module.networks[name]), list(longer.networks[name])  # type: ignore[call-overload]
        blocks, places = _blocks(network, few), _blocks(larger, count)
        for number, place in enumerate(places):
            old, after = (len(blocks) * k // count for k in (number, number + 1))
            for at, layer in enumerate(place):
                if after > old:
                    larger[layer] = network[blocks[old][at]]
                else:
                    silence(larger[layer])
        first, last = blocks[0][0], blocks[-1][-1] + 1
        inside = larger[places[0][0] : places[-1][-1] + 1]
        module.networks[name] = Module(*network[:first], *inside, *network[last:])


def _counts(module: Trainable, model: Model) -> dict[str, tuple[int, int]]:
    """Blocks that there are and that there should be, by the network's name."""
    there, wanted = module.model.blocks(), model.blocks()  # type: ignore[attr-defined]
    return {name: (there[name], wanted[name]) for name in wanted}


def _blocks(layers: Iterable[nn.Module], count: int) -> list[list[int]]:
    """The places of the residual branches of each of ``count`` blocks among the layers."""
    branches = [k for k, layer in enumerate(layers) if isinstance(layer, Residual)]
    size = len(branches) // count
    return [branches[k : k + size] for k in range(0, len(branches), size)]


def _shortened(module: Trainable, name: str, count: int, x: Tensor, x_hat: Tensor) -> list[int]:
    layers = list(module.networks[name])  # type: ignore[call-overload]
    blocks = _blocks(layers, module.model.blocks()[name])  # type: ignore[attr-defined]
    kept = list(range(len(blocks)))

    def without(k: int) -> nn.Sequential:
        out = {at for number, block in enumerate(blocks) if number == k or number not in kept for at in block}
        return Module(*(layer for at, layer in enumerate(layers) if at not in out))

    def error(k: int) -> float:
        module.networks[name] = without(k)
        return float((module.transformed(x) - x_hat).square().sum())

    while len(kept) > count:
        least = min(kept, key=error)
        module.networks[name] = without(least)
        kept.remove(least)
    return kept
