"""Which optimiser moves which parameters, and at what rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from latens.train.noise import Trainable
from latens.train.options import Options
from latens.train.soap import Soap
from latens.transforms.torch_modules import GDN

SOAP_BETAS = (0.95, 0.95)  # the paper's; what SOAP does not turn keeps Adam's


def optimiser(module: Trainable, options: Options) -> torch.optim.Optimizer:
    """The one that the options name, over groups that know their rate as ``base``.

    SOAP turns the transforms' convolutions only: networks that predict probabilities have sides so long that
    their bases would cost more than the step.
    """
    groups = _groups(module, options)
    if options.optimiser == "soap":
        for group in groups:
            if group["turned"]:
                group["betas"] = SOAP_BETAS
        return Soap(groups, betas=(0.9, 0.999))
    if options.optimiser == "adamw":
        for group in groups:
            group["weight_decay"] = options.weight_decay if group["turned"] else 0.0
        return torch.optim.AdamW(groups, fused=True)
    return torch.optim.Adam(groups, fused=True)


def _groups(module: Trainable, options: Options) -> list[dict[str, Any]]:
    """The parameters by learning rate: transforms, their GDN, priors, and networks that predict probabilities."""
    transforms = [layer for name in ("g_a", "g_s") for layer in module.networks[name].children()]
    hyper = [net for name, net in module.networks.items() if name not in ("g_a", "g_s")]
    convolutions = [layer for layer in transforms if not isinstance(layer, GDN)]
    rates: list[tuple[list[nn.Module], float]] = [
        (convolutions, options.lr),
        ([layer for layer in transforms if isinstance(layer, GDN)], options.norm_lr),
        (list(module.priors.values()), options.density_lr),
        (hyper, options.hyper_lr),
        ([module.gains] if module.gains is not None else [], options.gain_lr),
    ]
    if options.only:
        rates = rates[2:4]
    return [
        {
            "params": [weight for one in modules for weight in one.parameters()],
            "base": rate,
            "turned": modules is convolutions,
        }
        for modules, rate in rates
        if modules
    ]
