"""Where pictures lie: braces, folders, and URLs."""

import functools
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import MissingExtraError, TrainingError
from latens.train.data import Pictures
from latens.train.sources import decoded, encoded, expanded, shards


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def root(tmp_path: Path, photograph: np.ndarray) -> Path:
    """Two shards of two pictures each, and one picture beside them."""
    for number in range(2):
        with tarfile.open(tmp_path / f"shard-{number:02d}.tar", "w") as shard:
            for k in range(2):
                buffer = io.BytesIO()
                at = 64 * (2 * number + k)
                Image.fromarray(photograph[at : at + 64, :80]).save(buffer, "PNG")
                member = tarfile.TarInfo(f"{k}.png")
                member.size = len(buffer.getvalue())
                shard.addfile(member, io.BytesIO(buffer.getvalue()))
    Image.fromarray(photograph[:64, 80:160]).save(tmp_path / "single.png")
    return tmp_path


@pytest.fixture
def url(root: Path) -> Iterator[str]:
    """The same over HTTP."""
    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_braces_stand_for_ranges_and_choices() -> None:
    assert expanded(["a-{08..11}.tar"]) == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expanded(["{x,y}/{0..1}.tar", "z"]) == ["x/0.tar", "x/1.tar", "y/0.tar", "y/1.tar", "z"]
    assert expanded(["{11..09}.tar"]) == ["11.tar", "10.tar", "09.tar"]
    assert expanded(["http://h/{0..1}.tar"]) == ["http://h/0.tar", "http://h/1.tar"]
    assert expanded(["{odd}/a{}.tar", "{odd}/{1,2}"]) == ["{odd}/a{}.tar", "{odd}/1", "{odd}/2"]


def test_a_folder_is_its_files_and_a_url_is_left_alone(root: Path) -> None:
    names = ["shard-00.tar", "shard-01.tar", "single.png"]
    assert shards([str(root)]) == [str(root / name) for name in names]
    assert shards([f"{root}/shard-{{00..01}}.tar"]) == [str(root / name) for name in names[:2]]
    assert shards(["s3://bucket/a-{0..1}.tar"]) == ["s3://bucket/a-0.tar", "s3://bucket/a-1.tar"]
    with pytest.raises(TrainingError, match=r"shard-02\.tar cannot be read"):
        shards([f"{root}/shard-{{00..02}}.tar"])


def test_pictures_behind_urls_are_those_on_the_disk(root: Path, url: str) -> None:
    local = Pictures.load([root / "shard-00.tar", root / "shard-01.tar", root / "single.png"], 32, quiet=True)
    remote = Pictures.load([f"{url}/shard-{{00..01}}.tar", f"{url}/single.png"], 32, quiet=True)
    assert len(remote) == len(local) == 5
    assert all(np.array_equal(a, b) for a, b in zip(remote.pictures, local.pictures, strict=True))


def test_what_a_server_does_not_have_or_cuts_short_is_named(root: Path, url: str) -> None:
    with pytest.raises(TrainingError, match=r"absent\.tar cannot be read"):
        list(encoded(f"{url}/absent.tar"))
    whole = (root / "shard-00.tar").read_bytes()
    (root / "cut.tar").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(TrainingError, match=r"cut\.tar cannot be read as a tar shard"):
        list(encoded(f"{url}/cut.tar"))
    with pytest.raises(TrainingError, match=r"nothing://a\.tar cannot be read"):
        list(encoded("nothing://a.tar"))


def test_a_damaged_header_is_not_the_end_of_a_shard(root: Path) -> None:
    path = root / "shard-00.tar"
    whole = bytearray(path.read_bytes())
    with tarfile.open(path) as shard:
        second = shard.getmembers()[1].offset
    path.write_bytes(whole[:second])  # without the blocks of zeros that end an archive
    assert len(list(encoded(str(path)))) == 1
    path.write_bytes(whole[: second + 100])
    with pytest.raises(TrainingError, match=rf"as a tar shard: at byte {second}: truncated header"):
        list(encoded(str(path)))
    whole[second] ^= 1
    path.write_bytes(whole)
    read = encoded(str(path))
    assert next(read)[0].endswith("0.png")
    with pytest.raises(TrainingError, match=rf"as a tar shard: at byte {second}: bad checksum"):
        next(read)


def test_pictures_of_more_than_8_bits_are_no_training_data() -> None:
    for mode, kind in (("I;16", np.uint16), ("I", np.int32), ("F", np.float32)):
        buffer = io.BytesIO()
        Image.fromarray(np.full((32, 32), 40000, kind)).save(buffer, "TIFF")
        found = decoded(("a.tif", buffer.getvalue()))
        assert isinstance(found, str) and found == f"a.tif: it is of mode {mode}, and must have 8 bits a sample"


def test_a_protocol_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"s3://bucket/a\.tar needs another package: .*s3fs"):
        list(encoded("s3://bucket/a.tar"))
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"https://host/a\.tar needs fsspec"):
        list(encoded("https://host/a.tar"))
