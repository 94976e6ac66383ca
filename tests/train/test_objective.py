"""The loss of a step: levels from every part of the range, and distortions in float32."""

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.train.losses import distortion  # noqa: E402
from latens.train.noise import Played, Trainable  # noqa: E402
from latens.train.objective import Objective  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.parallel import ALONE, Share  # noqa: E402

SIZES = {"N1": 4, "N2": 4, "N3": 8, "M": 8, "Nh": 4, "levels": 5}
OPTIONS = Options(model="balle2018", sizes=SIZES, lmbda=0.1, lowest_lmbda=0.001, precision="bfloat16")


def objective(options: Options = OPTIONS) -> Objective:
    return Objective(Trainable(options.build(), radius=16), options)


def drawn(count: int, share: Share = ALONE) -> list[float]:
    level = objective()._drawn(torch.zeros(count, 3, 64, 64), torch.Generator().manual_seed(7), share)
    return level.tolist()


def test_every_picture_has_a_level_from_its_own_part_of_the_range() -> None:
    levels = drawn(8)
    assert all(k / 2 <= level < (k + 1) / 2 for k, level in enumerate(levels))  # 4 steps of levels in 8 parts
    assert len({round(level % 0.5, 4) for level in levels}) == 8  # somewhere in the part, not at its edge


def test_two_processes_draw_the_levels_of_one() -> None:
    assert drawn(4, Share(0, 2)) + drawn(4, Share(1, 2)) == drawn(8)


def test_ms_ssim_is_taken_in_float32_where_networks_compute_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(2, 3, 192, 192, generator=torch.Generator().manual_seed(0)) * 0.05 + 0.9  # nearly flat
    x_hat = x + 0.01 * torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    found = objective(Options(**{**vars(OPTIONS), "metric": "ms-ssim", "lmbda": 2.0, "lowest_lmbda": 1.0}))
    exact = float(distortion(x, x_hat, "ms-ssim").mean())
    monkeypatch.setattr(found.module, "forward", lambda *_: Played(x_hat, torch.zeros(2)))
    monkeypatch.setattr(found, "_drawn", lambda *_: torch.zeros(2))
    with torch.autocast("cpu", torch.bfloat16):
        assert float(distortion(x, x_hat, "ms-ssim").mean()) != pytest.approx(exact, rel=1e-2)  # what must not be
    loss, _ = found(x)
    assert float(loss) == pytest.approx(exact * 2**0.25, rel=1e-5)
