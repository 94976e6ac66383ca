"""Whether targets are met, on pictures that are neither Kodak's nor CLIC's.

    python benchmarks/targets.py [--tar HELD_OUT.tar] [--pictures 50] [--model ID | FILE.ltm] [--out JSON]

Pictures are crops of many sizes of the tar's pictures and of scikit-image's; without --tar, of the latter alone.
Each is encoded for two or three values of all four kinds of target. *met*: on the right side and within 2 %, of
MS-SSIM in decibels.
*refused*: TargetError; counted as right where a search over qualities, in steps of 5, finds no file that would
have met it, and as a miss otherwise. *missed*: a file that does not meet its target: there must be none.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data as samples

import latens
from latens.codec import DEFAULT_MODEL
from latens.errors import TargetError
from latens.latents import Analysed
from latens.metrics import ms_ssim, psnr
from latens.runtime import choose
from latens.search import coded
from latens.targets import WITHIN, Target
from latens.weights.package import load
from latens.weights.shelf import select

SIDES = ((512, 512), (384, 256), (200, 333), (256, 256), (161, 175))  # of the crops, by turns
SAMPLES = ("astronaut", "chelsea", "coffee", "rocket", "colorwheel", "immunohistochemistry", "cat")
VALUES = {  # bits per pixel, dB and MS-SSIM; a size is asked for as the bytes of a rate
    "size": (0.15, 0.6, 1.2),
    "bpp": (0.25, 0.5, 0.9),
    "psnr": (28.0, 32.0, 36.0),
    "ms_ssim": (0.94, 0.97, 0.985),
}


class Outcome(NamedTuple):
    """What became of a target."""

    kind: str
    verdict: str  # met, refused, missed, or refused wrongly
    off: float  # from the target, relative, signed; of a refusal, the nearest quality's
    seconds: float


def originals(tar: Path | None) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3), one after the other."""
    for name in SAMPLES:
        if hasattr(samples, name):
            try:
                yield np.asarray(Image.fromarray(getattr(samples, name)()).convert("RGB"))
            except OSError:  # a sample that is a download: there is no network
                continue
    if tar is None:
        return
    with tarfile.open(tar) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None and member.name.endswith((".avif", ".png", ".jpg")):
                yield np.asarray(Image.open(io.BytesIO(stream.read())).convert("RGB"))


def crops(tar: Path | None, count: int) -> Iterator[np.ndarray]:
    """``count`` pictures, from the middle of the originals; a second round takes other sizes."""
    given = list(originals(tar))
    for k in range(count):
        picture = given[k % len(given)]
        sides = SIDES[(k + k // len(given)) % len(SIDES)]
        height, width = (min(pair) for pair in zip(sides, picture.shape[:2], strict=True))
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        yield np.ascontiguousarray(picture[top : top + height, left : left + width])


def reached(kind: str, data: bytes, pixels: np.ndarray, weights: Path | None) -> float:
    """A file in the measure of a target; it is decoded like any other."""
    if kind in ("size", "bpp"):
        return len(data) if kind == "size" else 8 * len(data) / pixels[..., 0].size
    measure = psnr if kind == "psnr" else ms_ssim
    return measure(pixels, latens.decode(data, output="array", weights=weights))


def met(target: Target, value: float) -> bool:
    """On the right side, and within 2 %."""
    off = target.off(value)
    return -WITHIN <= off <= 0 if target.budget else 0 <= off <= WITHIN


class Reach:
    """What every fifth quality of a picture comes to, in any measure; found out when first asked for."""

    def __init__(self, pixels: np.ndarray, model: str) -> None:
        self.pixels, self.model = pixels, model
        self.files: list[tuple[bytes, np.ndarray]] = []

    def of(self, kind: str) -> list[float]:
        if not self.files:
            analysed = Analysed.of(self.pixels, load(select(self.model, 50), choose()))
            for quality in range(0, 101, 5):
                file = coded(analysed, quality)
                self.files.append((file.data, analysed.seen(file)))
        if kind in ("size", "bpp"):
            return [reached(kind, data, self.pixels, None) for data, _ in self.files]
        return [(psnr if kind == "psnr" else ms_ssim)(self.pixels, came) for _, came in self.files]


def outcome(pixels: np.ndarray, target: Target, model: str, reach: Reach) -> Outcome:
    """One target of one picture."""
    weights = Path(model) if model.endswith(".ltm") else None
    start = time.perf_counter()
    try:
        data = latens.encode_to(pixels, **{target.kind: target.value}, model=model)
    except TargetError:
        seconds = time.perf_counter() - start
        values = reach.of(target.kind)
        nearest = min(map(target.off, values), key=abs)
        wrong = any(met(target, value) for value in values) or min(values) < target.value < max(values)
        return Outcome(target.kind, "refused wrongly" if wrong else "refused", nearest, seconds)
    seconds = time.perf_counter() - start
    value = reached(target.kind, data, pixels, weights)
    return Outcome(target.kind, "met" if met(target, value) else "missed", target.off(value), seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tar", type=Path, help="a tar of pictures")
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model, or an .ltm file")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    found: list[Outcome] = []
    for number, pixels in enumerate(crops(given.tar, given.pictures)):
        reach = Reach(pixels, given.model)
        for kind, values in VALUES.items():
            for value in values:
                wanted = round(value * pixels[..., 0].size / 8) if kind == "size" else value
                found.append(outcome(pixels, Target(kind, wanted), given.model, reach))
                if found[-1].verdict not in ("met", "refused"):
                    size = f"{pixels.shape[1]}x{pixels.shape[0]}"
                    print(f"picture {number}, {size}, {kind} {wanted:g}: {found[-1]}", flush=True)
    headings = ("asked", "met", "out of reach", "refused wrongly", "missed", "furthest", "s, median", "s, most")
    table = Table("target", *headings)
    rows: list[dict[str, Any]] = []
    for kind in VALUES:
        of_kind = [one for one in found if one.kind == kind]
        count = {verdict: sum(one.verdict == verdict for one in of_kind) for verdict in
                 ("met", "refused", "refused wrongly", "missed")}  # fmt: skip
        furthest = max((abs(one.off) for one in of_kind if one.verdict in ("met", "missed")), default=0.0)
        seconds = [one.seconds for one in of_kind]
        rows.append({"kind": kind, **count, "furthest": furthest, "median_s": float(np.median(seconds))})
        cells = (kind, len(of_kind), *count.values(), f"{100 * furthest:.2f} %", f"{np.median(seconds):.2f}")
        table.add_row(*map(str, cells), f"{max(seconds):.2f}")
    Console().print(table)
    print(f"{given.model}, {given.pictures} pictures, load {os.getloadavg()[0]:.1f}")
    if given.out:
        given.out.write_text(json.dumps({"model": given.model, "pictures": given.pictures, "kinds": rows}) + "\n")
    return 1 if any(one.verdict not in ("met", "refused") for one in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
