"""GMSD against another implementation and known answers."""

import numpy as np
import pytest

from latens.errors import UnsupportedPictureError
from latens.metrics import gmsd


@pytest.mark.parametrize(
    ("photograph", "distortion", "expected"),
    [
        ("astronaut 512x512", "coarse 16", 0.02697198112475132),
        ("astronaut 512x512", "noisy 24", 0.05251599866074191),
        ("cat 451x300", "smooth 1", 0.01872093110049175),
        ("cat 451x300", "noisy 24", 0.04741069031575951),
        ("cat 45x63", "coarse 16", 0.00460041276097735),
    ],
)
def test_gmsd_is_that_of_piq(pair, photograph: str, distortion: str, expected: float) -> None:
    """Answers of piq 0.8.0 in float64, data_range=255. It needs torchvision, and is not installed for tests."""
    assert gmsd(*pair(photograph, distortion)) == pytest.approx(expected, rel=1e-9)


def test_identical_pictures_deviate_by_nothing(photograph: np.ndarray) -> None:
    assert gmsd(photograph, photograph) == 0


def test_flat_pictures_have_edges_at_the_border_only() -> None:
    """8x10 halves to 4x5: 14 pixels of 20 at the border, and 4 of them corners."""
    a, b = (np.full((8, 10, 3), value, np.uint8) for value in (30, 90))

    def similarity(factor: float) -> float:
        first, second = 30 * factor, 90 * factor
        return (2 * first * second + 170) / (first**2 + second**2 + 170)

    edge, corner = similarity(1), similarity(np.hypot(2 / 3, 2 / 3))
    expected = np.std([1] * 6 + [edge] * 10 + [corner] * 4)
    assert gmsd(a, b) == pytest.approx(expected, rel=1e-12)


def test_gmsd_is_symmetric(pair) -> None:
    a, b = pair("cat 451x300", "noisy 24")
    assert gmsd(a, b) == pytest.approx(gmsd(b, a), rel=1e-12)


def test_pictures_without_a_window_inside_are_refused() -> None:
    tiny = np.zeros((5, 300, 3), np.uint8)
    with pytest.raises(UnsupportedPictureError, match="300x5 pixels: GMSD needs at least 6"):
        gmsd(tiny, tiny)
