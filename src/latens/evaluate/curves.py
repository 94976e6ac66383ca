"""Mean curves: from rows, from published files, and into CompressAI's result schema.

A point is the plain mean over pictures of bpp and of each metric; MS-SSIM becomes dB (`ms_ssim_db`) after
averaging, as in the published curves of the field. All codecs are averaged over the same pictures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import chain, count
from pathlib import Path
from statistics import fmean, median
from typing import Any

from latens.errors import LatensError, UsageError
from latens.evaluate.bdrate import PSNR_RANGE, BdRate, Curve, bd_rate
from latens.evaluate.results import Results, Row
from latens.metrics import METRICS, decibels

MS_SSIM_RANGE = (11.0, 19.0)  # dB: where JPEG and JPEG 2000 stand while their PSNR is 28-37 dB
RANGES = {"psnr_rgb": PSNR_RANGE, "ms_ssim_db": MS_SSIM_RANGE}
DERIVED = {"ms_ssim_db": ("MS-SSIM", "dB", "higher", 2)}  # metrics that exist for means only
COMPRESSAI = {"bpp": "bpp", "psnr_rgb": "psnr-rgb", "ms_ssim": "ms-ssim-rgb"}  # our names, theirs
TIMES = {"encode_s": "encoding_time", "decode_s": "decoding_time"}
BUILT_IN = ("kodak",)


@dataclass(frozen=True)
class MeanCurve:
    """A codec's mean curve, lowest rate first."""

    id: str
    title: str
    settings: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]  # bpp and metrics, a value per setting
    published: bool = False
    source: str = ""
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)  # per setting, if measured here

    def curve(self, metric: str) -> Curve:
        """For `bd_rate`."""
        if metric not in self.values:
            raise UsageError(f"{self.id} has no {metric}")
        return Curve(self.id, self.values["bpp"], self.values[metric])

    def median(self, quantity: str) -> float | None:
        """Of a quantity of all its rows, where it was measured."""
        found = [getattr(row, quantity) for rows in self.rows.values() for row in rows]
        found = [value for value in found if math.isfinite(value)]
        return median(found) if found else None


def measured(results: Results) -> list[MeanCurve]:
    """The mean curves of all codecs, over the pictures that every one of them coded at each of its settings.

    Raises:
        UsageError: there is no such picture
    """
    done = [row for row in results.rows.values() if row.usable]
    points = {(row.codec, row.setting) for row in done}
    per_picture: dict[str, set[tuple[str, str]]] = {}
    for row in done:
        per_picture.setdefault(row.picture, set()).add((row.codec, row.setting))
    common = {picture for picture, has in per_picture.items() if has == points}
    if not common:
        raise UsageError(
            f"{results.folder} has no picture that every codec has coded at each of its settings: "
            "run the evaluation to its end"
        )
    curves = []
    for codec, facts in results.run["codecs"].items():
        rows = [row for row in done if row.codec == codec and row.picture in common]
        by_setting: dict[str, tuple[Row, ...]] = {}
        for setting in {row.setting for row in rows}:
            by_setting[setting] = tuple(sorted((r for r in rows if r.setting == setting), key=lambda r: r.picture))
        ordered = sorted(by_setting.items(), key=lambda item: fmean(row.bpp for row in item[1]))
        if ordered:
            names = tuple(name for name, _ in ordered)
            values = _means([group for _, group in ordered])
            curves.append(MeanCurve(codec, facts["title"], names, values, rows=dict(ordered)))
    return curves


def pictures_of(curves: Sequence[MeanCurve]) -> list[str]:
    """The pictures that measured curves are averaged over."""
    return [row.picture for row in next(iter(curves[0].rows.values()))] if curves else []


def _means(groups: Sequence[Sequence[Row]]) -> dict[str, tuple[float, ...]]:
    names = [name for name in groups[0][0].metrics if all(name in row.metrics for g in groups for row in g)]
    values = {"bpp": tuple(fmean(row.bpp for row in group) for group in groups)}
    for name in names:
        values[name] = tuple(fmean(row.metrics[name] for row in group) for group in groups)
    if "ms_ssim" in values:
        known = (math.nan if math.isnan(value) else decibels(value) for value in values["ms_ssim"])
        values["ms_ssim_db"] = tuple(known)  # nan: some picture is too small for five scales
    return values


