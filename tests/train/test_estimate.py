"""Estimates before there is a file, and the files themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("onnx", reason="exporting needs the extra train")

import latens  # noqa: E402
from latens.pixels import to_network  # noqa: E402
from latens.systems import MODELS  # noqa: E402
from latens.train.beginnings import begin_closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.estimate import Estimate, by_tables, estimate  # noqa: E402
from latens.train.export import export  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.weights.package import Weights, load  # noqa: E402

FOUR = {"N1": 8, "N2": 10, "N3": 12, "M": 14, "Nh": 6}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "balle2017": ("balle2017", {"N1": 10, "N2": 12, "M": 14}),
    "balle2018": ("balle2018", FOUR),
    "mean-scale": ("minnen2018", {**FOUR, "P1": 20, "P2": 16, "context": False}),
    "minnen2018": ("minnen2018", {**FOUR, "P1": 20, "P2": 16}),
}
PICTURES = {"coffee": data.coffee()[:384, :512], "rocket": data.rocket()[50:331, 200:517]}


class Made:
    """A model in floats and its exported weights."""

    def __init__(self, kind: str, photograph: np.ndarray, folder: Path) -> None:
        name, sizes = KINDS[kind]
        corners = [(r, c) for r in (0, 128, 256) for c in (0, 128, 256)]
        tiles = torch.from_numpy(np.stack([photograph[r : r + 128, c : c + 128] for r, c in corners]))
        torch.manual_seed(0)
        self.module = Trainable(MODELS[name](**sizes), radius=32)
        begin_closed_form(self.module, to_input(tiles), (0.02,))
        if "entropy_parameters" in self.module.networks:  # corrections that are not 0
            with torch.no_grad():
                for weight in self.module.networks["entropy_parameters"].parameters():
                    weight.add_(torch.randn(weight.shape) * 0.05)
        self.path = folder / f"{kind}.ltm"
        export(self.module, tiles, self.path, {"lmbda": 0.02, "training": "closed form"}, "float32")
        self.weights: Weights = load(self.path)

    def estimate(self, pixels: np.ndarray) -> Estimate:
        y = self.weights.g_a(to_network(pixels, 16))
        return estimate(self.module, self.weights, y, pixels.shape[:2])


@pytest.fixture(scope="module")
def made(photograph: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("estimates")
    return {kind: Made(kind, photograph, folder) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PICTURES)
def test_a_file_is_as_long_as_the_tables_say(made: dict[str, Made], kind: str, name: str) -> None:
    """Within 0.5 % and 40 bytes, and never shorter."""
    pixels = np.ascontiguousarray(PICTURES[name])
    said = made[kind].estimate(pixels).tables / 8
    length = len(latens.encode(pixels, model=made[kind].path, effort=0))
    assert said < length < 1.005 * said + 40


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_files_of_shipped_weights_are_as_long_as_their_tables_say(quality: float) -> None:
    from latens.weights.shelf import select

    pixels = np.ascontiguousarray(PICTURES["coffee"])
    weights = load(select("balle2017", quality))
    said = by_tables(weights, weights.g_a(to_network(pixels, 16)), pixels.shape[:2]) / 8
    assert said < len(latens.encode(pixels, model="balle2017", quality=quality, effort=0)) < 1.005 * said + 40


@pytest.mark.parametrize("kind", KINDS)
def test_integers_cost_next_to_nothing(made: dict[str, Made], kind: str) -> None:
    found = made[kind].estimate(np.ascontiguousarray(PICTURES["coffee"]))
    if MODELS[KINDS[kind][0]](**KINDS[kind][1]).exact():
        assert 0 < abs(found.integer_loss) < 0.003
    else:
        assert found.integer_loss == 0


@pytest.mark.parametrize("kind", KINDS)
def test_tables_that_were_counted_agree_with_the_densities(made: dict[str, Made], kind: str) -> None:
    found = made[kind].estimate(np.ascontiguousarray(PICTURES["coffee"]))
    assert 0.7 * found.densities < found.float_networks < 1.05 * found.densities


def test_networks_that_predict_worse_cost_more(made: dict[str, Made]) -> None:
    """The estimate follows the networks that it is given."""
    weights = made["balle2018"].weights
    pixels = np.ascontiguousarray(PICTURES["coffee"])
    y = weights.g_a(to_network(pixels, 16))
    h_s = weights.networks["h_s"]
    wider = {"h_a": weights.networks["h_a"], "h_s": lambda z: np.minimum(h_s(z) + 12, 63)}
    size = pixels.shape[:2]
    assert by_tables(weights, y, size, wider) > 1.1 * by_tables(weights, y, size)
