"""A folder of results: what was measured, with what, and the coded files themselves.

::

    RESULTS/
      run.json              commands, machine, versions; pictures and codecs with all that decides their bytes
      rows.csv              one row per picture, codec and setting; grows as the work goes on
      files/CODEC/SETTING/PICTURE.SUFFIX        what was written and measured
      summary/CODEC.json    the mean curve in CompressAI's result schema

A row stands for a file on the disk: its rate is that file's size, its metrics those of the 8-bit picture decoded
from it. A folder never mixes: if a picture or a codec is not what its rows were measured with, `Results.open`
refuses.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from latens import lock
from latens.errors import UsageError
from latens.whole import replacing

FORMAT = 1
ERRORS = "surrogateescape"  # names of files may be any bytes
FACTS = ("dataset", "pictures", "unreadable", "codecs", "metrics", "runs")  # that every run.json has
WORDS = ("codec", "setting", "picture", "error")
COUNTS = ("width", "height", "bytes")
NUMBERS = ("bpp", "encode_s", "decode_s", "peak_mb")


class Key(NamedTuple):
    """What a row is about."""

    codec: str
    setting: str
    picture: str


@dataclass(frozen=True)
class Row:
    """One picture by one codec at one setting; ``error`` is empty unless that failed."""

    codec: str
    setting: str
    picture: str
    width: int
    height: int
    bytes: int = 0
    bpp: float = math.nan  # 8 * bytes / (width * height)
    encode_s: float = math.nan  # pixels -> file on the disk, wall time of one core
    decode_s: float = math.nan  # file on the disk -> pixels
    peak_mb: float = math.nan  # most memory held by the process while coding, where the system tells
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether something was measured, though a further metric may have failed."""
        return not self.error or bool(self.metrics)

    @property
    def key(self) -> Key:
        return Key(self.codec, self.setting, self.picture)

    def flat(self) -> dict[str, Any]:
        """As one row of a table."""
        return {k: v for k, v in asdict(self).items() if k != "metrics"} | dict(self.metrics)

    @classmethod
    def from_flat(cls, cells: Mapping[str, str], metrics: Sequence[str]) -> Row:
        """What `flat` made, as text."""
        values: dict[str, Any] = {name: cells[name] for name in WORDS}
        values |= {name: int(cells[name]) for name in COUNTS}
        values |= {name: float(cells[name] or "nan") for name in NUMBERS}
        return cls(**values, metrics={name: float(cells[name]) for name in metrics if cells.get(name)})


