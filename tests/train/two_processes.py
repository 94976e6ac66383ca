"""What each process does for test_parallel.py, ``torchrun --nproc-per-node 2 two_processes.py FOLDER``."""

import atexit
import dataclasses
import json
import math
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from latens.errors import LatensError
from latens.train import engine as engine_module
from latens.train import objective, run
from latens.train.engine import Engine
from latens.train.options import Options

QUIET = run.Setup(torch.device("cpu"), quiet=True)


def reached(engine: Engine) -> dict:
    weights = torch.cat([weight.flatten() for weight in engine.module.state_dict().values()])
    return {"step": engine.step, "skipped": engine.skipped, "sum": float(weights.double().sum())}


def no_thread_is_left() -> None:
    """Threads of the process group that outlive the interpreter make some exits aborts."""
    threads = Path("/proc/self/task")  # of Linux
    names = [path.read_text() for path in threads.glob("*/comm")]
    if any("gloo" in name for name in names):
        print(f"threads left at the exit: {names}", file=sys.stderr, flush=True)
        os._exit(3)


def main(folder: Path) -> None:
    atexit.register(no_thread_is_left)  # registered first, it runs last
    options = Options.load(folder / "options.json")
    results: dict[str, object] = {}

    def begin(name: str, **changed: object) -> Engine:
        return run.begin(folder / name, dataclasses.replace(options, **changed), QUIET)

    for name, changed in (("whole", {}), ("priors", {"only": "priors"}), ("soap", {"optimiser": "soap"})):
        engine = begin(name, **changed)
        engine.train(every=2)
        results[name] = reached(engine) | {"validation": engine.validate()}
    rank = engine.share.rank

    engine = begin("signalled", steps=1000)
    step = engine._train_step

    def signalled() -> torch.Tensor:
        if engine.step == 2 and rank == 1:
            signal.raise_signal(signal.SIGTERM)
        return step()

    engine._train_step = signalled  # type: ignore[method-assign]
    results["signalled"] = {"finished": engine.train()} | reached(engine)
    resumed = run.resume(folder / "signalled", QUIET)
    real_time = engine_module.time
    engine_module.time = SimpleNamespace(monotonic=lambda: float(resumed.step))  # type: ignore[assignment]
    results["late"] = {"finished": resumed.train(2.5 if rank == 1 else math.inf)} | reached(resumed)
    engine_module.time = real_time

    engine, real = begin("holed", steps=3), objective.distortion
    objective.distortion = lambda *a: real(*a) * (math.nan if rank == 1 and engine.step == 1 else 1)
    engine.train()
    results["holed"] = reached(engine)
    objective.distortion = real

    for name, changed in (("odd", {"batch": 3}), ("whole", {})):
        try:
            begin(name, **changed)
        except LatensError as error:
            results[f"refused {name}"] = str(error)
    (folder / f"rank{rank}.json").write_text(json.dumps(results))
    engine.processes.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
