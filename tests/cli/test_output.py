"""Results reach the disk whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from latens.cli import output
from latens.errors import DiskFullError, ExistsError, OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refuse(number: int):
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def test_a_new_file_is_whole_and_alone(tmp_path: Path) -> None:
    output.write(str(tmp_path / "a"), b"data", force=False)
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"data"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    output.write(str(tmp_path / "a"), bytes(range(100)), force=False)
    assert (tmp_path / "a").read_bytes() == bytes(range(100))


def test_an_existing_file_survives_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(ExistsError, match="exists: -f"):
        output.write(str(target), b"new", force=False)
    assert target.read_bytes() == b"old"
    output.write(str(target), b"new", force=True)
    assert target.read_bytes() == b"new" and names(tmp_path) == ["a"]


def test_a_file_that_appears_meanwhile_survives_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, fsync = tmp_path / "a", os.fsync

    def appear(descriptor: int) -> None:
        fsync(descriptor)
        target.write_bytes(b"somebody else's")

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(ExistsError):
        output.write(str(target), b"new", force=False)
    assert target.read_bytes() == b"somebody else's" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EIO, OutputError)],
)
@pytest.mark.parametrize("function", ["write", "fsync"])
def test_a_failing_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, kind: type, force: bool
) -> None:
    target = tmp_path / "a"
    if force:
        target.write_bytes(b"old")
    monkeypatch.setattr(os, function, refuse(number))
    with pytest.raises(kind, match=os.strerror(number)) as caught:
        output.write(str(target), b"new", force=force)
    assert type(caught.value) is kind
    assert names(tmp_path) == (["a"] if force else []) and (not force or target.read_bytes() == b"old")


@pytest.mark.parametrize("word", [errno.EPERM, errno.ENOTSUP, errno.EINVAL, 45])  # Linux, Windows; 45 is macOS's
def test_file_systems_without_links_work_and_refuse_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: int
) -> None:
    monkeypatch.setattr(os, "link", refuse(word))
    target = tmp_path / "a"
    output.write(str(target), b"data", force=False)
    assert target.read_bytes() == b"data" and names(tmp_path) == ["a"]
    target.unlink()
    monkeypatch.setattr(os, "replace", refuse(errno.EIO))
    with pytest.raises(OutputError):
        output.write(str(target), b"data", force=False)
    assert names(tmp_path) == []


def test_folders_and_missing_folders_are_refused(tmp_path: Path) -> None:
    for force in (False, True):
        with pytest.raises(OutputError, match="it is a folder"):
            output.write(str(tmp_path), b"", force=force)
        with pytest.raises(OutputError, match="there is no folder"):
            output.write(str(tmp_path / "no" / "a"), b"", force=force)
    with pytest.raises(OutputError, match=r"[Nn]ame too long"):
        output.write(str(tmp_path / ("a" * 300)), b"", force=False)


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    output.write(str(tmp_path / ("a" * 255)), b"x", force=False)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        output.write(str(tmp_path / "a"), b"", force=False)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="making links takes a privilege on Windows")
def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("later")
    for name in ("link", "dangling"):
        with pytest.raises(ExistsError):
            output.write(str(tmp_path / name), b"new", force=False)
        output.write(str(tmp_path / name), b"new", force=True)
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new" == (tmp_path / "later").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_devices_are_written_into_and_a_full_one_says_so(run, picture: Path) -> None:
    assert run("encode", picture, "-o", "/dev/null").status == 0
    for force in ([], ["-f"]):
        status, _, err = run("encode", picture, "-o", "/dev/full", *force)
        assert status == 1 and "cannot write /dev/full: No space left on device" in err
    assert Path("/dev/full").is_char_device() and Path("/dev/null").is_char_device()


def test_binary_data_are_kept_from_a_terminal(run, picture: Path, codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, out, err = run("encode", picture, "-o", "-")
    assert (status, out) == (2, b"") and "terminal" in err and codec.calls == []


PROGRAM = """
import os, signal, sys, time
import latens
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from latens import cli

def wait(*_, **__):
    print("waiting", flush=True)
    time.sleep(30)

if sys.argv[1] == "encode":
    vars(latens)["encode"] = wait
else:
    vars(latens)["encode"] = lambda *_, **__: bytes(100)
    os.fsync = wait
sys.exit(cli.main(["encode", sys.argv[2]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
@pytest.mark.parametrize("moment", ["encode", "write"])
def test_a_signal_leaves_nothing(picture: Path, moment: str, number: int, status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, moment, str(picture)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    assert (len(names(picture.parent)) == 2) == (moment == "write")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status and b"Traceback" not in err
    assert names(picture.parent) == ["photo.png"]
