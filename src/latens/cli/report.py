"""``latens report``: results as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latens.cli import messages, options, output

LIMIT_MB = 14.0


def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Folder that `latens eval` wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="RESULTS/report.html by default.")
    ] = None,
    anchors: options.Anchors = None,
    anchor: options.Anchor = None,
    show: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="ID", help="Codec in the picture viewer; may be repeated; all by default."),
    ] = None,
    pictures: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where the original pictures are now.")
    ] = None,
    max_size: Annotated[
        float, typer.Option(metavar="MB", help="Of the page; previews of decoded pictures are made to fit.")
    ] = LIMIT_MB,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show results as one HTML page that needs no network.

    Rate-distortion curves, BD-rates against any anchor, speed, and a viewer
    that slides between two decoded pictures of about the same size.

    \b
    Examples:
      latens report results --anchors kodak
      latens report results --anchors kodak --anchor vtm --show bpg --show balle2017 -o page.html
    """
    from latens.cli.eval import progress_bar
    from latens.errors import UsageError
    from latens.evaluate.curves import measured, published, together
    from latens.evaluate.gallery import pictures as gallery
    from latens.evaluate.page import render
    from latens.evaluate.payload import payload
    from latens.evaluate.results import Results
    from latens.runtime.cores import cores

    options.check_range("max-size", max_size, 1)
    target = str(out or results / "report.html")
    found = Results.read(results)
    output.check_target(target, str(results), force)
    ours = measured(found)
    curves = together(ours, [curve for name in anchors or () for curve in published(name)])
    known = [curve.id for curve in ours]
    for name in show or ():
        if name not in known:
            raise UsageError(f"codec to show is {name!r}, and must be one of {', '.join(known)}")
    options.anchor_curve(anchor, anchors, ours)
    page = payload(found, curves, anchor, f"{found.run['dataset']}: {', '.join(known)}")
    with progress_bar(quiet) as progress:
        room = int(max_size * 1e6) - len(render(page))
        page["pictures"] = gallery(found, pictures or [], show or known, room, cores(), progress)
    left_out: dict[str, str] = {}
    for entry in page["pictures"]:
        left_out = entry["left_out"] | left_out
    for name, why in left_out.items():
        messages.note(f"the page's pictures lack versions of {name}: {why}")
    page["pictures"] = [entry for entry in page["pictures"] if entry["versions"]]
    if not page["pictures"]:
        messages.note("the page has no picture viewer: originals or coded files are not where they were")
    html = render(page).encode(errors="backslashreplace")  # names of files may be any bytes
    output.write(target, html, force)
    facts = {"output": target, "bytes": len(html), "pictures": len(page["pictures"]), "codecs": known}
    said = f"{target}: {messages.size(len(html))}"
    messages.summary(facts, said, as_json=as_json, quiet=quiet, data_on_stdout=False)
