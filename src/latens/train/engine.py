"""The training loop: resumable, bounded by time, the same however it is cut into slices or shared out."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from torch import Tensor, nn

from latens import lock
from latens.errors import TrainingError
from latens.train import checkpoint
from latens.train.beginnings import Source, begin_closed_form, begin_from
from latens.train.data import Pictures, to_input
from latens.train.log import Log, Silence
from latens.train.momentum import Momentum
from latens.train.noise import Trainable
from latens.train.objective import Objective
from latens.train.optimisers import optimiser
from latens.train.options import Options, learning_rate
from latens.train.parallel import Processes
from latens.train.plain import painted
from latens.train.stream import ENDINGS, Stream
from latens.train.variable_rate import spread

FITTING_TILES = 120  # pictures behind the closed-form start
VALIDATION_CROP = 256
SAVED_EVERY = 300  # seconds
GO, SAVE, STOP = range(3)  # what a process wants before a step; the highest wish is done


class Engine:
    """A run in the folder ``run``: model, optimiser, average and where they stand.

    With several processes, each has one of these; only the first writes. ``compiled`` is the backend of
    ``torch.compile`` that computes the networks in training steps, and empty if none does.
    """

    def __init__(
        self, run: Path, options: Options, processes: Processes, quiet: bool = False, compiled: str = ""
    ) -> None:
        self.run, self.options, self.processes, self.quiet = run, options, processes, quiet or not processes.first
        self.device, self.share = processes.device, processes.share
        if options.batch % self.share.parts:
            raise TrainingError(
                f"batch is {options.batch}, and must be a multiple of {self.share.parts}, the number of processes"
            )
        torch.manual_seed(options.seed)
        self.module = Trainable(options.build(), options.radius)
        self.module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = optimiser(self.module, options)
        moved = {id(weight) for group in self.optimiser.param_groups for weight in group["params"]}
        for weight in self.module.parameters():
            weight.requires_grad_(id(weight) in moved)
        self.objective, self.compiled = Objective(self.module, options), compiled
        self.average = checkpoint.Average(self.module, options.ema)
        self.step, self.skipped, self.seconds = 0, 0, 0.0
        self.history = checkpoint.Effort()  # of the runs that this one began from
        self.reached: dict[str, float] = {}  # by the weights that were kept last, on held-out pictures
        smallest = max(options.crop, VALIDATION_CROP)
        self.pictures: Pictures | Stream = (
            Stream(options.data, options.crop, options.workers) if options.stream
            else Pictures.load(options.data, options.crop, self.quiet).to(self.device)
        )  # fmt: skip
        self.held_out = Pictures.load(options.validation, smallest, self.quiet) if options.validation else None

    # --- beginnings -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin from the closed form, or from random weights if the options say so."""

        def fit(x: Tensor) -> Momentum:
            if self.options.start == "closed-form":
                begin_closed_form(self.module, x, self.options.mse_lambdas())
            return Momentum()

        self._begin(fit)

    def start_from(self, other: Path, priors: Path | None = None) -> None:
        """Begin from another run's averaged weights and its optimiser's state, or from exported weights alone.

        See `begin_from`. ``priors`` is where the probability networks come from, if from elsewhere.
        """

        def fit(x: Tensor) -> Momentum:
            source = Source.read(other, self.options.radius)
            if priors is not None:
                source = source.with_priors(Source.read(priors, self.options.radius))
            self.history = source.effort
            return begin_from(self.module, source, x, self.options.mse_lambdas())[1]

        self._begin(fit)

    def _begin(self, fit: Callable[[Tensor], Momentum]) -> None:
        """Let the first process fit the weights, on the CPU, to pictures; all take them over."""

        def fitted() -> tuple[dict[str, Tensor], Momentum]:
            pictures = self.pictures.some(FITTING_TILES).pictures
            side = min(256, *(min(picture.shape[:2]) for picture in pictures))
            side -= side % self.module.model.stride
            tiles = np.stack([picture[:side, :side] for picture in pictures])
            self.module.to("cpu")
            known = fit(to_input(torch.from_numpy(tiles)))
            return self.module.state_dict(), known

        weights, known = self.processes.from_first(fitted)
        self.module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module.load_state_dict(weights)
        known.give(self.optimiser, self.module, self.options.optimiser)
        self.average = checkpoint.Average(self.module, self.options.ema)

    def resume(self) -> None:
        """Go on from this run's own checkpoint, at the rates of its options."""
        state = self.processes.from_first(lambda: checkpoint.load(self.run / "checkpoint.pt", torch.device("cpu")))
        self.module.load_state_dict(state["module"])
        bases = [group["base"] for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for group, base in zip(self.optimiser.param_groups, bases, strict=True):
            group["base"] = base
        self.average.shadow = {name: value.to(self.device) for name, value in state["average"].items()}
        self.step, self.skipped, self.seconds = state["step"], state["skipped"], state["seconds"]
        self.history = checkpoint.Effort(*state.get("history", ()))

    def save(self) -> None:
        """Write the checkpoint."""
        if not self.processes.first:
            return
        checkpoint.save(
            self.run / "checkpoint.pt",
            {
                "module": self.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.shadow,
                "step": self.step,
                "skipped": self.skipped,
                "seconds": self.seconds,
                "history": tuple(self.history),
            },
        )

    # --- the loop -------------------------------------------------------------------------------------

    def train(self, time_limit: float = math.inf, every: int = 100) -> bool:
        """Train until the steps are done or the time is up (seconds); True when the steps are done.

        A signal or the end of the time in any process ends the slice of all, after the same step.
        """
        began, before = time.monotonic(), self.seconds
        with self._alone(), _stoppable() as stop, self._talking() as log:
            sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
            since = saved = time.monotonic()
            while self.step < self.options.steps:
                now = time.monotonic()
                over = bool(stop) or now - began >= time_limit
                word = self.processes.highest(STOP if over else SAVE if now - saved > SAVED_EVERY else GO)
                if word == STOP:
                    break
                if word == SAVE:
                    self._keep(log)
                    sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
                    since = saved = time.monotonic()
                sums += self._train_step()
                self.step, counted = self.step + 1, counted + 1
                self.seconds = before + time.monotonic() - began
                log.step(self.step)
                if self.step % every == 0:
                    taken = counted - (self.skipped - missed)
                    rate = counted * self.options.batch / (time.monotonic() - since)
                    figures = _figures(sums / taken) if taken else {}
                    log.scalars(self.step, "train", {**figures, "images/s": rate, "skipped": self.skipped})
                    sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
                    since = time.monotonic()
            self._keep(log)
        return self.step >= self.options.steps

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes than those of this run out of its folder, or a TrainingError in all of them.

        Once that is so, the options are written there: a resumed run's may be others than before.
        """
        with ExitStack() as held:

            def take() -> None:
                found = lock.taken(self.run)
                if found is None:
                    raise TrainingError(f"{self.run} is being trained by another process")
                held.enter_context(found)
                self.options.save(self.run / "options.json")

            self.processes.from_first(take)
            yield

    def _talking(self) -> Silence:
        first = self.processes.first
        return Log(self.run, self.options.steps, self.step, self.quiet) if first else Silence()

    def _keep(self, log: Silence) -> None:
        self.save()
        if self.held_out:
            self.reached = self.validate()
            log.scalars(self.step, "validation", self.reached)

    def eagerly(self) -> AbstractContextManager[object]:
        """Within it, compiled networks are computed as they are: other shapes are not worth compiling for."""
        return torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()

    @cached_property
    def _played(self) -> Callable[..., tuple[Tensor, Tensor]]:
        if self.compiled:
            self.module.compile_networks(self.compiled)
        return self.processes.joined(self.objective)

    def _train_step(self) -> Tensor:
        """One step; returns (loss, bpp, mse) of all processes, zeros if it was not finite and was skipped."""
        options = self.options
        crops = self.pictures.batch(options.batch, options.crop, options.seed, self.step, self.share)
        crops = painted(crops, options.plain, options.seed, self.step, self.share)
        generator = torch.Generator(self.device).manual_seed((options.seed << 32) + self.step)
        factor = learning_rate(options, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        self.optimiser.zero_grad(set_to_none=True)
        loss, figures = self._played(to_input(crops, self.device), generator, self.share)
        self.processes.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.module.networks.parameters(), options.clip)
        others = (weight for name, weight in self.module.named_parameters() if not name.startswith("networks."))
        rest = nn.utils.get_total_norm([weight.grad for weight in others if weight.grad is not None])
        figures = self.processes.mean(figures)
        if not torch.isfinite(figures[0] + norm + rest):
            self.skipped += 1
            return torch.zeros(3, device=self.device)
        self.optimiser.step()
        self.average.update(self.module, self.step)
        return figures

    def validate(self) -> dict[str, float]:
        """Averaged weights, rounded latents, held-out tiles: the Lagrangian, bpp and the mean PSNR.

        With several levels, each tile has its own, always the same. Every process must ask.
        """
        if self.held_out is None:
            raise TrainingError("validation needs held-out pictures: --validate")
        current = self.average.apply(self.module)
        tiles = self.held_out.tiles(VALIDATION_CROP)
        levels = spread(len(tiles), self.module.model.levels).to(self.device)
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        batches = list(zip(torch.split(tiles, 8), torch.split(levels, 8), strict=True))
        with self.eagerly():
            for batch, part in batches[self.share.rank :: self.share.parts]:
                level = part if self.module.model.levels > 1 else None
                sums += self.objective.rounded(to_input(batch, self.device), level).sum(0)
        self.module.load_state_dict(current)
        means = self.processes.mean(sums) * self.share.parts / len(tiles)
        return dict(zip(("loss", "bpp", "psnr"), means.tolist(), strict=True))


def _figures(means: Tensor) -> dict[str, float]:
    """Of the means of the loss, bpp and the squared error, where there is one."""
    loss, bpp, mse = means.tolist()
    psnr = {} if math.isnan(mse) else {"psnr": -10 * math.log10(max(mse, 1e-9))}
    return {"loss": loss, "bpp": bpp, **psnr}


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """A list that fills when one of `ENDINGS` arrives, so that the loop can end after its step."""
    stop: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        stop.append(number)

    before = {
        number: signal.signal(number, note) for number in ENDINGS
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN  # as nohup wants it
    }  # fmt: skip
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
