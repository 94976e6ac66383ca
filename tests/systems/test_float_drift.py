"""benchmarks/float_drift.py: its float networks are the trained one, and its counts count."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the models are made here, which needs PyTorch")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import float_drift  # noqa: E402

from latens.transforms.torch_modules import arrays  # noqa: E402


@pytest.mark.parametrize("kind", ["scale", "mean-scale"])
def test_numpy_evaluates_the_network_as_it_was_trained(kind: str, modules: dict[str, Any]) -> None:
    network = modules[kind].networks["h_s"]
    description = modules[kind].model.networks()["h_s"][:-1]
    z = np.rint(np.random.default_rng(0).laplace(size=(1, 6, 3, 2)) * 3).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(z)).numpy()
    found = float_drift.in_numpy(description, [layer for layer in arrays(network) if layer], z)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_predictions_are_rounded_as_files_need_them_and_differences_are_counted() -> None:
    predicted = np.array([[[0.0, 1 / 128]], [[1 / 64, -0.5]], [[-3.0, 2.5]], [[63.4, 99.0]]])
    whole = float_drift.rounded(predicted, means=2)
    assert whole.tolist() == [[[0, 1]], [[1, -32]], [[0, 3]], [[63, 63]]]
    other = whole.copy()
    other[0, 0, 1] += 1
    same = float_drift.differing({"a": whole, "b": whole}, {"a": whole, "b": other}, means=2)
    assert same == {"means": 1, "positions": 0, "pictures": 0}
    other[3, 0] -= 1
    counted = float_drift.differing({"a": whole, "b": whole}, {"a": whole, "b": other}, means=2)
    assert counted == {"means": 1, "positions": 2, "pictures": 1}


def test_every_runtime_and_every_kernel_is_asked() -> None:
    runtimes, threads, kernels, *_ = float_drift.knobs()
    asked = float_drift.under()
    assert {by for by, _ in asked} == {*runtimes, "numpy"}
    assert {(setting.runtime, setting.threads) for by, setting in asked if by != "numpy"} == {
        (runtime, k) for runtime in runtimes for k in threads
    }
    assert {setting.blas for by, setting in asked if by == "numpy"} == set(kernels)
