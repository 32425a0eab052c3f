"""Errors of the command line: damaged inputs, mistakes, malicious names."""

import os
import re
from pathlib import Path

import pytest

from capture_files import enhanced_packet, interface, pcapng
from cli_captures import BAD, CUT, GOOD, PACKETS
from command_line import error_lines, fluxcap, rows
from real_captures import SAMPLES

COMMANDS = ("info", "flows", "connections", "sockets", "hosts", "timeline", "check", "packets")
DAMAGE_OFFSET = len(GOOD) - len(PACKETS[-1]) - 16  # where the last record begins


# Damage


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cut_input_gives_its_results_a_message_and_exit_code_3(command, cut):
    done = fluxcap(command, cut)
    error, help = error_lines("".join(line for line in done.stderr.splitlines(True) if not line.startswith("hint:")))
    assert done.returncode == 3
    assert done.stdout
    assert str(cut) in error
    assert "packet 6" in error
    assert str(DAMAGE_OFFSET) in error
    assert help


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_a_cut_input_and_prints_nothing(command, cut):
    done = fluxcap(command, "--strict", cut)
    error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_resync_reads_on_behind_damage_and_says_what_was_skipped(command, tmp_path):
    path = tmp_path / "patched.pcap"
    path.write_bytes(GOOD + b"damage" + GOOD[24:])
    done = fluxcap(command, path, "--resync")
    lines = [line for line in done.stderr.splitlines(True) if not line.startswith(("hint:", "warning:"))]
    error, help = error_lines("".join(lines))
    assert done.returncode == 3
    where = f"damaged at byte {len(GOOD)}, after packet {len(PACKETS)}"
    assert error == f"error: {path}: {where}: 6 bytes are not a record; skipped"
    assert help == "help: The records before and after them are read."
    assert fluxcap(command, path, "--resync", "--strict").returncode == 2


def test_every_damaged_input_is_named(cut, tmp_path, good):
    other = tmp_path / "other.pcap"
    other.write_bytes(CUT)
    done = fluxcap("flows", cut, good, other)
    assert done.returncode == 3
    assert len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 2
    assert rows(done.stdout)[0]["packets"] == "9"


def test_damage_weighs_more_than_bad_checksums(tmp_path):
    path = tmp_path / "both.pcap"
    path.write_bytes(BAD[:-3])
    assert fluxcap("check", path).returncode == 3


def test_max_flows_stops_with_what_was_read_and_exit_code_4(good):
    done = fluxcap("flows", "--max-flows", "2", good)
    assert done.returncode == 4
    assert len(rows(done.stdout)) == 2
    assert "6 packets" in done.stderr
    assert fluxcap("flows", "--max-flows", "3", good).returncode == 0


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "error", "help"),
    [
        (["flwos", "x"], "'flwos'", "'flows'"),
        (["flows", "good.pcap", "--colums", "x"], "'--colums'", "'--columns'"),
        (["flows", "good.pcap", "-f", "tvs"], "'tvs'", "'tsv'"),
        (["flows", "good.pcap", "--columns", "byte"], "'byte'", "'bytes'"),
        (["flows", "good.pcap", "-s", "packet"], "'packet'", "'packets'"),
        (["flows", "good.pcap", "-s", "reverse_packets", "--uniflow"], "'reverse_packets'", "packets"),
        (["packets", "good.pcap", "--columns", "packet,time,packet"], "'packet'", "once"),
        (["packets", "good.pcap", "--columns", ""], "''", "packet"),
        (["packets", "good.pcap", "-s", "src_prt"], "'src_prt'", "'src_port'"),
        (["flows", "good.pcap", "--by", "dstprt"], "'dstprt'", "'dst_port'"),
        (["flows", "god.pcap"], "god.pcap", "good.pcap"),
        (["flows", "nothing-like-it"], "nothing-like-it", "path"),
        (["flows", "no/such/directory/x.pcap"], "no/such/directory/x.pcap", "no/such/directory"),
        (["flows"], "INPUT", "--help"),
        (["flows", "good.pcap", "-n", "-1"], "-n", "--help"),
        (["flows", "good.pcap", "-n", "many"], "'many'", "--help"),
        (["flows", "good.pcap", "--max-flows", "0"], "--max-flows", "--help"),
        (["flows", "good.pcap", "--interval", "soon"], "'soon'", "--help"),
        (["flows", "good.pcap", "--splt", "300"], "255", "255"),
        (["flows", "good.pcap", "--by", "hosts", "--semantics", "zeek"], "no protocol", "idle timeout"),
        (["export", "good.pcap", "--by", "hosts", "--semantics", "zeek", "-o", "lake"], "no protocol", "idle timeout"),
        (["flows", "good.pcap", "-o", "x.docx"], "x.docx", ".ndjson"),
        (["flows", "good.pcap", "-o", "good.pcap", "-f", "csv"], "good.pcap", "-o"),
        (["flows", "notes.txt"], "notes.txt", "pcap"),
        (["flows", "good.pcap", "notes.txt"], "notes.txt", "pcap"),
        (["flows", "empty"], "empty", ""),
        (["--frobnicate"], "'--frobnicate'", "--help"),
    ],
)
def test_a_mistake_is_one_error_line_one_help_line_and_exit_code_2(good, arguments, error, help):
    (good.parent / "notes.txt").write_text("hello world\n")
    (good.parent / "empty").write_bytes(b"")
    done = fluxcap(*arguments, cwd=good.parent)
    lines = error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")
    assert error in lines[0]
    assert help in lines[1]


