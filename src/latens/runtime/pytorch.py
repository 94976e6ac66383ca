"""PyTorch, on a GPU where there is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from latens.errors import MissingExtraError, WeightsError
from latens.transforms import Network

_LOCK = threading.Lock()  # what is set while a network runs is the whole process's


class TorchNetwork:
    """A network of PyTorch modules with the weights of an ONNX graph; (B, C, H, W) float32 in and out.

    Shorter products are turned off while it runs: TensorFloat-32, in which GPUs convolve by default with 10 bits
    of mantissa, and what `torch.set_float32_matmul_precision` allows.

    Args:
        network: the description
        graph: the serialised ONNX model made of it
        threads: on a CPU; 0 leaves PyTorch's own number (one a core)

    Raises:
        MissingExtraError: PyTorch or onnx is not installed
        WeightsError: the graph cannot be used
    """

    def __init__(self, network: Network, graph: bytes, threads: int = 0) -> None:
        try:
            import torch

            from latens.transforms.onnx_graph import from_onnx
            from latens.transforms.torch_modules import build, fill
        except ImportError as error:
            raise MissingExtraError(
                "packages torch and onnx are not both installed: this runtime needs pip install 'latens[train]'"
            ) from error
        try:
            module = build(network)
            fill(module, from_onnx(network, graph))
        except Exception as error:  # onnx's own types are not public
            raise WeightsError(f"a network cannot be loaded: {str(error).splitlines()[0]}") from error
        self._threads = threads
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = module.to(self._device).eval()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        import torch

        with _LOCK, torch.inference_mode(), _threads(self._threads), _float32():
            y = self._module(torch.from_numpy(np.ascontiguousarray(x, np.float32)).to(self._device))
            return np.asarray(y.cpu().numpy())


@contextmanager
def _float32() -> Iterator[None]:
    """Products of whole float32 in PyTorch's calls, and then as before; cuDNN stays as it is."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=torch.backends.cudnn.enabled,
            benchmark=torch.backends.cudnn.benchmark,
            deterministic=torch.backends.cudnn.deterministic,
            allow_tf32=False,
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """So many threads in PyTorch's calls, and then as many as before; 0 changes nothing."""
    import torch

    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number:
            torch.set_num_threads(before)
