"""``latens train``: needs the extra ``train`` (PyTorch); everything is imported when it runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from latens.cli.options import check_range
from latens.errors import MissingExtraError, UsageError

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
STORAGES = ("float32", "float16", "fitted")  # `latens.train.options.Storage`
OF_A_SLICE = {
    *("data", "validate", "resume", "steps", "time_limit", "storage", "workers"),
    *("device", "compiled", "threads", "quiet"),
}


def seconds(text: str) -> float:
    """``90``, ``90s``, ``9m`` or ``1.5h`` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not match:
        raise UsageError(f"time limit is {text!r}, and must be a number with s, m or h, such as 9m")
    return float(match[1]) * UNITS[match[2]]


def sizes(words: list[str]) -> dict[str, int | str]:
    """``["N1=64", "M=192"]`` as a dict; whole numbers become ints."""
    pairs: dict[str, int | str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"size is {word!r}, and must be NAME=VALUE, such as M=192")
        pairs[name] = int(value) if value.isdigit() else value
    return pairs


def given(context: typer.Context) -> dict[str, str]:
    """What was said on the command line: parameters, and how they are spelt there."""
    words = {p.name: p.opts[0] for p in context.command.params if p.name is not None}
    sources = {name: context.get_parameter_source(name) for name in words}
    return {name: words[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def train(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="balle2017, balle2018, minnen2018, latens or latens-fast.")
    ] = "balle2017",
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Folder, tar shards (also shard-{00..06}.tar) or URL; repeatable."),
    ] = None,
    validate: Annotated[
        list[str] | None, typer.Option("--validate", help="Held-out pictures, as --data.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The new run's folder.")] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on with this run.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Start from another run or an .ltm file, also of another lambda.")
    ] = None,
    priors_from: Annotated[
        Path | None, typer.Option("--priors-from", help="Probability networks from there, transforms from --from.")
    ] = None,
    lmbda: Annotated[
        float,
        typer.Option("--lambda", help="Weight of the distortion: of the MSE of 8-bit values, or of 1 - MS-SSIM."),
    ] = 0.0067,
    lowest_lmbda: Annotated[
        float, typer.Option("--lowest-lambda", help="Of the lowest level, where --lambda is the highest one's.")
    ] = 0.0015,
    metric: Annotated[str, typer.Option(help="mse or ms-ssim.")] = "mse",
    steps: Annotated[int | None, typer.Option(help="Steps of the whole run. Default: 10000.")] = None,
    time_limit: Annotated[str | None, typer.Option(help="Stop this slice after 9m, 1.5h ...")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="A size of the model, such as M=192; repeatable. Default: those of --from."),
    ] = None,
    batch: Annotated[int, typer.Option(help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(help="Their side; below 256 hyper-networks see borders only.")] = 256,
    plain: Annotated[float, typer.Option(help="Part of the crops that are painted over in one colour.")] = 0.05,
    lr: Annotated[float, typer.Option(help="Learning rate of the convolutions.")] = 4e-4,
    hyper_lr: Annotated[float, typer.Option(help="Learning rate of networks that predict probabilities.")] = 1e-3,
    norm_lr: Annotated[float, typer.Option(help="Learning rate of GDN.")] = 2e-3,
    gain_lr: Annotated[float, typer.Option(help="Learning rate of the levels' gains.")] = 1e-3,
    density_lr: Annotated[float, typer.Option(help="Learning rate of the densities of z, or of y.")] = 1e-2,
    decay: Annotated[float, typer.Option(help="Last part of the steps over which the rate falls.")] = 0.5,
    ema: Annotated[float, typer.Option(help="Decay of the weights' moving average.")] = 0.999,
    seed: Annotated[int, typer.Option(help="Of crops and noise.")] = 0,
    optimiser: Annotated[str, typer.Option(help="adam, adamw, or soap, whose steps take longer.")] = "adam",
    weight_decay: Annotated[float, typer.Option(help="Of adamw, on the transforms' convolutions.")] = 0.01,
    precision: Annotated[
        str, typer.Option(help="auto (bfloat16 where the device computes with it natively), float32 or bfloat16.")
    ] = "auto",
    start: Annotated[str, typer.Option(help="closed-form or random.")] = "closed-form",
    quantiser: Annotated[
        str, typer.Option(help="noise (the paper's), or mixed: rounded latents for the distortion.")
    ] = "mixed",
    only: Annotated[
        str, typer.Option(help="priors: train the probability model alone, for transforms that stay.")
    ] = "",
    storage: Annotated[str, typer.Option(help="Of exported weights: float32, float16 or fitted.")] = "fitted",
    stream: Annotated[
        bool, typer.Option("--stream", help="Read pictures while training goes on; else they are held in memory.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that read, with --stream.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks (torch.compile): a minute at the beginning.")
    ] = False,
    threads: Annotated[int, typer.Option(help="CPU threads; 0: the runtime's choice.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a model, or go on training it.

    Ends by exporting RUN/model.ltm, which `encode --model` takes.
    Interrupting (Ctrl-C) ends the slice cleanly; --resume goes on exactly
    where it stopped. Several processes train one model together under
    torchrun (docs/training.md); --batch is then that of all.

    \b
    Examples:
      latens train balle2017 --data photos/ --lambda 0.0067 \\
        --steps 20000 --time-limit 9m --out runs/a
      latens train --resume runs/a --time-limit 9m
    """
    if storage not in STORAGES:
        raise UsageError(f"storage is {storage!r}, and must be one of {', '.join(STORAGES)}")
    if (out is None) == (resume is None):
        raise UsageError("give either --out (a new run's folder) or --resume (the run to go on with)")
    if priors_from is not None and source is None:
        raise UsageError("--priors-from needs --from, the run whose transforms they are to fit")
    said = given(context)
    kept = [word for name, word in said.items() if name not in OF_A_SLICE]
    if resume is not None and kept:
        raise UsageError(f"--resume goes on with what {resume} began with, and cannot take {', '.join(kept)}")
    for name, heard, rule in (
        ("start", source is None or start != "random", "--start random cannot be given with --from"),
        ("weight_decay", optimiser == "adamw", "--weight-decay needs --optimiser adamw"),
        ("workers", stream or resume is not None, "--workers needs --stream"),
    ):
        if name in said and not heard:
            raise UsageError(rule)
    check_range("threads", threads, 0)
    limit = seconds(time_limit) if time_limit else None
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("training needs PyTorch: pip install 'latens[train]'") from error
    from latens.train import run
    from latens.train.memory import keep_freed_memory
    from latens.train.options import Options

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    setup = run.Setup(run.device_named(device), quiet, "inductor" if compiled else "")
    if resume is not None:
        engine = run.resume(
            resume, setup, steps, tuple(data or ()), tuple(validate or ()), workers if "workers" in said else None
        )  # fmt: skip
    else:
        assert out is not None
        others = [other for other in (priors_from, source) if other is not None]
        inherited = {name: value for other in others for name, value in run.sizes_of(other, model).items()}
        options = Options(
            model=model, sizes={**inherited, **sizes(size or [])}, data=tuple(data or ()),
            validation=tuple(validate or ()), lmbda=lmbda, metric=metric,  # type: ignore[arg-type]
            steps=10_000 if steps is None else steps, batch=batch, crop=crop, plain=plain, lr=lr, decay=decay,
            ema=ema, seed=seed, start=start, quantiser=quantiser,  # type: ignore[arg-type]
            hyper_lr=hyper_lr, norm_lr=norm_lr, gain_lr=gain_lr, density_lr=density_lr,
            lowest_lmbda=lowest_lmbda, only=only, optimiser=optimiser, weight_decay=weight_decay,  # type: ignore[arg-type]
            stream=stream, workers=workers, precision=run.precision_named(precision, setup.device),
        ).check()  # fmt: skip
        if "lowest_lmbda" in said and options.build().levels == 1:
            raise UsageError("--lowest-lambda needs a model of several levels, such as --size levels=8")
        engine = run.begin(out, options, setup, source, priors_from)
    result = run.train(engine, limit, storage)  # type: ignore[arg-type]
    if engine.processes.first:
        json.dump(result, sys.stdout, indent=2)
        print()
    engine.processes.leave()
