"""What entropy coding costs over the ideal, and integer networks over floats, on the latents of real pictures.

    python benchmarks/coding_cost.py --data DIR [--model ID | FILE.ltm] [--quality Q ...] [--run RUN]

Ideal: the sum of -log2 p of every symbol under the integer tables that code it, escapes included. Real: 8 times
the payload's bytes, the coder's last word included. One row per rate point of a shipped model, or per --quality
of a variable-rate one, summed over the pictures, whose latents are rounded (effort 0).

With --run, the folder of the training run that FILE.ltm was exported from (``RUN/model.ltm``): what the model
itself says, too (`latens.train.estimate`). *densities*: bits under the float networks and learned densities,
against the ideal ones; *integers*: what integer networks cost beside float ones, under the same tables.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import latens
from latens.bitstream import unpack
from latens.codec import find_weights
from latens.coding import Decoder
from latens.entropy.account import Account
from latens.image import read_picture
from latens.latents import decoded
from latens.pixels import to_network
from latens.weights.package import load


class Counting(Account):
    """Keeps account, and counts symbols and escapes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.symbols = self.escapes = 0

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        arrived = super()._exchange(symbols, index)
        distance = arrived.astype(np.int64) - self.coder.tables.offsets[index]
        self.symbols += arrived.size
        self.escapes += int(((distance < 0) | (distance >= self.coder.tables.sizes[index] - 1)).sum())
        return arrived


def costs(data: bytes, path: Path | None) -> np.ndarray:
    """Of one file: payload bits, ideal bits, symbols, escapes."""
    container = unpack(data)
    header, payload = container.header, container.tiles[0].payload
    weights = find_weights(header, path)
    decoder = Decoder(weights.tables, payload)
    channel = Counting(decoder, weights.priors, header.height, header.width, weights.networks)
    decoded(weights, channel)
    return np.array([8 * len(payload), channel.spent().sum(), channel.symbols, channel.escapes])


class Floats:
    """The model as it was trained: the averaged weights of a run."""

    def __init__(self, run: Path, weights: Path) -> None:
        import torch

        from latens.train.checkpoint import load as load_checkpoint
        from latens.train.noise import Trainable
        from latens.train.options import Options

        options = Options.load(run / "options.json")
        self.module = Trainable(options.build(), options.radius)
        state = load_checkpoint(run / "checkpoint.pt", torch.device("cpu"))
        self.module.load_state_dict(state["average"])
        self.weights = load(weights.absolute())

    def estimate(self, picture: Path, quality: float) -> np.ndarray:
        """Of one picture: bits by densities, by float networks and by integer ones."""
        from latens.train.estimate import estimate

        pixels = read_picture(picture, max_pixels=2**28).pixels
        y = self.weights.g_a(to_network(pixels, self.weights.model.stride))
        if self.weights.gains:
            y = self.weights.gains.scaled(y, quality)
        return np.array(estimate(self.module.eval(), self.weights, y, pixels.shape[:2]))


def rate_points(model: str) -> list[tuple[str, float]]:
    """Of a shipped model in the tune that it encodes with unless told: names, and a quality of each."""
    return [(p.name, p.quality[0]) for info in latens.models() if info.id == model for p in info.tuned()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="balle2017", help="a shipped model, or an .ltm file")
    parser.add_argument("--quality", type=float, nargs="*", help="default: a shipped model's points, or 50")
    parser.add_argument("--run", type=Path, help="the training run that the .ltm file was exported from")
    given = parser.parse_args()
    pictures = sorted(given.data.glob("*.png"))
    if not pictures:
        parser.error(f"--data {given.data} has no PNG files in it")
    path = Path(given.model) if given.model.endswith(".ltm") else None
    if given.run and path is None:
        parser.error(f"--run {given.run} is compared with an .ltm file, and --model is {given.model}")
    if given.quality is None:
        ladder = rate_points(given.model) or [(path.stem if path else "", 50.0)]
    else:
        ladder = [(f"q{quality:g}", quality) for quality in given.quality]
    floats = Floats(given.run, path) if given.run and path else None
    table = Table("rate point", "symbols", "escapes", "ideal bits", "real bits", "cost")
    if floats:
        for heading in ("densities", "integers"):
            table.add_column(heading)
    for name, quality in ladder:
        rows, said = [], []
        for picture in track(pictures, f"coding {name}"):
            rows.append(costs(latens.encode(picture, quality=quality, model=given.model, effort=0), path))
            if floats:
                said.append(floats.estimate(picture, quality))
        real, ideal, symbols, escapes = np.sum(rows, 0)
        cells = [name, f"{symbols:.0f}", f"{escapes:.0f}", f"{ideal:.0f}", f"{real:.0f}"]
        cells.append(f"{100 * (real / ideal - 1):+.3f} %")
        if said:
            densities, in_floats, in_integers = np.sum(said, 0)
            cells += [f"{100 * (ratio - 1):+.3f} %" for ratio in (densities / ideal, in_integers / in_floats)]
        table.add_row(*cells)
    Console().print(table)


if __name__ == "__main__":
    main()
