"""BPG: the reference's files read to the sample, ours written as the reference would read them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from latens.classic.bpg import Bpg420, Bpg444, bits, colour, hevc
from latens.classic.bpg.header import Header
from latens.classic.bpg.hevc import START, Geometry, Sps, extract, parameter_sets, units
from latens.errors import LatensError, TooLargeError, UnreadablePictureError, UnsupportedPictureError

av = pytest.importorskip("av", reason="PyAV is not installed")
REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "data" / "bpg"
SPS = Sps(0, 3, 0, 3, 2, sao=True, strong_smoothing=True)
FILES = sorted(REFERENCE.glob("*.bpg"))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.asarray(data.chelsea())[60:133, 100:197]


@pytest.fixture(scope="module")
def file(picture: np.ndarray) -> bytes:
    return Bpg444().encode(picture, 38)


@pytest.mark.skipif(not FILES, reason="the reference's files are not beside the repository (../shared/data/bpg)")
def test_the_references_pictures_come_out_in_every_sample() -> None:
    for path in FILES:
        reference = np.asarray(Image.open(path.with_suffix(".png")).convert("RGB"))
        assert np.array_equal(Bpg444().decode(path.read_bytes()), reference), path.name


@pytest.mark.skipif(not FILES, reason="the reference's files are not beside the repository (../shared/data/bpg)")
def test_the_references_headers_are_written_as_they_were_read() -> None:
    for path in FILES:
        whole = path.read_bytes()
        header, fields, slices = Header.read(whole)
        assert Sps.read(fields).write() == fields
        assert header.write() + bits.ue7(len(fields)) + fields + slices == whole


def test_a_file_decodes_to_what_the_encoders_own_stream_decodes_to(picture: np.ndarray) -> None:
    """The rebuilt parameter sets and x265's own give the same samples."""
    codec = Bpg444()
    padded = np.pad(picture, ((0, -73 % 8), (0, -97 % 8), (0, 0)), mode="edge")
    stream = codec._x265(colour.to_planes(padded, False), {"qp": 30, **codec.fixed})
    geometry = Geometry(3, 104, 80, 8)
    own = codec._decoded(stream, geometry)
    sps, kept = extract(stream, geometry)
    rebuilt = codec._decoded(parameter_sets(sps, geometry) + START + kept, geometry)
    for first, second in zip(own, rebuilt, strict=True):
        assert np.array_equal(first[:80, :104], second)


def test_files_hold_one_picture_parameter_set_and_idr_slices_only(file: bytes) -> None:
    _, _, slices = Header.read(file)
    assert [unit[0] >> 1 & 63 for unit in units(START + slices)] == [hevc.PPS, hevc.IDR[1]]


def test_the_rebuilt_sps_is_read_back_as_it_was_meant() -> None:
    geometry = Geometry(1, 64, 48, 8)
    for sps in (SPS, replace(SPS, pcm=(7, 7, 0, 2, 1)), replace(SPS, sao=False, range_flags=0b000100001)):
        _, rebuilt = units(parameter_sets(sps, geometry))
        assert hevc._read_sps(bits.unescape(rebuilt[2:]), geometry) == sps
        assert Sps.read(sps.write()) == sps


@pytest.mark.parametrize(
    ("geometry", "named"),
    [
        (Geometry(1, 104, 80, 8), "chroma format is 3, and a BPG reader takes 1"),
        (Geometry(3, 96, 80, 8), "width is 104, and a BPG reader takes 96"),
        (Geometry(3, 104, 80, 10), "luma depth is 8, and a BPG reader takes 10"),
    ],
)
def test_a_stream_that_a_reader_would_rebuild_otherwise_is_refused(
    picture: np.ndarray, geometry: Geometry, named: str
) -> None:
    codec = Bpg444()
    padded = np.pad(picture, ((0, 7), (0, 7), (0, 0)), mode="edge")
    stream = codec._x265(colour.to_planes(padded, False), {"qp": 40, **codec.fixed})
    with pytest.raises(UnsupportedPictureError, match=named):
        extract(stream, geometry)


def test_scaling_lists_are_refused(picture: np.ndarray) -> None:
    codec = Bpg444()
    parameters = {"qp": 40, **codec.fixed, "scaling-list": "default"}
    stream = codec._x265(colour.to_planes(picture[:72, :96], False), parameters)
    with pytest.raises(UnsupportedPictureError, match="scaling lists is 1"):
        extract(stream, Geometry(3, 96, 72, 8))


def test_every_truncation_is_refused(file: bytes) -> None:
    for length in range(len(file)):
        with pytest.raises(UnreadablePictureError):
            Bpg444().decode(file[:length])


