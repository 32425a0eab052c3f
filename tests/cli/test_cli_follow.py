"""Captures that are followed: files that grow, rotate, are cut short or replaced while their rows are written."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fluxcap
from capture_files import pcap, records
from command_line import COMMAND, PATIENCE, environment, error_lines
from command_line import fluxcap as run
from fluxcap import segment

HEADER = pcap([])
PORTS = ("-f", "ndjson", "--columns", "src_port")


def packet(number: int, second: int = 0) -> bytes:
    """A record of a pcap whose source port is the number."""
    frame = segment(b"hello", ("192.0.2.1", number), ("192.0.2.2", 53))
    return pcap(records([frame], second * 1_000_000_000))[len(HEADER) :]


def row(number: int) -> bytes:
    return b'{"src_port": %d}\n' % number


def append(path: Path, octets: bytes) -> None:
    with path.open("ab") as file:
        file.write(octets)


@contextmanager
def following(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, killed if it hangs."""
    command = [*COMMAND, *map(str, arguments), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment()) as one:
        alarm = threading.Timer(PATIENCE, one.kill)
        alarm.start()
        try:
            yield one
        finally:
            one.kill()
            alarm.cancel()


def end(one: subprocess.Popen[bytes]) -> tuple[int, bytes, str]:
    """The exit code after Ctrl-C, the rows that were not taken yet, and the messages."""
    one.send_signal(signal.SIGINT)
    rest, said = one.communicate(timeout=PATIENCE)
    return one.returncode, rest, said.decode()


def test_a_file_is_read_on_as_it_grows_whatever_its_pieces(tmp_path):
    path = tmp_path / "x.pcap"
    whole = HEADER + b"".join(packet(4000 + number) for number in range(40))
    path.write_bytes(b"")

    def capture() -> None:
        for start in range(0, len(whole), 37):  # a record is longer: nearly every look finds one half written
            append(path, whole[start : start + 37])
            time.sleep(0.002)

    writer = threading.Thread(target=capture)
    with following("packets", path, *PORTS) as one:
        writer.start()
        assert [one.stdout.readline() for _ in range(40)] == [row(4000 + number) for number in range(40)]
        writer.join()
        assert end(one) == (130, b"", "")


def test_a_record_that_is_half_written_is_waited_for(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1) + packet(2)[:30])
    with following("packets", path, *PORTS) as one:
        assert one.stdout.readline() == row(1)
        append(path, packet(2)[30:] + packet(3)[:5])
        assert one.stdout.readline() == row(2)
        assert end(one) == (130, b"", "")


@pytest.mark.parametrize("ring", [1000, 4])
def test_a_rotating_capture_loses_and_doubles_nothing(ring, tmp_path):
    """A ring of four is written anew from its first file on, as `tcpdump -W 4` and `dumpcap -b files:4` do it."""
    taken = threading.Semaphore(2 * 5)  # the writer is two files ahead at most, as a ring must not be overtaken

    def capture() -> None:
        for number in range(12):
            with (tmp_path / f"x.pcap{number % ring}").open("wb", buffering=0) as file:
                file.write(HEADER)
                for port in range(5):
                    taken.acquire()
                    file.write(packet(4000 + 5 * number + port))

    writer = threading.Thread(target=capture)
    with following("packets", tmp_path, *PORTS) as one:
        writer.start()
        for number in range(60):
            assert one.stdout.readline() == row(4000 + number)
            taken.release()
        writer.join()
        assert end(one) == (130, b"", "")


def test_an_empty_directory_is_waited_in_and_other_files_are_passed_over(tmp_path):
    with following("packets", tmp_path, *PORTS) as one:
        (tmp_path / "notes.txt").write_text("no capture")
        (tmp_path / "x.pcap").write_bytes(HEADER + packet(1))
        assert one.stdout.readline() == row(1)
        assert end(one) == (130, b"", "")


def test_a_file_that_is_cut_short_is_said_and_read_from_its_beginning(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1) + packet(2))
    with following("packets", path, *PORTS) as one:
        assert [one.stdout.readline() for _ in range(2)] == [row(1), row(2)]
        path.write_bytes(HEADER + packet(3))
        assert one.stdout.readline() == row(3)
        code, rest, said = end(one)
    assert (code, rest) == (130, b"")
    assert said == f"warning: {path}: written anew while it was followed; read from its beginning\n"


def test_a_file_of_the_same_name_is_followed_after_the_one_that_was_moved_away(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1))
    with following("packets", path, *PORTS) as one:
        assert one.stdout.readline() == row(1)
        path.rename(tmp_path / "old")
        append(tmp_path / "old", packet(2))
        assert one.stdout.readline() == row(2)
        path.write_bytes(HEADER + packet(3))
        assert one.stdout.readline() == row(3)
        assert end(one) == (130, b"", "")


def test_what_a_file_holds_more_after_the_next_one_began_is_said(tmp_path):
    old, new = tmp_path / "a.pcap", tmp_path / "b.pcap"
    old.write_bytes(HEADER + packet(1))
    with following("packets", tmp_path, *PORTS) as one:
        assert one.stdout.readline() == row(1)
        new.write_bytes(HEADER + packet(2))
        assert one.stdout.readline() == row(2)
        append(old, packet(3))
        time.sleep(0.5)  # some looks later
        code, rest, said = end(one)
    assert (code, rest) == (130, b"")
    assert said.startswith(f"warning: {old}: went on after another capture had begun")
    assert said.count("\n") == 1


