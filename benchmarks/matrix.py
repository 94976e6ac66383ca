"""Files written under one setting and read under every other: do all decoders agree?

    python benchmarks/matrix.py --data DIR [--model ID|FILE.ltm ...] [--out docs/benchmarks/matrix.json]

A *setting* (`settings`) is a runtime of pixel networks and its threads, the kernels and threads of NumPy's
OpenBLAS, NumPy's own vector instructions, and the instructions that PyTorch and OpenVINO may use. There are as
many settings as it takes for any two values of any two of these to meet in one. Every file is encoded under one
setting, in turn, and decoded under all of them, each in fresh processes. Compared are all symbols, as the encoder
coded them and as the decoder read them, and the pictures, with those of the first setting.

Each picture is coded at one quality of each model, in turn; with ``--all``, at every one; with ``--all ID ...``,
at every one of those models. Exit code 1 if a symbol differs anywhere, a file is refused, or a picture is more
than one level off.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from settings import Setting, covering, cpu, found_here, in_process, knobs, versions


class File(NamedTuple):
    """A picture coded by a codec (a spec of `latens.evaluate.codecs`) at a setting of that codec's."""

    spec: str
    quality: float
    picture: str
    path: str  # of the .ltn; beside it lie its symbols and its picture


def files(specs: Sequence[str], pictures: Sequence[Path], folder: Path, every: Collection[str] = ()) -> list[File]:
    """What is to be coded: each picture at one quality of each model, in turn; of those in ``every``, at all."""
    from latens.evaluate.codecs import find

    found: list[File] = []
    for spec in specs:
        qualities = find(spec).settings
        for number, picture in enumerate(pictures):
            for quality in qualities if spec in every else qualities[number % len(qualities) :][:1]:
                found.append(File(spec, quality, str(picture), str(folder / f"{len(found)}.ltn")))
    return found