def published(name: str | Path) -> list[MeanCurve]:
    """Published curves: ``kodak`` (those that come with latens), or a file.

    A file is CompressAI's ``{"name", "results": {"bpp", "psnr-rgb", "ms-ssim-rgb"}}``, or several methods as
    ``{"methods": {NAME: {"bpp", "psnr_rgb_db", "ms_ssim_db", "source"}}}``.

    Raises:
        UsageError: no such file, or none of the two forms
    """
    try:
        if str(name) in BUILT_IN:
            text = (resources.files("latens.evaluate") / "anchors" / f"{name}.json").read_text(encoding="utf-8")
        else:
            text = Path(name).read_text(encoding="utf-8")
        data = json.loads(text)
        methods = data["methods"] if "methods" in data else {data.get("name", Path(name).stem): data["results"]}
        return [_published(method, values) for method, values in methods.items()]
    except OSError as error:
        known = ", ".join(BUILT_IN)
        raise UsageError(f"anchors {name}: {error.strerror or error}; it must be a file or {known}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"anchors {name} cannot be read: {error!r}") from error


def _published(name: str, values: Mapping[str, Any]) -> MeanCurve:
    names = {"bpp": "bpp", "psnr_rgb_db": "psnr_rgb", "psnr-rgb": "psnr_rgb", "psnr": "psnr_rgb"}
    found = {names[key]: values[key] for key in values if key in names}
    ms_ssim = values.get("ms-ssim-rgb", values.get("ms-ssim"))
    if "ms_ssim_db" in values:
        found["ms_ssim_db"] = values["ms_ssim_db"]
    elif ms_ssim is not None:
        found["ms_ssim"], found["ms_ssim_db"] = ms_ssim, [decibels(value) for value in ms_ssim]
    order = sorted(range(len(found["bpp"])), key=lambda k: found["bpp"][k])
    ordered = {key: tuple(float(column[k]) for k in order) for key, column in found.items() if column}
    return MeanCurve(name, name, ("",) * len(order), ordered, published=True, source=values.get("source", ""))


def together(ours: Sequence[MeanCurve], others: Sequence[MeanCurve]) -> list[MeanCurve]:
    """Measured curves, then published ones, renamed as `others_named` says where their name is taken."""
    names = others_named([curve.id for curve in ours], [curve.id for curve in others])
    renamed = [
        replace(curve, id=name, title=curve.title + name.removeprefix(curve.id))
        for name, curve in zip(names, others, strict=True)
    ]
    return [*ours, *renamed]


def others_named(ours: Sequence[str], others: Sequence[str]) -> list[str]:
    """Names for published curves, each another one: ``jpeg``, ``jpeg (published)``, ``jpeg (published 2)`` ..."""
    taken, names = set(ours), []
    for name in others:
        further = (f"{name} (published{f' {k}' if k > 1 else ''})" for k in count(1))
        names.append(next(free for free in chain([name], further) if free not in taken))
        taken.add(names[-1])
    return names


def compare(anchor: MeanCurve, test: MeanCurve, metric: str) -> BdRate | LatensError:
    """BD-rate over the metric's range (`RANGES`), or over all that both cover; or why there is none."""
    title, unit, better, _ = shown_as(metric)
    low, high = RANGES.get(metric, (-math.inf, math.inf))
    try:
        first, second = anchor.curve(metric), test.curve(metric)
        return bd_rate(first, second, low=low, high=high, metric=title, unit=unit, better=better)
    except LatensError as error:
        return error


def metric_title(metric: str) -> str:
    """For people."""
    return shown_as(metric)[0]


def shown_as(metric: str) -> tuple[str, str, str, int]:
    """Title, unit, which is better and digits after the point."""
    if metric in DERIVED:
        return DERIVED[metric]
    known = METRICS[metric]
    return known.title, known.unit, known.better, known.digits


def summary(curve: MeanCurve, version: str, complexity: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The curve as CompressAI writes its results: lists, a value per setting, under its metric names.

    Beside them, the settings, and where known the peak memory and, by setting as ``complexity`` has them,
    multiply-adds per pixel and parameters.
    """
    named = {COMPRESSAI.get(name, name): list(values) for name, values in curve.values.items()}
    times = {
        theirs: [fmean(getattr(row, ours) for row in rows) for rows in curve.rows.values()]
        for ours, theirs in TIMES.items()
    }
    pictures = len(pictures_of([curve]))
    costs: dict[str, Any] = {"peak_memory_mb": curve.median("peak_mb")} if curve.median("peak_mb") else {}
    known = [(complexity or {}).get(setting) for setting in curve.settings]
    if all(known):
        costs |= {name: [cost[name] for cost in known if cost] for name in ("kmac_per_pixel", "parameters")}
    return {
        "name": curve.id,
        "description": f"{curve.title}, {version}, mean over {pictures} pictures",
        "settings": list(curve.settings),
        **costs,
        "results": _plain({**named, **times}),
    }


def _plain(lists: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    """JSON has no infinity and no nan."""
    return {name: [v if math.isfinite(v) else None for v in values] for name, values in lists.items()}


def write_summaries(results: Results, curves: Sequence[MeanCurve]) -> None:
    """summary/CODEC.json for every measured codec."""
    folder = results.folder / "summary"
    folder.mkdir(exist_ok=True)
    for curve in curves:
        facts = results.run["codecs"][curve.id]
        written = summary(curve, facts["version"], results.run.get("complexity", {}).get(curve.id))
        (folder / f"{curve.id}.json").write_text(json.dumps(written, indent=1) + "\n")
