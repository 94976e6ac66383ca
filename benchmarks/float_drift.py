"""Why probability networks are integers: the same network in float32, and how often its answers differ.

    python benchmarks/float_drift.py --run RUN --data DIR [--out docs/benchmarks/float-drift.json]

RUN is a folder of `latens train` with a hyperprior whose h_s predicts the tables: balle2018, or minnen2018 without
a context. Its h_s, as trained, is evaluated in float32 by ONNX Runtime, OpenVINO, PyTorch and NumPy on what the
pictures of DIR send as z, each under several settings in fresh processes, and in float64 as a reference. The
predictions are then rounded as a coder must: positions in the table of scales to whole numbers, means to 1/64.
Counted are the answers that differ. One other position in a file, and what follows is read with the wrong table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from settings import FIRST, Setting, cpu, in_process, knobs, versions

from latens.entropy.integer import FRACTION, stages
from latens.entropy.planes import convolved, deconvolved
from latens.entropy.scales import COUNT
from latens.errors import LatensError, UsageError
from latens.image import read_picture
from latens.transforms import Deconv, LeakyReLU, Network, Predictions

Arrays = list[dict[str, np.ndarray]]
NUMPY = "numpy"  # beside the runtimes


def under() -> list[tuple[str, Setting]]:
    """What evaluates the network, and the setting of its process: threads first, then instructions or kernels."""
    runtimes, threads, kernels, blas_threads, _, limits = knobs()
    plain = partial(Setting, blas=FIRST, blas_threads=1, numpy="all")
    found: list[tuple[str, Setting]] = []
    for runtime in runtimes:
        found += [(runtime, plain(runtime=runtime, threads=k, limit="all")) for k in threads]
        if runtime != "onnx":  # which obeys no such limit
            found += [(runtime, plain(runtime=runtime, threads=1, limit=limit)) for limit in limits[1:]]
    found += [(NUMPY, Setting("onnx", 1, kernel, 1, "all", "all")) for kernel in kernels]
    return [*found, *((NUMPY, Setting("onnx", 1, FIRST, k, "all", "all")) for k in blas_threads[1:])]


def rounded(predicted: np.ndarray, means: int) -> np.ndarray:
    """int32 (C, H, W): means in steps of 1/64, and positions in the table of scales, as files would need them."""
    whole = np.floor(np.concatenate([predicted[:means] * 2**FRACTION, predicted[means:]]) + 0.5)
    whole[means:] = np.clip(whole[means:], 0, COUNT - 1)
    return np.asarray(whole, np.int32)


# What runs in processes under a setting


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate the network on every z of a job, and write the rounded answers: (pictures, C, H, W) by shape."""
    from latens.runtime import choose, pixel_network
    from latens.systems import MODELS

    description = MODELS[job["model"]](**job["sizes"]).networks()["h_s"]
    means, inside = description[-1].means, description[:-1]  # type: ignore[union-attr]
    graph = Path(job["graph"]).read_bytes()
    if job["by"] == NUMPY:
        arrays, layers = np.load(job["arrays"]), range(len(stages(inside)))
        weights = [{name: arrays[f"{k}.{name}"] for name in ("weight", "bias")} for k in layers]
        network = partial(in_numpy, inside, weights)
    else:
        network = pixel_network(inside, graph, choose())  # type: ignore[assignment]
    sent = np.load(job["z"])
    np.savez(job["out"], **{name: rounded(network(sent[name])[0], means) for name in sent.files})
    return {}


def in_numpy(network: Network, weights: Arrays, z: np.ndarray) -> np.ndarray:
    """The network in plain float32: a matrix product for each tap, as integer networks are evaluated."""
    plane = z[0].transpose(1, 2, 0)
    for stage, given in zip(stages(network), weights, strict=True):
        stacked = given["weight"].reshape(*given["weight"].shape[:2], -1)
        if isinstance(stage.layer, Deconv):
            plane = deconvolved(stage.layer, plane, np.ascontiguousarray(stacked.transpose(2, 0, 1)))
        else:
            plane = convolved(plane, np.ascontiguousarray(stacked.transpose(2, 1, 0)))
        plane = plane + given["bias"]
        if stage.activation is not None:
            slope = 2.0**-stage.activation.shift if isinstance(stage.activation, LeakyReLU) else 0.0
            plane = np.where(plane < 0, plane * np.float32(slope), plane)
    return np.asarray(plane.transpose(2, 0, 1)[None])


# What runs once


