"""The choices of a run: refused when wrong, kept whole, and the schedule they give."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import TrainingError
from latens.systems import Balle2017
from latens.train.options import Options, learning_rate

GOOD = Options(data=("photos",), sizes={"N1": 8, "M": 16, "gdn": "absolute"}, steps=1000, warmup=10)


def test_good_options_pass_and_build_their_model() -> None:
    assert GOOD.check() is GOOD
    assert GOOD.build() == Balle2017(N1=8, M=16, gdn="absolute")
    assert dataclasses.replace(GOOD, metric="ms-ssim", crop=176).check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "nonesuch"}, "model is 'nonesuch', and must be one of balle2017"),
        ({"sizes": {"N9": 4}}, "size 'N9' is not one of balle2017: M, N1, N2, gdn"),
        ({"sizes": {"M": "many"}}, "size M is 'many', and must be a whole number from 1"),
        ({"sizes": {"M": 0}}, "size M is 0, and must be a whole number from 1"),
        ({"sizes": {"gdn": "cubed"}}, "size gdn is 'cubed', and must be one of squared, absolute"),
        ({"model": "latens", "sizes": {"na": -1}}, "size na is -1, and must be a whole number from 0"),
        ({"model": "latens", "sizes": {"na": 0, "n": 0}}, "size n is 0, and must be a whole number from 1"),
        ({"crop": 100}, "crop is 100, and must be a positive multiple of 16"),
        ({"crop": 0}, "crop is 0, and must be a positive multiple of 16"),
        ({"crop": 160, "metric": "ms-ssim"}, "crop is 160, and MS-SSIM's five scales need 176"),
        ({"lmbda": 0.0}, "lmbda is 0.0, and must be above 0"),
        ({"lmbda": float("nan")}, "lmbda is nan, and must be above 0"),
        ({"steps": -1}, "steps is -1, and must be at least 0"),
        ({"batch": 0}, "batch is 0, and must be at least 1"),
        ({"lr": -1e-4}, "lr is -0.0001, and must be above 0"),
        ({"norm_lr": -1.0}, "norm_lr is -1.0, and must be at least 0"),
        ({"gain_lr": -1.0}, "gain_lr is -1.0, and must be at least 0"),
        ({"density_lr": float("nan")}, "density_lr is nan, and must be at least 0"),
        ({"decay": 1.5}, "decay is 1.5, and must be from 0 to 1"),
        ({"ema": 1.0}, "ema is 1.0, and must be at least 0 and below 1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1, and must be at least 0"),
        ({"workers": -1}, "workers is -1, and must be at least 0"),
        ({"seed": -1}, "seed is -1, and must be from 0"),
        ({"seed": 2**32}, "seed is 4294967296, and must be from 0"),
        ({"metric": "ssim"}, "metric is 'ssim', and must be one of mse, ms-ssim"),
        ({"start": "zeros"}, "start is 'zeros', and must be one of closed-form, random"),
        ({"quantiser": "ste"}, "quantiser is 'ste', and must be one of noise, mixed"),
        ({"only": "transforms"}, "only is 'transforms', and must be one of empty, priors"),
        ({"optimiser": "sgd"}, "optimiser is 'sgd', and must be one of adam, adamw, soap"),
        ({"precision": "auto"}, "precision is 'auto', and must be one of float32, bfloat16"),
        ({"data": ()}, "data is (), and must be at least one folder, tar shard or URL"),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_rule(change: dict, message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        dataclasses.replace(GOOD, **change).check()
    assert str(caught.value).startswith(message)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    options = dataclasses.replace(GOOD, validation=("a", "b.tar"), lmbda=0.0123456789, quantiser="noise", seed=7)
    options.save(tmp_path / "options.json")
    assert Options.load(tmp_path / "options.json") == options


def test_options_that_cannot_reach_the_disk_leave_those_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    GOOD.save(tmp_path / "options.json")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Options().save(tmp_path / "options.json")
    assert Options.load(tmp_path / "options.json") == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["options.json"]


def test_options_of_an_older_version_take_the_defaults_for_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text(json.dumps({"data": ["x"], "lmbda": 0.5}))
    assert Options.load(tmp_path / "options.json") == Options(data=("x",), lmbda=0.5)


@pytest.mark.parametrize("text", ["{", '{"colour": "red"}', "[1]", ""])
def test_options_that_cannot_be_read_are_a_training_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "options.json").write_text(text)
    with pytest.raises(TrainingError, match=r"options\.json cannot be read"):
        Options.load(tmp_path / "options.json")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"is not a training run: it has no options\.json"):
        Options.load(tmp_path / "options.json")


def test_the_learning_rate_warms_up_stays_and_falls_to_a_thousandth() -> None:
    options = dataclasses.replace(GOOD, steps=1000, warmup=10, decay=0.25)
    rates = [learning_rate(options, step) for step in range(1000)]
    assert rates[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rates[10:751] == [1.0] * 741
    falling = rates[750:]
    assert falling == sorted(falling, reverse=True) and falling[125] == pytest.approx(0.5)
    assert falling[-1] == pytest.approx(1 / 250) and learning_rate(options, 1000) == 1e-3


def test_no_decay_and_no_warmup_is_a_constant_rate() -> None:
    options = dataclasses.replace(GOOD, steps=100, warmup=0, decay=0.0)
    assert {learning_rate(options, step) for step in range(100)} == {1.0}


def test_before_its_decay_a_run_does_not_know_how_long_it_will_be() -> None:
    short, long = dataclasses.replace(GOOD, steps=1000), dataclasses.replace(GOOD, steps=5000)
    assert all(learning_rate(short, step) == learning_rate(long, step) for step in range(500))
    assert learning_rate(short, 600) != learning_rate(long, 600)


def test_all_decay_falls_from_the_first_step() -> None:
    options = dataclasses.replace(GOOD, steps=100, warmup=0, decay=1.0)
    assert learning_rate(options, 0) == 1 and learning_rate(options, 50) == pytest.approx(0.5)
