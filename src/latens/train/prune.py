"""Dropping latents that a trained model no longer uses: the same pictures, a smaller and faster model."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latens.errors import TrainingError
from latens.train.noise import Trainable
from latens.transforms.torch_modules import GDN, Conv, Deconv


@torch.no_grad()
def usage(module: Trainable, x: Tensor) -> Tensor:
    """Mean |round(y)| of every latent channel (M,) over pictures x (B, 3, H, W): 0 for an unused one."""
    total = torch.zeros(module.model.M)  # type: ignore[attr-defined]
    for image in x:
        total += module.networks["g_a"](image[None]).float().round().abs().mean((0, 2, 3))
    return total / len(x)


@torch.no_grad()
def prune(module: Trainable, keep: Tensor) -> Trainable:
    """A model of the latents ``keep`` (indices) alone, in that order; g_a must end and g_s begin with a GDN.

    Exact for the synthesis where the dropped latents are 0; the analysis loses their share of the last GDN's
    denominators, which is 0 as well for channels that training has silenced.
    """
    model = dataclasses.replace(module.model, M=len(keep))  # type: ignore[call-arg]
    density = module.priors["y"]
    smaller = Trainable(model, density.radius)  # type: ignore[arg-type]
    g_a, g_s = list(module.networks["g_a"]), list(module.networks["g_s"])  # type: ignore[call-overload]
    last = max(k for k, layer in enumerate(g_a) if isinstance(layer, Conv))
    first = min(k for k, layer in enumerate(g_s) if isinstance(layer, Deconv))
    cut: dict[str, tuple[int, ...]] = {
        f"networks.g_a.{last}.weight": (0,),
        f"networks.g_a.{last}.bias": (0,),
        f"networks.g_s.{first}.weight": (0,),
        "priors.y.logits": (0,),
    }
    for name, layers, at in (("g_a", g_a, len(g_a) - 1), ("g_s", g_s, 0)):
        if not isinstance(layers[at], GDN):
            raise TrainingError(f"{name} has no GDN at the latents, and cannot be pruned")
        cut |= {f"networks.{name}.{at}.beta_root": (0,), f"networks.{name}.{at}.gamma_root": (0, 1)}
    state = module.state_dict()
    for key, axes in cut.items():
        for axis in axes:
            state[key] = state[key].index_select(axis, keep)
    smaller.load_state_dict(state)
    return smaller


def most_used(module: Trainable, x: Tensor, count: int) -> Tensor:
    """The ``count`` most used latents (indices, the most used first) over pictures x."""
    return usage(module, x).topk(count).indices
