"""Write the measured tables into the documents, from the committed results.

    python benchmarks/tables.py [--check]

PLACES lists the tables. In a document, a table stands between ``<!-- NAME: ... -->`` and ``<!-- /NAME -->``.
Model tables come from the shipped cards, BD-rates and curves from docs/benchmarks/kodak.json, times from
docs/benchmarks/speed.json, and how settings agree from matrix.json and float-drift.json there. ``--check``
changes nothing and exits with 1 if a table is not what the results give.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from latens.weights.shelf import ModelInfo, shipped

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("docs/benchmarks")


class Place(NamedTuple):
    """Where a table stands, and what makes its rows."""

    document: str
    name: str
    head: str  # numbers are right-aligned: the columns from `numbers` on
    numbers: int
    rows: Callable[[], Iterator[str]]


@lru_cache
def result(name: str) -> Any:
    """A committed result; of Kodak, one that was measured with the shipped weights."""
    path = ROOT / RESULTS / name
    if not path.is_file():
        raise SystemExit(f"{RESULTS / name} is missing: docs/benchmarks.md has the command that makes it")
    found = json.loads(path.read_text(encoding="utf-8"))
    for model in shipped() if "methods" in found else ():
        for codec, tune in model.codecs.items():
            weights = {point.name: point.fingerprint for point in model.tuned(tune)}
            if found["methods"].get(codec, {}).get("weights") != weights:
                raise SystemExit(f"{RESULTS / name} was not measured with the shipped weights of {codec}")
    return found


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def models() -> Iterator[str]:
    """One row per shipped rate point: what it reaches and what it costs."""
    for model in shipped():
        names = {tune: codec for codec, tune in model.codecs.items()}
        for point in model.points:
            if not point.kodak:
                raise SystemExit(
                    f"{model.id} {point.name} has no Kodak figures on its card: "
                    f"python training/ship.py --measured {RESULTS / 'kodak.json'} enters them"
                )
            for measured in point.kodak:
                span = "{:g}-{:g}".format(*point.quality) if point.levels == 1 else f"{measured.quality:g}"
                yield row(
                    names[point.tune], span,
                    f"{measured.bpp:.3f}", f"{measured.psnr:.2f} dB", f"{measured.ms_ssim:.4f}",
                    f"{point.bytes / 2**20:.1f} MiB", "{:g} + {:g}".format(*point.kmac_per_pixel),
                )  # fmt: skip


def card(model: ModelInfo) -> Iterator[str]:
    """One row per rate point of a model: what it is and how it came to be."""
    for point in model.points:
        low, high = point.quality
        yield row(
            point.name, f"{low:g}-{high:g}", f"{point.lmbda:g}", f"`{point.fingerprint}`",
            f"{point.parameters / 1e6:.2f} M", "{:g} + {:g}".format(*point.kmac_per_pixel),
            f"{point.bytes / 2**20:.1f} MiB", point.training,
        )  # fmt: skip


def bd_cell(test: str, anchor: str, metric: str) -> str:
    """One BD-rate; the range that was integrated stands beside it where the curves do not cover all of it."""
    if test == anchor:
        return "0 %"
    for entry in result("kodak.json")["bd_rate"]:
        if (entry["test"], entry["anchor"], entry["metric"]) == (test, anchor, metric):
            shrunk = [entry["low"], entry["high"]] != entry["asked"]
            span = f" ({entry['low']:.4g}-{entry['high']:.4g} dB)" if shrunk else ""
            return f"{entry['percent']:+.1f} %{span}"
    return "-"


def codecs() -> Iterator[str]:
    """One row per measured codec, the best first: BD-rates against BPG, and times."""
    methods = result("kodak.json")["methods"]
    order = {e["test"]: e["percent"] for e in result("kodak.json")["bd_rate"]
             if (e["anchor"], e["metric"]) == (README_ANCHOR, "psnr_rgb")}  # fmt: skip
    for name in sorted(methods, key=lambda name: order.get(name, 0.0)):
        median = methods[name]["median"]
        rates = (bd_cell(name, README_ANCHOR, metric) for metric in ("psnr_rgb", "ms_ssim_db"))
        yield row(methods[name]["title"], *rates, *(f"{median[q]:.2g} s" for q in ("encode_s", "decode_s")))


def bd_rates(metric: str) -> Iterator[str]:
    """One row per measured codec, one column per anchor."""
    for test in result("kodak.json")["methods"]:
        yield row(test, *(bd_cell(test, anchor, metric) for anchor in ANCHORS))


def deviations() -> Iterator[str]:
    """One row per codec that has a published curve: ours against it."""
    for test, anchor in PUBLISHED.items():
        yield row(test, anchor, *(bd_cell(test, anchor, metric) for metric in ("psnr_rgb", "ms_ssim_db")))


def curves() -> Iterator[str]:
    """One row per codec and setting: the means over the pictures."""
    for codec, curve in result("kodak.json")["methods"].items():
        columns = (curve[quantity] for quantity in ("settings", "bpp", "psnr_rgb_db", "ms_ssim", "ssimulacra2"))
        for setting, bpp, psnr, ms_ssim, ssimulacra2 in zip(*columns, strict=True):
            figures = (f"{bpp:.4f}", f"{psnr:.2f} dB", f"{ms_ssim:.4f}", f"{ssimulacra2:.1f}")
            yield row(codec, f"{curve['parameter']} {setting}", *figures)


def speed() -> Iterator[str]:
    """One row per rate point: the library, and fresh processes with their memory."""
    for model, measured in result("speed.json")["models"].items():
        for point in measured["points"]:
            fresh = (point[f"process_{command}"] for command in ("encode", "decode", "info"))
            yield row(
                f"{model} {point['name']}", f"`{point['fingerprint']}`", point["bytes"],
                f"{point['encode_s']:.3f} s", f"{point['decode_s']:.3f} s",
                *(f"{process['seconds']:.2f} s, {process['peak_mb']:.0f} MB" for process in fresh),
            )  # fmt: skip
        if other := measured["compressai"]:
            name = f"CompressAI {other['version']} {other['model']}"
            yield row(name, "-", "-", f"{other['encode_s']:.3f} s", f"{other['decode_s']:.3f} s", "-", "-", "-")


def matrix_total() -> Iterator[str]:
    """One row: what went from every setting to every other."""
    measured = result("matrix.json")
    settings = measured["settings"]
    codecs = ", ".join(f"{name} ({count})" for name, count in measured["codecs"].items())
    writers = sum(setting["encoded"] > 0 for setting in settings)
    total = {name: sum(setting[name] for setting in settings) for name in ("symbols", "mismatching", "refused")}
    yield row(
        codecs, measured["pictures"], f"{writers} x {len(settings)}", f"{total['symbols']:,}",
        total["mismatching"], total["refused"], max(setting["largest"] for setting in settings),
    )  # fmt: skip


def matrix() -> Iterator[str]:
    """One row per setting that decoded: what it ran, and how its symbols and pictures compare."""
    for setting in result("matrix.json")["settings"]:
        found = setting["found"]
        blas = f"{found['blas']}, {found['blas_threads']}" if "blas" in found else setting["blas"]
        yield row(
            setting["runtime"], setting["threads"], setting["limit"], blas, setting["numpy"], setting["decoded"],
            f"{setting['symbols']:,}", setting["mismatching"], setting["refused"],
            f"{setting['moved']:,} of {setting['samples']:,}", setting["largest"],
        )  # fmt: skip


def drift() -> Iterator[str]:
    """One row per setting that evaluated a network of floats: answers that are not those in float64."""
    measured = result("float-drift.json")
    for setting in measured["settings"]:
        reference, first = setting["reference"], setting["first"]
        yield row(
            setting["by"], setting["threads"], setting["limit"], setting["kernels"], reference["positions"],
            reference["means"], f"{reference['pictures']} of {measured['pictures']}",
            f"{first['pictures']} of {measured['pictures']}",
        )  # fmt: skip


def effort() -> Iterator[str]:
    """One row per model and effort: against effort 0, and its time."""
    for model, measured in result("effort.json")["models"].items():
        for rung in measured["efforts"]:
            changes = (f"{rung[name]:+.2f} %" for name in ("bd_rate", "lagrangian", "worst"))
            yield row(model, measured["pictures"], rung["effort"], *changes, f"{rung['seconds']:.2f} s")


MODELS = "| model | quality | bpp | PSNR | MS-SSIM | weights | kMAC/px, g_a + g_s |"
MODELS_ZH = "| 模型 | 质量 | bpp | PSNR | MS-SSIM | 权重 | kMAC/像素（g_a + g_s） |"
README_ANCHOR = "bpg"
ANCHORS = (  # columns of the BD-rate tables
    "jpeg", "jpeg2000", "jpeg2000 (published)", "webp", "bpg", "bpg_444_x265_ycbcr", "vtm",
)  # fmt: skip
PUBLISHED = {  # measured codecs, and what others have published of them
    "jpeg": "jpeg (published)",
    "jpeg2000": "jpeg2000 (published)",
    "webp": "webp (published)",
    "bpg": "bpg_444_x265_ycbcr",
}
CODECS = "| codec | BD-rate against BPG 4:4:4, PSNR 28-37 dB | MS-SSIM 11-19 dB | encode | decode |"
CODECS_ZH = "| 编解码器 | 相对 BPG 4:4:4 的 BD-rate，PSNR 28-37 dB | MS-SSIM 11-19 dB | 编码 | 解码 |"
BD_RATES = f"| against: | {' | '.join(ANCHORS)} |"
DEVIATIONS = "| measured here | published | PSNR, 28-37 dB | MS-SSIM, 11-19 dB |"
CARD = "| point | quality | lambda | fingerprint | parameters | kMAC/px, g_a + g_s | weights | trained |"
CURVES = "| codec | setting | bpp | PSNR | MS-SSIM | SSIMULACRA2 |"
SPEED = "| point | weights | bytes | encode | decode | `latens encode` | `latens decode` | `latens info` |"
MATRIX_TOTAL = "| files of | pictures | settings: write x read | symbols | mismatching | refused | levels apart |"
MATRIX = (
    "| runtime | threads | instructions | OpenBLAS, threads | NumPy | files | symbols | mismatching | refused "
    "| samples that differ | by at most |"
)
DRIFT = (
    "| float32 by | threads | instructions | OpenBLAS | positions that differ | means that differ "
    "| pictures with a position that differs | lost if the first had written them |"
)
EFFORT = "| model | pictures | effort | BD-rate | L | worst L | encode |"

PLACES = (
    Place("README.md", "models", MODELS, 2, models),
    Place("README.md", "codecs", CODECS, 1, codecs),
    Place("README.zh-CN.md", "models", MODELS_ZH, 2, models),
    Place("README.zh-CN.md", "codecs", CODECS_ZH, 1, codecs),
    *(Place(f"docs/models/{model.id}.md", "card", CARD, 2, partial(card, model)) for model in shipped()),
    Place("docs/benchmarks.md", "bdrate-psnr", BD_RATES, 1, partial(bd_rates, "psnr_rgb")),
    Place("docs/benchmarks.md", "bdrate-ms-ssim", BD_RATES, 1, partial(bd_rates, "ms_ssim_db")),
    Place("docs/benchmarks.md", "deviations", DEVIATIONS, 2, deviations),
    Place("docs/benchmarks.md", "curves", CURVES, 2, curves),
    Place("docs/benchmarks.md", "speed", SPEED, 1, speed),
    Place("docs/matrix.md", "matrix-total", MATRIX_TOTAL, 1, matrix_total),
    Place("docs/matrix.md", "matrix", MATRIX, 5, matrix),
    Place("docs/matrix.md", "drift", DRIFT, 4, drift),
    Place("docs/effort.md", "effort", EFFORT, 2, effort),
)


def filled(place: Place, text: str) -> str:
    """``text`` with the table of ``place`` as the results give it."""
    columns = place.head.count("|") - 1
    rule = "|" + "---|" * place.numbers + "--:|" * (columns - place.numbers)
    table = "\n".join((place.head, rule, *place.rows()))
    pattern = rf"(<!-- {place.name}: [^\n]*-->\n).*?(<!-- /{place.name} -->)"
    text, count = re.subn(pattern, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{place.document} has {count} places for the table {place.name!r}, and must have 1")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    before = {place.document: (ROOT / place.document).read_text(encoding="utf-8") for place in PLACES}
    after = dict(before)
    for place in PLACES:
        after[place.document] = filled(place, after[place.document])
    stale = [document for document in before if after[document] != before[document]]
    for document in () if check else stale:
        (ROOT / document).write_text(after[document], encoding="utf-8")
    print(("not as the results give it:" if check else "changed:") if stale else "nothing to change", *stale)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
