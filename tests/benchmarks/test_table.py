"""benchmarks/table.py: rates of measured and of published curves beside times, and the load they were taken at."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bjontegaard", reason="BD-rates need the extra eval")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import table

from latens.evaluate.codecs import find


def timed(name: str, published: bool = False) -> dict[str, Any]:
    return {
        "id": name, "title": name.upper(), "software": "none 1", "published": published, "at": "here",
        "encode_s": 0.25, "decode_s": 1.5,
    }  # fmt: skip


@pytest.fixture
def result() -> dict[str, Any]:
    rows = [timed("mine"), timed("jpeg"), timed("bpg"), timed("mbt2018-mean", published=True)]
    return {"runs": 7, "threads": 1, "machine": "a machine", "load": 2.5, "codecs": rows}


def cells(page: str) -> list[list[str]]:
    """The rows below the table's head."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_rows_stand_from_the_best_rate_to_the_worst_and_then_what_has_none(result: dict[str, Any]) -> None:
    rows = cells(table.page(result))
    assert [row[0] for row in rows] == ["MBT2018-MEAN", "BPG", "JPEG", "MINE"]
    rates = [float(row[1].split(" ")[0]) for row in rows[:3]]
    assert rates == sorted(rates) and rates[0] < 0 == rates[1] < 100 < rates[2]
    assert rows[3][1:3] == ["-", "-"] and rows[0][3:5] == ["0.25 s", "1.5 s"]


def test_published_curves_are_marked(result: dict[str, Any]) -> None:
    assert [row[5] for row in cells(table.page(result))] == ["published", "measured", "measured", "-"]


def test_the_page_says_at_what_load_times_were_taken(result: dict[str, Any]) -> None:
    assert "began: 2.5**: other work ran beside it" in table.page(result)
    assert "began: 0.1**." in table.page({**result, "load": 0.1})


def test_a_codec_is_timed_at_the_setting_next_to_the_wanted_rate() -> None:
    codec, known = find("jpeg"), table.curves()
    setting = table.setting_of(codec, known)
    nearest = min(known["jpeg"].values["bpp"], key=lambda bpp: abs(bpp - table.RATE))
    assert known["jpeg"].values["bpp"][known["jpeg"].settings.index(f"{setting:g}")] == nearest
    assert table.setting_of(codec, {}) in codec.settings


def test_a_codec_is_timed_both_ways(photograph: np.ndarray) -> None:
    row = table.time_codec("webp", np.ascontiguousarray(photograph[:64, :64]), 5, {})
    assert row["encode_s"] > 0 and row["decode_s"] > 0 and row["encode_runs"] == 5
    assert row["at"].startswith("quality ") and row["at"].endswith(" bpp")
