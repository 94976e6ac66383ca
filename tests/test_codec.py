"""The promises of a file: every size, no damage unnoticed, no other symbols than were encoded."""

import dataclasses
import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens import errors
from latens.bitstream import Container, Header, Segment, Tile, pack, unpack
from latens.codec import find_weights
from latens.coding import Decoder, Encoder
from latens.entropy.channels import Decode, Encode
from latens.latents import decoded
from latens.stairs import RUNGS
from latens.weights.package import load
from latens.weights.shelf import select


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


def crop(photograph: np.ndarray, width: int, height: int) -> np.ndarray:
    tall = np.tile(photograph, (-(-height // 512), -(-width // 512), 1))
    return np.ascontiguousarray(tall[:height, :width])


@pytest.fixture(scope="module")
def small(photograph: np.ndarray) -> bytes:
    """A file of few bytes, so that every one of its bits can be tried."""
    return latens.encode(photograph[100:132, 200:248], quality=10)


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (17, 1), (1, 40), (2, 3), (16, 16), (65, 127), (767, 511), (333, 250)]
)
def test_any_size_comes_back_in_that_size_and_close(photograph: np.ndarray, width: int, height: int) -> None:
    pixels = crop(photograph, width, height)
    for quality in (0, 100):
        decoded = latens.decode(latens.encode(pixels, quality=quality), output="array")
        assert decoded.shape == pixels.shape and decoded.dtype == np.uint8
    assert mse(decoded, pixels) < (60 if min(width, height) >= 16 else 400)  # specks are all detail


def test_quality_orders_size_and_error_at_every_rate_point(photograph: np.ndarray) -> None:
    (model,) = [model for model in latens.models() if model.id == "balle2017"]
    sizes, squares = [], []
    for point in model.points:
        data = latens.encode(photograph, quality=sum(point.quality) / 2, model="balle2017")
        assert latens.open(data).rate_point == point
        sizes.append(len(data))
        squares.append(mse(latens.decode(data, output="array"), photograph))
    assert len(sizes) >= 5
    assert sizes == sorted(sizes) and len(set(sizes)) == len(sizes)
    assert squares == sorted(squares, reverse=True)


def test_image_array_and_path_give_the_same_bytes(photograph: np.ndarray, tmp_path) -> None:
    image = Image.fromarray(photograph)
    image.save(tmp_path / "picture.png")
    data = latens.encode(photograph)
    assert latens.encode(image) == data
    assert latens.encode(tmp_path / "picture.png") == data
    assert latens.encode(str(tmp_path / "picture.png")) == data


def test_decoding_takes_bytes_and_paths_and_gives_images_and_arrays(small: bytes, tmp_path) -> None:
    (tmp_path / "small.ltn").write_bytes(small)
    image = latens.decode(tmp_path / "small.ltn")
    assert image.size == (48, 32) and image.mode == "RGB"
    assert np.array_equal(np.asarray(image), latens.decode(small, output="array"))


@pytest.mark.parametrize(("model", "most"), [("balle2017", 32), ("latens", 34)])
def test_overhead_is_32_bytes_and_2_for_the_quality(photograph: np.ndarray, model: str, most: int) -> None:
    data = latens.encode(photograph, model=model)
    assert len(data) - len(unpack(data).tiles[0].payload) <= most


def test_opening_reads_the_header_and_names_model_and_weights(small: bytes, photograph: np.ndarray) -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    stream = Counting(small)
    opened = latens.open(stream)
    assert stream.taken <= 31
    assert (opened.width, opened.height) == (48, 32)
    assert opened.model is not None and opened.model.id == "latens"
    assert opened.rate_point in opened.model.points and opened.rate_point.tune == "psnr"
    assert opened.rate_point.fingerprint == unpack(small).header.fingerprint.hex()
    assert opened.header == unpack(small).header
    assert opened.header.quality in RUNGS  # so small a picture is coded in stairs, and larger ones are not
    assert latens.open(latens.encode(photograph[100:196, 200:296], quality=10)).header.quality == 10
    assert np.array_equal(np.asarray(latens.open(small).decode()), latens.decode(small, output="array"))


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_buffer_is_a_file(small: bytes, kind: type) -> None:
    opened = latens.open(kind(small))
    assert (opened.width, opened.height) == (48, 32)
    expected = latens.decode(small, output="array")
    assert np.array_equal(np.asarray(opened.decode()), expected)
    assert np.array_equal(latens.decode(kind(small), output="array"), expected)


def test_an_opened_buffer_does_not_change_with_its_owner(small: bytes) -> None:
    buffer = bytearray(small)
    opened = latens.open(buffer)
    buffer[:] = bytes(len(buffer))
    assert np.array_equal(np.asarray(opened.decode()), latens.decode(small, output="array"))


def test_every_flipped_bit_is_refused(small: bytes) -> None:
    assert len(small) < 400
    for position in range(8 * len(small)):
        damaged = bytearray(small)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(errors.LatensError):
            latens.decode(bytes(damaged))


def test_every_truncation_is_refused_and_so_is_anything_appended(small: bytes) -> None:
    for length in range(len(small)):
        with pytest.raises((errors.TruncatedError, errors.NotLatensError)):
            latens.decode(small[:length])
    with pytest.raises(errors.FormatError):
        latens.decode(small + b"\0")


def repacked(data: bytes, payload: bytes | None = None, check: int | None = None, **fields: object) -> bytes:
    """A file with valid checksums and other contents."""
    container = unpack(data)
    tile = container.tiles[0]
    changed = Tile(tile.payload if payload is None else payload, tile.check if check is None else check)
    header = dataclasses.replace(container.header, **fields)
    return pack(Container(header, (Segment("Alph", b""),) if header.alpha else (), (changed,)))


def test_drifted_symbols_are_refused(small: bytes) -> None:
    check = unpack(small).tiles[0].check
    with pytest.raises(errors.DriftError, match="symbols"):
        latens.decode(repacked(small, check=check ^ 1))


def test_data_after_the_last_symbol_are_refused(small: bytes) -> None:
    payload = unpack(small).tiles[0].payload
    with pytest.raises(errors.DriftError, match="data are left after the last symbol"):
        latens.decode(repacked(small, payload=payload + bytes(-len(payload) % 4) + b"\1\2\3\4\5\6\7\x08"))


def test_a_payload_of_noise_with_valid_checksums_is_refused(small: bytes) -> None:
    random = np.random.default_rng(0)
    for length in (0, 1, 4, 100, 5000):
        with pytest.raises(errors.FileError):
            latens.decode(repacked(small, payload=random.bytes(length)))


def test_unknown_models_and_weights_are_named(small: bytes) -> None:
    with pytest.raises(errors.UnknownModelError, match="QQQQ"):
        latens.decode(repacked(small, model="QQQQ"))
    with pytest.raises(errors.WeightsError, match="deadbeef"):
        latens.decode(repacked(small, fingerprint=bytes.fromhex("deadbeef")))


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [("colour", "grey", "grey"), ("depth", 16, "16-bit"), ("alpha", True, "alpha"), ("tile", 64, "tiled")],
)
def test_kinds_of_a_later_version_are_refused_not_misread(
    small: bytes, field: str, value: object, kind: str
) -> None:
    with pytest.raises(errors.FormatError, match=f"a {kind} picture, and this version decodes"):
        latens.decode(repacked(small, **{field: value}))


