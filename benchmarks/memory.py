"""Peak memory of `latens encode` and `latens decode` in fresh processes, per model and size of picture.

    python benchmarks/memory.py --data DIR [--model ID | FILE.ltm ...] [--size 768x512 4000x3000] [--out JSON]

The peak is that of resident memory as the kernel counted it, in MB of 10^6 bytes, of Python, libraries and weights
too. The 768x512 picture is the first of DIR; other sizes repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from speed import find_picture, process

from latens.errors import LatensError
from latens.weights.shelf import shipped

LIMIT = 500.0  # MB, of the default model's encode and decode of 768x512


def enlarged(path: Path, width: int, height: int, target: Path) -> Path:
    """The picture repeated to a size, and written; itself if it has that size."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    if pixels.shape[:2] == (height, width):
        return path
    times = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    Image.fromarray(np.tile(pixels, times)[:height, :width]).save(target, compress_level=1)
    return target


def measure(model: str, picture: Path, quality: float, folder: Path) -> dict[str, Any]:
    """Peaks in MB, and seconds, of one model and picture."""
    weights = ["--weights", model] if model.endswith(".ltm") else []
    file, out = str(folder / "a.ltn"), str(folder / "a.ppm")
    encode = process(["encode", str(picture), "-o", file, "-q", f"{quality:g}", "--model", model, "-f"], 1)
    decode = process(["decode", file, "-o", out, "-f", *weights], 1)
    return {
        "encode_mb": encode.peak_mb, "decode_mb": decode.peak_mb,
        "encode_s": encode.seconds, "decode_s": decode.seconds,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with a 768x512 PNG")
    parser.add_argument("--model", nargs="+", default=None, help="model ids or .ltm files (default: all shipped)")
    parser.add_argument("--size", nargs="+", default=["768x512", "4000x3000"])
    parser.add_argument("--quality", type=float, default=50.0)
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    table = Table("model", "size", *(f"{what}, MB" for what in ("enc", "dec")), "enc, s", "dec, s")
    rows = []
    try:
        picture = find_picture(given.data)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for size in given.size:
                width, height = map(int, size.split("x"))
                large = enlarged(picture, width, height, folder / "large.png")
                for model in given.model or [info.id for info in shipped()]:
                    found = measure(model, large, given.quality, folder)
                    rows.append({"model": Path(model).stem, "size": size, **found})
                    table.add_row(Path(model).stem, size, *(f"{found[k]:.0f}" for k in list(found)[:2]),
                                  *(f"{found[k]:.2f}" for k in list(found)[2:]))  # fmt: skip
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    Console().print(table)
    load = os.getloadavg()[0]
    over = [row for row in rows if row["size"] == "768x512" and max(row["encode_mb"], row["decode_mb"]) > LIMIT]
    print(f"quality {given.quality:g}, load {load:.1f}; over {LIMIT:g} MB at 768x512: {len(over)}")
    if given.out:
        given.out.write_text(json.dumps({"quality": given.quality, "load": round(load, 2), "rows": rows}) + "\n")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
