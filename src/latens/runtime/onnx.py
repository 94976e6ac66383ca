"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime

from latens.errors import WeightsError
from latens.transforms import Network
from latens.transforms.strips import in_strips


def _cores() -> int:
    """Those that this process may use: two threads on one core wait for each other."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PixelNetwork:
    """An ONNX graph ready to run; (B, C, H, W) float32 in and out.

    Args:
        graph: the serialised ONNX model
        threads: of this network; 0 is one for every core that the process may use
        network: its description; large planes are then computed in strips, in bounded memory
    """

    def __init__(self, graph: bytes, threads: int = 0, network: Network | None = None) -> None:
        self.network = network
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy core costs all of them
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # pictures differ in size: freed memory goes back
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own types are not public
            raise WeightsError(f"a network cannot be loaded: {str(error).splitlines()[0]}") from error

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._run(x) if self.network is None else in_strips(self.network, self._run, x)

    def _run(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(["y"], {"x": np.ascontiguousarray(x, np.float32)})[0])
