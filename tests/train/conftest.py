"""What several tests of training use."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    """A folder of three pictures, 128x128."""
    folder = tmp_path_factory.mktemp("few")
    for k in range(3):
        Image.fromarray(photograph[100 * k : 100 * k + 128, 60 * k : 60 * k + 128]).save(folder / f"{k}.png")
    return folder