def test_an_input_that_may_not_be_read_is_named(good, tmp_path):
    done = fluxcap("flows", tmp_path / "good.pcap" / "below")
    assert done.returncode == 2
    assert "below" in error_lines(done.stderr)[0]


def test_debug_adds_where_in_the_program_it_happened(tmp_path):
    done = fluxcap("flows", "--debug", tmp_path / "none")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "Traceback" not in fluxcap("flows", tmp_path / "none").stderr


# Texts in a file


def test_control_characters_from_a_file_never_reach_the_output(tmp_path):
    name = "\x1b[2J\x07=cmd\u202e"
    path = tmp_path / "evil.pcapng"
    path.write_bytes(pcapng(interface(name=name), enhanced_packet(PACKETS[0])))
    for format in ("tsv", "csv", "json", "ndjson", "table"):
        done = fluxcap("info", "-f", format, path)
        assert done.returncode == 0
        assert "cmd" in done.stdout
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_control_characters_in_a_file_name_are_escaped(command, tmp_path):
    path = tmp_path / "a\x1b[31mb\nc.pcap"
    path.write_bytes(CUT)
    for format in ("tsv", "json", "table"):
        done = fluxcap(command, "-f", format, path)
        assert done.returncode == 3
        assert "\x1b" not in done.stdout + done.stderr
        assert r"a\x1b[31mb\x0ac.pcap" in done.stderr


def test_a_file_name_that_is_no_utf8_is_escaped(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b"/\xff.pcap")
    Path(path).write_bytes(CUT)
    for format in ("tsv", "json", "table"):
        done = fluxcap("info", "-f", format, path)
        assert done.returncode == 3
        assert r"\xff.pcap" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("packets", "-n", "0"),
        ("flows", "--as-they-end", "--idle-timeout", "100ms", "-n", "0"),
        ("timeline", "--interval", "100ms", "-n", "0"),
    ],
    ids=lambda given: given[0],
)
def test_rows_read_before_an_input_that_cannot_be_read_are_written(arguments, tmp_path):
    text = tmp_path / "text"
    text.write_text("not a capture\n")
    session = (SAMPLES / "session.pcap").read_bytes()
    alone = fluxcap(*arguments, "-", stdin=session)
    before = fluxcap(*arguments, "-", text, stdin=session)
    assert before.returncode == 2
    assert before.stdout == alone.stdout
    assert f"{text}: not a capture" in before.stderr


@pytest.mark.parametrize("format", ["tsv", "csv", "json", "ndjson", "table"])
@pytest.mark.parametrize("octets", [b"", b"not a capture\n"], ids=["empty", "no capture"])
@pytest.mark.parametrize("command", ["packets", "timeline"])
def test_where_nothing_could_be_read_nothing_is_written(command, octets, format):
    done = fluxcap(command, "-f", format, "-", stdin=octets)
    assert (done.returncode, done.stdout) == (2, "")
