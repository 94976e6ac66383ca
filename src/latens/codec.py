"""READ FIRST: the way of a picture into a file and back. Every other module serves these lines.

::

    picture --(image)--> x --g_a--> y --(model.code over Encode, search)--> bytes --(bitstream)--> .ltn
    picture <--(image)-- x_hat <--(g_s, wiener)-- y_hat <--(model.code over Decode)-- bytes <--(bitstream)-- .ltn
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, overload

import numpy as np

from latens.bitstream import Header, read_header, read_whole, unpack
from latens.bitstream.header import MAX_PIXELS as MAX_PIXELS
from latens.coding import Decoder
from latens.entropy.account import Account
from latens.entropy.channels import Decode
from latens.errors import ChecksumError, DriftError, FormatError, WeightsError
from latens.image import MetadataWarning, PictureSource, check_size, left_behind, read_picture
from latens.latents import Analysed, decoded, pictured, synthesised
from latens.opened import Encoded
from latens.runtime import DEFAULT, Runtime, choose
from latens.search import check_effort
from latens.stairs import steady
from latens.weights.package import Weights, load
from latens.weights.shelf import by_fingerprint, select
from latens.wiener import Filter

if TYPE_CHECKING:
    from PIL.Image import Image

Name = str | os.PathLike[str]

KINDS = {"iccp": "ICC profile", "exif": "EXIF", "xmpx": "XMP"}  # of metadata, by the tags of segments
DEFAULT_MODEL = "latens"


def encode(
    image: PictureSource,
    *,
    quality: float = 50,
    model: Name = DEFAULT_MODEL,
    tune: str | None = None,
    effort: int | None = None,
    max_pixels: int = MAX_PIXELS,
    runtime: str | None = None,
    threads: int | None = None,
) -> bytes:
    """Encode a picture as the bytes of a .ltn file.

    Args:
        image: a PIL image, a uint8 array (H, W, 3), or the path or open file of a picture
        quality: 0 (small) to 100 (faithful), in hundredths where the model has variable rate, in fives for
            pictures with next to nothing in them (`latens.stairs`); otherwise it chooses among the model's rates
        model: a shipped model's id, or the path of a weights file (.ltm)
        tune: ``psnr`` or ``ms-ssim``, what the weights shall be trained for; by default the former, or what the
            weights file has. Files name their weights: a decoder need not be told
        effort: 0 (latents are rounded) to 9 (searched for long), see `latens.search`; files of a higher effort are
            never worse, and any decoder reads them. By default 1
        max_pixels: refuse larger pictures
        runtime: what runs the networks, ``onnx``, ``openvino`` or ``torch``; by default LATENS_RUNTIME of the
            environment, else ``onnx``
        threads: of the runtime, 0 for one a core; by default LATENS_THREADS, else 0

    Raises:
        PictureError: unreadable, too large, or of a kind latens does not encode yet
        UsageError: no such model, tune, quality, effort, runtime or number of threads
        WeightsError: the weights file cannot be used
        MissingExtraError: the runtime is not installed
    """
    check_effort(effort)
    weights = load(select(os.fspath(model), quality, tune), choose(runtime, threads))
    picture = read_picture(image, max_pixels=max_pixels)
    picture.warn()
    return steady(Analysed.of(picture.pixels, weights), effort)(quality).data


@overload
def decode(
    data: Encoded,
    *,
    output: Literal["image"] = ...,
    weights: Name | None = ...,
    max_pixels: int = ...,
    runtime: str | None = ...,
    threads: int | None = ...,
) -> Image: ...
@overload
def decode(
    data: Encoded,
    *,
    output: Literal["array"],
    weights: Name | None = ...,
    max_pixels: int = ...,
    runtime: str | None = ...,
    threads: int | None = ...,
) -> np.ndarray: ...
def decode(
    data: Encoded,
    *,
    output: Literal["image", "array"] = "image",
    weights: Name | None = None,
    max_pixels: int = MAX_PIXELS,
    runtime: str | None = None,
    threads: int | None = None,
) -> Image | np.ndarray:
    """Decode a .ltn file, given as its bytes or its path.

    Metadata that a file of a later version may hold are not decoded yet, which a MetadataWarning says.

    Args:
        output: ``image`` for a PIL image, ``array`` for uint8 (H, W, 3)
        weights: the path of the weights file (.ltm) it was written with, if they are not shipped ones
        max_pixels: refuse larger pictures before any memory is taken for them
        runtime, threads: as in `encode`; the latents do not depend on them, and pixels by one level at most

    Raises:
        FileError: see `latens.errors`; never a wrong picture
        TooLargeError: more than ``max_pixels``
        UsageError: no such runtime or number of threads
        MissingExtraError: the runtime is not installed
    """
    header, found, y_hat, own, _ = _symbols(data, weights, max_pixels, Decode, choose(runtime, threads))
    pixels = pictured(synthesised(header, found, y_hat), found, own)
    if output == "array":
        return pixels
    from PIL import Image

    return Image.fromarray(pixels)


def bit_map(data: Encoded, *, weights: Name | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Where the bits of a .ltn file went: float64 (rows, columns), bits per position of the finest grid.

    A position stands for 16 pixels a side, of ``latens`` and ``latens-fast`` for 32.
    Arguments and errors as `decode`. The sum is the length of the file but for its header and the last word.
    """
    channel = _symbols(data, weights, max_pixels, Account)[-1]
    return channel.spent()


