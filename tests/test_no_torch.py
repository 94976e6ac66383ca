"""Everything but training works where PyTorch and its company are not installed, and importing is cheap."""

import subprocess
import sys
from pathlib import Path

import pytest

TIMEOUT = "OPENBLAS_THREAD_TIMEOUT"
BLOCKED = (
    "torch", "torchvision", "onnx", "scipy", "tensorboard", "lightning_fabric", "bjontegaard", "pytorch_msssim"
)  # fmt: skip
BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_the_blocker_blocks() -> None:
    result = python(BLOCKER + "import torch")
    assert result.returncode == 1 and "No module named 'torch'" in result.stderr


def test_every_module_but_the_trainers_can_be_imported() -> None:
    result = python(
        BLOCKER
        + """
import importlib, pkgutil, latens
skipped = (
    "latens.train", "latens.transforms.gradients", "latens.transforms.torch_modules",
    "latens.transforms.onnx_graph",
)
def walk(package):
    for entry in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if entry.name in skipped:
            continue
        module = importlib.import_module(entry.name)
        print(entry.name)
        if entry.ispkg:
            walk(module)
walk(latens)
"""
    )
    assert result.returncode == 0, result.stderr
    names = result.stdout.split()
    assert {"latens.codec", "latens.cli", "latens.cli.train", "latens.weights.package"} <= set(names)


def test_a_picture_is_encoded_and_decoded(photograph, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(photograph[:64, :96]).save(tmp_path / "photo.png")
    result = python(BLOCKER + """
import latens
from latens.cli import main
source, file, back = sys.argv[1:]
assert main(["encode", source, "-o", file]) == 0
assert main(["decode", file, "-o", back]) == 0
assert main(["info", file]) == 0
assert main(["models"]) == 0
assert latens.decode(file).size == (96, 64)
""", tmp_path / "photo.png", tmp_path / "photo.ltn", tmp_path / "back.png")  # fmt: skip
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "back.png") as back:
        assert back.size == (96, 64)


def test_importing_latens_loads_nothing_heavy() -> None:
    result = python("import sys, latens; print(*sorted(name for name in sys.modules if '.' not in name))")
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert "latens" in loaded
    assert not loaded & {*BLOCKED, "onnxruntime", "numpy", "PIL", "constriction", "typer", "rich"}


@pytest.mark.parametrize(("given", "found"), [({}, "20"), ({TIMEOUT: "26"}, "26")])
def test_the_threads_of_blas_are_to_give_cores_back(
    given: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TIMEOUT, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    result = python(f"import latens, os; print(os.environ[{TIMEOUT!r}])")
    assert result.stdout.strip() == found, result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_help_and_version_need_neither_torch_nor_a_codec(arguments: list[str]) -> None:
    result = python(
        BLOCKER
        + f"""
from latens.cli import main
status = main({arguments!r})
assert not {{"onnxruntime", "constriction"}} & set(sys.modules), "the codec was loaded"
sys.exit(status)
"""
    )
    assert result.returncode == 0, result.stderr
    assert "latens" in result.stdout


def test_training_without_torch_fails_and_names_the_extra(tmp_path: Path) -> None:
    result = python(
        BLOCKER + "from latens.cli import main; sys.exit(main(['train', '--out', sys.argv[1]]))", tmp_path / "run"
    )
    assert result.returncode == 1
    assert "latens[train]" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()
