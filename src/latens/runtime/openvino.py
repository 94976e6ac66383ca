"""OpenVINO on the CPU."""

from __future__ import annotations

import numpy as np

from latens.errors import MissingExtraError, WeightsError


class OpenVINONetwork:
    """An ONNX graph ready to run; (B, C, H, W) float32 in and out.

    float32 is asked for by name: left to itself, OpenVINO computes in bfloat16 where the processor can, and is
    more than a grey level off.

    Args:
        graph: the serialised ONNX model
        threads: of this network; 0 lets the runtime choose (one a core)

    Raises:
        MissingExtraError: OpenVINO is not installed
        WeightsError: the graph cannot be used
    """

    def __init__(self, graph: bytes, threads: int = 0) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError(
                "package openvino is not installed: its runtime needs pip install 'latens[openvino]'"
            ) from error
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            core = openvino.Core()
            model = core.read_model(graph)
            self._compiled = core.compile_model(model, "CPU", options)
        except Exception as error:  # the runtime's own types are not public
            raise WeightsError(f"a network cannot be loaded: {str(error).splitlines()[0]}") from error

    def __call__(self, x: np.ndarray) -> np.ndarray:
        request = self._compiled.create_infer_request()  # one a call: threads may share the network
        try:
            y = np.array(request.infer({"x": np.ascontiguousarray(x, np.float32)})["y"])
        except RuntimeError as error:
            raise WeightsError(f"a network does not take {x.shape[1]} channels") from error
        if not y.size:  # what some versions make of channels that do not fit, without a word
            raise WeightsError(f"a network does not take {x.shape[1]} channels")
        return y
