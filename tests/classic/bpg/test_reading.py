"""Reading what our writer does not write: other chroma formats, depths, colours and ranges; hashes; lengths."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from latens.classic.bpg import Bpg444
from latens.classic.bpg.bits import ue7
from latens.classic.bpg.header import Header
from latens.classic.bpg.hevc import SEI, START, Geometry, extract, units
from latens.errors import UnreadablePictureError, UnsupportedPictureError
from latens.metrics import psnr

av = pytest.importorskip("av", reason="PyAV is not installed")
FORMATS = {0: "gray", 1: "yuv420p", 2: "yuv422p", 3: "yuv444p"}
LUMA = {0: (0.299, 0.114), 3: (0.2126, 0.0722), 4: (0.2627, 0.0593)}


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """Slow waves of saturated colours: halved chroma loses nothing of them."""
    down, across = np.mgrid[0:72, 0:104] / 20
    waves = (np.sin(down + across), np.sin(1.3 * down - across + 1), np.cos(across * 0.8 + 2))
    return np.rint(np.stack(waves, -1) * 100 + 128).astype(np.uint8)


def planes_of(pixels: np.ndarray, header: Header) -> list[np.ndarray]:
    """The definitions of the format, forwards, with chroma by means (or, where it lies on luma, by omission)."""
    red, green, blue = np.moveaxis(pixels.astype(float) / 255, -1, 0)
    if header.space == 1:
        parts = [green, blue, red]
    elif header.space == 2:
        parts = [(red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2]
    else:
        k_r, k_b = LUMA[header.space]
        y = k_r * red + (1 - k_r - k_b) * green + k_b * blue
        parts = [y, (blue - y) / (2 - 2 * k_b), (red - y) / (2 - 2 * k_r)]
    luma_range, chroma_range, offset = (219, 224, 16) if header.limited else (255, 255, 0)
    if header.limited and header.space == 2:
        chroma_range = luma_range
    unit = 2 ** (header.depth - 8) if header.limited else (2**header.depth - 1) / 255
    middle = 2 ** (header.depth - 1)
    out = []
    for number, part in enumerate(parts[: 1 if header.chroma == 0 else 3]):
        if number == 0 or header.space == 1:
            samples = (part * luma_range + offset) * unit
        else:
            samples = part * chroma_range * unit + middle
        if number and header.chroma in (1, 2):
            sited = header.pixel_format in (4, 5)
            samples = samples[:, 0::2] if sited else (samples[:, 0::2] + samples[:, 1::2]) / 2
        if number and header.chroma == 1:
            samples = (samples[0::2] + samples[1::2]) / 2
        out.append(np.rint(samples).astype(np.uint8 if header.depth == 8 else "<u2"))
    return out


def encoded(pixels: np.ndarray, header: Header, **parameters: object) -> bytes:
    """x265's stream, sides a multiple of 8."""
    context = av.CodecContext.create("libx265", "w")
    kind = FORMATS[header.chroma] + ("" if header.depth == 8 else f"{header.depth}le")
    context.width, context.height, context.pix_fmt = header.width, header.height, kind
    context.time_base, context.thread_count = Fraction(1, 25), 1
    words = {"qp": 8, **Bpg444.fixed, **parameters}
    context.options = {"preset": "veryslow", "x265-params": ":".join(f"{k}={v}" for k, v in words.items())}
    frame = av.VideoFrame(header.width, header.height, kind)
    for plane, samples in zip(frame.planes, planes_of(pixels, header), strict=True):
        lines = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        lines[:, : samples.shape[1]] = samples
        plane.update(lines)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def file_of(pixels: np.ndarray, header: Header) -> bytes:
    geometry = Geometry(header.chroma, header.width, header.height, header.depth)
    sps, slices = extract(encoded(pixels, header), geometry)
    fields = sps.write()
    return header.write() + ue7(len(fields)) + fields + slices


