"""Speed and memory of latens models on one 768x512 picture, at default threads, beside CompressAI's.

Command (minutes; nothing else should be running)::

    python benchmarks/speed.py --data DIR --out docs/benchmarks/speed.json [--model ID ...] [--compressai]

The first 768x512 picture of DIR is taken. First come fresh processes, ``latens encode``, ``latens decode``
and ``latens info`` at every rate point: the wall time from start to exit (Python, imports, weights, files)
and the peak of resident memory as the kernel counted it. Then the library in this process: ``latens.encode``
and ``latens.decode``, entropy coding included, after one call that is not counted. All times are medians of
``--runs``. A model is a shipped one's id or the path of an .ltm file; without ``--model``, all that are shipped.

``--compressai`` times CompressAI's architecture of the same paper in the same way, right after ours, if that
package can be imported: N = M = 192, random weights (its own are a download; its time hardly depends on them).
Calls that take longer than `PATIENCE` seconds get fewer runs, and the report says how many.

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
PATIENCE = 8.0  # seconds of a call from which on it gets `FEW` runs, the first one counted
FEW = 3
ARCHITECTURES = {  # of CompressAI, by the papers they share with ours
    "balle2017": ("bmshj2018-factorized", "FactorizedPrior"),
    "balle2018": ("bmshj2018-hyperprior", "ScaleHyperprior"),
    "minnen2018": ("mbt2018", "JointAutoregressiveHierarchicalPriors"),
}
WIDTH = 192  # its N and M


class Process(NamedTuple):
    """A fresh process: seconds from start to exit and peak resident memory in MB (10^6 bytes)."""

    seconds: float
    peak_mb: float


Fresh = tuple[Process, Process, Process]  # encode, decode and info


class Point(NamedTuple):
    """What was measured at one rate point."""

    name: str
    quality: float
    fingerprint: str  # of the weights
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


def median_seconds(call: Callable[[], Any], runs: int) -> tuple[float, int]:
    """The median wall time of a call after one that is not counted, and of how many; see `PATIENCE`."""
    times = []
    while len(times) < runs + 1:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        if times[0] > PATIENCE and len(times) == FEW:
            return median(times), FEW
    return median(times[1:]), runs


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
) -> list[Fresh]:
    """Fresh encode, decode and info processes at every quality."""
    results = []
    weights = ["--weights", model] if model.endswith(".ltm") else []
    with tempfile.TemporaryDirectory() as folder:
        for quality in qualities:
            file, out = f"{folder}/{quality}.ltn", f"{folder}/{quality}.png"
            encode = ["encode", str(picture), "-o", file, "-q", f"{quality:g}", "--model", model, "-f"]
            results.append(
                (
                    process(encode, runs),
                    process(["decode", file, "-o", out, "-f", *weights], runs),
                    process(["info", file], runs),
                )
            )
    return results


def ladder(model: str) -> list[tuple[str, float]]:
    """The names and qualities of a shipped model's rate points, lowest first; a weights file has one.

    Weights of another tune have the same networks, and the same times.
    """
    from latens.weights.shelf import shipped

    if model.endswith(".ltm"):
        return [(Path(model).stem, 50.0)]
    models = {info.id: info for info in shipped()}
    if model not in models:
        raise UsageError(f"model {model!r}: choose from {', '.join(models)}, or name an .ltm file")
    return sorted(((p.name, sum(p.quality) / 2) for p in models[model].tuned()), key=lambda rung: rung[1])


def measure(model: str, picture: Path, runs: int, processes: list[Fresh]) -> list[Point]:
    """Every rate point of a model through the library, beside its processes."""
    import latens
    image = Image.open(picture).convert("RGB")
    weights = Path(model) if model.endswith(".ltm") else None
    points = []
    for (name, quality), of_processes in zip(ladder(model), processes, strict=True):
        data = latens.encode(image, quality=quality, model=model)
        encode_s, _ = median_seconds(lambda q=quality: latens.encode(image, quality=q, model=model), runs)
        decode_s, _ = median_seconds(lambda d=data: latens.decode(d, weights=weights), runs)
        mark = latens.open(data).header.fingerprint.hex()
        points.append(Point(name, quality, mark, len(data), encode_s, decode_s, *of_processes))
    return points


def measure_compressai(model_id: str, picture: Path, runs: int) -> dict[str, Any] | None:
    """CompressAI's model of the same paper, or None where the package is not installed."""
    try:
        import compressai.models
        import numpy as np
        import torch
    except ImportError:
        return None
    name, architecture = ARCHITECTURES[model_id]
    torch.manual_seed(0)
    network = getattr(compressai.models, architecture)(WIDTH, WIDTH).eval()
    network.update(force=True)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    x = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        coded = network.compress(x)
        encode_s, encode_runs = median_seconds(lambda: network.compress(x), runs)
        decode_s, decode_runs = median_seconds(lambda: network.decompress(coded["strings"], coded["shape"]), runs)
    return {
        "model": f"{name}, N = M = {WIDTH}, random weights",
        "version": version("compressai"),
        "encode_s": encode_s,
        "encode_runs": encode_runs,
        "decode_s": decode_s,
        "decode_runs": decode_runs,
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
    for what in ("encode", "decode"):
        theirs, runs = compressai[f"{what}_s"], compressai[f"{what}_runs"]
        ours = median(getattr(point, f"{what}_s") for point in points)
        console.print(
            f"CompressAI {compressai['version']} {compressai['model']}, {what}: {theirs:.3f} s "
            f"(median of {runs}), {theirs / ours:.2f} times ours ({ours:.3f} s, median of the points)"
        )


def as_json(point: Point) -> dict[str, Any]:
    """A point with its processes as dicts."""
    return {k: v._asdict() if isinstance(v, Process) else v for k, v in point._asdict().items()}


def model_of(model: str) -> str:
    """The id of a model that may be named by its weights."""
    if not model.endswith(".ltm"):
        return model
    from latens.weights.package import load

    return load(Path(model).absolute()).model.id


def main() -> int:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with a 768x512 PNG")
    parser.add_argument("--model", nargs="+", help="model ids or .ltm files (default: all shipped models)")
    parser.add_argument("--runs", type=int, default=7, help="runs a median is taken of, at least 5 (default 7)")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--compressai", action="store_true", help="time CompressAI's models too")
    options = parser.parse_args()
    if options.runs < 5:
        parser.error(f"--runs {options.runs}: medians are taken of at least 5")
    measured: dict[str, dict[str, Any]] = {}
    load = os.getloadavg()[0]
    try:
        picture = find_picture(options.data)
        if options.model is None:
            from latens.weights.shelf import shipped

            options.model = [info.id for info in shipped()]
        fresh = {
            model: measure_processes(model, [quality for _, quality in ladder(model)], picture, options.runs)
            for model in options.model
        }
        for model in options.model:
            points = measure(model, picture, options.runs, fresh[model])
            compared = options.compressai and model_of(model) in ARCHITECTURES
            theirs = measure_compressai(model_of(model), picture, options.runs) if compared else None
            if compared and theirs is None:
                print("CompressAI is not installed: no comparison", file=sys.stderr)
            print_tables(model_of(model), points, theirs)
            measured[model_of(model)] = {"points": [as_json(point) for point in points], "compressai": theirs}
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.out:
        command = f"python benchmarks/speed.py --data DIR --runs {options.runs}"
        report = {
            "command": command + (" --compressai" if options.compressai else ""),
            "picture": picture.name,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "load": round(load, 2),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("latens", "numpy", "onnxruntime", "pillow", "constriction")},
            "models": measured,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
