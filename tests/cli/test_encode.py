"""``latens encode``."""

import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latens
from latens.cli import options
from latens.errors import LatensError, UsageError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_file_lies_beside_the_picture_and_the_report_on_stderr(run, picture: Path, pixels, codec) -> None:
    status, out, err = run("encode", picture)
    assert (status, out) == (0, b"")
    data = picture.with_suffix(".ltn").read_bytes()
    assert np.array_equal(np.asarray(latens.decode(data, max_pixels=99)), pixels)
    assert names(picture.parent) == {"photo.png", "photo.ltn"}
    assert codec.calls[0] == {"quality": 50, "model": "latens", "max_pixels": 2**28}
    assert "8 x 6" in err and f"{len(data)} bytes" in err and f"{8 * len(data) / 48:.3f} bpp" in err
    assert f"1:{144 / len(data):.1f} to raw" in err
    assert len(err.splitlines()) == 1


def test_options_reach_the_codec(run, picture: Path, codec) -> None:
    assert run("encode", picture, "-q", "12.5", "--model", "stored", "--max-pixels", "48").status == 0
    assert codec.calls == [{"quality": 12.5, "model": "stored", "max_pixels": 48}]
    assert run("encode", picture, "--runtime", "openvino", "--threads", "2", "-f").status == 0
    assert (codec.calls[1]["runtime"], codec.calls[1]["threads"]) == ("openvino", 2)


def test_effort_reaches_the_codec_and_is_refused_out_of_range(run, picture: Path, codec) -> None:
    assert run("encode", picture, "-e", "9").status == 0
    assert run("encode", picture, "--effort", "0", "-f").status == 0
    assert [call["effort"] for call in codec.calls] == [9, 0]
    status, _, err = run("encode", picture, "-e", "10", "-f")
    assert (status, len(codec.calls)) == (2, 2) and "effort is 10, and must be from 0 to 9" in err


def test_a_negative_number_of_threads_is_refused_before_any_work(run, picture: Path, codec) -> None:
    status, _, err = run("encode", picture, "--threads", "-1")
    assert (status, codec.calls) == (2, []) and "threads is -1, and must be at least 0" in err


def test_quiet_says_nothing(run, picture: Path) -> None:
    assert run("encode", picture, "--quiet") == (0, b"", "")


def test_json_is_one_object_on_stdout(run, picture: Path) -> None:
    status, out, err = run("encode", picture, "--json", "-q", "7")
    facts = json.loads(out)
    size = picture.with_suffix(".ltn").stat().st_size
    assert (status, err) == (0, "")
    assert facts["bytes"] == size and facts["input_bytes"] == picture.stat().st_size
    assert (facts["width"], facts["height"], facts["asked_quality"]) == (8, 6, 7)
    assert facts["bpp"] == 8 * size / 48 and facts["ratio_raw"] == 144 / size
    assert facts["fingerprint"] == "01020304" and facts["dropped"] == []


def test_json_tells_what_the_file_has_from_what_was_asked(
    run, picture: Path, codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: str) -> tuple:
        facts = json.loads(run("encode", picture, "-f", "--json", *arguments).out)
        return tuple(facts[key] for key in ("rate_point", "tune", "quality", "asked_quality", "target", "effort"))

    def encode_to(pixels: np.ndarray, *, bpp: float, closest: bool, **chosen) -> bytes:
        return latens.encode(pixels, quality=33, **chosen)

    assert told() == ("q3", "psnr", None, 50, None, None)
    codec.header = {"quality": 33.0}
    assert told("-q", "30", "-e", "4") == ("q3", "psnr", 33, 30, None, 4)
    codec.header = {"quality": 33.0, "fingerprint": bytes(4)}
    assert told("--tune", "psnr")[:3] == (None, "psnr", 33)
    monkeypatch.setitem(vars(latens), "encode_to", encode_to)
    assert told("--target-bpp", "2.5")[2:] == (33, None, {"bpp": 2.5}, None)


def test_an_effort_without_effect_is_noted(run, picture: Path, codec) -> None:
    codec.header = {"fingerprint": bytes(4)}
    noted = "note: effort 9 changes nothing: weights tuned for MS-SSIM are rounded at any effort\n"
    for arguments, said in (
        (["--tune", "ms-ssim", "-e", "9"], noted),
        (["--tune", "ms-ssim", "-e", "0"], ""),
        (["--tune", "ms-ssim"], ""),
        (["-e", "9"], ""),
    ):
        assert run("encode", picture, "-f", "--quiet", *arguments) == (0, b"", said)
    result = run("encode", picture, "-o", "-", "--json", "--tune", "ms-ssim", "-e", "9")
    assert json.loads(result.err)["effort"] == 9


