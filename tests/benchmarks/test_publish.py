"""benchmarks/publish.py: the command that the committed figures name gives all of them."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bjontegaard", reason="BD-rates need the extra eval")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import publish

from latens.evaluate.codecs import find
from latens.evaluate.curves import MeanCurve
from latens.metrics import METRICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
UNASKED = [name for name, metric in METRICS.items() if metric.default]


def curve(name: str, *settings: str) -> MeanCurve:
    return MeanCurve(name, name, settings or tuple(f"{s:g}" for s in find(name).settings), {})


def run(*names: str, metrics: Sequence[str] = UNASKED, **files: Sequence[str]) -> dict[str, Any]:
    """A run.json whose last command measured one codec only."""
    codecs: dict[str, Any] = {name: {"options": {}} for name in names}
    codecs |= {name: {"options": {"sha256": dict.fromkeys(paths, "0")}} for name, paths in files.items()}
    slices = [{"command": "latens eval /home/me/kodak -o kr6 --codec webp", "jobs": 2}]
    return {"codecs": codecs, "metrics": {name: {} for name in metrics}, "runs": slices}


def test_the_command_has_every_codec_whatever_the_last_slice_had() -> None:
    found = publish.command([curve("jpeg"), curve("webp"), curve("latens@9")], run("jpeg", "webp", "latens@9"))
    assert found == "latens eval DIR -o RESULTS --codec jpeg --codec webp --codec latens@9 --jobs 2"


def test_the_command_has_ladders_files_and_metrics_that_are_not_the_usual_ones() -> None:
    curves = [curve("jpeg", "10", "30"), curve("mine", "0", "1")]
    given = run("jpeg", metrics=["psnr_rgb"], mine=["/home/me/a.ltm", "b.ltm"])
    assert publish.command(curves, given) == (
        "latens eval DIR -o RESULTS --codec jpeg --codec mine=a.ltm,b.ltm --setting jpeg=10,30 "
        "--metric psnr_rgb --jobs 2"
    )


def test_the_document_s_command_is_that_of_the_committed_rows() -> None:
    methods = json.loads((DOCS / "benchmarks" / "kodak.json").read_text(encoding="utf-8"))["methods"]
    curves = [curve(name, *method["settings"]) for name, method in methods.items()]
    document = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^latens eval DIR .*", document, re.MULTILINE)
    assert sorted(publish.command(curves, run(*methods)).split()) == sorted(written.split())
