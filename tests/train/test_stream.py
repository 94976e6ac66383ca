"""Pictures read while training goes on."""

import dataclasses
import io
import os
import tarfile
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import TrainingError  # noqa: E402
from latens.train import run, stream  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.parallel import Share  # noqa: E402
from latens.train.stream import Crops, Stream  # noqa: E402

QUIET = run.Setup(torch.device("cpu"), quiet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shards of five pictures of 48x48; every sample of picture k is k."""
    root = tmp_path_factory.mktemp("shards")
    for number in range(4):
        with tarfile.open(root / f"{number}.tar", "w") as shard:
            for k in range(5 * number, 5 * number + 5):
                buffer = io.BytesIO()
                Image.fromarray(np.full((48, 48, 3), k, np.uint8)).save(buffer, "PNG")
                member = tarfile.TarInfo(f"{k}.png")
                member.size = len(buffer.getvalue())
                shard.addfile(member, io.BytesIO(buffer.getvalue()))
    return root


def names(folder: Path, count: int = 4) -> list[str]:
    return [str(folder / f"{number}.tar") for number in range(count)]


def drawn(crops: Crops, count: int) -> list[int]:
    """Which pictures the first ``count`` crops are from."""
    return [int(crop[0, 0, 0]) for crop in islice(crops, count)]


def test_every_picture_comes_once_an_epoch_in_an_order_of_its_own(folder: Path) -> None:
    order = drawn(Crops(names(folder), 32, (0, 0), buffer=0), 60)
    epochs = [order[:20], order[20:40], order[40:]]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize(("shards", "counts"), [(4, (10, 10)), (1, (3, 2))])
def test_readers_share_shards_or_pictures_without_overlap(
    folder: Path, shards: int, counts: tuple[int, int]
) -> None:
    readers = [Crops(names(folder, shards), 32, (3, 1), Share(rank, 2), 0) for rank in range(2)]
    epochs = [drawn(reader, count) for reader, count in zip(readers, counts, strict=True)]
    assert sorted(epochs[0] + epochs[1]) == list(range(5 * shards))


def test_the_buffer_mixes_shards(folder: Path) -> None:
    straight = drawn(Crops(names(folder), 32, (0, 0), buffer=0), 40)
    mixed = drawn(Crops(names(folder), 32, (0, 0), buffer=12), 40)

    def jumps(order: list[int]) -> int:
        return sum(a // 5 != b // 5 for a, b in pairwise(order))

    assert jumps(straight) <= 8 and jumps(mixed) > 16
    assert drawn(Crops(names(folder), 32, (0, 0), buffer=12), 40) == mixed
    assert drawn(Crops(names(folder), 32, (1, 0), buffer=12), 40) != mixed


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_a_share_of_the_crops(folder: Path, workers: int) -> None:
    stream = Stream([str(folder / "{0..3}.tar")], 32, workers)
    batches = [stream.batch(8, 32, 0, step, Share(1, 2)) for step in range(3)]
    assert all(batch.shape == (4, 32, 32, 3) and batch.dtype == torch.uint8 for batch in batches)
    assert len({int(crop[0, 0, 0]) for batch in batches for crop in batch}) > 4


@pytest.mark.parametrize(("height", "width"), [(34, 36), (32, 32)])
def test_crops_come_from_all_positions_in_eight_orientations(tmp_path: Path, height: int, width: int) -> None:
    """The second picture is of the crop's size."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    picture = np.stack([rows, columns, np.zeros_like(rows)], -1)
    Image.fromarray(picture).save(tmp_path / "a.png")
    places = np.ndindex(height - 31, width - 31)
    windows = [picture[top : top + 32, left : left + 32] for top, left in places]
    turned = {np.rot90(one, k).tobytes() for window in windows for one in (window, window[::-1]) for k in range(4)}
    assert len(turned) == 8 * (height - 31) * (width - 31)
    crops = Crops([str(tmp_path / "a.png")], 32, (0, 0), buffer=0)
    assert {crop.numpy().tobytes() for crop in islice(crops, 12 * len(turned))} == turned


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")
def test_readers_leave_signals_to_the_training_process(folder: Path) -> None:
    streamed = Stream([str(folder / "{0..3}.tar")], 32, 2)
    streamed.batch(2, 32, 0, 0)
    for reader in streamed._crops._workers:  # type: ignore[union-attr]
        for number in stream.ENDINGS:
            os.kill(reader.pid, number)
    assert all(len(streamed.batch(2, 32, 0, step)) == 2 for step in range(20))  # far more than wait already


def test_what_is_looked_at_of_a_stream_is_the_centre_of_large_pictures(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (602, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    (kept,) = Stream([tmp_path], 32).some(400).pictures
    assert np.array_equal(kept, picture[45:557]) and kept.base is None


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, none of which is waited for."""
    found: list[float] = []
    monkeypatch.setattr(stream, "time", SimpleNamespace(sleep=found.append))
    return found


def test_a_source_that_goes_away_ends_the_run(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """It is there, away for two epochs, there again, and away for good."""
    there = [True, False, False, True, *[False] * stream.PATIENCE]

    def usable(*_: object) -> Iterator[np.ndarray]:
        if there.pop(0):
            yield np.zeros((32, 32, 3), np.uint8)

    monkeypatch.setattr(stream, "usable", usable)
    crops = iter(Crops(["a.tar"], 32, (0, 0), buffer=0))
    assert len([next(crops), next(crops)]) == 2 and len(pauses) == 2
    with pytest.raises(TrainingError, match="no usable picture in 3 epochs: what it read before is gone"):
        next(crops)
    assert not there and pauses == [stream.PAUSE] * 4


def test_nothing_usable_is_an_error(folder: Path, pauses: list[float]) -> None:
    with pytest.raises(TrainingError, match="no usable pictures of 64 pixels and more in 4 shards"):
        Stream([folder], 64)
    with pytest.raises(TrainingError, match="reader 5 of 6 found no usable picture"):
        drawn(Crops(names(folder, 1), 32, (0, 0), Share(5, 6), 0), 1)


def test_a_broken_shard_is_left_out_and_told_once(folder: Path, tmp_path: Path, capsys) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"x" * 3000)
    order = drawn(Crops([str(broken), *names(folder)[1:]], 32, (0, 0), buffer=0), 45)
    assert all(sorted(order[start : start + 15]) == list(range(5, 20)) for start in (0, 15, 30))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith("note: left out: ") and "broken.tar" in told[0]
    with pytest.raises(TrainingError, match="no usable pictures"):
        Stream([str(broken)], 32)


def test_a_streamed_run_trains_and_is_resumed(tmp_path: Path, photograph: np.ndarray) -> None:
    for k in range(4):
        Image.fromarray(photograph[64 * k : 64 * k + 64, :96]).save(tmp_path / f"{k}.png")
    options = Options(
        sizes={"N1": 8, "N2": 8, "M": 8}, data=(str(tmp_path),), steps=2, batch=2, crop=32, radius=16,
        stream=True, workers=0,
    )  # fmt: skip
    engine = run.begin(tmp_path / "run", dataclasses.replace(options), QUIET)
    assert isinstance(engine.pictures, Stream) and engine.train()
    resumed = run.resume(tmp_path / "run", QUIET, steps=4)
    assert resumed.train() and resumed.step == 4
