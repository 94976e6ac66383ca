"""What a run that begins from another one knows of its optimiser."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train import run  # noqa: E402
from latens.train.engine import Engine  # noqa: E402
from latens.train.options import Options  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)
SIZES = {"C": 8, "n": 2, "M": 8, "Nh": 4, "P": 8}
KEYS = {"adam": "exp_avg_sq", "soap": "square"}


@pytest.fixture(scope="module")
def options(few: Path) -> Options:
    return Options("latens", SIZES, data=(str(few),), steps=3, batch=2, crop=64, radius=16, lmbda=0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, options: Options) -> Path:
    path = tmp_path_factory.mktemp("runs") / "first"
    run.begin(path, options, QUIET).train()
    return path


def known(engine: Engine) -> dict[str, Any]:
    """The states of its parameters, by their names."""
    names = {weight: name for name, weight in engine.module.named_parameters()}
    return {names[weight]: state for weight, state in engine.optimiser.state.items()}


def begun(options: Options, where: Path, source: Path, **changes: Any) -> Engine:
    return run.begin(where, dataclasses.replace(options, **changes), QUIET, source)


@pytest.mark.parametrize("kind", KEYS)
def test_a_run_from_another_goes_on_with_its_optimiser(tmp_path: Path, options: Options, kind: str) -> None:
    first = run.begin(tmp_path / "a", dataclasses.replace(options, optimiser=kind), QUIET)
    first.train()
    expected = known(first)
    second = begun(options, tmp_path / "b", tmp_path / "a", optimiser=kind, batch=1)
    found = known(second)
    assert found.keys() == expected.keys() == dict(second.module.named_parameters()).keys()
    for name, state in found.items():
        assert torch.equal(state[KEYS[kind]], expected[name][KEYS[kind]])
        assert state["step"] == expected[name]["step"]
    steps = {name: int(state["step"]) for name, state in found.items()}
    second.train()
    assert second.skipped == 0
    assert all(int(state["step"]) == steps[name] + 3 for name, state in known(second).items())


def test_other_optimisers_and_other_lambdas_begin_anew(tmp_path: Path, options: Options, trained: Path) -> None:
    assert known(begun(options, tmp_path / "a", trained, optimiser="soap")) == {}
    assert known(begun(options, tmp_path / "b", trained, lmbda=0.005)) == {}
    assert known(begun(options, tmp_path / "c", trained, sizes={**SIZES, "M": 4})) == {}


def test_priors_alone_keep_what_is_known_of_priors(tmp_path: Path, options: Options, trained: Path) -> None:
    found = known(begun(options, tmp_path / "a", trained, only="priors"))
    assert found and not any(name.startswith(("networks.g_a", "networks.g_s")) for name in found)
    assert {"networks.h_s", "networks.refine3", "priors.z"} <= {".".join(name.split(".")[:2]) for name in found}
    second = tmp_path / "second"
    begun(options, second, trained, seed=1).train()
    state = torch.load(second / "checkpoint.pt", weights_only=True)
    for of in state["optimiser"]["state"].values():
        of["step"] = of["step"] * 0 + 77
    torch.save(state, second / "checkpoint.pt")
    both = run.begin(tmp_path / "both", options, QUIET, trained, priors=second)
    for name, of in known(both).items():
        assert int(of["step"]) == (3 if name.startswith(("networks.g_a", "networks.g_s")) else 77), name


def test_blocks_that_stay_keep_theirs_and_new_ones_have_none(
    tmp_path: Path, options: Options, trained: Path
) -> None:
    """Two blocks of two branches each become three. The first is new: layers 3 and 4 of g_a, 2 and 3 of g_s."""
    before = known(begun(options, tmp_path / "same", trained))
    longer = begun(options, tmp_path / "longer", trained, sizes={**SIZES, "n": 3})
    found = known(longer)
    new = {name for name, _ in longer.module.named_parameters()} - found.keys()
    layers = {name.removeprefix("networks.").rsplit(".", 2)[0] for name in new}
    assert layers == {"g_a.3", "g_a.4", "g_s.2", "g_s.3"}
    for name in found:
        old = name
        for network, first in (("g_a", 5), ("g_s", 4)):
            group, part, *rest = name.split(".")
            if part == network and int(rest[0]) >= first:
                old = ".".join((group, part, str(int(rest[0]) - 2), *rest[1:]))
        assert torch.equal(found[name]["exp_avg_sq"], before[old]["exp_avg_sq"]), name
    longer.train()
    assert longer.skipped == 0 and {int(known(longer)[name]["step"]) for name in new} == {3}
