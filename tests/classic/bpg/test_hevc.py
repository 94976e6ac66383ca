"""HEVC units of BPG files: one PPS and one slice, parsed to the last header bit; streams that BPG cannot hold."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from skimage import data

from latens.classic.bpg import Bpg420, Bpg444
from latens.classic.bpg.bits import Reader, unescape
from latens.classic.bpg.colour import to_planes
from latens.classic.bpg.header import Header
from latens.classic.bpg.hevc import IDR, PPS, START, Geometry, Sps, extract, parameter_sets, units
from latens.errors import UnsupportedPictureError

pytest.importorskip("av", reason="PyAV is not installed")
REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "data" / "bpg"
FILES = sorted(REFERENCE.glob("*.bpg"))
INTRA = 2  # slice_type I
X265_INTRA = 3  # what x265 takes off its QP for intra pictures


class Slice(NamedTuple):
    """What a BPG file's PPS and slice header say."""

    qp: int
    wavefront: bool
    sao: tuple[bool, bool]


def se(bits: Reader) -> int:
    value = bits.ue()
    return (value + 1) // 2 if value % 2 else -value // 2


def ends(bits: Reader) -> None:
    """Stop bit and zeros to the byte (and, for a PPS, to the end)."""
    assert bits.u(1) == 1
    assert bits.u(-bits.position % 8) == 0


def parsed(slices: bytes, sps: Sps, chroma: int) -> Slice:
    """H.265 sections 7.3.2.3 and 7.3.6.1; every flag that BPG or a still picture has no use for must be 0."""
    pps, picture = units(START + slices)
    assert (pps[0] >> 1, pps[1]) == (PPS, 1)
    assert (picture[0] >> 1 in IDR, picture[1]) == (True, 1)
    bits = Reader(unescape(pps[2:]), "PPS")
    assert (bits.ue(), bits.ue()) == (0, 0), "ids"
    assert bits.u(5) == 0, "dependent slices, output flag, extra bits"
    bits.u(2)  # sign hiding, CABAC initialisation
    bits.ue()
    bits.ue()  # reference counts
    qp = 26 + se(bits)
    assert bits.u(1) == 0, "constrained intra prediction: without meaning here"
    bits.u(1)  # transform skip
    if bits.flag():
        bits.ue()  # QP of coding units
    se(bits)
    se(bits)  # chroma offsets
    assert bits.u(3) == 0, "chroma offsets of slices, weighted prediction"
    assert bits.u(2) == 0, "lossless blocks, tiles"
    wavefront, across = bits.flag(), bits.flag()
    assert bits.u(1) == 0, "deblocking control"
    assert bits.u(2) == 0, "scaling lists, list modification"
    bits.ue()  # merge level
    assert bits.u(2) == 0, "extensions"
    ends(bits)
    assert bits.position == 8 * len(bits.data)

    bits = Reader(unescape(picture[2:]), "slice")
    assert bits.u(2) == 0b10, "the first slice; earlier pictures are not dropped"
    assert bits.ue() == 0, "PPS id"
    assert bits.ue() == INTRA
    sao = (bits.flag(), bits.flag() if chroma else False) if sps.sao else (False, False)
    qp += se(bits)
    if across:
        bits.u(1)
    if wavefront and (count := bits.ue()):
        size = bits.ue() + 1
        for _ in range(count):
            bits.u(size)
    ends(bits)
    return Slice(qp, wavefront, sao)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.asarray(data.chelsea())[100:228, 100:228]


def stream(picture: np.ndarray, **parameters: object) -> bytes:
    codec = Bpg444()
    return codec._x265(to_planes(picture, False), {"qp": 40, **codec.fixed, **parameters})


@pytest.mark.skipif(not FILES, reason="the reference's files are not beside the repository (../shared/data/bpg)")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_references_slices_parse_with_the_rebuilt_parameters(path: Path) -> None:
    header, fields, slices = Header.read(path.read_bytes())
    found = parsed(slices, Sps.read(fields), header.chroma)
    assert found.qp == int(path.stem.rpartition("q")[2]) - X265_INTRA


@pytest.mark.parametrize("codec", [Bpg444(), Bpg420()], ids=lambda codec: codec.id)
@pytest.mark.parametrize("qp", [51, 30, 12])
def test_our_slices_parse_the_same_way_and_mean_the_same_qp(codec: Bpg444, qp: int, picture: np.ndarray) -> None:
    header, fields, slices = Header.read(codec.encode(picture, qp))
    found = parsed(slices, Sps.read(fields), header.chroma)
    assert found.qp == qp - X265_INTRA
    assert not found.wavefront


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"log2-max-poc-lsb": 6}, "length of the picture order count is 6, and a BPG reader takes 8"),
        ({"tu-inter-depth": 1}, "transform depth of inter blocks is 0, and a BPG reader takes 2"),
        ({"amp": 0, "rect": 0}, "asymmetric partitions is 0, and a BPG reader takes 1"),
        ({"temporal-mvp": 0}, "temporal motion prediction is 0, and a BPG reader takes 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_reader_would_not_rebuild_is_refused(
    picture: np.ndarray, parameters: dict[str, object], named: str
) -> None:
    geometry = Geometry(3, 128, 128, 8)
    extract(stream(picture), geometry)
    with pytest.raises(UnsupportedPictureError, match=named):
        extract(stream(picture, **parameters), geometry)


def test_missing_and_doubled_units_are_refused(picture: np.ndarray) -> None:
    geometry = Geometry(3, 128, 128, 8)
    vps, sps, pps, idr = units(stream(picture))
    for kept, named in (
        ((vps, pps, idr), "no SPS, 1 PPS and 1 IDR"),
        ((vps, sps, idr), "an SPS, 0 PPS and 1 IDR"),
        ((vps, sps, pps, pps, idr), "2 PPS"),
        ((vps, sps, pps, idr, idr), "2 IDR slices"),
        ((vps, sps, pps, b"\x02\x01" + idr[2:]), "NAL unit type 1"),
        ((vps, sps, b"\x44\x01\xa8" + pps[3:], idr), "SPS id in the PPS is 1"),
    ):
        with pytest.raises(UnsupportedPictureError, match=named):
            extract(START + START.join(kept), geometry)


def test_what_describes_no_sample_may_differ(picture: np.ndarray) -> None:
    """VUI, HRD-less timing, access unit delimiters and SEI: dropped, and the slice is the same."""
    geometry = Geometry(3, 128, 128, 8)
    plain = extract(stream(picture), geometry)
    assert extract(stream(picture, aud=1, info=1, sar=2, colorprim="bt709", range="limited"), geometry) == plain


def test_other_block_sizes_reach_the_reader(picture: np.ndarray) -> None:
    geometry = Geometry(3, 128, 128, 8)
    parameters = {"ctu": 32, "min-cu-size": 16, "max-tu-size": 16, "strong-intra-smoothing": 0, "sao": 0}
    own = stream(picture, **parameters)
    sps, kept = extract(own, geometry)
    assert (sps.block, sps.block << sps.block_range, sps.sao, sps.strong_smoothing) == (16, 32, False, False)
    codec = Bpg444()
    rebuilt = codec._decoded(parameter_sets(sps, geometry) + START + kept, geometry)
    for first, second in zip(codec._decoded(own, geometry), rebuilt, strict=True):
        assert np.array_equal(first, second)
