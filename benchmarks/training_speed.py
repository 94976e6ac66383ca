"""Images a second in training, beside CompressAI's training example, on one machine with one model.

Command (minutes; nothing else should be running; CompressAI must be importable)::

    python benchmarks/training_speed.py --data shard-00.tar --out docs/benchmarks/training.json

The model is the scale hyperprior of Ballé 2018 with N = 128 and M = 192: CompressAI's ``bmshj2018-hyperprior``
at quality 3, and our balle2018 at its default sizes. Batch, crop, pictures, device and threads are the same.
Each side has a process of its own; their windows take turns, after one of each that is not counted, and the
figures are medians of them. On a machine that others use, ``--clock processor`` counts the processes' own time
instead of the wall's.

CompressAI's side is its own code, from its wheel: ``examples.train`` (``configure_optimizers``,
``train_one_epoch``), ``RateDistortionLoss``, ``ScaleHyperprior``, and ``ImageFolder`` in a DataLoader of four
workers, the example's default. It decodes a picture for each crop (in the workers, whose processor time is not
counted), computes in float32, and steps two Adams, the second for the quantiles. Its random crop and its
conversion to tensors are torchvision's; they are written out here, so that torchvision is not needed.

Ours is the engine's step, as ``latens train`` sets it up: crops of pictures in memory, channels last, freed memory
kept, one Adam, clipping, the moving average. What differs in the model: our prior of z is piecewise linear, and
latents are rounded for the distortion. Logging and checkpoints are in neither.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from settings import cpu

from latens.train import run
from latens.train.memory import keep_freed_memory
from latens.train.options import Options
from latens.train.sources import encoded, shards

PICTURES = 64
THEIRS = "CompressAI's example"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Window = Callable[[], None]


def theirs(folder: Path, batch: int, crop: int, steps: int, device: torch.device, workers: int) -> Window:
    """A window of CompressAI's example over the pictures in ``folder``/train."""
    from compressai.datasets import ImageFolder
    from compressai.losses import RateDistortionLoss
    from compressai.models import ScaleHyperprior
    from examples.train import configure_optimizers, train_one_epoch
    from torch.utils.data import DataLoader

    def transform(picture: Image.Image) -> torch.Tensor:
        left, top = random.randint(0, picture.width - crop), random.randint(0, picture.height - crop)
        pixels = np.array(picture.crop((left, top, left + crop, top + crop)))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float().div(255)

    loader = DataLoader(
        ImageFolder(folder, split="train", transform=transform), batch_size=batch, num_workers=workers,
        shuffle=True, drop_last=True, pin_memory=device.type == "cuda", persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers else None,  # as where the example is started by itself
    )  # fmt: skip

    def endless() -> Iterator[Any]:
        while True:
            yield from loader

    class Part:
        """The next batches, as an epoch."""

        dataset = loader.dataset
        batches = endless()

        def __iter__(self) -> Iterator[Any]:
            return islice(self.batches, steps)

        def __len__(self) -> int:
            return steps

    network = ScaleHyperprior(128, 192).to(device)
    chosen = argparse.Namespace(learning_rate=1e-4, aux_learning_rate=1e-3)
    optimizer, auxiliary = configure_optimizers(network, chosen)
    criterion = RateDistortionLoss(lmbda=1e-2)

    def window() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            train_one_epoch(network, criterion, Part(), optimizer, auxiliary, 0, 1.0)

    return window


def ours(
    folder: Path, batch: int, crop: int, steps: int, device: torch.device, precision: Any, compiled: str
) -> Window:
    """A window of latens' engine over the same pictures."""
    keep_freed_memory()
    options = Options(
        model="balle2018", data=(str(folder / "train"),), batch=batch, crop=crop, precision=precision,
        start="random", lmbda=1e-2, steps=10**6,
    )  # fmt: skip
    engine = run.begin(folder / f"run-{precision}{compiled}", options, run.Setup(device, True, compiled))

    def window() -> None:
        for _ in range(steps):
            engine._train_step()
            engine.step += 1

    return window


