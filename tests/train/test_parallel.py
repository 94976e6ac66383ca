"""Two processes train what one process trains with the whole batch."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from latens.errors import LatensError, TrainingError  # noqa: E402
from latens.train import run  # noqa: E402
from latens.train.options import Options  # noqa: E402
from latens.train.parallel import ALONE, Processes, Share  # noqa: E402

CPU = torch.device("cpu")
QUIET = run.Setup(CPU, quiet=True)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Options:
    folder, held_out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("held_out")
    for k in range(4):
        Image.fromarray(photograph[100 * k : 100 * k + 96, 60 * k : 60 * k + 128]).save(folder / f"{k}.png")
    for k in range(9):  # a batch of eight, and one more
        Image.fromarray(photograph[20 * k : 20 * k + 256, 100:356]).save(held_out / f"{k}.png")
    return Options(
        model="balle2018", sizes={"N1": 4, "N2": 4, "N3": 8, "M": 8, "Nh": 4, "levels": 3}, data=(str(folder),),
        validation=(str(held_out),), lmbda=0.05, steps=6, batch=4, crop=64, radius=16, warmup=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, options: Options) -> tuple[Path, list[dict]]:
    """The folder of two processes' runs, and what each of the two says."""
    folder = tmp_path_factory.mktemp("runs")
    options.save(folder / "options.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*command, str(Path(__file__).with_name("two_processes.py")), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize(
    ("name", "changed", "near"),
    [("whole", {}, 1e-3), ("priors", {"only": "priors"}, 1e-3), ("soap", {"optimiser": "soap"}, 2e-2)],
)
def test_two_processes_reach_what_one_reaches_with_the_whole_batch(
    together: tuple[Path, list[dict]], tmp_path: Path, options: Options, name: str, changed: dict, near: float
) -> None:
    """SOAP less exactly: rounding decides which eigenvectors it takes where eigenvalues are equal, as at 0."""
    folder, (first, second) = together
    alone = run.begin(tmp_path / "alone", dataclasses.replace(options, **changed), QUIET)
    start = {key: value.clone() for key, value in alone.module.state_dict().items()}
    alone.train(every=2)
    assert first[name] == second[name] and first[name]["step"] == 6
    for key, value in alone.validate().items():
        assert first[name]["validation"][key] == pytest.approx(value, rel=near)
    mine, theirs = (
        [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
        for path in (tmp_path / "alone", folder / name)
    )
    assert [line["step"] for line in mine] == [line["step"] for line in theirs] == [2, 4, 6, 6]
    assert [line["loss"] for line in theirs] == pytest.approx([line["loss"] for line in mine], rel=near)
    saved = torch.load(folder / name / "checkpoint.pt", weights_only=True)
    for state, weights in ((saved["module"], alone.module.state_dict()), (saved["average"], alone.average.shadow)):
        moved = sum(float((weights[key] - start[key]).square().sum()) for key in start)
        apart = sum(float((weights[key] - state[key]).square().sum()) for key in start)
        assert moved > 0 and (apart < 1e-4 * moved or name == "soap")


def test_a_signal_to_one_ends_the_slice_of_both_after_the_same_step(together: tuple[Path, list[dict]]) -> None:
    folder, (first, second) = together
    assert first["signalled"] == second["signalled"]
    assert first["signalled"]["step"] == 3 and not first["signalled"]["finished"]
    assert torch.load(folder / "signalled" / "checkpoint.pt", weights_only=True)["step"] >= 3


def test_the_end_of_the_time_of_one_is_the_end_of_both(together: tuple[Path, list[dict]]) -> None:
    """Of two and a half steps, from the third on."""
    _, (first, second) = together
    assert first["late"] == second["late"]
    assert first["late"]["step"] == 6 and not first["late"]["finished"]


def test_a_step_that_is_not_finite_in_one_is_skipped_by_both(together: tuple[Path, list[dict]]) -> None:
    _, (first, second) = together
    assert first["holed"] == second["holed"]
    assert first["holed"]["step"] == 3 and first["holed"]["skipped"] == 1


def test_what_the_first_refuses_all_refuse(together: tuple[Path, list[dict]]) -> None:
    _, results = together
    for result in results:
        assert result["refused odd"] == "batch is 3, and must be a multiple of 2, the number of processes"
        assert "is not empty" in result["refused whole"]


def test_shares_are_the_parts_of_one_draw() -> None:
    whole = ALONE.uniform((6, 2, 3), torch.Generator().manual_seed(1), CPU)
    parts = [Share(rank, 3).uniform((2, 2, 3), torch.Generator().manual_seed(1), CPU) for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    assert [list(Share(rank, 3).indices(6)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_a_process_alone_asks_nobody() -> None:
    alone = Processes(CPU)
    assert alone.first and alone.share == ALONE and alone.device == CPU
    assert alone.highest(2) == 2 and alone.from_first(lambda: "read") == "read"
    assert torch.equal(alone.mean(torch.arange(3.0)), torch.arange(3.0))

    def refuse() -> None:
        raise TrainingError("no")

    with pytest.raises(LatensError, match="no"):
        alone.from_first(refuse)
    alone.leave()
