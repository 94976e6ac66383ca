"""BPG (Better Portable Graphics, F. Bellard 2014, format 0.9.5): real files around an HEVC intra picture.

::

    pixels --(colour)--> planes --x265--> Annex B stream --(hevc.extract)--> fields, slices --(header)--> .bpg
    pixels <--(colour)-- planes <--HEVC decoder-- VPS, SPS, slices <--(hevc.parameter_sets)--(header)-- .bpg

Encoder and decoder are those that PyAV carries: libx265 and FFmpeg's. What is written and read, and how that was
verified, is in docs/bpg.md.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from latens.classic.base import Codec
from latens.classic.bpg.bits import ue7
from latens.classic.bpg.colour import Planes, to_pixels, to_planes
from latens.classic.bpg.header import Header
from latens.classic.bpg.hevc import START, Geometry, Sps, extract, parameter_sets
from latens.errors import MissingExtraError, TooLargeError, UnreadablePictureError, UnsupportedPictureError

MAX_PIXELS = 1 << 26
SMALL = 32  # pixels a side, below which x265 wants smaller coding trees
SMALL_BLOCKS = {"ctu": 16, "min-cu-size": 16}
BLOCK = 8  # x265's smallest coding block otherwise
DEPTHS = (8, 9, 10, 12)  # that FFmpeg decodes, of BPG's 8 to 14
PIXELS_PER_BYTE = 8 * 64 * 64  # at most: a coding block has up to 64 x 64 samples and takes at least one bit
PIXEL_FORMATS = {0: "gray", 1: "yuv420p", 2: "yuv422p", 3: "yuv444p"}


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("package av is not installed: BPG needs pip install 'latens[eval]'") from error
    return av


def _libx265() -> Any:
    """PyAV, if it can encode."""
    av = _av()
    if "libx265" not in av.codecs_available:
        raise MissingExtraError(f"PyAV {av.__version__} has no libx265: BPG needs a build with it")
    return av


@lru_cache
def _x265_version() -> str:
    """``4.2+1-e444744``: x265 writes it into a stream if asked to."""
    codec, black = Bpg420(), np.zeros((16, 16, 3), np.uint8)
    stream = codec._x265(to_planes(black, True), {**codec.fixed, **SMALL_BLOCKS, "qp": 51, "info": 1})
    found = re.search(rb"x265 \(build \d+\) - ([^:]+):", stream)
    return found[1].decode("ascii", "replace") if found else "of unknown version"


class Bpg444(Codec):
    """8-bit YCbCr BT.601 at full range, chroma whole; the setting is x265's QP."""

    id = "bpg"
    title = "BPG 4:4:4 (x265)"
    suffix = ".bpg"
    parameter = "QP"
    settings = (49, 46, 42, 38, 34, 30, 26, 22)
    bounds = (51, 0)
    chroma = 3  # chroma_format_idc
    preset = "veryslow"
    fixed = {  # noqa: RUF012
        "keyint": 1, "wpp": 0, "pools": "none", "frame-threads": 1,
        "info": 0, "repeat-headers": 1, "aud": 0, "hrd": 0, "range": "full",
        "psy-rd": 0, "psy-rdoq": 0, "aq-mode": 0, "cutree": 0, "log-level": "none",
    }  # fmt: skip

    def version(self) -> str:
        av = _libx265()
        major, minor, micro = av.library_versions["libavcodec"]
        return f"x265 {_x265_version()}, libavcodec {major}.{minor}.{micro} (PyAV {av.__version__})"

    def options(self) -> dict[str, object]:
        return {"preset": self.preset, **{k: v for k, v in self.fixed.items() if k.startswith(("psy", "aq"))}}

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        qp = int(self.check(setting))
        height, width = pixels.shape[:2]
        if not height or not width:
            raise UnsupportedPictureError(f"{self.id} cannot hold {width} x {height} pixels: each side needs one")
        blocks = SMALL_BLOCKS if min(height, width) < SMALL else {}
        block = blocks.get("min-cu-size", BLOCK)
        padded = np.pad(pixels, ((0, -height % block), (0, -width % block), (0, 0)), mode="edge")
        stream = self._x265(to_planes(padded, self.chroma == 1), {"qp": qp, **blocks, **self.fixed})
        sps, data = extract(stream, Geometry(self.chroma, padded.shape[1], padded.shape[0], depth=8))
        if sps.block != block:
            raise UnsupportedPictureError(f"x265 took blocks of {sps.block}, and {block} were asked for")
        fields = sps.write()
        body = ue7(len(fields)) + fields + data  # its length is said, so that a file cut short is known for one
        return Header(width, height, self.chroma, data_length=len(body)).write() + body

    def decode(self, data: bytes) -> np.ndarray:
        header, fields, slices = Header.read(data)
        if header.width * header.height > MAX_PIXELS:
            raise TooLargeError(f"the BPG file has {header.width} x {header.height} pixels, above {MAX_PIXELS}")
        sps = Sps.read(fields)
        geometry = Geometry(header.chroma, *_coded(header.width, header.height, sps), depth=header.depth)
        if geometry.width * geometry.height > len(slices) * PIXELS_PER_BYTE:
            raise UnreadablePictureError(
                f"the BPG file has {len(slices)} bytes of HEVC data for {header.width} x {header.height} pixels, "
                f"and HEVC needs one for every {PIXELS_PER_BYTE}"
            )
        if header.depth not in DEPTHS:
            known = ", ".join(map(str, DEPTHS))
            raise UnsupportedPictureError(f"the BPG file has {header.depth} bits a sample, and {known} are read")
        planes = self._decoded(parameter_sets(sps, geometry) + START + slices, geometry)
        down, across = (2 if header.chroma == 1 else 1), (2 if header.chroma in (1, 2) else 1)
        height, width = header.height, header.width
        cut = [planes[0][:height, :width]]
        cut += [plane[: -(-height // down), : -(-width // across)] for plane in planes[1:]]
        sited = (False, header.pixel_format in (4, 5))
        full = Planes(*cut) if len(cut) == 3 else Planes(cut[0], None, None)
        return to_pixels(full, header.space, header.depth, header.limited, sited)

    def _x265(self, planes: Planes, parameters: dict[str, object]) -> bytes:
        av = _libx265()
        context = av.CodecContext.create("libx265", "w")
        height, width = planes.first.shape
        context.width, context.height, context.pix_fmt = width, height, PIXEL_FORMATS[self.chroma]
        context.time_base, context.thread_count = Fraction(1, 25), 1
        words = ":".join(f"{name}={value}" for name, value in parameters.items())
        context.options = {"preset": self.preset, "x265-params": words}
        frame = av.VideoFrame(width, height, PIXEL_FORMATS[self.chroma])
        for plane, samples in zip(frame.planes, planes, strict=True):
            assert samples is not None
            lines = np.zeros((plane.height, plane.line_size), np.uint8)
            lines[: samples.shape[0], : samples.shape[1]] = samples
            plane.update(lines)
        try:
            return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
        except av.error.FFmpegError as error:
            raise UnsupportedPictureError(f"x265 refused {width} x {height} pixels: {error.strerror}") from error

    def _decoded(self, stream: bytes, geometry: Geometry) -> list[np.ndarray]:
        av = _av()
        context = av.CodecContext.create("hevc", "r")
        context.thread_count = 1
        context.options = {"err_detect": "crccheck+explode"}  # a file may have a hash of its samples
        try:
            frames = [*context.decode(av.Packet(stream)), *context.decode(None)]
        except av.error.FFmpegError as error:
            message = f"the HEVC data of the BPG file cannot be decoded: {error.strerror}"
            raise UnreadablePictureError(message) from error
        if len(frames) != 1:
            raise UnreadablePictureError(f"the HEVC data hold {len(frames)} pictures, and must hold one")
        size, expected = (frames[0].width, frames[0].height), (geometry.width, geometry.height)
        if size != expected:
            raise UnreadablePictureError(f"the HEVC data hold {size} pixels, and the header says {expected}")
        kind = np.uint8 if geometry.depth == 8 else np.dtype("<u2")
        found = []
        for plane in frames[0].planes:
            lines = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // np.dtype(kind).itemsize)
            found.append(lines[:, : plane.width])
        return found


class Bpg420(Bpg444):
    """The same with chroma halved both ways, sited as in JPEG."""

    id = "bpg-420"
    title = "BPG 4:2:0 (x265)"
    chroma = 1


def _coded(width: int, height: int, sps: Sps) -> tuple[int, int]:
    """The coded size: up to the smallest coding block."""
    return -(-width // sps.block) * sps.block, -(-height // sps.block) * sps.block
