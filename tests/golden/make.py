"""Makes golden files, once: what is there already is never written again.

    python tests/golden/make.py

Every NAME.ltn comes with NAME.crc, the CRC-32 of its symbols as little-endian int32, and NAME.pixels, the last
8 x 8 pixels of its picture as text, which a runtime may miss by one level. ``tiny-*`` are coded with tiny.ltm,
weights that live here, so that they outlast every change of the shipped weights; ``shipped-*`` with those of the
package. A golden file that no longer decodes to its symbols, or to its pixels, means that users' files do not
either.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from skimage import data

import latens
from latens.bitstream import unpack
from latens.codec import find_weights
from latens.coding import Decoder
from latens.entropy.channels import Decode
from latens.latents import decoded
from latens.systems import MODELS
from latens.weights.shelf import TUNES, ModelInfo, RatePoint, shipped

HERE = Path(__file__).parent
PHOTOGRAPH = data.astronaut()
RANDOM = np.random.default_rng(2017)
PICTURES = {
    "pixel": PHOTOGRAPH[200:201, 200:201],
    "odd": PHOTOGRAPH[20:85, 150:277],
    "noise": RANDOM.integers(0, 256, (40, 56, 3), dtype=np.uint8),  # many escapes
    "flat": np.full((33, 47, 3), (12, 200, 99), np.uint8),
    "face": PHOTOGRAPH[40:168, 160:288],
    "head": PHOTOGRAPH[21:172, 155:296],  # too large to be coded in stairs, where nothing is filtered
}


TINY = ("pixel", "odd", "noise", "flat", "face")


def tiny() -> Path:
    """Weights of a small model, in closed form from photographs."""
    path = HERE / "tiny.ltm"
    if not path.exists():
        import torch

        from latens.systems import Balle2017
        from latens.train.closed_form import closed_form
        from latens.train.data import to_input
        from latens.train.export import export
        from latens.train.noise import Trainable

        torch.manual_seed(2017)
        module = Trainable(Balle2017(N1=12, N2=16, M=12), radius=32)
        tiles = torch.from_numpy(
            np.stack([PHOTOGRAPH[r : r + 128, c : c + 128] for r in (0, 128, 256) for c in (0, 128, 256)])
        )
        nets, prior = module.networks, module.priors["y"]
        closed_form(nets["g_a"], nets["g_s"], prior, to_input(tiles), 0.01)
        export(module, tiles, path, {"lmbda": 0.01, "training": "closed form"})
    return path


class Recording(Decode):
    """A decoder that has the CRC-32 of its symbols."""

    crc = 0

    def _exchange(self, symbols: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        arrived = super()._exchange(symbols, index)
        self.crc = zlib.crc32(arrived.astype("<i4").tobytes(), self.crc)
        return arrived


def symbols_crc(path: Path, weights: Path | None) -> str:
    """The CRC-32 of a file's symbols, in hexadecimal."""
    container = unpack(path.read_bytes())
    header = container.header
    found = find_weights(header, weights)
    decoder = Decoder(found.tables, container.tiles[0].payload)
    channel = Recording(decoder, found.priors, header.height, header.width, found.networks)
    decoded(found, channel)
    return f"{channel.crc:08x}"


def last_pixels(path: Path, weights: Path | None) -> np.ndarray:
    """Of a file's picture, the corner that cropping may spoil: at most 8 rows of 8 pixels, RGB side by side."""
    corner = latens.decode(path, output="array", weights=weights)[-8:, -8:]
    return corner.reshape(len(corner), -1)


def files(model: ModelInfo, point: RatePoint) -> list[tuple[str, str, float]]:
    """Names, pictures and qualities of the golden files of shipped weights.

    One, or three of variable rate; and one of a picture with a filter of its own, for weights that have them.
    """
    stem = f"shipped-{model.id}-{point.fingerprint}"
    if point.levels == 1:
        return [(stem, "odd", point.quality[0])]
    found = [(f"{stem}-q{quality:g}", "odd", quality) for quality in (0.0, 43.21, 100.0)]
    filtered = MODELS[model.id].filtered and point.tune == TUNES[0]
    return [*found, (f"{stem}-filter", "head", 60.0)] if filtered else found


def main() -> None:
    jobs: list[tuple[str, np.ndarray, Path | None, str | Path, float, str | None]] = [
        (f"tiny-{name}", PICTURES[name], tiny(), tiny(), 50.0, None) for name in TINY
    ]
    for model in shipped():
        for point in model.points:
            for name, picture, quality in files(model, point):
                jobs.append((name, PICTURES[picture], None, model.id, quality, point.tune))
    for name, picture, weights, chosen, quality, tune in jobs:
        path = HERE / f"{name}.ltn"
        if not path.exists():
            path.write_bytes(latens.encode(picture, quality=quality, model=chosen, tune=tune))
            path.with_suffix(".crc").write_text(symbols_crc(path, weights) + "\n")
            print("made", path.name)
    for path in sorted(HERE.glob("*.ltn")):  # of retired weights, too
        target = path.with_suffix(".pixels")
        if not target.exists():
            np.savetxt(target, last_pixels(path, tiny() if path.stem.startswith("tiny-") else None), "%d")
            print("made", target.name)


if __name__ == "__main__":
    main()
