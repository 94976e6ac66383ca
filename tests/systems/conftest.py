"""Tiny hyperprior models, in closed form from a photograph, and their exported weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZES = {"N1": 8, "N2": 10, "N3": 12, "M": 14, "Nh": 6}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "scale": ("balle2018", SIZES),
    "mean-scale": ("minnen2018", {**SIZES, "P1": 20, "P2": 16, "context": False}),
    "context": ("minnen2018", {**SIZES, "P1": 20, "P2": 16}),
    "variable": ("minnen2018", {**SIZES, "P1": 20, "P2": 16, "context": False, "levels": 3}),
}
LAMBDA = 0.02
LAMBDAS = (0.002, 0.02, 0.2)  # of the levels


@pytest.fixture(scope="session")
def tiles(photograph: np.ndarray) -> Any:
    """uint8 (9, 128, 128, 3)."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch")
    corners = [(r, c) for r in (0, 128, 256) for c in (0, 128, 256)]
    return torch.from_numpy(np.stack([photograph[r : r + 128, c : c + 128] for r, c in corners]))


@pytest.fixture(scope="session")
def modules(tiles: Any) -> dict[str, Any]:
    """Models by kind; the context's corrections are not 0."""
    import torch

    from latens.systems import MODELS
    from latens.train.beginnings import begin_closed_form
    from latens.train.data import to_input
    from latens.train.noise import Trainable

    made = {}
    for kind, (name, sizes) in KINDS.items():
        torch.manual_seed(0)
        made[kind] = Trainable(MODELS[name](**sizes), radius=32)
        begin_closed_form(made[kind], to_input(tiles), LAMBDAS if kind == "variable" else (LAMBDA,))
    with torch.no_grad():
        for weight in made["context"].networks["entropy_parameters"].parameters():
            weight.add_(torch.randn(weight.shape) * 0.05)
    return made


@pytest.fixture(scope="session")
def exported(modules: dict[str, Any], tiles: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Their .ltm files by kind."""
    pytest.importorskip("onnx", reason="exporting needs the extra train")
    from latens.train.export import export

    paths = {}
    for kind, module in modules.items():
        paths[kind] = tmp_path_factory.mktemp("exported") / f"{kind}.ltm"
        card = {"lmbda": LAMBDA, "lmbdas": LAMBDAS, "training": "closed form"}
        export(module, tiles, paths[kind], card, "float32")
    return paths
