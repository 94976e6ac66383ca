"""Where a run's weights come from before its first step: closed forms, another run, exported weights."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latens.entropy.order import PASSES
from latens.errors import TrainingError
from latens.systems import MODELS, Model
from latens.systems.latens import Latens
from latens.train import checkpoint
from latens.train.blocks import DEPTHS, lengthen, shorten
from latens.train.closed_form import closed_form, rescale
from latens.train.hyper import rescale_hyper, start_context, start_hyper
from latens.train.momentum import Momentum, below
from latens.train.noise import Trainable
from latens.train.options import Options
from latens.train.prune import most_used, pruned

HYPER = {"networks.h_a", "networks.h_s"}
TRANSFORMS = {"networks.g_a", "networks.g_s"}
CONTEXT = {"networks.context", "networks.entropy_parameters", *(f"networks.refine{k}" for k in range(PASSES))}
FEW = 32  # pictures are enough for hyper-networks
JUDGES = 8  # pictures to choose blocks by


@dataclass
class Source:
    """Weights to begin with. ``model`` is None if it is none that this version knows."""

    name: str
    state: dict[str, Tensor]
    lmbdas: tuple[float, ...]  # of its levels
    model: Model | None
    radius: int  # of its priors
    effort: checkpoint.Effort = checkpoint.Effort()  # noqa: RUF009 - a tuple; nothing where files do not say
    momentum: Momentum = Momentum()  # noqa: RUF009 - frozen; nothing in files, which have weights alone

    @classmethod
    def read(cls, path: Path, radius: int) -> Source:
        """Another run's averaged weights, or what `latens.train.restore` can make of an .ltm file.

        Raises:
            TrainingError: no run, or int8 weights
            WeightsError: the .ltm file cannot be read
        """
        if path.suffix == ".ltm":
            from latens.train.restore import restore  # needs onnx and the coder, which training does not

            module, lmbdas = restore(path, radius)
            state = {k: v for k, v in module.state_dict().items() if not k.startswith("priors.")}
            from latens.weights.package import load

            effort = checkpoint.Effort(*load(path.absolute()).card.get("effort", ()))
            return cls(str(path), state, lmbdas, module.model, radius, effort)
        there = Options.load(path / "options.json")
        saved = checkpoint.load(path / "checkpoint.pt", torch.device("cpu"))
        known = there.model in MODELS
        lmbdas = there.mse_lambdas() if known else (there.mse_lambda,)
        model, effort = there.build() if known else None, checkpoint.Effort.of(saved)
        momentum = Momentum.saved(saved["optimiser"], there) if known else Momentum()
        return cls(str(path), saved["average"], lmbdas, model, there.radius, effort, momentum)

    def with_priors(self, other: Source) -> Source:
        """The transforms and gains of this one, the probability networks and priors of ``other``.

        Raises:
            TrainingError: the levels of the two differ
        """
        if not _same(self.lmbdas, other.lmbdas):
            raise TrainingError(
                f"{other.name} has the levels {_levels(other.lmbdas)}, and priors for {self.name} must have "
                f"its levels, {_levels(self.lmbdas)}"
            )
        own = below(*TRANSFORMS, "gains")
        state = {k: v for k, v in other.state.items() if not own(k)}
        state |= {k: v for k, v in self.state.items() if own(k)}
        momentum = self.momentum.of_parts(own).beside(other.momentum.of_parts(lambda name: not own(name)))
        name = f"{self.name} with the priors of {other.name}"
        return dataclasses.replace(self, name=name, state=state, momentum=momentum)

    def part(self, name: str) -> dict[str, Tensor]:
        """The state below ``name``, such as networks.g_a."""
        return {k[len(name) + 1 :]: v for k, v in self.state.items() if k.startswith(f"{name}.")}


def begin_closed_form(module: Trainable, x: Tensor, lmbdas: tuple[float, ...]) -> None:
    """The best linear transform code, with priors and hyper-networks fitted to its latents on pictures x.

    With several levels, the code is the best one of the middle lambda, and gains make it those of the others.

    Raises:
        TrainingError: there is nothing in the pictures to fit anything to
    """
    networks, priors = module.networks, module.priors
    prior: Any = priors["y"] if "y" in module.model.priors() else None
    middle = math.sqrt(lmbdas[0] * lmbdas[-1])
    try:
        closed_form(networks["g_a"], networks["g_s"], prior, x, middle)  # type: ignore[arg-type]
        if module.gains is not None:
            module.gains.start((torch.tensor(lmbdas) / middle).sqrt())
        if "h_a" in networks:
            start_hyper(module, x[:FEW])
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        raise TrainingError(
            f"pictures spread by {float(x.std((0, 2, 3)).max()):.2g} of their range, and must vary more for the "
            "closed-form start: --start random begins without it"
        ) from error
    start_context(module, x)


def _levels(lmbdas: tuple[float, ...]) -> str:
    """As messages name them: two that differ read differently, at whichever end."""
    return f"lambda {lmbdas[0]:g}" + (f" to {lmbdas[-1]:g} ({len(lmbdas)})" if len(lmbdas) > 1 else "")


def _same(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether levels have the same lambdas, within 1 %: those of MS-SSIM are converted (`Options.mse_lambda`)."""
    return len(a) == len(b) and all(math.isclose(x, y, rel_tol=0.01) for x, y in zip(a, b, strict=True))


