"""The report page's charts and tables in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest

Show = Callable[..., Any]


def curve(page: Any) -> str:
    found: str = page.locator("#rd-chart .series:not(.published) path.curve").first.get_attribute("d")
    return found


def test_the_metric_and_the_axis_change_the_curves(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    first = curve(page)
    page.get_by_role("button", name="linear").click()
    second = curve(page)
    page.select_option("select[aria-label=Metric]", "gmsd")
    assert len({first, second, curve(page)}) == 3
    assert page.locator("#rd-chart text", has_text="GMSD (lower is better)").count() == 1


def test_measured_curves_differ_in_markers_and_published_ones_are_dashed(
    show: Show, payload: dict[str, Any]
) -> None:
    page = show(payload)
    ours = page.locator("#rd-chart .series:not(.published)")
    marks = [ours.nth(k).locator(".point").first.get_attribute("d") for k in range(3)]
    colours = [ours.nth(k).get_attribute("fill") for k in range(3)]
    assert len(set(marks)) == len(set(colours)) == 3
    dash = "nodes => nodes.map(n => n.getAttribute('stroke-dasharray'))"
    assert ours.locator(".curve").evaluate_all(dash) == [None] * 3
    assert None not in page.locator("#rd-chart .series.published .curve").evaluate_all(dash)


def test_axes_reach_as_far_as_measured_curves(show: Show, payload: dict[str, Any]) -> None:
    payload["codecs"][3]["points"].append({"setting": "9", "bpp": 80.0, "psnr_rgb": 70.0})
    page = show(payload)
    ticks = page.locator("#rd-chart text[text-anchor=middle]").all_text_contents()
    assert max(map(float, ticks)) == 2
    box = page.locator("#rd-chart svg").bounding_box()
    last = page.locator('#rd-chart [data-codec="jpeg"] .point').last.bounding_box()
    assert box["width"] * 0.9 < last["x"] - box["x"] < box["width"]


def test_the_legend_hides_curves_and_points_tell_what_they_are(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    assert page.locator("#rd-chart path.curve").count() == 4
    page.locator('.legend button[data-codec="webp"]').click()
    assert page.locator("#rd-chart path.curve").count() == 3
    point = page.locator('#rd-chart [data-codec="ours"] .point').nth(1).bounding_box()
    page.mouse.move(point["x"] + 6, point["y"] + 4)
    assert "ours <b>codec</b>\nquality 1: 0.350 bpp, 30.00 dB" in page.locator("#rd-chart .tip").inner_text()
    page.mouse.move(5, 5)
    assert page.locator("#rd-chart .tip").is_hidden()
    for name in ("jpeg", "ours", "vtm"):
        page.locator(f'.legend button[data-codec="{name}"]').click()
    assert "No curve is chosen" in page.locator("#rd-chart").inner_text()


def test_keys_go_from_point_to_point_and_a_chart_is_one_stop_of_the_tab_key(
    show: Show, payload: dict[str, Any]
) -> None:
    page = show(payload)
    assert page.locator('#rd-chart [tabindex="0"]').count() == 1
    page.locator('#rd-chart [tabindex="0"]').focus()
    tip = page.locator("#rd-chart .tip")
    told = [tip.inner_text()]
    for key in ("ArrowRight", "ArrowDown", "End", "Home"):
        page.keyboard.press(key)
        told.append(tip.inner_text())
    assert [re.sub(r" <.*\n", " ", text).split(":")[0] for text in told] == [
        "jpeg quality 0", "jpeg quality 1", "webp quality 1", "webp quality 3", "webp quality 0",
    ]  # fmt: skip
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert page.locator('#rd-chart [tabindex="0"]').count() == 1


def test_a_finger_asks_for_a_point(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload, 390, 844, touch=True)
    point = page.locator('#rd-chart [data-codec="jpeg"] .point').nth(2)
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.touchscreen.tap(box["x"] + 3, box["y"] + 8)
    assert "1.000 bpp, 34.00 dB" in page.locator("#rd-chart .tip").inner_text()


def test_the_anchor_and_the_metric_change_the_table_and_the_speed_chart(
    show: Show, payload: dict[str, Any]
) -> None:
    page = show(payload)
    table, speed = page.locator("#bd-table"), page.locator("#speed-chart .point")
    assert "\u221212.3 %" in table.inner_text()
    assert "28\u201337 dB" in table.inner_text()
    assert "none: the curves do not overlap" in table.inner_text()
    assert speed.count() == 2  # the anchor itself is at 0 %
    page.select_option("select[aria-label=Against]", "vtm")
    rows = page.locator("#bd-table tbody tr").all_inner_texts()
    assert [re.findall(r"\+[\d.]+ %", row) for row in rows] == [["+40.0 %"], ["+80.0 %"]]
    assert "all they share" in rows[0]
    assert "against vtm" in page.locator("#speed .note").inner_text()
    page.select_option('select[aria-label="at equal"]', "gmsd")
    assert "vtm <b>codec</b> has no GMSD" in table.inner_text()
    page.select_option("select[aria-label=Against]", "jpeg")
    assert "+3.0 %" in table.inner_text()


def test_speed_is_that_of_either_direction_or_multiplications(show: Show, payload: dict[str, Any]) -> None:
    payload["codecs"][0] |= {"kmac": [1.0, 2.0], "encode_s": 0.4}
    payload["codecs"][1] |= {"kmac": [30.0, 10.0], "encode_s": 5.0}
    page = show(payload)
    labels = {}
    for name in ("decode", "encode", "kMAC"):
        page.locator("#speed").get_by_role("button", name=name, exact=True).click()
        points = page.locator("#speed-chart .point")
        labels[name] = [points.nth(k).get_attribute("aria-label") for k in range(2)]
    assert "0.02 s" in labels["decode"][1]
    assert "5 s" in labels["encode"][1]
    assert "10 kMAC/px, \u221212.3 %" in labels["kMAC"][1]


def test_failures_versions_and_notes_are_told(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    assert "it </script> broke" in page.locator("#failures").inner_text()
    told = page.locator("#codecs").inner_text()
    for text in ("a note", "latens eval few", "latens 0.1", "a machine", "ours <b>codec</b>"):
        assert text in told


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_has_no_sideways_scroll_and_both_themes_have_contrast(
    show: Show, payload: dict[str, Any], dark: bool
) -> None:
    page = show(payload, 390, 844, dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tables = "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth).length"
    assert page.locator("#bd .scroll, #codecs .scroll").evaluate_all(tables) == 0
    style = "getComputedStyle(document.body)"
    colours = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
    ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in colours)
    assert (ink > 0.8 and paper < 0.2) if dark else (ink < 0.2 and paper > 0.9)


def test_paper_is_white_even_where_the_screen_is_dark(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload, dark=True)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("section").first.evaluate("n => getComputedStyle(n).color") == "rgb(28, 30, 33)"


def test_sections_without_data_vanish(show: Show, payload: dict[str, Any]) -> None:
    codecs = [c for c in payload["codecs"] if not c["published"]][:1]
    page = show({"title": "t", "dataset": "d", "metrics": payload["metrics"], "codecs": codecs})
    assert page.locator("section").evaluate_all("nodes => nodes.map(n => n.id)") == ["rd", "codecs"]
    assert page.get_by_text("Published").count() == 0


def test_a_page_of_15_mb_shows_its_curves_though_its_pictures_cannot_be_decoded(
    show: Show, payload: dict[str, Any]
) -> None:
    heavy = "data:image/webp;base64," + "A" * 7_000_000  # no picture; the second is not chosen, so not decoded
    second = payload["pictures"][1]
    second["versions"] = [{**v, "image": heavy} for v in second["versions"][:2]]
    page = show(payload)
    assert page.locator("#rd-chart path.curve").count() == 4
