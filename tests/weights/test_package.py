"""A weights file is whole or refused, and its fingerprint names what decoding depends on and nothing else."""

import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra train")

from latens.coding import Tables, integer_table
from latens.entropy.channels import Group, PriorTables
from latens.errors import WeightsError
from latens.systems import Balle2017
from latens.transforms import GDN, Conv, Deconv, Network
from latens.transforms.onnx_graph import to_onnx
from latens.weights.package import Weights, load, pack, retire, write

MODEL = Balle2017(N1=2, N2=2, M=3)
CARD: dict[str, Any] = {
    "model": "balle2017",
    "sizes": asdict(MODEL),
    "priors": {"y": PriorTables(0, (Group(1), Group(2, (4,))))},
    "lmbda": 0.01,
}
Members = dict[str, bytes]


def graph(network: Network, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    arrays: list[dict[str, np.ndarray]] = []
    for layer in network:
        match layer:
            case Conv():
                shape: tuple[int, ...] = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
                arrays.append({"weight": random.standard_normal(shape), "bias": np.zeros(layer.outputs)})
            case Deconv():
                shape = (layer.inputs, layer.outputs, layer.kernel, layer.kernel)
                arrays.append({"weight": random.standard_normal(shape), "bias": np.zeros(layer.outputs)})
            case GDN():
                arrays.append({"beta": np.ones(layer.channels), "gamma": np.eye(layer.channels)})
            case _:
                arrays.append({})
    return to_onnx(network, arrays)


def tables(seed: int = 0) -> Tables:
    random = np.random.default_rng(seed)
    return Tables.stack(integer_table(random.dirichlet(np.ones(7)), -3) for _ in range(5))


@pytest.fixture(scope="module")
def networks() -> dict[str, bytes]:
    return {name: graph(network, 0) for name, network in MODEL.networks().items()}


@pytest.fixture
def path(tmp_path: Path, networks: dict[str, bytes]) -> Path:
    write(tmp_path / "model.ltm", CARD, tables(), networks)
    return tmp_path / "model.ltm"


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(path: Path, members: Members) -> Path:
    """Another file with ``members``: the checksums of the zip are right, as a malicious writer's would be."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_what_is_written_is_read(tmp_path: Path, networks: dict[str, bytes]) -> None:
    mark = write(tmp_path / "a.ltm", CARD, tables(), networks)
    found = load(tmp_path / "a.ltm")
    assert found.fingerprint == mark and len(mark) == 4
    assert found.model == MODEL and found.source == "a.ltm"
    assert found.priors == {"y": PriorTables(0, (Group(1, ()), Group(2, (4,))))}
    assert found.priors["y"].channels == MODEL.M
    assert found.card["lmbda"] == 0.01 and found.card["fingerprint"] == mark.hex()
    for name, array in tables().to_arrays().items():
        np.testing.assert_array_equal(found.tables.to_arrays()[name], array)
    y = found.g_a(np.zeros((1, 3, 32, 16), np.float32))
    assert y.shape == (1, 3, 2, 1) and found.g_s(y).shape == (1, 3, 32, 16)
    assert not list(tmp_path.glob("*.tmp"))


def test_equal_weights_are_equal_files(
    tmp_path: Path, networks: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.ltm", CARD, tables(), networks)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400)
    write(tmp_path / "b.ltm", CARD, tables(), networks)
    assert (tmp_path / "a.ltm").read_bytes() == (tmp_path / "b.ltm").read_bytes()


def test_weights_that_cannot_reach_the_disk_leave_those_there(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, members = path.read_bytes(), load(path).members

    def broken(_: int) -> None:
        raise OSError("broken disk")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="broken disk"):
        pack(path, {**CARD, "training": "longer"}, members)
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == ["model.ltm"]


def test_a_better_encoder_keeps_the_fingerprint(tmp_path: Path, networks: dict[str, bytes], path: Path) -> None:
    other = {**networks, "g_a": graph(MODEL.networks()["g_a"], 1)}
    assert other["g_a"] != networks["g_a"]
    mark = write(tmp_path / "b.ltm", {**CARD, "training": "longer"}, tables(), other)
    assert mark == load(path).fingerprint
    assert load(tmp_path / "b.ltm").fingerprint == mark


def test_everything_that_decoding_depends_on_changes_the_fingerprint(
    tmp_path: Path, networks: dict[str, bytes], path: Path
) -> None:
    other = {**networks, "g_s": graph(MODEL.networks()["g_s"], 1)}
    absolute = {**CARD, "sizes": {**CARD["sizes"], "gdn": "absolute"}}
    edges = {**CARD, "priors": {"y": PriorTables(0, (Group(1), Group(2, (5,))))}}
    marks = [
        load(path).fingerprint,
        write(tmp_path / "b.ltm", CARD, tables(), other),
        write(tmp_path / "c.ltm", CARD, tables(1), networks),
        write(tmp_path / "d.ltm", absolute, tables(), networks),
        write(tmp_path / "e.ltm", edges, tables(), networks),
    ]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("name", ["g_s.onnx", "offsets.npy", "sizes.npy", "masses.npy"])
def test_a_changed_byte_of_a_member_is_refused_even_in_a_whole_zip(path: Path, name: str) -> None:
    members = members_of(path)
    data = members[name]
    for at in np.linspace(0, len(data) - 1, 40).astype(int):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(WeightsError, match="is damaged"):
            Weights({**members, name: changed}, "test")


def test_a_change_of_the_card_that_matters_is_refused(path: Path) -> None:
    members = members_of(path)
    card = json.loads(members["card.json"])
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda card: card.update(model="nonesuch"),
        lambda card: card.update(sizes={"N1": 2, "N2": 2, "M": 4}),
        lambda card: card.update(sizes={**card["sizes"], "colour": "red"}),
        lambda card: card.update(priors={"y": [1, [[1, []], [2, [4]]]]}),
        lambda card: card.update(priors={"y": 3}),
        lambda card: card.update(priors=[]),
        lambda card: card.update(fingerprint="00000000"),
        lambda card: card.pop("fingerprint"),
        lambda card: card.pop("sizes"),
    ]
    for change in changes:
        changed = json.loads(json.dumps(card))
        change(changed)
        assert changed != card
        with pytest.raises(WeightsError):
            Weights({**members, "card.json": json.dumps(changed).encode()}, "test")
    for broken in (b"", b"[]", b"{", b"\xff", b"7"):
        with pytest.raises(WeightsError):
            Weights({**members, "card.json": broken}, "test")


@pytest.mark.parametrize("name", ["card.json", "g_s.onnx", "masses.npy", "g_a.onnx"])
def test_a_missing_member_is_refused(path: Path, name: str, tmp_path: Path) -> None:
    members = members_of(path)
    del members[name]
    with pytest.raises(WeightsError):
        load(repacked(tmp_path / "less.ltm", members))


def test_any_flipped_byte_of_the_file_is_refused_or_harmless(path: Path, tmp_path: Path) -> None:
    """Flips that the zip does not notice lie in dates and attributes: what is read is the same."""
    data = path.read_bytes()
    whole = members_of(path)
    refused = 0
    with zipfile.ZipFile(path) as archive:  # every byte around the members' data, and a sample of these
        starts = [entry.header_offset for entry in archive.infolist()]
    places = {at + k for at in starts for k in range(60)} | set(range(archive.start_dir, len(data)))
    places |= set(np.linspace(0, len(data) - 1, 300).astype(int).tolist())
    for at in sorted(place for place in places if place < len(data)):
        target = tmp_path / f"{at}.ltm"  # one name each: two writes within a clock's tick look alike
        target.write_bytes(data[:at] + bytes([data[at] ^ 0x21]) + data[at + 1 :])
        try:
            found = load(target)
        except WeightsError:
            refused += 1
            continue
        assert found.members == whole, f"byte {at} changed what was read"
    assert refused > 300


def test_no_truncation_is_read(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    target = tmp_path / "cut.ltm"
    for end in (0, 1, 100, len(data) // 2, len(data) - 30, len(data) - 1):
        target.write_bytes(data[:end])
        with pytest.raises(WeightsError):
            load(target)


def test_no_pickle_is_ever_opened(path: Path) -> None:
    """Tables that are a pickle are refused even with a fingerprint that fits."""
    from latens.weights.package import fingerprint

    members = members_of(path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members["masses.npy"] = buffer.getvalue()
    card = {**json.loads(members["card.json"]), "fingerprint": fingerprint(members).hex()}
    weights = Weights({**members, "card.json": json.dumps(card).encode()}, "test")
    with pytest.raises(WeightsError, match="allow_pickle"):
        _ = weights.tables


def test_a_missing_file_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nonesuch"):
        load(tmp_path / "nonesuch.ltm")


def test_retired_weights_keep_their_fingerprint_and_decoder_alone(path: Path, tmp_path: Path) -> None:
    mark = retire(path, tmp_path / "old.ltm")
    whole, found = load(path), load(tmp_path / "old.ltm")
    assert mark == found.fingerprint == whole.fingerprint
    assert set(whole.members) - set(found.members) == {"g_a.onnx"}
    y = np.ones((1, 3, 2, 1), np.float32)
    np.testing.assert_array_equal(found.g_s(y), whole.g_s(y))
    with pytest.raises(WeightsError, match=r"is retired and has no g_a: it decodes, and does not encode"):
        _ = found.g_a
