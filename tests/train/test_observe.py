"""What an export learns from pictures: of a model of several levels, from all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("onnx", reason="exporting needs the extra train")

from latens.systems import Balle2018  # noqa: E402
from latens.train.beginnings import begin_closed_form  # noqa: E402
from latens.train.data import to_input  # noqa: E402
from latens.train.export import export  # noqa: E402
from latens.train.noise import Trainable  # noqa: E402
from latens.train.variable_rate import spread  # noqa: E402


@pytest.mark.parametrize(("levels", "calls"), [(1, [1, 1]), (3, [16, *[1] * 16]), (9, [16, 2, *[1] * 18])])
def test_one_tile_is_met_at_all_levels(
    tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, levels: int, calls: list[int]
) -> None:
    """Batches are observed first, of 16, then symbols are counted one tile at a time."""
    torch.manual_seed(0)
    module = Trainable(Balle2018(N1=6, N2=8, N3=8, M=10, Nh=4, levels=levels), 16)
    tiles = torch.from_numpy(photograph[None, :256, :256].copy())
    begin_closed_form(module, to_input(tiles), tuple(np.geomspace(0.001, 0.1, levels).tolist()))
    met: list[torch.Tensor] = []
    real = module.latents

    def latents(x: Any, level: Any = None) -> Any:
        met.append(spread(len(x), levels) if level is None else level)
        return real(x, level)

    monkeypatch.setattr(module, "latents", latents)
    export(module, tiles[:, :64, :64], tmp_path / "model.ltm", {}, "float16")
    assert [len(each) for each in met] == calls
    counted = torch.cat([each for each in met if len(each) == 1])
    assert met[0].max() >= 0.9 * (levels - 1) and counted.max() >= 0.9 * (levels - 1)
