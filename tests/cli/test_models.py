"""``latens models``."""

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
    assert point["quality"] == [40, 60] and point["kodak_bpp"] == 0.42 and point["kodak_ms_ssim"] is None


def test_no_models_is_said(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(latens), "models", lambda: ())
    assert run("models").out == b"no model is shipped with this installation\n"
    assert json.loads(run("models", "--json").out) == []
