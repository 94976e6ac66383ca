"""Every runtime that is installed, with a shipped model: the same symbols, and pictures within one grey level."""

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import latens
from latens import runtime as runtimes
from latens.errors import MissingExtraError, UsageError, WeightsError
from latens.runtime import RUNTIMES, Runtime, choose, pixel_network
from latens.weights.package import Weights, load
from latens.weights.shelf import select

TINY = Path(__file__).parents[1] / "golden" / "tiny.ltm"
PACKAGES = {"onnx": ("onnxruntime",), "openvino": ("openvino",), "torch": ("torch", "onnx")}


@pytest.fixture(autouse=True)
def _no_choice_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LATENS_RUNTIME", "LATENS_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """The name of one that is installed."""
    missing = [package for package in PACKAGES[request.param] if find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    return str(request.param)


@pytest.fixture
def weights() -> Weights:
    return load(select("balle2017", 50))


def test_every_runtime_encodes_and_decodes(runtime: str, photograph: np.ndarray) -> None:
    pixels = photograph[:112, :144]
    reference = latens.encode(pixels)
    data = latens.encode(pixels, runtime=runtime, threads=1)
    assert abs(len(data) - len(reference)) <= 16
    for file in (data, reference):
        pictures = [
            latens.decode(file, output="array", runtime=name, threads=threads).astype(int)
            for name, threads in (("onnx", 1), (runtime, 1), (runtime, 2))
        ]
        assert all(np.abs(picture - pictures[0]).max() <= 1 for picture in pictures)
    assert np.abs(pictures[0] - pixels).mean() < 8


def test_every_runtime_computes_in_float32(runtime: str, weights: Weights) -> None:
    """bfloat16 and TensorFloat-32, which some take by default, would be a hundred times further off."""
    y = np.rint(np.random.default_rng(0).laplace(size=(1, weights.model.M, 7, 9)) * 2).astype(np.float32)
    description, graph = weights.model.networks()["g_s"], weights.members["g_s.onnx"]
    expected = pixel_network(description, graph)(y)
    found = pixel_network(description, graph, Runtime(runtime, 1))(y)
    assert found.dtype == np.float32 and found.shape == expected.shape == (1, 3, 112, 144)
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


def test_threads_may_share_a_network(runtime: str, weights: Weights) -> None:
    network = pixel_network(weights.model.networks()["g_a"], weights.members["g_a.onnx"], Runtime(runtime, 1))
    x = [np.random.default_rng(k).random((1, 3, 48, 64 + 16 * (k % 3)), np.float32) for k in range(12)]
    expected = [network(each) for each in x]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(network, x))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_memory_is_kept_for_the_next_small_picture_and_given_back_after_a_large_one(weights: Weights) -> None:
    """Of 768x512 pixels, and of ten times as many."""
    from latens.runtime.onnx import SHRINK, OnnxNetwork

    network = OnnxNetwork(weights.model.networks()["g_s"], weights.members["g_s.onnx"], 1)
    seen = []
    network._session = SimpleNamespace(run=lambda names, given, options: seen.append(options) or [given["x"]])
    for rows in (32, 320):
        network(np.zeros((1, weights.model.M, rows, 48), np.float32))
    assert seen[0] is None and seen[1].get_run_config_entry(SHRINK[0]) == SHRINK[1]


def test_what_is_no_graph_is_refused(runtime: str, weights: Weights) -> None:
    with pytest.raises(WeightsError, match=r"a network cannot be loaded: \S"):
        pixel_network(weights.model.networks()["g_s"], b"not a graph", Runtime(runtime))


def test_openvino_s_empty_answer_is_refused(weights: Weights) -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    network = pixel_network(weights.model.networks()["g_s"], weights.members["g_s.onnx"], Runtime("openvino"))
    with pytest.raises(WeightsError, match="does not take 7 channels"):
        network(np.zeros((1, 7, 4, 4), np.float32))


