"""Files of a wanted size, rate or fidelity: the quality is searched for.

Sizes and rates are budgets: the largest file within. Fidelities are demands: the smallest file that meets them.
Both grow with the quality, so it is bisected, in hundredths; the picture is analysed once. On pictures with next
to nothing in them neither need grow: every file that `latens.stairs` chooses from is tried, too. A target is *met*
within 2 %, of MS-SSIM in decibels. Nothing is missed silently: what cannot be met is an error, unless the closest
file is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from latens.codec import DEFAULT_MODEL, MAX_PIXELS, Name
from latens.errors import TargetError, UsageError
from latens.image import PictureSource, read_picture
from latens.latents import Analysed, Coded
from latens.metrics import decibels, ms_ssim, psnr
from latens.runtime import choose
from latens.search import check_effort, coded
from latens.stairs import RUNGS, stairs
from latens.weights.package import load
from latens.weights.shelf import qualities, select

WITHIN = 0.02  # of the target: met
ENOUGH = 0.003  # of the target, on its right side: the search ends
TINY = 1e-9  # decibels
UNITS = {"size": "{:.0f} bytes", "bpp": "{:.4f} bpp", "psnr": "{:.2f} dB of PSNR", "ms_ssim": "{:.5f} of MS-SSIM"}
KINDS = tuple(UNITS)


class Target(NamedTuple):
    """What a file shall reach: ``kind`` is one of `KINDS`."""

    kind: str
    value: float

    @property
    def budget(self) -> bool:
        """Not to be exceeded; the others are not to be fallen short of."""
        return self.kind in ("size", "bpp")

    def check(self) -> Target:
        """Itself; UsageError for a value that means nothing."""
        most = 1.0 if self.kind == "ms_ssim" else float("inf")
        if not 0 < self.value < most:
            rule = "between 0 and 1" if self.kind == "ms_ssim" else "a number above 0"
            raise UsageError(f"target {self.kind} is {self.value:g}, and must be {rule}")
        return self

    def off(self, value: float) -> float:
        """How far a value is from it, relative to it; of MS-SSIM in decibels, as it hardly rises near 1."""
        if self.kind == "ms_ssim":
            return decibels(value) / max(decibels(self.value), TINY) - 1
        return value / self.value - 1

    def said(self, value: float) -> str:
        return UNITS[self.kind].format(value)


class Tried(NamedTuple):
    """A file, and what it reaches in the target's measure."""

    quality: float
    data: bytes
    value: float


def encode_to(
    image: PictureSource,
    *,
    size: float | None = None,
    bpp: float | None = None,
    psnr: float | None = None,
    ms_ssim: float | None = None,
    closest: bool = False,
    model: Name = DEFAULT_MODEL,
    tune: str | None = None,
    effort: int | None = None,
    max_pixels: int = MAX_PIXELS,
    runtime: str | None = None,
    threads: int | None = None,
) -> bytes:
    """Encode a picture as a .ltn file of a wanted size, rate or fidelity; give exactly one.

    Args:
        size: at most so many bytes
        bpp: at most so many bits per pixel
        psnr: at least so many dB, of the decoded 8-bit RGB picture
        ms_ssim: at least so much, below 1
        closest: where the target is out of reach, take the nearest file instead of raising TargetError
        effort: as in `latens.encode`; where no file of that effort meets the target, one of effort 0 may
        image, model, tune, max_pixels, runtime, threads: as in `latens.encode`

    Raises:
        TargetError: no file is within 2 % of the target, on its right side
        UsageError: not one target, or a value that means nothing
        LatensError: what `latens.encode` raises
    """
    given = {"size": size, "bpp": bpp, "psnr": psnr, "ms_ssim": ms_ssim}
    asked = [Target(kind, value).check() for kind, value in given.items() if value is not None]
    if len(asked) != 1:
        raise UsageError(f"{len(asked)} targets are given, and there must be one of {', '.join(KINDS)}")
    check_effort(effort)
    running = choose(runtime, threads)
    picture = read_picture(image, max_pixels=max_pixels)
    picture.warn()
    name = os.fspath(model)
    analysed: dict[os.PathLike[str], Analysed] = {}  # by weights: models of one rate have several

    def analysis(quality: float) -> Analysed:
        path = select(name, quality, tune)
        if path not in analysed:
            analysed[path] = Analysed.of(picture.pixels, load(path, running))
        return analysed[path]

    def tried(quality: float, file: Coded) -> Tried:
        return Tried(quality, file.data, _reached(asked[0], file, analysis(quality)))

    def attempt(quality: float, effort: int | None = effort) -> Tried:
        return tried(quality, coded(analysis(quality), quality, effort))

    ladder = qualities(name, tune)
    found = _bisected(asked[0], attempt) if ladder is None else [attempt(quality) for quality in ladder]
    if ladder is None and effort != 0 and not _met(asked[0], found):  # sizes jump where an effort begins to gain
        found += _bisected(asked[0], lambda quality: attempt(quality, 0))
    flat = stairs(analysis(RUNGS[0])) if ladder is None else None
    if flat is not None:
        found += [tried(step, flat(step)) for step in RUNGS]
    several = "" if ladder is None else f"{name} has {len(ladder)} rate{'s' * (len(ladder) > 1)}; "
    return _chosen(asked[0], found, closest, several).data


def _reached(target: Target, file: Coded, analysed: Analysed) -> float:
    if target.kind == "size":
        return len(file.data)
    if target.kind == "bpp":
        return 8 * len(file.data) / (file.header.width * file.header.height)
    measure = psnr if target.kind == "psnr" else ms_ssim
    return measure(analysed.pixels, analysed.seen(file))


def _bisected(target: Target, attempt: Callable[[float], Tried]) -> list[Tried]:
    """Qualities that close in on the target; the ends are tried only where nothing between them will do."""
    found: list[Tried] = []
    low, high = -1, 10001  # hundredths: of too small a value, of too large a one
    while high - low > 1:
        middle = (low + high) // 2
        found.append(attempt(middle / 100))
        if _within(ENOUGH, target, found[-1]):
            break
        low, high = (middle, high) if found[-1].value < target.value else (low, middle)
    return found


def _within(most: float, target: Target, one: Tried) -> bool:
    """Whether it is on the target's right side, and off by at most so much of it."""
    off = target.off(one.value)
    return -most <= off <= 0 if target.budget else 0 <= off <= most


def _met(target: Target, found: list[Tried]) -> bool:
    return any(_within(WITHIN, target, one) for one in found)


def _chosen(target: Target, found: list[Tried], closest: bool, several: str) -> Tried:
    """The file that meets the target best, or the nearest of all; ``several`` excuses a model of a few rates."""
    right = [one for one in found if (one.value <= target.value if target.budget else one.value >= target.value)]
    best = min(reversed(right or found), key=lambda one: (abs(target.off(one.value)), len(one.data)))
    if closest or _met(target, found):
        return best
    rule = "at most" if target.budget else "at least"
    raise TargetError(
        f"no file of {rule} {target.said(target.value)} and within 2 % of it: {several}the nearest, of quality "
        f"{best.quality:g}, has {target.said(best.value)} (--closest takes it)"
    )
