"""What several tests use: a photograph from a package, and one thread."""

from collections.abc import Callable
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
def filtering(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The default weights without directions of filters of pictures' own, and as they are shipped."""
    from latens.weights.package import load, pack
    from latens.weights.shelf import select

    own, plain = select("latens", 50), tmp_path_factory.mktemp("filtering") / "plain.ltm"
    whole = load(own)
    members = {name: member for name, member in whole.members.items() if not name.startswith("filters.")}
    pack(plain, whole.card, members)
    return plain, own


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """PyTorch, where it is installed, takes one thread: sums come out the same on every machine."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
