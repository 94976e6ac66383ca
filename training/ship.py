"""Put trained runs into the package as a model's shipped weights, and measured figures onto its card.

    python training/ship.py runs/a runs/b ... --data SHARD --validate HELD_OUT
    python training/ship.py --measured docs/benchmarks/kodak.json
    python training/ship.py --restore balle2017 --data SHARD

Runs of one call have one metric, which decides what `latens encode` asks for them by: --tune psnr or ms-ssim.
The model's weights of the other tune stay as they are.

With --retire, weights that are replaced stay on the shelf without their encoder, so that files written with them
are decoded for ever.

The first form exports each run, stored in the smallest way that costs less than 0.1 % of the Lagrangian on the
held-out pictures; where a factorised prior has latents that are not used, without them. Weights for MSE of models
whose pictures may have filters of their own get directions of them, found on tiles of --data. Qualities 0..100 are
divided evenly among the runs, the lowest rate first. The second form copies the Kodak figures of the shipped
weights. --restore stores the float networks of a model's shipped weights again, --recount counts the tables of
their conditional priors again and finds the directions of filters again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import partial, reduce
from itertools import cycle
from pathlib import Path

import numpy as np
import torch

import latens
from latens.coding import Tables
from latens.metrics import ms_ssim
from latens.systems import MODELS
from latens.train import checkpoint
from latens.train.data import Pictures, to_input
from latens.train.export import COUNTED, export, graphs
from latens.train.filters import QUALITIES, directions
from latens.train.noise import Trainable
from latens.train.observe import count_shipped
from latens.train.options import Options
from latens.train.prune import most_used, prune, usage
from latens.train.restore import restore
from latens.train.run import COUNTED_TILES
from latens.train.tables import of_conditionals
from latens.transforms import macs_per_pixel, parameters
from latens.transforms.cost import scale_after
from latens.transforms.gains import lambda_of, level_of
from latens.weights.package import as_members, load, pack
from latens.weights.package import retire as put_away
from latens.weights.shelf import LADDER, TUNED, TUNES, RatePoint
from latens.wiener import FILTERS

SHELF = Path(latens.__file__).parent / "weights"
STORAGES = ("fitted", "float16")  # the smallest first
UNUSED = 1e-5  # mean |symbol| of a latent that is dropped
FILTERED = 300  # tiles at least, of which the directions of filters are found, at one quality each
TOLERANCE = 0.001  # of the Lagrangian, for the smaller storage
DISTORTION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "mse": lambda a, b: float(((a.astype(float) - b) ** 2).mean()),
    "ms-ssim": lambda a, b: 1 - ms_ssim(a, b),
}


def lagrangian(path: Path, pictures: list[np.ndarray], options: Options) -> float:
    """R + lambda * D of real files: bits per pixel of the bytes, MSE or 1 - MS-SSIM of the 8-bit pictures.

    Of variable rate, over several qualities, each divided by the root of its lambda: every rate counts alike.
    """
    levels = options.build().levels
    qualities = LADDER if levels > 1 else (50.0,)
    costs = []
    for quality in qualities:
        lmbda = options.lmbda
        if levels > 1:
            lmbda = lambda_of(level_of(quality, levels), levels, options.lowest_lmbda, options.lmbda)
        for pixels in pictures[:: len(qualities)]:
            data = latens.encode(pixels, model=path, quality=quality)
            came = latens.decode(data, output="array", weights=path)
            cost = 8 * len(data) / pixels[..., 0].size + lmbda * DISTORTION[options.metric](pixels, came)
            costs.append(cost * math.sqrt(options.lmbda / lmbda))
    return float(np.mean(costs))


def ship_run(run: Path, tiles: torch.Tensor, held_out: list[np.ndarray], target: Path) -> dict:
    """Export one run to ``target`` and return its entry on the card."""
    options = Options.load(run / "options.json")
    state = checkpoint.load(run / "checkpoint.pt", torch.device("cpu"))
    module = Trainable(options.build(), options.radius)
    module.load_state_dict(state["average"])
    x = to_input(tiles)
    if "y" in module.model.priors():
        module = prune(module, most_used(module, x, int((usage(module, x) > UNUSED).sum())))
    effort = checkpoint.Effort.of(state)
    training = str(effort)
    card = {
        "lmbda": options.lmbda,
        "lmbdas": options.mse_lambdas(),
        "metric": options.metric,
        "training": training,
        "effort": effort,
    }
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {storage: Path(folder) / f"{storage}.ltm" for storage in STORAGES}
        for storage, path in paths.items():
            export(module, tiles, path, card, storage)
            costs[storage] = lagrangian(path, held_out, options)
        chosen = next(storage for storage in STORAGES if costs[storage] < costs["float16"] * (1 + TOLERANCE))
        target.write_bytes(paths[chosen].read_bytes())
    with_filters(target, tiles)
    print(run, training, module.model, {k: round(v, 5) for k, v in costs.items()}, chosen, target.stat().st_size)
    networks = module.model.networks()
    latents = reduce(lambda scale, layer: scale_after(layer, scale), networks["g_a"], Fraction(1))
    return {
        "name": target.stem,
        "lmbda": options.lmbda,
        "fingerprint": load(target).fingerprint.hex(),
        "parameters": sum(parameters(network) for network in networks.values()),
        "kmac_per_pixel": [
            round(macs_per_pixel(networks["g_a"]) / 1000, 1),
            round(macs_per_pixel(networks["g_s"], latents) / 1000, 1),
        ],
        "bytes": target.stat().st_size,
        "training": training,
        "levels": module.model.levels,
        "tune": TUNED[options.metric],
    }


def counting_tiles(data: list[Path]) -> torch.Tensor:
    """uint8 (n, 512, 512, 3)."""
    return Pictures.load(data, 512).some(COUNTED_TILES).tiles(512)


def ship(runs: list[Path], data: list[Path], validate: list[Path], keep: bool) -> None:
    """Export the runs of one model and metric, and write its card."""
    runs = sorted(runs, key=lambda run: Options.load(run / "options.json").lmbda)
    kinds = {(options.model, options.metric) for options in (Options.load(run / "options.json") for run in runs)}
    if len(kinds) != 1:
        raise SystemExit(f"the runs are of {sorted(kinds)}, and must be of one model and one metric")
    ((name, metric),) = kinds
    model, tune = MODELS[name], TUNED[metric]
    suffix = "" if tune == TUNES[0] else f"-{tune}"
    tiles = counting_tiles(data)
    held_out = [array for array in Pictures.load(validate, 256).pictures][::3]
    folder = SHELF / model.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "card.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    put = [*old.get("retired", []), *(retired(folder, tune) if keep else ())]
    others = [point for point in old.get("points", []) if point.get("tune", TUNES[0]) != tune]
    width = 100 / len(runs)
    points = []
    for k, run in enumerate(runs):
        quality = [round(k * width, 2), round((k + 1) * width, 2)]
        variable = Options.load(run / "options.json").build().levels > 1
        if variable and len(runs) > 1:
            raise SystemExit(f"{run} makes every rate, and cannot be shipped beside {len(runs) - 1} others")
        target = folder / f"{'all' if variable else f'q{round((k + 0.5) * width)}'}{suffix}.ltm"
        points.append({**ship_run(run, tiles, held_out, target), "quality": quality})
    card = {
        "id": model.id,
        "code": model.fourcc,
        "title": model.title,
        "paper": model.paper,
        "points": sorted([*others, *points], key=lambda point: TUNES.index(point.get("tune", TUNES[0]))),
        "retired": put,
    }
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def restored(path: Path, tiles: torch.Tensor) -> bytes:
    """Store the float networks of an .ltm file again, as `export` would now; the new fingerprint."""
    weights = load(path)
    module, _ = restore(path, 64)
    new = {f"{name}.onnx": graph for name, graph in graphs(module.eval(), tiles, "fitted").items()}
    return pack(path, {**weights.card, "storage": "fitted"}, {**weights.members, **new})


def retired(folder: Path, tune: str) -> list[dict]:
    """Retire a model's shipped weights of a tune: their entries, as the card's list of retired ones has them."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    leaving = [point for point in card["points"] if point.get("tune", TUNES[0]) == tune]
    for point in leaving:
        put_away(folder / f"{point['name']}.ltm", folder / f"{point['fingerprint']}.ltm")
        point["bytes"] = (folder / f"{point['fingerprint']}.ltm").stat().st_size
    return leaving


