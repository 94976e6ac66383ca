"""Rate-distortion on a folder of pictures: real files, 8-bit RGB output, averages and BD-rates.

Command (24 Kodak pictures, 2 cores: about 5 minutes)::

    python benchmarks/rate_distortion.py --data DIR --codec balle2017 --codec jpeg --codec jpeg2000 \
        --anchors ANCHORS.json --out docs/benchmarks/kodak.json

Each picture is encoded at each setting of each codec into a file in a temporary folder. Its size is read
from the disk, headers and all, and its pixels are read back from it. Per picture: bits per pixel, PSNR over
R, G and B, MS-SSIM. Averages: the plain mean over pictures of bpp, of PSNR in dB and of MS-SSIM, which
becomes dB after averaging; so do the published curves.

Codecs: ``jpeg`` (Pillow, 4:2:0, optimised Huffman tables), ``jpeg2000`` (OpenJPEG through Pillow:
irreversible 9/7 wavelet, colour transform, one quality layer, target rates, .jp2) and the id of any latens
model, at every rate point that it ships.

``--anchors`` takes a file of published curves, ``{"methods": {name: {"bpp", "psnr_rgb_db", "ms_ssim_db"}}}``;
the output of this script is one too. BD-rates are taken against ``jpeg`` and ``jpeg2000``, measured here and
published, over PSNR 28-37 dB and MS-SSIM 11-19 dB.

Expect both classic codecs to beat CompressAI's published curves of them on Kodak: JPEG by 7.4 % (those files
have the default Huffman tables; without ``optimize`` ours have their sizes, and still decode 0.1 dB better)
and JPEG 2000 by 18.8 % (those went through ffmpeg: 8-bit limited-range YCbCr 4:4:4, then the reversible 5/3
wavelet; the same steps with the library used here give the published points to 0.005 dB).
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, features
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from latens.errors import LatensError, UsageError
from latens.evaluate.bdrate import PSNR_RANGE, BdRate, Curve, bd_rate
from latens.evaluate.metrics import decibels, measure

MS_SSIM_RANGE = (11.0, 19.0)  # dB: where JPEG and JPEG 2000 stand while their PSNR is 28-37 dB
SUFFIXES = {".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"}

JPEG = {"subsampling": "4:2:0", "optimize": True}
JPEG_QUALITIES = (8, 10, *range(15, 95, 5), 92)  # 26 to 38 dB on Kodak, and a little more
JPEG2000 = {"irreversible": True, "mct": 1, "quality_mode": "rates"}
JPEG2000_RATES = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 190, 230)  # 24 bits / rate = bpp


class Setting(NamedTuple):
    """One point of a codec's ladder."""

    name: str
    value: float


class Row(NamedTuple):
    """One file: what it cost and what came back."""

    codec: str
    setting: str
    picture: str
    width: int
    height: int
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float


def ladder(codec: str) -> list[Setting]:
    """The settings of a codec, lowest rate first; UsageError for an unknown codec."""
    if codec == "jpeg":
        return [Setting(f"quality {q}", q) for q in JPEG_QUALITIES]
    if codec == "jpeg2000":
        return [Setting(f"rate {r}", r) for r in sorted(JPEG2000_RATES, reverse=True)]
    import latens

    known = {model.id: model for model in latens.models()}
    if codec not in known:
        raise UsageError(f"codec {codec!r}: choose from jpeg, jpeg2000, {', '.join(known) or 'and no model'}")
    points = sorted(known[codec].points, key=lambda point: point.quality[0])
    return [Setting(point.name, sum(point.quality) / 2) for point in points]


def describe(codec: str) -> dict[str, Any]:
    """The software and the options behind a codec."""
    if codec == "jpeg":
        return {"software": f"libjpeg-turbo {features.version('libjpeg_turbo')}", "options": JPEG}
    if codec == "jpeg2000":
        return {"software": f"OpenJPEG {features.version('jpg_2000')}", "options": JPEG2000}
    import latens

    model = next(model for model in latens.models() if model.id == codec)
    return {
        "software": f"latens {version('latens')}",
        "options": {"model": codec},
        "weights": {point.name: point.fingerprint for point in model.points},
    }


def encode(codec: str, image: Image.Image, value: float) -> bytes:
    """The picture as one file of the codec."""
    if codec in ("jpeg", "jpeg2000"):
        file = io.BytesIO()
        if codec == "jpeg":
            image.save(file, "JPEG", quality=int(value), **JPEG)
        else:
            image.save(file, "JPEG2000", quality_layers=[value], **JPEG2000)
        return file.getvalue()
    import latens

    return latens.encode(np.asarray(image), quality=value, model=codec)  # pixels alone: metadata is not coded


def decode(codec: str, path: Path) -> Image.Image:
    """The picture in a file that `encode` made."""
    if codec in ("jpeg", "jpeg2000"):
        return Image.open(path).convert("RGB")
    import latens

    return latens.decode(path.read_bytes()).convert("RGB")


def run(codec: str, setting: Setting, source: Path) -> Row:
    """Encode to the disk, decode from it, measure. Runs in a worker process."""
    image = Image.open(source).convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture.{codec}"
        path.write_bytes(encode(codec, image, setting.value))
        size = path.stat().st_size
        decoded = np.asarray(decode(codec, path))
    quality = measure(np.asarray(image), decoded)
    bpp = 8 * size / (image.width * image.height)
    return Row(codec, setting.name, source.name, *image.size, size, bpp, quality.psnr, quality.ms_ssim)