@pytest.mark.parametrize(
    ("pixel_format", "depth", "space", "limited"),
    [
        *((pixel_format, 8, 0, False) for pixel_format in (1, 2, 3, 4, 5)),
        *((3, 8, space, limited) for space in range(5) for limited in (False, True)),
        *((pixel_format, 10, 0, False) for pixel_format in (1, 2, 3, 4, 5)),
        (3, 12, 0, False), (1, 12, 3, True), (3, 10, 1, False), (3, 10, 2, True), (2, 10, 4, True),
    ],
)  # fmt: skip
def test_every_format_comes_out_in_its_colours(
    smooth: np.ndarray, pixel_format: int, depth: int, space: int, limited: bool
) -> None:
    header = Header(104, 72, pixel_format, depth, space, limited)
    found = Bpg444().decode(file_of(smooth, header))
    assert found.shape == smooth.shape
    assert psnr(smooth, found) > 42
    assert abs(found.astype(float) - smooth).mean((0, 1)).max() < 1.5


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("limited", [False, True])
def test_grey_files_come_out_grey(smooth: np.ndarray, depth: int, limited: bool) -> None:
    grey = np.repeat(smooth[..., :1], 3, -1)
    found = Bpg444().decode(file_of(grey, Header(104, 72, 0, depth, 0, limited)))
    assert psnr(grey, found) > 45
    assert np.ptp(found, -1).max() == 0


def test_odd_sizes_are_cut_out_of_halved_chroma(smooth: np.ndarray) -> None:
    for pixel_format in (1, 2, 4, 5):
        whole = Header(104, 72, pixel_format)
        file = file_of(smooth, whole)
        cut = replace(whole, width=101, height=67).write() + file[len(whole.write()) :]
        found = Bpg444().decode(cut)
        assert found.shape == (67, 101, 3)
        assert psnr(smooth[:67, :101], found) > 42


def test_a_hash_of_the_samples_is_checked_where_a_file_has_one(smooth: np.ndarray) -> None:
    header = Header(104, 72, 3)
    stream = encoded(smooth, header, hash=1)
    sps, slices = extract(stream, Geometry(3, 104, 72, 8))
    (note,) = [unit for unit in units(stream) if unit[0] >> 1 in SEI]
    fields = sps.write()
    head = header.write() + ue7(len(fields)) + fields
    plain = Bpg444().decode(head + slices)
    assert np.array_equal(Bpg444().decode(head + slices + START + note), plain)
    damaged = bytearray(slices)
    damaged[len(slices) // 2] ^= 1
    assert not np.array_equal(Bpg444().decode(head + bytes(damaged)), plain)
    with pytest.raises(UnreadablePictureError, match="cannot be decoded"):
        Bpg444().decode(head + bytes(damaged) + START + note)


def test_more_pixels_than_the_data_can_hold_are_refused(smooth: np.ndarray) -> None:
    header = Header(104, 72, 3)
    file = file_of(smooth[:16, :16].repeat(7, 0)[:72].repeat(7, 1)[:, :104], header)
    body = file[len(header.write()) :]
    with pytest.raises(UnreadablePictureError, match=r"bytes of HEVC data for 8000 x 8000 pixels"):
        Bpg444().decode(replace(header, width=8000, height=8000).write() + body[:1500])


def test_the_emptiest_picture_is_not_refused_for_its_size() -> None:
    black = np.zeros((1024, 1024, 3), np.uint8)
    file = Bpg444().encode(black, 51)
    assert len(file) < 1000
    assert Bpg444().decode(file).max() <= 2


@pytest.mark.parametrize("depth", [11, 13, 14])
def test_depths_that_the_decoder_lacks_are_named(smooth: np.ndarray, depth: int) -> None:
    header = Header(104, 72, 3)
    body = file_of(smooth, header)[len(header.write()) :]
    with pytest.raises(UnsupportedPictureError, match=f"has {depth} bits a sample, and 8, 9, 10, 12 are read"):
        Bpg444().decode(replace(header, depth=depth).write() + body)


def test_grey_with_a_colour_space_breaks_a_rule() -> None:
    with pytest.raises(UnreadablePictureError, match="colour space 1"):
        Header.read(Header(8, 8, 0, space=1).write() + b"\1\1\1")


def test_cmyk_is_named(smooth: np.ndarray) -> None:
    file = bytearray(file_of(smooth, Header(104, 72, 3)))
    file[5] |= 0x04  # the second alpha flag without the first
    with pytest.raises(UnsupportedPictureError, match="CMYK"):
        Bpg444().decode(bytes(file))