def test_a_folder_gets_the_file_under_the_picture_s_name(run, picture: Path, codec) -> None:
    folder = picture.parent / "coded"
    folder.mkdir()
    assert run("encode", picture, "-o", folder).status == 0
    target = folder / "photo.ltn"
    before, calls = target.read_bytes(), len(codec.calls)
    status, _, err = run("encode", picture, "-o", f"{folder}/")
    assert (status, err) == (1, f"latens: error: {target} exists: -f overwrites it\n")
    assert target.read_bytes() == before and len(codec.calls) == calls
    assert run("encode", picture, "-o", folder, "-f").status == 0
    assert names(folder) == {"photo.ltn"} and names(picture.parent) == {"photo.png", "coded"}


def test_a_folder_that_cannot_name_the_file_is_refused(run, picture: Path, codec) -> None:
    status, _, err = run("encode", "-", "-o", picture.parent, stdin=picture.read_bytes())
    assert status == 1 and "it is a folder, and standard input has no name" in err
    status, _, err = run("encode", picture, "-o", f"{picture.parent}/missing/")
    assert status == 1 and "there is no such folder" in err
    assert codec.calls == [] and names(picture.parent) == {"photo.png"}


def test_stdin_to_stdout_is_data_only(run, picture: Path, pixels) -> None:
    for arguments in (["-"], ["-", "-o", "-"]):
        status, out, err = run("encode", *arguments, stdin=picture.read_bytes())
        assert status == 0 and "standard input" in err
        assert np.array_equal(np.asarray(latens.decode(out, max_pixels=99)), pixels)


def test_json_goes_to_stderr_when_the_data_go_to_stdout(run, picture: Path) -> None:
    image = Image.open(picture)
    image.save(picture, icc_profile=b"profile")
    status, out, err = run("encode", picture, "-o", "-", "--json")
    assert status == 0 and out.startswith(b"\x8aLTN")
    assert json.loads(err)["dropped"] == ["ICC profile"]


def test_an_existing_file_is_kept_without_force(run, picture: Path, codec) -> None:
    target = picture.with_suffix(".ltn")
    target.write_bytes(b"precious")
    status, _, err = run("encode", picture)
    assert status == 1 and err == f"latens: error: {target} exists: -f overwrites it\n"
    assert target.read_bytes() == b"precious" and codec.calls == []
    assert run("encode", picture, "-f").status == 0
    assert target.read_bytes() != b"precious"


def test_the_picture_is_never_overwritten_by_its_own_file(run, picture: Path) -> None:
    before = picture.read_bytes()
    for target in (picture, os.path.join(picture.parent, ".", "photo.png")):
        status, _, err = run("encode", picture, "-o", target, "-f")
        assert status == 2 and "is the input itself" in err
    assert picture.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="making links takes a privilege on Windows")
def test_the_picture_is_not_overwritten_through_a_link_either(run, picture: Path) -> None:
    before = picture.read_bytes()
    link = picture.with_name("link.png")
    link.symlink_to(picture)
    status, _, err = run("encode", picture, "-o", link, "-f")
    assert status == 2 and "is the input itself" in err
    assert link.is_symlink() and picture.read_bytes() == before


@pytest.mark.parametrize("quality", ["-1", "101", "nan", "inf", "high"])
def test_an_impossible_quality_is_a_usage_error(run, picture: Path, quality: str) -> None:
    status, _, err = run("encode", picture, "-q", quality)
    assert status == 2 and "quality" in err and err.startswith("latens: error: ")
    if quality != "high":
        assert f"quality is {quality}, and must be from 0 to 100" in err
    assert names(picture.parent) == {"photo.png"}


def test_an_unknown_model_is_a_usage_error(run, picture: Path) -> None:
    status, _, err = run("encode", picture, "--model", "nonesuch")
    assert status == 2 and "nonesuch" in err and "stored" in err


def test_too_many_pixels_are_refused(run, picture: Path, codec) -> None:
    status, _, err = run("encode", picture, "--max-pixels", "47")
    assert status == 1 and "8 x 6 = 48" in err and "47" in err and codec.calls == []
    assert run("encode", picture, "--max-pixels", "0").status == 2


