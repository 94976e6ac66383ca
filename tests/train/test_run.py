"""A slice of a run: its folder, its beginnings, and the model it exports."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("onnx", reason="exporting needs the extra train")

import latens  # noqa: E402
from latens import lock  # noqa: E402
from latens.errors import ExistsError, TrainingError, UsageError  # noqa: E402
from latens.train import run  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.engine import Engine  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.weights.package import load  # noqa: E402

CPU = torch.device("cpu")
QUIET = run.Setup(CPU, quiet=True)
KEYS = {"run", "step", "steps", "skipped", "seconds", "validation", "fingerprint", "model"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k, (r, c) in enumerate(np.ndindex(4, 4)):
        Image.fromarray(photograph[128 * r : 128 * r + 128, 128 * c : 128 * c + 112]).save(folder / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def options(photos: Path, tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Options:
    held_out = tmp_path_factory.mktemp("held_out") / "face.png"
    Image.fromarray(photograph[:256, 100:400]).save(held_out)
    return Options(
        sizes={"N1": 12, "N2": 16, "M": 24}, data=(str(photos),), validation=(str(held_out),), lmbda=0.02,
        steps=6, batch=2, crop=48, radius=64, ema=0.9,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, options: Options):
    """A run of six steps: its folder, its engine (whose weights are the averaged ones now), and what it said."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    engine = run.begin(folder, options, QUIET)
    return folder, engine, run.train(engine, None, "float32")


def test_the_exported_model_is_what_the_result_says(trained) -> None:
    folder, engine, result = trained
    assert set(result) == KEYS and result["step"] == result["steps"] == 6
    assert Path(result["model"]) == folder / "model.ltm"
    weights = load(folder / "model.ltm")
    assert weights.fingerprint.hex() == result["fingerprint"]
    assert weights.model == engine.options.build()
    assert (
        weights.card["lmbda"] == 0.02 and weights.card["metric"] == "mse" and "6 steps" in weights.card["training"]
    )


def test_the_exported_networks_are_the_averaged_ones(trained, photograph: np.ndarray) -> None:
    folder, engine, _ = trained
    weights, networks = load(folder / "model.ltm"), engine.module.networks
    for name, value in engine.module.state_dict().items():
        assert torch.equal(value, engine.average.shadow[name])
    x = to_input(torch.from_numpy(photograph[None, 64:160, 32:192].copy()))
    with torch.no_grad():
        y = networks["g_a"](x)
        np.testing.assert_allclose(weights.g_a(x.numpy()), y, atol=1e-4 * float(y.abs().max()))
        np.testing.assert_allclose(weights.g_s(y.round().numpy()), networks["g_s"](y.round()), atol=1e-4)


def test_transforms_that_stay_are_exported_too(
    options: Options, tmp_path: Path, photograph: np.ndarray
) -> None:
    sizes = {"N1": 6, "N2": 8, "N3": 8, "M": 10, "Nh": 4}
    frozen = dataclasses.replace(options, model="balle2018", sizes=sizes, only="priors", crop=64, steps=2)
    engine = run.begin(tmp_path / "a", frozen, QUIET)
    result = run.train(engine, None, "fitted")
    x = to_input(torch.from_numpy(photograph[None, 64:160, 32:192].copy()))
    with torch.no_grad():
        y = engine.module.networks["g_a"](x)
    np.testing.assert_allclose(load(Path(result["model"])).g_a(x.numpy()), y, atol=0.02 * float(y.abs().max()))


def test_the_exported_model_encodes_and_decodes_at_once(trained, photograph: np.ndarray) -> None:
    folder, _, result = trained
    data = latens.encode(photograph, model=str(folder / "model.ltm"))
    decoded = latens.decode(data, weights=str(folder / "model.ltm"), output="array")
    psnr = 10 * math.log10(255**2 / float(np.mean((decoded.astype(float) - photograph) ** 2)))
    assert psnr > 24 and psnr == pytest.approx(result["validation"]["psnr"], abs=4)
    bpp = 8 * len(data) / (512 * 512)
    assert bpp == pytest.approx(result["validation"]["bpp"], rel=0.3)


def test_validation_is_the_lagrangian_of_the_averaged_weights(trained) -> None:
    validation = trained[2]["validation"]
    mse = 255**2 * 10 ** (-validation["psnr"] / 10)
    assert validation["loss"] == pytest.approx(validation["bpp"] + 0.02 * mse, rel=1e-3)


