"""One table of rate-distortion against time: latens, CompressAI's models, AVIF, JPEG XL, BPG and others.

    python benchmarks/table.py --data DIR [--model ID | NAME=FILE.ltm ...] [--codec ID ...] [--threads 1]
    python benchmarks/table.py --page

Times: seconds to encode and to decode the first 768x512 picture of DIR, pixels to bytes and back, entropy coding
included, of every codec in this one process, one after the other, after a call that is not counted (medians).
CompressAI's models are built as its zoo builds them (quality 5, weights random: its own are a download, and time
hardly depends on them); they are left out, with a note, where the package is not installed. Each codec is timed at
the setting whose mean rate on Kodak is nearest to `RATE`, where docs/benchmarks/kodak.json knows it; the timed
picture's own rate is another.

Rates: BD-rates against BPG 4:4:4 as it was measured here, on the 24 Kodak pictures. Those of latens and of the
classic codecs are from kodak.json; those of CompressAI's trained models are of the curves that it publishes, which
come with latens, and are marked: nobody ran those models here.

Writes docs/benchmarks/time.json, and docs/time.md from it; --page does the latter alone, with today's BD-rates.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from settings import cpu, limited
from speed import find_picture, median_seconds

from latens.classic.base import Codec
from latens.errors import LatensError
from latens.evaluate.bdrate import BdRate
from latens.evaluate.codecs import find
from latens.evaluate.curves import RANGES, MeanCurve, compare, published
from latens.image import read_picture
from latens.weights.shelf import shipped

ROOT = Path(__file__).resolve().parents[1]
MEASURED, TIMES = (ROOT / "docs" / "benchmarks" / name for name in ("kodak.json", "time.json"))
PAGE = ROOT / "docs" / "time.md"
RATE, QUALITY = 0.7, 5  # bits per pixel; CompressAI's quality next to it
ANCHOR = "bpg"
CLASSIC = ("jpeg", "webp", "avif", "jxl", "bpg")
COMPRESSAI = {  # models of its zoo, and their published curves
    name: f"compressai-{name}_mse_cuda" for name in ("bmshj2018-hyperprior", "mbt2018-mean", "cheng2020-anchor")
}
HEAD = """# Rate-distortion against time

Written by [benchmarks/table.py](../benchmarks/table.py) from [benchmarks/time.json](benchmarks/time.json). How
rates and distortions are measured is in [benchmarks.md](benchmarks.md).

- **BD-rate** against BPG 4:4:4 as measured here: bits at equal quality over the 24 Kodak pictures, 28-37 dB of
  PSNR and 11-19 dB of MS-SSIM (in brackets what both curves cover, where that is less). Minus is smaller files.
- **published**: CompressAI's trained models, by the curves that CompressAI publishes (rates estimated, pictures in
  floats). Their weights were not run here. Their times are those of the same networks with random weights.
- **Time**: one 768x512 picture, pixels to bytes and back, {runs} runs after one that is not counted
  (3 in all, above 8 s), median, {threads} a codec, all in one process. Each codec is at the setting whose mean
  rate over the Kodak pictures is next to {rate} bits per pixel; the rate under *timed at* is that of the one timed
  picture, at this setting. {machine}.
- **Load of the machine when it began: {load}**{busy}