def test_what_cannot_be_stored_is_noted_even_when_quiet(run, picture: Path) -> None:
    image = Image.open(picture)
    exif = image.getexif()
    exif[0x010E] = "a description"
    image.save(picture, exif=exif, icc_profile=b"profile")
    status, _, err = run("encode", picture, "--quiet")
    assert (status, err) == (0, f"note: EXIF and ICC profile of {picture} are not stored yet\n")


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16", "CMYK", "1"])
def test_other_modes_are_refused_and_leave_nothing(run, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.tif"
    Image.new(mode, (3, 2)).save(path)
    status, _, err = run("encode", path)
    assert status == 1 and f"mode {mode}" in err and "8-bit RGB" in err
    assert names(tmp_path) == {"photo.tif"}


def test_unreadable_pictures_are_one_line(run, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    for name, reason in (("text.png", "no picture"), ("missing.png", "No such file"), (".", "directory")):
        status, out, err = run("encode", tmp_path / name, "-o", tmp_path / "out.ltn")
        assert (status, out) == (1, b"") and reason in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out.ltn").exists()
    status, _, err = run("encode", ".")
    assert status == 1 and "it is a folder" in err


def test_json_on_stderr_is_alone_there_though_metadata_are_damaged(run, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    path = tmp_path / "a.jpg"
    Image.new("RGB", (3, 2)).save(path, exif=exif.tobytes()[:-12])
    with pytest.warns(UserWarning, match="EXIF|Truncated|larger"):  # Pillow's
        Image.open(path).getexif()
    result = run("encode", path, "-o", "-", "--json")
    assert result.status == 0 and json.loads(result.err)["dropped"] == ["EXIF"]


def test_one_pixel_goes_through(run, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), (1, 2, 3)).save(buffer, "PNG")
    status, out, _ = run("encode", "-", stdin=buffer.getvalue())
    assert status == 0 and latens.decode(out, max_pixels=1).getpixel((0, 0)) == (1, 2, 3)


def test_a_failing_codec_leaves_nothing(run, picture: Path, codec) -> None:
    def fail() -> None:
        raise LatensError("it went\nwrong")

    codec.during_encode = fail
    assert run("encode", picture) == (1, b"", "latens: error: it went wrong\n")
    assert names(picture.parent) == {"photo.png"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("80KB", 80_000), ("1.5 MB", 1_500_000), ("80KiB", 81_920), ("80k", 80_000), ("512", 512), ("512B", 512)],
)
def test_sizes_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert options.bytes_of(text) == expected


@pytest.mark.parametrize("text", ["", "KB", "-3KB", "80 apples", "1e5"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be a number of bytes"):
        options.bytes_of(text)


def test_a_file_has_one_quality_or_one_target(run, picture: Path) -> None:
    status, _, err = run("encode", str(picture), "-q", "30", "--target-bpp", "0.5")
    assert status == 2 and "quality and bpp are given" in err
    status, _, err = run("encode", str(picture), "--target-size", "1KB", "--target-psnr", "30")
    assert status == 2 and "size and psnr are given" in err


def test_a_target_reaches_the_library(run, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def encode_to(pixels, **chosen):
        seen.update(chosen)
        return latens.encode(pixels, quality=77, model="stored", max_pixels=2**28)

    monkeypatch.setitem(vars(latens), "encode_to", encode_to)
    assert run("encode", str(picture), "--target-size", "80KB", "--closest").status == 0
    assert (seen["size"], seen["closest"]) == (80_000, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_once_and_whole(run, picture: Path, tmp_path: Path, pixels) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out.ltn"
    os.mkfifo(pipe)
    for command in (["encode", pipe, "-o", out, "--json"], ["info", pipe, "--json"]):
        data = picture.read_bytes() if command[0] == "encode" else out.read_bytes()
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        status, said, err = run(*command)
        writer.join()
        assert status == 0, err
        assert json.loads(said)["input_bytes" if command[0] == "encode" else "bytes"] == len(data)
    assert np.array_equal(np.asarray(latens.decode(out.read_bytes(), max_pixels=99)), pixels)


def test_notes_are_among_the_facts(run, picture: Path) -> None:
    assert json.loads(run("encode", picture, "--json").out)["notes"] == []
    exif = Image.Exif()
    exif[0x010E] = "a caption"
    Image.open(picture).save(picture, exif=exif)
    status, data, err = run("encode", picture, "-o", "-", "--json")
    assert status == 0 and data
    (note,) = json.loads(err)["notes"]
    assert "EXIF" in note
