"""``latens info``."""

import json
import subprocess
import sys
from pathlib import Path

from latens.bitstream import Container, Header, Segment, Tile, pack


def written(path: Path, *, segments: tuple[Segment, ...] = (), tiles: int = 1, **fields: object) -> Path:
    header = Header(**{"width": 100, "height": 50, "model": "STOR", "fingerprint": bytes([1, 2, 3, 4]), **fields})
    path.write_bytes(pack(Container(header, segments, (Tile(b"x" * 10, 0),) * tiles)))
    return path


def test_the_header_model_and_weights_are_told(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn")
    status, out, err = run("info", path)
    text = out.decode()
    assert (status, err) == (0, "")
    for fact in (
        "100 x 50, rgb, 8 bit",
        "stored, Pixels as they are (Nobody 2017)",
        "01020304: q3",
        "40 to 60",
    ):
        assert fact in text
    size = path.stat().st_size
    assert f"{size} bytes, {8 * size / 5000:.3f} bpp" in text and f"{size - 10} bytes" in text


def test_json_has_the_same_facts(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn", quality=33.0)
    facts = json.loads(run("info", path, "--json").out)
    assert facts["quality"] == 33 and facts["quality_range"] == [40, 60]
    assert facts["model_id"] == "stored" and facts["fingerprint"] == "01020304"
    assert (facts["rate_point"], facts["tune"]) == ("q3", "psnr")
    assert facts["bytes"] == path.stat().st_size and facts["overhead_bytes"] == facts["bytes"] - 10
    assert facts["tiles"] == 1 and facts["tile"] is None


def test_an_unknown_model_is_no_error(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn", model="WXYZ")
    status, out, _ = run("info", path)
    assert status == 0 and "WXYZ: not known to this version of latens" in out.decode()
    facts = json.loads(run("info", path, "--json").out)
    assert facts["model"] == "WXYZ" and facts["model_id"] is None and facts["quality_range"] is None


def test_unknown_weights_of_a_known_model_are_no_error(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn", fingerprint=bytes(4))
    status, out, _ = run("info", path)
    assert status == 0 and "00000000: not among those shipped" in out.decode()
    facts = json.loads(run("info", path, "--json").out)
    assert facts["rate_point"] is None and facts["tune"] is None


def test_overhead_counts_metadata_and_index(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn", segments=(Segment("iccp", b"profile"),), tiles=2, tile=64)
    facts = json.loads(run("info", path, "--json").out)
    assert facts["tiles"] == 2 and facts["overhead_bytes"] == facts["bytes"] - 20


def test_a_cut_file_still_shows_its_header(run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ltn")
    path.write_bytes(path.read_bytes()[:25])
    status, out, _ = run("info", path)
    assert status == 0 and "100 x 50" in out.decode() and "cut or damaged" in out.decode()


def test_a_header_of_countless_tiles_costs_no_time(run, tmp_path: Path) -> None:
    path = tmp_path / "a.ltn"
    from latens.bitstream.header import pack_header

    path.write_bytes(pack_header(Header(1 << 20, 1 << 20, "STOR", bytes(4), tile=64), False))
    assert json.loads(run("info", path, "--json").out)["overhead_bytes"] is None


def test_stdin_is_read(run, file: Path) -> None:
    status, out, _ = run("info", "-", "--json", stdin=file.read_bytes())
    assert status == 0 and json.loads(out)["bytes"] == file.stat().st_size


def test_foreign_and_missing_files_fail(run, picture: Path) -> None:
    assert run("info", picture).status == 1
    status, _, err = run("info", picture.with_name("missing"))
    assert status == 1 and "No such file" in err


def test_the_command_line_imports_nothing_heavy() -> None:
    code = (
        "import sys, latens.cli\n"
        "heavy = {'numpy', 'PIL', 'onnxruntime', 'constriction', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, latens; assert not {'typer', 'rich', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_header_is_read_without_numpy() -> None:
    file = next((Path(__file__).parents[1] / "golden").glob("shipped-latens-*.ltn"))
    code = f"import sys; from latens.cli import main; print(main(['info', {str(file)!r}]), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("\n0 False\n")
