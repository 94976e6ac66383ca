"""Stored weights are as fine as their effect asks for, and no finer."""

import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("onnx", reason="exporting needs the extra train")

from latens.systems import MODELS, Balle2017, Model  # noqa: E402
from latens.train import precision  # noqa: E402
from latens.train.beginnings import begin_closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.train.restore import fill  # noqa: E402
from latens.transforms.onnx_graph import Stepped, from_onnx, to_onnx  # noqa: E402
from latens.transforms.torch_modules import arrays  # noqa: E402


@pytest.fixture(scope="module")
def tiles(photograph: np.ndarray) -> torch.Tensor:
    corners = [(r, c) for r in range(0, 512, 128) for c in range(0, 512, 128)]
    return torch.from_numpy(np.stack([photograph[r : r + 128, c : c + 128] for r, c in corners]))


def started(model: Model, tiles: torch.Tensor) -> Trainable:
    torch.manual_seed(0)
    module = Trainable(model, 64)
    lmbdas = (0.005,) if model.levels == 1 else tuple(np.geomspace(0.002, 0.05, model.levels).tolist())
    with torch.no_grad():
        begin_closed_form(module, to_input(tiles), lmbdas)
        for name, value in module.named_parameters():
            if name.endswith(("weight", "gamma_root")):
                value += 0.01 * value.abs().mean() * torch.randn(value.shape).abs()
    return module.eval()


def error(module: Trainable, x: torch.Tensor) -> float:
    """The mean square error of the decoded pictures."""
    with torch.no_grad():
        played = module(x, torch.Generator().manual_seed(0), rounded=True)
        return float((played.x_hat - x).square().mean())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("balle2017", {"N1": 12, "N2": 24, "M": 32}),
        ("balle2017", {"N1": 12, "N2": 24, "M": 32, "levels": 3}),
        ("minnen2018", {"N1": 12, "N2": 16, "N3": 24, "M": 32, "Nh": 16, "context": False}),
    ],
)
def test_pictures_stay_as_good_in_a_third_of_the_bytes(name: str, sizes: dict, tiles: torch.Tensor) -> None:
    module = started(MODELS[name](**sizes), tiles)
    networks, x = module.model.networks(), to_input(tiles)
    before = error(module, x)
    half = fitted = 0
    for net, found in precision.fitted(module, tiles).items():
        stored = to_onnx(networks[net], found)
        half += len(zlib.compress(to_onnx(networks[net], arrays(module.networks[net]), "float16")))
        fitted += len(zlib.compress(stored))
        fill(module.networks[net], from_onnx(networks[net], stored))
    after = error(module, x)
    assert 10 * abs(np.log10(after / before)) < 0.01  # dB
    assert fitted < 0.7 * half


def test_the_noise_is_what_was_asked_for(tiles: torch.Tensor) -> None:
    """Within a factor of four: from a few probes, and the errors of GDN's gammas are no independent ones."""
    module = started(Balle2017(N1=12, N2=24, M=32), tiles)
    x = to_input(tiles)
    with torch.no_grad():
        y = module.networks["g_a"](x).clone()
    found = precision.fitted(module, tiles)["g_a"]
    fill(
        module.networks["g_a"],
        [{k: v.array() if isinstance(v, Stepped) else v for k, v in layer.items()} for layer in found],
    )
    with torch.no_grad():
        noise = float((module.networks["g_a"](x) - y).square().mean())
    assert 1 / 4 < noise / (precision.NOISE / 12) < 4


def test_sensitivity_is_the_sum_of_squared_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "PROBES", 400)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1, bias=False))
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 2, 8, 8)).astype(np.float32))
    weight = torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    (found,) = precision.sensitivity(net, x, weight).values()
    exact = x.square().mean((0, 2, 3))[None] * weight[:, 0, :1].square() / 3
    np.testing.assert_allclose(found[..., 0, 0], exact.numpy(), rtol=0.25)
    assert found.mean() == pytest.approx(float(exact.mean()), rel=0.1)


def test_steps_follow_rows_and_columns() -> None:
    random = np.random.default_rng(0)
    rows, columns = np.array([1.0, 100.0])[:, None], np.array([1.0, 1e4, 1.0])[None]
    found = precision.stepped(random.standard_normal((2, 3)) * 50, rows * columns)
    np.testing.assert_allclose(found.steps[0] * found.steps[1], 1 / np.sqrt(rows * columns), rtol=1e-6)
    silent = precision.stepped(np.ones((2, 3)), np.zeros((2, 3)))
    assert np.isfinite(silent.array()).all()
