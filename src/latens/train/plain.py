"""Plain ground: photographs have too little of it to teach a codec what pages and drawings are made of."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from latens.train.parallel import ALONE, Share

WHOLE = 0.4  # of the crops that are painted: of the others a side of a straight edge is
GREY, ENDS = 0.6, 0.3  # how many of the colours are grey; and black or white, of those
STREAM = 0x706C  # keeps the random numbers apart from those that cut the crops


def painted(crops: Tensor, part: float, seed: int, step: int, share: Share = ALONE) -> Tensor:
    """Crops (B, side, side, 3) uint8, about ``part`` of them painted over in one colour, wholly or up to an edge.

    What is drawn depends on ``seed`` and ``step`` alone, and is the same for several processes, of whose batch
    these are one's ``share``.
    """
    for crop, k in zip(crops, share.indices(len(crops) * share.parts), strict=True):
        random = np.random.default_rng((seed, step, k, STREAM))
        if random.random() < part:
            inside, colour = torch.from_numpy(_half_plane(random, len(crop))), torch.from_numpy(_colour(random))
            crop[inside.to(crop.device)] = colour.to(crop.device)
    return crops


def _colour(random: np.random.Generator) -> np.ndarray:
    """uint8 (3,)."""
    colour = random.integers(256, size=3)
    if random.random() < GREY:
        colour[:] = random.choice((0, 255)) if random.random() < ENDS else colour[0]
    return colour.astype(np.uint8)


def _half_plane(random: np.random.Generator, side: int) -> np.ndarray:
    """bool (side, side): all of it, or what lies beyond an edge of any direction through any point of it."""
    everywhere, angle, point = random.random() < WHOLE, random.uniform(0, 2 * math.pi), random.uniform(0, side, 2)
    rows, columns = np.ogrid[:side, :side]
    beyond = (rows - point[0]) * math.sin(angle) + (columns - point[1]) * math.cos(angle) > 0
    return np.ones_like(beyond) if everywhere else np.asarray(beyond)
