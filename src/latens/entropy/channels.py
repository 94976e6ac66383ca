"""The channels through which a model's latents go: one statement of the probabilities, played three ways.

::

                 y ----> factorised / gaussian / scan ----> y_hat
    Noise        y + U(-1/2, 1/2), and the bits are summed      training   (latens.train.noise)
    Encode       round(y), and the symbols are pushed           coding     (here)
    Decode       symbols are popped; y is None                  coding     (here)

`Model.code` calls these methods and never asks which channel it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from latens.coding import SymbolsCheck
from latens.entropy.adaptive import Adaptive
from latens.errors import WeightsError

if TYPE_CHECKING:  # the training channel needs no entropy coder
    from latens.coding import Decoder, Encoder


class Parameters(NamedTuple):
    """What a conditional prior predicts for each latent.

    scale is the position of the standard deviation in the table of scales (`latens.entropy.scales`).
    Training: both are float tensors. Coding: mean is fixed-point (float32 values that are exact multiples of a
    power of two), scale holds whole numbers; they choose the table, counted from the prior's first.
    A mean of 0.0 stands for zeros of the scale's shape.
    """

    mean: Any
    scale: Any


class Channel(Protocol):
    """What a model may do with its latents.

    ``networks`` are the model's probability networks by name (hyper-transforms, context, parameters): modules
    in training, integer networks in coding.
    """

    networks: Mapping[str, Callable[..., Any]]

    def grid(self, stride: int) -> tuple[int, int]:
        """Rows and columns of the latents at 1/stride: the picture's sides over it, rounded up."""

    def factorised(self, y: Any, prior: str, *, stride: int) -> Any:
        """Independent latents with one table per channel: (B, C, H/stride, W/stride)."""

    def gaussian(
        self, y: Any, prior: str, parameters: Parameters, inside: Any = None, *, adaptive: bool = False
    ) -> Any:
        """Latents that are independent given predicted ``parameters`` of their shape.

        With ``inside``, bool (C, H, W), the others are not coded: they are beyond the picture, and arrive as
        the mean. Of ``adaptive`` calls of one prior and shape, coding corrects the scales by what came before
        (`latens.entropy.adaptive`), if the prior's tables say what is expected.
        """

    def joined(self, parts: Sequence[Any]) -> Any:
        """Arrays (B, C_i, H, W) as one, along the channels."""

    def picked(self, x: Any, channels: np.ndarray) -> Any:
        """Some channels of (B, C, H, W), in the order given; fastest where channels stand together in memory."""

    def scan(
        self,
        y: Any,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> Any:
        """Latents coded in ``steps`` (index tuples); ``predict(y_hat, step)`` may use earlier steps only.

        Training asks once, with the step ``...`` (all positions): causality is then the masks' affair.
        """


class Group(NamedTuple):
    """Latent channels that are coded together, and the contexts that choose among their tables."""

    size: int
    thresholds: tuple[int, ...] = ()  # of `activity`; one table per channel and interval between them


class PriorTables(NamedTuple):
    """Where a prior's tables stand among a model's: from ``first`` on, group by group, context by context.

    Of a conditional prior whose scales adapt, ``magnitudes`` are what is expected (`latens.entropy.adaptive`).
    """

    first: int
    groups: tuple[Group, ...]
    magnitudes: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Latent channels, or tables of a prior without contexts."""
        return sum(group.size for group in self.groups)


def nearest(values: np.ndarray) -> np.ndarray:
    """The symbols (n,) int32 nearest to latents of any shape, or a WeightsError: no network may give others."""
    whole = np.rint(values)
    if whole.size and not max(whole.max(), -whole.min()) < 2**31:  # nor is NaN below anything
        raise WeightsError("the weights make latents of this picture that are no numbers, or too large")
    symbols: np.ndarray = whole.astype(np.int32).ravel()
    return symbols


def activity(busy: np.ndarray) -> np.ndarray:
    """How much happens around each position: 8 times its own count and those of the 3x3 around it.

    busy: integers (..., H, W), how many of the latents coded so far are not 0. Integers all the way.
    """
    padded = np.pad(busy, [(0, 0)] * (busy.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    height, width = busy.shape[-2:]
    around = sum(padded[..., r : r + height, c : c + width] for r in range(3) for c in range(3))
    total: np.ndarray = 8 * busy + around
    return total


class _Coding:
    """What encoding and decoding share: positions, indices and the check of the symbols."""

    def __init__(
        self,
        coder: Any,
        priors: Mapping[str, PriorTables],
        height: int,
        width: int,
        networks: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.coder, self.priors = coder, priors
        self.networks: Mapping[str, Callable[..., Any]] = {} if networks is None else networks
        self.height, self.width = height, width
        self.check = SymbolsCheck()
        self.adapted: dict[str, Adaptive] = {}  # by prior

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _rounded(self, y: np.ndarray, mean: np.ndarray | float, index: np.ndarray) -> np.ndarray:
        """Symbols (n,) int32 of latents around their means; tables index (n,) will code them."""
        return nearest(y - mean)

    def grid(self, stride: int) -> tuple[int, int]:
        return -(-self.height // stride), -(-self.width // stride)

    def factorised(self, y: np.ndarray | None, prior: str, *, stride: int) -> np.ndarray:
        """Group by group, channel by channel, each in raster order.

        The table of a symbol depends on its channel and on the activity of the groups before it, which the
        decoder knows.
        """
        tables = self.priors[prior]
        rows, columns = self.grid(stride)
        q = np.empty((tables.channels, rows, columns), np.int32)
        busy = np.zeros((rows, columns), np.int64)
        table, low = tables.first, 0
        for size, thresholds in tables.groups:
            context = np.searchsorted(np.asarray(thresholds, np.int64), activity(busy))
            index = (table + context * size + np.arange(size)[:, None, None]).ravel()
            high = low + size
            symbols = None if y is None else self._rounded(y[:, low:high], 0.0, index)
            q[low:high] = self._exchange(symbols, index).reshape(size, rows, columns)
            busy += (q[low:high] != 0).sum(0)
            table, low = table + size * (len(thresholds) + 1), high
        return q[None].astype(np.float32)

    def gaussian(
        self,
        y: np.ndarray | None,
        prior: str,
        parameters: Parameters,
        inside: np.ndarray | None = None,
        *,
        adaptive: bool = False,
    ) -> np.ndarray:
        """Symbols relative to the predicted means, in the order of the array; adaptive ones lattice by lattice."""
        expected = self.priors[prior].magnitudes
        if not (adaptive and expected):
            return self._independent(y, prior, parameters, inside)
        mean, scale = parameters
        adapted = self.adapted.setdefault(prior, Adaptive(expected, scale.shape))
        y_hat: np.ndarray = np.empty_like(mean)
        if inside is not None and inside.all():
            inside = None
        for at in adapted.begin(scale):
            own = np.s_[:, :, *at]
            within = None if inside is None else inside[:, *at]
            corrected = Parameters(mean[own], adapted.corrected(at))
            y_hat[own] = self._independent(None if y is None else y[own], prior, corrected, within)
            adapted.see(y_hat[own] - mean[own], at, within)
        return y_hat

    def _independent(
        self, y: np.ndarray | None, prior: str, parameters: Parameters, inside: np.ndarray | None
    ) -> np.ndarray:
        """`gaussian` of scales as they are."""
        if inside is None or inside.all():
            return self._conditional(y, prior, parameters)
        coded = np.broadcast_to(inside, parameters.scale.shape)
        mean = np.broadcast_to(parameters.mean, coded.shape)[coded]
        chosen = Parameters(mean, parameters.scale[coded])
        y_hat = np.array(np.broadcast_to(parameters.mean, coded.shape), np.float32)
        y_hat[coded] = self._conditional(None if y is None else y[:, coded[0]], prior, chosen)
        return y_hat

    def _conditional(self, y: np.ndarray | None, prior: str, parameters: Parameters) -> np.ndarray:
        """Latents of any arrangement under their parameters: all at once."""
        mean, scale = parameters
        index = np.asarray(scale, dtype=np.int32) + self.priors[prior].first
        symbols = None if y is None else self._rounded(y, mean, index.ravel())
        q = self._exchange(symbols, index.ravel())
        y_hat: np.ndarray = q.reshape(index.shape).astype(np.float32) + mean
        return y_hat

    def joined(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts, 1)

    def picked(self, x: np.ndarray, channels: np.ndarray) -> np.ndarray:
        return np.take(x.transpose(0, 2, 3, 1), channels, -1).transpose(0, 3, 1, 2)

    def listed(self, symbols: np.ndarray | None, prior: str, scale: np.ndarray) -> np.ndarray:
        """Symbols (n,) int32 that stand nowhere in the picture, under scales (n,) of a conditional prior."""
        return self._exchange(symbols, scale + self.priors[prior].first)

    def scan(
        self,
        y: np.ndarray | None,
        prior: str,
        steps: Iterable[Any],
        predict: Callable[[Any, Any], Parameters],
        *,
        shape: tuple[int, ...],
    ) -> np.ndarray:
        """Step by step; encoder and decoder predict from the same ``y_hat``, whose channels stand together."""
        batch, channels, rows, columns = shape
        y_hat = np.zeros((batch, rows, columns, channels), np.float32).transpose(0, 3, 1, 2)
        for step in steps:
            y_hat[step] = self._conditional(None if y is None else y[step], prior, predict(y_hat, step))
        return y_hat


class Encode(_Coding):
    """Rounds the latents and pushes the symbols to an encoder."""

    coder: Encoder

    def branched(self) -> Self:
        """One that goes on from here by itself, with symbols that are `listed`; scales that adapt are shared."""
        other = copy(self)
        other.coder, other.check = self.coder.branched(), copy(self.check)
        return other

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        assert symbols is not None
        self.coder.push(symbols, index)
        self.check.see(symbols)
        return symbols


class Decode(_Coding):
    """Pops the symbols from a decoder."""

    coder: Decoder

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        popped = self.coder.pop(index)
        self.check.see(popped)
        return popped
