"""A picture as latents, and latents as a picture: the two ends of the codec, between which symbols are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from latens import wiener
from latens.bitstream import Container, Header, Tile, pack
from latens.coding import Encoder
from latens.entropy.channels import Decode, Encode
from latens.entropy.recall import Recalling
from latens.errors import WeightsError
from latens.pixels import ROWS, to_network, to_pixels
from latens.weights.package import Weights
from latens.wiener import Filter

LATENTS = "y"  # the prior of them, in every model that has filters
MOST = 1 << 23  # samples of a picture that are kept, in case that they are asked for again: 32 MiB


class Coded(NamedTuple):
    """A file, and what it brings a decoder: latents, and perhaps the picture's own filter."""

    data: bytes
    header: Header
    y_hat: np.ndarray
    channel: Encode  # as it was after the latents
    filter: Filter | None = None


@dataclass(frozen=True)
class Analysed:
    """A picture on its way into a file: its latents, (1, M, H/stride, W/stride), before any quality is chosen."""

    y: np.ndarray
    pixels: np.ndarray
    weights: Weights

    @classmethod
    def of(cls, pixels: np.ndarray, weights: Weights) -> Analysed:
        """uint8 (H, W, 3), analysed."""
        return cls(weights.g_a(to_network(pixels, weights.model.stride)), pixels, weights)

    @cached_property
    def networks(self) -> Recalling:
        """The weights' networks, which remember what they said of this picture."""
        return Recalling(self.weights.networks)

    def header(self, quality: float) -> Header:
        """Of the file of a quality 0..100, of which only variable rate takes notice."""
        height, width = self.pixels.shape[:2]
        kept = quality if self.weights.gains else None
        return Header(width, height, self.weights.model.fourcc, self.weights.fingerprint, quality=kept)

    def scaled(self, header: Header) -> np.ndarray:
        """The latents as they are coded in a file."""
        gains = self.weights.gains
        return self.y if gains is None or header.quality is None else gains.scaled(self.y, header.quality)

    def coded(self, header: Header, y: np.ndarray, play: type[Encode] = Encode) -> Coded:
        """The file that a channel makes of latents ``y``, in the form that it takes; without a filter."""
        weights = self.weights
        channel = play(Encoder(weights.tables), weights.priors, header.height, header.width, self.networks)
        y_hat = weights.model.code(y, channel)
        channel.adapted.clear()  # of no use after the latents, and large
        return self._packed(Coded(b"", header, y_hat, channel))

    def filtered(self, file: Coded, found: Filter | None) -> Coded:
        """The same file with another filter, or none."""
        return self._packed(file._replace(filter=found))

    def _packed(self, file: Coded) -> Coded:
        """With the bytes that say the rest."""
        channel = file.channel.branched()
        if self.weights.filters is not None:
            wiener.send(file.filter, self.weights.filters, LATENTS, channel)
        tile = Tile(channel.coder.finish(), channel.check.value)
        return file._replace(data=pack(Container(file.header, (), (tile,))))

    def synthesised(self, file: Coded) -> np.ndarray:
        """What g_s makes of a file's latents, float32 (3, H, W); of the file before, not asked again."""
        if self._last.get("y_hat") is not file.y_hat:
            x = synthesised(file.header, self.weights, file.y_hat)
            if x.size > MOST:
                return x
            self._last.update(y_hat=file.y_hat, x=x)
        return self._last["x"]

    @cached_property
    def _last(self) -> dict[str, np.ndarray]:
        return {}

    def seen(self, file: Coded) -> np.ndarray:
        """The picture that a file brings a decoder, uint8 (H, W, 3)."""
        return pictured(self.synthesised(file), self.weights, file.filter)


def decoded(weights: Weights, channel: Decode) -> tuple[np.ndarray, Filter | None]:
    """What a payload holds: latents, (1, M, H/stride, W/stride), and the picture's own filter."""
    y_hat = weights.model.code(None, channel)
    return y_hat, None if weights.filters is None else wiener.receive(weights.filters, LATENTS, channel)


def synthesised(header: Header, weights: Weights, y_hat: np.ndarray) -> np.ndarray:
    """What g_s makes of decoded latents, float32 (3, H, W): 0..1, but for what overshoots.

    Raises:
        WeightsError: the synthesis makes no picture of them, or one of no numbers
    """
    x = weights.g_s(restored(header, weights, y_hat))
    sides = tuple(side * weights.model.stride for side in y_hat.shape[2:])
    if x.shape != (1, 3, *sides) or not np.isfinite(x.max() - x.min()):
        raise WeightsError(f"the synthesis of {weights.source} makes no picture of {sides[1]} x {sides[0]} pixels")
    return x[0, :, : header.height, : header.width]


def pictured(x: np.ndarray, weights: Weights, found: Filter | None) -> np.ndarray:
    """uint8 (H, W, 3) of what g_s has made, float32 (3, H, W), and of the picture's own filter."""
    if found is None or weights.filters is None:
        pixels = np.empty((*x.shape[1:], 3), np.uint8)
        for row in range(0, len(pixels), ROWS):  # to_pixels uses up what it is given
            pixels[row : row + ROWS] = to_pixels(x[None, :, row : row + ROWS].copy())
        return pixels
    return wiener.filtered(x, weights.filters.taps(found), weights.runtime.threads)


def restored(header: Header, weights: Weights, y_hat: np.ndarray) -> np.ndarray:
    """Decoded latents as g_s wants them."""
    gains = weights.gains
    return y_hat if gains is None or header.quality is None else gains.restored(y_hat, header.quality)
