"""How finely weights are stored: uniform steps that fit what each weight does to its network's output.

Rounding a weight to multiples of a step s adds about J^2 s^2 / 12 to the mean square of every output that it moves
by J per unit. For a given sum of these, entropy-coded integers are shortest where J s is the same for all weights.
J^2 is estimated with random signs r as E (d<r, f(x)> / dw)^2 on training pictures, and its mean over each output
channel and each input channel gives the steps, a product of two vectors for each layer.

The noise that is added in this way is a small part, `NOISE`, of the noise that is there anyway: for g_s the error
of the decoded pictures, for the others, whose outputs are rounded, 1/12. Of several levels, the highest counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from latens.train.data import to_input
from latens.train.noise import Trainable
from latens.transforms import torch_modules
from latens.transforms.onnx_graph import Stepped

NOISE = 2.0**-12
PROBES, TILES, BATCH, SIDE = 4, 16, 4, 256  # pictures of SIDE pixels behind the estimate
GDN_FACTOR = 16  # gammas are finer: none is negative, nor are their inputs, so that rounding errors add up
LEAST = 1e-6  # of the mean J^2: channels that do nothing have steps too


def fitted(module: Trainable, tiles: Tensor) -> dict[str, list[dict[str, Any]]]:
    """The arrays of each float network's layers, those of two axes and more as `Stepped`.

    Args:
        module: on the CPU
        tiles: uint8 (n, H, W, 3) training pictures
    """
    model, stride = module.model, module.model.stride
    side = min(SIDE, tiles.shape[1], tiles.shape[2]) // stride * stride
    x = to_input(tiles[:TILES, :side, :side])
    inputs, error = _played(module, x)
    found = {}
    for name, net in module.networks.items():
        if name in model.exact():
            continue
        weight = torch.ones(())
        if name == "g_a" and module.gains is not None:
            weight = module.gains.gain[-1].detach().exp2()[:, None, None]
        noise = NOISE * (error if name == "g_s" else 1 / 12)
        found[name] = _stepped(net, sensitivity(net, inputs[name], weight), noise)
    return found


@torch.no_grad()
def _played(module: Trainable, x: Tensor) -> tuple[dict[str, Tensor], float]:
    """What g_a, g_s and the like are given for pictures x, and the mean square error of the decoded ones."""
    heard: dict[str, list[Tensor]] = {}

    def listen(name: str) -> Any:
        return lambda _net, inputs: heard.setdefault(name, []).append(inputs[0])

    listening = [
        net.register_forward_pre_hook(listen(name))
        for name, net in module.networks.items()
        if name not in module.model.exact()
    ]
    highest, error = float(module.model.levels - 1), 0.0
    generator = torch.Generator().manual_seed(0)
    for part in torch.split(x, BATCH):
        level = None if module.gains is None else torch.full((len(part),), highest)
        played = module(part, generator, rounded=True, level=level)
        error += float((played.x_hat.clamp(0, 1) - part).square().mean((1, 2, 3)).sum())
    for hook in listening:
        hook.remove()
    return {name: torch.cat(parts) for name, parts in heard.items()}, error / len(x)


@torch.enable_grad()
def sensitivity(net: nn.Module, x: Tensor, weight: Tensor) -> dict[str, np.ndarray]:
    """The mean of J^2 over outputs for each weight of a network given x, by the parameter's name.

    weight: what a unit of each output counts, of a shape that broadcasts to the output.
    """
    generator = torch.Generator().manual_seed(0)
    parameters = {name: p.detach().requires_grad_() for name, p in net.named_parameters() if p.ndim > 1}
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    outputs = 0
    for part in torch.split(x, BATCH):
        y = functional_call(net, parameters, part)  # the network's own may be frozen
        outputs += y.numel()
        for probe in range(PROBES):
            signs = torch.randint(2, y.shape, generator=generator).mul_(2).sub_(1)
            probed = (y * weight * signs).sum()
            again = probe < PROBES - 1
            gradients = torch.autograd.grad(probed, list(parameters.values()), retain_graph=again)
            for name, found in zip(sums, gradients, strict=True):
                sums[name] += found.square() / PROBES
    means = {name: total / outputs for name, total in sums.items()}
    for name, root in parameters.items():
        if name.endswith("gamma_root"):  # gamma is its square, less a constant
            means[name] /= 4 * root.detach().clamp_min(torch_modules.GDN.PEDESTAL**0.5).square()
    return {name: found.double().numpy() for name, found in means.items()}


def _stepped(net: nn.Module, squares: dict[str, np.ndarray], noise: float) -> list[dict[str, Any]]:
    """The arrays of a network's layers, rounded to steps which add ``noise`` to its outputs' mean square."""
    share = 12 * noise / max(1, sum(found.size for found in squares.values()))
    layers: list[dict[str, Any]] = [dict(arrays) for arrays in torch_modules.arrays(net)]  # type: ignore[arg-type]
    for parameter, found in squares.items():
        number, _, name = parameter.removesuffix("_root").partition(".")
        factor = GDN_FACTOR if parameter.endswith("_root") else 1
        layers[int(number)][name] = stepped(layers[int(number)][name], found * factor**2 / share)
    return layers


def stepped(array: np.ndarray, squares: np.ndarray) -> Stepped:
    """Weights (a, b, ...) rounded to about 1 / sqrt(squares), as a step for each a times one for each b."""
    axes = tuple(range(array.ndim))
    mean = max(float(squares.mean()), 1e-30)
    first, second = (
        np.maximum(squares.mean(tuple(axis for axis in axes if axis != kept), keepdims=True), LEAST * mean)
        for kept in (0, 1)
    )
    steps = (first**-0.5).astype(np.float32), ((second / mean) ** -0.5).astype(np.float32)
    return Stepped(np.rint(array / steps[0].astype(np.float64) / steps[1]).astype(np.int32), steps)
