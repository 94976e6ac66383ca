"""The documents are true: tables are those of the results, links lead somewhere, the translation keeps step."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from latens.classic import CODECS
from latens.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = (*READMES, *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("docs/**/*.md"))))
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ABSOLUTE = re.compile(r"(?<![\w./~-])(?:/(?:work|root|home|tmp|mnt|Users)/|[A-Z]:\\)[^\s`)]*")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def links_of(text: str) -> set[str]:
    """Targets of the links to other files, without the headings that they point to."""
    targets = LINK.findall(FENCED.sub("", text))
    return {target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)}


def commands_of(text: str) -> list[str]:
    """The lines of the fenced code, without comments and blank lines."""
    lines = (line for block in FENCED.findall(text) for line in block.splitlines())
    return [code for line in lines if (code := re.sub(r"(^|\s)#.*", "", line).rstrip())]


def test_links_commands_and_paths_are_found_where_there_are_some() -> None:
    text = "[a](docs/a.md#here) [b](https://b.org) [c](#c)\n```\n# only this\nlatens info x   # [d](d.md)\n```\n"
    assert links_of(text) == {"docs/a.md"}
    assert commands_of(text) == ["latens info x"]
    assert ABSOLUTE.findall("in `/home/me/x.png`, ../home/a, docs/tmp/b and https://c.org/home/d") == [
        "/home/me/x.png"
    ]


def test_tables_are_what_the_committed_results_give() -> None:
    command = [sys.executable, "benchmarks/tables.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    folder = (ROOT / document).parent
    assert [link for link in sorted(links_of(text_of(document))) if not (folder / link).exists()] == []


def test_both_readmes_have_the_same_commands() -> None:
    english, chinese = (commands_of(text_of(readme)) for readme in READMES)
    assert len(english) > 10
    assert chinese == english


@pytest.mark.parametrize("readme", READMES)
def test_readmes_name_every_codec_and_metric_by_its_id(readme: str) -> None:
    text = text_of(readme)
    assert [name for name in (*CODECS, *METRICS) if f"`{name}`" not in text] == []


def test_both_readmes_have_the_same_links_and_name_each_other() -> None:
    english, chinese = (links_of(text_of(readme)) for readme in READMES)
    assert english - chinese == {READMES[1]} and chinese - english == {READMES[0]}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_names_a_path_of_somebody_s_machine(document: str) -> None:
    assert ABSOLUTE.findall(text_of(document)) == []
