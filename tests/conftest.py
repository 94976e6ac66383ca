"""What several tests use: a photograph from a package, and one thread."""

import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real photograph, uint8 (512, 512, 3), from scikit-image's own files."""
    return np.asarray(data.astronaut())


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """PyTorch, where it is installed, takes one thread: sums come out the same on every machine."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
