"""``latens train``: what the command line refuses before anything is trained."""

import pytest


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
    words = "--steps 5 --data x --time-limit 9m --storage float16 --device cpu --threads 1 --compile --quiet"
    status, _, err = run("train", "--resume", "nowhere", *words.split())
    assert (status, err) == (1, "latens: error: nowhere is not a training run: it has no options.json\n")


def test_priors_come_with_transforms(run) -> None:
    status, _, err = run("train", "--out", "new", "--priors-from", "other")
    assert status == 2 and "--priors-from needs --from" in err


@pytest.mark.parametrize("arguments", [[], ["--out", "a", "--resume", "b"]])
def test_a_run_is_begun_or_gone_on_with(run, arguments: list[str]) -> None:
    status, _, err = run("train", *arguments)
    assert status == 2 and "give either --out" in err
