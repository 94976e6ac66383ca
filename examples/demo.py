"""One photograph through latens at three qualities, beside JPEG files of the same size.

Command: ``make demo``, or in an environment with latens and scikit-image::

    python examples/demo.py [--out .demo]

Everything shown is measured on real files: sizes are read from the disk, PSNR and MS-SSIM are taken on the
8-bit pictures that come back from them. The JPEG file is Pillow's (4:2:0, optimised Huffman tables) at the
quality whose size comes nearest to that of the latens file. The photograph is the astronaut in scikit-image's
wheel (NASA, public domain); nothing is downloaded.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

import latens
from latens.errors import LatensError
from latens.metrics import Quality, measure

QUALITIES = (15, 50, 85)
CROP = (110, 10, 350, 210)  # left, upper, right, lower: what the picture shows of the photograph
ZOOM = 2


class Coded(NamedTuple):
    """One file and the picture that came back from it."""

    codec: str
    setting: str
    path: Path
    image: Image.Image
    size: int  # bytes on the disk
    quality: Quality
    encode_s: float
    decode_s: float

    @property
    def bpp(self) -> float:
        """Bits of the file per pixel of the picture."""
        return 8 * self.size / (self.image.width * self.image.height)


def code(
    codec: str,
    setting: str,
    original: Image.Image,
    path: Path,
    encode: Callable[[], Any],
    decode: Callable[[], Image.Image],
) -> Coded:
    """Encode to ``path``, decode from it, measure. The times are the best of three."""
    encode_s = min(seconds(encode) for _ in range(3))
    decode_s = min(seconds(decode) for _ in range(3))
    image = decode().convert("RGB")
    quality = measure(np.asarray(original), np.asarray(image))
    return Coded(codec, setting, path, image, path.stat().st_size, quality, encode_s, decode_s)


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def through_latens(original: Image.Image, quality: float, folder: Path) -> Coded:
    """The photograph through ``latens.encode``, a .ltn file and ``latens.decode``."""
    path = folder / f"quality-{quality:g}.ltn"
    coded = code(
        "latens",
        f"{quality:g}",
        original,
        path,
        lambda: path.write_bytes(latens.encode(original, quality=quality)),
        lambda: latens.decode(path.read_bytes()),
    )
    coded.image.save(path.with_suffix(".png"))
    return coded


def through_jpeg(original: Image.Image, size: int, path: Path) -> Coded:
    """The photograph as the JPEG file whose size is nearest to ``size`` bytes."""

    def save(quality: int) -> int:
        original.save(path, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
        return path.stat().st_size

    nearest = min(range(1, 96), key=lambda quality: abs(save(quality) - size))
    return code(
        "JPEG", f"{nearest}", original, path, lambda: save(nearest), lambda: Image.open(path).convert("RGB")
    )


def print_table(original: Image.Image, pairs: list[tuple[Coded, Coded]], console: Console) -> None:
    """A row per file, a block per size."""
    pixels = f"{original.width}x{original.height}"
    table = Table(
        title=f"astronaut, {pixels}, {len(original.tobytes())} bytes of pixels", title_justify="left"
    )
    table.add_column("codec")
    for heading in ("quality", "bytes", "bpp", "PSNR", "MS-SSIM", "encode", "decode"):
        table.add_column(heading, justify="right")
    for pair in pairs:
        for coded in pair:
            table.add_row(
                coded.codec,
                coded.setting,
                str(coded.size),
                f"{coded.bpp:.3f}",
                f"{coded.quality.psnr:.2f} dB",
                f"{coded.quality.ms_ssim:.4f}",
                f"{coded.encode_s * 1000:.0f} ms",
                f"{coded.decode_s * 1000:.0f} ms",
            )
        table.add_section()
    console.print(table)


def draw(original: Image.Image, pairs: list[tuple[Coded, Coded]]) -> Image.Image:
    """Crops side by side: original, latens, JPEG; one line per size, the numbers above each crop."""
    width, height = ZOOM * (CROP[2] - CROP[0]), ZOOM * (CROP[3] - CROP[1])
    gap, label = 12, 34
    columns, lines = 3, len(pairs)
    sheet = Image.new(
        "RGB", (gap + columns * (width + gap), gap + lines * (label + height + gap)), (250, 250, 250)
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=20)
    for line, (ours, theirs) in enumerate(pairs):
        cells = [("original, 24 bpp", original)]
        for coded in (ours, theirs):
            text = f"{coded.codec} {coded.setting}: {coded.bpp:.3f} bpp, {coded.quality.psnr:.2f} dB"
            cells.append((text, coded.image))
        for column, (text, image) in enumerate(cells):
            x, y = gap + column * (width + gap), gap + line * (label + height + gap)
            pen.text((x, y + label // 2), text, fill=(20, 20, 20), font=font, anchor="lm")
            crop = image.crop(CROP).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(crop, (x, y + label))
    return sheet


def main() -> int:
    """Code, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path(".demo"), help="folder for the files (default .demo)"
    )
    options = parser.parse_args()
    console = Console()
    try:
        from skimage import data
    except ImportError:
        console.print("scikit-image is not installed: the demo's photograph comes from it (make demo)")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    original = Image.fromarray(data.astronaut())
    original.save(options.out / "original.png")
    try:
        pairs = []
        for quality in QUALITIES:
            ours = through_latens(original, quality, options.out)
            theirs = through_jpeg(original, ours.size, ours.path.with_suffix(".jpg"))
            pairs.append((ours, theirs))
    except LatensError as error:
        console.print(f"{type(error).__name__}: {error}")
        return error.exit_code
    print_table(original, pairs, console)
    sheet = options.out / "side-by-side.png"
    draw(original, pairs).save(sheet)
    console.print(f"The files are in {options.out}; look at {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
