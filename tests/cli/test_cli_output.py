"""The output of the command line: files, full disks, pipes whose reader leaves, and signals."""

import bz2
import gzip
import json
import lzma
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import builders as b
from capture_files import Record, pcap, records
from cli_captures import GOOD, PACKETS, A
from command_line import COMMAND, PATIENCE, environment, error_lines, fluxcap, shell, wait_until_read

# Where the output goes


@pytest.mark.parametrize("suffix", ["tsv", "csv", "json", "ndjson", "txt"])
def test_the_suffix_of_the_output_decides_the_format(good, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    done = fluxcap("flows", good, "-o", path)
    assert (done.returncode, done.stdout) == (0, "")
    name = {"txt": "table"}.get(suffix, suffix)
    assert path.read_text() == fluxcap("flows", good, "-f", name).stdout


def test_a_format_that_is_named_beats_the_suffix(good, tmp_path):
    fluxcap("flows", good, "-o", tmp_path / "x.csv", "-f", "ndjson")
    assert json.loads((tmp_path / "x.csv").read_text().splitlines()[0])["src_ip"] == A


def test_packets_are_written_in_memory_that_does_not_grow_with_them(tmp_path):
    path = tmp_path / "empty-records.pcap"
    program = (
        "import sys\n"
        "from fluxcap.cli.main import main\n"
        "main(['packets', '-f', 'tsv', sys.argv[1]])\n"
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
    )
    peaks = []
    for packets in (50_000, 1_000_000):
        path.write_bytes(pcap([Record(b"", 1000)] * packets))
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=True)
        assert done.stdout.count(b"\n") == 1 + packets
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 10_000, "kilobytes; the columns of the rows take 90,000"


