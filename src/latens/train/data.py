"""Training pictures: decoded once into memory, crops drawn there."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor

from latens.errors import TrainingError

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def _encoded(source: Path) -> Iterator[tuple[str, bytes]]:
    """The picture files in a folder (searched through), in a tar shard, or the one file itself."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                yield str(path), path.read_bytes()
            elif path.suffix == ".tar":
                yield from _encoded(path)
    elif source.suffix == ".tar":
        try:
            with tarfile.open(source) as shard:
                for member in shard:
                    if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                        file = shard.extractfile(member)
                        assert file is not None
                        yield f"{source}:{member.name}", file.read()
        except (tarfile.TarError, OSError) as error:
            raise TrainingError(f"{source} cannot be read as a tar shard: {error}") from error
    elif source.is_file():
        yield str(source), source.read_bytes()
    else:
        raise TrainingError(f"{source} is neither a folder, a tar shard nor a picture")


def _decoded(item: tuple[str, bytes]) -> np.ndarray | str:
    name, data = item
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow's readers meet damage with errors of many kinds
        return f"{name}: {error}"


class Pictures:
    """8-bit RGB pictures in memory, uint8 (H, W, 3) each."""

    def __init__(self, pictures: list[np.ndarray], unreadable: list[str]) -> None:
        self.pictures, self.unreadable = pictures, unreadable

    @classmethod
    def load(cls, sources: Iterable[Path], smallest: int, quiet: bool = False) -> Pictures:
        """Read folders and shards; pictures with a side under ``smallest`` are left out.

        Raises:
            TrainingError: nothing usable was found
        """
        items = [item for source in sources for item in _encoded(Path(source))]
        with ThreadPoolExecutor() as pool:
            results = pool.map(_decoded, items)
            shown = track(results, "decoding", total=len(items), disable=quiet, transient=True)
            decoded = list(shown)
        unreadable = [result for result in decoded if isinstance(result, str)]
        arrays = [result for result in decoded if not isinstance(result, str)]
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

    def batch(self, size: int, crop: int, seed: int, step: int) -> Tensor:
        """(size, crop, crop, 3) uint8: crops of pictures drawn in proportion to their area, turned at random.

        What is drawn depends on ``seed`` and ``step`` alone, so a resumed run sees what it would have seen.
        """
        random = np.random.default_rng((seed, step))
        areas = np.array([array.shape[0] * array.shape[1] for array in self.pictures], dtype=np.float64)
        crops = np.empty((size, crop, crop, 3), np.uint8)
        for k, which in enumerate(random.choice(len(self.pictures), size, p=areas / areas.sum())):
            picture = self.pictures[which]
            top = random.integers(picture.shape[0] - crop + 1)
            left = random.integers(picture.shape[1] - crop + 1)
            window = picture[top : top + crop, left : left + crop]
            if random.random() < 0.5:
                window = window[:, ::-1]
            crops[k] = np.rot90(window, int(random.integers(4)))
        return torch.from_numpy(crops)

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