Played = TypeVar("Played", bound=Decode)


def _symbols(
    data: Encoded,
    weights: Name | None,
    max_pixels: int,
    play: type[Played],
    runtime: Runtime = DEFAULT,
) -> tuple[Header, Weights, np.ndarray, Filter | None, Played]:
    """Everything that a file says: latents (1, M, H/stride, W/stride) and filter, checked to be those encoded."""
    if not isinstance(data, bytes | bytearray | memoryview):
        with open(data, "rb") as stream:
            data = read_whole(stream)
    first = read_header(io.BytesIO(data))
    check_size(first.width, first.height, max_pixels)
    header, segments, (tile, *_) = unpack(bytes(data))
    check_kind(header)
    if segments:
        message = left_behind(tuple(KINDS.get(segment.tag, repr(segment.tag)) for segment in segments))
        warnings.warn(message, MetadataWarning, stacklevel=3)  # at the caller of `decode`
    found = find_weights(header, weights, runtime)
    if (header.quality is None) != (found.gains is None):
        kind = "of variable rate, and the file names no" if found.gains else "of one rate, and the file names a"
        raise FormatError(f"{found.model.id} of {found.source} is {kind} quality")
    decoder = Decoder(found.tables, tile.payload)
    channel = play(decoder, found.priors, header.height, header.width, found.networks)
    try:
        y_hat, own = decoded(found, channel)
        decoder.finish()
    except ChecksumError as error:  # of the symbols: the file's own checksums are right
        raise DriftError(f"the bytes are whole, but decode to other symbols than were encoded: {error}") from error
    if channel.check.value != tile.check:
        raise DriftError("the decoded symbols are not those that were encoded, though the bytes are whole")
    return header, found, y_hat, own, channel


def find_weights(header: Header, path: Name | None, runtime: Runtime = DEFAULT) -> Weights:
    """The weights a header names: shipped ones, or those of ``path`` if their fingerprint agrees."""
    chosen = by_fingerprint(header.model, header.fingerprint) if path is None else Path(path).absolute()
    found = load(chosen, runtime)
    if found.model.fourcc != header.model:
        raise WeightsError(f"the file is of model {header.model}, and {found.source} of {found.model.fourcc}")
    if found.fingerprint != header.fingerprint:
        raise WeightsError(
            f"the file was written with weights {header.fingerprint.hex()}, "
            f"and {found.source} has {found.fingerprint.hex()}"
        )
    return found


def check_kind(header: Header) -> None:
    """Refuse what the format can say and this version cannot decode."""
    kinds = {
        "grey": header.colour != "rgb",
        "16-bit": header.depth != 8,
        "alpha": header.alpha,
        "tiled": header.tile is not None,
    }
    for kind, present in kinds.items():
        if present:
            raise FormatError(f"the file holds a {kind} picture, and this version decodes 8-bit RGB, untiled")
