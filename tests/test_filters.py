"""Pictures' own filters in files: they pay, decoders see what the encoder saw, and damage never passes."""

import dataclasses
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from skimage.data import page

import latens
from latens import latents, search, wiener
from latens.bitstream import Container, Tile, pack, unpack
from latens.errors import ChecksumError, DriftError, FormatError, LatensError, WeightsError
from latens.fitting import Fit
from latens.latents import LATENTS, Analysed, Coded
from latens.stairs import RUNGS
from latens.weights.package import Weights, as_members, fingerprint, load, retire
from latens.weights.shelf import select
from latens.wiener import FILTERS, MOST_STEP, NUMBER, Filter

Pair = tuple[Path, Path]  # weights without filters, and with


@pytest.fixture(scope="module")
def pictures(photograph: np.ndarray) -> dict[str, np.ndarray]:
    """Parts of a photograph that filters were not found from, and what is none."""
    random = np.random.default_rng(0)
    return {
        "glove": np.ascontiguousarray(photograph[300:440, 150:310]),
        "rocket": np.ascontiguousarray(photograph[200:310, 390:501]),
        "noise": random.integers(0, 256, (50, 70, 3), np.uint8),
        "flat": np.full((40, 33, 3), 77, np.uint8),
        "line": np.ascontiguousarray(photograph[300:301, 150:200]),
        "pixel": np.ascontiguousarray(photograph[300:301, 150:151]),
    }


@pytest.fixture(scope="module")
def weights(filtering: Pair) -> Weights:
    return load(filtering[1])


@pytest.fixture(scope="module")
def analysed(pictures: dict[str, np.ndarray], weights: Weights) -> dict[str, Analysed]:
    return {name: Analysed.of(pixels, weights) for name, pixels in pictures.items()}


@pytest.fixture(scope="module")
def own(analysed: dict[str, Analysed]) -> Coded:
    """A file that has a filter."""
    file = search.coded(analysed["glove"], 70.0)
    assert file.filter is not None and len(file.filter.symbols) > 1
    return file


def cost(data: bytes, pixels: np.ndarray, path: Path, lmbda: float) -> float:
    """The Lagrangian of a file, decoded."""
    came = latens.decode(data, output="array", weights=path)
    return 8 * len(data) + lmbda * float(np.square(came - pixels.astype(float)).sum()) / 3


@pytest.mark.parametrize("quality", [0.0, 35.0, 100.0])
def test_a_decoder_sees_what_the_encoder_saw(
    quality: float, analysed: dict[str, Analysed], filtering: Pair
) -> None:
    have = 0
    for picture in analysed.values():
        file = search.coded(picture, quality)
        came = latens.decode(file.data, output="array", weights=filtering[1])
        assert np.array_equal(came, picture.seen(file))
        have += file.filter is not None
    assert have


def test_a_filter_changes_the_pixels_as_it_says(analysed: dict[str, Analysed], own: Coded) -> None:
    picture = analysed["glove"]
    basis = picture.weights.filters
    assert basis is not None and own.filter is not None
    x = picture.synthesised(own)
    seen = picture.seen(own)
    assert np.array_equal(seen, wiener.filtered(x, basis.taps(own.filter)))
    assert not np.array_equal(seen, picture.seen(own._replace(filter=None)))


def test_more_effort_never_gives_a_worse_lagrangian_with_filters(
    analysed: dict[str, Analysed], filtering: Pair
) -> None:
    have = 0
    for name, picture in analysed.items():
        for quality in (20.0, 70.0) if name == "glove" else (70.0,):
            lmbda = picture.weights.lmbda(quality)
            assert lmbda is not None
            files = list(search.climbed(picture, quality, range(5)))
            spent = [cost(file.data, picture.pixels, filtering[1], lmbda) for file in files]
            assert all(after <= before for before, after in pairwise(spent))
            assert files[0].filter is None
            have += sum(file.filter is not None for file in files[1:])
    assert have >= 12  # of 28


