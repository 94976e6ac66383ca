"""One file: encode to the disk, decode from it, measure. Everything here runs in worker processes.

Times are wall times of a process that is kept to one core where the system allows it, entropy coding and the
disk included: encoding from pixels in memory to the file's last byte written, decoding from the file to
pixels. The first use of a codec at a setting is made on a small crop and not counted, so that imports and the
loading of weights are not.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from latens.classic.base import Codec
from latens.errors import LatensError, UnreadablePictureError
from latens.evaluate.codecs import find
from latens.evaluate.results import Row
from latens.image import MetadataWarning, read_picture
from latens.metrics import measure_all

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WARM_UP = 64  # pixels a side


class Task(NamedTuple):
    """A file to make and measure."""

    spec: str
    setting: float
    picture: str
    source: Path
    target: Path  # where the coded file goes
    metrics: tuple[str, ...]
    keep: bool  # the coded file
    have: Row | None = None  # coded and timed before, with some of the metrics


class Surveyed(NamedTuple):
    """What is known of a source before anything is coded; ``error`` if it is no picture latens encodes."""

    width: int = 0
    height: int = 0
    sha256: str = ""  # first 16 digits, of the file
    error: str = ""


def start() -> None:
    """Keep this worker to a core of its own, as far as there are enough, and end it when its parent ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number = multiprocessing.current_process()._identity
        os.sched_setaffinity(0, {cores[(number[0] if number else 0) % len(cores)]})


def _end_with_parent() -> None:
    """A parent that is killed tells its workers nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def survey(source: Path) -> Surveyed:
    """Read a picture once, so that one that cannot be read is reported once."""
    try:
        data = source.read_bytes()
        height, width = _pixels(source).shape[:2]
    except OSError as error:
        return Surveyed(error=f"{source}: {error.strerror or error}")
    except LatensError as error:
        return Surveyed(error=str(error))
    return Surveyed(width, height, hashlib.sha256(data).hexdigest()[:16])


def work(task: Task) -> Row:
    """The row of a task. A failure of the codec or of a metric is a row too; a failure of the disk is not."""
    codec, original = find(task.spec), _pixels(task.source)
    height, width = original.shape[:2]
    row = task.have or Row(codec.id, f"{task.setting:g}", task.picture, width, height)
    try:
        if task.have is None:
            row, decoded = _code(codec, task, row, original)
        else:
            decoded = codec.decode(task.target.read_bytes())
        wanted = [name for name in task.metrics if name not in row.metrics]
        try:
            measured = measure_all(original, decoded, wanted)
        except OSError as error:  # of a program that a metric needs
            raise LatensError(f"{' or '.join(wanted)} could not be measured: {error}") from error
    except OSError:
        raise
    except Exception as error:  # whatever a codec does, the others go on
        kind = "" if isinstance(error, LatensError) else f"{type(error).__name__}: "
        return failed(task, f"{kind}{error}", width, height)
    finally:
        if not task.keep and task.have is None:  # what an earlier run kept stays
            task.target.unlink(missing_ok=True)
    return replace(row, metrics={**row.metrics, **measured})


def failed(task: Task, error: str, width: int = 0, height: int = 0) -> Row:
    """A row that says why; with what was measured before, if only metrics were wanted."""
    row = task.have or Row(find(task.spec).id, f"{task.setting:g}", task.picture, width, height)
    return replace(row, error=error)


def _code(codec: Codec, task: Task, row: Row, original: np.ndarray) -> tuple[Row, np.ndarray]:
    _warm(task.spec, task.setting)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    _forget_peak()
    begin = time.perf_counter()
    task.target.write_bytes(codec.encode(original, task.setting))
    middle = time.perf_counter()
    decoded = codec.decode(task.target.read_bytes())
    end = time.perf_counter()
    peak = _peak()
    if decoded.shape != original.shape or decoded.dtype != np.uint8:
        raise UnreadablePictureError(
            f"{codec.id} gave back {decoded.dtype} {decoded.shape}, and encoded uint8 {original.shape}"
        )
    size = task.target.stat().st_size
    bpp = 8 * size / (row.width * row.height)
    times = (middle - begin, end - middle)
    return replace(row, bytes=size, bpp=bpp, encode_s=times[0], decode_s=times[1], peak_mb=peak), decoded


@lru_cache(maxsize=2)
def _pixels(source: Path) -> np.ndarray:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)  # pixels are what is measured
        return read_picture(source).pixels


@cache
def _warm(spec: str, setting: float) -> None:
    ramp = np.add.outer(np.arange(WARM_UP), 2 * np.arange(WARM_UP)).astype(np.uint8)
    codec = find(spec)
    codec.decode(codec.encode(np.stack([ramp, ramp.T, 255 - ramp], -1), setting))


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> float:
    """The most memory this process held since `_forget_peak`, in MB (10^6 bytes); nan where Linux is not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), float("nan"))
