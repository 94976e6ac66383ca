"""Files that are whole or not there: written under another name, flushed to the disk, then named in one step."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(error: Exception) -> bool:
    """Whether the system has refused to write for want of space."""
    return isinstance(error, OSError) and error.errno in NO_SPACE


@contextmanager
def replacing(path: Path, *, force: bool = True) -> Iterator[Path]:
    """A path in the same folder, to be written within; what is there at the end becomes the file ``path``.

    Whatever goes wrong before, a signal included, removes it and leaves what was there.

    Raises:
        FileExistsError: something is there (by now) and ``force`` is not given
    """
    temporary = path.parent / f".latens-{secrets.token_hex(8)}.tmp"
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        if force:
            os.replace(temporary, path)
        else:
            _link(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):  # the name, where the system lets us; the data are on the disk already
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _link(temporary: Path, target: Path) -> None:
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


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
