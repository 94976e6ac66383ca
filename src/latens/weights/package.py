"""One rate point in one file (.ltm): a zip of a card, ONNX graphs, integer networks and the integer tables.

::

    card.json                    model, sizes, lambda, priors, how it was trained
    g_a.onnx  g_s.onnx           pixel networks
    gain.npy  inverse.npy        of models with several levels: `latens.transforms.gains`
    h_a.onnx                     the hyper-analysis, of models that have one: the encoder's affair alone
    h_s.entry.npy h_s.0.weight.npy h_s.0.rule.npy ...  networks that must be exact: `latens.entropy.integer`
    offsets.npy sizes.npy masses.npy    the tables of `latens.coding.Tables`
    filters.vectors.npy filters.scales.npy  of weights whose pictures have filters of their own: `latens.wiener`

The *fingerprint* is the first 4 bytes of the SHA-256 over what decoding depends on: model, sizes, priors,
tables, g_s, inverse gains, exact networks and filters. A better encoder (g_a, h_a, gain) for the same decoder
keeps it: old files stay readable. *Retired* weights, whose card says so, have no g_a and no h_a.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latens.coding import Tables
from latens.entropy.channels import Group, PriorTables
from latens.entropy.integer import IntegerNetwork
from latens.errors import WeightsError
from latens.runtime import DEFAULT, PixelNetwork, Runtime, pixel_network
from latens.systems import MODELS, Model
from latens.transforms.gains import Gains, lambda_of, level_of
from latens.transforms.onnx_weights import from_onnx
from latens.weights.check import check_card, check_priors, check_tables
from latens.whole import replacing
from latens.wiener import FILTERS, Basis

if TYPE_CHECKING:
    from latens.runtime.derivative import SquaredError

ARRAYS, GAINS = ("offsets", "sizes", "masses"), ("gain", "inverse")
MOST_BYTES = 1 << 30  # of all members of a file together
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)
MEMBERS = ("card.json", "g_s.onnx", *(f"{array}.npy" for array in ARRAYS))


class Weights:
    """The members of an .ltm file; tables, and networks for ``runtime``, are made when first asked for."""

    def __init__(self, members: Mapping[str, bytes], source: str, runtime: Runtime = DEFAULT) -> None:
        self.members, self.source, self.runtime = members, source, runtime
        self._need(MEMBERS)
        try:
            self.card: dict[str, Any] = json.loads(members["card.json"])
            self.model: Model = MODELS[self.card["model"]](**self.card["sizes"])
            self.priors = {
                name: PriorTables(first, tuple(Group(size, tuple(at)) for size, at in groups), tuple(*expected))
                for name, (first, groups, *expected) in self.card["priors"].items()
            }
            floats = [name for name in self.model.networks() if name not in self.model.exact()]
            self._need(f"{name}.onnx" for name in floats if not self.card.get("retired"))
            self._need(f"{name}.npy" for name in (GAINS if self.model.levels > 1 else ()))
            check_card(self.card, self.model)
            check_priors(self.priors, self.model)
            self.fingerprint = fingerprint(members)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{source} is not a weights file of this version: {error!r}") from error
        if self.card.get("fingerprint") != self.fingerprint.hex():
            raise WeightsError(
                f"{source} is damaged: its fingerprint is {self.fingerprint.hex()}, "
                f"and its card says {self.card.get('fingerprint')}"
            )

    def _need(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.members]
        if missing:
            raise WeightsError(f"{self.source} is not a weights file: it has no {', '.join(missing)}")

    def _array(self, name: str) -> np.ndarray:
        try:
            array = np.lib.format.read_array(io.BytesIO(self.members[f"{name}.npy"]), allow_pickle=False)
            return np.asarray(array)
        except (ValueError, EOFError, MemoryError, OverflowError) as error:
            raise WeightsError(f"{self.source} has integers that cannot be read: {name}: {error}") from error

    @cached_property
    def tables(self) -> Tables:
        """The integer tables of all priors.

        Raises:
            WeightsError: they break a rule of `Tables`, or there are too few of them
        """
        tables = Tables.from_arrays({name: self._array(name) for name in ARRAYS})
        try:
            check_tables(self.priors, tables)
        except ValueError as error:
            raise WeightsError(f"{self.source} is not a weights file of this version: {error}") from error
        return tables

    @cached_property
    def networks(self) -> Mapping[str, Callable[..., np.ndarray]]:
        """What `Model.code` asks its channel for: networks by name, made when first asked for."""
        return _Networks(self)

    @cached_property
    def gains(self) -> Gains | None:
        """Of a model with several levels; None for one rate.

        Raises:
            WeightsError: rows of another shape than the model's, or values that are no numbers
        """
        if self.model.levels == 1:
            return None
        shape = (self.model.levels, self.model.M)
        rows = [self._array(name) for name in GAINS]
        for name, found in zip(GAINS, rows, strict=True):
            if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
                raise WeightsError(f"{self.source}: {name} has {found.shape} {found.dtype}, not {shape} float32")
        return Gains(*rows)

    def lmbda(self, quality: float | None) -> float | None:
        """What a file's quality stands for; None if the card does not say, or speaks of another error than MSE."""
        if self.card.get("metric", "mse") != "mse":
            return None
        levels = self.card.get("lmbdas")
        if quality is None or not levels:
            return self.card.get("lmbda")
        return float(lambda_of(level_of(quality, len(levels)), len(levels), levels[0], levels[-1]))

    @cached_property
    def g_a(self) -> PixelNetwork:
        """Analysis: (1, 3, H, W) in [0, 1] -> (1, M, H/stride, W/stride)."""
        return self._pixel_network("g_a")

    @cached_property
    def g_s(self) -> PixelNetwork:
        """Synthesis, the way back."""
        return self._pixel_network("g_s")

    @cached_property
    def filters(self) -> Basis | None:
        """Of the pictures' own filters; None for weights without. WeightsError: arrays that can be none."""
        if not (self.model.filtered and any(f"{name}.npy" in self.members for name in FILTERS)):
            return None
        self._need(f"{name}.npy" for name in FILTERS)
        try:
            return Basis.of(*map(self._array, FILTERS))
        except ValueError as error:
            raise WeightsError(f"{self.source}: {error}") from error

    def _pixel_network(self, name: str) -> PixelNetwork:
        return pixel_network(self.model.networks()[name], self.graph(name), self.runtime)

    def graph(self, name: str) -> bytes:
        """The ONNX graph of a float network.

        Raises:
            WeightsError: retired weights have no encoder
        """
        if f"{name}.onnx" not in self.members:
            raise WeightsError(f"{self.source} is retired and has no {name}: it decodes, and does not encode")
        return self.members[f"{name}.onnx"]

    @cached_property
    def squared_error(self) -> SquaredError:
        """How far what g_s makes of latents is from a picture, squared, and how that changes with each of them.

        Raises:
            WeightsError: the graph of g_s cannot be read
        """
        from latens.runtime.derivative import SquaredError  # ONNX Runtime takes its time to load

        try:
            network = self.model.networks()["g_s"]
            return SquaredError(network, from_onnx(network, self.graph("g_s")), self.runtime.threads)
        except ValueError as error:
            raise WeightsError(f"{self.source} has a synthesis that cannot be read: {error}") from error

    def network(self, name: str) -> Callable[..., np.ndarray]:
        """A network of the model: exact integers, or a float graph.

        Raises:
            WeightsError: its arrays or its graph cannot be used
            InexactError: integers whose sums are not proven
        """
        if name not in self.model.exact():
            return self._pixel_network(name)
        here = [member[: -len(".npy")] for member in self.members if member.startswith(f"{name}.")]
        arrays = {member[len(name) + 1 :]: self._array(member) for member in here}
        return IntegerNetwork.from_arrays(self.model.networks()[name], arrays)


