"""``latens compare``: one picture of one's own by several codecs."""

from __future__ import annotations

import dataclasses
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latens.cli import messages, options, output
from latens.cli.eval import chosen_codecs, chosen_metrics, progress_bar

if TYPE_CHECKING:
    from latens.evaluate.results import Row

BPP = 0.5
SHOWN = ("psnr_rgb", "ms_ssim", "ssimulacra2")  # in the table, if more metrics were measured than fit


def compare(
    picture: Annotated[Path, typer.Argument(metavar="IN", help="A picture.")],
    codec: options.Codecs = None,
    bpp: Annotated[float, typer.Option(metavar="RATE", help="Bits per pixel that the files shall have.")] = BPP,
    metric: options.Metrics = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Page; IN-compare.html here by default.")
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write the page, or only the table.")] = True,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare codecs on one picture, each at the setting that comes nearest to a rate.

    Prints a table and writes a page with the decoded pictures to slide
    between. Exit code 1 if a codec failed.

    \b
    Examples:
      latens compare photo.png
      latens compare photo.png --codec jpeg --codec avif --codec balle2017 --bpp 0.3
    """
    from latens.evaluate.compare import compare as run
    from latens.evaluate.page import render

    target = str(out or f"{picture.stem}-compare.html")
    if page:
        output.check_target(target, str(picture), force)
    if not (math.isfinite(bpp) and bpp > 0):
        from latens.errors import UsageError

        raise UsageError(f"bpp is {bpp:g}, and must be above 0")
    specs, missing = chosen_codecs(codec)
    metrics = chosen_metrics(metric)
    with progress_bar(quiet) as progress:
        found = run(picture, specs, bpp, metrics, shlex.join(["latens", *sys.argv[1:]]), progress)
    if page and found.rows:
        output.write(target, render(found.page).encode(errors="backslashreplace"), force)
    if as_json:
        rows = [_finite(dataclasses.asdict(row)) for row in found.rows]
        written = target if page and found.rows else None
        facts = {"picture": str(picture), "bpp": bpp, "rows": rows, "failed": found.failed, "page": written}
        messages.print_json(facts)
    elif not quiet:
        _print(found.rows, metrics)
        if page and found.rows:
            messages.say(f"{target} shows them side by side")
    for name, why in {**missing, **found.failed}.items():
        messages.say(f"failed: {name}: {why}", "red")
    if found.failed or (missing and codec):
        raise typer.Exit(1)


def _finite(row: dict[str, object]) -> dict[str, object]:
    """JSON has no infinity and no nan."""
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    metrics = plain["metrics"]
    assert isinstance(metrics, dict)
    return plain | {"metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()}}


def _print(rows: list[Row], metrics: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    from latens.metrics import METRICS

    console = Console()
    if not console.is_terminal:
        console = Console(width=options.NARROWEST)
    shown = metrics if len(metrics) <= len(SHOWN) else tuple(name for name in SHOWN if name in metrics)
    shown = shown or metrics[: len(SHOWN)]
    table = Table()
    table.add_column("codec", no_wrap=True)
    for heading in ("setting", "bytes", "bpp", *(METRICS[name].title for name in shown), "encode s", "decode s"):
        table.add_column(heading, justify="right", no_wrap=True)
    sign = -1 if METRICS[shown[0]].better == "higher" else 1
    for row in sorted(rows, key=lambda row: sign * row.metrics.get(shown[0], math.nan)):  # the best first
        figures = [f"{row.metrics[name]:.{METRICS[name].digits}f}" for name in shown]
        times = (f"{row.encode_s:.3f}", f"{row.decode_s:.3f}")
        table.add_row(row.codec, f"{float(row.setting):.4g}", str(row.bytes), f"{row.bpp:.3f}", *figures, *times)
    console.print(table)
