"""The directions in which the filters of pictures differ (`latens.wiener`), from files of training pictures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from latens.entropy.scales import SMALLEST, STEP
from latens.fitting import Normal, normal
from latens.latents import Analysed
from latens.search import coded
from latens.weights.package import Weights
from latens.wiener import MOST

QUALITIES = (15.0, 40.0, 65.0, 90.0)  # that pictures are coded at, by turns or each
RIDGE = 0.02  # of the mean picture's G, beside a picture's own: what a picture hardly has says little
WIDER = 0.5  # powers of two by which the scales of the numbers are above their spread: a few need far more


def directions(weights: Weights, pictures: Iterable[tuple[np.ndarray, float]]) -> dict[str, np.ndarray]:
    """What an .ltm file says of filters, by name, from uint8 pictures (H, W, 3) and the quality to code each at.

    Taps are measured by what they do to the mean picture, t' L L^T t, with L L^T = G. In that measure, the optimal
    taps of the pictures have principal components (about 0, no filter): these are the directions, the first
    being the one that takes most error away.
    """
    features = weights.model.filtered
    met = [_equations(weights, pixels, quality) for pixels, quality in pictures]
    mean = sum(one.gram / one.pixels for one in met) / len(met)
    lower = np.linalg.cholesky(mean + 1e-7 * np.diag(np.diag(mean)) + 1e-9 * np.eye(features))
    optimal = [np.linalg.solve(one.gram / one.pixels + RIDGE * mean, one.cross / one.pixels) for one in met]
    measured = np.stack([(lower.T @ taps).ravel() for taps in optimal])
    _, spread, components = np.linalg.svd(measured / np.sqrt(len(met)), full_matrices=False)
    count = min(MOST, int((spread > spread[0] * 1e-4).sum()))
    vectors = np.linalg.solve(lower.T[None], components[:count].reshape(count, features, 3))
    scales = np.log(spread[:count] * 2**WIDER / SMALLEST) / STEP
    return {"filters.vectors": vectors.astype(np.float16), "filters.scales": np.rint(scales).astype(np.int16)}


def _equations(weights: Weights, pixels: np.ndarray, quality: float) -> Normal:
    analysed = Analysed.of(pixels, weights)
    return normal(analysed.synthesised(coded(analysed, quality)), pixels, weights.model.filtered)
