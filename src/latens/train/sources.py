"""Where training pictures lie: folders, picture files and tar shards, on this machine or behind a URL.

A source is a path or a URL (http, https, s3, gs: whatever fsspec opens), and may stand for several with a range or
a choice in braces, as WebDataset's do: ``shard-{00..06}.tar``, ``{day,night}.tar``.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from PIL import Image

from latens.errors import LatensError, MissingExtraError, TrainingError

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
DAMAGED = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]
BRACES = re.compile(r"\{([^{}]*)\}")


def expanded(sources: Iterable[str]) -> list[str]:
    """Every source by its own name; braces that hold neither a range nor a choice stay as they are."""
    found: list[str] = []
    for source in sources:
        braces = next((m for m in BRACES.finditer(source) if ".." in m[1] or "," in m[1]), None)
        if braces is None:
            found.append(source)
            continue
        found += expanded(source[: braces.start()] + word + source[braces.end() :] for word in _words(braces[1]))
    return found


def _words(inside: str) -> list[str]:
    numbers = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if numbers is None:
        return inside.split(",")
    first, last = numbers.groups()
    step = 1 if int(first) <= int(last) else -1
    return [f"{k:0{len(first)}d}" for k in range(int(first), int(last) + step, step)]


def shards(sources: Iterable[str]) -> list[str]:
    """The sources, every folder replaced by the files in it (searched through): pictures and tar shards.

    Raises:
        TrainingError: a source is not there
    """
    found: list[str] = []
    for source in expanded(sources):
        path = Path(source)
        if "://" in source or path.is_file():
            found.append(source)
        elif path.is_dir():
            found += [str(p) for p in sorted(path.rglob("*")) if p.is_file() and _kind(p.name) != "other"]
        elif path.suffix == ".tar":
            raise TrainingError(f"{source} cannot be read as a tar shard: there is no such file")
        else:
            raise TrainingError(f"{source} is neither a folder, a tar shard, a picture nor a URL")
    return found


def _kind(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return "shard" if suffix == ".tar" else "picture" if suffix in SUFFIXES else "other"


class _Member(tarfile.TarInfo):
    """A member of a shard. A damaged header is an error; tarfile would take any but the first for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except DAMAGED as error:
            raise tarfile.ReadError(f"at byte {archive.offset}: {error}") from error


@contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    """The bytes of a file or of a URL, read from front to back; what goes wrong is a TrainingError."""
    if "://" not in source:
        with open(source, "rb") as file:
            yield file
        return
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"{source} needs fsspec: pip install fsspec") from error
    try:
        opening: Any = fsspec.open(source, "rb")
    except ImportError as error:  # the packages behind a scheme: aiohttp, s3fs, gcsfs ...
        raise MissingExtraError(f"{source} needs another package: {error}") from error
    except ValueError as error:
        raise TrainingError(f"{source} cannot be read: {error}") from error
    with opening as file:
        yield file


def encoded(source: str) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures in a file or URL that `shards` gave: of a shard all, in its order.

    Raises:
        TrainingError: it cannot be read
        MissingExtraError: a package that its kind of URL needs is not installed
    """
    is_shard = Path(source.partition("?")[0]).suffix.lower() == ".tar"
    try:
        with _opened(source) as file:
            if not is_shard:
                yield source, file.read()
                return
            with tarfile.open(fileobj=file, mode="r|", tarinfo=_Member) as shard:
                for member in shard:
                    if member.isfile() and _kind(member.name) == "picture":
                        content = shard.extractfile(member)
                        assert content is not None
                        yield f"{source}:{member.name}", content.read()
    except LatensError:
        raise
    except Exception as error:  # what fsspec opens fails in as many ways as there are protocols
        if "://" not in source and not isinstance(error, tarfile.TarError | OSError):
            raise
        raise TrainingError(f"{source} cannot be read{' as a tar shard' * is_shard}: {error}") from error


def decoded(item: tuple[str, bytes]) -> np.ndarray | str:
    """uint8 (H, W, 3), or what is wrong with it."""
    name, data = item
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode[0] in "IF":  # which Pillow would clip to 8 bits
                return f"{name}: it is of mode {image.mode}, and must have 8 bits a sample"
            return np.array(image.convert("RGB"))  # its own memory, which PyTorch may share
    except Exception as error:  # Pillow's readers meet damage with errors of many kinds
        return f"{name}: {error}"
