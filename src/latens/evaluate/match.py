"""Finding the setting at which a codec needs a wanted rate for one picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from latens.classic.base import Codec
from latens.errors import UsageError
from latens.evaluate.codecs import Learned

CLOSE = 0.01  # of the rate: a search over real-valued settings ends there
STEPS = 12  # bisections of real-valued settings at most


class Match(NamedTuple):
    """The file nearest to the wanted rate."""

    setting: float
    data: bytes
    bpp: float


def match(codec: Codec, pixels: np.ndarray, bpp: float, tried: Callable[[float], None] = lambda s: None) -> Match:
    """Encode ``pixels``, uint8 (H, W, 3), with the setting whose file is nearest to ``bpp`` bits per pixel.

    Whole settings are bisected between the codec's bounds, on the premise that rate grows from the first to
    the second; models with a few rate points are tried point by point. ``tried`` hears of every attempt.

    Raises:
        UsageError: ``bpp`` is not above 0
        LatensError: whatever the codec raises
    """
    if not bpp > 0:
        raise UsageError(f"bpp is {bpp:g}, and must be above 0")
    found: dict[float, Match] = {}

    def attempt(setting: float) -> Match:
        if setting not in found:
            tried(setting)
            data = codec.encode(pixels, setting)
            found[setting] = Match(setting, data, 8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
        return found[setting]

    if isinstance(codec, Learned) and not codec.continuous:
        for setting in codec.settings:
            attempt(setting)
    else:
        low, high = codec.bounds  # of the lower rate, of the higher
        for _ in range(64 if codec.whole else STEPS):
            middle = _between(low, high, codec.whole)
            if middle is None:
                break
            found_rate = attempt(middle).bpp
            if not codec.whole and abs(found_rate / bpp - 1) < CLOSE:
                break
            low, high = (middle, high) if found_rate < bpp else (low, middle)
        if codec.whole:
            attempt(low)
            attempt(high)
    return min(found.values(), key=lambda entry: abs(np.log(entry.bpp / bpp)))


def _between(low: float, high: float, whole: bool) -> float | None:
    """The middle: of whole numbers, or geometric for others; None where there is nothing between."""
    if whole:
        middle = (int(low) + int(high)) // 2
        return None if middle in (low, high) else middle
    return float(np.sqrt(low * high)) if low > 0 and high > 0 else (low + high) / 2
