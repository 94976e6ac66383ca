"""Where a command's input comes from, and the name its output gets by default."""

import sys
from pathlib import Path

from latens.cli.output import STANDARD
from latens.errors import FileError

STANDARD_INPUT = "standard input"


def name_of(source: str) -> str:
    """For messages."""
    return STANDARD_INPUT if source == STANDARD else source


def read(source: str) -> bytes:
    """All bytes of a .ltn file, or of standard input for ``-``.

    Raises:
        FileError: the system refuses
    """
    try:
        return sys.stdin.buffer.read() if source == STANDARD else Path(source).read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {name_of(source)}: {error.strerror or error}") from error


def target_beside(source: str, suffix: str) -> str:
    """``photo.jpg`` -> ``photo.ltn`` in the same folder; standard input -> standard output."""
    return STANDARD if source == STANDARD else str(Path(source).with_suffix(suffix))
