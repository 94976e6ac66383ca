"""Metrics on 8-bit decoded pictures, by id. Rates are file sizes; what is compared has been through a file.

``default`` metrics are those that an evaluation computes unasked. One core takes 0.3 s for all of them at 768x512
pixels: 0.15 s for SSIMULACRA2, 0.09 s for MS-SSIM, 0.07 s for SSIM, little for the others.

Means over pictures are taken of every metric as it is; MS-SSIM becomes `decibels` *after* averaging, as in the
published curves of the field.

Not offered: Butteraugli, which no package brings; LPIPS, DISTS and FID, which need PyTorch and a network's weights
from elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from latens.errors import MissingExtraError, UnsupportedPictureError, UsageError
from latens.metrics.fidelity import psnr, psnr_y
from latens.metrics.gradient import gmsd
from latens.metrics.structure import MIN_SIDE, decibels, ms_ssim, ssim
from latens.metrics.video import vmaf
from latens.metrics.xyb import ssimulacra2


@dataclass(frozen=True)
class Metric:
    """A metric of two uint8 pictures (H, W, 3)."""

    id: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    digits: int  # after the point, where it is printed
    function: Callable[[NDArray[Any], NDArray[Any]], float]
    package: str = "latens"  # whose code it is; others are optional
    default: bool = True

    def library(self) -> str:
        """``latens 0.1.0``; MissingExtraError if it is not installed."""
        try:
            return f"{self.package} {version(self.package)}"
        except PackageNotFoundError as error:
            raise MissingExtraError(
                f"package {self.package} is not installed: {self.title} needs pip install 'latens[vmaf]'"
            ) from error

    def available(self) -> bool:
        """Whether its package is installed."""
        try:
            self.library()
        except MissingExtraError:
            return False
        return True


_ALL = (
    Metric("psnr_rgb", "PSNR-RGB", "dB", "higher", 2, psnr),
    Metric("psnr_y", "PSNR-Y", "dB", "higher", 2, psnr_y),
    Metric("ssim", "SSIM", "", "higher", 4, ssim),
    Metric("ms_ssim", "MS-SSIM", "", "higher", 4, ms_ssim),
    Metric("gmsd", "GMSD", "", "lower", 4, gmsd),
    Metric("ssimulacra2", "SSIMULACRA2", "", "higher", 1, ssimulacra2),
    Metric("vmaf", "VMAF", "", "higher", 1, vmaf, "imageio-ffmpeg", default=False),
)

METRICS: dict[str, Metric] = {metric.id: metric for metric in _ALL}


def measure_all(original: NDArray[Any], decoded: NDArray[Any], ids: Iterable[str]) -> dict[str, float]:
    """The metrics ``ids`` of uint8 pictures (H, W, 3); nan where a picture is too small for one.

    Raises:
        UsageError: no such metric, or arrays that are no such pictures
        MissingExtraError: a metric's package is not installed
    """
    found = {}
    for name in ids:
        if name not in METRICS:
            raise UsageError(f"metric is {name!r}, and must be one of {', '.join(METRICS)}")
        try:
            found[name] = METRICS[name].function(original, decoded)
        except UnsupportedPictureError:
            found[name] = math.nan
    return found


class Quality(NamedTuple):
    """What `measure` found for one decoded picture."""

    psnr: float  # dB, RGB
    ms_ssim: float  # at most 1

    @property
    def ms_ssim_db(self) -> float:
        """MS-SSIM in `decibels`."""
        return decibels(self.ms_ssim)


def measure(a: NDArray[Any], b: NDArray[Any]) -> Quality:
    """The two metrics of the field's tables; errors as `psnr` and `ms_ssim`."""
    return Quality(psnr(a, b), ms_ssim(a, b))


__all__ = [
    "METRICS",
    "MIN_SIDE",
    "Metric",
    "Quality",
    "decibels",
    "gmsd",
    "measure",
    "measure_all",
    "ms_ssim",
    "psnr",
    "psnr_y",
    "ssim",
    "ssimulacra2",
    "vmaf",
]
