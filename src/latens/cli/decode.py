"""``latens decode``."""

import time
import warnings
from typing import Annotated

import typer

from latens.cli import messages, options, output, source

DEFAULT_FORMAT = "png"


def decode(
    file: Annotated[str, typer.Argument(metavar="IN", help="A .ltn file; - is stdin.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="png, jpg, webp, tif, bmp or ppm by its extension; a folder. Default: IN with .png; - is stdout.",
            show_default=False,
        ),
    ] = None,
    force: options.Force = False,
    format: Annotated[
        str | None,
        typer.Option("--format", metavar="EXT", help="The picture's format, whatever OUT is called."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="FILE", help="The .ltm it was encoded with, if not a shipped model's."),
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    runtime: options.Runtime = None,
    threads: options.Threads = None,
    as_json: options.DataJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Decode a .ltn file to a picture.

    PNG, WebP, TIFF, BMP and PPM keep every decoded pixel; JPEG (quality 95,
    4:4:4) loses again.

    \b
    Examples:
      latens decode photo.ltn                       writes photo.png
      latens decode photo.ltn -o photo.webp
      latens decode - -o - --format ppm < photo.ltn | display
    """
    options.check_range("max-pixels", max_pixels, 1)
    more = options.running(runtime, threads)
    from latens.image import MetadataWarning, format_named, write_picture

    out = source.target_for(file, f".{format_named(format or DEFAULT_FORMAT)}", out)
    kind = format_named(format or (DEFAULT_FORMAT if out == output.STANDARD else out))
    output.check_target(out, file, force)
    start = time.perf_counter()
    with messages.working(f"decoding {source.name_of(file)}", quiet):
        import latens

        data = source.read(file)
        more |= {} if weights is None else {"weights": weights}
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", MetadataWarning)
            image = latens.decode(data, max_pixels=max_pixels, **more)
        picture = write_picture(image, kind)
        output.write(out, picture, force)
    seconds = time.perf_counter() - start
    notes = [str(warning.message) for warning in said]
    messages.notes(notes, as_json=as_json, data_on_stdout=out == output.STANDARD)

    header = latens.open(data).header
    width, height = image.size
    facts = {
        "input": file,
        "output": out,
        "format": kind,
        "width": width,
        "height": height,
        "model": header.model,
        "fingerprint": header.fingerprint.hex(),
        "input_bytes": len(data),
        "bytes": len(picture),
        "bpp": 8 * len(data) / (width * height),
        "seconds": seconds,
        "notes": notes,
    }
    text = (
        f"{source.name_of(file)} ({messages.size(len(data))}, {facts['bpp']:.3f} bpp) -> {out}: "
        f"{width} x {height}, {messages.size(len(picture))}, {seconds:.2f} s"
    )
    messages.summary(facts, text, as_json=as_json, quiet=quiet, data_on_stdout=out == output.STANDARD)
