"""Matching a rate: the nearest file that a codec can make."""

import numpy as np
import pytest

from latens.classic import CODECS
from latens.errors import UsageError
from latens.evaluate.codecs import find
from latens.evaluate.match import match


@pytest.fixture
def picture(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[100:292, 80:336])


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
@pytest.mark.parametrize("bpp", [0.5, 1.5])
def test_no_other_whole_setting_comes_nearer(picture: np.ndarray, codec: str, bpp: float) -> None:
    found = match(CODECS[codec], picture, bpp)
    pixels = picture.shape[0] * picture.shape[1]
    assert found.bpp == 8 * len(found.data) / pixels
    for other in (found.setting - 1, found.setting + 1):
        rate = 8 * len(CODECS[codec].encode(picture, other)) / pixels
        assert abs(np.log(found.bpp / bpp)) <= abs(np.log(rate / bpp))


@pytest.mark.parametrize("bpp", [0.3, 1.0])
def test_real_settings_come_within_two_percent(picture: np.ndarray, bpp: float) -> None:
    assert match(CODECS["jpeg2000"], picture, bpp).bpp == pytest.approx(bpp, rel=0.02)


def test_rates_out_of_reach_give_the_end_of_the_scale(picture: np.ndarray) -> None:
    assert match(CODECS["jpeg"], picture, 1e-3).setting <= 2  # 1 and 2 have about the same tables
    assert match(CODECS["jpeg"], picture, 99).setting == 100


def test_no_setting_is_tried_twice(picture: np.ndarray) -> None:
    tried: list[float] = []
    match(CODECS["jpeg"], picture, 0.8, tried.append)
    assert len(tried) == len(set(tried)) <= 9


def test_models_are_tried_at_every_rate_point(picture: np.ndarray) -> None:
    tried: list[float] = []
    codec = find("balle2017")
    found = match(codec, picture, 0.6, tried.append)
    assert tuple(tried) == codec.settings
    rates = [8 * len(codec.encode(picture, s)) / picture[..., 0].size for s in codec.settings]
    assert found.bpp == min(rates, key=lambda rate: abs(np.log(rate / 0.6)))


@pytest.mark.parametrize("bpp", [0, -1, float("nan")])
def test_a_rate_is_above_0(picture: np.ndarray, bpp: float) -> None:
    with pytest.raises(UsageError, match="must be above 0"):
        match(CODECS["jpeg"], picture, bpp)
