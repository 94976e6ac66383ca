"""What the commands say: errors, notes, reports and a spinner. Never the data themselves."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import typer

SPINNER_AFTER = 1.0  # seconds


def say(text: str, colour: str | None = None) -> None:
    """One line on standard error, whatever ``text`` contains; ``colour`` only on a terminal."""
    line = " ".join(text.split())
    typer.secho(line, err=True, fg=None if "NO_COLOR" in os.environ else colour)


def error(message: str) -> None:
    """The one line that a failed command ends with."""
    say(f"latens: error: {message}", "red")


def note(message: str) -> None:
    """Something that the user should know and that is no failure."""
    say(f"note: {message}", "yellow")


def notes(texts: Iterable[str], *, as_json: bool, data_on_stdout: bool) -> None:
    """Of a command that wrote data; silent where standard error is to be one JSON object, which has the facts."""
    for text in () if as_json and data_on_stdout else texts:
        note(text)


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """``value`` as indented JSON."""
    typer.echo(json.dumps(value, indent=2), err=to_stderr)


def summary(facts: Mapping[str, Any], text: str, *, as_json: bool, quiet: bool, data_on_stdout: bool) -> None:
    """The end of a command that wrote data: ``facts`` as JSON if asked for, else ``text``."""
    if as_json:
        print_json(dict(facts), to_stderr=data_on_stdout)
    elif not quiet:
        say(text)


def size(count: int) -> str:
    """``23 456 bytes``, grouped in threes."""
    return f"{count:,}".replace(",", " ") + (" byte" if count == 1 else " bytes")


@contextmanager
def working(text: str, quiet: bool) -> Iterator[None]:
    """A spinner on standard error if that is a terminal and the work takes more than a second."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    done = Event()
    thread = Thread(target=_spin, args=(text, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _spin(text: str, done: Event) -> None:
    if done.wait(SPINNER_AFTER):
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(text)):
        done.wait()
