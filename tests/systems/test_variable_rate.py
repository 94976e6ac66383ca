"""One set of weights for every rate: files, headers, beginnings and training."""

import dataclasses
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens.bitstream import pack, unpack
from latens.errors import FormatError, TrainingError, UsageError, WeightsError
from latens.weights.package import load

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train import run  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.variable_rate import spread  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return photograph[60:260, 100:340]


def test_sizes_and_fidelity_rise_with_every_step_of_quality(exported: dict[str, Path], pixels: np.ndarray) -> None:
    sizes, errors = [], []
    for quality in (0, 20, 37.5, 50, 62.5, 80, 100):
        data = latens.encode(pixels, model=exported["variable"], quality=quality)
        assert latens.open(data).header.quality == quality
        came = latens.decode(data, weights=exported["variable"], output="array")
        sizes.append(len(data))
        errors.append(float(((came.astype(float) - pixels) ** 2).mean()))
    assert sizes == sorted(set(sizes)) and errors == sorted(set(errors), reverse=True)
    assert sizes[-1] > 1.5 * sizes[0] and errors[0] > 1.05 * errors[-1]  # 14 latents say little more


def test_the_quality_of_the_header_is_the_one_that_was_used(exported: dict[str, Path], pixels: np.ndarray) -> None:
    data = latens.encode(pixels, model=exported["variable"], quality=43.2109)
    assert latens.open(data).header.quality == 43.21
    assert data == latens.encode(pixels, model=exported["variable"], quality=43.21)
    with pytest.raises(UsageError, match=r"100\.5"):
        latens.encode(pixels, model=exported["variable"], quality=100.5)


def test_a_file_without_its_quality_is_refused(exported: dict[str, Path], pixels: np.ndarray) -> None:
    container = unpack(latens.encode(pixels, model=exported["variable"], quality=30))
    header = dataclasses.replace(container.header, quality=None)
    with pytest.raises(FormatError, match="variable rate, and the file names no quality"):
        latens.decode(pack(container._replace(header=header)), weights=exported["variable"])


@pytest.mark.parametrize(("member", "kept"), [("gain", True), ("inverse", False)])
def test_only_the_decoders_gains_are_in_the_fingerprint(
    exported: dict[str, Path], tmp_path: Path, member: str, kept: bool
) -> None:
    changed = tmp_path / "changed.ltm"
    with zipfile.ZipFile(exported["variable"]) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            data = bytearray(before.read(name))
            data[-2] ^= 1 if name == f"{member}.npy" else 0
            after.writestr(name, bytes(data))
    if kept:
        assert load(changed).fingerprint == load(exported["variable"]).fingerprint
    else:
        with pytest.raises(WeightsError, match="fingerprint"):
            load(changed)


def test_gains_that_are_no_numbers_are_refused(
    exported: dict[str, Path], tmp_path: Path, pixels: np.ndarray
) -> None:
    changed = tmp_path / "changed.ltm"
    with zipfile.ZipFile(exported["variable"]) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            after.writestr(name, data[:-4] + np.float32("nan").tobytes() if name == "gain.npy" else data)
    with pytest.raises(WeightsError, match="gain"):
        latens.encode(pixels, model=changed)


# --- training -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Options:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(3):
        Image.fromarray(photograph[100 * k : 100 * k + 96, 60 * k : 60 * k + 128]).save(folder / f"{k}.png")
    sizes = {"N1": 6, "N2": 8, "N3": 8, "M": 10, "Nh": 4, "P1": 12, "P2": 12, "context": 0, "levels": 4}
    data = (str(folder),)
    return Options(
        "minnen2018", sizes, data, steps=2, batch=4, crop=64, radius=16, lmbda=0.1, lowest_lmbda=0.001
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, options: Options) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a"
    run.begin(folder, options, QUIET).train()
    return folder


def test_levels_train_their_gains(trained: Path, options: Options, tmp_path: Path) -> None:
    engine = run.resume(trained, QUIET)
    start = run.begin(tmp_path / "b", options, QUIET)
    assert not torch.equal(engine.module.gains.gain, start.module.gains.gain)
    steps = start.module.gains.gain[:, 0].diff()
    assert torch.allclose(steps, torch.log2(torch.tensor(100.0)) / 6), "the root of lambda"
    assert torch.equal(start.module.gains.inverse, -start.module.gains.gain)


