"""Payloads of real pictures through Pillow's codecs, as the evaluation makes them, and a browser to show them."""

import copy
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from latens.evaluate.page import render
from latens.evaluate.page.pictures import bits_map, data_url, error_map, native_url
from latens.metrics import psnr

Show = Callable[..., Any]  # show(payload, width, height, dark=False, touch=False): the loaded page
FORMATS = {"jpeg": "JPEG", "webp": "WEBP", "ours": "JPEG"}


def version(codec: str, pixels: np.ndarray, quality: int) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, FORMATS[codec], quality=quality)
    decoded = np.asarray(Image.open(file))
    url = native_url(file.getvalue(), ".webp" if codec == "webp" else ".jpg")
    size = len(file.getvalue())
    found: dict[str, Any] = {"codec": codec, "setting": str(quality), "bytes": size, "exact": codec != "ours"}
    found |= {"bpp": 8 * size / pixels[..., 0].size, "psnr_rgb": psnr(pixels, decoded), "image": url}
    found["error"] = error_map(pixels, decoded, 20_000)
    bits = np.abs(np.random.default_rng(0).normal(size=(16, 24)))
    return found | {"bits": bits_map(bits) if codec == "ours" else None}


def codec(name: str, published: bool, points: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "id": name, "title": f"{name} <b>codec</b>", "published": published, "version": "1.0", "options": "fast",
        "parameter": "quality", "kmac": None, "parameters": None, "peak_mb": 100.0,
        "encode_s": None if published else 0.01, "decode_s": None if published else 0.02,
        "points": [{"setting": str(k), "bpp": r, "psnr_rgb": q, "gmsd": 1 / q} for k, (r, q) in enumerate(points)],
    }  # fmt: skip


@pytest.fixture(scope="session")
def made() -> dict[str, Any]:
    """Two pictures, three codecs, one published curve."""
    pictures = []
    for name, pixels in (("face.png", data.astronaut()), ("cat.png", data.chelsea())):
        small = np.asarray(pixels)[:256, :384]
        versions = [version(c, small, q) for c in FORMATS for q in (10, 40, 80)]
        size = {"width": small.shape[1], "height": small.shape[0]}
        pictures.append({"name": name, **size, "original": data_url(small), "exact": True, "versions": versions})
    curve = [(0.2, 27.0), (0.5, 30.0), (1.0, 34.0), (2.0, 38.0)]
    better = {"percent": -12.34, "low": 28.0, "high": 37.0, "shrunk": False}
    refused = {"refused": "the curves do not overlap"}
    return {
        "title": "few & <script>alert(1)</script>", "dataset": "few, 2 pictures", "machine": "a machine",
        "command": "latens eval few", "versions": {"latens": "0.1"}, "notes": ["a note"], "default_anchor": "jpeg",
        "metrics": [
            {"id": "psnr_rgb", "title": "PSNR-RGB", "unit": "dB", "better": "higher", "digits": 2},
            {"id": "gmsd", "title": "GMSD", "unit": "", "better": "lower", "digits": 4},
        ],
        "codecs": [
            codec("jpeg", False, curve), codec("webp", False, [(r * 0.8, q) for r, q in curve]),
            codec("ours", False, [(r * 0.7, q) for r, q in curve]),
            codec("vtm", True, [(r * 0.5, q) for r, q in curve]),
        ],
        "bd": {
            "psnr_rgb": {
                "jpeg": {"webp": better, "ours": refused},
                "vtm": {"jpeg": {**better, "percent": 80.0}, "ours": {**better, "percent": 40.0, "shrunk": True}},
            },
            "gmsd": {"jpeg": {"webp": {**better, "percent": 3.0}}},
        },
        "pictures": pictures,
        "failures": [{"codec": "jpeg", "setting": "5", "picture": "bad.png", "error": "it </script> broke"}],
    }  # fmt: skip


@pytest.fixture
def payload(made: dict[str, Any]) -> dict[str, Any]:
    """A copy of one's own."""
    return copy.deepcopy(made)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """Loads a payload's page from the disk; in the end, nothing was said on the console and nothing requested."""
    opened = []

    def show(payload: Any, width: int = 1280, height: int = 900, dark: bool = False, touch: bool = False) -> Any:
        path = tmp_path / "report.html"
        path.write_text(render(payload), encoding="utf-8")
        view = {"width": width, "height": height}
        context = browser.new_context(viewport=view, color_scheme="dark" if dark else "light", has_touch=touch)
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
