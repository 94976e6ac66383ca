"""The training loop: resumable, bounded by time, the same whether it is cut into slices or not."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latens.errors import TrainingError
from latens.train import checkpoint
from latens.train.beginnings import Source, begin_closed_form, begin_from
from latens.train.data import Pictures, to_input
from latens.train.log import Log
from latens.train.losses import distortion
from latens.train.noise import Trainable
from latens.train.optimisers import optimiser
from latens.train.options import Options, learning_rate
from latens.train.variable_rate import spread

FITTING_TILES = 120  # pictures behind the closed-form start
VALIDATION_CROP = 256


class Engine:
    """A run in the folder ``run``: model, optimiser, average and where they stand."""

    def __init__(self, run: Path, options: Options, device: torch.device, quiet: bool = False) -> None:
        self.run, self.options, self.device, self.quiet = run, options, device, quiet
        torch.manual_seed(options.seed)
        self.module = Trainable(options.build(), options.radius)
        self.module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = optimiser(self.module, options)
        self.average = checkpoint.Average(self.module, options.ema)
        self.step, self.skipped, self.seconds = 0, 0, 0.0
        self.history = checkpoint.Effort()  # of the runs that this one began from
        smallest = max(options.crop, VALIDATION_CROP)
        self.pictures = Pictures.load(map(Path, options.data), options.crop, quiet)
        self.held_out = (
            Pictures.load(map(Path, options.validation), smallest, quiet) if options.validation else None
        )

    # --- beginnings -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin from the closed form, or from random weights if the options say so."""
        if self.options.start == "closed-form":
            self._on_cpu(lambda x: begin_closed_form(self.module, x, self.options.mse_lambdas()))
        self.average = checkpoint.Average(self.module, self.options.ema)

    def start_from(self, other: Path) -> None:
        """Begin from another run's averaged weights, or from exported ones (.ltm): see `begin_from`."""
        source = Source.read(other, self.options.radius)
        self.history = source.effort
        self._on_cpu(lambda x: begin_from(self.module, source, x, self.options.mse_lambdas()))
        self.average = checkpoint.Average(self.module, self.options.ema)

    def _on_cpu(self, fit: Any) -> None:
        side = min(256, *(min(p.shape[:2]) for p in self.pictures.pictures[:FITTING_TILES]))
        side -= side % self.module.model.stride
        tiles = np.stack([p[:side, :side] for p in self.pictures.pictures[:FITTING_TILES]])
        self.module.to("cpu")
        fit(to_input(torch.from_numpy(tiles)))
        self.module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def resume(self) -> None:
        """Go on from this run's own checkpoint."""
        state = checkpoint.load(self.run / "checkpoint.pt", self.device)
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.shadow = state["average"]
        self.step, self.skipped, self.seconds = state["step"], state["skipped"], state["seconds"]
        self.history = checkpoint.Effort(*state.get("history", ()))

    def save(self) -> None:
        """Write the checkpoint."""
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
        """Train until the steps are done or the time is up (seconds); True when the steps are done."""
        began, before = time.monotonic(), self.seconds
        with _stoppable() as stop, Log(self.run, self.options.steps, self.step, self.quiet) as log:
            sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
            since = saved = time.monotonic()
            while self.step < self.options.steps and not stop and time.monotonic() - began < time_limit:
                sums += self._train_step()
                self.step, counted = self.step + 1, counted + 1
                self.seconds = before + time.monotonic() - began
                log.step(self.step)
                if self.step % every == 0:
                    loss, bpp, mse = (sums / max(1, counted - (self.skipped - missed))).tolist()
                    rate = counted * self.options.batch / (time.monotonic() - since)
                    psnr = {} if math.isnan(mse) else {"psnr": -10 * math.log10(max(mse, 1e-9))}
                    log.scalars(self.step, "train", {"loss": loss, "bpp": bpp, **psnr,
                                                     "images/s": rate, "skipped": self.skipped})  # fmt: skip
                    sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
                    since = time.monotonic()
                if time.monotonic() - saved > 300:
                    self.save()
                    if self.held_out:
                        log.scalars(self.step, "validation", self.validate())
                    sums, counted, missed = torch.zeros(3, device=self.device), 0, self.skipped
                    since = saved = time.monotonic()
            self.save()
            if self.held_out:
                log.scalars(self.step, "validation", self.validate())
        return self.step >= self.options.steps

    def _train_step(self) -> Tensor:
        """One step; returns (loss, bpp, mse), zeros if the step was not finite and was skipped."""
        options = self.options
        x = to_input(self.pictures.batch(options.batch, options.crop, options.seed, self.step), self.device)
        generator = torch.Generator(self.device).manual_seed((options.seed << 32) + self.step)
        factor = learning_rate(options, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        level = self._levels(len(x), generator)
        rounded, squares = options.quantiser == "mixed", torch.full((), math.nan)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
            if options.only:
                bpp = self.module.rate(x, generator, rounded, level) / x[0, 0].numel()
                costs = bpp
            else:
                played = self.module(x, generator, rounded, level)
                bpp = played.bits / x[0, 0].numel()
                costs = bpp + self._lambda(level) * distortion(x, played.x_hat, options.metric)
                squares = F.mse_loss(played.x_hat.detach().float(), x)
        loss: Tensor = (costs * self._weight(level)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.module.networks.parameters(), options.clip)
        others = (weight for name, weight in self.module.named_parameters() if not name.startswith("networks."))
        rest = nn.utils.get_total_norm([weight.grad for weight in others if weight.grad is not None])
        if not torch.isfinite(loss + norm + rest):
            self.skipped += 1
            return torch.zeros(3, device=self.device)
        self.optimiser.step()
        self.average.update(self.module, self.step)
        return torch.stack([loss.detach(), bpp.detach().mean(), squares.to(loss)])

    def _levels(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Any level between the lowest and the highest for every picture; None for a model of one rate."""
        levels = self.module.model.levels
        if levels == 1:
            return None
        return torch.rand(count, generator=generator, device=self.device) * (levels - 1)

    def _lambda(self, level: Tensor | None) -> Tensor | float:
        options, last = self.options, self.module.model.levels - 1
        if level is None:
            return options.lmbda
        return options.lowest_lmbda * (options.lmbda / options.lowest_lmbda) ** (level / last)

    def _weight(self, level: Tensor | None) -> Tensor | float:
        """Of a picture in the loss: R + lambda D grows like the root of lambda, and every rate counts alike."""
        middle = math.sqrt(self.options.lmbda * self.options.lowest_lmbda)
        return 1.0 if level is None else (middle / self._lambda(level)) ** 0.5

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Averaged weights, rounded latents, held-out tiles: the Lagrangian, bpp and the mean PSNR.

        With several levels, each tile has its own, always the same.
        """
        if self.held_out is None:
            raise TrainingError("validation needs held-out pictures: --validate")
        current = self.average.apply(self.module)
        tiles = self.held_out.tiles(VALIDATION_CROP)
        several = self.module.model.levels > 1
        levels = spread(len(tiles), self.module.model.levels).to(self.device)
        costs, rates, squares = [], [], []
        for batch, part in zip(torch.split(tiles, 8), torch.split(levels, 8), strict=True):
            x, level = to_input(batch, self.device), part if several else None
            played = self.module.rounded(x, level)
            x_hat = played.x_hat.clamp(0, 1)
            bpp = played.bits / x[0, 0].numel()
            cost = bpp + self._lambda(level) * distortion(x, x_hat, self.options.metric)
            costs += (cost * self._weight(level)).tolist()
            rates += bpp.tolist()
            squares += (x_hat - x).square().mean((1, 2, 3)).tolist()
        self.module.load_state_dict(current)
        psnr = [-10 * math.log10(max(square, 1e-10)) for square in squares]
        return {"loss": float(np.mean(costs)), "bpp": float(np.mean(rates)), "psnr": float(np.mean(psnr))}


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """A list that fills when SIGINT or SIGTERM arrives, so that the loop can end after its step."""
    stop: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        stop.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