def test_a_picture_is_played_at_its_level(trained: Path) -> None:
    module = run.resume(trained, QUIET).module
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1)
    played = module.rounded(x, torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert played.bits.diff().min() > 0, "bits rise with the level"
    alone = module.rounded(x[:1], torch.tensor([2.0]))
    assert torch.allclose(alone.bits, played.bits[2:3], rtol=1e-4)


def test_levels_are_spread_from_end_to_end() -> None:
    levels = spread(100, 8)
    assert levels.min() == 0 and 6.9 < levels.max() < 7 and len(levels.unique()) == 100
    counts = torch.histc(levels, 7, 0, 7)
    assert counts.min() >= 13 and counts.max() <= 16
    assert torch.equal(spread(10, 8), levels[:10])


def test_another_run_of_the_same_levels_is_taken_with_its_gains(
    trained: Path, options: Options, tmp_path: Path
) -> None:
    first = run.resume(trained, QUIET)
    second = run.begin(tmp_path / "b", dataclasses.replace(options, steps=0), QUIET, trained)
    assert torch.equal(second.module.gains.gain, first.average.shadow["gains.gain"])
    with pytest.raises(TrainingError, match="must have the same"):
        run.begin(tmp_path / "c", dataclasses.replace(options, lmbda=0.2), QUIET, trained)


def test_a_run_of_one_rate_is_a_start_for_many_and_fewer_latents(options: Options, tmp_path: Path) -> None:
    single = dataclasses.replace(options, sizes={**options.sizes, "levels": 1}, lmbda=0.01)
    first = run.begin(tmp_path / "a", single, QUIET)
    narrow = dataclasses.replace(options, sizes={**options.sizes, "M": 6})
    second = run.begin(tmp_path / "b", narrow, QUIET, tmp_path / "a")
    expected = 0.5 * torch.log2(torch.tensor(narrow.mse_lambdas()) / 0.01)
    assert torch.allclose(second.module.gains.gain, expected[:, None].expand(4, 6), atol=1e-5)
    wide = first.module.networks["g_a"][-1].weight.flatten(1)
    kept = second.module.networks["g_a"][-1].weight.flatten(1)
    assert all((row == wide).all(1).any() for row in kept), "six of its ten filters"


def test_training_the_priors_alone_leaves_pictures_alone(trained: Path, options: Options, tmp_path: Path) -> None:
    engine = run.begin(tmp_path / "b", dataclasses.replace(options, only="priors"), QUIET, trained)
    before = {name: value.clone() for name, value in engine.module.state_dict().items()}
    engine.train()
    changed = {name for name, value in engine.module.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[1] for name in changed} == {"h_a", "h_s", "z"}
    assert (engine.run / "log.jsonl").exists() and engine.skipped == 0


def test_exported_weights_are_a_start_too(exported: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the extra train")
    from latens.train.beginnings import Source
    from latens.train.restore import restore

    shutil.copy(exported["variable"], tmp_path / "a.ltm")
    module, lmbdas = restore(tmp_path / "a.ltm", radius=16)
    assert lmbdas == (0.002, 0.02, 0.2)
    assert np.array_equal(module.gains.inverse.detach().numpy(), load(exported["variable"]).gains.inverse)
    source = Source.read(tmp_path / "a.ltm", radius=16)
    assert all(source.part(f"networks.{name}") for name in module.networks), "those of integers too"
    assert not source.part("priors.z"), "which are fitted to the latents"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lowest_lmbda": 0.1}, r"lowest_lmbda is 0\.1, and must be above 0 and below lmbda"),
        ({"lowest_lmbda": 0.0}, "lowest_lmbda is 0"),
        ({"model": "balle2017", "sizes": {}, "only": "priors"}, "only is 'priors'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Options, changes: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(options, **changes).check()


def test_an_evaluation_goes_through_qualities(exported: dict[str, Path], pixels: np.ndarray) -> None:
    from latens.evaluate.codecs import find

    codec = find(f"mine={exported['variable']}")
    assert codec.parameter == "quality" and codec.settings[0] < 10 and codec.settings[-1] > 90
    small, large = (codec.encode(pixels, setting) for setting in (codec.settings[0], 77.5))
    assert len(small) < len(large) and latens.open(large).header.quality == 77.5
    assert codec.decode(large).shape == pixels.shape
    assert find(f"two={exported['scale']},{exported['variable']}").parameter == "weights file"


def test_a_wanted_rate_is_found_between_the_qualities_of_an_evaluation(
    exported: dict[str, Path], pixels: np.ndarray
) -> None:
    from latens.evaluate.codecs import find
    from latens.evaluate.match import match

    codec = find(f"mine={exported['variable']}")
    low, high = (8 * len(codec.encode(pixels, quality)) / pixels[..., 0].size for quality in (50, 65))
    found = match(codec, pixels, (low + high) / 2)
    assert 50 < found.setting < 65 and abs(found.bpp / ((low + high) / 2) - 1) < 0.02
