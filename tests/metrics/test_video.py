"""VMAF against another implementation, and what it says where it cannot be had."""

import subprocess
import sys

import numpy as np
import pytest

from latens.errors import LatensError, MissingExtraError, UnsupportedPictureError
from latens.metrics import METRICS, vmaf

needed = pytest.mark.skipif(not METRICS["vmaf"].available(), reason="imageio-ffmpeg is not installed")


@needed
@pytest.mark.parametrize(
    ("photograph", "distortion", "expected"),
    [
        ("astronaut 512x512", "coarse 64", 48.01668),
        ("astronaut 512x512", "smooth 1", 73.82169),
        ("astronaut 512x512", "smooth 3", 22.82621),
        ("cat 451x300", "coarse 16", 92.70807),
        ("cat 451x300", "noisy 24", 84.26546),
        ("cat 451x300", "smooth 3", 33.16070),
    ],
)
def test_vmaf_is_that_of_vmaf_torch(pair, photograph: str, distortion: str, expected: float) -> None:
    """Answers of vmaf-torch 1.1.0, which counts in float32 where libvmaf has whole numbers.

    libvmaf's model in floats, vmaf_float_v0.6.1, gives these within 0.001.
    """
    assert vmaf(*pair(photograph, distortion)) == pytest.approx(expected, abs=0.05)


@needed
def test_identical_stills_fall_short_of_100(photograph: np.ndarray) -> None:
    assert vmaf(photograph, photograph) == pytest.approx(97.428, abs=0.01)


@needed
def test_colour_does_not_count(photograph: np.ndarray) -> None:
    grey = np.repeat(np.rint(photograph @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=2).astype(np.uint8)
    assert vmaf(photograph, grey) > 97


def test_small_pictures_are_refused() -> None:
    tiny = np.zeros((31, 300, 3), np.uint8)
    with pytest.raises(UnsupportedPictureError, match="300x31 pixels: VMAF needs at least 32"):
        vmaf(tiny, tiny)


def test_without_its_package_vmaf_says_what_to_install(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"imageio-ffmpeg is not installed: VMAF .*latens\[vmaf\]"):
        vmaf(photograph, photograph)


@pytest.mark.parametrize(
    ("code", "words", "kind", "said"),
    [
        (8, "[AVFilterGraph] No such filter: 'libvmaf'", MissingExtraError, "an ffmpeg with libvmaf"),
        (1, "one\nout of memory", LatensError, "failed: out of memory"),
        (-11, "", LatensError, "failed: exit code -11"),
    ],
)
def test_a_failing_ffmpeg_is_quoted(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, code: int, words: str, kind: type, said: str
) -> None:
    class Ffmpeg:
        get_ffmpeg_exe = staticmethod(lambda: "ffmpeg")

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", Ffmpeg)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, code, "", words))
    with pytest.raises(kind, match=said):
        vmaf(photograph, photograph)
