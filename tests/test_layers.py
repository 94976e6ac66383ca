"""The import direction and the other rules of the source tree (docs/design.md), read from the code itself.

Imports are found with `ast`, those inside functions too; what stands under ``if TYPE_CHECKING`` does not run
and is not counted. A *unit* is a module or package directly under ``latens``. All may import ``errors``.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import latens

ROOT = Path(latens.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# cli -> codec -> weights -> systems -> entropy, transforms -> coding -> bitstream
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "pixels": set(),
    "lock": set(),
    "whole": set(),
    "bitstream": set(),
    "coding": set(),
    "transforms": set(),
    "entropy": {"transforms", "coding"},
    "runtime": {"pixels", "transforms"},
    "systems": {"entropy", "transforms"},
    "features": set(),
    "wiener": {"features", "runtime", "entropy"},
    "weights": {"whole", "wiener", "runtime", "systems", "entropy", "transforms", "coding"},
    "metadata": set(),
    "image": {"metadata", "bitstream"},
    "fitting": {"features", "wiener", "coding"},
    "latents": {"pixels", "wiener", "weights", "entropy", "coding", "bitstream"},
    "search": {"fitting", "latents", "pixels", "entropy"},
    "stairs": {"search", "latents", "pixels"},
    # opening needs the header only and reaches for the codec when a file is to be decoded: one layer
    "opened": {"codec", "weights", "bitstream"},
    "codec": {
        "opened", "stairs", "search", "latents", "wiener", "image", "weights", "runtime", "entropy", "coding",
        "bitstream",
    },
    "targets": {"codec", "stairs", "search", "latents", "metrics", "image", "weights", "runtime"},
    "classic": set(),
    "metrics": {"pixels"},
    # the public face, and what rows say of weights and runtimes
    "evaluate": {"whole", "", "image", "classic", "metrics", "weights", "runtime", "lock"},
    "train": {
        "search", "fitting", "latents", "wiener", "whole", "weights", "systems", "entropy", "transforms", "coding",
        "lock",
    },
    "cli": {"whole", "", "metrics", "image", "runtime", "evaluate", "bitstream"},
    "__main__": {"cli"},
    "": {"codec", "opened", "targets", "weights"},  # the public face, latens/__init__.py
}  # fmt: skip
UNSEEN = {""}  # units whose imports have their names in strings: the public face loads what is asked for
TRAINS = {"cli/train.py"}  # the only files outside train that may import it
FRAMEWORKS = {
    "torch": (
        "train/", "transforms/torch_modules.py", "transforms/gradients.py", "runtime/pytorch.py", "cli/train.py"
    ),
    "torchvision": ("train/",),
    "tensorboard": ("train/",),
    "lightning_fabric": ("train/parallel.py",),
    "lightning": ("train/parallel.py",),
    "fsspec": ("train/sources.py",),
    "pytorch_msssim": (),
    "onnx": ("transforms/onnx_graph.py",),
    "onnxruntime": ("runtime/onnx.py",),
    "openvino": ("runtime/openvino.py",),
    "constriction": ("coding/",),
    "typer": ("cli/",),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def unit_of(path: Path) -> str:
    """The unit a file belongs to; empty for the public face."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below ``node`` except those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from running_nodes(other)
            continue
        yield child
        yield from running_nodes(child)


def imported(source: str, package: str = "latens") -> set[str]:
    """Dotted names of the modules that ``source``, of a module in ``package``, imports when it runs.

    ``from latens import image`` counts as latens.image if there is such a module, and as latens otherwise.
    """
    found: set[str] = set()
    for node in running_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(parents + ([base] if base else []))
            inside = ROOT.parent / base.replace(".", "/")
            for alias in node.names:
                is_module = base.startswith("latens") and (
                    (inside / f"{alias.name}.py").exists() or (inside / alias.name).is_dir()
                )
                found.add(f"{base}.{alias.name}" if is_module else base)
    return found


def imports_of(path: Path) -> set[str]:
    package = ".".join(["latens", *path.relative_to(ROOT).parent.parts])
    return imported(path.read_text(encoding="utf-8"), package)


def test_the_reader_of_imports_sees_functions_and_skips_type_checking() -> None:
    source = """
import torch
if TYPE_CHECKING:
    import hidden
else:
    import shown
def f():
    from latens import image, encode
    from latens.train import run as r
    from . import data
    from ..systems import Model
try:
    import guarded
except ImportError:
    import fallback
"""
    assert imported(source, "latens.train") == {
        "torch", "shown", "latens.image", "latens", "latens.train.run", "latens.train.data", "latens.systems",
        "guarded", "fallback",
    }  # fmt: skip


def used_by(path: Path) -> set[str]:
    """The units that a file imports from, its own included."""
    return {(*module.split("."), "")[1] for module in imports_of(path) if module.split(".")[0] == "latens"}


def test_every_unit_has_its_place_among_the_layers() -> None:
    assert {unit_of(path) for path in FILES} == set(BELOW)
    assert len(FILES) > 30


@pytest.mark.parametrize("unit", sorted(set(BELOW) - UNSEEN))
def test_a_unit_imports_from_all_that_it_may(unit: str) -> None:
    files = [path for path in FILES if unit_of(path) == unit and name_of(path) not in TRAINS]
    used = {below for path in files for below in used_by(path)} - {"errors", unit}
    assert used == BELOW[unit]


def test_the_layers_have_no_cycle_but_opening_and_decoding() -> None:
    def reachable(unit: str) -> set[str]:
        seen: set[str] = set()
        todo = [unit]
        while todo:
            for below in BELOW[todo.pop()] - seen:
                seen.add(below)
                todo.append(below)
        return seen

    assert {unit for unit in BELOW if unit in reachable(unit)} == {"codec", "opened"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_from_the_layers_below_it(path: Path) -> None:
    unit = unit_of(path)
    allowed = BELOW[unit] | {"errors", unit} | ({"train"} if name_of(path) in TRAINS else set())
    used = used_by(path)
    assert used <= allowed, f"{name_of(path)} imports {sorted(used - allowed)}, and may import {sorted(allowed)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_framework_is_imported_only_where_it_belongs(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports_of(path)}
    for framework in tops & set(FRAMEWORKS):
        assert name_of(path).startswith(FRAMEWORKS[framework] or "-"), f"{name_of(path)} imports {framework}"


def test_frameworks_are_found_where_they_are_expected() -> None:
    """Without this the rule above could pass by seeing nothing."""
    for framework, path in (
        ("torch", "transforms/torch_modules.py"),
        ("torch", "cli/train.py"),
        ("onnx", "transforms/onnx_graph.py"),
        ("onnxruntime", "runtime/onnx.py"),
        ("openvino", "runtime/openvino.py"),
        ("torch", "runtime/pytorch.py"),
        ("lightning_fabric", "train/parallel.py"),
    ):
        assert framework in {module.split(".")[0] for module in imports_of(ROOT / path)}


@pytest.mark.parametrize("path", sorted((ROOT / "bitstream").glob("*.py")), ids=name_of)
def test_the_bitstream_needs_the_standard_library_only(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports_of(path)}
    assert tops <= set(sys.stdlib_module_names) | {"latens"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_long_a_drawer_or_a_star(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 300
    assert not {"utils", "util", "helpers", "misc", "common"} & set(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(text)):
        assert not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*"), f"line {node.lineno}"
