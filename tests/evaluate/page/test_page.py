"""The report page in a real browser: it loads from the disk, alone, and does what it says."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latens.evaluate.page import render

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


def test_data_cannot_end_their_script_and_come_back_whole(payload: dict[str, Any]) -> None:
    html = render(payload)
    assert "<script>alert" not in html
    assert html.count("</script>") == 2
    assert "<title>few &amp; &lt;script&gt;" in html
    inside = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1]) == payload


def test_words_in_the_data_are_not_taken_for_places_of_the_page(payload: dict[str, Any]) -> None:
    html = render({**payload, "title": "{{data}} {{style}}"})
    assert "<title>{{data}} {{style}}</title>" in html


def test_numbers_that_json_cannot_say_are_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        render({**payload, "notes": [float("nan")]})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``show(payload)``: the page, loaded from the disk; errors and requests are counted to the end."""
    opened = []

    def show(payload: dict[str, Any], width: int = 1280, height: int = 900, dark: bool = False) -> Any:
        path = tmp_path / "report.html"
        path.write_text(render(payload), encoding="utf-8")
        view = {"width": width, "height": height}
        context = browser.new_context(viewport=view, color_scheme="dark" if dark else "light")
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("data:", "file:")) else wrong.append(r.url))
        opened.append((context, wrong))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield show
    for context, wrong in opened:
        context.close()
        assert wrong == []


def curve(page: Any) -> str:
    return page.locator("#rd-chart path.curve:not(.published)").first.get_attribute("d")


@in_browser
def test_the_metric_and_the_axis_change_the_curves(show: Callable[..., Any], payload: dict[str, Any]) -> None:
    page = show(payload)
    first = curve(page)
    page.get_by_role("button", name="linear").click()
    second = curve(page)
    page.select_option("select[aria-label=Metric]", "gmsd")
    assert len({first, second, curve(page)}) == 3
    assert page.locator("#rd-chart text", has_text="GMSD").count() == 1


@in_browser
def test_the_legend_hides_curves_and_points_tell_what_they_are(
    show: Callable[..., Any], payload: dict[str, Any]
) -> None:
    page = show(payload)
    assert page.locator("#rd-chart path.curve").count() == 4
    page.locator('.legend button[data-codec="webp"]').click()
    assert page.locator("#rd-chart path.curve").count() == 3
    page.locator("#rd-chart circle[tabindex]").first.focus()
    assert "jpeg <b>codec</b>\nquality 0: 0.200 bpp, 27.00 dB" in page.locator("#rd-chart .tip").inner_text()
    point = page.locator("#rd-chart circle[tabindex]").nth(5).bounding_box()
    page.mouse.move(point["x"] + 6, point["y"] + 4)
    assert "ours" in page.locator("#rd-chart .tip").inner_text()


@in_browser
def test_the_anchor_and_the_metric_change_the_table(show: Callable[..., Any], payload: dict[str, Any]) -> None:
    page = show(payload)
    table = page.locator("#bd-table")
    assert "\u221212.3 %" in table.inner_text()
    assert "28\u201337 dB" in table.inner_text()
    assert "do not overlap" in table.inner_text()
    page.select_option("select[aria-label=Against]", "vtm")
    assert "+80.0 %" in table.inner_text()
    page.select_option("select[aria-label=Against]", "jpeg")
    page.select_option('select[aria-label="at equal"]', "gmsd")
    assert "+3.0 %" in table.inner_text()


@in_browser
def test_the_slider_moves_by_hand_and_by_keys(show: Callable[..., Any], payload: dict[str, Any]) -> None:
    page = show(payload)
    slider = page.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box, stage = slider.bounding_box(), page.locator(".stage").bounding_box()
    before = page.locator(".side").nth(1).evaluate("node => node.style.clipPath")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, stage["y"] + 50, steps=4)
    page.mouse.up()
    assert slider.get_attribute("aria-valuenow") == "25"
    assert page.locator(".side").nth(1).evaluate("node => node.style.clipPath") != before
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "27"
    slider.press("Home")
    assert slider.get_attribute("aria-valuenow") == "0"


