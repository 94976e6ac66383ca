"""Time of g_a and g_s made of residual blocks of several kinds, in ONNX Runtime, on 768x512.

    taskset -c 1 python benchmarks/blocks.py [--threads 1] [--runs 14]

Weights are random; the minimum of the runs is printed. The table in docs/design.md was made so.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import numpy as np

from latens.runtime.onnx import OnnxNetwork
from latens.transforms import (
    Conv,
    Depthwise,
    LeakyReLU,
    Network,
    PixelShuffle,
    PixelUnshuffle,
    ReLU,
    Residual,
    Shift,
    macs_per_pixel,
)
from latens.transforms.onnx_graph import to_onnx
from latens.transforms.torch_modules import arrays, build

M = 192


def separable(c: int, kernel: int = 3, activation: type[ReLU] | type[LeakyReLU] = LeakyReLU) -> Network:
    return (Residual((Conv(c, c, 1), activation(), Depthwise(c, kernel), Conv(c, c, 1))),)


def wide(c: int, activation: type[ReLU] | type[LeakyReLU] = LeakyReLU) -> Network:
    return (Residual((Conv(c, 2 * c, 1), activation(), Conv(2 * c, c, 1))),)


def single(c: int) -> Network:
    return (Residual((Depthwise(c, 3), Conv(c, 2 * c, 1), ReLU(), Conv(2 * c, c, 1))),)


def plain(c: int) -> Network:
    return (Residual((Conv(c, c, 3), ReLU(), Conv(c, c, 3))),)


def bottleneck(c: int) -> Network:
    return (Residual((Conv(c, c // 2, 1), ReLU(), Conv(c // 2, c // 2, 3), ReLU(), Conv(c // 2, c, 1))),)


KINDS: list[tuple[str, int, int, Network]] = [
    ("depthwise 3x3, wide; ReLU", 128, 6, separable(128, 3, ReLU) + wide(128, ReLU)),
    ("depthwise 3x3, wide; LeakyReLU", 128, 6, separable(128) + wide(128)),
    ("depthwise 5x5, wide", 128, 6, separable(128, 5) + wide(128)),
    ("depthwise 3x3", 128, 6, separable(128)),
    ("one branch", 128, 6, single(128)),
    ("plain 3x3", 96, 4, plain(96)),
    ("bottleneck", 128, 6, bottleneck(128)),
    ("depthwise 3x3, wide", 160, 8, separable(160) + wide(160)),
    ("depthwise 3x3, wide", 192, 6, separable(192) + wide(192)),
    ("depthwise 3x3, wide", 96, 6, separable(96) + wide(96)),
]


def transforms(c: int, blocks: Network) -> tuple[Network, Network]:
    """g_a and g_s of `latens.systems.latens` with other blocks."""
    return (
        (Shift(-0.5), PixelUnshuffle(3, 8), Conv(192, c, 1), *blocks, Conv(c, M, 3, 2)),
        (Conv(M, 4 * c, 1), PixelShuffle(2), *blocks, Conv(c, 192, 1), PixelShuffle(8), Shift(0.5)),
    )


def milliseconds(network: Network, shape: tuple[int, ...], threads: int, runs: int) -> float:
    graph = to_onnx(network, arrays(build(network)), "float32")
    run, x = OnnxNetwork(network, graph, threads), np.random.default_rng(0).random(shape, np.float32)
    run(x)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=14)
    given = parser.parse_args()
    for name, c, count, block in KINDS:
        g_a, g_s = transforms(c, block * count)
        costs = macs_per_pixel(g_a) / 1000, macs_per_pixel(g_s, Fraction(1, 16)) / 1000
        times = (
            milliseconds(g_a, (1, 3, 512, 768), given.threads, given.runs),
            milliseconds(g_s, (1, M, 32, 48), given.threads, given.runs),
        )
        print(
            f"{name:32} C {c:3} blocks {count}  kMAC/pixel {costs[0]:5.1f} + {costs[1]:5.1f}  "
            f"g_a {times[0]:6.1f} ms  g_s {times[1]:6.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