def test_a_quality_without_levels_is_refused(photograph: np.ndarray, small: bytes) -> None:
    of_one_rate = latens.encode(photograph[:32, :48], model="balle2017")
    with pytest.raises(errors.FormatError, match="of one rate, and the file names a quality"):
        latens.decode(repacked(of_one_rate, quality=50.0))
    with pytest.raises(errors.FormatError, match="of variable rate, and the file names no quality"):
        latens.decode(repacked(small, quality=None))


def test_a_bomb_is_refused_before_memory_is_taken(small: bytes) -> None:
    header = unpack(small).header
    bomb = pack(Container(Header(2**20, 2**20, header.model, header.fingerprint), (), (Tile(b"", 0),)))
    with pytest.raises(errors.TooLargeError, match="max-pixels"):
        latens.decode(bomb)
    with pytest.raises(errors.TooLargeError, match="1535"):
        latens.decode(small, max_pixels=1535)
    assert latens.decode(small, max_pixels=1536).size == (48, 32)


def test_wrong_calls_say_value_and_rule(photograph: np.ndarray) -> None:
    with pytest.raises(errors.UsageError, match="101"):
        latens.encode(photograph, quality=101)
    with pytest.raises(errors.UsageError, match=r"nonesuch.*balle2017"):
        latens.encode(photograph, model="nonesuch")
    with pytest.raises(errors.TooLargeError, match="262144"):
        latens.encode(photograph, max_pixels=1000)
    with pytest.raises(errors.UnsupportedPictureError):
        latens.encode(photograph[..., 0])


