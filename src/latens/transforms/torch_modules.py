"""Description -> PyTorch module. Each module can give its weights back as arrays for the ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latens.transforms import layers
from latens.transforms.gradients import lower_bound, normalised

Arrays = dict[str, np.ndarray]


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().float().cpu().numpy())


class Shift(nn.Module):
    """``x + amount``, in float32 also under autocast: the last layer of g_s makes pictures."""

    def __init__(self, layer: layers.Shift) -> None:
        super().__init__()
        self.amount = layer.amount

    def forward(self, x: Tensor) -> Tensor:
        return x.float() + self.amount

    def arrays(self) -> Arrays:
        return {}


class _Weighted(nn.Module):
    """A convolution with bias."""

    def arrays(self) -> Arrays:
        assert isinstance(self.weight, Tensor) and isinstance(self.bias, Tensor)
        return {"weight": _array(self.weight), "bias": _array(self.bias)}


class Conv(nn.Conv2d, _Weighted):
    """See `latens.transforms.layers.Conv`."""

    def __init__(self, layer: layers.Conv) -> None:
        super().__init__(layer.inputs, layer.outputs, layer.kernel, stride=layer.stride, padding=layer.kernel // 2)


class Deconv(nn.ConvTranspose2d, _Weighted):
    """See `latens.transforms.layers.Deconv`."""

    def __init__(self, layer: layers.Deconv) -> None:
        kernel, stride = layer.kernel, layer.stride
        pad, end = kernel // 2, stride - 1
        super().__init__(layer.inputs, layer.outputs, kernel, stride=stride, padding=pad, output_padding=end)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The bias apart: oneDNN takes more time for its gradient than for the weights'."""
        assert self.bias is not None
        y = F.conv_transpose2d(x, self.weight, None, self.stride, self.padding, self.output_padding)  # type: ignore[arg-type]
        return y.add_(self.bias.to(y.dtype)[:, None, None])


class Depthwise(nn.Conv2d, _Weighted):
    """See `latens.transforms.layers.Depthwise`."""

    def __init__(self, layer: layers.Depthwise) -> None:
        channels, kernel = layer.channels, layer.kernel
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels)


class Residual(nn.Sequential):
    """See `latens.transforms.layers.Residual`; the weights of the branch's layer k are named ``k.name``."""

    def __init__(self, layer: layers.Residual) -> None:
        super().__init__(*build(layer.branch))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + super().forward(x)  # type: ignore[no-untyped-call]
        return y

    def arrays(self) -> Arrays:
        inside = enumerate(arrays(self))
        return {f"{number}.{name}": array for number, found in inside for name, array in found.items()}


class GDN(nn.Module):
    """See `latens.transforms.layers.GDN`.

    beta >= 1e-6 and gamma >= 0 are kept by training their square roots, shifted by a small pedestal so
    that the gradient does not vanish at zero (Balle 2017, section 4: projection; here a reparametrisation).
    """

    PEDESTAL = 2.0**-18

    def __init__(self, layer: layers.GDN, gamma: float = 0.1) -> None:
        super().__init__()
        self.inverse, self.squared = layer.inverse, layer.form == "squared"
        self.beta_root = nn.Parameter(torch.ones(layer.channels))
        self.gamma_root = nn.Parameter(torch.empty(layer.channels, layer.channels))
        self.reset(gamma)

    @torch.no_grad()
    def reset(self, gamma: float) -> None:
        """beta = 1, gamma = ``gamma`` times the identity."""
        self.beta_root.fill_((1 + self.PEDESTAL) ** 0.5)
        self.gamma_root.copy_((gamma * torch.eye(len(self.beta_root)) + self.PEDESTAL) ** 0.5)

    @property
    def beta(self) -> Tensor:
        """(C,), at least 1e-6."""
        return lower_bound(self.beta_root, (1e-6 + self.PEDESTAL) ** 0.5) ** 2 - self.PEDESTAL

    @property
    def gamma(self) -> Tensor:
        """(C, C), non-negative; row i weighs the inputs of output i."""
        return lower_bound(self.gamma_root, self.PEDESTAL**0.5) ** 2 - self.PEDESTAL

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            if self.squared:
                return normalised(x, self.gamma, self.beta, self.inverse)
            w = x.float()
            norm = F.conv2d(w.abs(), self.gamma[:, :, None, None], self.beta)
            return w * norm if self.inverse else w / norm

    def arrays(self) -> Arrays:
        return {"beta": _array(self.beta), "gamma": _array(self.gamma)}


