"""What the entropy coder costs over the ideal, on the real latents of pictures.

    python benchmarks/coding_cost.py --data DIR [--model balle2017]

Ideal: the sum of -log2 p of every symbol under the tables that code it. Real: 8 times the payload's bytes,
escapes and the coder's last word included. Prints one row per rate point, summed over the pictures.
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
from latens.entropy.channels import Decode


class Recording(Decode):
    """A decoder that remembers which table coded which symbol."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tables: list[np.ndarray] = []

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        self.tables.append(index)
        return super()._exchange(symbols, index)


def costs(data: bytes) -> tuple[int, float, int, int]:
    """Of one file: payload bits, ideal bits (an escape at its table's price), symbols, escapes."""
    container = unpack(data)
    header, payload = container.header, container.tiles[0].payload
    weights = find_weights(header, None)
    channel = Recording(Decoder(weights.tables, payload), weights.priors, header.height, header.width)
    weights.model.code(None, channel)
    symbols, index = np.concatenate(channel.symbols), np.concatenate(channel.tables)
    ideal, escapes = 0.0, 0
    for number in np.unique(index):
        offset, masses = weights.tables.table(number)
        entries = symbols[index == number].astype(np.int64) - offset
        entries[(entries < 0) | (entries >= len(masses) - 1)] = len(masses) - 1
        ideal -= np.log2(masses[entries] / 2**16).sum()
        escapes += int((entries == len(masses) - 1).sum())
    return 8 * len(payload), ideal, symbols.size, escapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="balle2017")
    given = parser.parse_args()
    pictures = sorted(given.data.glob("*.png"))
    table = Table("rate point", "symbols", "escapes", "ideal bits", "real bits", "cost")
    (model,) = [model for model in latens.models() if model.id == given.model]
    for point in track(model.points, "coding"):
        rows = [costs(latens.encode(path, quality=point.quality[0], model=model.id)) for path in pictures]
        real, ideal, symbols, escapes = (sum(column) for column in zip(*rows, strict=True))
        cost = f"{100 * (real / ideal - 1):+.3f} %"
        table.add_row(point.name, str(symbols), str(escapes), f"{ideal:.0f}", str(real), cost)
    Console().print(table)


if __name__ == "__main__":
    main()
