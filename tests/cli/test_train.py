"""``latens train``: what the command line refuses, and what it makes of the rest."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from latens.cli.train import STORAGES, seconds, train
from latens.errors import UsageError
from latens.systems import MODELS

EVERYTHING = """
    --data a.tar --data b --validate c --lambda 0.5 --lowest-lambda 0.25 --metric ms-ssim --steps 7 --size levels=4
    --size M=32 --batch 3 --crop 192 --plain 0.2 --lr 0.1 --hyper-lr 0.2 --norm-lr 0.3 --gain-lr 0.4
    --density-lr 0.6 --decay 0.7 --ema 0.8 --seed 9 --optimiser adamw --weight-decay 0.03 --precision bfloat16
    --start random --quantiser noise --only priors --stream --workers 5
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `begin`, `resume`, `train` of `latens.train.run` and PyTorch are told; nothing is trained."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch")
    from latens.train import memory
    from latens.train import run as slices

    found: dict[str, Any] = {}
    engine = SimpleNamespace(processes=SimpleNamespace(first=True, leave=lambda: None))

    def noted(name: str, answer: object) -> Callable[..., object]:
        return lambda *arguments: (found.update({name: arguments}), answer)[1]

    for name, answer in (("begin", engine), ("resume", engine), ("train", {"step": 7})):
        monkeypatch.setattr(slices, name, noted(name, answer))
    monkeypatch.setattr(memory, "keep_freed_memory", noted("memory", True))
    monkeypatch.setattr(torch, "set_num_threads", noted("threads", None))
    return found


def test_every_option_reaches_the_run(run, calls: dict[str, Any]) -> None:
    from latens.train.options import Options

    words = "latens --out new --time-limit 9m --storage float16 --device cpu --compile --threads 3 --quiet"
    status, out, err = run("train", *words.split(), *EVERYTHING.split())
    assert (status, json.loads(out), err) == (0, {"step": 7}, "")
    out_folder, options, (device, *shown), *others = calls["begin"]
    assert (out_folder, str(device), shown, others) == (Path("new"), "cpu", [True, "inductor"], [None, None])
    assert options == Options(
        model="latens", sizes={"levels": 4, "M": 32}, data=("a.tar", "b"), validation=("c",), lmbda=0.5,
        lowest_lmbda=0.25, metric="ms-ssim", steps=7, batch=3, crop=192, plain=0.2, lr=0.1, hyper_lr=0.2,
        norm_lr=0.3, gain_lr=0.4, density_lr=0.6, decay=0.7, ema=0.8, seed=9, optimiser="adamw", weight_decay=0.03,
        precision="bfloat16", start="random", quantiser="noise", only="priors", stream=True, workers=5,
    )  # fmt: skip
    unsaid = {field.name for field in dataclasses.fields(Options) if getattr(options, field.name) == field.default}
    assert unsaid == {"warmup", "clip", "radius"}, "the command line has no words for them"
    assert calls["train"][1:] == (540.0, "float16") and calls["threads"] == (3,) and calls["memory"] == ()


def test_sizes_and_levels_are_those_of_another_run(run, calls: dict[str, Any], tmp_path: Path) -> None:
    from latens.train.options import Options

    for name, sizes in (("a", {"levels": 4, "M": 32}), ("b", {"M": 16, "P1": 24})):
        (tmp_path / name).mkdir()
        Options("minnen2018", sizes).save(tmp_path / name / "options.json")
    words = f"minnen2018 --data x --out new --from {tmp_path}/a --priors-from {tmp_path}/b --lowest-lambda 0.001"
    assert run("train", *words.split(), "--size", "P1=40").status == 0
    _, options, _, source, priors = calls["begin"]
    assert (source, priors) == (tmp_path / "a", tmp_path / "b")
    assert options.sizes == {"levels": 4, "M": 32, "P1": 40} and options.lowest_lmbda == 0.001


