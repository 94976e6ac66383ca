"""Every classic codec: files that decode to about the picture, whatever its size, and errors that are typed."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from skimage import data

from latens.classic import CODECS, Codec
from latens.errors import (
    MissingExtraError,
    PictureError,
    UnreadablePictureError,
    UnsupportedPictureError,
    UsageError,
)
from latens.metrics import psnr

EXTRA = {"jxl": "imagecodecs", "heic": "pillow_heif", "bpg": "av", "bpg-420": "av"}
FINEST = {"jpeg": 95, "jpeg-444": 95, "jpeg2000": 2, "webp": 95, "avif": 90, "jxl": 0.5, "heic": 80}
FINEST |= {"bpg": 12, "bpg-420": 12}


@pytest.fixture(params=list(CODECS))
def codec(request: pytest.FixtureRequest) -> Codec:
    found = CODECS[request.param]
    try:
        found.version()
    except MissingExtraError as error:
        pytest.skip(str(error))
    return found


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.asarray(data.chelsea())[60:188, 100:244]


def chart() -> np.ndarray:
    """Saturated and grey patches, 32 pixels each: a shift of colours or range shows here."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
    colours += [(0, 0, 0), (255, 255, 255), (128, 128, 128), (16, 16, 16), (235, 235, 235), (200, 120, 60)]
    return np.array(colours, np.uint8).reshape(3, 4, 3).repeat(32, 0).repeat(32, 1)


def test_ids_and_settings_are_in_order(codec: Codec) -> None:
    assert CODECS[codec.id] is codec
    low, high = codec.bounds
    rising = [s if high > low else -s for s in codec.settings]
    assert rising == sorted(set(rising))
    assert [codec.check(setting) for setting in codec.settings] == list(codec.settings)
    assert any(character.isdigit() for character in codec.version())


def test_rate_and_quality_rise_along_the_ladder(codec: Codec, picture: np.ndarray) -> None:
    files = [codec.encode(picture, setting) for setting in codec.settings]
    sizes = [len(file) for file in files]
    assert sizes == sorted(sizes)
    quality = [psnr(picture, codec.decode(file)) for file in files]
    assert quality[0] < 34
    assert quality[-1] > 37
    assert all(b > a - 0.2 for a, b in pairwise(quality))


def test_colours_come_back(codec: Codec) -> None:
    found = codec.decode(codec.encode(chart(), FINEST[codec.id]))
    inner = np.s_[:, 8:24, :, 8:24]
    patches = (3, 32, 4, 32, 3)
    error = found.reshape(patches)[inner].astype(int) - chart().reshape(patches)[inner]
    assert abs(error.mean((1, 3))).max() <= 4
    assert abs(error.mean()) < 0.5


def test_a_photograph_keeps_its_tones(codec: Codec, picture: np.ndarray) -> None:
    found = codec.decode(codec.encode(picture, FINEST[codec.id]))
    error = found.astype(int) - picture
    assert abs(error).mean() < 3
    bound = 1 if codec.id == "avif" else 0.5  # libavif's conversion rounds chroma down: half a level to green
    assert abs(error.mean((0, 1))).max() < bound  # each of R, G, B


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (17, 33), (33, 17), (40, 45), (65, 63)])
def test_any_size_comes_back(codec: Codec, picture: np.ndarray, size: tuple[int, int]) -> None:
    small = np.ascontiguousarray(picture[: size[0], : size[1]])
    found = codec.decode(codec.encode(small, FINEST[codec.id]))
    assert (found.shape, found.dtype) == (small.shape, np.uint8)
    assert psnr(small, found) > 30


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65535), ("webp", 16384), ("avif", 32769), ("avif", 70000)])
def test_sides_beyond_the_format_are_refused(name: str, side: int) -> None:
    with pytest.raises(UnsupportedPictureError, match=f"{name} cannot hold 1 x {side} pixels"):
        CODECS[name].encode(np.zeros((side, 1, 3), np.uint8), CODECS[name].settings[0])


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(codec: Codec, size: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedPictureError, match=f"{codec.id} cannot hold {size[1]} x {size[0]} pixels"):
        codec.encode(np.zeros((*size, 3), np.uint8), codec.settings[0])


def test_equal_pictures_give_equal_files(codec: Codec, picture: np.ndarray) -> None:
    assert codec.encode(picture, codec.settings[2]) == codec.encode(picture.copy(), codec.settings[2])


def test_files_hold_nothing_but_the_picture(codec: Codec) -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    limit = 800 if codec.id in ("jpeg", "jpeg-444", "heic") else 400  # tables of a JPEG, boxes of a HEIC
    assert len(codec.encode(grey, codec.settings[0])) < limit


def test_damaged_files_are_refused_or_decode_to_a_picture(codec: Codec, picture: np.ndarray) -> None:
    file = codec.encode(picture, codec.settings[1])
    rng = np.random.default_rng(3)
    refused = PictureError if codec.id.startswith("bpg") else UnreadablePictureError  # a bit may ask for more
    damaged = [b"", b"nothing", file[: len(file) // 2], file[:20], bytes(1000)]
    for _ in range(20):
        flipped = bytearray(file)
        flipped[rng.integers(len(file))] ^= 1 << rng.integers(8)
        damaged.append(bytes(flipped))
    for number, broken in enumerate(damaged):
        try:
            found = codec.decode(broken)
        except refused:
            continue
        assert number not in (0, 1, 4), "these hold no picture"
        assert (found.ndim, found.dtype) == (3, np.uint8)


def test_a_file_of_another_format_is_refused(codec: Codec, picture: np.ndarray) -> None:
    other = CODECS["webp" if codec.id.startswith("jpeg") else "jpeg"]
    with pytest.raises(UnreadablePictureError):
        codec.decode(other.encode(picture, other.settings[2]))


def test_settings_out_of_bounds_are_refused_with_the_rule(codec: Codec, picture: np.ndarray) -> None:
    low, high = sorted(codec.bounds)
    for setting in (low - 1, high + 1, *([low + 0.5] if codec.whole else [])):
        with pytest.raises(UsageError, match=f"{codec.parameter} is {setting:g}, and must be a"):
            codec.encode(picture, setting)


@pytest.mark.parametrize(("name", "package"), EXTRA.items())
def test_a_missing_package_is_named_with_its_extra(
    name: str, package: str, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    codec = CODECS[name]
    for call in (codec.version, lambda: codec.encode(picture, codec.settings[0])):
        with pytest.raises(MissingExtraError, match=r"latens\[eval\]"):
            call()
