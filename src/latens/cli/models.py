"""``latens models``."""

import dataclasses
from typing import TYPE_CHECKING

import typer

from latens.cli import messages, options

if TYPE_CHECKING:
    from rich.table import Table

    from latens.weights.shelf import Measured, ModelInfo, RatePoint


def models(as_json: options.Json = False) -> None:
    """The shipped models and their rate points, measured on the 24 Kodak pictures.

    \b
    Examples:
      latens models
      latens models --json
    """
    import latens

    found = latens.models()
    if as_json:
        messages.print_json([dataclasses.asdict(model) for model in found])
        return
    if not found:
        typer.echo("no model is shipped with this installation")
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=options.NARROWEST)
    for model in found:
        console.print(f"{model.id} ({model.code}): {model.title}. {model.paper}", markup=False, highlight=False)
        console.print(table(model))
        if model.retired:
            old = ", ".join(f"{point.name} ({point.fingerprint})" for point in model.retired)
            console.print(f"retired, decoded and no longer written: {old}", markup=False, highlight=False)


def table(model: "ModelInfo") -> "Table":
    """A row per rate point."""
    from rich.table import Table

    result = Table()
    result.add_column("point")
    for heading in ("-q", "bpp", "PSNR dB", "MS-SSIM", "kMAC/px enc, dec", "parameters", "file", "weights"):
        result.add_column(heading, justify="right")
    for point in model.points:
        for measured in point.kodak or (None,):
            result.add_row(*row(point, measured))
    return result


def row(point: "RatePoint", measured: "Measured | None") -> list[str]:
    """A rate point in words, at one quality if it has variable rate; dashes for what has not been measured."""
    low, high = point.quality
    encoder, decoder = point.kmac_per_pixel
    variable = point.levels > 1 and measured is not None
    return [
        point.name,
        f"{measured.quality:g}" if variable and measured else f"{low:g} to {high:g}",
        *([f"{measured.bpp:.3f}", f"{measured.psnr:.2f}", f"{measured.ms_ssim:.4f}"] if measured else "---"),
        f"{encoder:.1f}, {decoder:.1f}",
        f"{point.parameters / 1e6:.2f} M",
        f"{point.bytes / 1e6:.2f} MB",
        point.fingerprint,
    ]
