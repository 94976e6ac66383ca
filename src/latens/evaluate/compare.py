"""One picture by several codecs at about the same rate: the data of `latens compare`."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from latens.errors import LatensError
from latens.evaluate.codecs import by_name, find
from latens.evaluate.gallery import Job, picture
from latens.evaluate.match import match
from latens.evaluate.payload import options_text
from latens.evaluate.results import Row
from latens.image import read_picture
from latens.metrics import METRICS, measure_all


class Compared(NamedTuple):
    """The rows of the table, and what failed with the reason; ``page`` is for `latens.evaluate.page.render`."""

    rows: list[Row]
    failed: dict[str, str]
    page: dict[str, Any]


def compare(
    source: Path,
    specs: Sequence[str],
    bpp: float,
    metrics: Sequence[str],
    command: str,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Compared:
    """Encode ``source`` with each codec at the setting whose file is nearest to ``bpp``, and measure.

    Times are those of the chosen setting alone, in a process that has used the codec before.

    Raises:
        PictureError: the picture cannot be read
        UsageError: an unknown codec, two of one name, or a rate that is not above 0
    """
    codecs = {spec: find(spec) for spec in by_name(specs).values()}
    original = read_picture(source).pixels
    height, width = original.shape[:2]
    rows: list[Row] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        versions: list[tuple[str, Row, Path]] = []
        for done, (spec, codec) in enumerate(codecs.items()):
            progress(codec.id, done, len(codecs))
            try:
                found = match(codec, original, bpp)
                decoded = codec.decode(found.data)  # not counted: it may load networks
                begin = time.perf_counter()
                codec.encode(original, found.setting)
                middle = time.perf_counter()
                codec.decode(found.data)
                end = time.perf_counter()
                row = Row(
                    codec.id, f"{found.setting:g}", source.name, width, height, len(found.data), found.bpp,
                    middle - begin, end - middle, metrics=measure_all(original, decoded, metrics),
                )  # fmt: skip
            except LatensError as error:
                failed[codec.id] = str(error)
                continue
            path = Path(folder) / f"{len(versions)}{codec.suffix}"
            path.write_bytes(found.data)
            versions.append((spec, row, path))
            rows.append(row)
        progress("page", len(codecs), len(codecs))
        shown = picture(Job(source.name, source, tuple(versions), None))
    page = {
        "title": f"{source.name} at about {bpp:g} bpp",
        "dataset": f"{source.name}, {width} x {height}",
        "machine": f"{platform.system()} {platform.machine()}",
        "command": command,
        "versions": {},
        "notes": [],
        "default_anchor": "",
        "metrics": [_metric(name) for name in metrics],
        "codecs": [_codec(spec, row) for spec, row, _ in versions],
        "bd": {},
        "pictures": [shown],
        "failures": [
            {"codec": name, "setting": "", "picture": source.name, "error": error}
            for name, error in failed.items()
        ],
    }
    return Compared(rows, failed, page)


def _metric(name: str) -> dict[str, Any]:
    known = METRICS[name]
    return {"id": name, "title": known.title, "unit": known.unit, "better": known.better, "digits": known.digits}


def _codec(spec: str, row: Row) -> dict[str, Any]:
    codec = find(spec)
    finite = {name: value for name, value in row.metrics.items() if np.isfinite(value)}
    return {
        "id": codec.id,
        "title": codec.title,
        "published": False,
        "version": codec.version(),
        "options": options_text(codec.options()),
        "parameter": codec.parameter,
        "kmac": None,
        "parameters": None,
        "encode_s": row.encode_s,
        "decode_s": row.decode_s,
        "peak_mb": None,
        "points": [{"setting": row.setting, "bpp": row.bpp, **finite}],
    }