def test_flows_that_end_are_rows_while_a_file_is_followed(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1, 100) + packet(2, 105))
    with following("flows", path, "--as-they-end", "--idle-timeout", "10s", *PORTS) as one:
        append(path, packet(3, 112))
        assert one.stdout.readline() == row(1)
        time.sleep(0.2)  # it waits for more by now
        code, rest, said = end(one)
    assert (code, rest, said) == (130, row(2) + row(3), "")


@pytest.mark.parametrize("ring", [1000, 12])
def test_intervals_of_a_rotating_capture_lose_and_double_nothing(ring, tmp_path):
    """Two files a second of the capture; the writer waits for lines, which are four files behind the reading."""
    written = threading.Semaphore(8)

    def capture() -> None:
        for number in range(20):
            with (tmp_path / f"x.pcap{number % ring}").open("wb", buffering=0) as file:
                written.acquire()
                file.write(HEADER)
                for port in range(12):
                    file.write(packet(port, number // 2))

    writer = threading.Thread(target=capture)
    with following("timeline", tmp_path, "-f", "ndjson", "--columns", "time,packets") as one:
        writer.start()
        lines = []
        for _ in range(8):
            lines.append(one.stdout.readline())
            written.release(2)
        writer.join()
        time.sleep(0.5)  # it waits for more by now
        code, rest, said = end(one)
    lines += rest.splitlines(keepends=True)
    assert lines == [b'{"time": "1970-01-01T00:00:%02d.000000000Z", "packets": 24}\n' % second for second in range(10)]
    assert (code, said) == (130, "")


def test_intervals_of_a_file_that_grows_are_lines(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1, 100) + packet(2, 101))
    shown = ("-f", "ndjson", "--columns", "packets")
    with following("timeline", path, *shown, "--grace", "500ms") as one:
        append(path, packet(3, 102)[:20])
        append(path, packet(3, 102)[20:] + packet(4, 102))
        assert [one.stdout.readline() for _ in range(1)] == [b'{"packets": 1}\n']
        append(path, packet(5, 104))
        assert [one.stdout.readline() for _ in range(2)] == [b'{"packets": 1}\n', b'{"packets": 2}\n']
        assert end(one) == (130, b'{"packets": 0}\n{"packets": 1}\n', "")


def test_python_follows_too_and_again_from_the_beginning(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + packet(1))
    scan = fluxcap.scan_packets(path, columns="src_port", follow=True)
    for _ in range(2):
        tables = iter(scan)
        assert next(tables)["src_port"].tolist() == [1]
    append(path, packet(2))
    assert next(tables)["src_port"].tolist() == [2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("packets - --follow", "standard input is read as it comes anyway"),
        ("packets {file} --follow --sort time", "--sort needs the ends of all inputs"),
        ("packets {file} --follow --order time", "--order needs the ends of all inputs"),
        ("packets {file}x --follow", "No such file or directory"),
        ("packets {text} --follow", "not a capture: it is text"),
        ("packets {gzip} --follow", "gzip compressed, which cannot be followed"),
        ("flows {file} --follow", "--follow has no end, and flows are written at the end"),
    ],
)
def test_what_cannot_be_followed_is_refused(arguments, message, tmp_path):
    names = {name: tmp_path / name for name in ("file", "text", "gzip")}
    names["file"].write_bytes(HEADER)
    names["text"].write_text("hello, world")
    names["gzip"].write_bytes(b"\x1f\x8b\x08" + bytes(50))
    done = run(*arguments.format(**names).split())
    assert done.returncode == 2
    assert message in error_lines(done.stderr)[0]


@pytest.mark.parametrize("given", [b"bytes", "-", ["x.pcap", b"bytes"]])
def test_python_follows_paths_alone(given):
    with pytest.raises(TypeError, match="only files and directories are followed"):
        fluxcap.scan_packets(given, follow=True)


def test_python_follows_in_no_order_of_time(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER)
    with pytest.raises(ValueError, match="needs the ends of all inputs"):
        next(iter(fluxcap.scan_packets(os.fspath(path), follow=True, order="time")))


def test_damage_and_what_is_left_out_are_said_when_they_happen(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(records([b"?"] * 2), link_type=147))
    with following("packets", tmp_path, *PORTS) as one:
        assert one.stderr.readline() == (b"warning: records of link types that are not read: 2 of USER0, up to now\n")
        append(path, b"cut")
        (tmp_path / "b.pcap").write_bytes(HEADER + packet(1))
        assert one.stderr.readline().startswith(f"error: {path}: ".encode())
        assert one.stderr.readline().startswith(b"help: ")
        assert [one.stdout.readline() for _ in range(3)] == [b'{"src_port": 0}\n'] * 2 + [row(1)]
        code, rest, said = end(one)
    assert (code, rest, said.count("\n")) == (130, b"", 1)
    assert said.startswith("warning: records of link types that are not read: 2 of")
