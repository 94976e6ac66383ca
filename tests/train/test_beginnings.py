"""What a run takes over from another: every network whose layers agree, and nothing else."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import TrainingError  # noqa: E402
from latens.systems import Balle2018  # noqa: E402
from latens.systems.latens import Latens, LatensFast  # noqa: E402
from latens.train import run  # noqa: E402
from latens.train.beginnings import Source, begin_from  # noqa: E402
from latens.train.hyper import start_hyper  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.train.options import Options  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)
SIZES = {"N1": 6, "N2": 8, "N3": 8, "M": 10, "Nh": 4}
TRANSFORMS = {"networks.g_a", "networks.g_s"}
HYPER = {"networks.h_a", "networks.h_s", "priors.z"}


@pytest.fixture(scope="module")
def options(few: Path) -> Options:
    return Options("balle2018", SIZES, data=(str(few),), steps=2, batch=2, crop=64, radius=16, lmbda=0.02)


@pytest.fixture(scope="module")
def mean_scale(options: Options) -> Options:
    return dataclasses.replace(options, model="minnen2018", sizes={**SIZES, "P1": 12, "P2": 12, "context": 0})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, options: Options, mean_scale: Options) -> dict[str, Path]:
    """Runs of two steps by the name of their model; ``unknown`` is a copy whose model nobody knows."""
    root = tmp_path_factory.mktemp("runs")
    for name, chosen in (("balle2018", options), ("mean-scale", mean_scale)):
        run.begin(root / name, chosen, QUIET).train()
    (root / "unknown").mkdir()
    for file in ("options.json", "checkpoint.pt"):
        (root / "unknown" / file).write_bytes((root / "balle2018" / file).read_bytes())
    words = json.loads((root / "unknown" / "options.json").read_text())
    (root / "unknown" / "options.json").write_text(json.dumps({**words, "model": "nobody2019", "sizes": {}}))
    return {path.name: path for path in root.iterdir()}


def taken(options: Options, source: Path) -> tuple[set[str], "object"]:
    """The names that are taken over by a module of ``options``, and the module; each is the source's, exactly."""
    torch.manual_seed(1)
    module, read = Trainable(options.build(), options.radius), Source.read(source, options.radius)
    x = torch.rand(4, 3, 64, 64)
    names, _ = begin_from(module, read, x, options.mse_lambdas())
    state = module.state_dict()
    for name in names:
        assert all(torch.equal(state[f"{name}.{key}"], value) for key, value in read.part(name).items())
    return set(names), module


def test_another_run_of_the_same_model_is_taken_whole(options: Options, trained: dict[str, Path]) -> None:
    names, _ = taken(options, trained["balle2018"])
    assert names == TRANSFORMS | HYPER


def test_a_model_with_the_same_transforms_gives_those(mean_scale: Options, trained: dict[str, Path]) -> None:
    names, _ = taken(mean_scale, trained["balle2018"])
    assert names == TRANSFORMS


def test_a_run_of_a_model_that_nobody_knows_gives_what_agrees(
    mean_scale: Options, trained: dict[str, Path]
) -> None:
    names, _ = taken(mean_scale, trained["unknown"])
    assert names == TRANSFORMS


def test_a_context_joins_a_trained_mean_scale_model_and_changes_nothing_at_first(
    mean_scale: Options, trained: dict[str, Path]
) -> None:
    joined = dataclasses.replace(mean_scale, sizes={**mean_scale.sizes, "context": 1})
    names, module = taken(joined, trained["mean-scale"])
    assert names == TRANSFORMS | HYPER
    x = torch.rand(1, 3, 64, 64)
    before = run.begin(trained["mean-scale"].parent / "again", mean_scale, QUIET, trained["mean-scale"])
    assert float(module.rounded(x).bits) == pytest.approx(float(before.module.rounded(x).bits), rel=1e-5)


def test_transforms_and_priors_may_come_from_two_runs(
    options: Options, tmp_path: Path, trained: dict[str, Path]
) -> None:
    elsewhere = dataclasses.replace(options, seed=1)
    run.begin(tmp_path / "other", elsewhere, QUIET).train()
    first, second = (Source.read(path, options.radius) for path in (trained["balle2018"], tmp_path / "other"))
    begun = run.begin(tmp_path / "both", options, QUIET, trained["balle2018"], priors=tmp_path / "other")
    state = begun.module.state_dict()
    for name in sorted(TRANSFORMS | HYPER):
        for source in (first, second):
            same = all(torch.equal(state[f"{name}.{key}"], value) for key, value in source.part(name).items())
            assert same == (source is (first if name in TRANSFORMS else second)), name


