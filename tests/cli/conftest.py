"""A command line over a codec that stores pixels losslessly: what is tested here is all around the codec."""

import io
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import latens
from latens import cli
from latens.bitstream import Container, Header, Tile, pack, read_header, unpack
from latens.errors import TooLargeError, UsageError
from latens.systems import MODELS, Balle2017
from latens.weights.shelf import ModelInfo, RatePoint

POINT = RatePoint(
    name="q3",
    quality=(40.0, 60.0),
    lmbda=0.0067,
    fingerprint="01020304",
    parameters=1_500_000,
    kmac_per_pixel=(12.5, 25.0),
    bytes=3_000_000,
    training="none",
    kodak=((50, 0.42, 30.123, 0.912),),  # type: ignore[arg-type]
)
MODEL = ModelInfo(id="stored", code="STOR", title="Pixels as they are", paper="Nobody 2017", points=(POINT,))


@dataclass
class Codec:
    """The calls that were made, and the next header's fields."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    header: dict[str, Any] = field(default_factory=dict)
    during_encode: Callable[[], None] = lambda: None

    def encode(self, image: np.ndarray, *, quality: float, model: str, max_pixels: int, **more: Any) -> bytes:
        self.calls.append({"quality": quality, "model": model, "max_pixels": max_pixels, **more})
        self.during_encode()
        if model == "nonesuch":
            raise UsageError("model is 'nonesuch', and must be one of: stored")
        height, width = image.shape[:2]
        fields = {"model": "STOR", "fingerprint": bytes([1, 2, 3, 4]), **self.header}
        return pack(Container(Header(width, height, **fields), (), (Tile(zlib.compress(image.tobytes()), 0),)))

    def decode(self, data: bytes, *, max_pixels: int, **more: Any) -> Image.Image:
        self.calls.append({"max_pixels": max_pixels, **more})
        header, _, (tile,) = unpack(data)
        if header.width * header.height > max_pixels:
            raise TooLargeError(f"more than {max_pixels} pixels")
        return Image.frombytes("RGB", (header.width, header.height), zlib.decompress(tile.payload))

    def open(self, source: Any) -> Any:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        header = read_header(stream)
        known = header.model == MODEL.code
        point = POINT if known and header.fingerprint.hex() == POINT.fingerprint else None
        return SimpleNamespace(header=header, model=MODEL if known else None, rate_point=point)


@pytest.fixture(autouse=True)
def codec(monkeypatch: pytest.MonkeyPatch) -> Codec:
    fake = Codec()
    for name, value in (("encode", fake.encode), ("decode", fake.decode), ("open", fake.open)):
        monkeypatch.setitem(vars(latens), name, value)
    monkeypatch.setitem(vars(latens), "models", lambda: (MODEL,))
    monkeypatch.setitem(MODELS, MODEL.id, Balle2017)  # which says what effort a codec has that is told none
    monkeypatch.setattr(cli, "_exit_on_termination", lambda: None)
    monkeypatch.delenv("LATENS_DEBUG", raising=False)
    return fake


class Result(NamedTuple):
    status: int
    out: bytes
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Result]:
    """``run("encode", path, stdin=b"...")``: exit code and both streams."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Result(status, out, err.decode())

    return run


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture
def picture(tmp_path: Path, pixels: np.ndarray) -> Path:
    """photo.png, alone in its folder."""
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def file(tmp_path: Path, pixels: np.ndarray, codec: Codec) -> Path:
    """photo.ltn."""
    path = tmp_path / "photo.ltn"
    path.write_bytes(codec.encode(pixels, quality=50, model="stored", max_pixels=99))
    codec.calls.clear()
    return path
