"""`fluxcap dedupe`, `--dedupe`, and the hint without it."""

import pytest

from altered_captures import records_of
from capture_files import pcap
from command_line import error_lines, fluxcap, shell
from real_captures import SAMPLES
from shown_twice import doubled

CAPTURE = SAMPLES / "session.pcap"
SESSION = records_of(CAPTURE)
N = len(SESSION)
COMMANDS = ["flows", "connections", "sockets", "check"]


@pytest.fixture
def twice(tmp_path):
    path = tmp_path / "twice.pcap"
    path.write_bytes(pcap(doubled(SESSION, "other_vlan", 1_000_000), ns=True))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hint_says_that_packets_are_copies_and_how_to_leave_them_out(command, twice):
    said = f"hint: {N:,} of {2 * N:,} packets are copies, other VLAN: a mirror port; --dedupe leaves them out"
    assert said in fluxcap(command, twice).stderr.splitlines()
    for arguments in ((command, twice, "--dedupe"), (command, twice, "--quiet"), (command, CAPTURE)):
        assert "copies" not in fluxcap(*arguments).stderr


def test_rows_without_copies_are_those_of_the_capture_that_has_none(twice, out):
    out.write_bytes(pcap(SESSION, ns=True))
    for command in ("flows", "connections", "sockets", "check", "hosts"):
        assert fluxcap(command, twice, "--dedupe").stdout == fluxcap(command, out).stdout


def test_a_capture_without_copies_is_written_and_what_was_left_out_is_said(twice, out):
    done = fluxcap("dedupe", twice, "-o", out)
    said = f"hint: {N:,} of {2 * N:,} packets are copies, other VLAN: a mirror port; the rest is written\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", said)
    assert out.read_bytes() == pcap(SESSION, ns=True)


def test_of_a_damaged_input_the_sound_part_is_written_with_exit_code_3(out):
    cut = SAMPLES / "cut-inside-a-record.pcap"
    done = fluxcap("dedupe", cut, "-o", out, "-q")
    assert (done.returncode, len(out.read_bytes()) < len(cut.read_bytes())) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("dedupe", CAPTURE), "dedupe needs -o"),
        (("dedupe", CAPTURE, "-o", CAPTURE), "overwrite"),
        (("dedupe", SAMPLES, "-o", "out"), "one capture is freed of copies at a time"),
        (("flows", CAPTURE, "--window", "1ms"), "--window is about copies"),
        (("flows", CAPTURE, "--dedupe", "--window", "1s"), "--window is at most 200ms"),
        (("flows", CAPTURE, "--dedupe", "--scheduler", "local:1"), "--dedupe is for one process"),
    ],
)
def test_mistakes_are_told_in_one_line_with_exit_code_2(arguments, word, tmp_path):
    done = fluxcap(*arguments, cwd=tmp_path)
    assert word in error_lines(done.stderr)[0]
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])


def test_a_pipe_cannot_be_read_twice(out):
    done = shell('cat "$1" | fluxcap dedupe - -o "$2"', CAPTURE, out)
    assert (done.returncode, out.exists()) == (2, False)
    assert "can be read only once" in error_lines(done.stderr)[0]
