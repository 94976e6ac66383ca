"""The pictures of the report page: originals and decoded versions, chosen by rate and made to fit a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import latens
from latens.errors import LatensError
from latens.evaluate.codecs import Files, Learned, find
from latens.evaluate.page.pictures import Budget, bits_map, data_url, error_map, native_url, preview
from latens.evaluate.results import Results, Row
from latens.image import read_picture
from latens.metrics import decibels

RATES = ((0.25, 0.5, 1.0), (0.3, 0.8), (0.5,))  # bpp that versions are chosen for: the most that fit the page
LEAST = 1.5  # bytes of data URL that previews should have for each byte of the coded file, for that


class Job(NamedTuple):
    """A picture of the page: where it is and which versions it gets."""

    name: str
    source: Path
    versions: tuple[tuple[str, Row, Path], ...]  # spec, row, coded file
    budget: Budget | None  # None: everything exact


def picture(job: Job) -> dict[str, Any]:
    """One entry of the payload's ``pictures``; ``left_out`` says why it lacks versions that cannot be decoded."""
    original = read_picture(job.source).pixels
    if job.budget is None:
        url, exact = data_url(original), True
    else:
        url, exact = preview(original, job.budget.original([row.bytes for _, row, _ in job.versions]))
    entry = {"name": job.name, "width": original.shape[1], "height": original.shape[0], "original": url}
    versions: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}  # by codec
    for spec, row, path in job.versions:
        try:
            versions.append(version(spec, row, path.read_bytes(), original, job.budget))
        except LatensError as error:  # other versions, tables and curves need none of it
            left_out.setdefault(row.codec, str(error))
    return entry | {"exact": exact, "versions": versions, "left_out": left_out}


def version(spec: str, row: Row, data: bytes, original: np.ndarray, budget: Budget | None) -> dict[str, Any]:
    """A decoded picture with its figures, its errors and, for our models, where its bits went."""
    codec = find(spec)
    decoded = codec.decode(data)
    native = native_url(data, codec.suffix)
    if native is not None:
        url, exact = native, True
    elif budget is None:
        url, exact = data_url(decoded), True
    else:
        url, exact = preview(decoded, budget.preview(len(data)))
    return {
        "codec": row.codec,
        "setting": row.setting,
        "bpp": row.bpp,
        "bytes": row.bytes,
        **figures(row),
        "image": url,
        "exact": exact,
        "error": error_map(original, decoded, None if budget is None else budget.error),
        "bits": _bits(codec, data),
    }


def figures(row: Row) -> dict[str, float]:
    """Its metrics as a page shows them: finite ones, MS-SSIM in dB too."""
    found = {name: value for name, value in row.metrics.items() if np.isfinite(value)}
    if found.get("ms_ssim", 1) < 1:
        found["ms_ssim_db"] = decibels(found["ms_ssim"])
    return found


def _bits(codec: object, data: bytes) -> dict[str, Any] | None:
    if not isinstance(codec, Learned):
        return None
    for weights in codec.paths if isinstance(codec, Files) else (None,):
        try:
            found: dict[str, Any] = bits_map(latens.bit_map(data, weights=weights))
            return found
        except LatensError:
            continue
    return None


def pictures(
    results: Results,
    folders: Sequence[Path],
    codecs: Sequence[str],
    limit: int,
    jobs: int,
    progress: Callable[[str, int, int], None],
) -> list[dict[str, Any]]:
    """The viewer's pictures, each with versions of every codec near `RATES`; about ``limit`` bytes in all.

    Versions of files that cannot be decoded are left out, as `picture` says.

    Args:
        folders: where the originals are looked for besides their first place
        codecs: ids of those that are shown
        limit: bytes of the page that pictures may take
    """
    sources = _sources(results, folders)
    for rates in RATES:
        chosen = {name: some for name in sources if (some := _versions(results, codecs, name, rates))}
        if not chosen:
            return []
        files = [[(row.bytes, path.suffix) for _, row, path in some] for some in chosen.values()]
        budget = Budget.divided(limit, files)
        if budget.scale >= LEAST:
            break
    tasks = [Job(name, sources[name], tuple(versions), budget) for name, versions in chosen.items()]
    found = []
    with ProcessPoolExecutor(jobs) as pool:
        for entry in pool.map(picture, tasks):
            found.append(entry)
            progress("pictures of the page", len(found), len(tasks))
    return found


def _sources(results: Results, folders: Sequence[Path]) -> dict[str, Path]:
    """Originals that are still there, unchanged: by name, in the folders given or where they were measured."""
    import hashlib

    found = {}
    for name, facts in results.run["pictures"].items():
        for path in (*(folder / name for folder in folders), Path(results.run["sources"][name])):
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest()[:16] == facts["sha256"]:
                found[name] = path
                break
    return found


def _versions(
    results: Results, codecs: Sequence[str], name: str, rates: Sequence[float]
) -> list[tuple[str, Row, Path]]:
    """Of one picture: per codec, the files nearest to each of ``rates``, as far as they were kept."""
    chosen = []
    for codec in codecs:
        facts = results.run["codecs"][codec]
        rows = [r for r in results.rows.values() if r.codec == codec and r.picture == name and not r.error]
        kept = {row.setting: (row, results.file(row, facts["suffix"])) for row in rows}
        kept = {setting: pair for setting, pair in kept.items() if pair[1].is_file()}
        nearest = {min(kept, key=lambda s: abs(np.log(kept[s][0].bpp / rate))) for rate in rates if kept}
        chosen += [(facts["spec"], *kept[setting]) for setting in sorted(nearest, key=lambda s: kept[s][0].bpp)]
    return chosen
