"""Crops painted over: how many, with what, and the same in one process as in several."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.parallel import Share  # noqa: E402
from latens.train.plain import painted  # noqa: E402

SIDE = 32


def noise(count: int) -> "torch.Tensor":
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, SIDE, SIDE, 3), generator=generator, dtype=torch.uint8)


def changed(part: float, count: int = 400) -> np.ndarray:
    """The share of every crop's pixels that were painted."""
    before = noise(count)
    return (painted(before.clone(), part, 0, 7) != before).any(-1).float().mean((1, 2)).numpy()


def test_about_as_many_as_asked_are_painted() -> None:
    assert not changed(0).any()
    assert 0.2 < (changed(0.25) > 0).mean() < 0.3
    everyone = changed(1)
    assert 0.3 < (everyone > 0.99).mean() < 0.5
    assert 0.4 < everyone[everyone < 0.99].mean() < 0.6


def test_what_is_painted_has_one_colour() -> None:
    before = noise(50)
    for old, new in zip(before, painted(before.clone(), 1, 0, 1), strict=True):
        colours = new[(new != old).any(-1)].unique(dim=0)
        assert len(colours) <= 1


def test_white_black_grey_and_colours_occur() -> None:
    whole = [crop for crop in painted(noise(200), 1, 5, 0) if len(crop.reshape(-1, 3).unique(dim=0)) == 1]
    colours = {tuple(crop[0, 0].tolist()) for crop in whole}
    assert {(0, 0, 0), (255, 255, 255)} <= colours
    assert any(len(set(colour)) > 1 for colour in colours)
    assert any(len(set(colour)) == 1 and 0 < colour[0] < 255 for colour in colours)


def test_several_processes_paint_what_one_would() -> None:
    before = noise(6)
    halves = [painted(before[3 * rank : 3 * rank + 3].clone(), 0.5, 2, 9, Share(rank, 2)) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), painted(before.clone(), 0.5, 2, 9))
    assert not torch.equal(torch.cat(halves), before)


def test_every_step_paints_others() -> None:
    assert not torch.equal(painted(noise(8), 0.5, 0, 1), painted(noise(8), 0.5, 0, 2))