def prepare(run: Path, pictures: list[Path], folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What every process needs, and the float64 answers by picture.

    Raises:
        UsageError: a model whose h_s does not predict the tables
    """
    import torch

    from latens.train import checkpoint
    from latens.train.data import to_input
    from latens.train.noise import Trainable
    from latens.train.options import Options
    from latens.train.variable_rate import spread
    from latens.transforms.onnx_graph import to_onnx
    from latens.transforms.torch_modules import arrays

    options = Options.load(run / "options.json")
    module = Trainable(options.build(), options.radius)
    module.load_state_dict(checkpoint.load(run / "checkpoint.pt", torch.device("cpu"))["average"])
    description = module.model.networks().get("h_s", ())
    if not description or not isinstance(description[-1], Predictions):
        raise UsageError(f"run is {options.model} with {options.sizes}, and its h_s must end in predictions")
    weights = arrays(module.networks["h_s"])[:-1]  # type: ignore[arg-type]
    sent, reference = {}, {}
    doubled = Trainable(options.build(), options.radius)
    doubled.load_state_dict(module.state_dict())
    doubled.networks["h_s"].double()
    with torch.no_grad():
        for path, level in zip(pictures, spread(len(pictures), module.model.levels), strict=True):
            pixels = read_picture(path).pixels
            height, width = (side - side % 64 for side in pixels.shape[:2])
            x = to_input(torch.from_numpy(pixels[:height, :width].copy())[None])
            z = module.networks["h_a"](module.latents(x, level[None])).round()
            sent[path.stem] = z.numpy()
            exact = doubled.networks["h_s"](z.double()).numpy()[0]
            reference[path.stem] = rounded(exact, description[-1].means)
    files = {name: folder / name for name in ("h_s.onnx", "z.npz", "arrays.npz")}
    files["h_s.onnx"].write_bytes(to_onnx(description[:-1], weights, "float32"))
    np.savez(files["z.npz"], **sent)
    stored = enumerate(layer for layer in weights if layer)
    np.savez(files["arrays.npz"], **{f"{k}.{name}": a for k, layer in stored for name, a in layer.items()})
    paths = {"graph": str(files["h_s.onnx"]), "z": str(files["z.npz"]), "arrays": str(files["arrays.npz"])}
    job = {"model": options.model, "sizes": options.sizes, "means": description[-1].means, **paths}
    return job, reference


def differing(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], means: int) -> dict[str, int]:
    """Means and positions that differ, and pictures in which a position does."""
    apart = {name: one[name] != other[name] for name in one}
    return {
        "means": sum(int(found[:means].sum()) for found in apart.values()),
        "positions": sum(int(found[means:].sum()) for found in apart.values()),
        "pictures": sum(bool(found[means:].any()) for found in apart.values()),
    }


def measure(run: Path, pictures: list[Path], folder: Path) -> dict[str, Any]:
    """The answers of every setting, beside the reference's and beside the first setting's."""
    job, reference = prepare(run, pictures, folder)
    means = job["means"]
    rows: list[dict[str, Any]] = []
    first: dict[str, np.ndarray] = {}
    for number, (by, setting) in enumerate(track(under(), "evaluating", console=Console(stderr=True))):
        out = folder / f"{number}.npz"
        in_process(Path(__file__), setting, {**job, "by": by, "out": str(out)}, folder)
        with np.load(out) as stored:
            found = dict(stored)
        first = first or found
        threads = setting.blas_threads if by == NUMPY else setting.threads
        shown = {"by": by, "threads": threads, "kernels": setting.blas, "limit": setting.limit}
        versus = {"reference": differing(found, reference, means), "first": differing(found, first, means)}
        rows.append(shown | versus)
    shapes = [answer.shape for answer in reference.values()]
    return {
        "model": job["model"],
        "sizes": job["sizes"],
        "pictures": len(pictures),
        "means": sum(means * h * w for _, h, w in shapes),
        "positions": sum((c - means) * h * w for c, h, w in shapes),
        "settings": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help="folder of a training run")
    parser.add_argument("--data", type=Path, help="folder of PNG pictures")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(json.loads(given.work.read_text()))))
        return 0
    pictures = sorted(given.data.glob("*.png") if given.data else ())
    if not pictures or not given.run:
        parser.error("--run must name a training run, and --data a folder with PNG pictures")
    try:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(given.run, pictures, Path(folder))
    except LatensError as error:
        parser.error(str(error))
    table = Table("by", "threads", "kernels", "limit", "means", "positions", "pictures", "pictures from the first")
    for row in measured["settings"]:
        shown = (row["by"], row["threads"], row["kernels"], row["limit"])
        table.add_row(*map(str, (*shown, *row["reference"].values(), row["first"]["pictures"])))
    totals = (measured[name] for name in ("means", "positions", "pictures"))
    Console().print(table, "of {} means, {} positions, {} pictures".format(*totals))
    if given.out:
        report = {"cpu": cpu(), "versions": versions(), **measured}
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