def begin_from(
    module: Trainable, source: Source, x: Tensor, lmbdas: tuple[float, ...]
) -> tuple[list[str], Momentum]:
    """Take over every network and prior whose layers agree; the others begin anew.

    Returns their names, and what the source's optimiser knew of them: nothing of what is rescaled or cut.
    Latents are rescaled if the source's lambda was different, or given gains if there are several now; only
    the most used are kept if this model has fewer of them. Likewise the residual blocks that matter most; blocks
    that the source lacks begin as the identity.

    Raises:
        TrainingError: the transforms g_a and g_s do not agree, or the source has several levels, and others
    """
    source = _resized(source, module.model, x)
    if len(source.lmbdas) > 1 and not _same(source.lmbdas, lmbdas):
        raise TrainingError(
            f"{source.name} has the levels {_levels(source.lmbdas)}, and this run must have the same, "
            f"not {_levels(lmbdas)}"
        )
    taken = [name for name, part in _parts(module) if _agrees(part, source.part(name))]
    if source.model is not None and getattr(source.model, "gdn", None) != getattr(module.model, "gdn", None):
        taken = []  # the same shapes, and another formula
    if not set(taken) >= HYPER:  # z means nothing to another h_s
        taken = [name for name in taken if name not in HYPER | CONTEXT | {"priors.z"}]
    elif not set(taken) >= _contexts(module):
        taken = [name for name in taken if name not in CONTEXT]
    if not set(taken) >= TRANSFORMS:
        raise TrainingError(
            f"{source.name} trained {source.model or 'a model of other layers'}, and this run is of "
            f"{module.model}: only M may be smaller, and the n, na and ns of latens others"
        )
    for name, part in _parts(module):
        if name in taken:
            part.load_state_dict(source.part(name))
    networks, ratio = module.networks, math.sqrt(lmbdas[0] / source.lmbdas[0]) if module.gains is None else 1.0
    if module.gains is not None:
        if len(source.lmbdas) > 1:
            module.gains.load_state_dict(source.part("gains"))
        else:
            module.gains.start((torch.tensor(lmbdas) / source.lmbdas[0]).sqrt())
    prior: Any = module.priors["y"] if "y" in module.model.priors() else None
    kept = prior is not None and "priors.y" in taken and ratio == 1
    if not kept:
        rescale(networks["g_a"], networks["g_s"], prior, x, ratio)  # type: ignore[arg-type]
    if "h_a" in networks:
        _begin_hyper(module, taken, x, ratio)
    names = [name for name in taken if not name.startswith("priors.y") or kept]
    whole = ratio == 1 and (module.gains is None or len(source.lmbdas) > 1)
    return names, source.momentum.of_parts(below(*names, "gains")) if whole else Momentum()


def _begin_hyper(module: Trainable, taken: list[str], x: Tensor, ratio: float) -> None:
    hyper = set(taken) >= HYPER
    if not hyper:
        start_hyper(module, x[:FEW])
    elif ratio != 1:
        rescale_hyper(module, ratio)
    if hyper and "priors.z" not in taken:
        with torch.no_grad():
            module.priors["z"].fit(module.networks["h_a"](module.latents(x)))  # type: ignore[operator]
    if not set(taken) >= _contexts(module):
        start_context(module, x)


def _contexts(module: Trainable) -> set[str]:
    """The networks of its context, serial or in passes; none if it has neither."""
    return CONTEXT & {name for name, _ in _parts(module)}


def _parts(module: Trainable) -> list[tuple[str, torch.nn.Module]]:
    groups = (("networks", module.networks), ("priors", module.priors))
    return [(f"{group}.{name}", part) for group, parts in groups for name, part in parts.items()]


def _agrees(part: torch.nn.Module, state: dict[str, Tensor]) -> bool:
    mine = {name: value.shape for name, value in part.state_dict().items()}
    return bool(mine) and mine == {name: value.shape for name, value in state.items()}


def _resized(source: Source, model: Model, x: Tensor) -> Source:
    """The source with as few latents as ``model`` and as many residual blocks, if transforms differ in no more."""
    there = source.model
    latents = getattr(model, "M", 0)
    fewer = {"M": latents} if 0 < latents < getattr(there, "M", 0) else {}
    depths = DEPTHS if isinstance(model, Latens) and isinstance(there, Latens) else ()
    other = {name: getattr(model, name) for name in depths if getattr(model, name) != getattr(there, name)}
    if there is None or not (fewer or other):
        return source
    resized = dataclasses.replace(there, **fewer, **other)
    if any(resized.networks()[name] != model.networks()[name] for name in ("g_a", "g_s")):
        return source
    whole, state, momentum = _built(there, source.state, source.radius), source.state, source.momentum
    if fewer:
        state, momentum = pruned(whole, most_used(whole, x, latents)), Momentum()
        whole = _built(dataclasses.replace(there, **fewer), state, source.radius)
    if other:
        before = {weight: name for name, weight in whole.named_parameters()}
        shorten(whole, resized, x[:JUDGES])
        lengthen(whole, resized)
        state = whole.state_dict()
        now = {before[weight]: name for name, weight in whole.named_parameters() if weight in before}
        momentum = momentum.renamed(now)
    of_transforms = below(*TRANSFORMS)
    if not fewer:  # the rest is as it was, whatever model it is of
        state = {k: v for k, v in state.items() if of_transforms(k)}
        state |= {k: v for k, v in source.state.items() if not of_transforms(k)}
    state = {k: v for k, v in state.items() if k in source.state or of_transforms(k)}
    return dataclasses.replace(source, state=state, model=resized, momentum=momentum)


def _built(model: Model, state: dict[str, Tensor], radius: int) -> Trainable:
    """With what the state says that fits; the rest is as it begins."""
    module = Trainable(model, radius)
    own = {name: value.shape for name, value in module.state_dict().items()}
    module.load_state_dict({k: v for k, v in state.items() if own.get(k) == v.shape}, strict=False)
    return module