def test_an_output_appears_only_when_it_is_whole(good, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.csv").write_text("before")
    (out / "x.csv").chmod(0o640)
    fluxcap("packets", "--strict", tmp_path / "notes.txt", "-o", out / "x.csv")
    assert (out / "x.csv").read_text() == "before"
    fluxcap("packets", good, "-o", out / "x.csv")
    assert (out / "x.csv").read_text().startswith("packet,")
    assert (out / "x.csv").stat().st_mode & 0o777 == 0o640
    assert list(out.iterdir()) == [out / "x.csv"]


def test_a_dash_is_standard_output(good):
    assert fluxcap("flows", good, "-o", "-").stdout == fluxcap("flows", good).stdout


def test_an_output_through_a_link_replaces_the_file_and_keeps_the_link(good, tmp_path):
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")
    fluxcap("flows", good, "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("protocol,")


def test_an_input_is_not_overwritten_whatever_it_is_called(good, tmp_path):
    (tmp_path / "link.csv").symlink_to(good)
    done = fluxcap("flows", tmp_path, "-o", tmp_path / "link.csv", "-f", "csv")
    assert done.returncode == 2
    assert good.read_bytes() == GOOD


@pytest.mark.parametrize("arguments", ["flows $1", "packets $1", "info $1", "check $1", "--help", "--version", ""])
def test_a_full_disk_is_exit_code_5_with_a_message(good, arguments):
    done = shell(f"fluxcap {arguments} > /dev/full", good)
    error, _ = error_lines("".join(line for line in done.stderr.splitlines(True) if not line.startswith("hint:")))
    assert done.returncode == 5
    assert "No space left on device" in error


@pytest.mark.parametrize("path", ["/dev/full", "no-such-directory/x.csv"])
def test_an_output_that_cannot_be_written_is_exit_code_5(good, path):
    done = fluxcap("flows", good, "-o", path)
    assert done.returncode == 5
    assert path in error_lines(done.stderr)[0]


def test_a_closed_standard_output_is_exit_code_5_and_no_other_file_takes_its_place(good):
    done = shell("fluxcap flows $1 >&-", good)
    assert done.returncode == 5
    error_lines(done.stderr)
    assert good.read_bytes() == GOOD


def test_a_closed_or_full_standard_error_changes_nothing(good, cut):
    assert shell("fluxcap flows $1 2>&-", cut).returncode == 3
    assert shell("fluxcap flows $1 2>/dev/full", cut).returncode == 3
    assert shell("fluxcap flows $1 2>&-", cut).stdout == fluxcap("flows", cut).stdout
    assert shell("fluxcap flows nope 2>/dev/full").returncode == 2


# Pipes and signals


@pytest.mark.parametrize("command", ["packets", "packets -f json", "packets -f csv"])
def test_a_reader_that_leaves_is_exit_code_141_without_a_word(tmp_path, command):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(records(PACKETS * 5000)))
    done = shell(f"fluxcap {command} $1 | head -1; echo ${{PIPESTATUS[0]}}", path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"


def interrupted(*arguments: str, octets: bytes = GOOD, number: int = signal.SIGINT) -> subprocess.CompletedProcess[str]:
    """Send a signal to the command while it waits for more than `octets` on standard input."""
    with (
        subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process,
        ThreadPoolExecutor() as pool,
    ):
        # Rows leave while the input is written, and a full pipe would stop both.
        out, err = pool.submit(process.stdout.read), pool.submit(process.stderr.read)
        process.stdin.write(octets)
        process.stdin.flush()
        wait_until_read(process.stdin.fileno())
        process.send_signal(number)
        # Standard input stays open, so that only the signal can end the reading.
        giving_up = threading.Timer(PATIENCE, process.kill)
        giving_up.start()
        code = process.wait()
        giving_up.cancel()
        return subprocess.CompletedProcess(process.args, code, out.result().decode(), err.result().decode())


def test_ctrl_c_prints_the_flows_so_far_and_exits_130():
    done = interrupted("flows", "-")
    assert (done.returncode, done.stderr) == (130, "")
    assert done.stdout == fluxcap("flows", "-", stdin=GOOD).stdout


def test_ctrl_c_leaves_a_whole_json_object():
    assert json.loads(interrupted("flows", "-f", "json", "-").stdout)["interrupted"] is True
    done = interrupted("packets", "-f", "json", "-")
    assert done.returncode == 130
    assert json.loads(done.stdout)["schema"] == 1


def test_ctrl_c_keeps_every_packet_that_was_read():
    many = pcap(records(PACKETS * 3000))
    done = interrupted("packets", "--columns", "packet", "-", octets=many)
    assert done.returncode == 130
    numbers = done.stdout.split()[1:]
    assert numbers == [str(number) for number in range(1, len(PACKETS) * 3000 + 1)]


@pytest.mark.parametrize("command", ["info", "check", "connections", "sockets", "sockets --life 10.0.0.1:4000"])
def test_ctrl_c_prints_what_was_counted_so_far(command):
    done = interrupted(*command.split(), "-")
    whole = fluxcap(*command.split(), "-", stdin=GOOD)
    assert (done.returncode, done.stderr) == (130, whole.stderr)
    assert done.stdout.replace("interrupted\tTrue", "interrupted\tFalse") == whole.stdout


READING = ["info", "flows", "hosts", "connections", "sockets", "check", "packets"]
SHORT = pcap(records(PACKETS[:2]))  # less than is read ahead to tell what an input is


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("order", [[], ["--order", "time"]], ids=["", "in order"])
def test_ctrl_c_counts_the_complete_records_of_a_short_pipe(command, order):
    whole = fluxcap(command, *order, "-", stdin=SHORT)
    done = interrupted(command, *order, "-", octets=SHORT + bytes(7))
    assert (done.returncode, done.stderr) == (130, whole.stderr)
    found = done.stdout.replace("interrupted\tTrue", "interrupted\tFalse")
    assert found == whole.stdout
    assert "10.0.0.1" in found or command in ("info", "check")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_ctrl_c_counts_the_complete_records_of_a_short_pipe_of_compressed_bytes(compress):
    done = interrupted("packets", "--columns", "packet", "-", octets=compress(SHORT))
    assert (done.returncode, done.stdout.split()) == (130, ["packet", "1", "2"])


@pytest.mark.parametrize("octets", [SHORT[:3], SHORT[:23], b"text"])
def test_ctrl_c_before_a_capture_has_begun_is_exit_code_130_without_rows(octets):
    done = interrupted("flows", "--columns", "packets", "-", octets=octets)
    assert (done.returncode, done.stdout, done.stderr) == (130, "packets\n", "")


@pytest.mark.parametrize("command", READING)
def test_a_pipe_that_closes_in_the_middle_of_a_record_gives_those_before_it_and_exit_code_3(command):
    whole = fluxcap(command, "-", stdin=pcap(records(PACKETS[:1])))
    done = fluxcap(command, "-", stdin=SHORT[:-1])
    assert done.returncode == 3
    assert "<stdin>: cut short at byte 87, after packet 1" in done.stderr
    kept = [line for line in done.stdout.splitlines() if not line.startswith("damage")]
    assert kept == [line for line in whole.stdout.splitlines() if not line.startswith("damage")]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_terminated_run_leaves_no_unfinished_file(tmp_path, number, code, suffix):
    many = pcap(records(PACKETS * 3000))
    done = interrupted("packets", "-", "-o", str(tmp_path / f"x.{suffix}"), octets=many, number=number)
    assert (done.returncode, done.stderr) == (code, "")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_shall_survive_the_terminal_does(good):
    done = shell("trap '' HUP; fluxcap flows <(cat $1; kill -HUP $$; sleep 0.1) > $2; echo $?", good, "/dev/null")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_ctrl_c_while_packets_are_exported_is_exit_code_130(tmp_path):
    many = pcap(records(PACKETS * 3000))
    done = interrupted("packets", "-", "-o", str(tmp_path / "x.parquet"), octets=many)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize(
    ("table", "place"), [("packets", "tables.scan.PacketScan.__iter__"), ("flows", "values.arrow.Stream._batches")]
)
def test_ctrl_c_while_a_query_reads_a_table_is_exit_code_130(table, place, good):
    module, kind, method = place.rsplit(".", 2)
    script = f"""
import os, signal, sys
from fluxcap.cli.main import main
from fluxcap.{module} import {kind}
whole = {kind}.{method}
def pressed(*arguments):
    for part in whole(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        yield part
{kind}.{method} = pressed
sys.exit(main(["sql", "SELECT max(src_ip) FROM {table}", sys.argv[1]]))
"""
    done = subprocess.run([sys.executable, "-c", script, str(good)], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("module", ["fluxcap.cli.main", "fluxcap.cli.options", "signal"])
def test_ctrl_c_while_the_program_starts_prints_no_traceback(module):
    script = f"""
import runpy, sys
sys.modules.pop({module!r}, None)
class Pressing:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressing())
sys.argv = ["fluxcap", "--version"]
runpy.run_module("fluxcap", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# Names and disks


def test_a_name_as_long_as_a_file_can_have_is_written_and_a_longer_one_named(good, tmp_path):
    longest = tmp_path / ("x" * 251 + ".csv")
    assert fluxcap("flows", good, "-o", longest).returncode == 0
    assert longest.read_text()
    done = fluxcap("flows", good, "-o", tmp_path / ("x" * 252 + ".csv"))
    assert done.returncode == 5
    assert "x" * 252 in error_lines(done.stderr)[0]
    assert list(tmp_path.glob("x*")) == [longest]


def test_an_input_that_fails_at_once_is_named():
    done = fluxcap("info", "/proc/self/mem")  # its first bytes cannot be read: EIO
    assert done.returncode == 2
    assert "/proc/self/mem" in error_lines(done.stderr)[0]


def test_an_index_that_finds_no_room_is_named(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv4(b.udp(b"x", 4000, 53 + at))) for at in range(3)])))
    done = shell("ulimit -f 1; fluxcap demux $1 -o $2; echo $?", path, tmp_path / "out")  # files of 1 KiB at most
    assert done.stdout == "5\n"
    assert "out/index.ndjson" in error_lines(done.stderr)[0]
