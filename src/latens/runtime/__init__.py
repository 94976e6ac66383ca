"""Running pixel networks: float arithmetic, any runtime; differences stay below one grey level.

``onnx``      ONNX Runtime, on the CPU: the default, always installed
``openvino``  OpenVINO, on the CPU (extra ``openvino``)
``torch``     PyTorch, on a GPU where there is one (extra ``train``)

All read the same bytes, an ONNX graph of `latens.transforms.onnx_graph`. Which one is used, and with how many
threads, `choose` decides for every caller: an argument, else the environment, else the default. Networks that
probabilities depend on never run here: they are integers (`latens.entropy.integer`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

from latens.errors import MissingExtraError, UsageError
from latens.transforms import Network
from latens.transforms.strips import in_strips

PixelNetwork = Callable[[np.ndarray], np.ndarray]  # float32 (B, C, H, W) -> float32 (B, C', H', W')
LIBRARIES = {  # what each is called, and the package that brings it
    "onnx": ("ONNX Runtime", "onnxruntime"),
    "openvino": ("OpenVINO", "openvino"),
    "torch": ("PyTorch", "torch"),
}
RUNTIMES = tuple(LIBRARIES)


class Runtime(NamedTuple):
    """A choice: what runs pixel networks, and how many threads each takes; 0 lets it choose (one a core)."""

    name: str = RUNTIMES[0]
    threads: int = 0


DEFAULT = Runtime()


def choose(name: str | None = None, threads: int | None = None) -> Runtime:
    """What was asked for; None asks the environment, ``LATENS_RUNTIME`` and ``LATENS_THREADS``.

    Raises:
        UsageError: no such runtime, or no such number of threads
    """
    name = name or os.environ.get("LATENS_RUNTIME") or DEFAULT.name
    if name not in RUNTIMES:
        raise UsageError(f"runtime is {name!r}, and must be one of {', '.join(RUNTIMES)}")
    asked = os.environ.get("LATENS_THREADS") or "0" if threads is None else str(threads)
    if not asked.isdecimal():
        raise UsageError(f"threads is {asked!r}, and must be a whole number, 0 for one a core")
    return Runtime(name, int(asked))


def described(runtime: Runtime) -> str:
    """The library and its version, as results of measurements name it.

    Raises:
        MissingExtraError: it is not installed
    """
    title, package = LIBRARIES[runtime.name]
    try:
        return f"{title} {version(package)}"
    except PackageNotFoundError as error:
        message = f"package {package} is not installed, and runtime {runtime.name!r} needs it"
        raise MissingExtraError(message) from error


def pixel_network(network: Network, graph: bytes, runtime: Runtime = DEFAULT) -> PixelNetwork:
    """A network ready to run, from its description and its graph; large planes in strips, in bounded memory.

    Raises:
        MissingExtraError: the runtime is not installed
        WeightsError: the graph cannot be used
    """
    run = _loaded(network, graph, runtime)
    return lambda x: in_strips(network, run, x)


def _loaded(network: Network, graph: bytes, runtime: Runtime) -> PixelNetwork:
    match runtime.name:
        case "openvino":
            from latens.runtime.openvino import OpenVINONetwork

            return OpenVINONetwork(graph, runtime.threads)
        case "torch":
            from latens.runtime.pytorch import TorchNetwork

            return TorchNetwork(network, graph, runtime.threads)
        case _:
            from latens.runtime.onnx import OnnxNetwork

            return OnnxNetwork(network, graph, runtime.threads)
