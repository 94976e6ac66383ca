"""One rate point in one file (.ltm): a zip of a card, two ONNX graphs and the integer tables.

::

    card.json                    model, sizes, lambda, priors, how it was trained
    g_a.onnx  g_s.onnx           pixel networks
    offsets.npy sizes.npy masses.npy    the tables of `latens.coding.Tables`

The *fingerprint* is the first 4 bytes of the SHA-256 over what decoding depends on: model, sizes, priors,
tables and g_s. A better encoder (g_a) for the same decoder keeps it, and old files stay readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from latens.coding import Tables
from latens.entropy.channels import Group, PriorTables
from latens.errors import WeightsError
from latens.runtime import PixelNetwork
from latens.systems import MODELS, Model

ARRAYS = ("offsets", "sizes", "masses")
MEMBERS = ("card.json", "g_a.onnx", "g_s.onnx", *(f"{array}.npy" for array in ARRAYS))


class Weights:
    """The members of an .ltm file; networks and tables are made when first asked for."""

    def __init__(self, members: Mapping[str, bytes], source: str) -> None:
        self.members, self.source = members, source
        missing = [name for name in MEMBERS if name not in members]
        if missing:
            raise WeightsError(f"{source} is not a weights file: it has no {', '.join(missing)}")
        try:
            self.card: dict[str, Any] = json.loads(members["card.json"])
            self.model: Model = MODELS[self.card["model"]](**self.card["sizes"])
            self.priors = {
                name: PriorTables(first, tuple(Group(size, tuple(edges)) for size, edges in groups))
                for name, (first, groups) in self.card["priors"].items()
            }
            self.fingerprint = fingerprint(members)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{source} is not a weights file of this version: {error!r}") from error
        if self.card.get("fingerprint") != self.fingerprint.hex():
            raise WeightsError(
                f"{source} is damaged: its fingerprint is {self.fingerprint.hex()}, "
                f"and its card says {self.card.get('fingerprint')}"
            )

    @cached_property
    def tables(self) -> Tables:
        """The integer tables of all priors."""
        try:
            arrays = {
                name: np.load(io.BytesIO(self.members[f"{name}.npy"]), allow_pickle=False) for name in ARRAYS
            }
        except (ValueError, EOFError) as error:
            raise WeightsError(f"{self.source} has tables that cannot be read: {error}") from error
        return Tables.from_arrays(arrays)

    @cached_property
    def g_a(self) -> PixelNetwork:
        """Analysis: (1, 3, H, W) in [0, 1] -> (1, M, H/stride, W/stride)."""
        return PixelNetwork(self.members["g_a.onnx"])

    @cached_property
    def g_s(self) -> PixelNetwork:
        """Synthesis, the way back."""
        return PixelNetwork(self.members["g_s.onnx"])


def fingerprint(members: Mapping[str, bytes]) -> bytes:
    """4 bytes that name everything decoding depends on."""
    card = json.loads(members["card.json"])
    digest = hashlib.sha256(json.dumps([card["model"], card["sizes"], card["priors"]], sort_keys=True).encode())
    for name in (*(f"{array}.npy" for array in ARRAYS), "g_s.onnx"):
        digest.update(len(members[name]).to_bytes(8, "little"))
        digest.update(members[name])
    return digest.digest()[:4]


def write(path: Path, card: Mapping[str, Any], tables: Tables, networks: Mapping[str, bytes]) -> bytes:
    """Write an .ltm file and return its fingerprint.

    Args:
        card: model, sizes, priors, and whatever else is worth keeping; the fingerprint is added
        networks: ``g_a`` and ``g_s`` as ONNX bytes
    """
    members = {f"{name}.onnx": graph for name, graph in networks.items()}
    for name, array in tables.to_arrays().items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[f"{name}.npy"] = buffer.getvalue()
    members["card.json"] = json.dumps(dict(card)).encode()
    mark = fingerprint(members)
    members["card.json"] = (json.dumps({**card, "fingerprint": mark.hex()}, indent=2) + "\n").encode()
    temporary = path.with_suffix(".tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():  # a fixed date: equal weights are equal files
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    temporary.replace(path)
    return mark


@lru_cache(maxsize=16)
def load(path: Path) -> Weights:
    """Read an .ltm file; the last few stay in memory, ready to run.

    Raises:
        WeightsError: missing, damaged, or of a model this version does not know
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return Weights({name: archive.read(name) for name in archive.namelist()}, path.name)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
