"""Results reach the disk whole or not at all.

A file is written beside its target under a temporary name, flushed to the disk, and then given its name in
one step: linked, which fails if the name is taken, or with ``--force`` renamed over the old file. Whatever
goes wrong before, a signal included, removes the temporary file. ``-`` is standard output.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latens.errors import DiskFullError, ExistsError, LatensError, OutputError, UsageError

STANDARD = "-"
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
            _replace(os.path.realpath(target), data, force)
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
        kind = DiskFullError if error.errno in NO_SPACE else OutputError
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


def _replace(target: str, data: bytes, force: bool) -> None:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".latens-{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, CREATE, 0o666)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if force:
            os.replace(temporary, target)
        else:
            _link(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_folder(folder)


def _link(temporary: str, target: str) -> None:
    """Give the file its name unless the name is taken (FileExistsError).

    Systems have many words for a file system without links, such as FAT: whatever they say, there is another way.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(target, CREATE, 0o666))  # claims the name
        try:
            os.replace(temporary, target)
        except BaseException:
            os.unlink(target)
            raise


def _sync_folder(folder: str) -> None:
    """Bring the name to the disk too, where the system lets us; the data are there already."""
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _write_into(target: str, data: bytes) -> None:
    """A device or a pipe cannot be replaced: write into it."""
    descriptor = os.open(target, os.O_WRONLY)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
