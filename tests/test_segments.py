"""Metadata in a .ltn file, which this version does not write: what decoding says of them."""

import warnings

import numpy as np
import pytest

import latens
from latens.bitstream import Segment, pack, unpack
from latens.image import MetadataWarning


@pytest.fixture(scope="module")
def plain() -> bytes:
    return latens.encode(np.full((48, 64, 3), 120, np.uint8))


@pytest.mark.parametrize("output", ["image", "array"])
def test_metadata_that_a_file_holds_are_named_when_they_are_left_behind(plain: bytes, output: str) -> None:
    segments = (Segment("iccp", b"profile"), Segment("exif", b"II*\0"), Segment("note", b"later"))
    rich = pack(unpack(plain)._replace(segments=segments))
    with pytest.warns(MetadataWarning, match="^ICC profile, EXIF and 'note' of the file are left behind") as said:
        found = latens.decode(rich, output=output)
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(np.asarray(latens.decode(plain)), np.asarray(found))
