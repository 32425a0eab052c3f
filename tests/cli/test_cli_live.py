"""Captures that are still being made: each row leaves while the program that captures waits for the next packet."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pytest

from capture_files import pcap, records
from command_line import (
    COMMAND,
    PATIENCE,
    environment,
    error_lines,
    fluxcap,
    terminal,
    wait_until_full,
    wait_until_read,
)
from fluxcap import segment
from real_captures import SAMPLES

HEADER = pcap([])


def record(source: str, port: int) -> bytes:
    """A record of a pcap, without the file header."""
    return pcap(records([segment(b"hello", (source, port), ("2001:db8::1" if ":" in source else "192.0.2.2", 53))]))[
        24:
    ]


def packet_at(second: int, port: int) -> bytes:
    """A record of this time of the capture."""
    frame = segment(b"hello", ("192.0.2.1", port), ("192.0.2.2", 53))
    return pcap(records([frame], second * 1_000_000_000))[24:]


def packet(number: int) -> bytes:
    """A record whose source port tells it."""
    return record("192.0.2.1", 4000 + number)


@contextmanager
def running(*arguments: str, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The command with a pipe at either side; killed if it hangs."""
    command, pipe = [*COMMAND, *arguments], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, bufsize=0, env=environment()) as one:
        alarm = threading.Timer(PATIENCE, one.kill)
        alarm.start()
        try:
            yield one
        finally:
            one.kill()
            alarm.cancel()


@pytest.mark.parametrize(("form", "titles"), [("ndjson", 0), ("csv", 1), ("tsv", 1)])
def test_a_packet_is_a_line_before_the_next_one_comes(form, titles):
    with running("packets", "-", "-f", form, "--columns", "src_port") as one:
        one.stdin.write(HEADER)
        for number in range(5):
            one.stdin.write(packet(number))
            lines = [one.stdout.readline() for _ in range(1 if number else 1 + titles)]
            assert str(4000 + number).encode() in lines[-1]


def test_packets_at_a_terminal_are_lines_of_one_box():
    read, write = os.pipe()

    def capture() -> None:
        with open(write, "wb", buffering=0) as pipe:
            pipe.write(HEADER)
            for number in range(4):
                pipe.write(packet(number))
                wait_until_read(write)  # and a while longer, in which the row leaves

    writer = threading.Thread(target=capture)
    writer.start()
    try:
        screen = terminal("packets", "-", "--columns", "packet,src_port", columns=80, stdin=read)
    finally:
        os.close(read)
        writer.join()
    top, *rows, bottom = [line[1:-1] for line in screen.lines if line[:1] in "╭│╰"]
    assert set(top + bottom) == {"─"}
    assert [row.split() for row in rows[2:]] == [[f"{number + 1}", f"{4000 + number}"] for number in range(4)]


def test_a_box_that_grows_is_begun_anew_where_a_cell_needs_more_room():
    read, write = os.pipe()

    def capture() -> None:
        with open(write, "wb", buffering=0) as pipe:
            pipe.write(HEADER + packet(0))
            wait_until_read(write)
            pipe.write(record("2001:db8:1234:5678:9abc:def0:1234:5678", 4000))
            wait_until_read(write)
            pipe.write(packet(2))

    writer = threading.Thread(target=capture)
    writer.start()
    try:
        screen = terminal("packets", "-", "--columns", "src_ip", columns=80, stdin=read)
    finally:
        os.close(read)
        writer.join()
    assert [line[0] for line in screen.lines[1:]] == [*"╭││├│╰", *"╭││├││╰"]
    assert len({len(line) for line in screen.lines[7:]}) == 1


def test_a_flow_is_a_line_when_it_has_ended():
    shown = ("-f", "ndjson", "--columns", "src_port,packets,end_reason")
    with running("flows", "-", "--as-they-end", "--idle-timeout", "10s", *shown) as one:
        one.stdin.write(HEADER + packet_at(100, 4000) + packet_at(105, 4000) + packet_at(110, 4001))
        one.stdin.write(packet_at(116, 4002))  # 11 s after the last packet of the first flow
        assert one.stdout.readline() == b'{"src_port": 4000, "packets": 2, "end_reason": 1}\n'
        one.stdin.write(packet_at(121, 4002))
        assert one.stdout.readline() == b'{"src_port": 4001, "packets": 1, "end_reason": 1}\n'
        one.stdin.close()
        assert one.stdout.read() == b'{"src_port": 4002, "packets": 2, "end_reason": 4}\n'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--as-they-end", "no flow ends before the capture does"),
        ("--as-they-end --idle-timeout 1s --sort packets", "--sort is about all flows"),
        ("--as-they-end --idle-timeout 1s --max-flows 9", "--max-flows is about all flows"),
        ("--grace 1s", "--grace is about flows that leave"),
    ],
)
def test_what_needs_all_flows_does_not_go_with_flows_as_they_end(options, message):
    done = fluxcap("flows", "-", *options.split(), stdin=HEADER)
    assert done.returncode == 2
    assert message in error_lines(done.stderr)[0]


def test_flows_of_an_empty_capture_have_a_header():
    done = fluxcap("flows", "-", "--as-they-end", "--idle-timeout", "1s", stdin=HEADER)
    assert done.stdout.startswith("protocol\tsrc_ip\t")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("form", "titles"), [("ndjson", 0), ("csv", 1), ("tsv", 1)])
