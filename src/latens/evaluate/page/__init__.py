"""The report page: one HTML file that needs no network, from plain data (`latens.evaluate.payload`).

Styles and scripts are small files of this package, put into the page as they are; the data stand in it as JSON,
escaped so that nothing in them can end the script or begin another.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

SCRIPTS = (
    "dom.js", "style.js", "axes.js", "chart.js", "curves.js", "compared.js", "tables.js",
    "zoom.js", "figures.js", "viewer.js", "app.js",
)  # fmt: skip
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render(payload: Mapping[str, Any]) -> str:
    """The page of a payload.

    Raises:
        ValueError: a number in it is infinite or none at all, which JSON cannot say
    """
    data = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        data = data.replace(character, escape)
    parts = {
        "title": html.escape(str(payload["title"])),
        "style": _text("style.css"),
        "script": "\n".join(_text(name) for name in SCRIPTS),
        "data": data,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _text("page.html"))  # in one pass


def _text(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")
