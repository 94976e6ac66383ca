"""Running an evaluation: pictures times codecs times settings, in worker processes, resumable.

Every finished file is on the disk as a row at once; what has its row is never computed again. A codec that
raises costs its row; one that takes its process with it is run again alone and, if it does so again, costs its
row too.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from latens.classic.base import Codec
from latens.errors import UsageError
from latens.evaluate.codecs import by_name, complexity, find
from latens.evaluate.results import Key, Results, Row, writing
from latens.evaluate.worker import THREADS, Surveyed, Task, failed, start, survey, work
from latens.metrics import METRICS

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".avif", ".jp2", ".qoi"])
PACKAGES = ("latens", "numpy", "onnxruntime", "pillow", "av", "imagecodecs", "pillow-heif", "bjontegaard")

A = TypeVar("A")
B = TypeVar("B")
Progress = Callable[[str, int, int], None]  # what is being done, how much of it, out of how much


class Plan(NamedTuple):
    """An evaluation as asked for."""

    pictures: Mapping[str, Path]  # by the name they have in results
    specs: tuple[str, ...]
    settings: Mapping[str, tuple[float, ...]]  # by codec id, where not the codec's own ladder
    metrics: tuple[str, ...]
    jobs: int = 1
    keep: bool = True  # the coded files
    command: str = ""


def pictures_in(places: Sequence[Path]) -> dict[str, Path]:
    """The pictures in folders (not in their sub-folders), and files given by themselves, by name.

    Raises:
        UsageError: no such place, a folder without pictures, or no place at all
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = sorted(p for p in place.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise UsageError(f"folder {place} has no pictures in it ({' '.join(sorted(SUFFIXES))})")
            found += inside
        elif place.exists():
            found.append(place)
        else:
            raise UsageError(f"there is no {place}")
    if not found:
        raise UsageError("no pictures are given: name at least one folder or file")
    found = list(dict.fromkeys(path.resolve() for path in found))
    alone = len({path.name for path in found}) == len(found)
    named = {path.name if alone else f"{path.parent.name}/{path.name}": path for path in found}
    if len(named) < len(found):
        raise UsageError("several pictures have the same name and the same folder's name: rename one folder")
    return named


def evaluate(plan: Plan, folder: Path, progress: Progress = lambda what, done, total: None) -> Results:
    """Run what is not there yet and return all results; failures are among the rows.

    Raises:
        UsageError: no picture could be read, an unknown codec or setting, or a folder with other results
    """
    codecs = by_name(plan.specs)
    ladders = {name: _ladder(spec, plan.settings.get(name)) for name, spec in codecs.items()}
    for name in plan.settings:
        if name not in codecs:
            raise UsageError(f"settings are given for {name}, which is not among the codecs {', '.join(codecs)}")
    sources = list(plan.pictures.items())
    surveyed: dict[str, Surveyed] = {}
    with _one_thread():
        for number, found in _run(survey, [path for _, path in sources], plan.jobs, _crashed_picture):
            surveyed[sources[number][0]] = found
            progress("reading pictures", len(surveyed), len(sources))
        readable = {name: s for name, _ in sources if not (s := surveyed[name]).error}
        unreadable = {name: s.error for name, s in surveyed.items() if s.error}
        if not readable:
            raise UsageError(f"none of {len(sources)} pictures can be read: {next(iter(unreadable.values()))}")
        with writing(folder):
            results = Results.open(folder, _describe(plan, codecs, ladders, readable, unreadable))
            tasks = list(_tasks(plan, codecs, ladders, readable, results))
            if not tasks:
                results.forget_run()
            total = len(readable) * sum(map(len, ladders.values()))
            progress("files", total - len(tasks), total)
            for n, (_, row) in enumerate(_run(work, tasks, plan.jobs, _crashed_task), 1):
                results.add(row)
                progress(f"{row.codec} {row.setting}", total - len(tasks) + n, total)
            results.save()
    return results


def _ladder(spec: str, given: tuple[float, ...] | None) -> tuple[float, ...]:
    """Its settings, each once: those of one name would be one file."""
    codec = find(spec)
    checked = [codec.check(setting) for setting in given or codec.settings]
    return tuple({f"{setting:g}": setting for setting in checked}.values())


def _tasks(
    plan: Plan,
    codecs: Mapping[str, str],
    ladders: Mapping[str, tuple[float, ...]],
    readable: Iterable[str],
    results: Results,
) -> Iterator[Task]:
    """What is missing or failed: metrics, where the coded file is whole; else that, and all metrics it had."""
    names = list(readable)
    for codec, spec in codecs.items():
        for setting in ladders[codec]:
            for picture in names:
                key = Key(codec, f"{setting:g}", picture)
                row = results.rows.get(key)
                if row is not None and not row.error and set(plan.metrics) <= set(row.metrics):
                    continue
                target = results.file(key, find(spec).suffix)
                kept = row is not None and row.usable and target.is_file() and target.stat().st_size == row.bytes
                have = replace(row, error="") if row is not None and kept else None
                metrics = plan.metrics if row is None else tuple(dict.fromkeys((*row.metrics, *plan.metrics)))
                yield Task(spec, setting, picture, plan.pictures[picture], target, metrics, plan.keep, have)


def _complexity(codec: Codec, ladder: Sequence[float]) -> dict[str, Any]:
    """By setting: a learned codec's multiply-adds (thousands a pixel, analysis and synthesis) and parameters."""
    costs = {f"{setting:g}": cost for setting in ladder if (cost := complexity(codec, setting))}
    return {
        setting: {"kmac_per_pixel": list(cost.kmac_per_pixel), "parameters": cost.parameters}
        for setting, cost in costs.items()
    }


def _describe(
    plan: Plan,
    codecs: Mapping[str, str],
    ladders: Mapping[str, tuple[float, ...]],
    readable: Mapping[str, Surveyed],
    unreadable: Mapping[str, str],
) -> dict[str, Any]:
    found = {name: find(spec) for name, spec in codecs.items()}
    machine = f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores"
    return {
        "pictures": {name: {"sha256": s.sha256} for name, s in readable.items()},
        "sources": {name: str(plan.pictures[name]) for name in readable},
        "unreadable": dict(unreadable),
        "codecs": {
            name: {
                "spec": codecs[name],
                "title": codec.title,
                "version": codec.version(),
                "options": codec.options(),
                "parameter": codec.parameter,
                "suffix": codec.suffix,
            }
            for name, codec in found.items()
        },
        "complexity": {name: c for name, codec in found.items() if (c := _complexity(codec, ladders[name]))},
        "metrics": {name: {"library": METRICS[name].library()} for name in plan.metrics},
        "runs": [{"command": plan.command, "jobs": plan.jobs, "machine": machine, "versions": _versions()}],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _crashed_picture(path: Path) -> Surveyed:
    return Surveyed(error=f"{path}: the process that read it died")


def _crashed_task(task: Task) -> Row:
    return failed(task, f"{find(task.spec).id} took its process with it at {task.setting:g}")


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start)


def _run(
    function: Callable[[A], B], given: Sequence[A], jobs: int, crashed: Callable[[A], B]
) -> Iterator[tuple[int, B]]:
    """``function`` over ``given``, as results come; at most ``jobs`` at a time, so a crash has few suspects."""
    left = list(enumerate(given))[::-1]
    pool, running = _pool(jobs), dict[Future[B], tuple[int, A]]()
    try:
        while left or running:
            broken = False
            while left and len(running) < jobs and not broken:
                try:
                    running[pool.submit(function, left[-1][1])] = left[-1]
                    left.pop()
                except BrokenProcessPool:  # a worker died while nobody waited for it
                    broken = True
            suspects: list[tuple[int, A]] = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, item = running.pop(future)
                try:
                    yield number, future.result()
                except BrokenProcessPool:
                    suspects.append((number, item))
            if suspects or broken:
                suspects += running.values()
                running.clear()
                pool.shutdown(wait=False)
                for number, item in suspects:
                    yield number, _alone(function, item, crashed)
                pool = _pool(jobs)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _alone(function: Callable[[A], B], item: A, crashed: Callable[[A], B]) -> B:
    with _pool(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            return crashed(item)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Numerical libraries of the workers, which inherit the environment, take one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def failures(results: Results) -> list[str]:
    """One line for each picture that could not be read and each file that failed."""
    lines = [f"{name}: {error}" for name, error in results.run["unreadable"].items()]
    return lines + [f"{r.codec} {r.setting}, {r.picture}: {r.error}" for r in results.rows.values() if r.error]