def test_an_interval_is_a_line_when_a_packet_has_passed_it(form, titles):
    with running("timeline", "-", "-f", form, "--columns", "time,packets") as one:
        one.stdin.write(HEADER + packet_at(60, 1) + packet_at(60, 2) + packet_at(61, 3))
        one.stdin.write(packet_at(64, 4))  # a second after the end of the interval of 62
        lines = [one.stdout.readline() for _ in range(3 + titles)][titles:]
        assert [line.rstrip(b"}\n")[-1:] for line in lines] == [b"2", b"1", b"0"]
        assert [b"00:01:0%d" % second in line for second, line in enumerate(lines)] == [True] * 3
        one.stdin.close()
        assert len(one.stdout.readlines()) == 2


def test_the_lines_of_a_pipe_are_those_of_the_file():
    for name in ("office.pcap", "session.pcap", "sockets.pcapng"):
        for options in ("", "-f csv", "-f ndjson", "--grace 1ns", "-n 3", "--sort packets", "--by src_port"):
            given = ("--interval", "500ms", *options.split())
            whole = fluxcap("timeline", SAMPLES / name, *(one for one in given if one not in ("--grace", "1ns")))
            piped = fluxcap("timeline", "-", *given, stdin=(SAMPLES / name).read_bytes())
            assert (piped.returncode, piped.stdout) == (0, whole.stdout), (name, options)


def test_json_and_parquet_of_a_pipe_are_those_of_the_file(tmp_path):
    capture = (SAMPLES / "session.pcap").read_bytes()
    found = [
        json.loads(fluxcap("timeline", one, "-f", "json", stdin=capture).stdout)
        for one in ("-", SAMPLES / "session.pcap")
    ]
    assert found[0]["rows"] == found[1]["rows"]
    assert found[0]["interval"] == 1_000_000_000
    assert fluxcap("timeline", "-", "-o", tmp_path / "x.parquet", stdin=capture).returncode == 0
    assert pl.read_parquet(tmp_path / "x.parquet")["packets"].to_list() == [row["packets"] for row in found[1]["rows"]]


def test_a_packet_that_comes_too_late_is_said_at_once_and_has_a_row():
    shown = ("-f", "ndjson", "--columns", "time,packets")
    with running("timeline", "-", *shown, stderr=subprocess.PIPE) as one:
        one.stdin.write(HEADER + packet_at(100, 1) + packet_at(105, 2))
        assert [one.stdout.readline().split(b": ")[-1] for _ in range(4)] == [b"1}\n", *[b"0}\n"] * 3]
        one.stdin.write(packet_at(101, 3))
        assert one.stderr.readline().startswith(b"warning: 1 packet came up to 4.0 s late, after the grace of 1.0 s")
        one.stdin.close()
        late, *rest = one.stdout.read().splitlines()
        assert (b"00:01:41" in late, late[-2:], len(rest)) == (True, b"1}", 2)
        assert one.wait() == 0


def test_intervals_at_a_terminal_are_lines_of_one_box_with_bars_to_one_scale():
    read, write = os.pipe()

    def capture() -> None:
        with open(write, "wb", buffering=0) as pipe:
            pipe.write(HEADER + packet_at(0, 0) * 8)
            for second in range(1, 7):
                pipe.write(packet_at(second, 1) * 4)
                wait_until_read(write)

    writer = threading.Thread(target=capture)
    writer.start()
    try:
        screen = terminal("timeline", "-", "--interval", "500ms", columns=80, stdin=read)
    finally:
        os.close(read)
        writer.join()
    assert [len(bar) for line in screen.lines if (bar := "".join(one for one in line if one == "█"))][:3] == [12, 6, 6]
    assert "00:00:01.000" in screen.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{file} --grace 1s", "--grace is about intervals that leave before the input ends"),
        ("- --by src_port --grace 1s", "--grace is about intervals that leave before the input ends"),
        ("- --sort time --grace 1s", "--grace is about intervals that leave before the input ends"),
        ("{file} --follow --by src_port", "--follow has no end, and rows by src_port are written at the end"),
        ("{file} --follow --sort packets", "--sort needs the ends of all inputs"),
        ("- --by dst_prt", "unknown key field 'dst_prt'"),
    ],
)
def test_what_needs_the_whole_capture_does_not_go_with_intervals_that_leave(options, message):
    done = fluxcap("timeline", *options.format(file=SAMPLES / "session.pcap").split(), stdin=HEADER)
    assert done.returncode == 2
    assert message in error_lines(done.stderr)[0]


def test_ctrl_c_while_rows_are_written_keeps_the_flows_that_are_open():
    ended, shown = 3000, ("-f", "ndjson", "--columns", "src_port,end_reason")
    with running("flows", "-", "--as-they-end", "--idle-timeout", "10s", *shown) as one:
        one.stdin.write(HEADER)
        one.stdin.write(b"".join(packet_at(100, 4000 + number) for number in range(ended)))
        time.sleep(0.2)  # nothing has ended yet
        one.stdin.write(packet_at(200, 1) + packet_at(200, 2))
        wait_until_full(one.stdout.fileno())
        one.send_signal(signal.SIGINT)
        rows = [json.loads(line) for line in one.stdout.read().splitlines()]
        assert one.wait() == 130
    assert Counter(row["end_reason"] for row in rows) == {1: ended, 4: 2}
    assert [row["src_port"] for row in rows[ended:]] == [1, 2]