@in_browser
def test_zoom_shows_pixels_and_keeps_sides_together(show: Callable[..., Any], payload: dict[str, Any]) -> None:
    page = show(payload)
    page.locator('[data-zoom="4"]').click()
    boxes = [page.locator(".side img").nth(k).bounding_box() for k in (0, 1)]
    assert boxes[0] == boxes[1]
    assert boxes[0]["width"] == 4 * 384
    assert page.locator(".side img").first.evaluate("node => getComputedStyle(node).imageRendering") == "pixelated"
    stage = page.locator(".stage").bounding_box()
    page.mouse.move(stage["x"] + 300, stage["y"] + 100)
    page.mouse.down()
    page.mouse.move(stage["x"] + 260, stage["y"] + 80, steps=3)
    page.mouse.up()
    moved = page.locator(".side img").first.bounding_box()
    assert (moved["x"] - boxes[0]["x"], moved["y"] - boxes[0]["y"]) == (-40, -20)
    page.mouse.wheel(0, -300)
    assert page.locator(".side img").first.bounding_box()["width"] > moved["width"]
    page.get_by_role("button", name="fit").click()
    assert page.locator(".side img").first.bounding_box()["width"] <= stage["width"] + 1


@in_browser
def test_versions_are_matched_by_rate_and_overlays_are_theirs(
    show: Callable[..., Any], payload: dict[str, Any]
) -> None:
    page = show(payload)
    pictures = payload["pictures"]
    versions = [v for v in pictures[0]["versions"] if v["codec"] == "jpeg"]
    page.select_option("select[aria-label=Right]", "ours")
    for rate in (0.25, 1):
        page.select_option("select[aria-label=About]", str(rate))
        nearest = min(versions, key=lambda v: abs(math.log(v["bpp"] / rate)))
        left = page.locator(".side").nth(1).locator("img")  # the left one lies on top
        assert left.get_attribute("src") == nearest["image"]
        assert f"{nearest['bpp']:.3f} bpp" in page.locator(".captions").inner_text()
        page.get_by_role("button", name="errors").click()
        assert left.get_attribute("src") == nearest["error"]
        page.get_by_role("button", name="picture", exact=True).click()
    assert "lossy WebP" in page.locator("#viewer .note").last.inner_text()  # ours says that it is not exact
    page.get_by_role("button", name="bits").click()
    assert page.locator(".side img.bits").count() == 1
    assert "bits per latent position" in page.locator("#viewer .note").last.inner_text()
    page.select_option("select[aria-label=Left]", "original")
    page.select_option("select[aria-label=Picture]", "1")
    page.get_by_role("button", name="picture", exact=True).click()
    assert left.get_attribute("src") == pictures[1]["original"]


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_has_no_sideways_scroll_and_both_themes_have_contrast(
    show: Callable[..., Any], payload: dict[str, Any], dark: bool
) -> None:
    page = show(payload, 390, 844, dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    style = "getComputedStyle(document.body)"
    colours = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
    ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in colours)
    assert (ink > 0.8 and paper < 0.2) if dark else (ink < 0.2 and paper > 0.9)


@in_browser
def test_failures_and_notes_are_told(show: Callable[..., Any], payload: dict[str, Any]) -> None:
    page = show(payload)
    assert "it </script> broke" in page.locator("#failures").inner_text()
    assert "a note" in page.locator("#codecs").inner_text()
    assert "latens eval few" in page.locator("#codecs").inner_text()


@in_browser
def test_one_picture_by_itself_stands_first_and_empty_sections_vanish(
    show: Callable[..., Any], payload: dict[str, Any]
) -> None:
    picture = payload["pictures"][0]
    one = {**picture, "versions": picture["versions"][1::3]}
    codecs = [{**c, "points": c["points"][:1]} for c in payload["codecs"] if not c["published"]]
    page = show({**payload, "codecs": codecs, "bd": {}, "pictures": [one], "failures": []})
    assert page.locator("section").evaluate_all("nodes => nodes.map(n => n.id)") == ["viewer", "codecs"]
    assert page.locator("select[aria-label=About]").count() == 0


@in_browser
def test_a_page_of_15_mb_shows_its_curves_though_its_pictures_cannot_be_decoded(
    show: Callable[..., Any], payload: dict[str, Any]
) -> None:
    heavy = "data:image/webp;base64," + "A" * 7_000_000  # no picture; the second is not chosen, so not decoded
    first, second = payload["pictures"]
    versions = [{**v, "image": heavy} for v in second["versions"][:2]]
    page = show({**payload, "pictures": [first, {**second, "versions": versions}]})
    assert page.locator("#rd-chart path.curve").count() == 4
