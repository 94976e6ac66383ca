"""balle2018 and minnen2018 in files: every size, the size that the tables promise, drift found out."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

import latens
from latens.bitstream import unpack
from latens.coding import Decoder, Encoder
from latens.coding.cost import bits
from latens.entropy.account import Account
from latens.entropy.channels import Decode, Encode
from latens.entropy.order import raster, wavefront
from latens.errors import DriftError, InexactError, WeightsError
from latens.pixels import to_network
from latens.systems import minnen2018
from latens.weights import package
from latens.weights.package import Weights, load

pytest.importorskip("torch", reason="training needs PyTorch")
KINDS = ["scale", "mean-scale", "context"]


def decoded(weights: Weights, data: bytes, kind: type[Decode]) -> tuple[np.ndarray, Decode]:
    container = unpack(data)
    header = container.header
    decoder = Decoder(weights.tables, container.tiles[0].payload)
    channel = kind(decoder, weights.priors, header.height, header.width, weights.networks)
    y_hat = weights.model.code(None, channel)
    decoder.finish()
    return y_hat, channel


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (17, 1), (1, 40), (64, 64), (65, 127), (129, 16), (200, 90)]
)
def test_any_size_comes_back(
    exported: dict[str, Path], photograph: np.ndarray, kind: str, width: int, height: int
) -> None:
    pixels = np.ascontiguousarray(photograph[100 : 100 + height, 100 : 100 + width])
    data = latens.encode(pixels, model=exported[kind])
    came = latens.decode(data, weights=exported[kind], output="array")
    assert came.shape == pixels.shape
    mse = float(np.mean((came.astype(float) - pixels) ** 2))
    assert mse < max(600.0, float(pixels.var()) / 2)  # 14 latents for 768 samples say little more


@pytest.mark.parametrize("kind", KINDS)
def test_the_decoder_has_the_latents_of_the_encoder(
    exported: dict[str, Path], photograph: np.ndarray, kind: str
) -> None:
    weights = load(exported[kind])
    y = weights.g_a(to_network(photograph[:144, :208], 16))
    encoder = Encoder(weights.tables)
    sent = Encode(encoder, weights.priors, 144, 208, weights.networks)
    y_hat = weights.model.code(y, sent)
    decoder = Decoder(weights.tables, encoder.finish())
    came = Decode(decoder, weights.priors, 144, 208, weights.networks)
    assert np.array_equal(weights.model.code(None, came), y_hat)
    assert np.abs(y_hat - y).max() <= 0.5 + 2e-6 * np.abs(y).max()
    if kind != "scale":
        assert not np.array_equal(y_hat, np.rint(y_hat)), "no means: too easy"


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_what_the_tables_promise(
    exported: dict[str, Path], photograph: np.ndarray, recording, kind: str
) -> None:
    """Within 0.5 % and 40 bytes of the sum of -log2(mass / 2^16); escapes cost a little more."""
    weights = load(exported[kind])
    data = latens.encode(photograph[:384, :448], model=exported[kind])
    _, channel = decoded(weights, data, recording(Decode))
    symbols, index, bits = np.concatenate(channel.symbols), np.concatenate(channel.index), 0.0
    for number in np.unique(index):
        offset, masses = weights.tables.table(number)
        entries = symbols[index == number].astype(np.int64) - offset
        inside = (entries >= 0) & (entries < len(masses) - 1)
        bits -= np.log2(masses[np.where(inside, entries, len(masses) - 1)] / 2**16).sum()
    assert abs(len(data) - bits / 8) < 0.005 * len(data) + 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width"), [(256, 320), (130, 70), (1, 1)])
def test_the_map_of_bits_adds_up_to_the_file(
    exported: dict[str, Path], photograph: np.ndarray, kind: str, height: int, width: int
) -> None:
    data = latens.encode(np.ascontiguousarray(photograph[:height, :width]), model=exported[kind])
    spent = latens.bit_map(data, weights=exported[kind])
    assert spent.shape == (-(-height // 16), -(-width // 16)) and (spent > 0).all()
    assert 28 <= len(data) - spent.sum() / 8 <= 42  # header, checksums, and the coder's last word


@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_entered_where_they_were_spent(
    exported: dict[str, Path], photograph: np.ndarray, recording, kind: str
) -> None:
    """Bits of y by position, against the price of every symbol under the table that a plain decoder used."""
    weights = load(exported[kind])
    data = latens.encode(photograph[:144, :208], model=exported[kind])
    _, channel = decoded(weights, data, Account)
    y_hat, recorded = decoded(weights, data, recording(Decode))
    rows, columns = y_hat.shape[2:]
    expected = np.zeros((rows, columns))
    order = wavefront(rows, columns) if kind == "context" else [np.s_[:, :, : rows, : columns]]
    for step, symbols, index in zip(
        order, recorded.symbols[-len(order) :], recorded.index[-len(order) :], strict=True
    ):
        cost = np.zeros(y_hat.shape)
        cost[step] = bits(weights.tables, symbols, index).reshape(cost[step].shape)
        expected += cost[0].sum(0)
    assert np.allclose(channel._maps[-1], expected) and np.ptp(expected) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_as_small_as_training_said(
    exported: dict[str, Path], modules, photograph: np.ndarray, kind: str
) -> None:
    """Integers in place of floats cost next to nothing; counted tables and contexts of z save a little."""
    import torch

    from latens.train.noise import Rounded

    pixels = photograph[:256, :384]
    data = latens.encode(pixels, model=exported[kind])
    module = modules[kind]
    channel = Rounded(module.priors, networks=module.by_name(), size=pixels.shape[:2])
    with torch.no_grad():
        module.model.code(module.networks["g_a"](torch.from_numpy(to_network(pixels, 16))), channel)
    estimate = float(sum(channel.bits)) / 8
    assert 0.85 * estimate < len(data) < 1.02 * estimate + 40


def test_the_wavefront_codes_the_symbols_of_raster_order(
    exported: dict[str, Path], photograph: np.ndarray, recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load(exported["context"])
    y = weights.g_a(to_network(photograph[:112, :176], 16))
    fronts = recording(Encode)(Encoder(weights.tables), weights.priors, 112, 176, weights.networks)
    y_hat = weights.model.code(y, fronts)
    monkeypatch.setattr(minnen2018, "wavefront", raster)
    rows = recording(Encode)(Encoder(weights.tables), weights.priors, 112, 176, weights.networks)
    assert np.array_equal(weights.model.code(y, rows), y_hat)
    assert len(rows.symbols) - len(fronts.symbols) == 7 * 11 - (11 + 3 * 6), "as many steps as it takes"
    assert np.array_equal(np.sort(np.concatenate(rows.symbols)), np.sort(np.concatenate(fronts.symbols)))


@pytest.mark.parametrize("kind", KINDS)
def test_one_drifted_prediction_is_found_out(
    exported: dict[str, Path], photograph: np.ndarray, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose probability network gives one scale index more, somewhere."""
    data = latens.encode(photograph[:128, :128], model=exported[kind])
    weights = load(exported[kind])
    original = weights.network
    refused = 0
    for place in range(6):
        calls = []

        def drifting(name: str, place: int = place, calls: list = calls):
            network = original(name)
            ends = name == "h_s" if kind != "context" else name == "entropy_parameters"

            def call(*inputs):
                out = network(*inputs)
                if ends and (len(calls) == 2 if kind == "context" else True):
                    at = -1 - place % out.shape[1]
                    out[0, at, 0, 0] = 40 if out[0, at, 0, 0] < 20 else 3
                calls.append(name) if ends else None
                return out

            return call

        monkeypatch.setattr(weights, "network", drifting)
        monkeypatch.setattr(weights, "networks", package._Networks(weights))
        with pytest.raises(DriftError):
            latens.decode(data, weights=exported[kind])
        refused += 1
    assert refused == 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_integer_changes_the_fingerprint(exported: dict[str, Path], kind: str) -> None:
    weights = load(exported[kind])
    names = [name for name in weights.members if name.startswith(weights.model.exact())]
    assert len(names) == {"scale": 7, "mean-scale": 7, "context": 17}[kind]
    for name in names:
        spoilt = bytearray(weights.members[name])
        spoilt[-1] ^= 1
        assert package.fingerprint({**weights.members, name: bytes(spoilt)}) != weights.fingerprint


