"""What several tests use: a photograph from a package, and one thread."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real photograph, uint8 (512, 512, 3), from scikit-image's own files."""
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def recording() -> Callable[[type], type]:
    """Makes a channel's class one that remembers which table, of ``index``, coded which of its ``symbols``."""

    def made(kind: type) -> type:
        class Recording(kind):
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                self.symbols: list[np.ndarray] = []
                self.index: list[np.ndarray] = []

            def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
                arrived = super()._exchange(symbols, index)
                self.symbols.append(arrived)
                self.index.append(index)
                return arrived

        return Recording

    return made


@pytest.fixture(scope="session")
def filtering(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> tuple[Path, Path]:
    """The default weights without filters of pictures' own, and with some found from three small pictures."""
    from latens.train.filters import QUALITIES, directions
    from latens.weights.package import as_members, load, pack
    from latens.weights.shelf import select

    folder = tmp_path_factory.mktemp("filtering")
    whole = load(select("latens", 50))
    members = {name: member for name, member in whole.members.items() if not name.startswith("filters.")}
    pack(folder / "plain.ltm", whole.card, members)
    parts = photograph[:192, 100:292], data.coffee()[60:252, 150:342], photograph[:192, 300:492]
    pictures = [np.ascontiguousarray(one) for one in parts]
    arrays = directions(load(folder / "plain.ltm"), product(pictures, QUALITIES))
    pack(folder / "own.ltm", whole.card, {**members, **as_members(arrays)})
    return folder / "plain.ltm", folder / "own.ltm"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """PyTorch, where it is installed, takes one thread: sums come out the same on every machine."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