def run_all(ladders: Mapping[str, Sequence[Setting]], sources: Sequence[Path], jobs: int) -> list[Row]:
    """All files, ``jobs`` at a time, with a progress bar on stderr."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # the workers' threads, not ours
    tasks = [(c, s, p) for c, settings in ladders.items() for s in settings for p in sources]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    rows = []
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        bar = progress.add_task("files", total=len(tasks))
        futures = [pool.submit(run, *task) for task in tasks]
        try:
            for future in as_completed(futures):
                rows.append(future.result())
                progress.advance(bar)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(rows)


def average(rows: Sequence[Row], settings: Sequence[Setting]) -> dict[str, list[Any]]:
    """The mean curve of one codec, a list per quantity in the order of its settings."""
    groups = [[row for row in rows if row.setting == setting.name] for setting in settings]
    ms_ssim = [fmean(row.ms_ssim for row in group) for group in groups]
    return {
        "settings": [setting.name for setting in settings],
        "bpp": [round(fmean(row.bpp for row in group), 5) for group in groups],
        "psnr_rgb_db": [round(fmean(row.psnr for row in group), 5) for group in groups],
        "ms_ssim": [round(value, 6) for value in ms_ssim],
        "ms_ssim_db": [round(decibels(value), 5) for value in ms_ssim],
    }


def comparisons(
    measured: Mapping[str, Any], published: Mapping[str, Any]
) -> Iterator[tuple[str, str, list[BdRate | LatensError]]]:
    """Every measured codec against every anchor: its name, the anchor's, BD-rate in PSNR and MS-SSIM."""
    anchors = {name: measured[name] for name in ("jpeg", "jpeg2000") if name in measured}
    anchors |= {f"{n} (published)": published[n] for n in ("jpeg", "jpeg2000") if n in published}
    for test in measured:
        for anchor, curve in anchors.items():
            if anchor == test:
                continue
            results: list[BdRate | LatensError] = []
            for key, metric, (low, high) in (
                ("psnr_rgb_db", "PSNR-RGB", PSNR_RANGE),
                ("ms_ssim_db", "MS-SSIM", MS_SSIM_RANGE),
            ):
                first = Curve(anchor, curve["bpp"], curve[key])
                second = Curve(test, measured[test]["bpp"], measured[test][key])
                try:
                    results.append(bd_rate(first, second, low=low, high=high, metric=metric))
                except LatensError as error:
                    results.append(error)
            yield test, anchor, results


def print_tables(methods: Mapping[str, Any], results: Sequence[tuple[str, str, Sequence[Any]]]) -> None:
    """The mean curves and the BD-rates."""
    console = Console()
    curves = Table(title="Mean over the pictures", title_justify="left")
    for heading in ("codec", "setting", "bpp", "PSNR dB", "MS-SSIM", "MS-SSIM dB"):
        curves.add_column(heading, justify="left" if heading in ("codec", "setting") else "right")
    for name, curve in methods.items():
        quantities = ("settings", "bpp", "psnr_rgb_db", "ms_ssim", "ms_ssim_db")
        for setting, bpp, psnr, ms_ssim, db in zip(*(curve[q] for q in quantities), strict=True):
            curves.add_row(name, setting, f"{bpp:.4f}", f"{psnr:.3f}", f"{ms_ssim:.5f}", f"{db:.3f}")
        curves.add_section()
    console.print(curves)
    title = f"BD-rate, PSNR-RGB {PSNR_RANGE[0]:g}-{PSNR_RANGE[1]:g} dB; MS-SSIM {MS_SSIM_RANGE[0]:g}-"
    table = Table(title=f"{title}{MS_SSIM_RANGE[1]:g} dB", title_justify="left")
    for heading in ("codec", "against", "PSNR-RGB", "MS-SSIM"):
        table.add_column(heading, justify="left" if heading in ("codec", "against") else "right")
    for test, anchor, pair in results:
        cells = [
            "refused"
            if isinstance(r, LatensError)
            # a range that the curves do not cover is named where the number stands
            else f"{r.percent:+.1f} %" + (f" ({r.low:.4g}-{r.high:.4g} dB only)" if r.shrunk else "")
            for r in pair
        ]
        table.add_row(test, anchor, *cells)
    console.print(table)
    for _, _, pair in results:
        for result in pair:
            if isinstance(result, LatensError):
                console.print(f"refused: {result}")


def main() -> int:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--codec", action="append", required=True, help="jpeg, jpeg2000 or a model id; repeat")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    parser.add_argument("--anchors", type=Path, help="JSON of published curves")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args()
    try:
        sources = sorted(p for p in options.data.glob("*") if p.suffix.lower() in SUFFIXES)
        if not sources:
            raise UsageError(f"folder {options.data}: no pictures ({', '.join(sorted(SUFFIXES))}) in it")
        ladders = {codec: ladder(codec) for codec in options.codec}
        published = json.loads(options.anchors.read_text())["methods"] if options.anchors else {}
        rows = run_all(ladders, sources, options.jobs)
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    methods = {
        codec: describe(codec) | average([row for row in rows if row.codec == codec], settings)
        for codec, settings in ladders.items()
    }
    results = list(comparisons(methods, published))
    bd_rates = [r._asdict() for _, _, pair in results for r in pair if isinstance(r, BdRate)]
    report = {
        "dataset": f"{options.data.name}, {len(sources)} pictures",
        "command": "python benchmarks/rate_distortion.py --data DIR "
        + " ".join(f"--codec {codec}" for codec in ladders),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("latens", "numpy", "onnxruntime", "pillow", "bjontegaard")},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "averages": "mean over pictures of bpp, PSNR in dB and MS-SSIM; MS-SSIM in dB after averaging",
        "methods": methods,
        "bd_rate": bd_rates,
        "files": [row._asdict() for row in rows],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print_tables(methods, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
