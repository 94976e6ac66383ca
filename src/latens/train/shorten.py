"""Leaving out residual blocks of trained transforms: a faster model that begins where a larger one is."""

from __future__ import annotations

from torch import Tensor, nn, no_grad

from latens.train.noise import Trainable
from latens.transforms.torch_modules import Module, Residual


@no_grad()
def shorten(module: Trainable, count: int, x: Tensor) -> dict[str, list[int]]:
    """Leave ``count`` blocks in g_a and as many in g_s, and return which, by the network's name.

    One after the other goes the block without which what comes back of pictures x (B, 3, H, W), their latents
    rounded, changes least in squared error: of g_a first, then of g_s behind what is left of it.
    """
    x_hat = module.transformed(x)
    return {name: _shortened(module, name, count, x, x_hat) for name in ("g_a", "g_s")}


def _shortened(module: Trainable, name: str, count: int, x: Tensor, x_hat: Tensor) -> list[int]:
    layers = list(module.networks[name])  # type: ignore[call-overload]
    branches = [k for k, layer in enumerate(layers) if isinstance(layer, Residual)]
    size = len(branches) // module.model.n  # type: ignore[attr-defined]
    blocks = [set(branches[k : k + size]) for k in range(0, len(branches), size)]
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
