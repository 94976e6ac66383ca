"""What an evaluation can run: classic codecs, shipped models, weights files."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import latens
from latens.errors import MissingExtraError, UnreadablePictureError, UsageError, WeightsError
from latens.evaluate.codecs import complexity, everything, find, runs, with_effort

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "tiny.ltm"


def test_everything_names_each_codec_once_and_all_of_them_run() -> None:
    specs = everything()
    assert len(set(specs)) == len(specs)
    assert {"jpeg", "jpeg2000", "webp", *(model.id for model in latens.models())} <= set(specs)
    assert all(runs(find(spec)) for spec in specs)


def test_a_shipped_model_codes_at_the_middle_of_each_rate_point(photograph: np.ndarray) -> None:
    model = latens.models()[0]
    codec = find(model.id)
    assert len(codec.settings) == len(model.points)
    picture = np.ascontiguousarray(photograph[:64, :80])
    sizes = [len(codec.encode(picture, setting)) for setting in codec.settings]
    assert sizes == sorted(sizes)
    data = codec.encode(picture, codec.settings[0])
    assert np.array_equal(codec.decode(data), latens.decode(data, output="array"))
    weights = {point.name: point.fingerprint for point in model.points}
    assert codec.options() == {"weights": weights, "effort": model.effort}
    costs = complexity(codec, codec.settings[-1])
    assert costs is not None
    assert costs.parameters == model.points[-1].parameters
    assert complexity(find("jpeg"), 50) is None


def test_a_learned_codec_is_found_with_an_effort(photograph: np.ndarray, tmp_path: Path) -> None:
    picture = np.ascontiguousarray(photograph[:128, 100:228])  # of less, all efforts may make one file
    files = set()
    for spec in ("balle2018@0", "balle2018@3"):
        codec = find(spec)
        assert codec.id == spec and codec.options()["effort"] == int(spec[-1])
        data = latens.encode(picture, model="balle2018", quality=20, effort=int(spec[-1]))
        assert codec.encode(picture, 20) == data
        files.add(data)
    assert len(files) == 2
    assert find(f"tiny={GOLDEN}@7").id == "tiny@7" and find(f"tiny={GOLDEN}@7").options()["effort"] == 7
    assert with_effort("balle2018", 4) == "balle2018@4" and with_effort("balle2018@2", 4) == "balle2018@2"
    assert with_effort("jpeg", 4) == "jpeg" and with_effort("balle2018", None) == "balle2018"
    with pytest.raises(UsageError, match=r"codec is 'jpeg@3', and must be .* learned ones may end in @0"):
        find("jpeg@3")
    with pytest.raises(UsageError, match=r"codec is 'balle2018@10'"):
        find("balle2018@10")


def test_the_version_names_the_runtime_that_the_environment_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = find(latens.models()[0].id)
    monkeypatch.delenv("LATENS_RUNTIME", raising=False)
    assert f"(ONNX Runtime {version('onnxruntime')})" in codec.version()
    monkeypatch.setenv("LATENS_RUNTIME", "openvino")
    if find_spec("openvino") is None:
        with pytest.raises(MissingExtraError, match="openvino"):
            codec.version()
    else:
        assert f"(OpenVINO {version('openvino')})" in codec.version()


def test_weights_files_are_rate_points_in_their_order(photograph: np.ndarray) -> None:
    codec = find(f"mine={GOLDEN},{GOLDEN}")
    assert (codec.id, codec.settings, codec.suffix) == ("mine", (0.0, 1.0), ".ltn")
    picture = np.ascontiguousarray(photograph[:40, :40])
    assert codec.decode(codec.encode(picture, 1)).shape == picture.shape
    with pytest.raises(UnreadablePictureError, match="none of its 2 weights"):
        codec.decode(latens.encode(picture))
    with pytest.raises(UsageError, match="weights file is 2"):
        codec.encode(picture, 2)


def test_other_weights_are_other_options(tmp_path: Path) -> None:
    copy = tmp_path / GOLDEN.name
    copy.write_bytes(GOLDEN.read_bytes())
    before = find(f"a={copy}").options()
    copy.write_bytes(b"other")
    assert find(f"a={copy}").options() != before
    with pytest.raises(WeightsError):
        find(f"a={copy}").encode(np.zeros((16, 16, 3), np.uint8), 0)


def test_files_of_one_name_in_several_folders_all_count(tmp_path: Path) -> None:
    paths = [tmp_path / name / "model.ltm" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(GOLDEN.read_bytes())
    before = find(f"mine={paths[0]},{paths[1]}").options()
    paths[0].write_bytes(b"other")
    codec = find(f"mine={paths[0]},{paths[1]}")
    assert codec.options() != before and all(str(path) in codec.title for path in paths)


@pytest.mark.parametrize(
    "spec",
    [
        "nonesuch", f"a/b={GOLDEN}", f".={GOLDEN}", f"..={GOLDEN}@3", "=x.ltm", "mine=", "mine=nowhere.ltm",
        f"mine={GOLDEN},nowhere.ltm",
    ],
)
def test_unknown_codecs_and_missing_files_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="codec"):
        find(spec)