def test_a_file_is_a_rung_of_one_ladder_with_filters(analysed: dict[str, Analysed]) -> None:
    picture = analysed["rocket"]
    ladder = list(search.climbed(picture, 50.0, range(5)))
    for effort in (2, 3, 4):
        assert search.coded(picture, 50.0, effort).data == ladder[effort].data
    assert search.coded(picture, 50.0).data == ladder[picture.weights.model.effort].data


def test_effort_1_of_latens_fast_is_the_filter_alone(photograph: np.ndarray) -> None:
    picture = Analysed.of(photograph[:192, 60:316], load(select("latens-fast", 50)))
    lmbda = picture.weights.lmbda(50.0)
    assert lmbda is not None
    rounded, alone, stepped = search.climbed(picture, 50.0, range(3))
    assert np.array_equal(alone.y_hat, rounded.y_hat) and not np.array_equal(stepped.y_hat, rounded.y_hat)
    assert rounded.filter is None and alone.filter is not None
    reached = [search.lagrangian(file, picture, lmbda) for file in (rounded, alone, stepped)]
    assert reached[2] < reached[1] < reached[0]


def test_latens_fast_without_filters_takes_its_step_at_effort_1(photograph: np.ndarray) -> None:
    picture = Analysed.of(photograph[:192, 60:316], altered(load(select("latens-fast", 50)), {}))
    assert picture.weights.filters is None
    rounded, stepped = search.climbed(picture, 50.0, range(2))
    assert not np.array_equal(stepped.y_hat, rounded.y_hat)


def test_a_filter_that_saves_less_than_a_word_is_no_sure_thing() -> None:
    picture = Analysed.of(np.full((100, 100, 3), 200, np.uint8), load(select("latens-fast", 55)))
    lmbda = picture.weights.lmbda(55.0)
    assert lmbda is not None
    rounded = picture.coded(picture.header(55.0), picture.scaled(picture.header(55.0)))
    before = search.lagrangian(rounded, picture, lmbda)
    offered = search.Filtered.of(picture, before, rounded, lmbda)
    assert search.lagrangian(offered.file, picture, lmbda) > before and not offered.sure
    assert search.coded(picture, 55.0, 1).data == rounded.data