def test_priors_of_other_levels_are_refused(options: Options, trained: dict[str, Path]) -> None:
    transforms = Source.read(trained["balle2018"], options.radius)
    with pytest.raises(TrainingError, match=r"has the levels lambda 0\.04, .* its levels, lambda 0\.02"):
        transforms.with_priors(dataclasses.replace(transforms, lmbdas=(0.04,)))


def test_other_transforms_are_refused(options: Options, trained: dict[str, Path]) -> None:
    for sizes in ({**SIZES, "N1": 8}, {**SIZES, "gdn": "absolute"}):
        with pytest.raises(TrainingError, match="only M may be smaller"):
            taken(dataclasses.replace(options, sizes=sizes), trained["balle2018"])


def test_a_run_goes_on_where_it_stopped(options: Options, tmp_path: Path, trained: dict[str, Path]) -> None:
    longer = dataclasses.replace(options, steps=4, decay=0.0)
    whole = run.begin(tmp_path / "whole", longer, QUIET, trained["balle2018"])
    whole.train()
    half = dataclasses.replace(longer, steps=2)
    run.begin(tmp_path / "half", half, QUIET, trained["balle2018"]).train()
    resumed = run.resume(tmp_path / "half", QUIET, steps=4)
    resumed.train()
    state = resumed.module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in whole.module.state_dict().items())


def test_sizes_are_inherited_within_a_model_only(trained: dict[str, Path]) -> None:
    assert run.sizes_of(trained["balle2018"], "balle2018") == SIZES
    assert run.sizes_of(trained["balle2018"], "minnen2018") == {}


def test_a_switch_is_0_or_1(mean_scale: Options) -> None:
    with pytest.raises(TrainingError, match="context is 'no', and must be 0 or 1"):
        dataclasses.replace(mean_scale, sizes={"context": "no"}).check()


@pytest.mark.parametrize("silent", [0, 4])
def test_blocks_that_matter_least_are_left_out(photograph: np.ndarray, silent: int) -> None:
    """The second block of g_a and the first of g_s are the identity: leaving them out changes nothing.

    Nor do latents that are always 0.
    """
    torch.manual_seed(2)
    longer = Latens(C=8, n=3, M=8 + silent, Nh=4, P=8)
    module = Trainable(longer, 16)
    for weight in module.networks["g_a"][-1].parameters():
        torch.nn.init.zeros_(weight[3 : 3 + silent])
    with torch.no_grad():  # the others are far from 0
        module.networks["g_a"][-1].weight.mul_(100)
    for name, first in (("g_a", 5), ("g_s", 2)):
        for residual in module.networks[name][first : first + 2]:
            for weight in residual[-1].parameters():
                torch.nn.init.zeros_(weight)
    source = Source("run", module.state_dict(), (0.02,), longer, 16)
    x = torch.from_numpy(photograph[:128, :256].copy()).permute(2, 0, 1)[None] / 255
    shorter = Trainable(LatensFast(C=8, n=2, M=8, Nh=4, P=8), 16)
    names, _ = begin_from(shorter, source, x, (0.02,))
    assert set(names) >= TRANSFORMS | (set() if silent else HYPER)
    found, expected = shorter.transformed(x), module.transformed(x)
    assert torch.equal(found, expected) or silent  # sums of fewer terms are rounded otherwise
    assert torch.allclose(found, expected, atol=1e-5)


NEW = {3: [True, False, False], 4: [True, False, True, False], 5: [True, True, False, True, False]}


