"""Results reach the disk whole or not at all (`latens.whole`); ``-`` is standard output."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latens.errors import DiskFullError, ExistsError, LatensError, OutputError, UsageError
from latens.whole import CREATE, is_full, replacing

STANDARD = "-"


def check_target(target: str, source: str, force: bool) -> None:
    """Refuse, before any work is done, a target that could not or must not be written.

    Raises:
        UsageError: it is the source itself, or a terminal
        ExistsError: it exists and ``force`` is not given
        OutputError: its folder is missing, or it is a folder
    """
    if target == STANDARD:
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal, and the result is binary: use -o FILE")
        return
    path = Path(target)
    with _translated(target):
        both = source != STANDARD and os.path.exists(source) and os.path.exists(target)
        if both and os.path.samefile(source, target):
            raise UsageError(f"the output {target} is the input itself: give another -o FILE")
        _check_kind(path, force)


def write(target: str, data: bytes, force: bool) -> None:
    """Write ``data`` to the path ``target``, or to standard output for ``-``.

    Raises:
        ExistsError: it exists (by now) and ``force`` is not given
        DiskFullError: no space is left
        OutputError: anything else that the system refuses
    """
    with _translated("standard output" if target == STANDARD else target):
        if target == STANDARD:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif _check_kind(Path(target), force):
            with replacing(Path(os.path.realpath(target)), force=force) as temporary:
                _write_into(temporary, data, CREATE)
        else:
            _write_into(target, data)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """The system's refusals as errors of latens; a reader that went away stays a BrokenPipeError."""
    try:
        yield
    except (LatensError, BrokenPipeError):
        raise
    except FileExistsError as error:
        raise ExistsError(f"{name} exists: -f overwrites it") from error
    except OSError as error:
        kind = DiskFullError if is_full(error) else OutputError
        raise kind(f"cannot write {name}: {error.strerror or error}") from error


def _check_kind(path: Path, force: bool) -> bool:
    """Whether a file is to be made there; False for a device or pipe, which is written into."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():  # to nothing
            mode = stat.S_IFREG
        elif path.parent.is_dir():
            return True
        else:
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}") from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"cannot write {path}: it is a folder")
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return False
    if not stat.S_ISREG(mode):
        raise OutputError(f"cannot write {path}: it is neither a file nor a pipe")
    if not force:
        raise ExistsError(f"{path} exists: -f overwrites it")
    return True


def _write_into(path: str | Path, data: bytes, flags: int = os.O_WRONLY) -> None:
    """Into what is there, as a device or a pipe that cannot be replaced, or as the flags say."""
    descriptor = os.open(path, flags, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