"""
COLUMNS = ("codec", "BD-rate, PSNR", "BD-rate, MS-SSIM", "encode", "decode", "curve", "timed at")


def curves() -> dict[str, MeanCurve]:
    """Kodak's mean curves: as measured here by the names of the codecs, published ones by CompressAI's."""
    methods = json.loads(MEASURED.read_text(encoding="utf-8"))["methods"]
    found = {}
    for name, method in methods.items():
        values = {"bpp": tuple(method["bpp"]), "psnr_rgb": tuple(method["psnr_rgb_db"])}
        values["ms_ssim_db"] = tuple(method["ms_ssim_db"])
        found[name] = MeanCurve(name, method["title"], tuple(method["settings"]), values)
    theirs = {curve.id: curve for curve in published("kodak")}
    return found | {name: theirs[curve] for name, curve in COMPRESSAI.items()}


def rates(name: str, known: dict[str, MeanCurve]) -> dict[str, str]:
    """BD-rates against the anchor in words, by metric; a dash for codecs without a curve."""
    said = {}
    for metric, (low, high) in RANGES.items():
        said[metric] = "-"
        if name == ANCHOR:
            said[metric] = "0 %"
        elif name in known and isinstance(found := compare(known[ANCHOR], known[name], metric), BdRate):
            span = "" if (found.low, found.high) == (low, high) else f" ({found.low:.1f}-{found.high:.1f} dB)"
            said[metric] = f"{found.percent:+.1f} %{span}"
    return said


def setting_of(codec: Codec, known: dict[str, MeanCurve]) -> float:
    """The setting next to `RATE` on Kodak; the middle of its ladder where that is not known."""
    if codec.id not in known:
        return codec.settings[len(codec.settings) // 2]
    curve = known[codec.id]
    return float(min(zip(curve.values["bpp"], curve.settings, strict=True), key=lambda at: abs(at[0] - RATE))[1])


def time_codec(spec: str, pixels: np.ndarray, runs: int, known: dict[str, MeanCurve]) -> dict[str, Any]:
    """A codec that `latens eval` knows."""
    codec = find(spec)
    setting = setting_of(codec, known)
    data = codec.encode(pixels, setting)
    encode_s, encode_runs = median_seconds(lambda: codec.encode(pixels, setting), runs)
    decode_s, decode_runs = median_seconds(lambda: codec.decode(data), runs)
    return {
        "id": codec.id, "title": codec.title, "software": codec.version(), "published": False,
        "at": f"{codec.parameter} {setting:g}, {8 * len(data) / pixels[..., 0].size:.2f} bpp",
        "encode_s": encode_s, "encode_runs": encode_runs, "decode_s": decode_s, "decode_runs": decode_runs,
    }  # fmt: skip


def time_compressai(name: str, pixels: np.ndarray, runs: int) -> dict[str, Any]:
    """A model of CompressAI's zoo with random weights.

    Raises:
        ImportError: it is not installed
    """
    import torch
    from compressai.zoo import image_models

    torch.manual_seed(0)
    network = image_models[name](quality=QUALITY, pretrained=False).eval()
    network.update(force=True)
    x = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        coded = network.compress(x)
        encode_s, encode_runs = median_seconds(lambda: network.compress(x), runs)
        decode_s, decode_runs = median_seconds(lambda: network.decompress(coded["strings"], coded["shape"]), runs)
    software = f"CompressAI {version('compressai')}, PyTorch {torch.__version__}"
    return {
        "id": name, "title": f"CompressAI {name}", "software": software, "published": True,
        "at": f"its quality {QUALITY}, random weights",
        "encode_s": encode_s, "encode_runs": encode_runs, "decode_s": decode_s, "decode_runs": decode_runs,
    }  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All times, in one run."""
    load = os.getloadavg()[0]
    limited(given.threads)
    picture = find_picture(given.data)
    pixels = read_picture(picture, max_pixels=2**28).pixels
    known = curves()
    models = given.model or [name for info in shipped() for name in info.codecs]
    rows = []
    for spec in (*models, *given.codec):
        rows.append(time_codec(spec, pixels, given.runs, known))
        print(rows[-1]["id"], f"{rows[-1]['encode_s']:.3f} {rows[-1]['decode_s']:.3f}", flush=True)
    try:
        import torch

        torch.set_num_threads(given.threads)
        for name in COMPRESSAI:
            rows.append(time_compressai(name, pixels, given.runs))
            print(name, f"{rows[-1]['encode_s']:.3f} {rows[-1]['decode_s']:.3f}", flush=True)
    except ImportError as error:
        print(f"CompressAI is left out: {error}", file=sys.stderr)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {cpu()}"
    return {
        "picture": picture.name, "runs": given.runs, "threads": given.threads, "machine": machine,
        "load": round(load, 2), "codecs": rows,
    }  # fmt: skip


def page(result: dict[str, Any]) -> str:
    """The document: the best rate first, codecs without a curve last."""
    known = curves()
    found = [(rates(row["id"], known), row) for row in result["codecs"]]

    def order(entry: tuple[dict[str, str], dict[str, Any]]) -> float:
        said = entry[0]["psnr_rgb"].split(" ")[0]
        return float("inf") if said == "-" else float(said)

    busy = "" if result["load"] < 0.5 else ": other work ran beside it, and the times are upper bounds."
    head = HEAD.format(
        runs=result["runs"], rate=RATE, machine=result["machine"], load=result["load"], busy=busy or ".",
        threads=f"{result['threads']} thread{'s' * (result['threads'] != 1)}",
    )  # fmt: skip
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|--:|--:|--:|--:|---|---|"]
    for said, row in sorted(found, key=order):
        times = (f"{row['encode_s']:.3g} s", f"{row['decode_s']:.3g} s")
        curve = "published" if row["published"] else "measured" if row["id"] in known else "-"
        lines.append(f"| {' | '.join((row['title'], *said.values(), *times, curve, row['at']))} |")
    software = sorted({row["software"] for row in result["codecs"]})
    return f"{head}{chr(10).join(lines)}\n\nSoftware: {'; '.join(software)}.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with a 768x512 PNG")
    parser.add_argument("--model", nargs="+", help="ids or NAME=FILE.ltm (default: all shipped models)")
    parser.add_argument("--codec", nargs="*", default=CLASSIC, help=f"other codecs (default: {' '.join(CLASSIC)})")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of each learned codec; the others have one")
    parser.add_argument("--page", action="store_true", help="write the page again, from the JSON")
    given = parser.parse_args()
    try:
        if not given.page:
            if given.data is None:
                parser.error("--data is missing: a folder with a 768x512 PNG")
            TIMES.write_text(json.dumps(measure(given), indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(json.loads(TIMES.read_text(encoding="utf-8"))), encoding="utf-8")
    except LatensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
