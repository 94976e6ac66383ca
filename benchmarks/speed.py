"""Speed and memory of a latens model on one 768x512 picture, at default threads.

Command (about a minute; nothing else should be running)::

    python benchmarks/speed.py --data DIR --out docs/benchmarks/speed.json [--model ID] [--compressai]

The first 768x512 picture of DIR is taken. First come fresh processes, ``latens encode``, ``latens decode``
and ``latens info`` at every rate point: the wall time from start to exit (Python, imports, weights, files)
and the peak of resident memory as the kernel counted it. Then the library in this process: ``latens.encode``
and ``latens.decode``, entropy coding included, after one call that is not counted. All times are medians of
``--runs``. ``--compressai`` times CompressAI's bmshj2018-factorized in the same way, with random weights (its
own are a download; its time hardly depends on them), if that package can be imported.

The processes run first because Linux hands a child its parent's peak: this process must still be small then.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from PIL import Image
from rich.console import Console
from rich.table import Table

from latens.errors import LatensError, UsageError

SIZE = (768, 512)


class Process(NamedTuple):
    """A fresh process: seconds from start to exit and peak resident memory in MB (10^6 bytes)."""

    seconds: float
    peak_mb: float


class Point(NamedTuple):
    """What was measured at one rate point."""

    name: str
    quality: float
    bytes: int
    encode_s: float
    decode_s: float
    process_encode: Process
    process_decode: Process
    process_info: Process


def find_picture(folder: Path) -> Path:
    """The first 768x512 picture in the folder, by name."""
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            if image.size == SIZE:
                return path
    raise UsageError(f"folder {folder}: no PNG of {SIZE[0]}x{SIZE[1]} pixels in it")


def median_seconds(call: Callable[[], Any], runs: int) -> float:
    """The median wall time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


def process(arguments: list[str], runs: int) -> Process:
    """``latens ARGUMENTS`` in fresh processes: median seconds and the highest peak."""
    program = str(Path(sys.executable).parent / "latens")
    times, peaks = [], []
    for _ in range(runs):
        start = time.perf_counter()
        child = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert child.stderr is not None
        complaint = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        times.append(time.perf_counter() - start)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise UsageError(f"latens {arguments[0]} ended with exit code {child.returncode}: {complaint.strip()}")
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, KiB elsewhere
        peaks.append(usage.ru_maxrss * unit / 1e6)
    return Process(median(times), max(peaks))


def measure_processes(
    model: str, qualities: list[float], picture: Path, runs: int
) -> list[tuple[Process, Process, Process]]:
    """Fresh encode, decode and info processes at every quality."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for quality in qualities:
            file, out = f"{folder}/{quality}.ltn", f"{folder}/{quality}.png"
            encode = ["encode", str(picture), "-o", file, "-q", f"{quality:g}", "--model", model, "-f"]
            results.append(
                (
                    process(encode, runs),
                    process(["decode", file, "-o", out, "-f"], runs),
                    process(["info", file], runs),
                )
            )
    return results


def measure(model_id: str, picture: Path, runs: int) -> list[Point]:
    """Every rate point of a model: processes first, then the library (the module's docstring says why)."""
    import latens

    models = {model.id: model for model in latens.models()}
    if model_id not in models:
        raise UsageError(f"model {model_id!r}: choose from {', '.join(models)}")
    ladder = [(p.name, sum(p.quality) / 2) for p in models[model_id].points]
    ladder.sort(key=lambda rung: rung[1])
    processes = measure_processes(model_id, [quality for _, quality in ladder], picture, runs)
    image = Image.open(picture).convert("RGB")
    points = []
    for (name, quality), of_processes in zip(ladder, processes, strict=True):
        data = latens.encode(image, quality=quality, model=model_id)
        encode_s = median_seconds(lambda q=quality: latens.encode(image, quality=q, model=model_id), runs)
        decode_s = median_seconds(lambda d=data: latens.decode(d), runs)
        points.append(Point(name, quality, len(data), encode_s, decode_s, *of_processes))
    return points


def measure_compressai(picture: Path, runs: int) -> dict[str, Any] | None:
    """CompressAI's bmshj2018-factorized (quality 4: N = 128, M = 192), or None where it is not installed."""
    try:
        import numpy as np
        import torch
        from compressai.zoo import bmshj2018_factorized
    except ImportError:
        return None
    network = bmshj2018_factorized(quality=4, pretrained=False).eval()
    network.update(force=True)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    x = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        coded = network.compress(x)
        encode_s = median_seconds(lambda: network.compress(x), runs)
        decode_s = median_seconds(lambda: network.decompress(coded["strings"], coded["shape"]), runs)
    return {
        "model": "bmshj2018-factorized, quality 4, random weights",
        "version": version("compressai"),
        "encode_s": encode_s,
        "decode_s": decode_s,
    }


def print_tables(model: str, points: list[Point], compressai: dict[str, Any] | None) -> None:
    """One row per rate point, and the ratio to CompressAI."""
    console = Console()
    table = Table(title=f"{model}, {SIZE[0]}x{SIZE[1]}: seconds (peak memory, MB)", title_justify="left")
    table.add_column("point")
    for heading in ("quality", "bytes", "encode", "decode", "latens encode", "latens decode", "latens info"):
        table.add_column(heading, justify="right")
    for point in points:
        fresh = (point.process_encode, point.process_decode, point.process_info)
        table.add_row(
            point.name,
            f"{point.quality:g}",
            str(point.bytes),
            f"{point.encode_s:.3f}",
            f"{point.decode_s:.3f}",
            *(f"{p.seconds:.2f} ({p.peak_mb:.0f})" for p in fresh),
        )
    console.print(table)
    if compressai is None:
        return
    for what in ("encode_s", "decode_s"):
        theirs = compressai[what]
        ours = median(getattr(point, what) for point in points)
        console.print(
            f"CompressAI {compressai['version']} {compressai['model']}, {what[:-2]}: {theirs:.3f} s, "
            f"{theirs / ours:.2f} times ours ({ours:.3f} s, median of the points)"
        )


def main() -> int:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with a 768x512 PNG")
    parser.add_argument("--model", default="balle2017", help="model id (default balle2017)")
    parser.add_argument("--runs", type=int, default=7, help="runs a median is taken of, at least 5 (default 7)")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--compressai", action="store_true", help="time CompressAI's factorized model too")
    options = parser.parse_args()
    if options.runs < 5:
        parser.error(f"--runs {options.runs}: medians are taken of at least 5")
    try:
        picture = find_picture(options.data)
        points = measure(options.model, picture, options.runs)
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    compressai = measure_compressai(picture, options.runs) if options.compressai else None
    if options.compressai and compressai is None:
        print("CompressAI is not installed: no comparison", file=sys.stderr)
    print_tables(options.model, points, compressai)
    if options.out:
        report = {
            "command": f"python benchmarks/speed.py --data DIR --model {options.model} --runs {options.runs}",
            "picture": picture.name,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("latens", "numpy", "onnxruntime", "pillow", "constriction")},
            "points": [
                point._asdict()
                | {key: value._asdict() for key, value in point._asdict().items() if isinstance(value, Process)}
                for point in points
            ],
            "compressai": compressai,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