def test_what_was_reached_is_measured_once(
    tmp_path: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = run.begin(tmp_path / "a", dataclasses.replace(options, steps=1), QUIET)
    validate, found = engine.validate, []
    monkeypatch.setattr(engine, "validate", lambda: (found.append(validate()), found[-1])[1])
    assert [run.train(engine, None, "float32")["validation"]] == found


def test_validation_leaves_the_weights_as_they_are(tmp_path: Path, options: Options) -> None:
    engine = run.begin(tmp_path / "a", options, QUIET)
    engine.train()
    before = {name: value.clone() for name, value in engine.module.state_dict().items()}
    assert any(not torch.equal(value, engine.average.shadow[name]) for name, value in before.items())
    engine.validate()
    assert all(torch.equal(value, before[name]) for name, value in engine.module.state_dict().items())


def test_validation_of_a_run_for_ms_ssim_is_in_its_own_distortion(tmp_path: Path, options: Options) -> None:
    engine = run.begin(
        tmp_path / "a",
        dataclasses.replace(options, metric="ms-ssim", steps=0, crop=176, data=options.validation),
        QUIET,
    )
    validation = engine.validate()
    assert 0 < (validation["loss"] - validation["bpp"]) / 0.02 < 1  # 1 - MS-SSIM, not a mean square


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path, options: Options) -> None:
    (tmp_path / "photo.png").write_bytes(b"precious")
    with pytest.raises(ExistsError, match="is not empty"):
        run.begin(tmp_path, options, QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, options: Options) -> None:
    for wrong in (dataclasses.replace(options, batch=0), dataclasses.replace(options, data=("nonesuch",))):
        with pytest.raises(TrainingError):
            run.begin(tmp_path / "a", wrong, QUIET)
    assert not (tmp_path / "a").exists()


def test_what_cannot_be_resumed_is_a_training_error(tmp_path: Path, options: Options) -> None:
    with pytest.raises(TrainingError, match="is not a training run"):
        run.resume(tmp_path, QUIET)
    options.save(tmp_path / "options.json")
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        run.resume(tmp_path, QUIET)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read"):
        run.resume(tmp_path, QUIET)


def test_a_run_whose_pictures_were_moved_is_resumed_with_their_new_place(
    trained, tmp_path: Path, photos: Path, options: Options
) -> None:
    begun = run.begin(tmp_path / "a", options, QUIET)
    gone = dataclasses.replace(begun.options, data=("gone",))
    gone.save(tmp_path / "a" / "options.json")
    with pytest.raises(TrainingError, match="gone is neither"):
        run.resume(tmp_path / "a", QUIET)
    assert run.resume(tmp_path / "a", QUIET, data=(str(photos),)).options == options


def test_a_run_from_another_lambda_has_its_latents_rescaled(
    trained, tmp_path: Path, options: Options, photograph: np.ndarray
) -> None:
    folder, source, _ = trained
    engine = run.begin(tmp_path / "b", dataclasses.replace(options, lmbda=0.08), QUIET, folder)
    x = to_input(torch.from_numpy(photograph[None, :128, :128].copy()))
    with torch.no_grad():
        old, new = source.module.networks, engine.module.networks
        y = old["g_a"](x)
        torch.testing.assert_close(new["g_a"](x), 2 * y, rtol=1e-3, atol=1e-2)
        torch.testing.assert_close(new["g_s"](2 * y), old["g_s"](y), rtol=1e-3, atol=1e-3)
        assert engine.step == 0
        for name, value in engine.module.state_dict().items():
            assert torch.equal(engine.average.shadow[name], value)
    better = engine.validate()
    assert better["psnr"] > trained[2]["validation"]["psnr"] and better["bpp"] > trained[2]["validation"]["bpp"]


def test_a_run_from_the_same_lambda_starts_with_the_same_weights(
    trained, tmp_path: Path, options: Options
) -> None:
    folder, source, _ = trained
    engine = run.begin(tmp_path / "b", dataclasses.replace(options, seed=5), QUIET, folder)
    for name, value in source.average.shadow.items():
        assert torch.equal(engine.module.state_dict()[name], value)


def test_training_counts_the_runs_before(trained, tmp_path: Path, options: Options) -> None:
    """Six steps, three more from its folder (in two slices), one from the file of those: ten."""
    three = run.begin(tmp_path / "b", dataclasses.replace(options, steps=2), QUIET, trained[0])
    three.train()
    resumed = run.resume(tmp_path / "b", QUIET, steps=3)
    result = run.train(resumed, None, "float16")
    assert result["step"] == 3 and load(tmp_path / "b" / "model.ltm").card["effort"][0] == 9
    one = run.begin(
        tmp_path / "c", dataclasses.replace(options, steps=1), QUIET, tmp_path / "b" / "model.ltm"
    )
    run.train(one, None, "float16")
    card = load(tmp_path / "c" / "model.ltm").card
    assert card["training"].startswith("10 steps, ") and card["effort"][0] == 10
    assert card["effort"][1] == pytest.approx(trained[1].seconds + resumed.seconds + one.seconds)


