"""What every classic codec offers: bytes from pixels, pixels from bytes, and a ladder of settings.

Encoding and decoding use one thread, so that times compare and pictures can be coded side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from latens.errors import UsageError


class Codec(ABC):
    """One format at fixed options. Stateless: every method may be called from several processes."""

    id: str  # on the command line and in results
    title: str  # for people: format, chroma, encoder
    suffix: str  # of its files, with the dot
    parameter: str  # what its users call the setting: quality, QP, rate
    settings: tuple[float, ...]  # the default ladder, lowest rate first
    bounds: tuple[float, float]  # settings allowed, the lowest rate's first
    whole: bool = True  # settings are whole numbers

    @abstractmethod
    def version(self) -> str:
        """Encoder and decoder with their versions: ``OpenJPEG 2.5.4 (Pillow 13.0.0)``.

        Raises:
            MissingExtraError: the package behind it is not installed; says which extra brings it
        """

    @abstractmethod
    def options(self) -> dict[str, object]:
        """The encoder's options besides the setting, as passed."""

    @abstractmethod
    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        """The file of a picture, uint8 (H, W, 3).

        Raises:
            UsageError: setting out of bounds
            UnsupportedPictureError: the format cannot hold the picture
            MissingExtraError: as `version`
        """

    @abstractmethod
    def decode(self, data: bytes) -> np.ndarray:
        """The picture in a file, uint8 (H, W, 3).

        Raises:
            UnreadablePictureError: damaged, or no such file
            MissingExtraError: as `version`
        """

    def check(self, setting: float) -> float:
        """``setting``, or UsageError with the value and the rule."""
        low, high = sorted(self.bounds)
        if not low <= setting <= high or (self.whole and setting != int(setting)):
            kind = "a whole number" if self.whole else "a number"
            raise UsageError(f"{self.id}: {self.parameter} is {setting:g}, and must be {kind} {low:g} to {high:g}")
        return int(setting) if self.whole else setting
