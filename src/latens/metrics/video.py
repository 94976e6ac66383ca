"""VMAF, as the program of its authors computes it: libvmaf, in the ffmpeg that the package imageio-ffmpeg brings.

Z. Li, A. Aaron, I. Katsavounidis, A. Moorthy, M. Manohara, "Toward a practical perceptual video quality metric",
Netflix Technology Blog, 2016; https://github.com/Netflix/vmaf.

The model is vmaf_v0.6.1, trained on films at 1080 lines. It sees luma only, and a still picture as a film of one
frame: nothing moves. So identical pictures stay somewhat below 100 (97.4), and sharpening can raise a score.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latens.errors import LatensError, MissingExtraError, UnsupportedPictureError
from latens.metrics.fidelity import LUMA, require_pair

MODEL = "vmaf_v0.6.1"
LEAST = 32  # pixels a side; libvmaf gives up at 16


def vmaf(a: NDArray[Any], b: NDArray[Any]) -> float:
    """0 ... 100, more is better; ``a`` is the original.

    a, b: uint8 (H, W, 3), both sides at least 32. Their luma is that of BT.601 in limited range, rounded:
    Y = 16 + 219 (0.299 R + 0.587 G + 0.114 B) / 255.

    Raises:
        UsageError: other arrays
        UnsupportedPictureError: smaller pictures
        MissingExtraError: imageio-ffmpeg is not installed, or its ffmpeg was built without libvmaf
        LatensError: ffmpeg failed; with its last words
    """
    require_pair(a, b)
    height, width = a.shape[:2]
    if min(height, width) < LEAST:
        raise UnsupportedPictureError(f"picture of {width}x{height} pixels: VMAF needs at least {LEAST} a side")
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError as error:
        raise MissingExtraError(
            "package imageio-ffmpeg is not installed: VMAF needs pip install 'latens[vmaf]'"
        ) from error
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "original.yuv").write_bytes(_frame(a))
        (folder / "decoded.yuv").write_bytes(_frame(b))
        form = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{width}x{height}", "-i")
        options = f"libvmaf=model=version={MODEL}:log_fmt=json:log_path=scores.json:n_threads=1"
        command = (
            get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", *form, "decoded.yuv", *form, "original.yuv",
            "-lavfi", options, "-f", "null", "-",
        )  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            if "No such filter" in done.stderr:
                raise MissingExtraError(f"VMAF needs an ffmpeg with libvmaf, and {command[0]} has none")
            raise LatensError(f"VMAF: ffmpeg failed: {words}")
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return float(scores["frames"][0]["metrics"]["vmaf"])


def _frame(picture: NDArray[Any]) -> bytes:
    """One frame of 4:2:0 in limited range, without colour."""
    height, width = picture.shape[:2]
    luma = np.rint(16 + 219 / 255 * (picture @ np.array(LUMA))).astype(np.uint8)
    colour = np.full(2 * ((height + 1) // 2) * ((width + 1) // 2), 128, np.uint8)
    return bytes(luma.tobytes() + colour.tobytes())
