"""`fluxcap repair` in a pipe and at a terminal."""

import pytest

from command_line import error_lines, fluxcap, shell, terminal
from real_captures import SAMPLES

CAPTURE = SAMPLES / "veth-checksums-offloaded.pcap"
FRAGMENTS = SAMPLES / "fragments-out-of-order.pcap"
SAID = "63 transport and 0 IPv4 header checksums completed, in 63 of 70 records"


def test_a_copy_is_written_and_what_was_changed_is_said(out):
    done = fluxcap("repair", CAPTURE, "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"hint: {SAID}\n")
    assert len(out.read_bytes()) == len(CAPTURE.read_bytes())
    assert fluxcap("repair", CAPTURE, "-o", out, "--quiet").stderr == ""


def test_from_one_pipe_into_another_it_is_the_same(out):
    fluxcap("repair", CAPTURE, "-o", out)
    done = shell('set -o pipefail; cat "$1" | fluxcap repair - -o - | cmp - "$2"', CAPTURE, out)
    assert (done.returncode, done.stdout) == (0, "")


def test_after_it_check_finds_nothing_partial():
    done = shell('set -o pipefail; fluxcap repair -q "$1" -o - | fluxcap check - -f json', CAPTURE)
    assert done.returncode == 0
    assert '"partial": 0' in done.stdout
    assert '"offload": null' in done.stdout


def test_of_a_damaged_input_the_sound_part_is_written_with_exit_code_3(out):
    done = fluxcap("repair", SAMPLES / "cut-inside-a-record.pcap", "-o", out, "-q")
    error_lines(done.stderr)
    assert done.returncode == 3
    assert (SAMPLES / "cut-inside-a-record.pcap").read_bytes().startswith(out.read_bytes())
    done = fluxcap("repair", SAMPLES / "cut-inside-a-record.pcap", "-o", out.with_name("none"), "--strict")
    assert (done.returncode, out.with_name("none").exists()) == (2, False)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((CAPTURE,), "repair needs -o"),
        ((CAPTURE, "-o", CAPTURE), "overwrite"),
        ((SAMPLES, "-o", "out"), "one capture is repaired at a time"),
        ((SAMPLES / "README.md", "-o", "out"), "not a capture"),
        ((SAMPLES / "verdict.pcap", "-o", "out"), "verdict.pcap"),
    ],
)
def test_mistakes_are_told_in_one_line_with_exit_code_2(arguments, word, tmp_path):
    before = CAPTURE.read_bytes()
    done = fluxcap("repair", *arguments, cwd=tmp_path)
    assert word in error_lines(done.stderr)[0]
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert CAPTURE.read_bytes() == before


def test_a_terminal_gets_no_capture():
    screen = terminal("repair", CAPTURE, "-o", "-")
    assert (screen.code, "not for terminals" in screen.text) == (2, True)
    assert SAID in terminal("repair", CAPTURE, "-o", "/dev/null").text


def test_what_cannot_be_written_is_exit_code_5():
    full = shell('fluxcap repair "$1" -o - > /dev/full', CAPTURE)
    assert full.returncode == 5
