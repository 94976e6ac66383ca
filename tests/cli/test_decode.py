"""``latens decode``."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens.image import MetadataWarning


def test_the_picture_lies_beside_the_file_as_png(run, file: Path, pixels) -> None:
    status, out, err = run("decode", file)
    assert (status, out) == (0, b"")
    image = Image.open(file.with_suffix(".png"))
    assert image.format == "PNG" and np.array_equal(np.asarray(image), pixels)
    assert "8 x 6" in err and f"{file.stat().st_size} bytes" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "PNG"),
        ("a.JPG", "JPEG"),
        ("a.webp", "WEBP"),
        ("a.tiff", "TIFF"),
        ("a.bmp", "BMP"),
        ("a.ppm", "PPM"),
    ],
)
def test_the_extension_chooses_the_format(run, file: Path, pixels, name: str, kind: str) -> None:
    target = file.with_name(name)
    assert run("decode", file, "-o", target).status == 0
    image = Image.open(target)
    assert image.format == kind
    assert kind == "JPEG" or np.array_equal(np.asarray(image), pixels)


def test_format_overrules_the_extension_and_names_the_default(run, file: Path) -> None:
    assert run("decode", file, "-o", file.with_name("a.dat"), "--format", "webp").status == 0
    assert Image.open(file.with_name("a.dat")).format == "WEBP"
    assert run("decode", file, "--format", ".bmp").status == 0
    assert Image.open(file.with_suffix(".bmp")).format == "BMP"


@pytest.mark.parametrize(
    "arguments", [["-o", "out.gif"], ["-o", "out"], ["--format", "heic"], ["--format", "a/b"], ["--format", "."]],
)
def test_an_unknown_format_is_a_usage_error_before_any_work(run, file: Path, codec, arguments: list[str]) -> None:
    status, _, err = run("decode", file, *arguments)
    assert status == 2 and "png, jpg, jpeg, webp" in err and codec.calls == []
    assert [path.name for path in file.parent.iterdir()] == ["photo.ltn"]


def test_stdin_to_stdout_is_png_by_default(run, file: Path, pixels) -> None:
    data = file.read_bytes()
    status, out, _ = run("decode", "-", stdin=data)
    image = Image.open(io.BytesIO(out))
    assert status == 0 and image.format == "PNG" and np.array_equal(np.asarray(image), pixels)
    out = run("decode", "-", "-o", "-", "--format", "ppm", stdin=data).out
    assert Image.open(io.BytesIO(out)).format == "PPM"


def test_json_tells_sizes_and_model(run, file: Path) -> None:
    status, out, err = run("decode", file, "--json")
    facts = json.loads(out)
    assert (status, err) == (0, "")
    assert facts["input_bytes"] == file.stat().st_size
    assert facts["bytes"] == file.with_suffix(".png").stat().st_size
    assert (facts["width"], facts["height"], facts["format"], facts["model"]) == (8, 6, "png", "STOR")
    assert json.loads(run("decode", file, "-o", "-", "--json").err)["output"] == "-"


def test_limits_and_weights_reach_the_codec(run, file: Path, codec) -> None:
    assert run("decode", file, "--max-pixels", "48", "--weights", "run/model.ltm").status == 0
    assert codec.calls == [{"max_pixels": 48, "weights": "run/model.ltm"}]
    assert run("decode", file, "--runtime", "torch", "--threads", "0", "-f").status == 0
    assert codec.calls[1] == {"max_pixels": 2**28, "runtime": "torch", "threads": 0}
    status, _, err = run("decode", file, "-f", "--max-pixels", "47")
    assert status == 1 and "47" in err


def test_existing_pictures_and_the_file_itself_are_kept(run, file: Path, pixels) -> None:
    target = file.with_suffix(".png")
    target.write_bytes(b"precious")
    assert run("decode", file).status == 1
    assert target.read_bytes() == b"precious"
    assert run("decode", file, "-f").status == 0
    assert np.array_equal(np.asarray(Image.open(target)), pixels)
    status, _, err = run("decode", file, "-o", file, "--format", "png", "-f")
    assert status == 2 and "is the input itself" in err
    assert file.read_bytes().startswith(b"\x8aLTN")


def test_damaged_missing_and_foreign_files_are_one_line(run, file: Path) -> None:
    data = file.read_bytes()
    for name, damaged in (
        ("cut", data[:-1]),
        ("flipped", data[:-1] + b"\xff"),
        ("other", b"hello"),
        ("empty", b""),
    ):
        path = file.with_name(f"{name}.ltn")
        path.write_bytes(damaged)
        status, out, err = run("decode", path)
        assert (status, out) == (1, b"") and err.startswith("latens: error: ") and len(err.splitlines()) == 1
        assert not path.with_suffix(".png").exists()
    status, _, err = run("decode", "/")
    assert status == 1 and "it is a folder" in err
    status, _, err = run("decode", file.with_name("missing.ltn"))
    assert status == 1 and "No such file" in err


def test_a_picture_too_wide_for_its_format_is_an_output_error(run, tmp_path: Path, codec) -> None:
    path = tmp_path / "wide.ltn"
    path.write_bytes(codec.encode(np.zeros((1, 16384, 3), np.uint8), quality=1, model="", max_pixels=1))
    status, _, err = run("decode", path, "-o", tmp_path / "wide.webp")
    assert status == 1 and "WEBP cannot hold" in err
    assert [path.name for path in tmp_path.iterdir()] == ["wide.ltn"]


def test_metadata_left_behind_are_a_note_and_in_the_json(run, file: Path, monkeypatch) -> None:
    whole = latens.decode

    def warning(data: bytes, **options: object) -> Image.Image:
        warnings.warn("EXIF of the file is left behind", MetadataWarning, stacklevel=2)
        return whole(data, **options)

    monkeypatch.setattr(latens, "decode", warning)
    status, out, err = run("decode", file, "--json")
    assert status == 0 and err == "note: EXIF of the file is left behind\n"
    assert json.loads(out)["notes"] == ["EXIF of the file is left behind"]
    status, _, err = run("decode", file, "-o", "-", "--json")
    assert status == 0 and json.loads(err)["notes"] == ["EXIF of the file is left behind"]


def test_in_a_folder_the_picture_has_the_name_of_the_file(run, file: Path) -> None:
    folder = file.parent / "pictures"
    assert run("decode", file, "-o", folder, "--format", "webp").status == 0 and folder.is_file()
    folder.unlink()
    folder.mkdir()
    assert run("decode", file, "-o", folder, "--format", "webp").status == 0
    assert Image.open(folder / "photo.webp").format == "WEBP"
    assert run("decode", file, "-o", folder).status == 0 and Image.open(folder / "photo.png").format == "PNG"
    assert run("decode", file, "-o", folder).status == 1, "it is there"


def test_a_dash_is_standard_output_though_a_folder_has_that_name(run, file: Path, monkeypatch) -> None:
    monkeypatch.chdir(file.parent)
    (file.parent / "-").mkdir()
    status, out, _ = run("decode", file, "-o", "-")
    assert status == 0 and Image.open(io.BytesIO(out)).format == "PNG"
