"""What encoder effort gains, and what it takes: files of every effort from the same pictures.

    python benchmarks/effort.py --data DIR [--model ID | FILE.ltm ...] [--first N] [--crop SIDE] [--quality Q ...]
                                --out docs/benchmarks/effort.json

DIR is a folder of PNG pictures or a tar of pictures; N of them are taken, evenly spread, and of each the middle
SIDE x SIDE pixels. Per model and effort: the mean bytes, bits per pixel and PSNR over the pictures at each
quality, BD-rate against effort 0 (over the range that the curves cover), the mean and the worst change of the
Lagrangian against effort 0, and the mean processor time, analysis included. An effort's time is that of all up to
it, which `latens.search.climbed` goes through one after the other: a little more than its own. Models that are
not named keep their place in the file.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from settings import cpu, limited, versions

from latens.evaluate.bdrate import Curve, bd_rate
from latens.latents import Analysed
from latens.pixels import difference
from latens.runtime import choose
from latens.search import climbed, lagrangian
from latens.weights.package import load
from latens.weights.shelf import select

QUALITIES = (10.0, 35.0, 60.0, 85.0)


def pictures(source: Path, first: int | None, crop: int | None) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3)."""
    if source.is_dir():
        files: list[Any] = sorted(source.glob("*.png"))
    else:
        with tarfile.open(source) as archive:
            files = [
                io.BytesIO(archive.extractfile(member).read())  # type: ignore[union-attr]
                for member in archive if member.isfile()
            ]  # fmt: skip
    for file in files[:: max(1, len(files) // first) if first else 1][:first]:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        side = crop or max(pixels.shape)
        top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
        yield np.ascontiguousarray(pixels[top : top + side, left : left + side])


def measured(model: str, qualities: list[float], given: list[np.ndarray]) -> dict[str, Any]:
    """All efforts of a model, by quality and picture: bytes, bpp, PSNR, Lagrangian, seconds."""
    figures = np.array([[list(_climb(model, quality, pixels)) for pixels in given] for quality in qualities])
    size, bpp, psnr, cost, seconds = np.moveaxis(figures, -1, 0)  # (qualities, pictures, efforts) each
    change = 100 * (cost / cost[..., :1] - 1)
    curves = [
        Curve(f"effort {effort}", bpp.mean(1)[:, effort].tolist(), psnr.mean(1)[:, effort].tolist())
        for effort in range(size.shape[-1])
    ]
    rows = []
    for effort, curve in enumerate(curves):
        found = bd_rate(curves[0], curve, low=20, high=50) if effort else None
        rows.append({
            "effort": effort,
            "bytes": size.mean(1)[:, effort].round(1).tolist(),
            "bpp": [round(value, 5) for value in curve.bpp],
            "psnr": [round(value, 4) for value in curve.quality],
            "bd_rate": round(found.percent, 3) if found else 0.0,
            "range": [round(found.low, 2), round(found.high, 2)] if found else None,
            "lagrangian": round(float(change[..., effort].mean()), 3),
            "worst": round(float(change[..., effort].max()), 3),
            "seconds": round(float(seconds[..., effort].mean()), 3),
        })  # fmt: skip
    weights = load(select(model, 50))
    return {"fingerprint": weights.fingerprint.hex(), "qualities": qualities, "efforts": rows}


def _climb(model: str, quality: float, pixels: np.ndarray) -> Iterator[tuple[float, ...]]:
    weights = load(select(model, quality), choose())
    start = time.process_time()
    analysed = Analysed.of(pixels, weights)
    ladder, spent = climbed(analysed, quality), 0.0
    lmbda = weights.lmbda(analysed.header(quality).quality)
    assert lmbda is not None
    for file in ladder:
        spent += time.process_time() - start
        squares = difference(pixels, analysed.seen(file)) / pixels.size
        cost = lagrangian(file, analysed, lmbda)
        positions = pixels.shape[0] * pixels.shape[1]
        yield len(file.data), 8 * len(file.data) / positions, 10 * math.log10(255**2 / squares), cost, spent
        start = time.process_time()


def show(model: str, found: dict[str, Any]) -> None:
    table = Table(title=f"{model}: qualities {found['qualities']}", title_justify="left")
    for heading in ("effort", "bytes", "PSNR", "BD-rate, %", "L, %", "worst L, %", "CPU s"):
        table.add_column(heading, justify="right")
    for row in found["efforts"]:
        means = (f"{np.mean(row['bytes']):.0f}", f"{np.mean(row['psnr']):.2f}")
        changes = (f"{row[name]:+.2f}" for name in ("bd_rate", "lagrangian", "worst"))
        table.add_row(str(row["effort"]), *means, *changes, f"{row['seconds']:.2f}")
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", nargs="+", default=["balle2018"])
    parser.add_argument("--first", type=int)
    parser.add_argument("--crop", type=int)
    parser.add_argument("--quality", type=float, nargs="+", default=list(QUALITIES))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    limited(1)
    chosen = list(pictures(given.data, given.first, given.crop))
    sizes = sorted({f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in chosen})
    report: dict[str, Any] = {"models": {}}
    if given.out and given.out.exists():
        report = json.loads(given.out.read_text(encoding="utf-8"))
    for model in given.model:
        found = measured(model, given.quality, chosen)
        found |= {
            "pictures": f"{len(chosen)} of {given.data.name}, {', '.join(sizes)}",
            "machine": f"{cpu()}; one thread", "load": round(os.getloadavg()[0], 1), "versions": versions(),
        }  # fmt: skip
        name = Path(model).stem
        report["models"][name] = found
        show(name, found)
        if given.out:
            given.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
