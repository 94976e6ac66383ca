"""Training pictures read while training goes on, for collections that fit no memory.

Readers, the workers of all processes, share the shards out among themselves, or the pictures of each if there are
fewer shards than readers, again and again in new orders. From every picture one crop is taken, which waits in a
buffer and leaves it at random. A resumed run reads on in another order: what is drawn depends on the step at
which the slice began, and on the number of readers.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from latens.errors import TrainingError
from latens.train.data import Pictures
from latens.train.parallel import ALONE, Share
from latens.train.sources import decoded, encoded, shards

BUFFER = 500  # crops of one reader: 25 MB if they are 128x128
PATIENCE, PAUSE = 3, 20.0  # epochs without a picture, and the seconds between them
CENTRE = 512  # the side of what `Stream.some` keeps of a picture: a photograph of 12 megapixels has 36 MB
ENDINGS = tuple(  # signals that ask training to end; schedulers send the last, Windows lacks two
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
LAST = 2**32  # no reader has this number: the order of shards is everyone's


class Stream:
    """Pictures in shards, with the face of `Pictures`.

    Args:
        sources: as `latens.train.sources` takes them
        crop: pictures with a smaller side are left out
        workers: processes that read and decode, for each training process; 0: itself

    Raises:
        TrainingError: a local source is not there, or none has a usable picture
    """

    def __init__(self, sources: Iterable[str | Path], crop: int, workers: int = 0) -> None:
        self.shards, self.crop, self.workers = shards(map(str, sources)), crop, workers
        self._crops: Iterator[Tensor] | None = None
        self.some(1)

    def some(self, count: int) -> Pictures:
        """The centres, at most `CENTRE` a side, of the first ``count`` usable pictures, or of all there are."""
        found = []
        for picture in usable(self.shards, self.crop):
            found.append(_centre(picture))
            if len(found) == count:
                break
        if not found:
            raise TrainingError(f"no usable pictures of {self.crop} pixels and more in {len(self.shards)} shards")
        return Pictures(found, [])

    def batch(self, size: int, crop: int, seed: int, step: int, share: Share = ALONE) -> Tensor:
        """(size / share.parts, crop, crop, 3) uint8: the next crops of this process; ``crop`` as at the beginning.

        ``seed`` and ``step`` decide the order when first asked.
        """
        if self._crops is None:
            crops = Crops(self.shards, self.crop, (seed, step), share)
            each = len(share.indices(size))
            self._crops = iter(DataLoader(crops, each, num_workers=self.workers, worker_init_fn=_stay))
        return next(self._crops)


class Crops(IterableDataset[Tensor]):
    """The endless crops, (crop, crop, 3) uint8, of one reader, which asks where it stands when it begins."""

    def __init__(
        self, names: list[str], crop: int, seed: tuple[int, ...], share: Share = ALONE, buffer: int = BUFFER
    ) -> None:
        self.names, self.crop, self.seed, self.share, self.buffer = names, crop, seed, share, buffer

    def __iter__(self) -> Iterator[Tensor]:
        info: Any = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        reader, readers = self.share.rank * workers + worker, self.share.parts * workers
        random = np.random.default_rng((*self.seed, reader))
        waiting: list[np.ndarray] = []
        for picture in self._pictures(reader, readers):
            waiting.append(_cut(picture, self.crop, random))
            if len(waiting) > self.buffer:
                place = int(random.integers(len(waiting)))
                waiting[place], waiting[-1] = waiting[-1], waiting[place]
                yield torch.from_numpy(waiting.pop())

    def _pictures(self, reader: int, readers: int) -> Iterator[np.ndarray]:
        whole = len(self.names) >= readers
        epoch = empty = 0  # empty: the last epochs without a picture, one after another
        while empty < PATIENCE:
            if empty:
                time.sleep(PAUSE)
            order = np.random.default_rng((*self.seed, epoch, LAST)).permutation(self.names).tolist()
            empty += 1
            for number, picture in enumerate(usable(order[reader::readers] if whole else order, self.crop)):
                if whole or number % readers == reader:
                    empty = 0
                    yield picture
            epoch += 1
        raise TrainingError(
            f"reader {reader} of {readers} found no usable picture in {PATIENCE} epochs: "
            + ("fewer readers would" if epoch == PATIENCE else "what it read before is gone")
        )


def _stay(_worker: int) -> None:
    """Let a reader leave signals to the training process, which ends its slice and then its readers."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)


def usable(names: Iterable[str], smallest: int) -> Iterator[np.ndarray]:
    """Every picture in the shards that can be read and has no side under ``smallest``.

    What cannot be read is told on standard error, once by each process, and is tried again in the next epoch.
    """
    for name in names:
        try:
            for item in encoded(name):
                picture = decoded(item)
                if isinstance(picture, str):
                    _tell(picture)
                elif min(picture.shape[:2]) >= smallest:
                    yield picture
        except TrainingError as error:
            _tell(str(error))


@cache
def _tell(what: str) -> None:
    print(f"note: left out: {what}", file=sys.stderr)


def _centre(picture: np.ndarray) -> np.ndarray:
    """A copy of the middle, which does not keep the rest in memory."""
    top, left = (max(0, side - CENTRE) // 2 for side in picture.shape[:2])
    return picture[top : top + CENTRE, left : left + CENTRE].copy()


def _cut(picture: np.ndarray, crop: int, random: np.random.Generator) -> np.ndarray:
    """A crop at random, turned at random."""
    top = int(random.integers(picture.shape[0] - crop + 1))
    left = int(random.integers(picture.shape[1] - crop + 1))
    window = picture[top : top + crop, left : left + crop]
    window = window[:, ::-1] if random.random() < 0.5 else window
    return np.ascontiguousarray(np.rot90(window, int(random.integers(4))))
