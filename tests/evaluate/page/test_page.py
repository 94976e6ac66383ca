"""The report page's source: data stand in it whole, and cannot become markup."""

import json
import re
from typing import Any

import pytest

from latens.evaluate.page import render


def test_data_cannot_end_their_script_and_come_back_whole(payload: dict[str, Any]) -> None:
    html = render({**payload, "notes": ["a\u2028b\u2029c & <!-- d"]})
    assert "<script>alert" not in html
    assert html.count("</script>") == 2
    assert not {"\u2028", "\u2029", "<!-- d"} & set(re.findall("\u2028|\u2029|<!-- d", html))
    assert "<title>few &amp; &lt;script&gt;" in html
    inside = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1]) == {**payload, "notes": ["a\u2028b\u2029c & <!-- d"]}


def test_words_in_the_data_are_not_taken_for_places_of_the_page(payload: dict[str, Any]) -> None:
    html = render({**payload, "title": "{{data}} {{style}}"})
    assert "<title>{{data}} {{style}}</title>" in html


def test_numbers_that_json_cannot_say_are_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        render({**payload, "notes": [float("nan")]})


def test_nothing_is_fetched_from_anywhere(payload: dict[str, Any]) -> None:
    source = render({**payload, "pictures": []})
    addresses = set(re.findall(r"""https?://[^"'\s)]+""", source))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not fetched
    assert "@import" not in source
    assert 'rel="stylesheet"' not in source