def test_torch_refuses_a_graph_of_another_size_and_leaves_the_threads_as_they_were() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    pytest.importorskip("onnx", reason="needs the extra train")
    small, large = load(select("balle2017", 10)), load(select("balle2017", 90))
    with pytest.raises(WeightsError, match=r"has shape .* and must have"):
        pixel_network(small.model.networks()["g_s"], large.members["g_s.onnx"], Runtime("torch"))
    from latens.runtime.pytorch import TorchNetwork

    network = TorchNetwork(small.model.networks()["g_a"], small.members["g_a.onnx"], 2)
    seen: list[int] = []
    network._module.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    torch.set_num_threads(1)
    network(np.zeros((1, 3, 32, 32), np.float32))
    assert (seen, torch.get_num_threads()) == ([2], 1)


@pytest.mark.parametrize(("name", "package"), [("openvino", "openvino"), ("torch", "torch"), ("torch", "onnx")])
def test_a_runtime_that_is_not_installed_names_its_extra(
    name: str, package: str, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("latens.transforms.onnx_graph", "latens.transforms.torch_modules"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'latens\[{'train' if name == 'torch' else name}\]'"):
        pixel_network(weights.model.networks()["g_s"], weights.members["g_s.onnx"], Runtime(name))


def test_an_argument_comes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose() == Runtime("onnx", 0)
    monkeypatch.setenv("LATENS_RUNTIME", "torch")
    monkeypatch.setenv("LATENS_THREADS", "3")
    assert choose() == Runtime("torch", 3)
    assert choose("onnx", 0) == Runtime("onnx", 0)


def test_wrong_choices_say_value_and_rule(photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="runtime is 'tvm', and must be one of onnx, openvino, torch"):
        latens.encode(photograph, runtime="tvm")
    with pytest.raises(UsageError, match="threads is '-1', and must be a whole number"):
        latens.encode(photograph, threads=-1)
    data = latens.encode(photograph[:16, :16])
    monkeypatch.setenv("LATENS_THREADS", "many")
    with pytest.raises(UsageError, match="threads is 'many'"):
        latens.decode(data)
    monkeypatch.setenv("LATENS_RUNTIME", "nonesuch")
    with pytest.raises(UsageError, match="runtime is 'nonesuch'"):
        latens.decode(data)


def test_the_environment_reaches_the_networks(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = latens.encode(photograph[:16, :16], model="balle2017")
    monkeypatch.setenv("LATENS_RUNTIME", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    own = tmp_path / "own.ltm"  # not among the weights that are loaded
    own.write_bytes(select("balle2017", 50).read_bytes())
    with pytest.raises(MissingExtraError, match="openvino"):
        latens.decode(data, weights=own)
    latens.decode(data, weights=own, runtime="onnx")


@pytest.mark.parametrize("threads", [1, 3])
def test_a_network_takes_as_many_threads_as_it_is_told(weights: Weights, threads: int) -> None:
    from latens.runtime.onnx import OnnxNetwork

    network = OnnxNetwork(weights.model.networks()["g_s"], weights.members["g_s.onnx"], threads)
    assert network._session.get_session_options().intra_op_num_threads == threads


def test_arguments_reach_the_networks(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, pixels, seen = runtimes._loaded, photograph[:32, :48], []

    def noted(network: Any, graph: bytes, runtime: Runtime) -> Any:
        seen.append(runtime)
        return real(network, graph, Runtime("onnx", 1))

    monkeypatch.setattr(runtimes, "_loaded", noted)
    data = latens.encode(pixels, model=TINY)
    for name, call in (
        ("encode", lambda **chosen: latens.encode(pixels, **chosen)),
        ("encode_to", lambda **chosen: latens.encode_to(pixels, bpp=1, closest=True, **chosen)),
        ("decode", lambda model, **chosen: latens.decode(data, weights=model, **chosen)),
    ):
        seen.clear()
        own = tmp_path / f"{name}.ltm"  # not among the weights that are loaded
        own.write_bytes(TINY.read_bytes())
        call(model=own, runtime="torch", threads=1)
        assert set(seen) == {Runtime("torch", 1)}, name
