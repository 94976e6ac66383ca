"""Options that several commands share."""

import math
from typing import Annotated

import typer

from latens.errors import UsageError

# The library's defaults, repeated so that ``--help`` needs no codec; a test holds them to it.
MAX_PIXELS = 2**28
QUALITY = 50.0
MODEL = "balle2017"

Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output if it exists.")]
MaxPixels = Annotated[int, typer.Option("--max-pixels", metavar="N", help="Refuse pictures with more pixels.")]
Json = Annotated[bool, typer.Option("--json", help="Report as one JSON object on standard output.")]
DataJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Report as one JSON object: on standard output, or on standard error if the data go there.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="No report and no progress; warnings and errors are still said.")
]


def check_range(name: str, value: float, least: float, most: float = math.inf) -> None:
    """UsageError unless ``least <= value <= most``; said here, before any work, and with the value."""
    if not least <= value <= most:
        rule = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise UsageError(f"{name} is {value:g}, and must be {rule}")