def seconds(window: Window, device: torch.device, clock: Callable[[], float]) -> float:
    began = clock()
    window()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began


def side(connection: Connection, label: str, folder: Path, given: argparse.Namespace) -> None:
    """A process: for every word that comes, a window is computed and its seconds are sent back."""
    torch.set_num_threads(given.threads)
    device = run.device_named(given.device)
    common = (folder, given.batch, given.crop, given.steps, device)
    if label == THEIRS:
        window = theirs(*common, given.workers)
    else:
        _, precision, *compiled = label.split(", ")
        window = ours(*common, precision, "inductor" if compiled else "")
    while connection.recv():
        spent = seconds(window, device, CLOCKS[given.clock])
        connection.send((spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measure(labels: list[str], folder: Path, given: argparse.Namespace) -> dict[str, list[float]]:
    """The seconds of every window but the first, for each label."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    for label in labels:
        ends[label], theirs_end = context.Pipe()
        context.Process(target=side, args=(theirs_end, label, folder, given)).start()
        theirs_end.close()
    taken: dict[str, list[float]] = {label: [] for label in labels}
    for turn in range(given.windows + 1):
        for label, end in ends.items():
            end.send(True)
            spent, peak = end.recv()
            print(f"{label}: {spent / given.steps:.3f} s a step, {peak:.0f} MiB", file=sys.stderr, flush=True)
            if turn:
                taken[label].append(spent)
    for end in ends.values():
        end.send(False)
    return taken


def extract(sources: list[str], folder: Path, smallest: int) -> int:
    """Write up to `PICTURES` pictures with no side under ``smallest``, as they are, into ``folder``; how many."""
    folder.mkdir()
    count = 0
    for source in shards(sources):
        for name, data in encoded(source):
            with Image.open(io.BytesIO(data)) as picture:
                if min(picture.size) < smallest:
                    continue
            (folder / f"{count:03d}{Path(name).suffix}").write_bytes(data)
            count += 1
            if count == PICTURES:
                return count
    return count


def main() -> int:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="pictures, as `latens train --data` takes them")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--windows", type=int, default=5, help="a median is taken of at least 5 (default 5)")
    parser.add_argument("--steps", type=int, default=2, help="of a window (default 2)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4, help="of CompressAI's DataLoader (the example's: 4)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--compile", action="store_true", help="ours also with torch.compile")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    if given.windows < 5:
        parser.error(f"--windows {given.windows}: medians are taken of at least 5")
    device, load = run.device_named(given.device), os.getloadavg()[0]
    labels = [THEIRS]
    for precision in dict.fromkeys(("float32", run.precision_named("auto", device))):
        labels += [f"latens, {precision}"] + [f"latens, {precision}, compiled"] * given.compile
    with tempfile.TemporaryDirectory() as name:
        pictures = extract(given.data, Path(name) / "train", given.crop)
        taken = measure(labels, Path(name), given)
    images = given.batch * given.steps
    rates = {label: [round(images / spent, 3) for spent in some] for label, some in taken.items()}
    middle = {label: median(some) for label, some in rates.items()}
    base = middle[THEIRS]
    rows = [
        {"what": label, "images_per_s": middle[label], "times": round(middle[label] / base, 2), "windows": some}
        for label, some in rates.items()
    ]
    for row in rows:
        print(f"{row['what']}: {row['images_per_s']:.3f} images/s, {row['times']:.2f} times CompressAI's")
    if given.out:
        asked = ("batch", "crop", "steps", "windows", "threads", "workers", "clock")
        arguments = " ".join(f"--{name} {getattr(given, name)}" for name in asked)
        report = {
            "command": f"python benchmarks/training_speed.py --data SHARD {arguments}",
            "model": "scale hyperprior, N = 128, M = 192",
            "pictures": pictures,
            "clock": given.clock,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else cpu(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "load": round(load, 2),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("latens", "torch", "compressai", "numpy")},
            "rows": rows,
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
