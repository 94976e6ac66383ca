"""A picture as latents, and latents as a picture: the two ends of the codec, between which symbols are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from latens.bitstream import Container, Header, Tile, pack
from latens.coding import Encoder
from latens.entropy.channels import Encode
from latens.entropy.recall import Recalling
from latens.errors import WeightsError
from latens.pixels import to_network, to_pixels
from latens.weights.package import Weights


class Coded(NamedTuple):
    """A file, and the latents that it brings a decoder."""

    data: bytes
    header: Header
    y_hat: np.ndarray


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
        """The file that a channel makes of latents ``y``, in the form that it takes."""
        weights = self.weights
        encoder = Encoder(weights.tables)
        channel = play(encoder, weights.priors, header.height, header.width, self.networks)
        y_hat = weights.model.code(y, channel)
        tile = Tile(encoder.finish(), channel.check.value)
        return Coded(pack(Container(header, (), (tile,))), header, y_hat)

    def seen(self, file: Coded) -> np.ndarray:
        """The picture that a file brings a decoder, uint8 (H, W, 3)."""
        return synthesised(file.header, self.weights, file.y_hat)


def synthesised(header: Header, weights: Weights, y_hat: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) from decoded latents.

    Raises:
        WeightsError: the synthesis makes no picture of them, or one of no numbers
    """
    x = weights.g_s(restored(header, weights, y_hat))
    sides = tuple(side * weights.model.stride for side in y_hat.shape[2:])
    if x.shape != (1, 3, *sides) or not np.isfinite(x.max() - x.min()):
        raise WeightsError(f"the synthesis of {weights.source} makes no picture of {sides[1]} x {sides[0]} pixels")
    return np.ascontiguousarray(to_pixels(x)[: header.height, : header.width])


def restored(header: Header, weights: Weights, y_hat: np.ndarray) -> np.ndarray:
    """Decoded latents as g_s wants them."""
    gains = weights.gains
    return y_hat if gains is None or header.quality is None else gains.restored(y_hat, header.quality)
