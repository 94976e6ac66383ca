"""``latens eval``: measure codecs on folders of pictures."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latens.cli import messages, options
from latens.errors import LatensError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from latens.evaluate.curves import MeanCurve
    from latens.evaluate.results import Results
    from latens.evaluate.runner import Progress

SHOWN = ("psnr_rgb", "ms_ssim_db", "ssimulacra2")  # in the table of this command, where measured


def evaluate(
    pictures: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of pictures, or pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RESULTS", help="Folder of the results.")],
    codec: options.Codecs = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=N,N...", help="A ladder in place of the codec's own; may be repeated."),
    ] = None,
    metric: options.Metrics = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures at a time; as many as there are cores by default.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep the coded files; `latens report` shows them.")
    ] = True,
    effort: options.Effort = None,
    anchor: options.Anchor = None,
    anchors: options.Anchors = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure codecs on pictures: real files, 8-bit output, one row per file.

    Rates are sizes of files on the disk. RESULTS gets rows.csv, run.json, the
    coded files and mean curves in CompressAI's schema. An interrupted run goes
    on with the same command. Exit code 1 if any file failed.

    \b
    Examples:
      latens eval kodak -o results --codec jpeg --codec bpg --codec balle2017
      latens eval kodak -o results --setting jpeg=20,50,80 --metric psnr_rgb
      latens eval photos -o mine --codec mine=a.ltm,b.ltm --anchor bpg
      latens eval kodak -o efforts --codec balle2018@0 --codec balle2018@9
    """
    from latens.evaluate import runner
    from latens.evaluate.codecs import find
    from latens.evaluate.curves import measured, write_summaries
    from latens.runtime.cores import cores

    options.searching(effort)
    specs, missing = chosen_codecs(codec, effort)
    for spec, why in missing.items():
        messages.note(f"{spec} is left out: {why}")
    metrics = chosen_metrics(metric)
    if jobs is not None:
        options.check_range("jobs", jobs, 1)
    options.check_anchor(anchor, anchors, [*(find(spec).id for spec in specs), *_there(out)])
    command = shlex.join(["latens", *sys.argv[1:]])
    plan = runner.Plan(
        runner.pictures_in(pictures), specs, _ladders(setting or []), metrics, jobs or cores(), keep, command
    )
    with progress_bar(quiet) as progress:
        results = runner.evaluate(plan, out, progress)
    failed = runner.failures(results)
    try:
        curves = measured(results)
    except UsageError:  # nothing to show but why
        _say_failed(failed)
        raise
    write_summaries(results, curves)
    against = options.anchor_curve(anchor, anchors, curves)
    if as_json:
        messages.print_json(_facts(results, curves, against, failed))
    elif not quiet:
        _print(results, curves, against)
    _say_failed(failed)
    if failed or (missing and codec):
        raise typer.Exit(1)


evaluate.__name__ = "eval"  # what the command is called; the word is Python's too


def _say_failed(failed: list[str]) -> None:
    for line in failed:
        messages.say(f"failed: {line}", "red")


def _there(out: Path) -> list[str]:
    """The codecs that RESULTS has from earlier runs."""
    from latens.evaluate.results import Results

    return list(Results.read(out).run["codecs"]) if (out / "run.json").exists() else []


def chosen_codecs(
    given: list[str] | None, effort: int | None = None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Specs that can run here, and those that cannot with the reason; learned ones with an effort.

    Raises:
        UsageError: an unknown codec
        MissingExtraError: none of them can run
    """
    from latens.evaluate.codecs import everything, find, with_effort

    runs, missing = [], {}
    for spec in dict.fromkeys(with_effort(spec, effort) for spec in given or everything()):
        try:
            find(spec).version()
            runs.append(spec)
        except MissingExtraError as error:
            missing[spec] = str(error)
    if not runs:
        raise MissingExtraError(next(iter(missing.values())))
    return tuple(runs), missing


def chosen_metrics(given: list[str] | None) -> tuple[str, ...]:
    """Those given, or the quick ones; UsageError for an unknown one."""
    from latens.metrics import METRICS

    chosen = tuple(dict.fromkeys(given or [name for name, m in METRICS.items() if m.default and m.available()]))
    for name in chosen:
        if name not in METRICS:
            raise UsageError(f"metric is {name!r}, and must be one of {', '.join(METRICS)}")
    return chosen


def _ladders(given: list[str]) -> dict[str, tuple[float, ...]]:
    ladders: dict[str, tuple[float, ...]] = {}
    for words in given:
        name, equals, values = words.partition("=")
        try:
            ladders[name] = (*ladders.get(name, ()), *(float(value) for value in values.split(",")))
        except ValueError:
            equals = ""
        if not equals:
            raise UsageError(f"setting is {words!r}, and must be CODEC=NUMBER[,NUMBER...], such as jpeg=20,50,80")
    return ladders


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bars:
        bar = bars.add_task("")
        yield lambda what, done, total: bars.update(bar, description=what, completed=done, total=total)


def _facts(
    results: Results, curves: list[MeanCurve], against: MeanCurve | None, failed: list[str]
) -> dict[str, Any]:
    """What --json says."""
    from latens.evaluate.curves import compare, pictures_of, summary

    codecs, costs = results.run["codecs"], results.run.get("complexity", {})
    facts: dict[str, Any] = {
        "results": str(results.folder),
        "pictures": pictures_of(curves),
        "codecs": [summary(curve, codecs[curve.id]["version"], costs.get(curve.id)) for curve in curves],
        "failed": failed,
    }
    if against is not None:
        facts["bd_rate"] = []
        for curve in curves:
            for metric in ("psnr_rgb", "ms_ssim_db"):
                found = compare(against, curve, metric)
                refused = isinstance(found, LatensError)
                entry = {"test": curve.id, "anchor": against.id, "metric": metric}
                facts["bd_rate"].append(
                    entry | ({"refused": str(found)} if refused else found._asdict())  # type: ignore[union-attr]
                )
    return facts


def _print(results: Results, curves: list[MeanCurve], against: MeanCurve | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from latens.evaluate.curves import compare, metric_title, pictures_of

    console = Console()
    if not console.is_terminal:
        console = Console(width=options.NARROWEST)
    shown = [name for name in SHOWN if any(name in curve.values for curve in curves)]
    table = Table(title=f"Mean over {len(pictures_of(curves))} picture(s)", title_justify="left")
    for heading in ("codec", "setting"):
        table.add_column(heading)
    for heading in ("bpp", *map(metric_title, shown), "encode s", "decode s"):
        table.add_column(heading, justify="right")
    for curve in curves:
        for k, name in enumerate(curve.settings):
            figures = [f"{curve.values[m][k]:.3f}" if m in curve.values else "-" for m in ("bpp", *shown)]
            rows = curve.rows[name]
            times = [sum(getattr(r, q) for r in rows) / len(rows) for q in ("encode_s", "decode_s")]
            table.add_row(curve.id, name, *figures, *(f"{t:.3f}" for t in times))
        table.add_section()
    console.print(table)
    if against is not None:
        for metric in ("psnr_rgb", "ms_ssim_db"):
            for curve in curves:
                if curve.id != against.id:
                    console.print(f"BD-rate {compare(against, curve, metric)}", highlight=False, markup=False)
    console.print(f"{results.folder}: rows.csv, run.json, summary/", highlight=False, markup=False)