# What runs in processes under a setting


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Encode files, or decode them and compare; what the process ran under, and a row a file."""
    from latens.coding import SymbolsCheck
    from latens.evaluate.codecs import find
    from latens.image import read_picture

    recorded: list[np.ndarray] = []
    see = SymbolsCheck.see

    def recording(check: SymbolsCheck, symbols: np.ndarray) -> None:
        recorded.append(symbols.astype("<i4"))
        see(check, symbols)

    SymbolsCheck.see = recording  # type: ignore[method-assign]  # it sees all symbols of a file
    rows = []
    for file in (File(*given) for given in job["files"]):
        recorded.clear()
        if job["task"] == "encode":
            codec = find(f"{file.spec}@0")  # one coding, whose symbols are the file's
            Path(file.path).write_bytes(codec.encode(read_picture(file.picture).pixels, file.quality))
            sent = np.concatenate(recorded)
            np.save(f"{file.path}.symbols.npy", sent)
            rows.append({"symbols": sent.size, "crc": zlib.crc32(sent.tobytes())})
        else:
            rows.append(compared(file, find(file.spec).decode, recorded))
    return {"found": found_here(), "rows": rows}


def compared(file: File, decode: Callable[[bytes], np.ndarray], recorded: list[np.ndarray]) -> dict[str, Any]:
    """Decode a file: how many symbols are not the encoder's, and how far the picture is from the reference.

    The first to decode a file makes its reference. A decoder that stops within a file has lost all of its symbols.
    """
    from latens.errors import LatensError

    sent = np.load(f"{file.path}.symbols.npy")
    refused, picture = "", None
    try:
        picture = decode(Path(file.path).read_bytes())
    except LatensError as error:
        refused = str(error)
    got = np.concatenate(recorded) if sum(part.size for part in recorded) == sent.size else None
    row: dict[str, Any] = {
        "symbols": sent.size,
        "mismatching": sent.size if got is None else int(np.count_nonzero(got != sent)),
        "crc": None if got is None else zlib.crc32(got.tobytes()),
        "refused": refused,
        "samples": 0,
        "moved": 0,
        "largest": 0,
    }
    if picture is not None:
        reference = Path(f"{file.path}.picture.npy")
        if not reference.exists():
            np.save(reference, picture)
        off = np.abs(picture.astype(int) - np.load(reference))
        row |= {"samples": off.size, "moved": int(np.count_nonzero(off)), "largest": int(off.max())}
    return row


def measure(settings: list[Setting], given: list[File], folder: Path, jobs: int = 1) -> dict[str, Any]:
    """Every file encoded under one setting and decoded under all: totals by decoder, and tables by both."""

    def run(task: str, chosen: list[Setting], shares: list[list[File]]) -> list[dict[str, Any]]:
        def one(setting: Setting, share: list[File]) -> dict[str, Any]:
            return in_process(Path(__file__), setting, {"task": task, "files": share}, folder)

        with ThreadPoolExecutor(jobs) as pool:
            done = pool.map(one, chosen, shares)
            return list(track(done, f"{task} under {len(chosen)}", len(chosen), console=Console(stderr=True)))

    shares = [given[k :: len(settings)] for k in range(len(settings))]
    encoders = run("encode", settings, shares)
    decoders = run("decode", settings[:1], [given])  # alone: its pictures are the references
    decoders += run("decode", settings[1:], [given] * (len(settings) - 1))
    sent = {file.path: row["crc"] for share, done in zip(shares, encoders, strict=True)
            for file, row in zip(share, done["rows"], strict=True)}  # fmt: skip
    totals = []
    for setting, share, done in zip(settings, shares, decoders, strict=True):
        rows = done["rows"]
        total = {name: sum(row[name] for row in rows) for name in ("symbols", "mismatching", "samples", "moved")}
        total |= {
            "other_crc": sum(row["crc"] != sent[file.path] for file, row in zip(given, rows, strict=True)),
            "refused": sum(bool(row["refused"]) for row in rows),
            "largest": max((row["largest"] for row in rows), default=0),
        }
        counts = {"found": done["found"], "encoded": len(share), "decoded": len(rows)}
        totals.append(setting._asdict() | counts | total)
    tables = {
        name: [[fold(row[name] for row in done["rows"][k :: len(settings)]) for done in decoders]
               for k in range(len(settings))]
        for name, fold in (("mismatching", sum), ("largest", lambda rows: max(rows, default=0)))
    }  # fmt: skip
    return {"settings": totals, "encoder_by_decoder": tables}


def agrees(measured: Mapping[str, Any]) -> bool:
    """What is promised: every symbol, and pictures within one level."""
    return all(
        not total["mismatching"] and not total["refused"] and not total["other_crc"] and total["largest"] <= 1
        for total in measured["settings"]
    )


def spec_of(model: str) -> str:
    """A codec's spec from a model's id, a spec, or the path of an .ltm file, which gets its name."""
    return f"{Path(model).stem}={model}" if model.endswith(".ltm") and "=" not in model else model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help="folder of PNG pictures")
    parser.add_argument("--model", action="append", help="may be repeated; all shipped ones if none is given")
    parser.add_argument("--all", nargs="*", metavar="ID", help="every picture at every quality of these models")
    parser.add_argument("--pictures", type=int, help="only so many")
    parser.add_argument("--settings", type=int, help="only the first so many")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(json.loads(given.work.read_text()))))
        return 0
    import latens

    pictures = sorted(given.data.glob("*.png") if given.data else ())[: given.pictures]
    if not pictures:
        parser.error("--data must name a folder with PNG pictures")
    specs = [spec_of(model) for model in given.model or [info.id for info in latens.models()]]
    every = [] if given.all is None else [spec_of(model) for model in given.all] or specs
    if unknown := set(every) - set(specs):
        parser.error(f"--all names {', '.join(sorted(unknown))}, not among the models {', '.join(specs)}")
    settings = [Setting(*row) for row in covering(knobs())][: given.settings]
    with tempfile.TemporaryDirectory() as name:
        made = files(specs, pictures, Path(name), every)
        measured = measure(settings, made, Path(name), given.jobs)
    report = {
        "cpu": cpu(),
        "versions": versions(),
        "pictures": len(pictures),
        "files": len(made),
        "codecs": {spec.partition("=")[0]: sum(file.spec == spec for file in made) for spec in specs},
        **measured,
    }
    for total in measured["settings"]:
        print({name: value for name, value in total.items() if name not in ("found", "samples")})
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(report, indent=1) + "\n")
    print("all agree" if agrees(measured) else "THEY DO NOT AGREE")
    return 0 if agrees(measured) else 1


if __name__ == "__main__":
    sys.exit(main())
