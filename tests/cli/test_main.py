"""Exit codes, streams and help of the whole program."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from latens.cli import options

PROGRAM = [sys.executable, "-c", "import sys; from latens.cli import main; sys.exit(main())"]


def latens(*arguments: str, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    """A fresh process."""
    return subprocess.run([*PROGRAM, *arguments], stdout=stdout, stderr=subprocess.PIPE, timeout=60)


def test_the_version_is_the_packages() -> None:
    done = latens("--version")
    assert (done.returncode, done.stdout.decode().strip(), done.stderr) == (
        0,
        f"latens {version('latens')}",
        b"",
    )


@pytest.mark.parametrize("command", ["encode", "decode", "info", "models", "train"])
def test_every_command_explains_itself_with_examples(run, command: str) -> None:
    for flag in ("--help", "-h"):
        status, out, err = run(command, flag)
        assert (status, err) == (0, "")
        assert f"latens {command}" in out.decode() and "Example" in out.decode()


def test_no_command_shows_the_commands_and_is_a_usage_error(run) -> None:
    status, out, err = run()
    assert status == 2 and "no command is given" in err
    assert "decode" in out.decode() + err


@pytest.mark.parametrize(
    "arguments",
    [["nonesuch"], ["encode"], ["encode", "a", "b"], ["encode", "a", "--nonesuch"], ["info", "-q"]],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(run, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, b"")
    assert err.startswith("latens: error: ") and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MemoryError(), 1, "not enough memory"),
        (PermissionError(13, "Permission denied", "somewhere"), 1, "somewhere: Permission denied"),
        (KeyError("x"), 1, "KeyError: 'x' (a defect of latens"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_nothing_reaches_the_user_as_a_traceback(
    run, picture: Path, codec, error: BaseException, status: int, text: str
) -> None:
    def fail() -> None:
        raise error

    codec.during_encode = fail
    result = run("encode", picture)
    assert result.status == status and text in result.err
    assert "Traceback" not in result.err and len(result.err.splitlines()) <= 1
    assert [path.name for path in picture.parent.iterdir()] == ["photo.png"]


def test_debugging_shows_the_traceback_and_the_same_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENS_DEBUG", "1")
    status, _, err = run("info", "/nonexistent")
    assert status == 1 and "Traceback" in err
    assert err.splitlines()[-1] == "latens: error: cannot read /nonexistent: No such file or directory"


def test_a_reader_that_leaves_early_hears_no_complaint(file: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        for arguments in (["--version"], ["info", str(file), "--json"]):
            done = latens(*arguments, stdout=pipe)
            assert (done.returncode, done.stderr) == (1, b"")


def test_letters_that_the_terminal_lacks_are_shown_as_escapes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    other = file.rename(file.with_name("\u5199.ltn"))
    done = latens("info", str(other), stdout=subprocess.PIPE)
    assert done.returncode == 0 and rb"\u5199.ltn" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_standard_output_is_an_error(file: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = latens("info", str(file), stdout=full)
    assert (done.returncode, done.stderr) == (1, b"latens: error: output: No space left on device\n")


def test_the_defaults_are_the_librarys() -> None:
    from inspect import signature

    from latens import codec, image, search, systems

    assert options.MAX_PIXELS == codec.MAX_PIXELS == image.MAX_PIXELS
    assert options.MODEL == codec.DEFAULT_MODEL
    assert signature(codec.encode).parameters["quality"].default == options.QUALITY
    assert options.MOST_EFFORT == search.MOST_EFFORT
    assert {model.effort for model in systems.MODELS.values()} == {options.EFFORT}