def test_a_decoder_needs_no_hyper_analysis(exported: dict[str, Path], photograph: np.ndarray) -> None:
    data = latens.encode(photograph[:64, :64], model=exported["scale"])
    weights = load(exported["scale"])
    weights.networks.clear()
    latens.decode(data, weights=exported["scale"])
    assert set(weights.networks) == {"h_s"}


def test_weights_whose_sums_are_not_proven_are_refused_when_they_are_used(exported: dict[str, Path]) -> None:
    """Somebody may write any integers, with a fingerprint that is right."""
    weights = load(exported["scale"])
    rule = np.load(io.BytesIO(weights.members["h_s.1.rule.npy"]))
    rule[0, 3] = 2**24
    buffer = io.BytesIO()
    np.save(buffer, rule)
    members = {**weights.members, "h_s.1.rule.npy": buffer.getvalue()}
    card = {**weights.card, "fingerprint": package.fingerprint(members).hex()}
    forged = Weights({**members, "card.json": json.dumps(card).encode()}, "forged.ltm")
    with pytest.raises(InexactError, match="output 3 of layer 1 may sum to"):
        forged.networks["h_s"](np.zeros((1, 6, 1, 1), np.float32))


def test_weights_that_lack_a_network_are_refused(exported: dict[str, Path]) -> None:
    weights = load(exported["context"])
    for gone in ("h_a.onnx", "context.entry.npy"):
        members = {name: data for name, data in weights.members.items() if name != gone}
        card = {**weights.card, "fingerprint": package.fingerprint(members).hex()}
        with pytest.raises(WeightsError, match=r"h_a\.onnx|entry"):
            Weights({**members, "card.json": json.dumps(card).encode()}, "x.ltm").network("context")
