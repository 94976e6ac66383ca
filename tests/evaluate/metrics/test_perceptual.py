"""GMSD and SSIMULACRA2 against known answers."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from latens.errors import MissingExtraError, UnsupportedPictureError
from latens.evaluate.metrics import gmsd, ssimulacra2

pytest.importorskip("ssimulacra2", reason="the package ssimulacra2 is not installed")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.asarray(data.astronaut())[:256, 100:356]


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return np.rint(ndimage.gaussian_filter(picture.astype(float), (sigma, sigma, 0))).astype(np.uint8)


def test_gmsd_is_the_formula_of_the_paper(picture: np.ndarray) -> None:
    """Written again with convolutions, as its authors' program does it."""

    def magnitude(rgb: np.ndarray) -> np.ndarray:
        luma = rgb @ np.array([0.299, 0.587, 0.114])
        halved = ndimage.correlate(luma, np.full((2, 2), 0.25), origin=-1)[::2, ::2]
        prewitt = np.array([[1, 0, -1]] * 3) / 3
        across, down = ndimage.convolve(halved, prewitt), ndimage.convolve(halved, prewitt.T)
        return np.sqrt(across**2 + down**2)[1:-1, 1:-1]

    a, b = magnitude(picture), magnitude(blurred(picture, 1.0))
    expected = ((2 * a * b + 170) / (a**2 + b**2 + 170)).std()
    assert gmsd(picture, blurred(picture, 1.0)) == pytest.approx(expected, rel=1e-9)


def test_identical_pictures_have_the_best_scores(picture: np.ndarray) -> None:
    assert gmsd(picture, picture) == 0
    assert ssimulacra2(picture, picture) == 100


def test_an_even_shift_of_brightness_leaves_gradients_alone(picture: np.ndarray) -> None:
    dark = picture // 2
    assert gmsd(dark, dark + np.uint8(9)) == pytest.approx(0, abs=1e-12)


def test_scores_fall_as_the_blur_grows(picture: np.ndarray) -> None:
    pictures = [blurred(picture, sigma) for sigma in (0.3, 0.6, 1.0, 2.0, 4.0)]
    deviations = [gmsd(picture, p) for p in pictures]
    scores = [ssimulacra2(picture, p) for p in pictures]
    assert deviations == sorted(deviations)
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 85
    assert scores[-1] < 0


def test_the_order_of_height_and_width_does_not_matter_much(picture: np.ndarray) -> None:
    wide, worse = picture[:160], blurred(picture, 1.0)[:160]
    turned = ssimulacra2(*(np.ascontiguousarray(np.moveaxis(p, 0, 1)) for p in (wide, worse)))
    assert ssimulacra2(wide, worse) == pytest.approx(turned, abs=1.5)


def test_small_pictures_have_no_score() -> None:
    tiny = np.zeros((5, 300, 3), np.uint8)
    for metric in (gmsd, ssimulacra2):
        with pytest.raises(UnsupportedPictureError, match="300x5"):
            metric(tiny, tiny)


def test_without_its_package_ssimulacra2_says_so(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ssimulacra2", None)
    with pytest.raises(MissingExtraError, match=r"latens\[eval\]"):
        ssimulacra2(picture, picture)
