"""Where a command's input comes from, and the name its output gets."""

import os
import sys
from pathlib import Path

from latens.bitstream import read_whole
from latens.cli.output import STANDARD
from latens.errors import FileError, OutputError

STANDARD_INPUT = "standard input"


def name_of(source: str) -> str:
    """For messages."""
    return STANDARD_INPUT if source == STANDARD else source


def read(source: str) -> bytes:
    """All bytes of a .ltn file, or of standard input for ``-``.

    Raises:
        FileError: the system refuses, or it is none: that is known before all of it is read
    """
    try:
        if source == STANDARD:
            return read_whole(sys.stdin.buffer)
        with open(source, "rb") as stream:
            return read_whole(stream)
    except OSError as error:
        raise FileError(f"cannot read {name_of(source)}: {error.strerror or error}") from error


def whole_if_pipe(path: str) -> str | bytes:
    """A path, or all that comes of it if it can be read but once."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        with open(path, "rb") as stream:
            return stream.read()
    return path


def target_for(source: str, suffix: str, out: str | None) -> str:
    """The path that ``-o`` names: ``out`` itself; in it, if it is a folder; without it `target_beside`.

    ::

        photos/a.png, .ltn, None     -> photos/a.ltn
        photos/a.png, .ltn, coded    -> coded/a.ltn, where coded is a folder

    Raises:
        FileError: as `target_beside`
        OutputError: a folder that is not there, or one for standard input, which has no name
    """
    if out is None:
        return target_beside(source, suffix)
    if out == STANDARD or not os.path.isdir(out):
        if out.endswith(("/", os.sep)):
            raise OutputError(f"cannot write {out}: there is no such folder")
        return out
    if source == STANDARD:
        raise OutputError(f"cannot write {out}: it is a folder, and {STANDARD_INPUT} has no name: give -o FILE")
    return os.path.join(out, os.path.basename(target_beside(source, suffix)))


def target_beside(source: str, suffix: str) -> str:
    """``photo.jpg`` -> ``photo.ltn`` in the same folder; standard input -> standard output.

    Raises:
        FileError: a path without a name, such as that of a folder
    """
    if source == STANDARD:
        return STANDARD
    if not Path(source).name:
        raise FileError(f"cannot read {source or 'a file without a name'}: it is a folder")
    return str(Path(source).with_suffix(suffix))
