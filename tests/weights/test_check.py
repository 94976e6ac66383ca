"""Weights whose parts do not fit are refused when they are read, with a fingerprint that does fit."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latens
from latens.errors import WeightsError
from latens.weights import package
from latens.weights.package import Weights, fingerprint, load

SHIPPED = Path(package.__file__).parent / "balle2018" / "all.ltm"
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def members() -> Members:
    return dict(load(SHIPPED).members)


def changed(members: Members, change: Callable[[dict[str, Any]], object], **others: bytes) -> Members:
    card = json.loads(members["card.json"])
    change(card)
    whole = {**members, **others, "card.json": json.dumps(card).encode()}
    card["fingerprint"] = fingerprint(whole).hex()
    return {**whole, "card.json": json.dumps(card).encode()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card["priors"].pop("y"), "there are priors z, and must be"),
        (lambda card: card.update(priors={}), "there are priors none, and must be"),
        (lambda card: card["priors"]["z"][1].append([1, []]), "prior z has 129 channels, and must have 128"),
        (lambda card: card["priors"]["z"][1].pop(), "prior z has [0-9]+ channels, and must have 128"),
        (lambda card: card["priors"]["z"][1].append([0, []]), "group of 0 channels"),
        (lambda card: card["priors"]["z"][1][-1][1].append(-1), "with thresholds"),
        (lambda card: card["priors"]["y"][1][0].__setitem__(0, 63), "prior y has 63 channels, and must have 64"),
        (lambda card: card["priors"]["y"][1][0][1].append(4), "prior y is conditional"),
        (lambda card: card["priors"]["y"].append([0] * 64), "must expect 64 from 0 to 16320, if it is"),
        (lambda card: card["lmbdas"].pop(), "must be one for each of 8 levels"),
        (lambda card: card.pop("lmbdas"), "must be one for each of 8 levels"),
        (lambda card: card["lmbdas"].__setitem__(0, 0), "a lambda is 0, and must be a number above 0"),
        (lambda card: card.update(lmbda="much"), "a lambda is 'much'"),
        (lambda card: card.update(metric="ssim"), "metric is 'ssim', and must be one of mse, ms-ssim"),
        (lambda card: card["sizes"].update(levels=0), "levels is 0, and must be at least 1"),
    ],
)
def test_a_card_that_does_not_fit_its_model_is_refused(
    members: Members, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        Weights(changed(members, change), "test")


@pytest.mark.parametrize("last", [62, None])
def test_tables_that_are_not_there_are_missed(members: Members, last: int | None) -> None:
    there = len(Weights(members, "test").tables)
    first = (there if last is None else last) - 63
    weights = Weights(changed(members, lambda card: card["priors"]["y"].__setitem__(0, first)), "test")
    with pytest.raises(WeightsError, match=f"prior y has tables {first} to {first + 63}, and there are {there}$"):
        _ = weights.tables


def test_arrays_that_claim_more_than_there_is_and_archives_in_their_place_are_refused(members: Members) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<i4", "fortran_order": False, "shape": (1 << 39,)}
    )
    for data in (header.getvalue(), b"PK\3\4" + bytes(40)):
        weights = Weights(changed(members, lambda card: None, **{"masses.npy": data}), "test")
        with pytest.raises(WeightsError, match="cannot be read: masses"):
            _ = weights.tables


def test_archives_that_hold_too_much_or_are_packed_oddly_are_refused(
    members: Members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oddly = tmp_path / "oddly.ltm"
    with zipfile.ZipFile(oddly, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("card.json", members["card.json"])
    data = bytearray(oddly.read_bytes())
    data[data.index(b"card.json") + 9 + 4] ^= 0xFF  # the properties of LZMA
    oddly.write_bytes(data)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        load(oddly)
    monkeypatch.setattr(package, "MOST_BYTES", 1000)
    copy = tmp_path / "copy.ltm"
    copy.write_bytes(SHIPPED.read_bytes())
    with pytest.raises(WeightsError, match="and at most 1000 are read"):
        load(copy)


def test_networks_that_give_no_numbers_make_no_file_and_no_picture(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((64, 96, 3), 90, np.uint8)
    data = latens.encode(pixels, model="balle2018")
    weights = load(SHIPPED)
    shape = (1, weights.model.M, 4, 6)
    for made in (np.full(shape, np.nan, np.float32), np.full(shape, 1e12, np.float32)):
        monkeypatch.setitem(weights.__dict__, "g_a", lambda x, made=made: made)
        for effort in (0, 1):
            with pytest.raises(WeightsError, match="no numbers, or too large"):
                latens.encode(pixels, model="balle2018", effort=effort)
    for picture in (np.full((1, 3, 64, 96), np.nan, np.float32), np.zeros((1, 3, 64, 64), np.float32)):
        monkeypatch.setitem(weights.__dict__, "g_s", lambda y, picture=picture: picture)
        with pytest.raises(WeightsError, match="makes no picture of 96 x 64 pixels"):
            latens.decode(data)


def test_a_file_is_of_the_model_that_its_header_names(tmp_path: Path) -> None:
    data = latens.encode(np.full((64, 96, 3), 90, np.uint8), model="balle2018")
    assert data.count(b"BL18") == 1
    with pytest.raises(WeightsError, match=r"the file is of model MN18, and all\.ltm of BL18"):
        latens.decode(renamed(data), weights=SHIPPED)


def renamed(data: bytes) -> bytes:
    """The same file, of another model."""
    from latens.bitstream import pack, unpack

    container = unpack(data)
    return pack(container._replace(header=dataclasses.replace(container.header, model="MN18")))
