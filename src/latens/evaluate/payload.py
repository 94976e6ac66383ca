"""What the report page is made of: curves, BD-rates and pictures as plain data for `latens.evaluate.page`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from latens.errors import LatensError
from latens.evaluate.curves import MeanCurve, compare, shown_as
from latens.evaluate.results import Results

SHOWN_AT_FIRST = ("jpeg", "jpeg2000", "webp", "bpg_444_x265_ycbcr", "vtm")  # of the published curves
KODAK = 24  # pictures, which published curves are means over
DEFAULT_ANCHORS = ("bpg_444_x265_ycbcr", "bpg", "jpeg")  # the first that is there


def payload(results: Results, curves: Sequence[MeanCurve], anchor: str | None, title: str) -> dict[str, Any]:
    """Everything but the pictures.

    Args:
        curves: measured ones first, then published ones, with unique ids
        anchor: of the BD-rates at first view; None chooses the field's usual one
    """
    metrics = metrics_of(curves)
    runs, costs = results.run["runs"], results.run.get("complexity", {})
    ids = [curve.id for curve in curves]
    chosen = anchor or next((name for name in DEFAULT_ANCHORS if name in ids), ids[0])
    return {
        "title": title,
        "dataset": results.run["dataset"],
        "machine": " and ".join(dict.fromkeys(run["machine"] for run in runs)),
        "command": " && ".join(dict.fromkeys(run["command"] for run in runs)),
        "versions": runs[-1]["versions"],
        "notes": _notes(results, curves),
        "default_anchor": chosen,
        "metrics": metrics,
        "codecs": [
            codec(curve, results.run["codecs"].get(curve.id, {}), costs.get(curve.id, {})) for curve in curves
        ],
        "bd": {m["id"]: bd_table(curves, m["id"]) for m in metrics},
        "failures": _failures(results),
        "pictures": [],
    }


def metrics_of(curves: Sequence[MeanCurve]) -> list[dict[str, Any]]:
    """The metrics that any curve has, MS-SSIM in dB in place of the plain one."""
    names = dict.fromkeys(name for curve in curves for name in curve.values if name not in ("bpp", "ms_ssim"))
    found = []
    for name in names:
        title, unit, better, digits = shown_as(name)
        found.append({"id": name, "title": title, "unit": unit, "better": better, "digits": digits})
    return found


def codec(curve: MeanCurve, facts: Mapping[str, Any], complexity: Mapping[str, Any]) -> dict[str, Any]:
    """A codec's entry: what it is, what it costs (of its largest rate point), and its mean curve."""
    points = []
    for k, setting in enumerate(curve.settings):
        point = {name: _number(values[k]) for name, values in curve.values.items()}
        rows = curve.rows.get(setting, ())
        times = {q: sum(getattr(r, q) for r in rows) / len(rows) for q in ("encode_s", "decode_s") if rows}
        points.append({"setting": setting, **point, **{q: _number(t) for q, t in times.items()}})
    known = [complexity[setting] for setting in curve.settings if setting in complexity]
    costs = max(known, key=lambda cost: sum(cost["kmac_per_pixel"]), default=None)
    return {
        "id": curve.id,
        "title": curve.title,
        "published": curve.published,
        "shown": not curve.published or curve.id.removesuffix(" (published)") in SHOWN_AT_FIRST,
        "version": facts.get("version", curve.source),
        "options": options_text(facts.get("options", {})),
        "parameter": facts.get("parameter", ""),
        "kmac": costs["kmac_per_pixel"] if costs else None,
        "parameters": costs["parameters"] if costs else None,
        **{quantity: _number(curve.median(quantity)) for quantity in ("encode_s", "decode_s", "peak_mb")},
        "points": points,
    }


def options_text(options: Mapping[str, Any]) -> str:
    """``subsampling 4:4:4, speed 6``."""
    return ", ".join(
        f"{name} {' '.join(f'{k} {v}' for k, v in value.items()) if isinstance(value, dict) else value}"
        for name, value in options.items()
    )


def bd_table(curves: Sequence[MeanCurve], metric: str) -> dict[str, dict[str, Any]]:
    """Every measured codec against every curve, ``{anchor: {test: result}}``."""
    able = [curve for curve in curves if metric in curve.values]
    table: dict[str, dict[str, Any]] = {}
    for anchor in able:
        entries = table[anchor.id] = {}
        for test in able:
            if test.published or test.id == anchor.id:
                continue
            found = compare(anchor, test, metric)
            if isinstance(found, LatensError):
                entries[test.id] = {"refused": str(found)}
            else:
                entries[test.id] = {
                    "percent": round(found.percent, 3),
                    "low": round(found.low, 4),
                    "high": round(found.high, 4),
                    "shrunk": found.shrunk,
                }
    return table


def _notes(results: Results, curves: Sequence[MeanCurve]) -> list[str]:
    notes = [
        "Rates are sizes of files on the disk, metrics those of the decoded 8-bit pictures; means over pictures "
        "of bpp and of each metric, MS-SSIM in dB after averaging.",
        "Times are wall times of one core, entropy coding and the disk included.",
    ]
    for what, kind in (("machine", "machines"), ("jobs", "numbers of jobs"), ("versions", "versions of packages")):
        if any(run[what] != results.run["runs"][-1][what] for run in results.run["runs"]):
            notes.append(f"Rows come of runs on different {kind}: times may not compare.")
    averaged = {row.picture for curve in curves for rows in curve.rows.values() for row in rows}
    left_out = len(results.run["pictures"]) - len(averaged)
    if left_out:
        notes.append(
            f"Means are over {len(averaged)} pictures: {left_out} more were not coded by every codec at every "
            "setting."
        )
    if any(curve.published for curve in curves) and len(averaged) != KODAK:
        notes.append(f"Published curves are means over the {KODAK} Kodak pictures, these over {len(averaged)}.")
    sizes = {(row.width, row.height) for row in results.rows.values()}
    if len(sizes) > 2 or len({w * h for w, h in sizes}) > 1:
        notes.append("Pictures differ in size; each counts the same in the means.")
    return notes


def _failures(results: Results) -> list[dict[str, str]]:
    unread = [
        {"codec": "", "setting": "", "picture": name, "error": error}
        for name, error in results.run["unreadable"].items()
    ]
    return unread + [
        {"codec": row.codec, "setting": row.setting, "picture": row.picture, "error": row.error}
        for row in results.rows.values()
        if row.error
    ]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