def test_other_models_and_other_priors_are_no_reason_to_crash(
    options: Options, tmp_path: Path, trained: dict[str, Path]
) -> None:
    sizes = {"C": 8, "n": 2, "M": 8, "Nh": 4, "P": 8}
    small = dataclasses.replace(options, model="latens", sizes=sizes)
    with pytest.raises(TrainingError, match="only M may be smaller"):
        run.begin(tmp_path / "a", small, QUIET, trained["balle2018"])
    run.begin(tmp_path / "b", small, QUIET).train()
    wide = dataclasses.replace(small, sizes={**sizes, "P": 12})
    run.begin(tmp_path / "c", wide, QUIET).train()
    deep = dataclasses.replace(wide, sizes={**wide.sizes, "na": 1})
    both = run.begin(tmp_path / "d", deep, QUIET, tmp_path / "b", priors=tmp_path / "c")
    expected = Source.read(tmp_path / "c", options.radius).part("networks.refine0")
    assert all(torch.equal(both.module.networks["refine0"].state_dict()[key], expected[key]) for key in expected)


def test_depths_of_analysis_and_synthesis_differ(photograph: np.ndarray) -> None:
    torch.manual_seed(4)
    even = Latens(C=8, n=3, M=8, Nh=4, P=8)
    module = Trainable(even, 16)
    source = Source("run", module.state_dict(), (0.02,), even, 16)
    x = torch.from_numpy(photograph[:128, :256].copy()).permute(2, 0, 1)[None] / 255
    deeper = Trainable(dataclasses.replace(even, na=1, ns=2), 16)
    names, _ = begin_from(deeper, source, x, (0.02,))
    assert set(names) >= TRANSFORMS | HYPER and torch.equal(deeper.transformed(x), module.transformed(x))
    other = Trainable(dataclasses.replace(even, n=2, na=2, ns=0), 16)  # one more in g_a, one less in g_s
    assert {len(other.networks["g_a"]) - len(module.networks["g_a"])} == {2}
    begin_from(other, source, x, (0.02,))
    pictures = module.networks["g_a"](x), other.networks["g_a"](x)
    assert torch.equal(*pictures) and not torch.equal(other.transformed(x), module.transformed(x))


@pytest.mark.parametrize("blocks", NEW)
def test_blocks_are_added_as_the_identity(photograph: np.ndarray, blocks: int) -> None:
    """What comes back of pictures is the same to the bit, and the new blocks are between the old ones."""
    from latens.train.noise import Trainable
    from latens.transforms.torch_modules import Residual

    torch.manual_seed(3)
    shorter = Latens(C=8, n=2, M=8, Nh=4, P=8)
    module = Trainable(shorter, 16)
    source = Source("run", module.state_dict(), (0.02,), shorter, 16)
    longer = Trainable(dataclasses.replace(shorter, n=blocks), 16)
    x = torch.from_numpy(photograph[:128, :256].copy()).permute(2, 0, 1)[None] / 255
    names, _ = begin_from(longer, source, x, (0.02,))
    assert set(names) >= TRANSFORMS | HYPER
    assert torch.equal(longer.transformed(x), module.transformed(x))
    for name in ("g_a", "g_s"):
        branches = [layer for layer in longer.networks[name] if isinstance(layer, Residual)]
        silent = [not bool(layer[-1].weight.any()) for layer in branches[::2]]
        assert len(branches) == 2 * blocks and silent == NEW[blocks]


@pytest.mark.parametrize("model", ["balle2017", "balle2018"])
def test_pictures_of_one_colour_need_another_start(options: Options, tmp_path: Path, model: str) -> None:
    Image.new("RGB", (128, 128), (90, 140, 30)).save(tmp_path / "flat.png")
    sizes = {"balle2017": {"N1": 8, "N2": 8, "M": 8}, "balle2018": {"N1": 6, "N2": 8, "N3": 8, "M": 10, "Nh": 4}}
    flat = dataclasses.replace(options, model=model, sizes=sizes[model], data=(str(tmp_path / "flat.png"),))
    with pytest.raises(TrainingError, match="--start random begins without it"):
        run.begin(tmp_path / "a", flat, QUIET)
    run.begin(tmp_path / "a", dataclasses.replace(flat, start="random"), QUIET)


def test_hyper_networks_are_not_fitted_to_a_z_that_is_always_the_same() -> None:
    module = Trainable(Balle2018(N1=6, N2=8, N3=8, M=10, Nh=4), 16)
    with pytest.raises(TrainingError, match=r"z is the same everywhere .* or --start random"):
        start_hyper(module, torch.zeros(2, 3, 64, 64))
