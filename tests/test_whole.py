"""Files that are whole or not there, and who writes so."""

import errno
import os
from pathlib import Path

import pytest

from latens.whole import is_full, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_name_once_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fsync, seen = tmp_path / "a", os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(path.read_text()), fsync(descriptor)))
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path and path.read_text() == "old"
    assert seen[0] == "old" and path.read_text() == "new" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("wrong"), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["a"]


def test_without_force_a_name_that_is_taken_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path, force=False) as temporary:
        temporary.write_text("first")
    with pytest.raises(FileExistsError), replacing(path, force=False) as temporary:
        temporary.write_text("second")
    assert path.read_text() == "first" and names(tmp_path) == ["a"]


def test_files_have_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EFBIG, ""), True),
        (OSError(errno.EIO, ""), False),
        (RuntimeError("No space left on device"), False),
    ],
)
def test_a_full_disk_is_told_from_other_troubles(error: Exception, full: bool) -> None:
    assert is_full(error) is full
