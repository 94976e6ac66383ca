"""``latens encode``."""

import os
import sys
import time
from typing import Annotated, Any

import typer

from latens.cli import messages, options, output, source
from latens.errors import UsageError


def encode(
    picture: Annotated[str, typer.Argument(metavar="IN", help="A picture (PNG, JPEG, WebP ...); - is stdin.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file, or a folder that exists. Default: IN with .ltn; - is stdout.",
            show_default=False,
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "--quality",
            "-q",
            metavar="0..100",
            help="0 is small, 100 is faithful, and still lossy. Default: 50.",
        ),
    ] = None,
    target_size: Annotated[
        str | None,
        typer.Option(
            metavar="80KB",
            help="The largest file of at most so many bytes, and not more than 2 % below; see --closest.",
        ),
    ] = None,
    target_bpp: Annotated[
        float | None,
        typer.Option(
            metavar="BPP",
            help="The largest file of at most so many bits per pixel, and not more than 2 % below; see --closest.",
        ),
    ] = None,
    target_psnr: Annotated[
        float | None, typer.Option(metavar="DB", help="The smallest file of at least this PSNR (8-bit RGB).")
    ] = None,
    target_msssim: Annotated[
        float | None, typer.Option(metavar="0..1", help="The smallest file of at least this MS-SSIM.")
    ] = None,
    closest: Annotated[
        bool, typer.Option("--closest", help="Take the nearest file where a target cannot be met within 2 %.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", metavar="ID", help="See `latens models`; or the path of a .ltm file.")
    ] = options.MODEL,
    tune: options.Tune = None,
    effort: options.Effort = None,
    force: options.Force = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    runtime: options.Runtime = None,
    threads: options.Threads = None,
    as_json: options.DataJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Encode a picture as a .ltn file.

    8-bit RGB of any size; an EXIF orientation is applied. What a file cannot
    hold yet is refused (grey, alpha, 16 bit, several frames) or named in a
    note (EXIF, XMP, ICC profile). Reports on standard error.

    \b
    Examples:
      latens encode photo.png                       writes photo.ltn
      latens encode photo.jpg -o small.ltn -q 20
      latens encode photo.png --target-size 80KB
      latens encode photo.png --tune ms-ssim
      latens encode photo.png -e 9                  takes its time
      latens encode - -o - < photo.png > photo.ltn
    """
    targets = {
        "size": None if target_size is None else options.bytes_of(target_size),
        "bpp": target_bpp,
        "psnr": target_psnr,
        "ms_ssim": target_msssim,
    }
    asked: dict[str, Any] = {kind: value for kind, value in targets.items() if value is not None}
    if len(asked) + (quality is not None) > 1:
        words = [*(["quality"] if quality is not None else []), *asked]
        raise UsageError(f"{' and '.join(words)} are given: a file has one quality or one target")
    wanted = options.QUALITY if quality is None else quality
    options.check_range("quality", wanted, 0, 100)
    options.check_range("max-pixels", max_pixels, 1)
    chosen: dict[str, Any] = {"model": model, "max_pixels": max_pixels}
    chosen |= {} if tune is None else {"tune": tune}
    chosen |= options.searching(effort) | options.running(runtime, threads)
    target = source.target_for(picture, ".ltn", out)
    output.check_target(target, picture, force)
    start = time.perf_counter()
    with messages.working(f"encoding {source.name_of(picture)}", quiet):
        import latens
        from latens.image import dropped_note, read_picture

        given = sys.stdin.buffer.read() if picture == output.STANDARD else source.whole_if_pipe(picture)
        pixels, dropped = read_picture(given, max_pixels=max_pixels)
        input_bytes = len(given) if isinstance(given, bytes) else os.path.getsize(given)
        if asked:
            data = latens.encode_to(pixels, **asked, closest=closest, **chosen)
        else:
            data = latens.encode(pixels, quality=wanted, **chosen)
        output.write(target, data, force)
    seconds = time.perf_counter() - start
    to_stdout = target == output.STANDARD
    opened = latens.open(data)
    header, point = opened.header, opened.rate_point
    tuned = point.tune if point else tune
    notes = [dropped_note(dropped, source.name_of(picture))] if dropped else []
    if effort and tuned == "ms-ssim":
        notes.append(f"effort {effort} changes nothing: weights tuned for MS-SSIM are rounded at any effort")
    messages.notes(notes, as_json=as_json, data_on_stdout=to_stdout)

    height, width = pixels.shape[:2]
    facts = {
        "input": picture,
        "output": target,
        "width": width,
        "height": height,
        "model": header.model,
        "fingerprint": header.fingerprint.hex(),
        "rate_point": point.name if point else None,
        "tune": tuned,
        "quality": header.quality,
        "asked_quality": None if asked else wanted,
        "target": asked or None,
        "effort": effort,
        "input_bytes": input_bytes,
        "bytes": len(data),
        "bpp": 8 * len(data) / (width * height),
        "ratio_raw": pixels.nbytes / len(data),
        "ratio_input": input_bytes / len(data),
        "seconds": seconds,
        "dropped": dropped,
        "notes": notes,
    }
    text = (
        f"{source.name_of(picture)} ({width} x {height}, {messages.size(input_bytes)}) -> {target}: "
        f"{messages.size(len(data))}, {facts['bpp']:.3f} bpp, "
        f"1:{facts['ratio_raw']:.1f} to raw 24-bit pixels, 1:{facts['ratio_input']:.2f} to the input, "
        f"{seconds:.2f} s"
    )
    messages.summary(facts, text, as_json=as_json, quiet=quiet, data_on_stdout=to_stdout)