@pytest.mark.parametrize("name", ["glove", "flat"])
def test_a_filter_is_fitted_once_to_a_file(
    name: str, analysed: dict[str, Analysed], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_to: list[Coded] = []

    def noted(picture: Analysed, least: float, file: Coded, lmbda: float) -> search.Filtered:
        fitted_to.append(file)
        return one(picture, least, file, lmbda)

    one = search.Filtered.of
    expected = [file.data for file in search.climbed(analysed[name], 50.0, range(10))]
    monkeypatch.setattr(search.Filtered, "of", noted)
    assert search.coded(analysed[name], 50.0, 9).data == expected[9]
    assert len({id(file) for file in fitted_to}) == len(fitted_to)
    assert len(fitted_to) == 1 if name == "flat" else 1 < len(fitted_to) < search.MOST_EFFORT  # not at every rung


def test_a_filter_is_there_only_where_it_pays(analysed: dict[str, Analysed]) -> None:
    gained = []
    for picture in analysed.values():
        for quality in (5.0, 70.0):
            lmbda = picture.weights.lmbda(quality)
            assert lmbda is not None
            header = picture.header(quality)
            plain = picture.coded(header, picture.scaled(header))
            before = search.lagrangian(plain, picture, lmbda)
            found = search.Filtered.of(picture, before, plain, lmbda)
            least, file = found.measured(picture, lmbda)
            assert file is found.file or not found.sure
            assert least == search.lagrangian(file, picture, lmbda)
            assert least < before if file.filter is not None else file.data == plain.data and least == before
            assert file.y_hat is plain.y_hat
            gained.append(1 - least / before)
    assert max(gained) > 0.01 and min(gained) == 0


def test_a_filter_that_makes_it_worse_is_not_taken(
    analysed: dict[str, Analysed], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = analysed["glove"]
    header = picture.header(50.0)
    plain = picture.coded(header, picture.scaled(header))
    for step, symbols in ((0, [90, -90]), (-MOST_STEP, [1, -1] * 4)):  # it spoils, or does next to nothing
        worse = Filter(step, np.array(symbols, np.int32))
        both = plain, picture.filtered(plain, worse)
        before, after = (search.lagrangian(one, picture, 0.01) for one in both)
        assert after > before
        monkeypatch.setattr(search, "fitted", lambda *_, worse=worse: Fit(worse, 1.0))
        found = search.Filtered.of(picture, before, plain, 0.01)
        assert found.measured(picture, 0.01) == (before, plain) and not found.sure


def test_what_a_filter_surely_saves_is_not_measured_unless_more_is_tried(
    analysed: dict[str, Analysed], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Coded] = []

    def noted(found: search.Filtered, picture: Analysed, lmbda: float) -> tuple[float, Coded]:
        measured.append(found.file)
        return one(found, picture, lmbda)

    one, picture = search.Filtered.measured, analysed["glove"]
    sure = search.coded(picture, 50.0)
    assert sure.filter is not None
    monkeypatch.setattr(search.Filtered, "measured", noted)
    assert search.coded(picture, 50.0).data == sure.data and not measured
    assert search.coded(picture, 50.0, 2).filter is not None and len(measured) == 2
    monkeypatch.setattr(search, "SURE", 1.0)
    assert search.coded(picture, 50.0).data == sure.data and measured[2].data == sure.data


@pytest.mark.parametrize("kind", ["photograph", "page", "drawing", "glow"])
def test_filters_that_are_sure_to_pay_do(kind: str, weights: Weights, photograph: np.ndarray) -> None:
    """Also where g_s overshoots, and where rounding mends by itself what equations of floats find wrong."""
    random = np.random.default_rng(0)
    pixels = {
        "photograph": photograph[300:440, 150:310],
        "page": np.repeat(page()[:140, 20:180, None], 3, 2),
        "drawing": 255 * (np.indices((96, 112, 3))[:2].sum(0) // 16 % 2).astype(np.uint8),
        "glow": np.clip(3 * photograph[60:150, 170:290].astype(int) - random.integers(0, 9, (90, 120, 1)), 0, 255),
    }[kind]
    picture = Analysed.of(np.ascontiguousarray(pixels, np.uint8), weights)
    sure = 0
    for quality in (5.0, 30.0, 60.0, 90.0):
        header, lmbda = picture.header(quality), weights.lmbda(quality)
        assert lmbda is not None
        plain = picture.coded(header, picture.scaled(header))
        before = search.lagrangian(plain, picture, lmbda)
        found = search.Filtered.of(picture, before, plain, lmbda)
        after = search.lagrangian(found.file, picture, lmbda)
        assert after < before or not found.sure or found.file is plain
        sure += found.sure and found.file is not plain
    assert sure > 0 or kind == "drawing"


def test_weights_with_filters_cost_little_where_there_is_none(
    pictures: dict[str, np.ndarray], filtering: Pair
) -> None:
    plain, whole = (latens.encode(pictures["glove"], model=path, quality=40, effort=0) for path in filtering)
    assert len(plain) <= len(whole) <= len(plain) + 4
    one, other = (
        latens.decode(data, output="array", weights=path)
        for data, path in zip((plain, whole), filtering, strict=True)
    )
    assert np.array_equal(one, other)


def test_a_picture_with_little_in_it_has_none(pictures: dict[str, np.ndarray], filtering: Pair) -> None:
    data = latens.encode(pictures["noise"], model=filtering[1], quality=33, effort=4)
    opened = latens.open(data)
    assert opened.header.quality in RUNGS  # in stairs, where every effort rounds
    assert latens.encode(pictures["noise"], model=filtering[1], quality=33, effort=0) == data
    assert latens.decode(data, output="array", weights=filtering[1]).shape == pictures["noise"].shape


def test_the_last_synthesis_is_remembered_for_its_file_alone(
    analysed: dict[str, Analysed], own: Coded, filtering: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = analysed["glove"]
    other = search.coded(picture, 10.0)
    seen = [latens.decode(file.data, output="array", weights=filtering[1]) for file in (own, other)]
    for most in (latents.MOST, 0):
        monkeypatch.setattr(latents, "MOST", most)
        for file, pixels in [*zip((own, other), seen, strict=True)] * 2:
            assert np.array_equal(picture.seen(file), pixels)


def test_the_same_picture_gives_the_same_file_with_any_threads(
    pictures: dict[str, np.ndarray], filtering: Pair, own: Coded
) -> None:
    files = [latens.encode(pictures["glove"], quality=70, model=filtering[1], threads=n) for n in (1, 2, 1)]
    assert files[0] == files[1] == files[2] == own.data
    came = [latens.decode(own.data, output="array", weights=filtering[1], threads=n) for n in (1, 2)]
    assert np.array_equal(*came)


def test_targets_are_of_the_filtered_picture(pictures: dict[str, np.ndarray], filtering: Pair) -> None:
    def psnr(data: bytes) -> float:
        came = latens.decode(data, output="array", weights=filtering[1])
        return float(10 * np.log10(255**2 / np.square(came - pictures["rocket"].astype(float)).mean()))

    wanted = psnr(latens.encode(pictures["rocket"], quality=55, model=filtering[1]))
    data = latens.encode_to(pictures["rocket"], psnr=wanted, model=filtering[1])
    assert wanted <= psnr(data) <= 1.02 * wanted


def test_the_map_of_bits_adds_up_with_a_filter(own: Coded, filtering: Pair, analysed: dict[str, Analysed]) -> None:
    plain = analysed["glove"].coded(own.header, analysed["glove"].scaled(own.header))
    maps = []
    for file in (own, plain):
        spent = latens.bit_map(file.data, weights=filtering[1])
        assert spent.shape == (5, 5) and (spent >= 0).all()
        assert 28 <= len(file.data) - spent.sum() / 8 <= 42  # header, checksum, and the coder's last word
        maps.append(spent)
    bare = analysed["glove"].filtered(own, None)
    grown = maps[0] - latens.bit_map(bare.data, weights=filtering[1])
    assert np.ptp(grown) < 1e-9 and grown.sum() > 8  # a filter belongs to no place more than to another


def broken(file: Coded, payload: bytes) -> bytes:
    """The file with another payload, whose own checksums are right."""
    (tile,) = unpack(file.data).tiles
    return pack(Container(file.header, (), (Tile(payload, tile.check),)))


def test_no_damage_of_a_filter_passes(own: Coded, filtering: Pair) -> None:
    (tile,) = unpack(own.data).tiles
    size, random = len(tile.payload), np.random.default_rng(1)
    assert broken(own, tile.payload) == own.data
    places = {*range(size - 24, size), *random.integers(0, size, 20).tolist()}  # the filter is at the end
    for place in sorted(places):
        changed = bytearray(tile.payload)
        changed[place] ^= int(random.integers(1, 256))
        with pytest.raises((ChecksumError, FormatError, DriftError)):
            latens.decode(broken(own, bytes(changed)), weights=filtering[1])
    for end in range(size - 12, size):
        with pytest.raises((ChecksumError, FormatError, DriftError)):
            latens.decode(broken(own, tile.payload[:end]), weights=filtering[1])
    for place in range(len(own.data)):
        changed = bytearray(own.data)
        changed[place] ^= 16
        with pytest.raises(LatensError):
            latens.decode(bytes(changed), weights=filtering[1])


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((161,), "has 161 numbers"), ((-3,), "has -3 numbers"), ((1, MOST_STEP + 1), "step of the picture's filter")],
)
def test_a_payload_with_a_filter_that_can_be_none_is_refused(
    numbers: tuple[int, ...], said: str, own: Coded, filtering: Pair
) -> None:
    channel = own.channel.branched()
    for number in numbers:
        channel.listed(np.array([number], np.int32), LATENTS, np.array([NUMBER]))
    tile = Tile(channel.coder.finish(), channel.check.value)
    with pytest.raises(DriftError, match=said):
        latens.decode(pack(Container(own.header, (), (tile,))), weights=filtering[1])


def test_a_filter_of_other_weights_is_not_applied(own: Coded, filtering: Pair) -> None:
    with pytest.raises(WeightsError, match="was written with weights"):
        latens.decode(own.data, weights=filtering[0])


def altered(weights: Weights, arrays: dict[str, np.ndarray], source: str = "test.ltm") -> Weights:
    """The weights with these in place of their filters."""
    others = {name: data for name, data in weights.members.items() if not name.startswith("filters.")}
    members = {**others, **as_members(arrays)}
    card = {**weights.card, "fingerprint": fingerprint(members).hex()}
    return Weights({**members, "card.json": json.dumps(card).encode()}, source)


def arrays_of(weights: Weights) -> dict[str, np.ndarray]:
    return {name: weights._array(name) for name in FILTERS}


def test_filters_are_part_of_the_fingerprint(weights: Weights, filtering: Pair) -> None:
    arrays = arrays_of(weights)
    marks = {weights.fingerprint, load(filtering[0]).fingerprint}
    for name, array in arrays.items():
        changed = array.copy()
        changed.flat[-1] += 1
        marks.add(altered(weights, {**arrays, name: changed}).fingerprint)
    assert len(marks) == 4
    assert altered(weights, arrays).fingerprint == weights.fingerprint


@pytest.mark.parametrize("name", FILTERS)
def test_one_array_of_two_is_refused(
    name: str, weights: Weights, own: Coded, tmp_path: Path, pictures: dict[str, np.ndarray]
) -> None:
    half, path = altered(weights, {name: arrays_of(weights)[name]}), tmp_path / "half.ltm"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in half.members.items():
            archive.writestr(member, data)
    header = dataclasses.replace(own.header, fingerprint=half.fingerprint)
    file = pack(unpack(own.data)._replace(header=header))
    missing = next(other for other in FILTERS if other != name)
    for ask in (
        lambda: half.filters,
        lambda: latens.encode(pictures["glove"], model=path),
        lambda: latens.decode(file, weights=path),
    ):
        with pytest.raises(WeightsError, match=f"has no {missing}.npy"):
            ask()


def test_arrays_that_can_be_no_filters_are_refused(weights: Weights) -> None:
    arrays = arrays_of(weights)
    vectors, scales = (arrays[name] for name in FILTERS)
    for changed in (
        {"filters.vectors": vectors[:, :-1]},
        {"filters.vectors": vectors.astype(np.float32)},
        {"filters.vectors": np.full_like(vectors, np.inf)},
        {"filters.scales": scales[1:]},
        {"filters.scales": np.full(len(scales), "a")},
    ):
        with np.errstate(invalid="ignore"):
            found = altered(weights, {**arrays, **changed}, "odd.ltm")
        with pytest.raises(WeightsError, match=r"^odd\.ltm: the (scales of the )?filters"):
            _ = found.filters


def test_retired_weights_keep_their_filters(own: Coded, filtering: Pair, tmp_path: Path) -> None:
    assert retire(filtering[1], tmp_path / "old.ltm") == own.header.fingerprint
    one, other = (latens.decode(own.data, output="array", weights=p) for p in (filtering[1], tmp_path / "old.ltm"))
    assert np.array_equal(one, other)


def test_models_without_filters_take_no_notice_of_arrays(weights: Weights) -> None:
    assert weights.filters is not None
    assert altered(load(select("balle2018", 50)), arrays_of(weights)).filters is None