class _Networks(dict[str, Callable[..., np.ndarray]]):
    """Networks by name, made when first asked for: a decoder needs no h_a."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.weights = weights

    def __missing__(self, name: str) -> Callable[..., np.ndarray]:
        self[name] = self.weights.network(name)
        return self[name]


def fingerprint(members: Mapping[str, bytes]) -> bytes:
    """4 bytes that name everything decoding depends on."""
    card = json.loads(members["card.json"])
    digest = hashlib.sha256(json.dumps([card["model"], card["sizes"], card["priors"]], sort_keys=True).encode())
    tables = [f"{array}.npy" for array in ARRAYS]
    exact = sorted(name for name in members if name.endswith(".npy") and name not in (*tables, "gain.npy"))
    for name in (*tables, "g_s.onnx", *exact):
        if name in exact:
            digest.update(name.encode())
        digest.update(len(members[name]).to_bytes(8, "little"))
        digest.update(members[name])
    return digest.digest()[:4]


def write(
    path: Path,
    card: Mapping[str, Any],
    tables: Tables,
    networks: Mapping[str, bytes],
    exact: Mapping[str, IntegerNetwork] | None = None,
    gains: Gains | None = None,
) -> bytes:
    """Write an .ltm file and return its fingerprint.

    Args:
        card: model, sizes, priors, and whatever else is worth keeping; the fingerprint is added
        networks: ``g_a``, ``g_s`` and ``h_a`` as ONNX bytes
        exact: the other networks
        gains: of a model with several levels
    """
    arrays = tables.to_arrays() | ({} if gains is None else {"gain": gains.gain, "inverse": gains.inverse})
    for net, integers in (exact or {}).items():
        arrays |= {f"{net}.{name}": array for name, array in integers.to_arrays().items()}
    return pack(path, card, {f"{name}.onnx": graph for name, graph in networks.items()} | as_members(arrays))


def as_members(arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Arrays by name as members of an .ltm file."""
    found = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        found[f"{name}.npy"] = buffer.getvalue()
    return found


def pack(path: Path, card: Mapping[str, Any], members: Mapping[str, bytes]) -> bytes:
    """Write an .ltm file of a card and the other members as they are, and return its fingerprint."""
    mark = fingerprint({**members, "card.json": json.dumps(dict(card)).encode()})
    whole = {**members, "card.json": (json.dumps({**card, "fingerprint": mark.hex()}, indent=2) + "\n").encode()}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in whole.items():  # a fixed date: equal weights are equal files
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return mark


def retire(path: Path, target: Path) -> bytes:
    """Write what decoding needs of an .ltm file as another one, and return their fingerprint."""
    weights = load(path)
    encoder = {f"{name}.onnx" for name in weights.model.networks() if name != "g_s"}
    kept = {name: data for name, data in weights.members.items() if name not in encoder}
    return pack(target, {**weights.card, "retired": True}, kept)


def load(path: Path, runtime: Runtime = DEFAULT) -> Weights:
    """Read an .ltm file; the last few stay in memory, ready to run, until their files change.

    Raises:
        WeightsError: missing, damaged, or of a model this version does not know
    """
    try:
        found = path.stat()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    return _load(path, runtime, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _load(path: Path, runtime: Runtime, changed: int, size: int) -> Weights:
    try:
        with zipfile.ZipFile(path) as archive:
            held = sum(member.file_size for member in archive.infolist())
            if held > MOST_BYTES:
                raise WeightsError(f"{path} holds {held} bytes, and at most {MOST_BYTES} are read")
            members = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, *BROKEN) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    return Weights(members, path.name, runtime)
