"""SSIMULACRA2 against the program that defines it."""

import numpy as np
import pytest

from latens.errors import UnsupportedPictureError
from latens.metrics import ssimulacra2
from latens.metrics.windows import band, blur
from latens.metrics.xyb import SCALES, WEIGHTS, _cosines


@pytest.mark.parametrize(
    ("photograph", "distortion", "expected"),
    [
        ("astronaut 512x512", "coarse 16", 52.43120601),
        ("astronaut 512x512", "coarse 64", -47.48808152),
        ("astronaut 512x512", "noisy 6", 81.92537231),
        ("astronaut 512x512", "smooth 1", 57.42736926),
        ("astronaut 512x512", "smooth 3", 1.66727616),
        ("cat 451x300", "coarse 16", 64.26354001),
        ("cat 451x300", "noisy 24", 36.10190044),
        ("cat 451x300", "smooth 3", 16.05356740),
        ("cat 45x63", "coarse 64", -61.73177483),  # four scales
        ("cat 45x63", "smooth 3", 31.68489261),
        ("cat 20x15", "noisy 24", 67.15824072),  # two
        ("cat 8x8", "coarse 64", 90.46227486),
    ],
)
def test_scores_are_those_of_the_program(pair, photograph: str, distortion: str, expected: float) -> None:
    """Answers of ssimulacra2 of libjxl 0.11.2 (Debian's libjxl-devtools) for PNG files of these pixels.

    That program counts in float32; the module's docstring says what that does to scores.
    """
    assert ssimulacra2(*pair(photograph, distortion)) == pytest.approx(expected, abs=0.06)


def test_identical_pictures_score_100(photographs: dict[str, np.ndarray]) -> None:
    for picture in photographs.values():
        assert ssimulacra2(picture, picture) == 100


def test_the_first_picture_is_the_original(pair) -> None:
    sharp, blurred = pair("cat 451x300", "smooth 1")
    assert abs(ssimulacra2(sharp, blurred) - ssimulacra2(blurred, sharp)) > 1  # edges lost, edges added


def test_the_score_is_that_of_the_turned_picture(pair) -> None:
    a, b = pair("cat 451x300", "coarse 16")
    assert ssimulacra2(a.swapaxes(0, 1), b.swapaxes(0, 1)) == pytest.approx(ssimulacra2(a, b), abs=1e-9)


def test_the_blur_is_that_of_a_recursive_filter() -> None:
    """Charalampidis, eq. (35), three pairs of poles on the unit circle: what the program does along a line."""
    weights = _cosines()
    radius = len(weights) // 2 + 1
    frequency = np.array([1, 3, 5]) * np.pi / (2 * radius)
    waves = np.cos(np.outer(frequency, np.arange(1 - radius, radius)))
    beta = np.linalg.lstsq(waves.T, weights, rcond=None)[0]
    x = np.random.default_rng(3).random(40)
    padded = np.pad(x, 2 * radius)
    y = np.zeros((3, len(padded)))
    for n in range(radius + 1, len(padded) - radius):
        pushed = -beta * np.cos(frequency * (radius + 1)) * (padded[n - radius - 1] + padded[n + radius - 1])
        y[:, n] = pushed + 2 * np.cos(frequency) * y[:, n - 1] - y[:, n - 2]
    recursive = y.sum(axis=0)[2 * radius : 2 * radius + 40]
    assert recursive == pytest.approx(np.convolve(x, weights, "same"), abs=1e-12)


def test_the_blur_keeps_the_mean_and_has_the_variance_asked_for() -> None:
    weights, n = _cosines(), np.arange(-4, 5)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    assert weights @ n**2 == pytest.approx(1.5**2, abs=1e-13)
    assert weights == pytest.approx(weights[::-1])


def test_windows_wider_and_narrower_than_a_block_of_outputs_agree_with_convolution() -> None:
    x = np.random.default_rng(1).random((2, 70, 150))
    weights = np.array([0.5, -1.0, 2.0, 0.25])
    window = np.outer(weights, weights)
    expected = sum(window[i, j] * x[:, i : i + 67, j : j + 147] for i in range(4) for j in range(4))
    assert blur(x, band(weights)) == pytest.approx(expected, abs=1e-12)


def test_there_is_a_weight_for_every_number() -> None:
    assert WEIGHTS.size == 3 * SCALES * 2 * 3
    assert WEIGHTS.min() == 0  # no distortion is rewarded
    assert WEIGHTS.sum() == pytest.approx(888.3148365876, abs=1e-9)  # of the table in the program


def test_pictures_of_less_than_8_a_side_are_refused() -> None:
    tiny = np.zeros((7, 300, 3), np.uint8)
    with pytest.raises(UnsupportedPictureError, match="300x7 pixels: SSIMULACRA2 needs at least 8"):
        ssimulacra2(tiny, tiny)
