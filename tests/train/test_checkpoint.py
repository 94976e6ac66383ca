"""The averaged weights, and states that reach the disk whole or not at all."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import DiskFullError, TrainingError  # noqa: E402
from latens.train import checkpoint  # noqa: E402

CPU = torch.device("cpu")


def module(value: float):
    made = torch.nn.Linear(2, 1)
    for weight in made.parameters():
        torch.nn.init.constant_(weight, value)
    return made


def test_an_average_is_its_recursion_and_young_ones_follow_faster() -> None:
    average, expected = checkpoint.Average(module(1.0), 0.9), 1.0
    kept = []
    for step in range(100):
        average.update(module(float(step)), step)
        kept.append(min(0.9, (1 + step) / (10 + step)))
        expected = kept[-1] * expected + (1 - kept[-1]) * step
        assert average.shadow["weight"].flatten().tolist() == pytest.approx([expected] * 2, rel=1e-4)
    assert kept[0] == 0.1 and kept[-1] == 0.9


def test_applying_an_average_gives_back_what_was_there() -> None:
    average, current = checkpoint.Average(module(1.0), 0.9), module(2.0)
    before = average.apply(current)
    assert current.bias.item() == 1 and before["bias"].item() == 2
    current.load_state_dict(before)
    assert current.bias.item() == 2 and average.shadow["bias"].item() == 1


def test_an_average_is_a_copy() -> None:
    source = module(1.0)
    average = checkpoint.Average(source, 0.9)
    torch.nn.init.zeros_(source.weight)
    assert (average.shadow["weight"] == 1).all()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 3, "module": module(1.5).state_dict()})
    checkpoint.save(path, {"step": 4, "module": module(2.5).state_dict()})
    state = checkpoint.load(path, CPU)
    assert state["step"] == 4 and (state["module"]["weight"] == 2.5).all()
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]


def stop_half_way(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let PyTorch write a part of what it is to save, and fail."""

    def half(state: object, target: Path) -> None:
        target.write_bytes(b"half a checkpoint")
        raise error

    monkeypatch.setattr(torch, "save", half)


def test_an_interrupted_save_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 3})
    stop_half_way(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, {"step": 4})
    assert checkpoint.load(path, CPU) == {"step": 3}
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize(
    ("error", "free", "kind", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 10**9, DiskFullError, "it takes 12 bytes"),
        (RuntimeError("file write failed"), 11, DiskFullError, "it takes 12 bytes, and no space is left"),
        (RuntimeError("file write failed"), 12, TrainingError, "file write failed"),
        (PermissionError(errno.EACCES, "denied"), 0, TrainingError, "denied"),
    ],
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_previous_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, free: int, kind: type, said: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 3})
    stop_half_way(monkeypatch, error)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(kind, match=rf"cannot write .*checkpoint\.pt: .*{said}"):
        checkpoint.save(path, {"step": 4, "module": module(2.5).state_dict(), "history": (1, 2.0)})
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert checkpoint.load(path, CPU) == {"step": 3}


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Trap()}, "checkpoint.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        checkpoint.load(Path("checkpoint.pt"), CPU)
    assert not Path("sprung").exists()


def test_a_missing_checkpoint_is_a_training_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "checkpoint.pt", CPU)