def test_every_bit_of_the_headers_may_flip(file: bytes) -> None:
    for place in range(8 * 24):
        flipped = bytearray(file)
        flipped[place // 8] ^= 0x80 >> place % 8
        try:
            assert Bpg444().decode(bytes(flipped)).dtype == np.uint8
        except LatensError:
            continue


def test_sizes_are_checked_before_memory_is_taken(file: bytes) -> None:
    header, fields, slices = Header.read(file)
    head = replace(header, width=1 << 20, height=1 << 20, data_length=0).write()
    huge = head + bits.ue7(len(fields)) + fields + slices
    with pytest.raises(TooLargeError, match="1048576 x 1048576"):
        Bpg444().decode(huge)


@pytest.mark.parametrize(("bit", "word"), [(3, "alpha"), (13, "alpha"), (15, "animation")])
def test_alpha_and_animation_are_named(file: bytes, bit: int, word: str) -> None:
    flagged = bytearray(file)
    flagged[4 + bit // 8] |= 0x80 >> bit % 8
    with pytest.raises(UnsupportedPictureError, match=word):
        Bpg444().decode(bytes(flagged))


def test_extensions_are_skipped(file: bytes, picture: np.ndarray) -> None:
    flagged = bytearray(file)
    flagged[5] |= 0x08
    end = len(Header.read(file)[0].write())
    exif = b"\x01\x05EXIF!"
    extended = bytes(flagged[:end]) + bits.ue7(len(exif)) + exif + file[end:]
    assert np.array_equal(Bpg444().decode(extended), Bpg444().decode(file))


def test_numbers_have_one_form_only() -> None:
    for value in (0, 1, 127, 128, 300, 16383, 16384, (1 << 32) - 1):
        assert bits.Reader(bits.ue7(value), "it").ue7() == value
    for wrong in (b"\x80\x01", b"\x80\x80\x01", b"\xff\xff\xff\xff\x7f", b"\xff\xff\xff\xff\xff\x01"):
        with pytest.raises(UnreadablePictureError):
            bits.Reader(wrong, "it").ue7()


def test_exp_golomb_codes_are_those_of_the_standard() -> None:
    written = bits.Writer().ue(0).ue(1).ue(2).ue(3).ue(7)
    assert "".join(map(str, written.bits)) == "1" "010" "011" "00100" "0001000"
    reader = bits.Reader(written.bytes(), "it")
    assert [reader.ue() for _ in range(5)] == [0, 1, 2, 3, 7]


def test_start_codes_cannot_stand_inside_a_unit() -> None:
    raw = bytes([0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0])
    escaped = bits.escape(raw)
    assert all(code not in escaped for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    assert bits.unescape(escaped) == raw


def test_grey_and_other_colour_spaces_come_out_as_their_definitions_say() -> None:
    y = np.array([[0, 100, 255]], np.uint8)
    grey = colour.Planes(y, None, None)
    assert colour.to_pixels(grey, 0, 8, False, (False, False))[0, :, 0].tolist() == [0, 100, 255]
    green, blue, red = (np.array([[v]], np.uint8) for v in (10, 20, 30))
    gbr = colour.Planes(green, blue, red)
    assert colour.to_pixels(gbr, 1, 8, False, (False, False)).tolist() == [[[30, 10, 20]]]
    limited = colour.Planes(*(np.array([[v]], np.uint8) for v in (235, 128, 128)))
    assert colour.to_pixels(limited, 0, 8, True, (False, False)).tolist() == [[[255, 255, 255]]]
    ten_bits = colour.Planes(*(np.array([[v]], np.uint16) for v in (1023, 512, 512)))
    assert colour.to_pixels(ten_bits, 3, 10, False, (False, False)).tolist() == [[[255, 255, 255]]]
    co = colour.Planes(*(np.array([[v]], np.uint8) for v in (100, 138, 148)))  # Y, Cg, Co
    assert colour.to_pixels(co, 2, 8, False, (False, False)).tolist() == [[[110, 110, 70]]]


def test_flat_chroma_stays_flat_whatever_its_siting() -> None:
    flat = np.full((3, 5), 77, np.uint8)
    for sited in ((False, False), (False, True), (True, True)):
        assert (colour.interpolated(flat, (6, 9), 8, sited) == 77).all()


def test_halved_chroma_costs_less_and_whole_chroma_keeps_colours(picture: np.ndarray) -> None:
    whole, halved = (codec.encode(picture, 30) for codec in (Bpg444(), Bpg420()))
    assert len(halved) < len(whole)
    assert Header.read(halved)[0].pixel_format == 1
