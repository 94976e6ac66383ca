"""Write the measured tables into the documents, from the committed results.

    python benchmarks/tables.py [--check]

PLACES lists the tables. In a document, a table stands between ``<!-- NAME: ... -->`` and ``<!-- /NAME -->``.
Model tables come from the shipped cards, BD-rates and curves from docs/benchmarks/kodak.json, times from
docs/benchmarks/speed.json. ``--check`` changes nothing and exits with 1 if a table is not what the results give.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
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


def result(name: str) -> Any:
    """A committed result; of Kodak, one that was measured with the shipped weights."""
    path = ROOT / RESULTS / name
    if not path.is_file():
        raise SystemExit(f"{RESULTS / name} is missing: docs/benchmarks.md has the command that makes it")
    found = json.loads(path.read_text(encoding="utf-8"))
    for model in shipped() if "methods" in found else ():
        weights = {point.name: point.fingerprint for point in model.points}
        if found["methods"].get(model.id, {}).get("weights") != weights:
            raise SystemExit(f"{RESULTS / name} was not measured with the shipped weights of {model.id}")
    return found


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def models() -> Iterator[str]:
    """One row per shipped rate point: what it reaches and what it costs."""
    for model in shipped():
        for point in model.points:
            low, high = point.quality
            if point.kodak_bpp is None:
                raise SystemExit(
                    f"{model.id} {point.name} has no Kodak figures on its card: "
                    f"python training/ship.py --measured {RESULTS / 'kodak.json'} enters them"
                )
            yield row(
                model.id, f"{low:g}-{high:g}", f"{point.kodak_bpp:.3f}", f"{point.kodak_psnr:.2f} dB",
                f"{point.kodak_ms_ssim:.4f}", f"{point.bytes / 2**20:.1f} MiB",
                "{:g} + {:g}".format(*point.kmac_per_pixel),
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


def bd_rates() -> Iterator[str]:
    """One row per codec of ours and anchor; the range that was integrated stands beside each figure."""
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for entry in result("kodak.json")["bd_rate"]:
        if entry["test"] in {model.id for model in shipped()}:
            cell = f"{entry['percent']:+.1f} % ({entry['low']:.4g}-{entry['high']:.4g} dB)"
            pairs.setdefault((entry["test"], entry["anchor"]), {})[entry["metric"]] = cell
    for (test, anchor), cells in pairs.items():
        yield row(test, anchor, cells.get("PSNR-RGB", "-"), cells.get("MS-SSIM", "-"))


def curves() -> Iterator[str]:
    """One row per codec and setting: the means over the pictures."""
    for codec, curve in result("kodak.json")["methods"].items():
        columns = (curve[quantity] for quantity in ("settings", "bpp", "psnr_rgb_db", "ms_ssim"))
        for setting, bpp, psnr, ms_ssim in zip(*columns, strict=True):
            yield row(codec, setting, f"{bpp:.4f}", f"{psnr:.2f} dB", f"{ms_ssim:.4f}")


def speed() -> Iterator[str]:
    """One row per rate point: the library, and fresh processes with their memory."""
    measured = result("speed.json")
    for point in measured["points"]:
        fresh = (point[f"process_{command}"] for command in ("encode", "decode", "info"))
        yield row(
            point["name"], point["bytes"], f"{point['encode_s']:.3f} s", f"{point['decode_s']:.3f} s",
            *(f"{process['seconds']:.2f} s, {process['peak_mb']:.0f} MB" for process in fresh),
        )  # fmt: skip
    if other := measured["compressai"]:
        name = f"CompressAI {other['version']} {other['model']}"
        yield row(name, "-", f"{other['encode_s']:.3f} s", f"{other['decode_s']:.3f} s", "-", "-", "-")


MODELS = "| model | quality | bpp | PSNR | MS-SSIM | weights | kMAC/px, both ways |"
MODELS_ZH = "| 模型 | 质量 | bpp | PSNR | MS-SSIM | 权重 | kMAC/像素(编+解) |"
BD_RATES = "| BD-rate on Kodak | anchor | PSNR | MS-SSIM |"
BD_RATES_ZH = "| Kodak 上的 BD-rate | 对照 | PSNR | MS-SSIM |"
CARD = "| point | quality | lambda | fingerprint | parameters | kMAC/px, both ways | weights | trained |"
CURVES = "| codec | setting | bpp | PSNR | MS-SSIM |"
SPEED = "| point | bytes | encode | decode | `latens encode` | `latens decode` | `latens info` |"

PLACES = (
    Place("README.md", "models", MODELS, 2, models),
    Place("README.md", "bdrate", BD_RATES, 2, bd_rates),
    Place("README.zh-CN.md", "models", MODELS_ZH, 2, models),
    Place("README.zh-CN.md", "bdrate", BD_RATES_ZH, 2, bd_rates),
    *(Place(f"docs/models/{model.id}.md", "card", CARD, 2, partial(card, model)) for model in shipped()),
    Place("docs/benchmarks.md", "bdrate", BD_RATES, 2, bd_rates),
    Place("docs/benchmarks.md", "curves", CURVES, 2, curves),
    Place("docs/benchmarks.md", "speed", SPEED, 1, speed),
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
