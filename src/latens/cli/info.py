"""``latens info``."""

import io
import os
from typing import Annotated, Any, BinaryIO

import typer

from latens.bitstream import tile_grid
from latens.bitstream.container import ENTRY_LEAST, take_entry, take_segments
from latens.bitstream.header import take_header
from latens.bitstream.reader import Reader
from latens.cli import messages, options, output, source
from latens.errors import FileError


def info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .ltn file; - is stdin.")],
    as_json: options.Json = False,
) -> None:
    """What a .ltn file says about itself; its picture is not decoded.

    Works on files of models that this installation does not know, and says so.

    \b
    Examples:
      latens info photo.ltn
      latens info photo.ltn --json
    """
    try:
        if file == output.STANDARD or not os.path.isfile(file):
            data = source.read(file)
            facts = describe(io.BytesIO(data), len(data))
        else:
            with open(file, "rb") as stream:
                facts = describe(stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise FileError(f"cannot read {source.name_of(file)}: {error.strerror or error}") from error
    facts = {"file": file, **facts}
    if as_json:
        messages.print_json(facts)
    else:
        typer.echo("\n".join(f"{name:12} {value}" for name, value in lines(facts)))


def describe(stream: BinaryIO, size: int) -> dict[str, Any]:
    """The facts of a file of ``size`` bytes."""
    import latens

    opened = latens.open(stream)
    header, model, point = opened.header, opened.model, opened.rate_point
    rows, columns = tile_grid(header)
    stream.seek(0)
    return {
        "width": header.width,
        "height": header.height,
        "colour": header.colour,
        "depth": header.depth,
        "alpha": header.alpha,
        "model": header.model,
        "model_id": model.id if model else None,
        "model_title": model.title if model else None,
        "paper": model.paper if model else None,
        "fingerprint": header.fingerprint.hex(),
        "rate_point": point.name if point else None,
        "tune": point.tune if point else None,
        "retired": bool(model and point in model.retired),
        "quality": header.quality,
        "quality_range": list(point.quality) if point else None,
        "tile": header.tile,
        "tiles": rows * columns,
        "bytes": size,
        "bpp": 8 * size / (header.width * header.height),
        "overhead_bytes": overhead(stream, size),
    }


def overhead(stream: BinaryIO, size: int) -> int | None:
    """Bytes that are not coded pixels (header, metadata, index); None if the index is damaged or cut."""
    reader = Reader(stream)
    try:
        header, has_segments = take_header(reader)
        if has_segments:
            take_segments(reader, size)
        rows, columns = tile_grid(header)
        if rows * columns * ENTRY_LEAST > size - stream.tell():
            return None
        payload = sum(take_entry(reader).length for _ in range(rows * columns))
    except FileError:
        return None
    return stream.tell() if stream.tell() + payload == size else None


def lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts for people."""
    picture = f"{facts['width']} x {facts['height']}, {facts['colour']}, {facts['depth']} bit"
    if facts["model_id"] is None:
        model = f"{facts['model']}: not known to this version of latens"
        weights = facts["fingerprint"]
    else:
        model = f"{facts['model']}: {facts['model_id']}, {facts['model_title']} ({facts['paper']})"
        known = facts["rate_point"] and facts["rate_point"] + (", retired" if facts["retired"] else "")
        weights = facts["fingerprint"] + (f": {known}" if known else ": not among those shipped")
    span = facts["quality_range"]
    quality = "not known" if span is None else f"{span[0]:g} to {span[1]:g}"
    if facts["quality"] is not None:
        quality = f"{facts['quality']:g}"
    tiles = f"{facts['tiles']} of {facts['tile']} x {facts['tile']}" if facts["tile"] else "none"
    lost = facts["overhead_bytes"]
    return [
        ("file", facts["file"]),
        ("picture", picture + (", alpha" if facts["alpha"] else "")),
        ("model", model),
        ("weights", weights),
        ("quality", quality),
        ("tiles", tiles),
        ("size", f"{messages.size(facts['bytes'])}, {facts['bpp']:.3f} bpp"),
        ("overhead", "not known: the file is cut or damaged" if lost is None else messages.size(lost)),
    ]
