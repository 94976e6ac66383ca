"""Exported weights can be trained further."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

import latens  # noqa: E402
from latens.train.restore import restore  # noqa: E402
from latens.weights.package import load  # noqa: E402
from latens.weights.shelf import path_of  # noqa: E402


def shipped() -> list[Path]:
    return [path_of(model, point) for model in latens.models() for point in model.points]


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_restored_networks_compute_what_the_exported_ones_do(path: Path, photograph: np.ndarray) -> None:
    module, lmbdas = restore(path, radius=32)
    weights = load(path)
    said = weights.card.get("lmbdas", [weights.card["lmbda"]])  # as if of MSE, where the metric is another
    assert module.model == weights.model and lmbdas[-1] == pytest.approx(said[-1])
    assert len(lmbdas) == weights.model.levels
    x = photograph[:64, :96].transpose(2, 0, 1)[None].astype(np.float32) / 255
    y = weights.g_a(x)
    with torch.no_grad():
        assert np.abs(module.networks["g_a"](torch.from_numpy(x)).numpy() - y).max() < 1e-3
        assert np.abs(module.networks["g_s"](torch.from_numpy(y)).numpy() - weights.g_s(y)).max() < 1e-4


@pytest.mark.parametrize("path", [p for p in shipped() if load(p).model.exact()], ids=lambda path: path.stem)
def test_restored_probability_networks_predict_what_the_integers_do(path: Path, photograph: np.ndarray) -> None:
    module, _ = restore(path, radius=32)
    weights = load(path)
    x = photograph[:128, :192].transpose(2, 0, 1)[None].astype(np.float32) / 255
    y = weights.gains.scaled(weights.g_a(x), 50)
    z = np.rint(weights.networks["h_a"](y))
    psi = weights.networks["h_s"](z)
    with torch.no_grad():
        found = module.networks["h_s"](torch.from_numpy(z)).numpy()
    if weights.model.id == "balle2018":  # whose scales the integers round and clip at once
        assert np.abs(found.clip(0, 63) - psi).max() < 1.5
    else:
        assert np.abs(found - psi).mean() < 0.03 < 0.3 < psi.std()