def test_a_slice_of_a_run_may_be_told_what_has_changed(run, calls: dict[str, Any]) -> None:
    words = "--data x --validate y --validate z --workers 3 --steps 8 --device cpu --quiet"
    assert run("train", "--resume", "old", *words.split()).status == 0
    old, (device, *shown), *others = calls["resume"]
    assert (old, str(device), shown, others) == (Path("old"), "cpu", [True, ""], [8, ("x",), ("y", "z"), 3])
    assert run("train", "--resume", "old", "--device", "cpu").status == 0
    assert calls["resume"][1][1:] == (False, "") and calls["resume"][2:] == (None, (), (), None)
    assert calls["train"][1] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--lowest-lambda 0.001", "--lowest-lambda needs a model of several levels, such as --size levels=8"),
        ("--start random --from other", "--start random cannot be given with --from"),
        ("--weight-decay 0.1", "--weight-decay needs --optimiser adamw"),
        ("--weight-decay 0.1 --optimiser soap", "--weight-decay needs --optimiser adamw"),
        ("--workers 4", "--workers needs --stream"),
        ("--threads -1", "threads is -1"),
    ],
)
def test_no_word_goes_unheard(run, calls: dict[str, Any], words: str, said: str) -> None:
    status, _, err = run("train", "--data", "x", "--out", "new", *words.split())
    assert status == 2 and err.startswith(f"latens: error: {said}") and not calls.keys() & {"begin", "train"}


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("metric", "one of mse, ms-ssim"),
        ("start", "one of closed-form, random"),
        ("quantiser", "one of noise, mixed"),
        ("only", "one of empty, priors"),
        ("optimiser", "one of adam, adamw, soap"),
        ("precision", "auto, float32 or bfloat16"),
        ("storage", "one of float32, float16, fitted"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_begins(run, calls: dict[str, Any], word: str, rule: str) -> None:
    status, _, err = run("train", "--data", "x", "--out", "new", f"--{word}", "other")
    assert status == 2 and err == f"latens: error: {word} is 'other', and must be {rule}\n"
    assert not calls.keys() & {"begin", "train"}


def test_storages_are_those_of_the_library() -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    from latens.train.options import Storage

    assert get_args(Storage) == STORAGES


@pytest.mark.parametrize(("text", "count"), [("90", 90), ("90s", 90), ("9m", 540), ("1.5h", 5400), (" 2 m ", 120)])
def test_times_have_units(text: str, count: float) -> None:
    assert seconds(text) == count


@pytest.mark.parametrize("text", ["", "-9m", "9d", "m", "1h30m"])
def test_other_words_are_no_times(text: str) -> None:
    with pytest.raises(UsageError, match="must be a number with s, m or h"):
        seconds(text)


def test_help_is_shown_as_it_is_written(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets would be taken for markup."""
    hints = get_type_hints(train, include_extras=True)
    texts = {name: hint.__metadata__[0].help for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    assert len(texts) > 30 and not [name for name, text in texts.items() if "[" in text]
    models = texts["model"].rstrip(".").replace(" or ", ", ").split(", ")
    assert models == [name for name in MODELS if name != "stored"]
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("train", "--help").out.decode()
    assert "Steps of the whole run. Default: 10000." in shown and "Default: those of --from." in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lr", "1e-3"], "--lr"),
        (["latens"], "model"),
        (["--from", "other", "--seed", "0", "--threads", "1"], "--from, --seed"),
    ],
)
def test_what_a_run_began_with_cannot_be_changed(run, arguments: list[str], said: str) -> None:
    status, out, err = run("train", "--resume", "nowhere", *arguments)
    assert (status, out) == (2, b"")
    assert err == f"latens: error: --resume goes on with what nowhere began with, and cannot take {said}\n"


def test_what_belongs_to_a_slice_can_be_said_anew(run) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    words = "--steps 5 --data x --validate y --workers 1 --time-limit 9m --storage float16"
    words += " --device cpu --threads 1 --compile --quiet"
    status, _, err = run("train", "--resume", "nowhere", *words.split())
    assert (status, err) == (1, "latens: error: nowhere is not a training run: it has no options.json\n")


def test_priors_come_with_transforms(run) -> None:
    status, _, err = run("train", "--out", "new", "--priors-from", "other")
    assert status == 2 and "--priors-from needs --from" in err


@pytest.mark.parametrize("arguments", [[], ["--out", "a", "--resume", "b"]])
def test_a_run_is_begun_or_gone_on_with(run, arguments: list[str]) -> None:
    status, _, err = run("train", *arguments)
    assert status == 2 and "give either --out" in err
