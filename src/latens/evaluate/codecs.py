"""What can be evaluated: classic codecs, the shipped models, and weights files of one's own.

A codec is named by a *spec*: ``jpeg``, ``balle2017``, or ``NAME=FILE.ltm[,FILE.ltm...]`` for the rate points of a
trained model that is not shipped (or not yet), lowest rate first, or for its one file if it has variable rate.
A learned codec may end in ``@EFFORT``, 0 to 9: ``balle2018@9``, ``NAME=FILE.ltm@0``.
Specs are strings, so that worker processes find the same codecs by themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import latens
from latens.classic import CODECS
from latens.classic.base import Codec
from latens.errors import LatensError, UnreadablePictureError, UsageError, WeightsError
from latens.runtime import choose, described
from latens.weights.package import load
from latens.weights.shelf import LADDER

if TYPE_CHECKING:
    from latens.systems import Model


class Complexity(NamedTuple):
    """What a learned codec computes and holds at one setting."""

    kmac_per_pixel: tuple[float, float]  # analysis, synthesis: thousands of multiply-adds
    parameters: int


class Learned(Codec):
    """A model of latens as an evaluation sees it."""

    suffix = ".ltn"
    continuous = False  # whether every setting within the bounds is another rate
    effort: int

    def _named(self, name: str, effort: int | None, default: int) -> str:
        """The id of a codec called ``name``, whose effort is noted; ids tell one that was asked for."""
        self.effort = default if effort is None else effort
        return name if effort is None else f"{name}@{effort}"

    def version(self) -> str:
        return f"latens {latens.__version__} ({described(choose())})"

    def complexity(self, setting: float) -> Complexity | None:
        """At ``setting``; None where it is not known."""
        return None


class Shipped(Learned):
    """A shipped model in a tune; the setting is its quality 0..100, the ladder that of its rate points."""

    parameter = "quality"
    bounds = (0.0, 100.0)
    whole = False

    def __init__(self, name: str, effort: int | None = None) -> None:
        self._info = next(info for info in latens.models() if name in info.codecs)
        self._tune = self._info.codecs[name]
        self._points = self._info.tuned(self._tune)
        self.id = self._named(name, effort, self._info.effort)
        self.title = self.id if self._info.paper == "latens" else f"{self.id} ({self._info.paper})"
        self.settings = tuple(sorted(quality for point in self._points for quality in point.qualities))
        self.continuous = any(point.levels > 1 for point in self._points)

    def options(self) -> dict[str, object]:
        return {"weights": {point.name: point.fingerprint for point in self._points}, "effort": self.effort}

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        quality = self.check(setting)
        return latens.encode(pixels, quality=quality, model=self._info.id, tune=self._tune, effort=self.effort)

    def decode(self, data: bytes) -> np.ndarray:
        return latens.decode(data, output="array")

    def complexity(self, setting: float) -> Complexity:
        point = [point for point in self._points if point.quality[0] <= setting][-1]
        return Complexity(point.kmac_per_pixel, point.parameters)


class Files(Learned):
    """Weights files; the setting counts them, from 0, or is the quality of a single one of variable rate."""

    def __init__(self, name: str, paths: tuple[Path, ...], effort: int | None = None) -> None:
        self.paths = paths
        model = _model(paths[0])
        self.id = self._named(name, effort, model.effort if model else 0)
        alone = len({path.name for path in paths}) == len(paths)
        self._files = {path.name if alone else str(path): path for path in paths}
        self.title = f"{self.id} ({', '.join(self._files)})"
        self.continuous = len(paths) == 1 and model is not None and model.levels > 1
        if self.continuous:
            self.parameter, self.whole = "quality", False
            self.settings, self.bounds = LADDER, (0.0, 100.0)
        else:
            self.parameter = "weights file"
            self.settings, self.bounds = tuple(float(k) for k in range(len(paths))), (0.0, len(paths) - 1.0)

    def options(self) -> dict[str, object]:
        sums = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in self._files.items()}
        return {"sha256": sums, "effort": self.effort}

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        if self.continuous:
            return latens.encode(pixels, model=self.paths[0], quality=self.check(setting), effort=self.effort)
        return latens.encode(pixels, model=self.paths[int(self.check(setting))], effort=self.effort)

    def decode(self, data: bytes) -> np.ndarray:
        for path in self.paths:
            try:
                return latens.decode(data, output="array", weights=path)
            except latens.errors.WeightsError:
                continue
        raise UnreadablePictureError(f"{self.id}: the file was written with none of its {len(self.paths)} weights")


def _model(path: Path) -> Model | None:
    """Of a weights file; None if it cannot be read, which encoding will say."""
    try:
        return load(path.absolute()).model
    except WeightsError:
        return None


def with_effort(spec: str, effort: int | None) -> str:
    """A learned codec's spec with an effort, unless it names one; others, and with None all, as they are.

    Raises:
        UsageError: as `find`
    """
    learned = effort is not None and isinstance(find(spec), Learned)
    return f"{spec}@{effort}" if learned and _effort(spec)[1] is None else spec


def _effort(spec: str) -> tuple[str, int | None]:
    """A spec without its effort, and that."""
    match = re.fullmatch(r"(.+)@(\d)", spec)
    return (match[1], int(match[2])) if match else (spec, None)


@lru_cache
def find(spec: str) -> Codec:
    """The codec of a spec.

    Raises:
        UsageError: there is none of that name, or a weights file is missing
    """
    whole, (spec, effort) = spec, _effort(spec)
    name, given, paths = spec.partition("=")
    if given:
        files = tuple(Path(path) for path in paths.split(","))
        missing = [str(path) for path in files if not path.is_file()]
        if missing or name in (".", "..") or not re.fullmatch(r"[^/\\]+", name):
            what = f"there is no file {missing[0]}" if missing else f"its name is {name!r}"
            rule = "NAME=FILE.ltm[,FILE.ltm...], without / in NAME, which is not . or .."
            raise UsageError(f"codec {whole!r}: {what}; it must be {rule}")
        return Files(name, files, effort)
    if spec in CODECS and effort is None:
        return CODECS[spec]
    models = [name for info in latens.models() for name in info.codecs]
    if spec in models:
        return Shipped(spec, effort)
    known = ", ".join((*CODECS, *models))
    rule = f"one of {known}; or NAME=FILE.ltm,...; learned ones may end in @0 to @9"
    raise UsageError(f"codec is {whole!r}, and must be {rule}")


def by_name(specs: Iterable[str]) -> dict[str, str]:
    """Specs by the id of their codec; UsageError if two have the same."""
    named: dict[str, str] = {}
    for spec in specs:
        name = find(spec).id
        if named.setdefault(name, spec) != spec:
            raise UsageError(f"codecs {named[name]} and {spec} are both called {name}: rename one (NAME=FILE.ltm)")
    return named


def everything() -> tuple[str, ...]:
    """The specs of all codecs that this installation can run."""
    models = tuple(name for info in latens.models() for name in info.codecs)
    return (*(spec for spec in CODECS if runs(CODECS[spec])), *models)


def runs(codec: Codec) -> bool:
    """Whether the packages behind a codec are installed."""
    try:
        codec.version()
    except LatensError:
        return False
    return True


def complexity(codec: Codec, setting: float) -> Complexity | None:
    """Of a learned codec; None for the others."""
    return codec.complexity(setting) if isinstance(codec, Learned) else None
