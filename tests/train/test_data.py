"""Pictures for training: found, decoded, drawn from."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import TrainingError  # noqa: E402
from latens.train.data import Pictures, to_input  # noqa: E402


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    shard.addfile(member, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path, photograph: np.ndarray) -> Path:
    """Mixed sizes and modes, a nested folder, a shard, damage and what is no picture."""
    root = tmp_path / "photos"
    (root / "deeper").mkdir(parents=True)
    (root / "trap.png").mkdir()
    Image.fromarray(photograph[:64, :80]).save(root / "a.png")
    Image.fromarray(photograph[:100, :60]).convert("L").save(root / "deeper" / "grey.JPG", "JPEG")
    Image.fromarray(photograph[:70, :70]).convert("RGBA").save(root / "deeper" / "b.webp", lossless=True)
    (root / "broken.png").write_bytes(png(photograph[:64, :64])[:500])
    (root / "words.jpg").write_text("no picture")
    (root / "notes.txt").write_text("no picture, and none is promised")
    Image.fromarray(photograph[:20, :90]).save(root / "flat.png")
    with tarfile.open(root / "shard.tar", "w") as shard:
        add(shard, "one.png", png(photograph[100:150, 100:170]))
        add(shard, "one.json", b"{}")
        add(shard, "folder/two.png", png(photograph[100:140, 100:140]))
    return root


def load(*sources: Path, smallest: int = 40) -> Pictures:
    return Pictures.load(sources, smallest, quiet=True)


def test_a_folder_is_searched_through_and_its_shards_too(folder: Path, photograph: np.ndarray) -> None:
    pictures = load(folder)
    sizes = [picture.shape for picture in pictures.pictures]
    assert sorted(sizes) == [(40, 40, 3), (50, 70, 3), (64, 80, 3), (70, 70, 3), (100, 60, 3)]
    assert all(picture.dtype == np.uint8 for picture in pictures.pictures) and len(pictures) == 5
    assert any(np.array_equal(picture, photograph[:64, :80]) for picture in pictures.pictures)
    grey = next(picture for picture in pictures.pictures if picture.shape == (100, 60, 3))
    assert np.array_equal(grey[..., 0], grey[..., 1]) and grey.std() > 10


def test_unreadable_files_are_recorded_by_name(folder: Path) -> None:
    unreadable = load(folder).unreadable
    assert len(unreadable) == 2
    assert [Path(line.split(":")[0]).name for line in sorted(unreadable)] == ["broken.png", "words.jpg"]


def test_a_member_of_a_shard_is_recorded_with_its_shard(tmp_path: Path, photograph: np.ndarray) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        add(shard, "good.png", png(photograph[:50, :50]))
        add(shard, "bad.png", b"nothing")
    pictures = load(tmp_path / "s.tar")
    assert len(pictures) == 1 and "s.tar:bad.png" in pictures.unreadable[0]


def test_small_pictures_are_left_out_and_a_side_of_exactly_the_least_is_kept(folder: Path) -> None:
    assert len(load(folder, smallest=40)) == 5
    assert len(load(folder, smallest=41)) == 4
    assert len(load(folder, smallest=20)) == 6


def test_sources_are_taken_together(folder: Path) -> None:
    assert len(load(folder / "a.png", folder / "shard.tar", folder / "deeper")) == 5


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
def test_a_picture_too_large_for_pillow_is_unreadable_not_fatal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # beyond twice that Pillow refuses
    pictures = load(folder)
    assert sorted(picture.shape for picture in pictures.pictures) == [(40, 40, 3), (50, 70, 3)]
    assert any("decompression bomb" in line for line in pictures.unreadable)


def test_nothing_usable_is_an_error_that_says_what_was_found(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="8 files found, 2 unreadable, 6 smaller than 101 pixels"):
        load(folder, smallest=101)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="0 files found"):
        load(tmp_path / "empty")


def test_a_missing_source_and_a_broken_shard_are_errors_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nonesuch is neither a folder, a tar shard, a picture nor a URL"):
        load(tmp_path / "nonesuch")
    (tmp_path / "broken.tar").write_bytes(b"x" * 3000)
    with pytest.raises(TrainingError, match=r"broken\.tar cannot be read as a tar shard"):
        load(tmp_path / "broken.tar")
    with pytest.raises(TrainingError, match=r"absent\.tar"):
        load(tmp_path / "absent.tar")


def test_a_batch_depends_on_seed_and_step_alone(folder: Path) -> None:
    first, second = load(folder), load(folder)
    expected = first.batch(6, 32, seed=3, step=5)
    for step in (9, 1, 4):  # what was drawn before does not matter
        second.batch(2, 16, seed=1, step=step)
    assert torch.equal(second.batch(6, 32, seed=3, step=5), expected)
    assert not torch.equal(first.batch(6, 32, seed=3, step=6), expected)
    assert not torch.equal(first.batch(6, 32, seed=4, step=5), expected)
    assert expected.shape == (6, 32, 32, 3) and expected.dtype == torch.uint8


def marked(height: int, width: int, mark: int) -> np.ndarray:
    """A picture whose samples say where they stand: row, column, picture."""
    r, c = np.mgrid[:height, :width]
    return np.stack([r, c, np.full_like(r, mark)], 2).astype(np.uint8)


def test_crops_come_from_everywhere_in_all_eight_orientations() -> None:
    pictures = Pictures([marked(40, 60, 0)], [])
    seen, turns = set(), set()
    for crop in np.concatenate([pictures.batch(100, 16, 0, step).numpy() for step in range(20)]).astype(int):
        rows, columns = crop[..., 0], crop[..., 1]
        assert rows.max() - rows.min() == columns.max() - columns.min() == 15, "not one square window"
        seen.add((rows.min(), columns.min()))
        turns.add((rows[1, 0] - rows[0, 0], rows[0, 1] - rows[0, 0], columns[1, 0] - columns[0, 0],
                   columns[0, 1] - columns[0, 0]))  # fmt: skip
    assert len(turns) == 8
    assert {r for r, _ in seen} == set(range(25)) and {c for _, c in seen} == set(range(45))


def test_pictures_are_drawn_in_proportion_to_their_area() -> None:
    pictures = Pictures([marked(32, 32, 0), marked(64, 96, 1)], [])
    marks = np.concatenate([pictures.batch(100, 32, 0, step)[:, 0, 0, 2].numpy() for step in range(20)])
    assert marks.mean() == pytest.approx(6 / 7, abs=0.03)


def test_a_crop_may_be_as_large_as_the_picture() -> None:
    crop = Pictures([marked(32, 32, 9)], []).batch(1, 32, 0, 0)
    assert crop[0, ..., 0].unique().tolist() == list(range(32))


def test_tiles_are_the_centres() -> None:
    tiles = Pictures([marked(40, 61, 0), marked(20, 20, 1)], []).tiles(20)
    assert tiles.shape == (2, 20, 20, 3)
    assert tiles[0, 0, 0].tolist() == [10, 20, 0] and tiles[1, 0, 0].tolist() == [0, 0, 1]


def test_the_networks_input_is_in_zero_to_one() -> None:
    x = to_input(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    assert x.shape == (1, 3, 1, 1) and x.dtype == torch.float32
    torch.testing.assert_close(x.flatten(), torch.tensor([0.0, 0.2, 1.0]))