def test_a_run_of_other_sizes_is_no_start(trained, tmp_path: Path, options: Options) -> None:
    for sizes in ({**options.sizes, "N1": 16}, {**options.sizes, "M": 30}):
        with pytest.raises(TrainingError, match="only M may be smaller"):
            run.begin(tmp_path / "b", dataclasses.replace(options, sizes=sizes), QUIET, trained[0])
    narrower = dataclasses.replace(options, sizes={**options.sizes, "M": 20})
    assert run.begin(tmp_path / "b", narrower, QUIET, trained[0]).validate()["psnr"] > 22


def test_devices_are_named_or_refused() -> None:
    assert run.device_named("cpu") == CPU
    assert run.device_named("auto").type in ("cpu", "cuda")
    for name in ("abacus", "mps", "meta"):
        with pytest.raises(TrainingError, match=f"device is '{name}', and must be auto, cpu or cuda"):
            run.device_named(name)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(TrainingError, match="device is 'cuda', and PyTorch finds 0 CUDA devices here"):
        run.device_named("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert run.device_named("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(TrainingError, match="device is 'cuda:2', and PyTorch finds 2 CUDA devices here"):
        run.device_named("cuda:2")


def test_precisions_are_named_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.precision_named("float32", CPU) == "float32" and run.precision_named("bfloat16", CPU) == "bfloat16"
    with pytest.raises(TrainingError, match="precision is 'double'"):
        run.precision_named("double", CPU)
    for able, expected in ((True, "bfloat16"), (False, "float32")):
        for feature in ("avx512_bf16", "amx_tile"):
            monkeypatch.setattr(torch.cpu, f"_is_{feature}_supported", lambda able=able: able)
        assert run.precision_named("auto", CPU) == expected


def test_a_folder_is_trained_by_one_process_at_a_time(options: Options, tmp_path: Path) -> None:
    engine = run.begin(tmp_path / "a", options, QUIET)
    held = lock.taken(tmp_path / "a")
    assert held is not None
    with held, pytest.raises(TrainingError, match="is being trained by another process"):
        engine.train()
    assert engine.step == 0 and engine.train()


def test_a_refused_resume_leaves_the_folder_as_it_is(options: Options, tmp_path: Path) -> None:
    run.begin(tmp_path / "a", options, QUIET)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    held = lock.taken(tmp_path / "a")
    assert held is not None
    with held, pytest.raises(TrainingError, match="is being trained by another process"):
        run.resume(tmp_path / "a", QUIET, steps=99).train()
    (tmp_path / "a" / lock.NAME).unlink()
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before


def test_held_out_pictures_and_readers_may_be_others_after_a_resume(
    options: Options, photos: Path, tmp_path: Path
) -> None:
    streamed = dataclasses.replace(options, stream=True, workers=0, start="random", validation=("gone",))
    run.begin(tmp_path / "a", dataclasses.replace(streamed, validation=()), QUIET)
    streamed.save(tmp_path / "a" / "options.json")
    with pytest.raises(TrainingError, match="gone is neither"):
        run.resume(tmp_path / "a", QUIET)
    engine = run.resume(tmp_path / "a", QUIET, validation=options.validation, workers=3)
    assert engine.held_out is not None and engine.pictures.workers == 3
    options.save(tmp_path / "a" / "options.json")
    with pytest.raises(UsageError, match="--workers needs --stream"):
        run.resume(tmp_path / "a", QUIET, workers=3)


def test_who_begins_second_is_refused_also_if_both_find_an_empty_folder(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(engine: Engine) -> None:
        monkeypatch.undo()
        run.begin(tmp_path / "a", options, QUIET)

    monkeypatch.setattr(Engine, "start", slow)
    with pytest.raises(ExistsError):
        run.begin(tmp_path / "a", options, QUIET)


def test_a_file_of_weights_tuned_for_ms_ssim_keeps_the_scale_of_its_latents(
    options: Options, tmp_path: Path
) -> None:
    tuned = dataclasses.replace(options, metric="ms-ssim", lmbda=8.73, steps=0)
    tuned = dataclasses.replace(tuned, crop=176, data=options.validation)
    first = run.begin(tmp_path / "a", tuned, QUIET)
    run.train(first, None, "float32")
    weight = run.begin(tmp_path / "b", tuned, QUIET, tmp_path / "a" / "model.ltm").module.state_dict()
    expected = first.module.state_dict()
    for name in ("networks.g_a", "networks.g_s"):
        for key in (key for key in expected if key.startswith(name)):
            assert torch.allclose(weight[key], expected[key], rtol=1e-3, atol=1e-5), key
