"""``latens models``."""

import dataclasses
import json

import pytest

import latens


def test_the_table_shows_every_measured_number(run) -> None:
    status, out, err = run("models")
    text = out.decode()
    assert (status, err) == (0, "")
    for word in (
        "stored (STOR): Pixels as they are. Nobody 2017",
        "q3",
        "40 to 60",
        "0.420",
        "30.12",
        "01020304",
    ):
        assert word in text
    assert "…" not in text


def test_json_is_a_list_of_models(run) -> None:
    (model,) = json.loads(run("models", "--json").out)
    assert model["id"] == "stored" and model["code"] == "STOR"
    (point,) = model["points"]
    assert point["quality"] == [40, 60] and point["kodak"] == [[50, 0.42, 30.123, 0.912]]


def test_variable_rate_has_a_row_for_every_measured_quality(run, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = latens.models()
    kodak = ((5, 0.1, 27, 0.9), (50, 0.5, 32, 0.97), (95, 1.5, 38, 0.99))
    point = dataclasses.replace(model.points[0], quality=(0, 100), levels=8, kodak=kodak)
    monkeypatch.setitem(vars(latens), "models", lambda: (dataclasses.replace(model, points=(point,)),))
    text = run("models").out.decode()
    assert all(f" {bpp:.3f} " in text for _, bpp, _, _ in kodak) and "0 to 100" not in text
    unmeasured = dataclasses.replace(point, kodak=())
    monkeypatch.setitem(vars(latens), "models", lambda: (dataclasses.replace(model, points=(unmeasured,)),))
    assert "0 to 100" in run("models").out.decode()


def test_no_models_is_said(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(latens), "models", lambda: ())
    assert run("models").out == b"no model is shipped with this installation\n"
    assert json.loads(run("models", "--json").out) == []
