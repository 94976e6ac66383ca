"""Running pixel networks: float arithmetic, any runtime; differences stay below one grey level."""

from latens.runtime.onnx import PixelNetwork

__all__ = ["PixelNetwork"]
