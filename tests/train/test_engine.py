"""The training loop: cut into slices or not, interrupted or not, a run is the same run."""

import dataclasses
import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import TrainingError  # noqa: E402
from latens.train import engine as engine_module  # noqa: E402
from latens.train import objective as objective_module  # noqa: E402
from latens.train import run  # noqa: E402
from latens.train.engine import Engine  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.stream import ENDINGS  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(4):
        part = photograph[100 * k : 100 * k + 96, 60 * k : 60 * k + 128]
        Image.fromarray(part).save(folder / f"{k}.png")
    return folder


@pytest.fixture
def options(photos: Path) -> Options:
    return Options(
        sizes={"N1": 8, "N2": 8, "M": 8}, data=(str(photos),), steps=20, batch=2, crop=32, radius=16, warmup=5
    )


def begun(path: Path, options: Options, **more: Any) -> Engine:
    return run.begin(path, options, QUIET, more.get("source"))


def interrupted_after(engine: Engine, steps: int, number: int = signal.SIGTERM) -> bool:
    """Train, and be told to stop during the ``steps``-th step from now."""
    whole, done = engine._train_step, []

    def step() -> torch.Tensor:
        done.append(1)
        if len(done) == steps:
            signal.raise_signal(number)
        return whole()

    engine._train_step = step  # type: ignore[method-assign]
    finished = engine.train()
    engine._train_step = whole  # type: ignore[method-assign]
    return finished


