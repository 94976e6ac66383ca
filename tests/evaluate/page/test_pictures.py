"""Pictures in a page: exact where they say so, and as small as they must be."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from latens.evaluate.page.pictures import Budget, bits_map, data_url, error_map, native_url, preview


def shown(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_exact_urls_hold_every_sample(photograph: np.ndarray) -> None:
    assert np.array_equal(shown(data_url(photograph[:50, :70])), photograph[:50, :70])


def test_previews_fit_and_say_whether_they_are_exact(photograph: np.ndarray) -> None:
    url, exact = preview(photograph, 40_000)
    assert len(url) <= 40_000
    assert not exact
    assert abs(shown(url).astype(int) - photograph).mean() < 6
    url, exact = preview(photograph, 10**7)
    assert exact
    assert np.array_equal(shown(url), photograph)


def test_error_maps_are_8_times_the_largest_error_of_a_pixel() -> None:
    a = np.full((4, 4, 3), 100, np.uint8)
    b = a.copy()
    b[1, 2] = (101, 97, 100)
    b[3, 3] = 250
    found = shown(error_map(a, b))[..., 0]
    assert (found[1, 2], found[3, 3], found[0, 0]) == (24, 255, 0)


def test_error_maps_are_made_to_fit(photograph: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(-20, 21, photograph.shape)
    noisy = np.clip(photograph + noise, 0, 255).astype(np.uint8)
    assert len(error_map(photograph, noisy, 20_000)) <= 20_000 < len(error_map(photograph, noisy))
    assert len(error_map(photograph, noisy, 5_000)) <= 5_000
    assert shown(error_map(photograph[:1, :3], noisy[:1, :3], 1)).shape[:2] == (1, 3)  # no smaller one


def test_bits_are_dark_to_bright_with_their_largest_value_told() -> None:
    found = bits_map(np.array([[0.0, 5.0], [10.04, 2.0]]))
    assert found["max"] == 10.0
    pixels = shown(found["image"]).astype(int).sum(-1)
    assert pixels[0, 0] < pixels[1, 1] < pixels[0, 1] < pixels[1, 0]
    assert bits_map(np.zeros((2, 2)))["max"] == 1.0


def test_only_what_browsers_show_is_embedded_as_it_is() -> None:
    assert native_url(b"abc", ".jpg") == "data:image/jpeg;base64,YWJj"
    assert native_url(b"abc", ".bpg") is None


def test_budgets_add_up_and_previews_take_in_proportion_to_their_files() -> None:
    files = [[(10_000, ".bpg"), (40_000, ".bpg"), (30_000, ".avif")], [(20_000, ".ltn")]]
    budget = Budget.divided(1_000_000, files)
    assert budget.preview(40_000) == pytest.approx(4 * budget.preview(10_000), abs=4)
    assert budget.original([10_000, 40_000]) == pytest.approx(1.5 * budget.preview(40_000), abs=2)
    originals = budget.original([10_000, 40_000]) + budget.original([20_000])
    previews = sum(map(budget.preview, (10_000, 40_000, 20_000))) + originals
    assert 999_000 < previews + 40_000 + 4 * budget.error <= 1_000_000


def test_a_budget_that_is_spent_leaves_nothing_for_previews() -> None:
    assert Budget.divided(10_000, [[(30_000, ".jpg"), (5_000, ".bpg")]]).scale == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_preview_that_has_no_room_is_of_the_lowest_quality(photograph: np.ndarray, limit: int) -> None:
    url, exact = preview(photograph, limit)
    assert not exact and url == preview(photograph, 1)[0]
    assert shown(url).shape == photograph.shape


LIMITS = (10_000, 20_000, 40_000)


def test_previews_are_the_better_the_more_they_may_take(photograph: np.ndarray) -> None:
    found = [preview(photograph, limit)[0] for limit in LIMITS]
    errors = [np.square(shown(url).astype(float) - photograph).mean() for url in found]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert all(len(url) > 0.7 * limit for url, limit in zip(found, LIMITS, strict=True))


def test_previews_are_webp_where_pillow_has_no_avif(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latens.evaluate.page.pictures.features.check", lambda name: False)
    url, exact = preview(photograph, 40_000)
    assert url.startswith("data:image/webp")
    assert len(url) <= 40_000
    assert not exact
