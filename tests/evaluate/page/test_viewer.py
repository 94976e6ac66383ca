"""The report page's picture viewer in a real browser."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from latens.evaluate.page.pictures import bits_map, native_url

Show = Callable[..., Any]
LEFT, RIGHT = ".side.left img", ".side.right img"  # the first of each is the picture, the second its bits
DRAWN = """async url => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
}"""  # fmt: skip


def source(page: Any, image: str) -> str:
    found: str = page.locator(image).first.get_attribute("src")
    return found


def width(page: Any) -> float:
    found: float = page.locator(LEFT).first.bounding_box()["width"]
    return found


def test_the_slider_moves_by_hand_and_by_keys(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    slider = page.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box, stage = slider.bounding_box(), page.locator(".stage").bounding_box()
    before = page.locator(".side.left").evaluate("node => node.style.clipPath")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, stage["y"] + 50, steps=4)
    page.mouse.up()
    assert slider.get_attribute("aria-valuenow") == "25"
    assert page.locator(".side.left").evaluate("node => node.style.clipPath") != before
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "27"
    assert slider.get_attribute("aria-valuetext") == "27 % jpeg <b>codec</b>, 73 % ours <b>codec</b>"
    slider.press("Home")
    assert slider.get_attribute("aria-valuenow") == "0"
    slider.press("End")
    assert slider.get_attribute("aria-valuenow") == "100"


def test_the_slider_moves_by_touch(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload, 390, 844, touch=True)
    slider = page.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, points in (("Start", [{"x": x, "y": y}]), ("Move", [{"x": x + 60, "y": y}]), ("End", [])):
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    stage = page.locator(".stage").bounding_box()
    assert slider.get_attribute("aria-valuenow") == str(round(50 + 100 * 60 / stage["width"]))


def test_zoom_shows_pixels_and_keeps_sides_together(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    page.locator('[data-zoom="4"]').click()
    boxes = [page.locator(image).first.bounding_box() for image in (LEFT, RIGHT)]
    assert boxes[0] == boxes[1]
    assert boxes[0]["width"] == 4 * 384
    assert page.locator('[data-zoom="4"]').get_attribute("aria-pressed") == "true"
    assert page.locator(LEFT).first.evaluate("node => getComputedStyle(node).imageRendering") == "pixelated"
    stage = page.locator(".stage").bounding_box()
    page.mouse.move(stage["x"] + 300, stage["y"] + 100)
    page.mouse.down()
    page.mouse.move(stage["x"] + 260, stage["y"] + 80, steps=3)
    page.mouse.up()
    moved = page.locator(LEFT).first.bounding_box()
    assert (moved["x"] - boxes[0]["x"], moved["y"] - boxes[0]["y"]) == (-40, -20)
    page.get_by_role("button", name="fit").click()
    assert width(page) <= stage["width"] + 1


def test_the_wheel_scrolls_the_page_until_the_picture_is_clicked(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    page.evaluate("document.querySelector('.stage').scrollIntoView({behavior: 'instant'})")
    stage, before, top = page.locator(".stage").bounding_box(), width(page), page.evaluate("scrollY")
    page.mouse.move(stage["x"] + 200, stage["y"] + 100)
    page.mouse.wheel(0, -100)
    page.wait_for_function(f"scrollY < {top}")
    assert width(page) == before
    page.mouse.click(stage["x"] + 200, stage["y"] + 130)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"document.querySelector('.plane').getBoundingClientRect().width > {before}")


def test_keys_zoom_and_move(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    page.locator(".stage").focus()
    page.keyboard.press("1")
    assert width(page) == 384
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert width(page) == 8 * 384
    before = page.locator(LEFT).first.bounding_box()
    page.keyboard.press("ArrowRight")
    assert page.locator(LEFT).first.bounding_box()["x"] == before["x"] - 64
    page.keyboard.press("-")
    assert width(page) == 4 * 384


def test_two_fingers_zoom(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload, 390, 844, touch=True)
    page.locator(".stage").scroll_into_view_if_needed()
    stage, before = page.locator(".stage").bounding_box(), width(page)
    middle, y = stage["x"] + stage["width"] / 2, stage["y"] + 30
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("Start", 30), ("Move", 45), ("Move", 60)):
        points = [{"x": middle + side * apart, "y": y, "id": k} for k, side in enumerate((-1, 1))]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert width(page) == pytest.approx(2 * before, rel=0.01)


def test_fitting_keeps_whole_pixels_if_little_room_is_lost(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload, 960, 900)
    assert width(page) == 2 * 384
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('.plane').getBoundingClientRect().width < 384")
    stage = page.locator(".stage").bounding_box()
    assert width(page) == pytest.approx(stage["width"], abs=1)


def test_versions_are_matched_by_rate_and_overlays_are_theirs(show: Show, payload: dict[str, Any]) -> None:
    page = show(payload)
    versions = [v for v in payload["pictures"][0]["versions"] if v["codec"] == "jpeg"]
    rates = page.locator("select[aria-label=About] option").evaluate_all("nodes => nodes.map(n => n.value)")
    assert len(rates) == 3
    for rate in rates:
        page.select_option("select[aria-label=About]", rate)
        nearest = min(versions, key=lambda v: abs(math.log(v["bpp"] / float(rate))))
        assert source(page, LEFT) == nearest["image"]
        assert f"{nearest['bpp']:.3f}" in page.locator(".figures").inner_text()
        assert f"{nearest['psnr_rgb']:.2f}" in page.locator(".figures").inner_text()
        page.get_by_role("button", name="errors").click()
        assert source(page, LEFT) == nearest["error"]
        assert "times 8" in page.locator("#viewer-notes").inner_text()
        page.get_by_role("button", name="picture", exact=True).click()
    assert "Right is shown through lossy JPEG" in page.locator("#viewer-notes").inner_text()
    page.get_by_role("button", name="bits").click()
    assert [page.locator(image).nth(1).is_visible() for image in (LEFT, RIGHT)] == [False, True]
    most = payload["pictures"][0]["versions"][-1]["bits"]["max"]
    assert f"right 0\u2013{most:g} bits per latent position" in page.locator("#viewer-notes").inner_text()
    page.select_option("select[aria-label=Right]", "webp")
    assert "Neither side tells" in page.locator("#viewer-notes").inner_text()
    page.select_option("select[aria-label=Left]", "original")
    page.select_option("select[aria-label=Picture]", "1")
    assert source(page, LEFT) == payload["pictures"][1]["original"]


def test_rates_further_apart_than_a_tenth_are_said(show: Show, payload: dict[str, Any]) -> None:
    jpeg = payload["pictures"][0]["versions"][1]
    near = {**jpeg, "codec": "ours", "bytes": round(jpeg["bytes"] * 0.95)}
    far = {**jpeg, "codec": "webp", "bytes": jpeg["bytes"] * 2, "bpp": jpeg["bpp"] * 2, "exact": True}
    payload["pictures"] = [{**payload["pictures"][0], "versions": [jpeg, near, far]}]
    page = show(payload)
    assert page.locator("select[aria-label=About]").count() == 0
    assert "same rate" not in page.locator("#viewer-notes").inner_text()
    page.select_option("select[aria-label=Right]", "webp")
    assert "Not the same rate: the right file has 100 % more bytes." in page.locator("#viewer-notes").inner_text()


def test_rates_are_offered_that_versions_were_chosen_for(show: Show, payload: dict[str, Any]) -> None:
    for picture in payload["pictures"]:
        kept = [v for v in picture["versions"] if (v["codec"], v["setting"]) != ("webp", "40")]
        for v in kept:
            v["bpp"] = {"10": 0.26, "40": 0.49, "80": 1.07}[v["setting"]] * (0.95 if v["codec"] == "ours" else 1)
        picture["versions"] = kept
    page = show(payload)
    rates = page.locator("select[aria-label=About] option").evaluate_all("nodes => nodes.map(n => n.value)")
    assert rates == ["0.25", "0.5", "1"]
    page.select_option("select[aria-label=Left]", "webp")
    assert "Left has no file within 10 % of 0.5 bpp" in page.locator("#viewer-notes").inner_text()


def test_a_map_of_bits_that_reaches_past_the_picture_is_cut_not_squeezed(
    show: Show, payload: dict[str, Any]
) -> None:
    picture = {**payload["pictures"][0], "width": 100, "height": 70}  # 7 by 5 latents of 16 pixels
    bits = bits_map(np.ones((5, 7)))
    picture["versions"] = [{**v, "bits": bits if v["bits"] else None} for v in picture["versions"]]
    page = show({**payload, "pictures": [picture]})
    page.get_by_role("button", name="bits").click()
    page.wait_for_function("document.querySelector('.side.right .bits').style.width !== ''")
    bits = page.locator(RIGHT).nth(1)
    assert bits.evaluate("node => [node.style.width, node.style.height]") == ["112px", "80px"]
    assert page.locator(".plane").evaluate("node => getComputedStyle(node).overflow") == "hidden"


def test_a_picture_that_the_browser_cannot_show_is_said(show: Show, payload: dict[str, Any]) -> None:
    for v in payload["pictures"][0]["versions"]:
        v["image"] = v["image"] if v["codec"] == "ours" else "data:image/avif;base64,AAAA"
    page = show(payload)
    page.wait_for_function("document.getElementById('viewer-notes').textContent.includes('cannot show')")
    assert "Left is in a format that this browser cannot show" in page.locator("#viewer-notes").inner_text()
    page.select_option("select[aria-label=Left]", "original")
    assert "cannot show" not in page.locator("#viewer-notes").inner_text()


def test_one_picture_by_itself_stands_first_and_empty_sections_vanish(show: Show, payload: dict[str, Any]) -> None:
    picture = payload["pictures"][0]
    one = {**picture, "versions": picture["versions"][1::3]}
    codecs = [{**c, "points": c["points"][:1]} for c in payload["codecs"] if not c["published"]]
    page = show({**payload, "codecs": codecs, "bd": {}, "pictures": [one], "failures": []})
    assert page.locator("section").evaluate_all("nodes => nodes.map(n => n.id)") == ["viewer", "codecs"]
    assert page.locator("select[aria-label=About]").count() == 0
    assert page.locator("select[aria-label=Picture]").count() == 0


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_embedded_files_are_shown_as_they_are_decoded_here(
    show: Show, payload: dict[str, Any], format: str
) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    original = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    file, options = io.BytesIO(), {"subsampling": "4:4:4"} if format == "AVIF" else {}
    Image.fromarray(original).save(file, format, quality=50, **options)
    suffix = {"JPEG": ".jpg"}.get(format, f".{format.lower()}")
    drawn = show(payload).evaluate(DRAWN, native_url(file.getvalue(), suffix))
    decoded = np.asarray(Image.open(file).convert("RGB"))
    assert np.array_equal(np.reshape(drawn, (96, 96, 4))[..., :3], decoded)