def everything(engine: Engine) -> dict[str, torch.Tensor]:
    """All that training changes, by name."""
    found = {f"module.{k}": v for k, v in engine.module.state_dict().items()}
    found |= {f"average.{k}": v for k, v in engine.average.shadow.items()}
    for number, moments in engine.optimiser.state_dict()["state"].items():
        found |= {f"adam.{number}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    return {name: value.clone() for name, value in found.items()}


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys() and len(found) > 60
    different = [name for name in expected if not torch.equal(found[name], expected[name])]
    assert not different


@pytest.mark.parametrize(
    "changed",
    [{"quantiser": "noise"}, {"quantiser": "mixed"}, {"optimiser": "soap", "precision": "bfloat16"}],
    ids=["noise", "mixed", "soap and bfloat16"],
)
def test_twenty_steps_are_ten_and_a_resume_and_ten_exactly(
    tmp_path: Path, options: Options, changed: dict[str, Any]
) -> None:
    options = dataclasses.replace(options, **changed)
    whole = begun(tmp_path / "whole", options)
    before = everything(whole)
    assert whole.train() and whole.step == 20
    assert all(not torch.equal(v, everything(whole)[k]) for k, v in before.items() if ".weight" in k)
    first = begun(tmp_path / "cut", options)
    assert not interrupted_after(first, 10) and first.step == 10
    torch.manual_seed(99)  # nothing may hang on the global state
    second = run.resume(tmp_path / "cut", QUIET)
    assert second.step == 10
    assert_equal(everything(second), everything(first))
    assert second.train() and second.step == 20
    assert_equal(everything(second), everything(whole))


def test_a_resumed_run_has_the_rates_that_its_options_say(tmp_path: Path, options: Options) -> None:
    begun(tmp_path / "run", dataclasses.replace(options, steps=1)).train()
    slower = dataclasses.replace(options, steps=2, lr=options.lr / 4, decay=0.0, warmup=1)
    slower.save(tmp_path / "run" / "options.json")
    engine = run.resume(tmp_path / "run", QUIET)
    engine.train()
    groups = engine.optimiser.param_groups
    assert {group["lr"] for group in groups if group["turned"]} == {options.lr / 4}
    assert all(group["lr"] == group["base"] for group in groups)


def test_bfloat16_is_for_networks_and_not_for_what_counts(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products are bfloat16, normalisation is as it is given; bits, reconstruction and distortion see float32."""
    seen: dict[str, set[torch.dtype]] = {}

    def note(name: str, *tensors: Any) -> None:
        seen.setdefault(name, set()).update(t.dtype for t in tensors if isinstance(t, torch.Tensor))

    engine = begun(tmp_path / "run", dataclasses.replace(options, precision="bfloat16", steps=1))
    for network in ("g_a", "g_s"):
        for layer in engine.module.networks[network]:
            kind = type(layer).__name__
            layer.register_forward_hook(lambda _m, _i, output, kind=kind: note(kind, output))
    bits, real = engine.module.priors["y"].bits, objective_module.distortion
    monkeypatch.setattr(engine.module.priors["y"], "bits", lambda y: (note("bits", y, bits(y)), bits(y))[1])
    monkeypatch.setattr(objective_module, "distortion", lambda *a: (note("distortion", *a, real(*a)), real(*a))[1])
    engine.train()
    assert seen.pop("Conv") == seen.pop("Deconv") == {torch.bfloat16}
    assert seen.pop("GDN") == {torch.bfloat16, torch.float32}  # the first of g_s is given latents
    assert seen.keys() == {"Shift", "bits", "distortion"}
    assert all(dtypes == {torch.float32} for dtypes in seen.values())
    assert all(weight.dtype == torch.float32 for weight in engine.module.parameters())


def test_a_compiled_run_is_the_run(tmp_path: Path, options: Options) -> None:
    """With a compiler that computes what it is given; the default one fuses, and rounds otherwise."""
    options = dataclasses.replace(options, steps=3)
    plain = begun(tmp_path / "plain", options)
    compiled = run.begin(tmp_path / "compiled", options, QUIET._replace(compiled="eager"))
    assert plain.train() and compiled.train()
    assert all(network._compiled_call_impl is not None for network in compiled.module.networks.values())
    assert_equal(everything(compiled), everything(plain))


def test_noise_depends_on_seed_and_step(tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        engine = begun(tmp_path / name, dataclasses.replace(options, steps=3, seed=seed))
        forward = engine.module.forward

        def seen(x: Any, generator: Any, *others: Any, forward: Any = forward) -> Any:
            seeds.append(generator.initial_seed())
            return forward(x, generator, *others)

        monkeypatch.setattr(engine.module, "forward", seen)
        engine.train()
    assert seeds[:3] == seeds[3:6] and len(set(seeds)) == 6


def test_a_run_extended_before_its_decay_is_the_longer_run(tmp_path: Path, options: Options) -> None:
    constant = dataclasses.replace(options, decay=0.0)
    whole = begun(tmp_path / "whole", dataclasses.replace(constant, steps=12))
    whole.train()
    begun(tmp_path / "short", dataclasses.replace(constant, steps=6)).train()
    longer = run.resume(tmp_path / "short", QUIET, steps=12)
    assert longer.train() and longer.step == 12
    assert_equal(everything(longer), everything(whole))
    assert Options.load(tmp_path / "short" / "options.json").steps == 12
    with pytest.raises(TrainingError, match="steps is 5, and must be at least the run's 12"):
        run.resume(tmp_path / "short", QUIET, steps=5)


@pytest.fixture
def hangups() -> Iterator[None]:
    """SIGHUP as a terminal gives it, whatever these tests were started with: nohup has it ignored."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_ends_the_slice_after_its_step_with_a_checkpoint(
    tmp_path: Path, options: Options, number: int
) -> None:
    handlers = [signal.getsignal(one) for one in ENDINGS]
    engine = begun(tmp_path / "run", options)
    assert interrupted_after(engine, 3, number) is False
    assert engine.step == 3
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3
    assert not list((tmp_path / "run").glob("*.tmp"))
    assert [signal.getsignal(one) for one in ENDINGS] == handlers


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the platform has no SIGHUP")
def test_a_run_under_nohup_outlives_its_terminal(tmp_path: Path, options: Options) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        engine = begun(tmp_path / "run", dataclasses.replace(options, steps=3))
        assert interrupted_after(engine, 2, signal.SIGHUP) and engine.step == 3
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_time_limit_ends_the_slice(tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which a step takes a second and nothing else any time."""
    engine = begun(tmp_path / "run", dataclasses.replace(options, steps=10**6))
    now, whole = [100.0], engine._train_step

    def step() -> torch.Tensor:
        now[0] += 1
        return whole()

    engine._train_step = step  # type: ignore[method-assign]
    monkeypatch.setattr(engine_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert engine.train(0.0) is False and engine.step == 0
    assert engine.train(2.5) is False and engine.step == 3
    assert engine.seconds == 3
    resumed = run.resume(tmp_path / "run", QUIET)
    assert resumed.step == engine.step and resumed.seconds == engine.seconds


def test_a_step_whose_loss_is_not_finite_is_skipped_and_counted(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = begun(tmp_path / "run", options)
    interrupted_after(engine, 3)
    before, real = everything(engine), objective_module.distortion
    monkeypatch.setattr(objective_module, "distortion", lambda *a: real(*a) * math.nan)
    interrupted_after(engine, 2)
    assert (engine.step, engine.skipped) == (5, 2)
    assert_equal(everything(engine), before)
    monkeypatch.undo()
    assert engine.train() and engine.skipped == 2
    assert all(torch.isfinite(value).all() for value in everything(engine).values())
    resumed = run.resume(tmp_path / "run", QUIET)
    assert resumed.skipped == 2


def test_a_step_with_latents_that_are_not_finite_is_skipped(tmp_path: Path, options: Options) -> None:
    engine = begun(tmp_path / "run", options)
    bias = engine.module.networks["g_a"][1].bias
    for value in (math.nan, math.inf):
        kept = bias.data.clone()
        bias.data[0] = value
        before = everything(engine)
        interrupted_after(engine, 1)
        after = everything(engine)
        assert all(torch.allclose(after[name], before[name], equal_nan=True, rtol=0, atol=0) for name in before)
        bias.data.copy_(kept)
    assert engine.skipped == 2


@pytest.mark.parametrize("part", ["networks.g_a.1.weight", "networks.g_s.0.gamma_root", "priors.y.logits"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_step_with_any_gradient_that_is_not_finite_is_skipped(
    tmp_path: Path, options: Options, part: str, value: float
) -> None:
    engine = begun(tmp_path / "run", options)
    interrupted_after(engine, 1)
    before = everything(engine)
    hook = dict(engine.module.named_parameters())[part].register_hook(lambda gradient: gradient * value)
    interrupted_after(engine, 1)
    hook.remove()
    assert engine.skipped == 1
    assert_equal(everything(engine), before)


def test_training_lowers_the_loss_and_logs_it(tmp_path: Path, options: Options) -> None:
    engine = begun(tmp_path / "run", dataclasses.replace(options, start="random", steps=60, batch=4, lr=2e-3))
    engine.train(every=20)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert set(lines[0]) == {"step", "kind", "loss", "bpp", "psnr", "images/s", "skipped"}
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"] and lines[-1]["psnr"] > lines[0]["psnr"]


def test_skipped_steps_do_not_flatter_the_logged_loss(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean is over the steps that were taken."""
    real, calls = objective_module.distortion, []

    def sometimes(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return real(*arguments) * (math.nan if len(calls) % 4 else 1)

    constant = dataclasses.replace(options, lr=1e-9, norm_lr=0.0, density_lr=0.0, plain=0.0, steps=8)
    begun(tmp_path / "clean", constant).train(every=8)
    monkeypatch.setattr(objective_module, "distortion", sometimes)
    begun(tmp_path / "holes", constant).train(every=8)
    clean, holes = (json.loads((tmp_path / n / "log.jsonl").read_text()) for n in ("clean", "holes"))
    assert holes["skipped"] == 6
    assert holes["loss"] == pytest.approx(clean["loss"], rel=0.5)


def test_where_no_step_was_taken_no_loss_is_logged(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective_module, "distortion", lambda *_: torch.tensor(math.nan))
    begun(tmp_path / "none", dataclasses.replace(options, steps=4)).train(every=4)
    logged = json.loads((tmp_path / "none" / "log.jsonl").read_text())
    assert logged["skipped"] == 4 and not {"loss", "bpp", "psnr"} & logged.keys()
