"""What a run tells while it goes: a progress bar, JSON lines, TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Silence:
    """The log of a process that leaves talking to another one."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, step: int) -> None:
        """Nothing."""

    def scalars(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Nothing."""


class Log(Silence):
    """Writes to ``run/log.jsonl``, ``run/tensorboard`` (where it is installed) and a bar on stderr."""

    def __init__(self, run: Path, total: int, done: int, quiet: bool) -> None:
        self.file = (run / "log.jsonl").open("a")
        self.board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=done)
        except ImportError:
            pass
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.console = Console(file=sys.stderr)
        self.progress = Progress(*columns, console=self.console, disable=quiet)
        self.task = self.progress.add_task("training", total=total, completed=done)

    def __enter__(self) -> Log:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        self.file.close()
        if self.board is not None:
            self.board.close()

    def step(self, step: int) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=step)

    def scalars(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Record figures of ``kind`` (train, validation); every call is one JSON line."""
        self.file.write(
            json.dumps({"step": step, "kind": kind, **{k: round(v, 6) for k, v in values.items()}}) + "\n"
        )
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"{kind}/{name}", value, step)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.progress.update(self.task, description=f"{kind}  {shown}")
        if kind != "train" or not self.console.is_terminal:
            self.progress.console.print(f"step {step}  {kind}  {shown}", highlight=False, soft_wrap=True)