def test_the_same_picture_gives_the_same_bytes(photograph: np.ndarray) -> None:
    assert latens.encode(photograph, quality=70) == latens.encode(photograph, quality=70)


def test_the_size_is_what_the_tables_promise(photograph: np.ndarray, recording) -> None:
    """Within 0.1 % and 40 bytes of the sum of -log2(mass / 2^16) over the symbols."""
    data = latens.encode(photograph, quality=50, model="balle2017")
    container = unpack(data)
    weights = find_weights(container.header, None)
    decoder = Decoder(weights.tables, container.tiles[0].payload)
    channel = recording(Decode)(decoder, weights.priors, 512, 512)
    decoded(weights, channel)
    symbols, index, bits = np.concatenate(channel.symbols), np.concatenate(channel.index), 0.0
    for number in np.unique(index):
        offset, masses = weights.tables.table(number)
        entries = symbols[index == number].astype(np.int64) - offset
        inside = (entries >= 0) & (entries < len(masses) - 1)
        bits -= np.log2(masses[np.where(inside, entries, len(masses) - 1)] / 2**16).sum()
    assert abs(len(data) - bits / 8) < 0.001 * len(data) + 40
    encoder = Encoder(weights.tables)
    q = weights.model.code(
        None, Decode(Decoder(weights.tables, container.tiles[0].payload), weights.priors, 512, 512)
    )
    weights.model.code(q, Encode(encoder, weights.priors, 512, 512))
    assert encoder.finish() == container.tiles[0].payload


def golden() -> list[Path]:
    return sorted((Path(__file__).parent / "golden").glob("*.ltn"))


@pytest.mark.parametrize("path", golden(), ids=lambda path: path.stem)
def test_golden_files_decode_to_the_same_symbols_and_pixels_forever(path: Path, recording) -> None:
    container = unpack(path.read_bytes())
    header = container.header
    own = path.parent / "tiny.ltm" if path.stem.startswith("tiny-") else None
    assert own or header.fingerprint.hex() in path.stem
    weights = find_weights(header, own)
    decoder = Decoder(weights.tables, container.tiles[0].payload)
    channel = recording(Decode)(decoder, weights.priors, header.height, header.width, weights.networks)
    _, own_filter = decoded(weights, channel)
    assert (own_filter is not None) == path.stem.endswith("-filter")
    symbols = np.concatenate(channel.symbols).astype("<i4").tobytes()
    assert f"{zlib.crc32(symbols):08x}" == path.with_suffix(".crc").read_text().strip()
    came = latens.decode(path, weights=own, output="array")
    assert came.shape == (header.height, header.width, 3)
    kept = np.loadtxt(path.with_suffix(".pixels"), dtype=int, ndmin=2)  # 8 x 8 at most: golden/make.py
    assert np.abs(came[-8:, -8:].reshape(len(kept), -1) - kept).max() <= 1


def test_every_shipped_rate_point_and_the_tiny_model_have_golden_files() -> None:
    names = {path.stem for path in golden()}
    assert sum(name.startswith("tiny-") for name in names) >= 5
    for model in latens.models():
        for point in model.points:
            stem = f"shipped-{model.id}-{point.fingerprint}"
            ends = [""] if point.levels == 1 else ["-q0", "-q43.21", "-q100"]
            if load(select(model.id, 50.0, point.tune)).filters is not None:
                ends.append("-filter")
            assert {stem + end for end in ends} <= names


def test_metadata_that_is_not_stored_is_said(photograph: np.ndarray, tmp_path) -> None:
    image = Image.fromarray(photograph[:64, :64])
    exif = image.getexif()
    exif[0x010E] = "a description"
    image.save(tmp_path / "picture.png", exif=exif)
    with pytest.warns(UserWarning, match="EXIF"):
        latens.encode(tmp_path / "picture.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latens.encode(photograph[:64, :64])
