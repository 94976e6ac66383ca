"""Turn results of `latens eval` into the committed figures: a JSON of curves and BD-rates, and a plot.

    latens eval DIR -o RESULTS
    python benchmarks/publish.py RESULTS docs/benchmarks/kodak

writes docs/benchmarks/kodak.json and docs/benchmarks/kodak.svg; `benchmarks/tables.py` fills the documents'
tables from the JSON. BD-rates are against every codec and published curve of ANCHORS, over PSNR 28-37 dB and
MS-SSIM 11-19 dB, and each states its range. The command that the JSON names is the one that gives all of its rows,
though they may have been measured a few codecs at a time.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latens.errors import LatensError
from latens.evaluate.bdrate import BdRate
from latens.evaluate.codecs import find
from latens.evaluate.curves import MeanCurve, compare, measured, published, together
from latens.evaluate.results import Results
from latens.metrics import METRICS as ALL_METRICS

ANCHORS = ("jpeg", "jpeg2000", "webp", "bpg", "bpg_444_x265_ycbcr", "vtm")
PUBLISHED = ("jpeg", "jpeg2000", "webp", "bpg_444_x265_ycbcr", "vtm")  # drawn and compared with
OURS = {"psnr_rgb": "psnr_rgb_db"}  # names that the JSON has always had
METRICS = ("psnr_rgb", "ms_ssim_db")


def method(curve: MeanCurve, facts: dict[str, Any]) -> dict[str, Any]:
    """A codec's entry: its software, and a list per quantity in the order of its settings."""
    weights = facts["options"].get("weights")
    columns = {OURS.get(name, name): [round(v, 6) for v in values] for name, values in curve.values.items()}
    times = {q: round(value, 4) for q in ("encode_s", "decode_s", "peak_mb") if (value := curve.median(q))}
    return {
        "title": curve.title,
        "software": facts["version"],
        "options": facts["options"],
        **({"weights": weights} if weights else {}),
        "parameter": facts["parameter"],
        "settings": list(curve.settings),
        **columns,
        "median": times,
    }


def command(curves: Sequence[MeanCurve], run: dict[str, Any]) -> str:
    """The `latens eval` that gives these curves at once; folders are nobody's business."""
    words = ["latens", "eval", "DIR", "-o", "RESULTS"]
    more: list[str] = []
    for curve in curves:
        name, at, effort = curve.id.partition("@")
        files = [Path(file).name for file in run["codecs"][curve.id]["options"].get("sha256", ())]
        words += ["--codec", f"{name}={','.join(files)}{at}{effort}" if files else curve.id]
        if not files and {f"{setting:g}" for setting in find(curve.id).settings} != set(curve.settings):
            more += ["--setting", f"{curve.id}={','.join(curve.settings)}"]
    metrics = list(run["metrics"])
    if set(metrics) != {name for name, metric in ALL_METRICS.items() if metric.default}:
        more += [word for name in metrics for word in ("--metric", name)]
    return shlex.join([*words, *more, "--jobs", str(run["runs"][-1]["jobs"])])


def bd_rates(curves: Sequence[MeanCurve]) -> list[dict[str, Any]]:
    """Every measured codec against the anchors; what cannot be compared is left out with a word on stderr."""
    found = []
    anchors = [curve for curve in curves if curve.id.removesuffix(" (published)") in ANCHORS]
    for anchor in anchors:
        for test in curves:
            if test.published or test.id == anchor.id:
                continue
            for metric in METRICS:
                result = compare(anchor, test, metric)
                if isinstance(result, BdRate):
                    found.append(result._asdict() | {"metric": metric, "percent": round(result.percent, 3)})
                else:
                    print(f"{test.id} against {anchor.id}, {metric}: {result}", file=sys.stderr)
    return found


def plot(curves: Sequence[MeanCurve], title: str, path: Path) -> None:
    """PSNR and MS-SSIM over a logarithmic rate; published curves thin and grey."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "latens", "font.size": 9, "svg.fonttype": "path"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    styles = [(0, ()), (0, (4, 1.5)), (0, (1, 1))]
    for axis, metric, label in zip(axes, METRICS, ("PSNR-RGB, dB", "MS-SSIM, dB"), strict=True):
        drawn = 0
        for curve in curves:
            if metric not in curve.values:
                continue
            x, y = curve.values["bpp"], curve.values[metric]
            if curve.published:
                name = f"{curve.title.replace(' (published)', '')}, published"
                axis.plot(x, y, color="0.6", linewidth=0.9, linestyle=styles[drawn % 3], label=name)
            else:
                axis.plot(x, y, marker="o", markersize=2.6, linewidth=1.4, color=f"C{drawn}", label=curve.title)
            drawn += 1
        axis.set(xscale="log", xlim=(0.08, 3), xlabel="bits per pixel", ylabel=label)
        axis.set_ylim(*((24, 42) if metric == "psnr_rgb" else (8, 22)))
        axis.set_xticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
        axis.grid(color="0.92", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("target", type=Path, help="without suffix")
    given = parser.parse_args()
    try:
        results = Results.read(given.results)
        ours = measured(results)
        asked = command(ours, results.run)
        others = [curve for curve in published("kodak") if curve.id in PUBLISHED]
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    curves = together(ours, others)
    last = results.run["runs"][-1]
    document = {
        "dataset": results.run["dataset"],
        "command": asked,
        "versions": last["versions"],
        "machine": last["machine"],
        "averages": "mean over pictures of bpp and of each metric; MS-SSIM in dB after averaging; times: medians",
        "metrics": results.run["metrics"],
        "methods": {curve.id: method(curve, results.run["codecs"][curve.id]) for curve in ours},
        "bd_rate": bd_rates(curves),
    }
    columns = ["codec", "setting", "picture", "bytes", "bpp", *results.run["metrics"]]
    rows = [row.flat() for row in sorted(results.rows.values(), key=lambda row: row.key) if not row.error]
    files = [[round(cells[c], 5) if isinstance(cells[c], float) else cells[c] for c in columns] for cells in rows]
    head = json.dumps({**document, "columns": columns}, indent=1).removesuffix("\n}")
    lines = ",\n  ".join(json.dumps(line, allow_nan=False) for line in files)  # a file a line
    given.target.parent.mkdir(parents=True, exist_ok=True)
    given.target.with_suffix(".json").write_text(f'{head},\n "files": [\n  {lines}\n ]\n}}\n')
    plot(curves, results.run["dataset"], given.target.with_suffix(".svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
