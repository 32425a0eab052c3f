"""Results in gzip and zstd, by the suffix behind that of a text format; gzip and zstd themselves read them."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fluxcap
from capture_files import pcap, records
from command_line import COMMAND, PATIENCE, environment, error_lines, wait_until_read
from command_line import fluxcap as command
from six_packets import CAPTURE

FORMATS = ["csv", "tsv", "json", "ndjson"]
UNPACK = {"gz": ["gzip", "-dc"], "zst": ["zstd", "-dcq"]}


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.pcap"
    path.write_bytes(CAPTURE)
    return path


def unpacked(path: Path) -> bytes:
    unpack = UNPACK[path.suffix.removeprefix(".")]
    if shutil.which(unpack[0]) is None:
        pytest.skip(f"{unpack[0]} is not installed")
    return subprocess.run([*unpack, str(path)], capture_output=True, check=True).stdout


@pytest.mark.parametrize("suffix", UNPACK)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["flows", "packets", "info", "check"])
def test_the_suffix_behind_a_text_format_compresses(name, format, suffix, capture, tmp_path):
    plain, packed = tmp_path / f"x.{format}", tmp_path / f"x.{format}.{suffix}"
    for path in (plain, packed):
        assert command(name, capture, "-o", path).returncode in (0, 1)
    assert unpacked(packed) == plain.read_bytes()


@pytest.mark.parametrize("suffix", UNPACK)
def test_a_format_that_is_named_is_compressed_as_well(suffix, capture, tmp_path):
    path = tmp_path / f"flows.{suffix}"
    assert command("flows", capture, "-f", "csv", "-o", path).returncode == 0
    assert unpacked(path).decode() == command("flows", capture, "-f", "csv").stdout


@pytest.mark.parametrize("suffix", UNPACK)
def test_a_table_in_python_writes_the_same_file(suffix, capture, tmp_path):
    ours, theirs = tmp_path / f"a.csv.{suffix}", tmp_path / f"b.csv.{suffix}"
    fluxcap.read_flows(capture).write(ours)
    command("flows", capture, "-o", theirs)
    assert unpacked(ours) == unpacked(theirs)


@pytest.mark.parametrize("name", ["x.parquet.gz", "x.npz.zst", "x.gz", "x.docx.gz"])
def test_a_format_with_compression_of_its_own_and_no_format_are_refused(name, capture, tmp_path):
    done = command("flows", capture, "-o", tmp_path / name)
    assert done.returncode == 2
    assert "suffix names no format" in error_lines(done.stderr)[0]
    with pytest.raises(ValueError, match="suffix names no format"):
        fluxcap.read_flows(capture).write(tmp_path / name)


def test_what_compresses_is_named_where_it_is_missing(capture, tmp_path, monkeypatch):
    for module in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=r"run `pip install 'fluxcap\[zstd\]'`"):
        fluxcap.read_flows(capture).write(tmp_path / "x.csv.zst")
    assert not (tmp_path / "x.csv.zst").exists()


def test_gzip_of_the_standard_library_serves_where_isal_is_missing(capture, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "isal.igzip", None)
    fluxcap.read_flows(capture).write(tmp_path / "x.csv.gz")
    assert (
        gzip.decompress((tmp_path / "x.csv.gz").read_bytes()).decode() == command("flows", capture, "-f", "csv").stdout
    )


@pytest.mark.parametrize("suffix", UNPACK)
def test_a_terminated_run_leaves_no_compressed_file_and_no_word(suffix, tmp_path):
    with subprocess.Popen(
        [*COMMAND, "packets", "-", "-o", str(tmp_path / f"x.csv.{suffix}")],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        process.stdin.write(pcap(records([bytes(60)] * 20_000)))
        process.stdin.flush()
        wait_until_read(process.stdin.fileno())
        process.send_signal(signal.SIGTERM)
        assert (process.wait(PATIENCE), process.stderr.read()) == (143, b"")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def several(tmp_path: Path) -> list[Path]:
    """Compressed captures, the third of them cut short."""
    paths = [tmp_path / f"{number}.pcap" for number in range(4)]
    for path in paths:
        path.write_bytes(gzip.compress(CAPTURE))
    paths[2].write_bytes(gzip.compress(CAPTURE)[:-10])
    return paths


def test_files_decompressed_ahead_give_what_they_give_one_after_the_other(several):
    in_turn = command("flows", *several, "--ahead", "0")
    assert in_turn.returncode == 3
    for ahead in ([], ["--ahead", "1"], ["--ahead", "9"]):
        run = command("flows", *several, *ahead)
        assert (run.returncode, run.stdout, run.stderr) == (3, in_turn.stdout, in_turn.stderr)


def test_ctrl_c_while_files_wait_ahead_ends_the_run_with_what_was_read(several, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    inputs = [several[0], fifo, several[1], several[3]]
    run = subprocess.Popen(
        [*COMMAND, "flows", *inputs, "--ahead", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    with fifo.open("wb"):  # waits until it is the turn of the fifo
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert out.decode() == command("flows", several[0]).stdout
