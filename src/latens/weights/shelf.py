"""Which weights there are: found by model and quality when encoding, by fingerprint when decoding."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from latens.errors import UnknownModelError, UsageError, WeightsError

HERE = Path(__file__).parent


TUNED = {"mse": "psnr", "ms-ssim": "ms-ssim"}  # by the metric that weights were trained with
TUNES = tuple(TUNED.values())  # the first unless another is asked for
LADDER = (5.0, 20.0, 35.0, 50.0, 65.0, 80.0, 95.0)  # qualities at which variable rate is measured


class Measured(NamedTuple):
    """Means over the 24 Kodak pictures: files on disk, 8-bit RGB."""

    quality: float
    bpp: float
    psnr: float
    ms_ssim: float


@dataclass(frozen=True)
class RatePoint:
    """One set of shipped weights, of one rate or of variable rate, and what was measured with it."""

    name: str
    quality: tuple[float, float]  # chosen for low <= q < high; the last one also for its high
    lmbda: float  # of the highest rate
    fingerprint: str
    parameters: int
    kmac_per_pixel: tuple[float, float]  # analysis, synthesis
    bytes: int
    training: str
    levels: int = 1  # more than one: every quality is another rate
    tune: str = TUNES[0]
    kodak: tuple[Measured, ...] = ()

    def __post_init__(self) -> None:
        for name in ("quality", "kmac_per_pixel"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "kodak", tuple(Measured(*row) for row in self.kodak))

    @property
    def qualities(self) -> tuple[float, ...]:
        """At which it is measured: the middle of its range, or a ladder over all of it."""
        return LADDER if self.levels > 1 else (sum(self.quality) / 2,)


@dataclass(frozen=True)
class ModelInfo:
    """A model with shipped weights."""

    id: str
    code: str  # FourCC, in files
    title: str
    paper: str
    points: tuple[RatePoint, ...]
    retired: tuple[RatePoint, ...] = ()  # once among the points: files written with them are decoded for ever

    @property
    def effort(self) -> int:
        """Of encoders that are told none."""
        from latens.systems import MODELS  # with which NumPy is loaded: reading a header does without

        return MODELS[self.id].effort

    @property
    def tunes(self) -> tuple[str, ...]:
        """Those of its points."""
        return tuple(tune for tune in TUNES if self.tuned(tune))

    @property
    def codecs(self) -> dict[str, str]:
        """Its tunes by the names that evaluations give them: the model's id, and the id with the other tune."""
        return {self.id if tune == TUNES[0] else f"{self.id}-{tune}": tune for tune in self.tunes}

    def tuned(self, tune: str = TUNES[0]) -> tuple[RatePoint, ...]:
        """The points of a tune: together they have every quality once."""
        return tuple(point for point in self.points if point.tune == tune)


def _card(path: Path) -> ModelInfo:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    lists = {name: tuple(RatePoint(**point) for point in card.get(name, ())) for name in ("points", "retired")}
    return ModelInfo(**{**card, **lists})


@lru_cache(maxsize=1)
def shipped() -> tuple[ModelInfo, ...]:
    """The models in this package that have weights, in the order of their ids."""
    return tuple(_card(path) for path in sorted(HERE.glob("*/card.json")))


def path_of(model: ModelInfo, point: RatePoint) -> Path:
    """The .ltm file of a shipped rate point; a retired one's is named by its fingerprint."""
    return HERE / model.id / f"{point.fingerprint if point in model.retired else point.name}.ltm"


def select(model: str, quality: float, tune: str | None = None) -> Path:
    """The weights that ``model`` encodes with at ``quality`` 0..100; ``model`` may be an .ltm file's path.

    Args:
        tune: one of `TUNES`, by default the first; a file has one, and is asked for no other

    Raises:
        UsageError: quality out of range, no such model, or none of that tune
        WeightsError: a tune is asked of a file that cannot be read
    """
    if not 0 <= quality <= 100:
        raise UsageError(f"quality is {quality:g}, and must be from 0 to 100")
    if model.endswith(".ltm"):
        path = Path(model).absolute()
        if tune is not None and (found := _tune_of(path)) != _known(tune):
            raise UsageError(f"tune is {tune!r}, and {path.name} is tuned for {found}")
        return path
    info, points = _points(model, tune)
    return path_of(info, [point for point in points if point.quality[0] <= quality][-1])


def qualities(model: str, tune: str | None = None) -> tuple[float, ...] | None:
    """The qualities of a model's few rates, or None if every quality is another rate; as `select`.

    Raises:
        UsageError, WeightsError: as `select` and `load`
    """
    if model.endswith(".ltm"):
        from latens.weights.package import load

        return None if load(select(model, 0, tune)).model.levels > 1 else (50.0,)
    _, points = _points(model, tune)
    if any(point.levels > 1 for point in points):
        return None
    return tuple(quality for point in points for quality in point.qualities)


def _points(model: str, tune: str | None) -> tuple[ModelInfo, tuple[RatePoint, ...]]:
    """A shipped model by its id, and its points of a tune; errors as `select`."""
    for info in shipped():
        if info.id == model:
            wanted = _known(tune)
            if points := info.tuned(wanted):
                return info, points
            have = ", ".join(other.id for other in shipped() if wanted in other.tunes) or "no model"
            raise UsageError(
                f"tune is {wanted!r}, and {model} has weights tuned for {', '.join(info.tunes)} only; "
                f"{have} has some for {wanted}"
            )
    known = ", ".join(info.id for info in shipped()) or "none is shipped"
    raise UsageError(f"model is {model!r}, and must be one of: {known}; or the path of an .ltm file")


def _known(tune: str | None) -> str:
    if tune is not None and tune not in TUNES:
        raise UsageError(f"tune is {tune!r}, and must be one of {', '.join(TUNES)}")
    return tune or TUNES[0]


def _tune_of(path: Path) -> str:
    """What a weights file says that it was trained for."""
    from latens.weights.package import load

    return TUNED[load(path).card.get("metric", "mse")]


def describe(code: str, fingerprint: bytes) -> tuple[ModelInfo | None, RatePoint | None]:
    """What is known of a file's model and weights, retired ones included."""
    for info in shipped():
        if info.code == code:
            points = [p for p in (*info.points, *info.retired) if p.fingerprint == fingerprint.hex()]
            return info, points[0] if points else None
    return None, None


def by_fingerprint(code: str, fingerprint: bytes) -> Path:
    """The shipped weights that a file's header names.

    Raises:
        UnknownModelError: no model of that FourCC is shipped
        WeightsError: the model is, with other weights
    """
    info, point = describe(code, fingerprint)
    if info is None:
        known = ", ".join(entry.code for entry in shipped())
        raise UnknownModelError(f"the file's model is {code!r}, and this version knows {known}")
    if point is None:
        raise WeightsError(
            f"the file was written with {info.id} weights {fingerprint.hex()}, which are not among those "
            f"of this version ({', '.join(entry.fingerprint for entry in info.points)}); "
            "weights of your own are named with --weights FILE.ltm"
        )
    return path_of(info, point)