def recounted(path: Path, tiles: torch.Tensor) -> bytes:
    """Count the tables of an .ltm file's conditional priors again, as `export` would now; the new fingerprint."""
    weights = load(path)
    counted = partial(count_shipped, weights, tiles[:COUNTED])
    priors, found = of_conditionals(weights.model, weights.priors, counted)
    tables = dict(enumerate(map(weights.tables.table, range(len(weights.tables)))))
    first = min(priors[name].first for name in weights.model.conditional())
    arrays = Tables.stack((tables | dict(enumerate(found, first))).values()).to_arrays()
    pack(path, {**weights.card, "priors": priors}, {**weights.members, **as_members(arrays)})
    return with_filters(path, tiles)


def with_filters(path: Path, tiles: torch.Tensor) -> bytes:
    """Put directions of the pictures' own filters into an .ltm file that may have them; the new fingerprint."""
    weights = load(path)
    if not weights.model.filtered or weights.lmbda(50.0) is None:
        return weights.fingerprint
    pack(path, weights.card, {name: data for name, data in weights.members.items() if name[:-4] not in FILTERS})
    plain = load(path)
    some = tiles[:: max(1, len(tiles) // FILTERED)].numpy()
    arrays = directions(plain, zip(some, cycle(QUALITIES)))
    return pack(path, plain.card, {**plain.members, **as_members(arrays)})


def again(model: str, how: Callable[[Path, torch.Tensor], bytes], tiles: torch.Tensor, keep: bool) -> None:
    """`restored` or `recounted`, for a model's shipped weights; their Kodak figures are to be measured again."""
    path = SHELF / model / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    if keep:
        for tune in TUNES:
            card["retired"] = [*card.get("retired", []), *retired(path.parent, tune)]
    for point in card["points"]:
        target = SHELF / model / f"{point['name']}.ltm"
        point["fingerprint"] = how(target, tiles).hex()
        print(target.name, point["bytes"], "->", target.stat().st_size)
        point["bytes"] = target.stat().st_size
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def enter(measured: Path) -> None:
    """Copy the Kodak figures of ``benchmarks/publish.py`` onto the cards, by fingerprint."""
    methods = json.loads(measured.read_text())["methods"]
    for path in SHELF.glob("*/card.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        for point in card["points"]:
            tune = point.get("tune", TUNES[0])
            curve = methods[card["id"] if tune == TUNES[0] else f"{card['id']}-{tune}"]
            if curve["weights"][point["name"]] != point["fingerprint"]:
                raise SystemExit(f"{measured} was measured with other weights than {card['id']} {point['name']}")
            point["kodak"] = []
            for quality in RatePoint(**{**point, "kodak": ()}).qualities:
                k = curve["settings"].index(f"{quality:g}")
                bpp, psnr, ms_ssim = (curve[name][k] for name in ("bpp", "psnr_rgb_db", "ms_ssim"))
                point["kodak"].append([quality, round(bpp, 6), round(psnr, 5), round(ms_ssim, 6)])
        path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data", action="append", type=Path, default=[])
    parser.add_argument("--validate", action="append", type=Path, default=[])
    parser.add_argument("--measured", type=Path)
    parser.add_argument("--restore", metavar="MODEL")
    parser.add_argument("--recount", metavar="MODEL")
    parser.add_argument("--retire", action="store_true")
    given = parser.parse_args()
    if given.runs:
        ship(given.runs, given.data, given.validate, given.retire)
    if given.restore:
        again(given.restore, restored, Pictures.load(given.data, 256).tiles(256), given.retire)
    if given.recount:
        again(given.recount, recounted, counting_tiles(given.data), given.retire)
    if given.measured:
        enter(given.measured)
