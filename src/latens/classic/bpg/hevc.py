"""HEVC parameter sets: what of them a BPG file keeps, and how a reader makes them whole again.

A BPG file holds no VPS and no SPS. A reader rebuilds both from the header and from a dozen fields (`Sps`);
everything else has fixed values. A writer must have used those values too: `extract` refuses a stream that did
not. Free is only what describes no sample: profile and level, size of buffers, conformance window, VUI.

References: ITU-T H.265 (12/2016), sections 7.3.1 to 7.3.3; the BPG specification 0.9.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from latens.classic.bpg.bits import Reader, Writer, escape, unescape
from latens.errors import UnreadablePictureError, UnsupportedPictureError

START = b"\0\0\0\1"
VPS, SPS, PPS, AUD, SEI = 32, 33, 34, 35, (39, 40)
IDR = (19, 20)  # instantaneous refresh: what an encoder makes of a single picture
RANGE_FLAGS = 9  # of the range extension
MAIN_STILL, RANGE_EXTENSIONS = 3, 4  # profiles
LEVEL = 186  # 6.2: any size


@dataclass(frozen=True)
class Sps:
    """The fields of a sequence parameter set that a BPG file carries."""

    min_block: int  # log2_min_luma_coding_block_size_minus3
    block_range: int  # log2_diff_max_min_luma_coding_block_size
    min_transform: int  # log2_min_transform_block_size_minus2
    transform_range: int  # log2_diff_max_min_transform_block_size
    intra_depth: int  # max_transform_hierarchy_depth_intra
    sao: bool  # sample_adaptive_offset_enabled_flag
    strong_smoothing: bool  # strong_intra_smoothing_enabled_flag
    pcm: tuple[int, int, int, int, int] | None = None  # bits - 1 of luma and chroma, sizes, loop filter off
    range_flags: int = 0  # the range extension's 9 flags

    def write(self) -> bytes:
        """The HEVC header of a BPG file, without its length."""
        out = Writer()
        out.ue(self.min_block).ue(self.block_range).ue(self.min_transform).ue(self.transform_range)
        out.ue(self.intra_depth).u(1, self.sao)
        _write_pcm(out, self.pcm)
        out.u(1, self.strong_smoothing)
        _write_extension(out, self.range_flags)
        return out.bytes()

    @classmethod
    def read(cls, data: bytes) -> Sps:
        """The inverse of `write`; UnreadablePictureError for values that HEVC does not know."""
        bits = Reader(data, "the HEVC header")
        found = cls(
            min_block=bits.ue(),
            block_range=bits.ue(),
            min_transform=bits.ue(),
            transform_range=bits.ue(),
            intra_depth=bits.ue(),
            sao=bits.flag(),
            pcm=_read_pcm(bits),
            strong_smoothing=bits.flag(),
            range_flags=_range_flags(bits),
        )
        if found.min_block + found.block_range > 3 or found.min_transform + found.transform_range > 3:
            raise UnreadablePictureError(f"the HEVC header has block sizes that HEVC does not know: {found}")
        return found

    @property
    def block(self) -> int:
        """Side of the smallest coding block; coded pictures are multiples of it."""
        return 8 << self.min_block


@dataclass(frozen=True)
class Geometry:
    """What a rebuilt SPS takes from the BPG header."""

    chroma: int  # chroma_format_idc: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4
    width: int  # coded, multiples of the smallest block
    height: int
    depth: int  # bits a sample


def parameter_sets(sps: Sps, geometry: Geometry) -> bytes:
    """VPS and SPS in front of a BPG file's HEVC data, start codes included, up to the next start code."""
    vps = Writer().u(4, 0).u(2, 3).u(6, 0).u(3, 0).u(1, 1).u(16, 0xFFFF)
    _write_profile(vps, geometry)
    vps.u(1, 1).ue(0).ue(0).ue(0).u(6, 0).ue(0).u(1, 0).u(1, 0)
    out = Writer().u(4, 0).u(3, 0).u(1, 1)
    _write_profile(out, geometry)
    out.ue(0).ue(geometry.chroma)
    if geometry.chroma == 3:
        out.u(1, 0)  # separate_colour_plane_flag
    out.ue(geometry.width).ue(geometry.height).u(1, 0)  # no conformance window: the reader crops
    out.ue(geometry.depth - 8).ue(geometry.depth - 8)
    out.ue(4)  # log2_max_pic_order_cnt_lsb_minus4: 8 bits
    out.u(1, 1).ue(0).ue(0).ue(0)
    for value in (sps.min_block, sps.block_range, sps.min_transform, sps.transform_range):
        out.ue(value)
    out.ue(sps.intra_depth).ue(sps.intra_depth)  # inter = intra
    out.u(1, 0).u(1, 1).u(1, sps.sao)  # no scaling lists, AMP
    _write_pcm(out, sps.pcm)
    out.ue(0).u(1, 0).u(1, 1)  # no reference sets, no long-term references, temporal MVP
    out.u(1, sps.strong_smoothing).u(1, 0)  # no VUI
    _write_extension(out, sps.range_flags)
    return b"".join(
        START + bytes([kind << 1, 1]) + escape(bits.bytes(stop=True)) for kind, bits in ((VPS, vps), (SPS, out))
    )


