"""The training channel, and the module that plays a model over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latens.entropy.channels import Parameters
from latens.systems import Model
from latens.train.density import PiecewiseLinearDensity
from latens.train.gaussian import GaussianConditional
from latens.train.parallel import ALONE, Share
from latens.train.variable_rate import VariableRate, spread
from latens.transforms import torch_modules


class Noise:
    """Adds U(-1/2, 1/2) in place of rounding and sums the bits of each picture (Balle 2017, section 3.2).

    With ``rounded``, the bits are those of the noisy latents, but what arrives is rounded, with the gradient
    of the identity (Minnen & Singh 2020, section 3.4): sparse latents then reach the synthesis without noise.
    """

    def __init__(
        self,
        priors: nn.ModuleDict,
        generator: torch.Generator | None = None,
        rounded: bool = False,
        networks: Mapping[str, Callable[..., Any]] | None = None,
        size: tuple[int, int] = (0, 0),  # height and width of the pictures
        share: Share = ALONE,
    ) -> None:
        self.priors, self.generator, self.rounded, self.networks = priors, generator, rounded, networks or {}
        self.size, self.share = size, share
        self.bits: list[Tensor] = []  # (B,), one sum per call

    def grid(self, stride: int) -> tuple[int, int]:
        return -(-self.size[0] // stride), -(-self.size[1] // stride)

    def _noisy(self, y: Tensor) -> Tensor:
        return y.float() + (self.share.uniform(tuple(y.shape), self.generator, y.device) - 0.5)

    def factorised(self, y: Tensor, prior: str, *, stride: int) -> Tensor:
        y_tilde = self._noisy(y)
        self._count(self.priors[prior].bits(y_tilde))  # type: ignore[operator]
        return self._arriving(y, y_tilde)

    def _count(self, bits: Tensor, inside: Tensor | None = None) -> None:
        self.bits.append((bits if inside is None else bits * inside).flatten(1).sum(1))

    def _arriving(self, y: Tensor, y_tilde: Tensor, mean: Tensor | float = 0.0) -> Tensor:
        if not self.rounded:
            return y_tilde
        y = y.float()
        return y + ((y - mean).round() + mean - y).detach()

    def gaussian(
        self, y: Tensor, prior: str, parameters: Parameters, inside: Any = None, *, adaptive: bool = False
    ) -> Tensor:
        y_tilde = self._noisy(y)
        mean, scale = parameters
        inside = _mask(inside, y)
        self._count(self.priors[prior].bits(y_tilde - mean, scale), inside)  # type: ignore[operator]
        return _where(inside, self._arriving(y, y_tilde, mean), mean)

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
        """All positions at once: masked networks see earlier positions only.

        With ``rounded``, they see about what they will see in coding: latents rounded around the means that
        are predicted from noisy ones.
        """
        y_tilde = self._noisy(y)
        seen = y_tilde
        if self.rounded:
            with torch.no_grad():
                first = predict(y_tilde, ...)[0]
            torch.clear_autocast_cache()  # before 2.10, weights cast here would have no gradient below
            seen = self._arriving(y, y_tilde, first)
        mean, scale = predict(seen, ...)
        self._count(self.priors[prior].bits(y_tilde - mean, scale))  # type: ignore[operator]
        return self._arriving(y, y_tilde, mean)


def _mask(inside: Any, y: Tensor) -> Tensor | None:
    """On the device of y; None where all are inside, as with most crops."""
    return None if inside is None or inside.all() else torch.from_numpy(inside).to(y.device)


def _where(inside: Tensor | None, y_hat: Tensor, mean: Tensor) -> Tensor:
    return y_hat if inside is None else torch.where(inside, y_hat, mean)


class Rounded(Noise):
    """What coding does, over PyTorch: latents are rounded around their means, and scanned step by step."""

    def _noisy(self, y: Tensor) -> Tensor:
        return y.float().round()

    def gaussian(
        self, y: Tensor, prior: str, parameters: Parameters, inside: Any = None, *, adaptive: bool = False
    ) -> Tensor:
        mean, scale = parameters
        inside = _mask(inside, y)
        q = (y.float() - mean).round()
        self._count(self.priors[prior].bits(q, scale), inside)  # type: ignore[operator]
        return _where(inside, q + mean, mean)

    def scan(
        self,
        y: Tensor,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> Tensor:
        """Each step is predicted from the rounded latents before it."""
        y_hat = torch.zeros(shape, device=y.device)
        for step in steps:
            y_hat[step] = self.gaussian(y[step], prior, predict(y_hat, step))
        return y_hat


class Played(NamedTuple):
    """What a training step sees: the reconstruction (B, 3, H, W) and the bits of each picture (B,)."""

    x_hat: Tensor
    bits: Tensor


class Trainable(nn.Module):
    """A model over PyTorch: its networks as modules, its priors as densities, its gains if it has levels.

    Levels, (B,), are positions between a model's rows of gains. A model of one rate needs none; to one of several,
    None means levels `spread` over the batch.
    """

    def __init__(self, model: Model, radius: int = 128) -> None:
        super().__init__()
        self.model = model
        self.networks = nn.ModuleDict({k: torch_modules.build(v) for k, v in model.networks().items()})
        self.priors = nn.ModuleDict(
            {name: PiecewiseLinearDensity(channels, radius) for name, channels in model.priors().items()}
            | {name: GaussianConditional() for name in model.conditional()}
        )
        self.gains = VariableRate(model.levels, model.M) if model.levels > 1 else None

    def forward(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        rounded: bool = False,
        level: Tensor | None = None,
        share: Share = ALONE,
    ) -> Played:
        """x (B, 3, H, W) in [0, 1], sides multiples of the model's stride; ``rounded``: see `Noise`.

        x and ``level`` are of this process's share; the generator's noise is drawn for all.
        """
        channel = Noise(self.priors, generator, rounded, self.by_name(), _size(x), share)
        return self._played(x, channel, level)

    @torch.no_grad()
    def rounded(self, x: Tensor, level: Tensor | None = None) -> Played:
        """The same with really rounded latents and the bits of their tables, for validation."""
        channel = Rounded(self.priors, networks=self.by_name(), size=_size(x))
        return self._played(x, channel, level)

    def rate(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        rounded: bool = False,
        level: Tensor | None = None,
        share: Share = ALONE,
    ) -> Tensor:
        """The bits alone, (B,), with gradients for everything but g_a and the gains."""
        with torch.no_grad():
            y = self.latents(x, level)
        channel = Noise(self.priors, generator, rounded, self.by_name(), _size(x), share)
        self.model.code(y, channel)
        return torch.stack(channel.bits).sum(0)

    def latents(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """What is coded of pictures x: g_a(x), times the gains; without ``level``, of pictures of all levels."""
        y: Tensor = self.networks["g_a"](x)
        return y if self.gains is None else y * self.gains(self._level(x, level))[0]

    def transformed(self, x: Tensor) -> Tensor:
        """Pictures x by way of latents that are rounded to integers, whatever the priors expect."""
        return self._synthesis(x, self.latents(x).round(), None)

    def _level(self, x: Tensor, level: Tensor | None) -> Tensor:
        return spread(len(x), self.model.levels).to(x.device) if level is None else level

    def _played(self, x: Tensor, channel: Noise, level: Tensor | None) -> Played:
        y_hat = self.model.code(self.latents(x, level), channel)
        return Played(self._synthesis(x, y_hat, level), torch.stack(channel.bits).sum(0))

    def _synthesis(self, x: Tensor, y_hat: Tensor, level: Tensor | None) -> Tensor:
        if self.gains is not None:
            y_hat = y_hat * self.gains(self._level(x, level))[1]
        x_hat: Tensor = self.networks["g_s"](y_hat)
        return x_hat

    def compile_networks(self, backend: str) -> None:
        """Let ``torch.compile`` compute the networks, each shape with code of its own."""
        for network in self.networks.values():
            network.compile(backend=backend, dynamic=False)

    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The networks, as channels take them."""
        return dict(self.networks.items())


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]
