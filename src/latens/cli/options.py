"""Options that several commands share."""

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latens.bitstream.header import MAX_PIXELS as MAX_PIXELS
from latens.errors import UsageError

if TYPE_CHECKING:
    from latens.evaluate.curves import MeanCurve

# The library's defaults, repeated so that ``--help`` needs no codec; a test holds them to it.
QUALITY = 50.0
MODEL = "latens"
EFFORT, MOST_EFFORT = 1, 9
NARROWEST = 100  # columns: where standard output is no terminal, tables are not squeezed into 80

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
Codecs = Annotated[
    list[str] | None,
    typer.Option(
        "--codec",
        metavar="ID",
        help="jpeg, jpeg-444, jpeg2000, webp, avif, jxl, heic, bpg, bpg-420, a model, or NAME=FILE.ltm,...; "
        "learned ones may end in @0 to @9. May be repeated; all that can run here if none is given.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="ID",
        help="psnr_rgb, psnr_y, ssim, ms_ssim, gmsd, ssimulacra2, vmaf. "
        "May be repeated; all but vmaf if none is given.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="No report and no progress; warnings and errors are still said.")
]
Tune = Annotated[
    str | None,
    typer.Option(
        metavar="psnr|ms-ssim",
        help="What the weights are trained for; a decoder needs no such option. Default: psnr.",
        show_default=False,
    ),
]
Effort = Annotated[
    int | None,
    typer.Option(
        "--effort",
        "-e",
        metavar="0..9",
        help="Time for smaller files at equal fidelity: 0 rounds, and the more, the longer is searched. "
        "Any decoder reads them. Weights tuned for MS-SSIM, and pictures with next to nothing in them, are "
        f"rounded at any effort. Default: {EFFORT}.",
        show_default=False,
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        metavar="onnx|openvino|torch",
        help="What runs the networks; LATENS_RUNTIME in the environment does the same. Default: onnx.",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Of the runtime; LATENS_THREADS in the environment does the same. Default: one a core.",
        show_default=False,
    ),
]
Anchor = Annotated[
    str | None, typer.Option(metavar="ID", help="BD-rates against this codec, measured or published.")
]
Anchors = Annotated[
    list[str] | None,
    typer.Option(metavar="kodak|FILE", help="Published curves: those that come with latens, or a JSON file."),
]


def check_anchor(anchor: str | None, anchors: list[str] | None, measured: list[str]) -> None:
    """UsageError unless there is such a curve, or will be when the codecs ``measured`` are; before any work."""
    from latens.evaluate.curves import others_named, published

    others = [curve.id for name in anchors or () for curve in published(name)]
    known = [*measured, *others_named(measured, others)]
    if anchor is not None and anchor not in known:
        raise UsageError(f"anchor is {anchor!r}, and must be one of {', '.join(known)}; --anchors brings others")


def anchor_curve(
    anchor: str | None, anchors: list[str] | None, measured: "list[MeanCurve]"
) -> "MeanCurve | None":
    """The curve that ``--anchor`` names, of those measured and those of ``--anchors``; as `check_anchor`."""
    from latens.evaluate.curves import published, together

    if anchor is None:
        return None
    others = [curve for name in anchors or () for curve in published(name)]
    found = {curve.id: curve for curve in together(measured, others)}
    check_anchor(anchor, anchors, [curve.id for curve in measured])
    return found[anchor]


def searching(effort: int | None) -> dict[str, Any]:
    """What ``--effort`` says to the library; what was not given, it decides."""
    if effort is not None:
        check_range("effort", effort, 0, MOST_EFFORT)
    return {} if effort is None else {"effort": effort}


def running(runtime: str | None, threads: int | None) -> dict[str, Any]:
    """What ``--runtime`` and ``--threads`` say to the library; what was not given, it decides."""
    if threads is not None:
        check_range("threads", threads, 0)
    return {name: value for name, value in (("runtime", runtime), ("threads", threads)) if value is not None}


def bytes_of(text: str) -> float:
    """``80KB``, ``1.5MB``, ``80KiB`` or a plain number of bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKmM])(i?)[bB]?|[bB]?)", text.strip())
    if not match:
        raise UsageError(f"size is {text!r}, and must be a number of bytes, with KB, KiB, MB or MiB if you like")
    unit = {"": 0, "k": 1, "m": 2}[(match[2] or "").lower()]
    return float(match[1]) * float((1024 if match[3] else 1000) ** unit)


def check_range(name: str, value: float, least: float, most: float = math.inf) -> None:
    """UsageError unless ``least <= value <= most``; said here, before any work, and with the value."""
    if not least <= value <= most:
        rule = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise UsageError(f"{name} is {value:g}, and must be {rule}")
