"""What several tests use: photographs from packages, the project's data where it is present."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real photograph, uint8 (512, 512, 3), from scikit-image's own files."""
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def kodak() -> list[Path]:
    """The Kodak pictures."""
    paths = sorted((SHARED / "kodak").glob("*.png"))
    if not paths:
        pytest.skip("the Kodak pictures are not beside the repository (../shared/data/kodak)")
    return paths


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """PyTorch, where it is installed, takes one thread: sums come out the same on every machine."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
