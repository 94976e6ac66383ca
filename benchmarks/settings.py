"""What a computer can do in different ways: runtimes, threads, kernels, vector instructions. For benchmarks.

A `Setting` is one choice of all of them, which takes effect in a fresh process (`in_process`); `covering` makes a
few settings out of very many in which any two choices meet.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RUNTIMES = {"onnx": ("onnxruntime",), "openvino": ("openvino",), "torch": ("torch", "onnx")}
KERNELS = {"Prescott": "pni", "Nehalem": "sse4_2", "Haswell": "avx2", "SkylakeX": "avx512f"}  # and what they need
LIMITS = {  # instructions that PyTorch and OpenVINO may use
    "all": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "sse4.1": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
SHOWN_SETS = ("sse4_1", "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
FIRST = "default"


class Setting(NamedTuple):
    """What a process runs under; the first value of each is what it would do by itself, on one thread."""

    runtime: str
    threads: int
    blas: str  # OpenBLAS kernels
    blas_threads: int
    numpy: str  # vector instructions: all, or those of its baseline
    limit: str

    def environment(self) -> dict[str, str]:
        """The variables that bring it about, over those of this process."""
        chosen = {
            "LATENS_RUNTIME": self.runtime,
            "LATENS_THREADS": str(self.threads),
            "OPENBLAS_NUM_THREADS": str(self.blas_threads),
            **LIMITS[self.limit],
        }
        if self.blas != FIRST:
            chosen["OPENBLAS_CORETYPE"] = self.blas
        if self.numpy != "all":
            chosen["NPY_DISABLE_CPU_FEATURES"] = " ".join(_numpy_core().__cpu_dispatch__)
        changed = {"OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", *LIMITS["avx2"]}
        return {name: value for name, value in os.environ.items() if name not in changed} | chosen


def limited(threads: int) -> None:
    """Begin this program again with so many threads for networks and for NumPy, unless it was begun so.

    NumPy reads its number when it is imported.
    """
    names = ("LATENS_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    wanted = dict.fromkeys(names, str(threads))
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


def knobs() -> tuple[tuple[Any, ...], ...]:
    """The values that each field of a setting can take here."""
    flags = instruction_sets()
    kernels = (FIRST, *(kernel for kernel, needed in KERNELS.items() if needed in flags))
    limits = tuple(LIMITS) if "avx2" in flags else ("all",)
    runtimes = tuple(name for name, packages in RUNTIMES.items() if all(map(installed, packages)))
    return runtimes, (1, 2), kernels, (1, 2), ("all", "baseline"), limits


def covering(values: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows, one value of each knob, in which any two values of any two knobs meet; the first has all first values.

    Greedy: always the row, first in order among equals, in which most pairs meet that have not yet met.
    """

    def pairs(row: tuple[Any, ...]) -> set[tuple[int, Any, int, Any]]:
        return {(i, row[i], j, row[j]) for i, j in combinations(range(len(row)), 2)}

    rows = [pairs(row) for row in product(*values)]
    names = list(product(*values))
    missing = set().union(*rows) - rows[0]
    chosen = [names[0]]
    while missing:
        best = max(range(len(rows)), key=lambda k: len(rows[k] & missing))
        chosen.append(names[best])
        missing -= rows[best]
    return chosen


def found_here() -> dict[str, Any]:
    """What this process really runs: a setting that had no effect would prove nothing."""
    core = _numpy_core()
    used = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    found: dict[str, Any] = {"numpy": used, **_openblas()}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].backends.cpu.get_cpu_capability()
    return found


def _numpy_core() -> Any:
    from numpy._core import _multiarray_umath

    return _multiarray_umath


def _openblas() -> dict[str, Any]:
    """Kernels and threads of the OpenBLAS that NumPy's wheels carry; empty where it is another library."""
    for path in sorted((Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*")):
        library = ctypes.CDLL(str(path))
        kernels, threads = library.scipy_openblas_get_corename64_, library.scipy_openblas_get_num_threads64_
        kernels.restype = ctypes.c_char_p
        return {"blas": kernels().decode(), "blas_threads": int(threads())}
    return {}


def installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def instruction_sets() -> set[str]:
    """The processor's flags as Linux names them; empty elsewhere."""
    return set(_cpu_line("flags").split())


def cpu() -> str:
    """Maker and instruction sets, in words."""
    flags = instruction_sets()
    shown = ", ".join(name for name in SHOWN_SETS if name in flags)
    return f"{_cpu_line('vendor_id') or platform.machine()}: {shown or 'instruction sets not known'}"


def _cpu_line(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def versions() -> dict[str, str]:
    """Of everything whose arithmetic takes part."""
    names = ("latens", "numpy", "onnxruntime", "openvino", "torch", "constriction")
    return {"python": platform.python_version()} | {name: version(name) for name in names if installed(name)}


def in_process(script: Path, setting: Setting, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``work(job)`` of a script in a fresh process under a setting.

    Raises:
        RuntimeError: the process failed
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=folder, delete=False) as stream:
        json.dump(job, stream)
    command = [sys.executable, str(script), "--work", stream.name]
    done = subprocess.run(command, env=setting.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{setting}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
