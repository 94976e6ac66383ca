"""Derivatives of synthesis networks in NumPy: what the encoder's search asks, without a framework for it.

Arrays are (C, H, W), float32. Every layer knows its values and, given them, how a derivative with respect to its
output becomes one with respect to its input. The convolutions are one matrix product a tap::

    gather    out[o, i] = sum over taps t and c of w[t, o, c] x[c, s i + t]        Conv, and a Deconv's derivative
    spread    out[o, s i + t] += sum over c of w[t, o, c] x[c, i]                  Deconv, and a Conv's derivative
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from latens.transforms.layers import (
    GDN,
    Conv,
    Deconv,
    Depthwise,
    Layer,
    LeakyReLU,
    Network,
    PixelShuffle,
    Residual,
    Shift,
)
from latens.transforms.strips import rows_after, rows_seen

MOST = 1 << 12  # positions of the input that are computed at a time: some 100 to 300 MB are in use then

Pull = Callable[[np.ndarray], np.ndarray]  # derivative by the output -> by the input


def squared_error(
    network: Network, weights: Sequence[Mapping[str, Any]], y: np.ndarray, x: np.ndarray
) -> tuple[float, np.ndarray]:
    """The sum of (network(y) - x)^2 and its derivative by ``y``: (1, C, h, w), x (1, C', H, W).

    x may have fewer rows and columns than the network's output, which are then without error. Strips of rows
    are computed one after the other, in bounded memory, from all rows that they depend on.

    Raises:
        ValueError: a layer that no synthesis network has
    """
    rows, columns = y.shape[2:]
    up = rows_after(network, rows) // rows
    total, derivative = 0.0, np.zeros_like(y)
    step = max(1, MOST // columns) * up
    for start in range(0, x.shape[2], step):
        end = min(start + step, x.shape[2])
        first, last = rows_seen(network, start, end - 1)
        first, last = max(0, first), min(last, rows - 1)
        came, pull = values(network, weights, y[0, :, first : last + 1])
        error = np.zeros_like(came)
        part = np.s_[:, start - first * up : end - first * up, : x.shape[3]]
        error[part] = came[part] - x[0, :, start:end]
        total += float(np.square(error, dtype=np.float64).sum())
        derivative[0, :, first : last + 1] += pull(2 * error)
    return total, derivative


def values(network: Network, weights: Sequence[Mapping[str, Any]], x: np.ndarray) -> tuple[np.ndarray, Pull]:
    """A network's output, and the way back; ``weights`` are those of `latens.transforms.onnx_weights`."""
    pulls: list[Pull] = []
    for layer, given in zip(network, weights, strict=True):
        x, pull = _layer(layer, given, x)
        pulls.append(pull)

    def back(g: np.ndarray) -> np.ndarray:
        for pull in reversed(pulls):
            g = pull(g)
        return g

    return x, back


def _layer(layer: Layer, given: Mapping[str, Any], x: np.ndarray) -> tuple[np.ndarray, Pull]:
    match layer:
        case Shift():
            return x + np.float32(layer.amount), lambda g: g
        case Conv():
            w, bias, s, p = given["weight"].transpose(2, 3, 0, 1), given["bias"], layer.stride, layer.kernel // 2
            shape = x.shape[1:]
            return (
                _gather(x, w, s, p, tuple(-(-side // s) for side in shape)) + bias[:, None, None],
                lambda g: _spread(g, w.swapaxes(2, 3), s, p, shape),
            )
        case Deconv():
            w, bias, s, p = given["weight"].transpose(2, 3, 1, 0), given["bias"], layer.stride, layer.kernel // 2
            shape = x.shape[1:]
            return (
                _spread(x, w, s, p, tuple(side * s for side in shape)) + bias[:, None, None],
                lambda g: _gather(g, w.swapaxes(2, 3), s, p, shape),
            )
        case Depthwise():
            w, p = given["weight"][:, 0], layer.kernel // 2
            return _filtered(x, w, p) + given["bias"][:, None, None], lambda g: _filtered(g, w[:, ::-1, ::-1], p)
        case GDN(inverse=True):
            return _igdn(x, given["beta"], given["gamma"], layer.form == "squared")
        case LeakyReLU():
            slopes = np.where(x > 0, np.float32(1), np.float32(2.0**-layer.shift))
            return x * slopes, lambda g: g * slopes
        case PixelShuffle():
            return _shuffled(x, layer.factor), lambda g: _unshuffled(g, layer.factor)
        case Residual():
            inner = [
                {name.split(".", 1)[1]: array for name, array in given.items() if name.startswith(f"{number}.")}
                for number in range(len(layer.branch))
            ]
            added, pull = values(layer.branch, inner, x)
            return x + added, lambda g: g + pull(g)
        case _:
            raise ValueError(f"{layer} has no derivative here: synthesis networks do without it")


def _product(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(O, C) times (C, H, W)."""
    return np.asarray((w @ x.reshape(len(x), -1)).reshape(len(w), *x.shape[1:]))


def _gather(x: np.ndarray, w: np.ndarray, s: int, p: int, shape: tuple[int, ...]) -> np.ndarray:
    """Taps w (k, k, O, C) over x, which is padded by p in front and by what is missing behind: (O, *shape)."""
    if w.shape[:2] == (1, 1) and s == 1:
        return _product(w[0, 0], x)
    high, wide = shape
    behind = (max(0, s * (side - 1) + len(w) - p - have) for side, have in zip(shape, x.shape[1:], strict=True))
    padded = np.pad(x, [(0, 0), *((p, after) for after in behind)])
    total = np.zeros((w.shape[2], *shape), np.float32)
    for r, c in np.ndindex(*w.shape[:2]):
        seen = padded[:, r : r + s * (high - 1) + 1 : s, c : c + s * (wide - 1) + 1 : s]
        total += _product(w[r, c], np.ascontiguousarray(seen))
    return total


def _spread(x: np.ndarray, w: np.ndarray, s: int, p: int, shape: tuple[int, ...]) -> np.ndarray:
    """Taps w (k, k, O, C) of every sample of x, added up in a plane whose first p rows and columns are cut off."""
    if w.shape[:2] == (1, 1) and s == 1:
        return _product(w[0, 0], x)
    high, wide = x.shape[1:]
    sides = (max(p + side, s * (have - 1) + len(w)) for side, have in zip(shape, x.shape[1:], strict=True))
    plane = np.zeros((w.shape[2], *sides), np.float32)
    for r, c in np.ndindex(*w.shape[:2]):
        plane[:, r : r + s * (high - 1) + 1 : s, c : c + s * (wide - 1) + 1 : s] += _product(w[r, c], x)
    return plane[:, p : p + shape[0], p : p + shape[1]]


def _filtered(x: np.ndarray, w: np.ndarray, p: int) -> np.ndarray:
    """Each channel through its own taps, w (C, k, k)."""
    padded = np.pad(x, [(0, 0), (p, p), (p, p)])
    total = np.zeros_like(x)
    for r, c in np.ndindex(*w.shape[1:]):
        total += w[:, r, c, None, None] * padded[:, r : r + x.shape[1], c : c + x.shape[2]]
    return total


def _igdn(x: np.ndarray, beta: np.ndarray, gamma: np.ndarray, squared: bool) -> tuple[np.ndarray, Pull]:
    """y = x n with n = (beta + gamma x^2)^(1/2) or beta + gamma |x|."""
    norm = _product(gamma, x * x if squared else np.abs(x)) + beta[:, None, None]
    if squared:
        norm = np.sqrt(norm)
        return x * norm, lambda g: g * norm + x * _product(gamma.T, g * x / norm)
    return x * norm, lambda g: g * norm + np.sign(x) * _product(gamma.T, g * x)


def _shuffled(x: np.ndarray, factor: int) -> np.ndarray:
    channels, high, wide = x.shape
    parts = x.reshape(channels // factor**2, factor, factor, high, wide).transpose(0, 3, 1, 4, 2)
    return parts.reshape(-1, high * factor, wide * factor)


def _unshuffled(x: np.ndarray, factor: int) -> np.ndarray:
    channels, high, wide = x.shape
    parts = x.reshape(channels, high // factor, factor, wide // factor, factor).transpose(0, 2, 4, 1, 3)
    return parts.reshape(-1, high // factor, wide // factor)
