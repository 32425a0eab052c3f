"""`fluxcap demux`: its directory, its messages, its exit codes."""

import os
import signal
import subprocess
import sys

import pytest

import builders as b
from capture_files import pcap, records
from cli_captures import BAD, CUT, GOOD
from command_line import COMMAND, environment, error_lines, fluxcap, terminal, wait_until_read
from delivered_directory import read
from real_captures import SAMPLES

CAPTURE = SAMPLES / "sockets.pcapng"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_it_fills_a_directory_and_says_in_a_line_what_there_was(out):
    done = fluxcap("demux", CAPTURE, "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "hint: 28 messages to 9 sockets, 12 TCP streams, 62.5 KiB, 1 packet not delivered for checksum or length\n"
    )
    delivery = read(out)
    assert (len(delivery.messages), len(delivery.sockets), len(delivery.streams)) == (28, 9, 12)


def test_options_are_those_of_the_function(out, tmp_path):
    capture = tmp_path / "bad.pcap"
    capture.write_bytes(BAD)
    fluxcap("demux", capture, "-o", out, "--quiet")
    fluxcap("demux", capture, "-o", tmp_path / "kept", "--keep-bad", "--where", "dst port 53")
    assert len(read(out).messages) == 7
    assert {one["verdict"] for one in read(tmp_path / "kept").messages} == {"good", "partial", "bad"}


def test_it_reads_standard_input(out):
    assert fluxcap("demux", "-", "-o", out, stdin=GOOD).returncode == 0
    assert len(read(out).messages) == 7


def test_without_a_directory_it_says_what_to_name():
    done = fluxcap("demux", CAPTURE)
    assert done.returncode == 2
    assert "-o DIR" in error_lines(done.stderr)[1]


def test_a_directory_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    done = fluxcap("demux", CAPTURE, "-o", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path} is not an empty directory" in error_lines(done.stderr)[0]


@pytest.mark.parametrize("place", ["/proc/nowhere", "missing/out"])
def test_a_directory_that_cannot_be_made_is_exit_code_5(place, tmp_path):
    done = fluxcap("demux", CAPTURE, "-o", tmp_path / place)
    assert done.returncode == 5
    assert place in error_lines(done.stderr)[0]


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    done = fluxcap("demux", CAPTURE, "-o", tmp_path / "file")
    assert done.returncode == 2
    error_lines(done.stderr)


def test_a_full_disk_is_exit_code_5_and_names_the_file(tmp_path):
    script = 'ulimit -f 1; exec "$@"'
    command = ["bash", "-c", script, "bash", *COMMAND, "demux", CAPTURE, "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), preexec_fn=_ignore_full)
    assert done.returncode == 5
    assert ".bin" in error_lines(done.stderr)[0]


def _ignore_full():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_cut_capture_is_delivered_as_far_as_it_goes_with_exit_code_3(out, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(CUT)
    done = fluxcap("demux", cut, "-o", out, "--quiet")
    error_lines(done.stderr)
    assert done.returncode == 3
    assert len(read(out).messages) == 6


def test_strict_refuses_it_with_exit_code_2_and_keeps_what_was_delivered(out, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(CUT)
    assert fluxcap("demux", cut, "-o", out, "--strict").returncode == 2
    assert len(read(out).messages) == 6


def test_what_is_no_capture_leaves_no_directory(out, tmp_path):
    (tmp_path / "text").write_text("no capture")
    done = fluxcap("demux", tmp_path / "text", "-o", out)
    assert done.returncode == 2
    error_lines(done.stderr)
    assert not out.exists()


def test_interrupted_it_writes_the_index_of_what_was_delivered(out):
    frames = [b.ethernet(b.ipv4(b.udp(bytes(1000), 1, 2))) for _ in range(200)]
    with subprocess.Popen(
        [*COMMAND, "demux", "-", "-o", out], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        os.write(process.stdin.fileno(), pcap(records(frames))[:60_000])
        wait_until_read(process.stdin.fileno())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    delivery = read(out)
    assert len(delivery.messages) == 56
    assert delivery.capture["interrupted"]


def test_a_capture_that_changes_while_it_is_split_is_exit_code_2_and_no_bug(good, out, tmp_path):
    script = f"""
import sys
from pathlib import Path
from fluxcap.cli.main import main
from fluxcap.rewrite.split import Octets
opened = Octets.open
def replaced(self, item):
    Path({str(tmp_path / "other")!r}).replace(item.name)
    Octets.open = opened
    opened(self, item)
Octets.open = replaced
sys.exit(main(["demux", "--as", "pcap", *sys.argv[1:]]))
"""
    (tmp_path / "other").write_bytes(BAD)
    done = subprocess.run(
        [sys.executable, "-c", script, good, "-o", out], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 2
    assert "the inputs have changed since they were read" in error_lines(done.stderr)[0]
    assert not (out / "index.ndjson").exists()


def test_on_a_terminal_it_fits_80_columns_of_help():
    assert max(map(len, terminal("demux", "--help").lines)) <= 80
