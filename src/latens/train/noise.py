"""The training channel, and the module that plays a model over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from latens.entropy.channels import Parameters
from latens.systems import Model
from latens.train.density import PiecewiseLinearDensity
from latens.train.gaussian import GaussianConditional
from latens.transforms import torch_modules


class Noise:
    """Adds U(-1/2, 1/2) in place of rounding and sums the bits (Balle 2017, section 3.2).

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
    ) -> None:
        self.priors, self.generator, self.rounded, self.networks = priors, generator, rounded, networks or {}
        self.size = size
        self.bits: list[Tensor] = []  # one sum per call

    def grid(self, stride: int) -> tuple[int, int]:
        return -(-self.size[0] // stride), -(-self.size[1] // stride)

    def _noisy(self, y: Tensor) -> Tensor:
        noise = torch.rand(y.shape, generator=self.generator, device=y.device, dtype=torch.float32)
        return y.float() + (noise - 0.5)

    def factorised(self, y: Tensor, prior: str, *, stride: int) -> Tensor:
        y_tilde = self._noisy(y)
        self.bits.append(self.priors[prior].bits(y_tilde).sum())  # type: ignore[operator]
        return self._arriving(y, y_tilde)

    def _arriving(self, y: Tensor, y_tilde: Tensor, mean: Tensor | float = 0.0) -> Tensor:
        if not self.rounded:
            return y_tilde
        y = y.float()
        return y + ((y - mean).round() + mean - y).detach()

    def gaussian(self, y: Tensor, prior: str, parameters: Parameters) -> Tensor:
        y_tilde = self._noisy(y)
        mean, scale = parameters
        self.bits.append(self.priors[prior].bits(y_tilde - mean, scale).sum())  # type: ignore[operator]
        return self._arriving(y, y_tilde, mean)

    def scan(
        self,
        y: Tensor,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> Tensor:
        """All positions at once: masked networks see earlier positions only."""
        y_tilde = self._noisy(y)
        mean, scale = predict(y_tilde, ...)
        self.bits.append(self.priors[prior].bits(y_tilde - mean, scale).sum())  # type: ignore[operator]
        return self._arriving(y, y_tilde, mean)


class Rounded(Noise):
    """What coding does, over PyTorch: latents are rounded around their means, and scanned step by step."""

    def _noisy(self, y: Tensor) -> Tensor:
        return y.float().round()

    def gaussian(self, y: Tensor, prior: str, parameters: Parameters) -> Tensor:
        mean, scale = parameters
        q = (y.float() - mean).round()
        self.bits.append(self.priors[prior].bits(q, scale).sum())  # type: ignore[operator]
        y_hat: Tensor = q + mean
        return y_hat

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
    """What a training step sees: the reconstruction (B, 3, H, W) and the total bits of the batch."""

    x_hat: Tensor
    bits: Tensor


class Trainable(nn.Module):
    """A model over PyTorch: its networks as modules, its priors as densities."""

    def __init__(self, model: Model, radius: int = 128) -> None:
        super().__init__()
        self.model = model
        self.networks = nn.ModuleDict({k: torch_modules.build(v) for k, v in model.networks().items()})
        self.priors = nn.ModuleDict(
            {name: PiecewiseLinearDensity(channels, radius) for name, channels in model.priors().items()}
            | {name: GaussianConditional() for name in model.conditional()}
        )

    def forward(self, x: Tensor, generator: torch.Generator | None = None, rounded: bool = False) -> Played:
        """x (B, 3, H, W) in [0, 1], sides multiples of the model's stride; ``rounded``: see `Noise`."""
        channel = Noise(self.priors, generator, rounded, self.by_name(), _size(x))
        y_tilde = self.model.code(self.networks["g_a"](x), channel)
        return Played(self.networks["g_s"](y_tilde), torch.stack(channel.bits).sum())

    @torch.no_grad()
    def rounded(self, x: Tensor) -> Played:
        """The same with really rounded latents and the bits of their tables, for validation."""
        channel = Rounded(self.priors, networks=self.by_name(), size=_size(x))
        y_hat = self.model.code(self.networks["g_a"](x), channel)
        return Played(self.networks["g_s"](y_hat), torch.stack(channel.bits).sum())

    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The networks, as channels take them."""
        return dict(self.networks.items())


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]
