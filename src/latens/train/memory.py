"""Memory that a training step frees is what the next one needs."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # the numbers of M_TRIM_THRESHOLD and M_MMAP_MAX in malloc.h


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for this process; whether it could be told.

    By default glibc asks the kernel for every large tensor and gives it back at once, and each page is cleared
    when it is first touched: a quarter of the processor time of a step of balle2018, eight crops of 256x256.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # other C libraries have none
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
