"""Training pictures: decoded once into memory, crops drawn there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from latens.errors import TrainingError
from latens.train.parallel import ALONE, Share
from latens.train.sources import decoded, encoded, shards


class Pictures:
    """8-bit RGB pictures in memory, uint8 (H, W, 3) each."""

    def __init__(self, pictures: list[np.ndarray], unreadable: list[str]) -> None:
        self.pictures, self.unreadable = pictures, unreadable
        self._resident = [torch.from_numpy(picture) for picture in pictures]  # the same memory
        self._weights = np.array([picture.shape[0] * picture.shape[1] for picture in pictures], np.float64)
        self._weights /= self._weights.sum()

    @classmethod
    def load(cls, sources: Iterable[str | Path], smallest: int, quiet: bool = False) -> Pictures:
        """Read all sources (`latens.train.sources`); pictures with a side under ``smallest`` are left out.

        Raises:
            TrainingError: nothing usable was found, or a source cannot be read
        """
        items = [item for shard in shards(map(str, sources)) for item in encoded(shard)]
        with ThreadPoolExecutor() as pool:
            results = pool.map(decoded, items)
            shown = track(results, "decoding", total=len(items), disable=quiet, transient=True)
            found = list(shown)
        unreadable = [result for result in found if isinstance(result, str)]
        arrays = [result for result in found if not isinstance(result, str)]
        pictures = [array for array in arrays if min(array.shape[:2]) >= smallest]
        left_out = len(arrays) - len(pictures)
        if (unreadable or left_out) and not quiet:
            first = f", the first: {unreadable[0]}" if unreadable else ""
            print(
                f"note: {len(unreadable)} pictures are unreadable{first}; {left_out} have sides under {smallest}",
                file=sys.stderr,
            )
        if not pictures:
            raise TrainingError(
                f"no usable pictures: {len(items)} files found, {len(unreadable)} unreadable, "
                f"{len(arrays)} smaller than {smallest} pixels on a side"
            )
        return cls(pictures, unreadable)

    def __len__(self) -> int:
        return len(self.pictures)

    def to(self, device: torch.device) -> Pictures:
        """Itself; crops are cut on the device from now on, if it is a CUDA device that has twice the room."""
        size = sum(picture.nbytes for picture in self.pictures)
        if device.type == "cuda" and 2 * size < torch.cuda.mem_get_info(device)[0]:
            self._resident = [picture.to(device) for picture in self._resident]
        return self

    def some(self, count: int) -> Pictures:
        """The first ``count`` of them."""
        return Pictures(self.pictures[:count], [])

    def batch(self, size: int, crop: int, seed: int, step: int, share: Share = ALONE) -> Tensor:
        """(size / share.parts, crop, crop, 3) uint8: crops of pictures drawn in proportion to their area, turned
        at random.

        What is drawn depends on ``seed`` and ``step`` alone, so a resumed run sees what it would have seen, and
        several processes see together what one would see.
        """
        random, mine = np.random.default_rng((seed, step)), share.indices(size)
        crops = []
        for k, which in enumerate(random.choice(len(self.pictures), size, p=self._weights)):
            height, width, _ = self.pictures[which].shape
            top, left = int(random.integers(height - crop + 1)), int(random.integers(width - crop + 1))
            mirrored, turns = random.random() < 0.5, int(random.integers(4))
            if k in mine:
                window = self._resident[which][top : top + crop, left : left + crop]
                crops.append(torch.rot90(window.flip(1) if mirrored else window, turns))
        return torch.stack(crops)

    def tiles(self, crop: int) -> Tensor:
        """(len, crop, crop, 3) uint8: the centre of every picture, for validation."""
        centres = []
        for picture in self.pictures:
            top, left = (picture.shape[0] - crop) // 2, (picture.shape[1] - crop) // 2
            centres.append(picture[top : top + crop, left : left + crop])
        return torch.from_numpy(np.stack(centres))


def to_input(crops: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [0, 1], channels last in memory."""
    return crops.to(device).permute(0, 3, 1, 2).float().div_(255)
