"""One writer a folder: a lock that the system gives back when a process ends, however that happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

NAME = ".lock"


def taken(folder: Path) -> IO[str] | None:
    """The folder's lock, which is held until it is closed; None if somebody else has it."""
    lock = (folder / NAME).open("a")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        lock.close()
        return None
    except OSError:  # a file system without locks
        pass
    return lock


def holds_more(folder: Path) -> bool:
    """Whether there is anything but a lock in a folder that may not be there."""
    return folder.exists() and (not folder.is_dir() or any(path.name != NAME for path in folder.iterdir()))
