"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from latens.errors import WeightsError
from latens.runtime.cores import cores
from latens.transforms import Network
from latens.transforms.onnx_phases import in_phases
from latens.transforms.strips import widest

KEPT = 1 << 23  # values in the widest plane of a picture whose memory is kept for the next one: 32 MiB of float32
SHRINK = "memory.enable_memory_arena_shrinkage", "cpu:0"


class OnnxNetwork:
    """An ONNX graph ready to run; (B, C, H, W) float32 in and out.

    The kernel takes long to hand out memory, a tenth of the time of a network and more: what small pictures need
    is kept. What large ones needed goes back after each.

    Args:
        network: the description
        graph: the serialised ONNX model made of it
        threads: of this network; 0 is one for every core that the process may use
    """

    def __init__(self, network: Network, graph: bytes, threads: int = 0) -> None:
        self._widest = widest(network)
        self._shrinking = shrinking()
        try:
            self._session = session(in_phases(network, graph), threads)
        except Exception as error:  # the runtime's own types are not public, and a graph may be none
            raise WeightsError(f"a network cannot be loaded: {str(error).splitlines()[0]}") from error

    def __call__(self, x: np.ndarray) -> np.ndarray:
        batch, _, rows, columns = x.shape
        large = batch * rows * columns * self._widest > KEPT
        x = np.ascontiguousarray(x, np.float32)
        (y,) = answered(self._session, ["y"], {"x": x}, self._shrinking if large else None)
        return y


def session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A graph on the CPU with so many threads; 0 is one for every core that the process may use."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()  # two threads on one core wait for each other
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy core costs all of them
    options.log_severity_level = 4  # what it refuses, it raises as well
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def answered(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    given: Mapping[str, np.ndarray],
    options: onnxruntime.RunOptions | None = None,
) -> list[np.ndarray]:
    """What a graph makes of its inputs.

    Raises:
        WeightsError: it does not take them
    """
    try:
        found: list[np.ndarray] = session.run(outputs, given, options)
    except MemoryError:
        raise
    except Exception as error:  # the runtime's own types are not public
        shapes = ", ".join(f"{name} {value.shape}" for name, value in given.items())
        raise WeightsError(f"a network does not take {shapes}: {str(error).splitlines()[0]}") from error
    return found


def shrinking() -> onnxruntime.RunOptions:
    """For runs after which memory goes back to the system."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(*SHRINK)
    return options
