"""Whether size and PSNR rise with the quality: on every picture of a folder, and on odd ones.

    python benchmarks/monotone.py [--data DIR] [--model ID | FILE.ltm] [--step 5 | --all] [--out JSON]

Odd pictures are made here: flat, slow ramps, gradients, noise, text, line art, a word on a page, tiny ones.
Qualities go from 0 to 100 in steps of --step, or of 1 with --all. A violation is a quality whose file is smaller,
or whose PSNR (8-bit RGB) is lower, than that of the quality before it; every one is printed, with what is lost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from skimage import data

from latens.codec import DEFAULT_MODEL
from latens.image import read_picture
from latens.latents import Analysed
from latens.metrics import psnr
from latens.runtime import choose
from latens.stairs import steady
from latens.weights.package import load
from latens.weights.shelf import select


class Rung(NamedTuple):
    """What a quality gave."""

    quality: float
    bytes: int
    psnr: float


class Violation(NamedTuple):
    """Two qualities, the second higher, and what fell from one to the other."""

    low: Rung
    high: Rung

    @property
    def bytes(self) -> int:
        """By how many the file is smaller; 0 or less if it is not."""
        return self.low.bytes - self.high.bytes

    @property
    def decibels(self) -> float:
        """By how many the PSNR is lower; 0 or less if it is not."""
        return 0.0 if self.low.psnr == self.high.psnr else self.low.psnr - self.high.psnr

    def __str__(self) -> str:
        said = [f"{self.bytes} bytes of {self.low.bytes}"] if self.bytes > 0 else []
        said += [f"{self.decibels:.4f} dB of {self.low.psnr:.2f}"] if self.decibels > 0 else []
        return f"{self.low.quality:g} to {self.high.quality:g}: loses {' and '.join(said)}"


def odd_pictures(side: int = 256) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pictures, uint8 (side, side, 3) but for the tiny ones."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    for name, colour in (("white", (255,) * 3), ("black", (0,) * 3), ("grey", (119,) * 3), ("red", (200, 30, 90))):
        yield f"flat {name}", np.full((side, side, 3), colour, np.uint8)
    yield "slow ramp", np.repeat((100 + columns * 8 // side)[..., None], 3, -1).astype(np.uint8)
    across, down = 255 * columns // (side - 1), 255 * rows // (side - 1)
    yield "gradient", np.stack([across, down, 255 - across], -1).astype(np.uint8)
    yield "checks of 1", np.repeat((255 * ((rows + columns) % 2))[..., None], 3, -1).astype(np.uint8)
    yield "checks of 9", np.repeat((255 * ((rows // 9 + columns // 9) % 2))[..., None], 3, -1).astype(np.uint8)
    yield "noise", rng.integers(0, 256, (side, side, 3), np.uint8)
    yield "grey noise", np.repeat(rng.integers(0, 256, (side, side, 1), np.uint8), 3, -1)
    yield "a word", drawn(side, lambda pen: pen.text((side // 3, side // 3), "one word", fill="black"))
    yield "text", drawn(side, write)
    yield "line art", drawn(side, draw_lines)
    photograph = np.asarray(data.astronaut())
    yield "photograph", photograph[:side, 100 : 100 + side]
    for height, width in ((1, 1), (1, 97), (8, 8), (37, 51), (64, 64)):
        yield f"photograph of {width}x{height}", photograph[20 : 20 + height, 200 : 200 + width]


def drawn(side: int, draw: Any) -> np.ndarray:
    """What ``draw`` does to a white page."""
    page = Image.new("RGB", (side, side), "white")
    draw(ImageDraw.Draw(page))
    return np.asarray(page)


def write(pen: ImageDraw.ImageDraw) -> None:
    """A page of text."""
    words = "It was the best of times, it was the worst of times, it was the age of wisdom, "
    for line in range(60):
        pen.text((4, 4 + 13 * line), (words * 3)[line:], fill="black")


def draw_lines(pen: ImageDraw.ImageDraw) -> None:
    """Thin ellipses and lines."""
    for k in range(0, 120, 24):
        pen.ellipse((k, k // 2, 250 - k, 250 - k // 2), outline="black")
        pen.line((0, 2 * k, 250, 250 - k), fill="blue")


def ladder(pixels: np.ndarray, weights: Any, qualities: list[float]) -> list[Rung]:
    """What `latens.encode` and `latens.decode` give at each quality; the picture is analysed once."""
    analysed = Analysed.of(pixels, weights)
    file = steady(analysed)
    rungs = []
    for quality in qualities:
        coded = file(quality)
        rungs.append(Rung(quality, len(coded.data), psnr(pixels, analysed.seen(coded))))
    return rungs


def violations(rungs: list[Rung]) -> list[Violation]:
    """Those between neighbours."""
    pairs = [Violation(low, high) for low, high in pairwise(rungs)]
    return [pair for pair in pairs if pair.bytes > 0 or pair.decibels > 0]


def pictures(folder: Path | None) -> Iterator[tuple[str, np.ndarray]]:
    yield from odd_pictures()
    for path in sorted(folder.glob("*.png")) if folder else ():
        yield path.stem, read_picture(path, max_pixels=2**28).pixels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of PNG files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model of variable rate, or an .ltm file")
    parser.add_argument("--step", type=float, default=5.0)
    parser.add_argument("--all", action="store_true", help="steps of 1")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    step = 1.0 if given.all else given.step
    qualities = [round(k * step, 2) for k in range(math.floor(100 / step) + 1)]
    weights = load(Path(select(given.model, 50)), choose())
    table = Table("picture", "bpp", "PSNR", "steps", "violations", "bytes, at most", "dB, at most")
    rows, console = [], Console()
    for name, pixels in pictures(given.data):
        rungs = ladder(pixels, weights, qualities)
        broken = violations(rungs)
        for one in broken:
            console.print(f"{name}: {one}", highlight=False)
        ends = (rungs[0], rungs[-1])
        area = pixels.shape[0] * pixels.shape[1]
        most = [max((getattr(one, what) for one in broken), default=0) for what in ("bytes", "decibels")]
        cells = [" to ".join(f"{8 * end.bytes / area:.3f}" for end in ends)]
        cells += [" to ".join(f"{end.psnr:.2f}" for end in ends), str(len(rungs) - 1), str(len(broken))]
        table.add_row(name, *cells, str(max(0, most[0])), f"{max(0.0, most[1]):.4f}")
        rows.append({"picture": name, "ladder": rungs, "violations": len(broken)})
    console.print(table)
    total = sum(row["violations"] for row in rows)
    console.print(f"{given.model} {weights.fingerprint.hex()}: {total} violations in {len(rows)} pictures")
    if given.out:
        made = {"model": given.model, "fingerprint": weights.fingerprint.hex(), "step": step, "pictures": rows}
        given.out.write_text(json.dumps(made) + "\n")
    return os.EX_OK if not total else 1


if __name__ == "__main__":
    raise SystemExit(main())