def extract(stream: bytes, geometry: Geometry) -> tuple[Sps, bytes]:
    """What a BPG file keeps of an encoder's stream: the SPS's fields; PPS and slices, start codes between.

    Raises:
        UnsupportedPictureError: the stream is not what a BPG reader would rebuild; says which field
    """
    kept: list[bytes] = []
    found: Sps | None = None
    counts = {PPS: 0, **dict.fromkeys(IDR, 0)}
    for unit in units(stream):
        kind = unit[0] >> 1 & 63
        if kind == SPS:
            found = _read_sps(unescape(unit[2:]), geometry)
        elif kind in counts:
            if kind == PPS:
                _check_pps(unescape(unit[2:]))
            kept.append(unit)
            counts[kind] += 1
        elif kind not in (VPS, AUD, *SEI):
            raise UnsupportedPictureError(f"the encoder wrote NAL unit type {kind}: BPG holds one IDR picture")
    slices = sum(counts[kind] for kind in IDR)
    if found is None or counts[PPS] != 1 or slices != 1:
        sets = f"{'no' if found is None else 'an'} SPS, {counts[PPS]} PPS and {slices} IDR slices"
        raise UnsupportedPictureError(f"the encoder wrote {sets}: one of each is needed")
    return found, START[1:].join(kept)


def units(stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream, without start codes and trailing zeros."""
    return [unit.rstrip(b"\0") for unit in re.split(rb"\x00\x00+\x01", stream) if len(unit.rstrip(b"\0")) > 2]


def _read_sps(data: bytes, geometry: Geometry) -> Sps:
    bits = Reader(data, "the encoder's SPS")
    bits.u(4)
    _require("sub-layers", bits.u(3) + 1, 1)
    bits.u(1 + 96)  # nesting; profile, tier and level
    _require("SPS id", bits.ue(), 0)
    _require("chroma format", chroma := bits.ue(), geometry.chroma)
    if chroma == 3:
        _require("separate colour planes", bits.u(1), 0)
    _require("width", bits.ue(), geometry.width)
    _require("height", bits.ue(), geometry.height)
    if bits.flag():
        for _ in range(4):
            bits.ue()  # the conformance window: BPG crops by its own width and height
    _require("luma depth", bits.ue() + 8, geometry.depth)
    _require("chroma depth", bits.ue() + 8, geometry.depth)
    _require("length of the picture order count", bits.ue() + 4, 8)
    bits.u(1)
    for _ in range(3):
        bits.ue()  # buffering
    min_block, block_range, min_transform, transform_range = (bits.ue() for _ in range(4))
    inter_depth, depth = bits.ue(), bits.ue()
    _require("transform depth of inter blocks", inter_depth, depth)
    _require("scaling lists", bits.u(1), 0)
    _require("asymmetric partitions", bits.u(1), 1)
    sao = bits.flag()
    pcm = _read_pcm(bits)
    _require("number of reference picture sets", bits.ue(), 0)
    _require("long-term references", bits.u(1), 0)
    _require("temporal motion prediction", bits.u(1), 1)
    strong = bits.flag()
    if bits.flag():  # VUI describes the display; it stands before the extension
        _skip_vui(bits)
    flags = _range_flags(bits)
    return Sps(min_block, block_range, min_transform, transform_range, depth, sao, strong, pcm, flags)


def _check_pps(data: bytes) -> None:
    bits = Reader(data, "the encoder's PPS")
    bits.ue()  # its own id, which the slice repeats
    _require("SPS id in the PPS", bits.ue(), 0)


def _require(name: str, value: int, expected: int) -> None:
    if value != expected:
        raise UnsupportedPictureError(f"the encoder's {name} is {value}, and a BPG reader takes {expected}")


def _skip_vui(bits: Reader) -> None:
    """VUI parameters, HEVC section E.2.1, as far as an encoder of still pictures writes them."""
    if bits.flag() and bits.u(8) == 255:
        bits.u(32)  # sample aspect ratio
    if bits.flag():
        bits.u(1)  # overscan
    if bits.flag():
        bits.u(4)  # video format, full range
        if bits.flag():
            bits.u(24)  # colour description
    if bits.flag():
        bits.ue()  # chroma location
        bits.ue()
    bits.u(3)  # neutral chroma, fields
    if bits.flag():
        for _ in range(4):
            bits.ue()  # default display window
    if bits.flag():
        bits.u(64)  # timing
        if bits.flag():
            bits.ue()
        _require("HRD parameters", bits.u(1), 0)
    if bits.flag():
        bits.u(3)  # bitstream restriction
        for _ in range(5):
            bits.ue()


def _read_pcm(bits: Reader) -> tuple[int, int, int, int, int] | None:
    return (bits.u(4), bits.u(4), bits.ue(), bits.ue(), bits.u(1)) if bits.flag() else None


def _write_pcm(out: Writer, pcm: tuple[int, int, int, int, int] | None) -> None:
    out.u(1, pcm is not None)
    if pcm is not None:
        out.u(4, pcm[0]).u(4, pcm[1]).ue(pcm[2]).ue(pcm[3]).u(1, pcm[4])


def _range_flags(bits: Reader) -> int:
    if not bits.flag():
        return 0
    ranged, others = bits.flag(), bits.u(7)
    if others:
        raise UnsupportedPictureError(f"an SPS extension other than the range extension is used: {others:07b}")
    return bits.u(RANGE_FLAGS) if ranged else 0


def _write_extension(out: Writer, flags: int) -> None:
    out.u(1, flags != 0)
    if flags:
        out.u(1, 1).u(7, 0).u(RANGE_FLAGS, flags)


def _write_profile(out: Writer, geometry: Geometry) -> None:
    """profile_tier_level, 12 bytes: Main Still Picture where that can be, else range extensions."""
    profile = MAIN_STILL if geometry.chroma == 1 and geometry.depth == 8 else RANGE_EXTENSIONS
    compatible = 0b111 << 28 if profile == MAIN_STILL else 1 << 31 - RANGE_EXTENSIONS
    out.u(2, 0).u(1, 0).u(5, profile).u(32, compatible).u(4, 0b1001).u(43, 0).u(1, 0).u(8, LEVEL)
