"""Pictures for metrics: photographs from scikit-image, and distortions that need no codec."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

Picture = NDArray[np.uint8]
Distort = Callable[[Picture], Picture]


def coarse(step: int) -> Distort:
    """Values rounded to the middle of steps."""
    return lambda picture: (picture // step * step + step // 2).astype(np.uint8)


def noisy(amplitude: int) -> Distort:
    """Whole numbers up to the amplitude, either sign, added."""

    def distort(picture: Picture) -> Picture:
        noise = np.random.default_rng(7).integers(-amplitude, amplitude + 1, picture.shape)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)

    return distort


def smooth(reach: int) -> Distort:
    """Means over squares of 2 reach + 1, rounded down; the border is repeated outside."""

    def distort(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        side = range(2 * reach + 1)
        x = np.pad(picture.astype(np.int64), ((reach, reach), (reach, reach), (0, 0)), "edge")
        total = sum(x[i : i + height, j : j + width] for i in side for j in side)
        return np.asarray(total // len(side) ** 2).astype(np.uint8)

    return distort


DISTORTIONS: dict[str, Distort] = {
    "coarse 16": coarse(16),
    "coarse 64": coarse(64),
    "noisy 6": noisy(6),
    "noisy 24": noisy(24),
    "smooth 1": smooth(1),
    "smooth 3": smooth(3),
}


@pytest.fixture(scope="session")
def photographs() -> dict[str, Picture]:
    """By name and size: sides that halve evenly, odd ones, and too few pixels for all scales."""
    cat = np.asarray(data.chelsea())
    return {
        "astronaut 512x512": np.asarray(data.astronaut()),
        "cat 451x300": cat,
        "cat 45x63": cat[100:163, 150:195],
        "cat 20x15": cat[100:115, 150:170],
        "cat 8x8": cat[100:108, 150:158],
    }


@pytest.fixture(scope="session")
def pair(photographs: dict[str, Picture]) -> Callable[[str, str], tuple[Picture, Picture]]:
    """A photograph and its distortion, by their names."""

    def named(photograph: str, distortion: str) -> tuple[Picture, Picture]:
        picture = photographs[photograph]
        return picture, DISTORTIONS[distortion](picture)

    return named
