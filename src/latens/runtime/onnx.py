"""ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime

from latens.errors import WeightsError
from latens.runtime.cores import cores


class OnnxNetwork:
    """An ONNX graph ready to run; (B, C, H, W) float32 in and out.

    Args:
        graph: the serialised ONNX model
        threads: of this network; 0 is one for every core that the process may use
    """

    def __init__(self, graph: bytes, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()  # two threads on one core wait for each other
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy core costs all of them
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # pictures differ in size: freed memory goes back
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own types are not public
            raise WeightsError(f"a network cannot be loaded: {str(error).splitlines()[0]}") from error

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(["y"], {"x": np.ascontiguousarray(x, np.float32)})[0])