class MaskedConv(nn.Module):
    """See `latens.transforms.layers.MaskedConv`. Only the taps it sees are stored: (outputs, inputs, taps)."""

    def __init__(self, layer: layers.MaskedConv) -> None:
        super().__init__()
        self.layer = layer
        rows, columns = zip(*layer.offsets, strict=True)
        self.rows, self.columns = np.array(rows), np.array(columns)
        fan_in = layer.inputs * len(layer.offsets)
        self.weight = nn.Parameter(torch.empty(layer.outputs, layer.inputs, len(rows)))
        self.bias = nn.Parameter(torch.zeros(layer.outputs))
        nn.init.uniform_(self.weight, -((1 / fan_in) ** 0.5), (1 / fan_in) ** 0.5)

    def forward(self, x: Tensor, step: Any = ...) -> Tensor:
        """At every position, or at those of ``step``, (:, :, rows (n, 1), columns (n, 1)): (B, outputs, n, 1)."""
        pad, kernel = self.layer.kernel // 2, self.layer.kernel
        if step is ...:
            seen = F.pad(x, (pad, pad, pad, 0))
            taps = F.pad(self.weight, (0, (pad + 1) * kernel - self.weight.shape[2]))
            return F.conv2d(seen, taps.view(*taps.shape[:2], pad + 1, kernel), self.bias)
        *_, r, c = step
        neighbours = F.pad(x, (pad, pad, pad, pad))[:, :, r + self.rows + pad, c + self.columns + pad]
        sums = torch.einsum("omk,bmnk->bon", self.weight, neighbours)
        return (sums + self.bias[:, None])[..., None]

    def arrays(self) -> Arrays:
        return {"weight": _array(self.weight), "bias": _array(self.bias)}


class _Elementwise(nn.Module):
    """A layer without weights."""

    def __init__(self, layer: layers.Layer) -> None:
        super().__init__()
        self.layer = layer

    def arrays(self) -> Arrays:
        return {}


class PixelUnshuffle(_Elementwise):
    """See `latens.transforms.layers.PixelUnshuffle`."""

    layer: layers.PixelUnshuffle

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(x, self.layer.factor)


class PixelShuffle(_Elementwise):
    """See `latens.transforms.layers.PixelShuffle`."""

    layer: layers.PixelShuffle

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.layer.factor)


class Abs(_Elementwise):
    """``|x|``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class ReLU(_Elementwise):
    """``max(x, 0)``."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class LeakyReLU(_Elementwise):
    """``max(x, x / 2^shift)``."""

    layer: layers.LeakyReLU

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, 2.0**-self.layer.shift)


class Predictions(_Elementwise):
    """See `latens.transforms.layers.Predictions`."""

    layer: layers.Predictions

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        return x if given is None or not self.layer.beside else x + given[:, : x.shape[1]]


class Module(nn.Sequential):
    """A network of several inputs, which are joined along the channels."""

    def forward(self, *inputs: Any) -> Tensor:
        """inputs: (B, C_i, H, W); for a network with a `MaskedConv` the latents and a step."""
        first, *rest = inputs
        x: Tensor = torch.cat(inputs, 1) if rest and not isinstance(self[0], MaskedConv) else first
        given = x
        for layer in self.children():
            if isinstance(layer, MaskedConv):
                x = layer(x, *rest)
            else:
                x = layer(x, given) if isinstance(layer, Predictions) else layer(x)
        return x


_MODULES: dict[type, type[nn.Module]] = {
    layers.Shift: Shift,
    layers.Conv: Conv,
    layers.Deconv: Deconv,
    layers.Depthwise: Depthwise,
    layers.PixelUnshuffle: PixelUnshuffle,
    layers.PixelShuffle: PixelShuffle,
    layers.Residual: Residual,
    layers.GDN: GDN,
    layers.MaskedConv: MaskedConv,
    layers.Abs: Abs,
    layers.ReLU: ReLU,
    layers.LeakyReLU: LeakyReLU,
    layers.Predictions: Predictions,
}


def build(network: layers.Network) -> nn.Sequential:
    """The network as a trainable module, randomly initialised."""
    return Module(*(_MODULES[type(layer)](layer) for layer in network))


CONVOLUTIONS = Conv, Deconv, MaskedConv


def convolutions(module: nn.Module) -> list[Any]:
    """The convolutions of a module made by `build`, in their order; not those inside residual blocks."""
    return [layer for layer in module.children() if isinstance(layer, CONVOLUTIONS)]


def arrays(module: nn.Sequential) -> list[Arrays]:
    """The weights of a module made by `build`, one dict of float32 arrays a layer."""
    return [layer.arrays() for layer in module]  # type: ignore[operator]


@torch.no_grad()
def fill(module: nn.Sequential, weights: list[Arrays]) -> None:
    """The inverse of `arrays`: write weights into a module made by `build`.

    Raises:
        ValueError: an array of another shape than the module's
    """
    for layer, found in zip(module, weights, strict=True):
        for name, array in found.items():
            value, (path, _, own) = torch.from_numpy(array.copy()), name.rpartition(".")
            owner = layer.get_submodule(path)
            if isinstance(owner, GDN):
                own, value = f"{own}_root", (value + owner.PEDESTAL).sqrt()
            target = owner.get_parameter(own)
            if target.shape != value.shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}, and must have {tuple(target.shape)}")
            target.copy_(value)
