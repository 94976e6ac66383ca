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
    total = torch.zeros(module.model.M)
    for image in x:
        total += module.networks["g_a"](image[None]).float().round().abs().mean((0, 2, 3))
    return total / len(x)


@torch.no_grad()
def prune(module: Trainable, keep: Tensor) -> Trainable:
    """A model with a factorised prior, of the latents ``keep`` (indices) alone, in that order.

    Exact for the synthesis where the dropped latents are 0; the analysis loses their share of the last GDN's
    denominators, which is 0 as well for channels that training has silenced.

    Raises:
        TrainingError: the latents have no factorised prior
    """
    if "y" not in module.model.priors():
        raise TrainingError(f"{module.model} predicts its latents from others: it is trained with fewer instead")
    density = module.priors["y"]
    smaller = Trainable(dataclasses.replace(module.model, M=len(keep)), density.radius)  # type: ignore[arg-type]
    smaller.load_state_dict(pruned(module, keep))
    return smaller


@torch.no_grad()
def pruned(module: Trainable, keep: Tensor) -> dict[str, Tensor]:
    """The state of transforms, gains and factorised prior with the latents ``keep`` (indices) alone."""
    g_a, g_s = list(module.networks["g_a"]), list(module.networks["g_s"])  # type: ignore[call-overload]
    last = max(k for k, layer in enumerate(g_a) if isinstance(layer, Conv))
    first = min(k for k, layer in enumerate(g_s) if isinstance(layer, Conv | Deconv))
    cut: dict[str, tuple[int, ...]] = {
        f"networks.g_a.{last}.weight": (0,),
        f"networks.g_a.{last}.bias": (0,),
        f"networks.g_s.{first}.weight": (0 if isinstance(g_s[first], Deconv) else 1,),
        "priors.y.logits": (0,),
        "gains.gain": (1,),
        "gains.inverse": (1,),
    }
    for name, layers, at in (("g_a", g_a, len(g_a) - 1), ("g_s", g_s, 0)):
        if isinstance(layers[at], GDN):
            cut |= {f"networks.{name}.{at}.beta_root": (0,), f"networks.{name}.{at}.gamma_root": (0, 1)}
    kept = ("networks.g_a.", "networks.g_s.", "priors.y.", "gains.")
    state = {key: value for key, value in module.state_dict().items() if key.startswith(kept)}
    for key, axes in cut.items():
        for axis in axes if key in state else ():
            state[key] = state[key].index_select(axis, keep)
    return state


def most_used(module: Trainable, x: Tensor, count: int) -> Tensor:
    """The ``count`` most used latents (indices, the most used first) over pictures x."""
    return usage(module, x).topk(count).indices
