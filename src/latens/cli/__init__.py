"""The command line: ``latens encode | decode | info | models | eval | compare | report | train``.

::

    __init__.py   main: commands registered, errors turned into one line and an exit code
    encode.py  decode.py  info.py  models.py  eval.py  compare.py  report.py  train.py
                  one command each, a function of the file's name
    options.py    options that several of them share
    source.py     where input comes from
    output.py     results reach the disk whole or not at all
    messages.py   what is said on the way

Exit codes: 0 done, 1 failed, 2 the call itself is wrong, 130 interrupted, 143 terminated. An error is one
line on standard error; ``LATENS_DEBUG=1`` in the environment puts the traceback before it. Nothing heavy is
imported before a command runs, so that ``latens info`` answers at once.
"""

import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from latens.cli import messages
from latens.cli.compare import compare
from latens.cli.decode import decode
from latens.cli.encode import encode
from latens.cli.eval import evaluate
from latens.cli.info import info
from latens.cli.models import models
from latens.cli.report import report
from latens.cli.train import train
from latens.errors import LatensError

COMMANDS = (encode, decode, info, models, evaluate, compare, report, train)
INTERRUPTED = 128 + signal.SIGINT
# What typer's parser raises; all versions derive it from this class, and none exports it.
ParserError: type[Exception] = typer.BadParameter.mro()[2]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in COMMANDS:
    app.command()(command)


def print_version(wanted: bool) -> None:
    if wanted:
        from latens import __version__

        typer.echo(f"latens {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """A learned image codec that people can trust with their files.

    \b
    latens encode photo.png              writes photo.ltn
    latens decode photo.ltn -o back.png  and back
    latens info photo.ltn                what a file says about itself
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        messages.error("no command is given: choose one of the above")
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command (by default the one on the command line of this process); its exit code."""
    _exit_on_termination()
    _print_any_name()
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata, which `latens.metadata` finds itself
    try:
        status = app(arguments, prog_name="latens", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except (KeyboardInterrupt, typer.Abort):
        messages.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        _discard_stdout()
        return 1
    except Exception as error:
        if os.environ.get("LATENS_DEBUG"):
            import traceback

            traceback.print_exception(error)
        message, status = explain(error)
        messages.error(message)
        return status


def _print_any_name() -> None:
    """Have standard output show the letters that its encoding lacks as escapes, as standard error does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def explain(error: Exception) -> tuple[str, int]:
    """The line and the exit code for what went wrong."""
    if isinstance(error, LatensError):
        return str(error), error.exit_code
    if isinstance(error, ParserError):
        return f"{error.format_message()} (see --help)", 2  # type: ignore[attr-defined]
    if isinstance(error, MemoryError):
        return "not enough memory; --max-pixels bounds the size of pictures", 1
    if isinstance(error, OSError):
        return f"{error.filename or 'output'}: {error.strerror or error}", 1
    return f"{type(error).__name__}: {error} (a defect of latens; LATENS_DEBUG=1 shows where)", 1


def _exit_on_termination() -> None:
    """Let SIGTERM and SIGHUP unwind the program, so that temporary files are removed."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, leave)


def _discard_stdout() -> None:
    """Keep the interpreter from complaining when it flushes standard output at its end."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)