class Results:
    """The folder, open for reading and for further rows."""

    def __init__(self, folder: Path, run: dict[str, Any], rows: Iterable[Row]) -> None:
        self.folder, self.run = folder, run
        self.rows: dict[Key, Row] = {row.key: row for row in rows}

    @classmethod
    def read(cls, folder: Path) -> Results:
        """What is there.

        Raises:
            UsageError: not a folder of results, or one of a newer version
        """
        path = folder / "run.json"
        try:
            run = json.loads(path.read_text(encoding="utf-8", errors=ERRORS))
            if run["format"] > FORMAT:
                found = f"format {run['format']}"
                raise UsageError(f"{folder} has results of {found}, and this version reads {FORMAT}")
            if missing := [name for name in FACTS if name not in run]:
                raise KeyError(*missing)
            return cls(folder, run, _read_rows(folder / "rows.csv", run["metrics"]))
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{folder} is not a folder of results: it has no {path.name}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{folder} has results that cannot be read: {error!r}") from error

    @classmethod
    def open(cls, folder: Path, run: Mapping[str, Any]) -> Results:
        """Begin, or go on with, the results of ``run`` in ``folder``.

        Rows stay as they are, failed ones too, until others take their places; pictures, codecs and metrics are
        added to those there.

        Raises:
            UsageError: the folder holds something else, or rows of another version of a codec or picture
        """
        before: dict[str, Any] = {"pictures": {}, "sources": {}, "codecs": {}, "metrics": {}, "runs": []}
        rows: dict[Key, Row] = {}
        if (folder / "run.json").exists():
            found = cls.read(folder)
            before, rows = found.run, found.rows
        else:
            _refuse_others(folder)
        for kind in ("pictures", "codecs", "metrics"):
            _refuse_mixture(folder, kind, before[kind], run[kind])
        merged = {**before, **run, "format": FORMAT}
        for kind in ("pictures", "sources", "codecs", "metrics"):
            merged[kind] = {**before.get(kind, {}), **run[kind]}
        merged["complexity"] = {
            name: {**before.get("complexity", {}).get(name, {}), **run["complexity"].get(name, {})}
            for name in merged["codecs"]
        }
        merged["dataset"] = _dataset(merged["sources"].values())
        merged["runs"] = [*before["runs"], *run["runs"]]
        folder.mkdir(parents=True, exist_ok=True)
        results = cls(folder, merged, rows.values())
        results.save()
        return results

    def forget_run(self) -> None:
        """The last one has computed nothing: what is said of runs stays that of those that rows come from."""
        if len(self.run["runs"]) > 1:
            self.run["runs"].pop()

    def save(self) -> None:
        """Write run.json and all rows anew, each in one step."""
        _replace(self.folder / "run.json", json.dumps(self.run, indent=1, ensure_ascii=False) + "\n")
        _replace(self.folder / "rows.csv", _table(self._columns(), self.rows.values(), head=True))

    def add(self, row: Row) -> None:
        """One more row, on the disk before this returns."""
        self.rows[row.key] = row
        with (self.folder / "rows.csv").open("a", encoding="utf-8", errors=ERRORS, newline="") as file:
            file.write(_table(self._columns(), [row], head=False))

    def file(self, row: Row | Key, suffix: str) -> Path:
        """Where the coded file of a row is kept."""
        return self.folder / "files" / row.codec / row.setting / f"{row.picture}{suffix}"

    def _columns(self) -> list[str]:
        return [name for name in Row("", "", "", 0, 0).flat()] + list(self.run["metrics"])


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other evaluations out of a folder of results for as long as this process lives, or until the end.

    Raises:
        UsageError: another one is writing there, or the folder holds something else
    """
    _refuse_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    held = lock.taken(folder)
    if held is None:
        raise UsageError(f"another evaluation is writing to {folder}: wait for it, or give another folder")
    with held:
        yield


def _refuse_others(folder: Path) -> None:
    if lock.holds_more(folder) and not (folder / "run.json").exists():
        raise UsageError(f"{folder} exists and holds no results: give another folder")


def _dataset(sources: Iterable[str]) -> str:
    """The folders' names, and how many pictures there are."""
    paths = [Path(source) for source in sources]
    folders = dict.fromkeys(path.parent.name for path in paths)
    return f"{' and '.join(folders)}, {len(paths)} picture{'s' if len(paths) > 1 else ''}"


def _refuse_mixture(folder: Path, kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for name, value in new.items():
        if name in old and old[name] != value:
            differs = next(k for k in {**value, **old[name]} if value.get(k) != old[name].get(k))
            raise UsageError(
                f"{folder} has rows of {name} with {differs} {old[name].get(differs)}, and now it is "
                f"{value.get(differs)}: give another folder"
            )


def _read_rows(path: Path, metrics: Sequence[str]) -> list[Row]:
    """All whole rows; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors=ERRORS, newline="") as file:
        text = file.read()
    whole = text[: text.rfind("\n") + 1]
    return [Row.from_flat(cells, list(metrics)) for cells in csv.DictReader(io.StringIO(whole, newline=""))]


class _Lines(io.StringIO):
    """Rows as a CSV writer makes them, which quotes the ends of its own lines only: CR LF; here LF ends them."""

    def write(self, line: str) -> int:
        return super().write(line.removesuffix("\r\n") + "\n")


def _table(columns: Sequence[str], rows: Iterable[Row], *, head: bool) -> str:
    text = _Lines(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    if head:
        writer.writeheader()
    for row in rows:
        plain = replace(row, error=" ".join(row.error.split()))
        cells = {k: "" if isinstance(v, float) and math.isnan(v) else v for k, v in plain.flat().items()}
        writer.writerow(cells | dict(row.metrics))  # a metric that is no number has been tried: "nan"
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ERRORS, newline="")
