"""Write the measured tables into README.md and README.zh-CN.md, from the committed results.

    python benchmarks/tables.py [--check]

The model table comes from the shipped cards, the BD-rates from docs/benchmarks/kodak.json. ``--check`` changes
nothing and exits with 1 if a table is not what the results give.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from latens.weights.shelf import shipped

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "benchmarks" / "kodak.json"
HEADS = {
    "README.md": (
        "| model | quality | bpp | PSNR | MS-SSIM | weights | kMAC/px, both ways |",
        "| BD-rate on Kodak | anchor | PSNR | MS-SSIM |",
    ),
    "README.zh-CN.md": (
        "| 模型 | 质量 | bpp | PSNR | MS-SSIM | 权重 | kMAC/像素(编+解) |",
        "| Kodak 上的 BD-rate | 对照 | PSNR | MS-SSIM |",
    ),
}


def models(head: str) -> str:
    """One row per shipped rate point."""
    rows = [head, "|---|---|--:|--:|--:|--:|--:|"]
    for model in shipped():
        for point in model.points:
            low, high = point.quality
            analysis, synthesis = point.kmac_per_pixel
            rows.append(
                f"| {model.id} | {low:g}-{high:g} | {point.kodak_bpp:.3f} | {point.kodak_psnr:.2f} dB "
                f"| {point.kodak_ms_ssim:.4f} | {point.bytes / 2**20:.1f} MiB | {analysis:g} + {synthesis:g} |"
            )
    return "\n".join(rows)


def bd_rates(head: str) -> str:
    """One row per codec of ours and anchor; the range that was integrated stands beside each figure."""
    rows = [head, "|---|---|--:|--:|"]
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for entry in json.loads(RESULTS.read_text())["bd_rate"]:
        if entry["test"] in {model.id for model in shipped()}:
            cell = f"{entry['percent']:+.1f} % ({entry['low']:.4g}-{entry['high']:.4g} dB)"
            pairs.setdefault((entry["test"], entry["anchor"]), {})[entry["metric"]] = cell
    for (test, anchor), cells in pairs.items():
        rows.append(f"| {test} | {anchor} | {cells.get('PSNR-RGB', '-')} | {cells.get('MS-SSIM', '-')} |")
    return "\n".join(rows)


def filled(name: str, text: str) -> str:
    """``text`` with its tables as the results give them."""
    for mark, table in zip(("models", "bdrate"), (models, bd_rates), strict=True):
        head = HEADS[name][mark == "bdrate"]
        pattern = rf"(<!-- {mark}: [^\n]*-->\n).*?(<!-- /{mark} -->)"
        text, count = re.subn(pattern, f"\\1{table(head)}\n\\2", text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{name} has {count} places for the table {mark!r}, and must have 1")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name in HEADS:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = filled(name, before)
        if after != before:
            stale.append(name)
            if not check:
                path.write_text(after, encoding="utf-8")
    print("changed:" if stale else "nothing to change", *stale)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
