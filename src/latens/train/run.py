"""One slice of a training run, from the command line's words to an exported model."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latens import lock
from latens.errors import ExistsError, OptionsError, TrainingError, UsageError
from latens.train.engine import Engine
from latens.train.options import Options, Precision, Storage
from latens.train.parallel import Processes

COUNTED_TILES = 400  # training pictures on which the exported tables' symbols are counted


def device_named(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rule = f"device is {name!r}, and must be auto, cpu or cuda"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(f"{rule}: {error}") from error
    if device.type not in ("cpu", "cuda"):
        raise TrainingError(rule)
    found = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= found:
        raise TrainingError(f"device is {name!r}, and PyTorch finds {found} CUDA devices here")
    return device


def precision_named(name: str, device: torch.device) -> Precision:
    """``auto`` is bfloat16 where the device computes with it natively."""
    if name in ("float32", "bfloat16"):
        return name  # type: ignore[return-value]
    if name != "auto":
        raise OptionsError(f"precision is {name!r}, and must be auto, float32 or bfloat16")
    if device.type == "cpu":  # oneDNN has kernels for these; elsewhere bfloat16 is converted back and forth
        probes = (getattr(torch.cpu, f"_is_{feature}_supported", None) for feature in ("avx512_bf16", "amx_tile"))
        native = any(probe is not None and probe() for probe in probes)
    else:
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if native else "float32"


class Setup(NamedTuple):
    """How a slice is computed and shown: no choice of the run, whose next slice may be under another."""

    device: torch.device
    quiet: bool = False
    compiled: str = ""  # the backend of ``torch.compile``, if one is to compute the networks


def begin(
    run: Path, options: Options, setup: Setup, source: Path | None = None, priors: Path | None = None
) -> Engine:
    """A new run in the folder ``run``, which is empty or absent, or starts from the run ``source``.

    Its probability networks start from those of ``priors`` where that is given too.
    """
    options.check()
    processes = Processes(setup.device)
    processes.from_first(lambda: _refuse(run))
    engine = Engine(run, options, processes, setup.quiet, setup.compiled)
    if source is None:
        engine.start()
    else:
        engine.start_from(source, priors)
    processes.from_first(lambda: _refuse(run))  # that took time, in which another one may have begun
    if processes.first:
        run.mkdir(parents=True, exist_ok=True)
        options.save(run / "options.json")
    engine.save()
    return engine


def _refuse(run: Path) -> None:
    if lock.holds_more(run):
        raise ExistsError(f"{run} is not empty: --resume {run} goes on with a run, --out starts in a new folder")


def sizes_of(source: Path, model: str) -> dict[str, Any]:
    """The sizes in another run's folder or in an .ltm file, if they are of the same model."""
    if source.suffix == ".ltm":
        from latens.weights.package import load

        card = load(source.absolute()).card
        return dict(card["sizes"]) if card["model"] == model else {}
    there = Options.load(source / "options.json")
    return there.sizes if there.model == model else {}


def resume(
    run: Path,
    setup: Setup,
    steps: int | None = None,
    data: tuple[str, ...] = (),
    validation: tuple[str, ...] = (),
    workers: int | None = None,
) -> Engine:
    """Go on with a run; pictures may lie elsewhere now, and it may be extended to more steps.

    Nothing is written before the engine trains, which it does if no other process trains this run.
    """
    processes = Processes(setup.device)
    options = processes.from_first(lambda: Options.load(run / "options.json"))
    if data:
        options = dataclasses.replace(options, data=data)
    if validation:
        options = dataclasses.replace(options, validation=validation)
    if workers is not None:
        if not options.stream:
            raise UsageError(f"--workers needs --stream, and {run} began without it")
        options = dataclasses.replace(options, workers=workers)
    if steps is not None:
        if steps < options.steps:
            raise TrainingError(f"steps is {steps}, and must be at least the run's {options.steps}")
        options = dataclasses.replace(options, steps=steps)
    engine = Engine(run, options.check(), processes, setup.quiet, setup.compiled)
    engine.resume()
    return engine


def finish(engine: Engine, storage: Storage) -> dict[str, Any]:
    """Export a trained engine's averaged weights as ``model.ltm``, which only the first process does.

    Returns what was reached, which `Engine.train` has measured.
    """
    result: dict[str, Any] = {
        "run": str(engine.run),
        "step": engine.step,
        "steps": engine.options.steps,
        "skipped": engine.skipped,
        "seconds": round(engine.seconds, 1),
    }
    if engine.reached:
        result["validation"] = engine.reached
    if not engine.processes.first:
        return result
    engine.average.apply(engine.module)
    module = engine.module.to("cpu").eval()
    counted = engine.pictures.some(COUNTED_TILES)
    side = min(512, *(min(picture.shape[:2]) for picture in counted.pictures))
    side -= side % module.model.stride
    effort = engine.history.and_then(engine.step, engine.seconds)
    card = {
        "lmbda": engine.options.lmbda,
        "lmbdas": engine.options.mse_lambdas(),
        "metric": engine.options.metric,
        "training": f"{effort} on {engine.device.type}",
        "effort": effort,
    }
    try:
        from latens.train.export import export
    except ImportError as error:  # the checkpoint is whole: resume where everything is installed
        result["not_exported"] = f"exporting needs the package {error.name}: pip install 'latens[train]'"
        return result
    path = engine.run / "model.ltm"
    tiles = counted.tiles(side)
    with engine.eagerly():
        result["fingerprint"] = export(module, tiles, path, card, storage).hex()
    result["model"] = str(path)
    return result


def train(engine: Engine, time_limit: float | None, storage: Storage = "fitted") -> dict[str, Any]:
    """Train until the steps or the seconds are used up or the process is told to stop, then export."""
    engine.train(math.inf if time_limit is None else time_limit)
    return finish(engine, storage)
