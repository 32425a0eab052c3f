"""`fluxcap flows --extract`: the records of flows, by their numbers, as a capture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capture_pieces import picked
from command_line import error_lines, fluxcap, rows, shell, terminal
from real_captures import SAMPLES

CAPTURE = SAMPLES / "fragments-out-of-order.pcap"
OF_FLOW = [{1, 2, 3}, {4, 5, 6}, {7, 8}]  # packet numbers of each flow, from samples/README.md


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.pcap"


def test_the_records_of_the_named_flows_are_written_and_nothing_is_printed(out):
    done = fluxcap("flows", CAPTURE, "--extract", "2,0", "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_bytes() == picked(CAPTURE.read_bytes(), OF_FLOW[0] | OF_FLOW[2])


def test_on_standard_output_the_capture_goes_down_a_pipe():
    done = shell('set -o pipefail; fluxcap flows "$1" --extract 1 -o - | fluxcap packets - --columns packet', CAPTURE)
    assert (done.returncode, done.stdout) == (0, "packet\n1\n2\n3\n")


def test_the_numbers_are_a_column_of_any_order_when_they_are_asked_for():
    args = "flows", SAMPLES / "veth-checksums-computed.pcap"
    by_number = [row["src_port"] for row in rows(fluxcap(*args).stdout)]
    sorted_rows = rows(fluxcap(*args, "--columns", "packets,flow,src_port", "--sort", "bytes").stdout)
    assert sorted({int(row["flow"]) for row in sorted_rows}) == list(range(len(by_number)))
    assert [row["flow"] for row in sorted_rows] != sorted(row["flow"] for row in sorted_rows)
    assert all(by_number[int(row["flow"])] == row["src_port"] for row in sorted_rows)
    assert "flow" not in rows(fluxcap(*args).stdout)[0]
    last = rows(fluxcap(*args, "--columns", "flow", "--sort", "flow", "-n", "1").stdout)
    assert last == [{"flow": str(len(by_number) - 1)}]


@pytest.mark.parametrize(("columns", "shown"), [(80, False), (140, True)])
def test_the_numbers_stand_first_on_a_terminal_that_has_room_for_them(columns, shown):
    lines = terminal("flows", SAMPLES / "sockets.pcapng", columns=columns).lines
    titles = next(line for line in lines if "source" in line)
    assert titles.strip("│ ").startswith("flow " if shown else "proto")
    assert any(line.split()[1:3] == ["4", "TCP"] for line in lines) == shown


def test_options_that_make_other_flows_number_them_otherwise(out):
    for by, numbers in (("hosts", OF_FLOW[0] | OF_FLOW[2]), ("5tuple", OF_FLOW[0])):
        assert fluxcap("flows", CAPTURE, "--by", by, "--extract", "0", "-o", out).returncode == 0
        assert out.read_bytes() == picked(CAPTURE.read_bytes(), numbers)


def test_of_a_damaged_input_what_was_read_is_written_and_the_damage_told_once(out, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(CAPTURE.read_bytes()[:-1])
    done = fluxcap("flows", cut, "--extract", "2", "-o", out)
    error_lines(done.stderr)
    assert done.returncode == 3
    assert out.read_bytes() == picked(CAPTURE.read_bytes(), {7})


def test_at_max_flows_what_was_read_is_written_with_exit_code_4(out):
    done = fluxcap("flows", CAPTURE, "--max-flows", "2", "--extract", "1", "-o", out)
    assert (done.returncode, done.stderr.count("stopped at max_flows")) == (4, 1)
    assert out.read_bytes() == picked(CAPTURE.read_bytes(), OF_FLOW[1])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "needs -o"),
        (("-o", "x.pcap", "-n", "3"), "-n"),
        (("-o", "x.pcap", "--sort", "bytes"), "--sort"),
        (("-o", "x.pcap", "-f", "csv"), "-f"),
        (("-o", "x.pcap", "--columns", "flow"), "--columns"),
        (("-o", "x.pcap", "--extract", "0,3"), "--extract 3: there are 3 flows"),
        (("-o", "x.pcap", "--extract", "one"), "'one' is not a whole number"),
        (("-o", "x.pcap", "--extract", "-1"), "--extract"),
        (("-o", "x.pcap", "--extract", "0,"), "'' is not a whole number"),
        (("-o", "x.pcap", str(SAMPLES / "verdicts.pcapng.gz")), "verdicts.pcapng.gz"),
        (("-o", str(CAPTURE)), "overwrite"),
    ],
)
def test_mistakes_are_told_in_one_line_with_exit_code_2(arguments, word, tmp_path):
    before = CAPTURE.read_bytes()
    done = fluxcap("flows", CAPTURE, "--extract", "0", *arguments, cwd=tmp_path)
    assert word in error_lines(done.stderr)[0]
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert CAPTURE.read_bytes() == before


def test_inputs_that_fit_into_no_one_file_are_told(tmp_path):
    done = fluxcap("flows", CAPTURE, SAMPLES / "sockets.pcapng", "--extract", "0,5", "-o", tmp_path / "x")
    assert "do not fit into one file" in error_lines(done.stderr)[0]
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


def test_standard_input_is_refused_before_it_is_read(out):
    done = fluxcap("flows", "-", "--extract", "0", "-o", out, stdin=b"")
    assert "only once" in error_lines(done.stderr)[0]
    assert done.returncode == 2


def test_a_terminal_gets_no_capture():
    screen = terminal("flows", CAPTURE, "--extract", "0", "-o", "-")
    assert (screen.code, "not for terminals" in screen.text) == (2, True)


def test_what_cannot_be_written_is_exit_code_5(tmp_path):
    done = fluxcap("flows", CAPTURE, "--extract", "0", "-o", "no-such-directory/x.pcap", cwd=tmp_path)
    assert "no-such-directory/x.pcap" in error_lines(done.stderr)[0]
    assert (done.returncode, list(tmp_path.iterdir())) == (5, [])
    full = shell('fluxcap flows "$1" --extract 0 -o - > /dev/full', CAPTURE)
    assert "No space left on device" in error_lines(full.stderr)[0]
    assert full.returncode == 5


THREADS = """
import os
from fluxcap.cli.main import entry
try:
    entry()
finally:
    import sys
    print("numpy" in sys.modules, len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are not listed here")
def test_numpy_starts_no_threads_of_its_own(out):
    command = [sys.executable, "-c", THREADS, "flows", CAPTURE, "--threads", "1", "--extract", "0", "-o", out]
    others = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(command, env=others, capture_output=True, text=True, check=True)
    assert done.stdout == "True 2\n"  # the main thread, and the one that looks for signals
