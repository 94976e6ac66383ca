"""Freed memory is kept: after some rounds, the same tensors need no new pages."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

CODE = """
import resource, torch
from latens.train.memory import keep_freed_memory
print(keep_freed_memory())
torch.set_num_threads(1)
for _ in range(24):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(count * 2**20) for count in (9, 9, 10)]  # more than glibc keeps by itself, 32 MiB
    del tensors
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")
@pytest.mark.skipif(
    HUGE.exists() and "[always]" in HUGE.read_text(), reason="pages are as large as the kernel likes"
)
def test_tensors_come_to_take_the_memory_of_those_before() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    told, *faults = result.stdout.split()
    if told == "False":
        pytest.skip("this C library cannot be told")
    import resource

    pages = 112 * 2**20 // resource.getpagesize()
    assert int(faults[0]) > 0.7 * pages
    assert max(map(int, faults[-4:])) < 0.07 * pages
