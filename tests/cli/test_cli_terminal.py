"""The command line at a terminal: a real one, made of a pair of pseudo-terminal devices."""

import gzip
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import builders as b
import fluxcap as fluxcap_library
from capture_files import pcap, records
from command_line import COMMAND, Screen, environment, fluxcap, in_terminal, terminal
from fluxcap.capture.meter import METER
from real_captures import SAMPLES

A, B = "10.0.0.1", "10.0.0.2"


def udp(src_port: int, size: int = 10, checksum=None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(bytes(size), src_port, 53, checksum=checksum), A, B))


# Flow 4000 + n has n + 1 packets, so that the biggest flows are the last to begin.
MANY = [udp(4000 + flow) for flow in range(30) for _ in range(flow + 1)]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.pcap"
    path.write_bytes(pcap(records(MANY, step=11_000_000)))  # too far apart to be copies
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.pcap"
    v6 = b.ethernet(b.ipv6(b.udp(b"x", checksum=0x0BAD), "2001:db8:1234:5678:9abc:def0:1234:5678"))
    path.write_bytes(pcap(records([udp(4000), udp(4000, checksum="partial"), udp(4001, checksum=0x0BAD), v6])))
    return path


@pytest.fixture
def rewritten(tmp_path: Path) -> Path:
    """Four flows whose source ports were rewritten without updating the checksum, each by another amount."""
    path = tmp_path / "rewritten.pcap"
    frames = [(udp(4000, size), 5000 + 7 * flow) for flow in range(4) for size in (11, 12, 13)]
    path.write_bytes(pcap(records(frame[:34] + port.to_bytes(2, "big") + frame[36:] for frame, port in frames)))
    return path


def box(screen: Screen) -> list[str]:
    """The rows inside the first box, its title above them."""
    lines = screen.lines
    top, bottom = (next(n for n, line in enumerate(lines) if line.startswith(corner)) for corner in "╭╰")
    return lines[top + 1 : bottom]


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize("command", ["info", "flows", "check", "packets"])
def test_a_table_fits_the_terminal(command, columns, mixed):
    screen = terminal(command, mixed.name, columns=columns, cwd=mixed.parent, env={"NO_COLOR": "1"})
    boxed = [line for line in screen.lines if line[:1] in "╭│├╰"]
    assert boxed
    assert max(map(len, boxed)) <= columns
    assert {len(line) for line in box(screen)} == {len(box(screen)[0])}


def test_flows_begin_with_the_biggest_and_end_with_how_to_see_more(many):
    screen = terminal("flows", many)
    rows = [line for line in box(screen) if "→ 10.0.0.2:53" in line]
    assert [re.search(r":(\d+) →", row)[1] for row in rows] == [str(port) for port in range(4029, 4009, -1)]
    assert "… 10 more flows (-n 0 for all, -f csv to export)" in screen.lines
    assert screen.code == 0


def test_n_says_how_many_rows_there_are(many):
    assert sum("→" in line for line in box(terminal("flows", "-n", "3", many))) == 3 + 1
    assert sum("→" in line for line in box(terminal("flows", "-n", "0", many))) == 30 + 1


def test_packets_show_a_screenful_and_that_there_are_more(many):
    screen = terminal("packets", many)
    assert sum("10.0.0.1" in line for line in screen.lines) == 20
    assert "… more packets (-n 0 for all, -f csv to export)" in screen.lines


def test_the_heading_names_the_file_its_packets_and_its_time(many):
    heading = terminal("flows", many.name, cwd=many.parent, columns=120).lines[0]
    assert heading.startswith(f"many.pcap · {len(MANY)} packets · ")
    assert heading.endswith("2023-11-14 22:13:20 → 22:13:25 UTC")


def test_verdicts_have_a_column_only_where_there_are_any(many, mixed):
    titles = box(terminal("flows", mixed, columns=200))[:2]
    assert "bad" in "".join(titles)
    assert "partial" in "".join(titles)
    assert "illegal" not in "".join(titles)
    assert "bad" not in "".join(box(terminal("flows", many, columns=200))[:2])


def test_a_wide_terminal_shows_both_directions_and_times():
    titles = " ".join(box(terminal("flows", SAMPLES / "session.pcap", columns=200))[:3])
    for title in ("reverse", "packets", "bytes", "duration", "first"):
        assert title in titles


def test_an_address_too_long_for_one_line_is_not_cut(mixed):
    assert "2001:db8:1234:5678:9abc:def0:1234:5678" in terminal("flows", mixed, columns=70).text


def test_columns_asked_for_are_just_those(mixed):
    screen = terminal("flows", "--columns", "dst_port,bad", mixed)
    assert re.findall(r"\w+", " ".join(box(screen)[:2])) == ["dst", "port", "bad"]


def test_check_shows_counts_bad_packets_and_what_offload_is(mixed):
    screen = terminal("check", mixed, columns=100)
    assert screen.code == 1
    assert re.search(r"UDP +1 +2 +1 ", screen.text)
    assert re.search(r"│ +3 +UDP .*bad +0x0bad +0x[0-9a-f]{4} │", screen.text)
    assert "2 bad checksums in 4 packets; the first is in packet 3, at byte" in screen.text
    assert "captured on the sender" in screen.text


@pytest.mark.parametrize("columns", [80, 120])
def test_check_says_who_sent_bad_checksums_and_labels_its_hints(rewritten, columns):
    lines = " ".join(terminal("check", "--list", "1", rewritten, columns=columns).lines)
    assert "All 12 bad transport checksums come from 10.0.0.1 (02:00:00:00:00:01)." in lines
    assert len(re.findall("Hint: 3 of 12 bad transport checksums differ from the right one by 0x", lines)) == 2
    assert "2 more hints with -f json." in lines


def test_in_a_pipe_hints_stand_on_standard_error(rewritten):
    done = fluxcap("check", rewritten)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["hint", "hint"]
    assert fluxcap("check", "-q", rewritten).stderr == ""


def test_check_of_a_sound_capture_says_so(many):
    screen = terminal("check", many)
    assert screen.code == 0
    assert f"No bad checksum in {len(MANY)} packets." in screen.lines


def test_info_is_one_screen(mixed):
    screen = terminal("info", mixed.name, cwd=mixed.parent)
    assert len(screen.lines) <= 24
    assert re.search(r"^packets +4 · 2\d\d B on the wire · \d\d B on average$", screen.text, re.MULTILINE)
    assert "pcap us, little-endian · ETHERNET" in screen.text
    assert screen.lines[-1] == "hint: `fluxcap check` lists the 2 bad checksums"


def test_a_hint_is_one_line_and_quiet_leaves_it_out(mixed, many):
    def hints(*arguments: object) -> int:
        return terminal("flows", *arguments).text.count("hint:")

    assert hints(mixed) == 1
    assert hints("--quiet", mixed) == 0
    assert hints(many) == 0


# Colours


def test_colours_follow_the_option_then_the_environment(mixed):
    def colored(*options: str, **env: str) -> bool:
        return "\x1b[1;31m" in terminal("flows", *options, mixed, columns=120, env=env).raw

    assert colored()
    assert not colored(NO_COLOR="1")
    assert not colored(NO_COLOR="1", FORCE_COLOR="1")
    assert not colored(TERM="dumb")
    assert colored(TERM="dumb", FORCE_COLOR="1")
    assert not colored("--color", "never", FORCE_COLOR="1")
    assert colored("--color", "always", NO_COLOR="1")


def test_nothing_is_said_by_colour_alone(mixed):
    colored, plain = terminal("check", mixed), terminal("check", mixed, env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.raw
    assert colored.text == plain.text


def test_an_error_is_coloured_and_readable_without(tmp_path):
    screen = terminal("flows", tmp_path / "none")
    assert screen.raw.startswith("\x1b[1;31merror:\x1b[0m ")
    assert screen.lines[0].startswith("error: ")
    assert screen.code == 2


# Streams that are and are not the terminal


def test_a_piped_output_is_plain_though_its_errors_go_to_the_terminal(mixed):
    reader, writer = os.pipe()
    screen = terminal("flows", mixed, stdout=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    assert screen.raw == ""
    assert data.startswith(b"protocol\tsrc_ip\t")
    assert b"\x1b" not in data


SENT_FIRST = 5000  # bytes


def slowly(seconds: float, *arguments: str, columns: int = 80, command: list[str] = COMMAND) -> Screen:
    """The screen while a capture arrives slowly on standard input and the results go elsewhere."""
    reader, writer = os.pipe()
    whole = pcap(records(MANY))

    def feed() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            pipe.write(whole[:SENT_FIRST])
            time.sleep(seconds)
            pipe.write(whole[SENT_FIRST:])

    feeder = threading.Thread(target=feed)
    feeder.start()
    screen = in_terminal([*command, "flows", *arguments, "-", "-o", os.devnull], columns=columns, stdin=reader)
    feeder.join()
    os.close(reader)
    return screen


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_progress_shows_after_half_a_second_and_leaves_no_trace(columns):
    screen = slowly(1.5, columns=columns)
    assert screen.code == 0
    assert screen.raw.endswith("\r\x1b[K"), "the line is wiped"
    assert "\x1b[?25l" not in screen.raw, "the cursor was never hidden"
    shown = [line.strip() for line in re.split("\r|\x1b\\[K", screen.raw) if line.strip()]
    assert shown
    assert max(map(len, shown)) < columns


def test_progress_counts_the_bytes_of_the_input_and_no_others():
    shown = re.findall(r"([\d.]+ \w+) read  [\d.,]+ (\w+)/s", slowly(1.5).text)
    assert {read for read, _ in shown} == {"4.9 KiB"}  # SENT_FIRST; modules, for one, are read besides
    assert {unit for _, unit in shown} <= {"B", "KiB"}


def test_progress_of_a_file_goes_up_to_its_size_in_one_unit(many):
    """Whether the core reads the file, or a decompressor."""
    packed = many.with_suffix(".gz")
    packed.write_bytes(gzip.compress(many.read_bytes()))
    before = METER.octets
    for path in (many, packed):
        fluxcap_library.read_flows(path)
        assert METER.octets - before == path.stat().st_size
        before = METER.octets
    fluxcap_library.read_flows([many, packed], order="time")
    assert METER.octets - before == many.stat().st_size + packed.stat().st_size


def test_progress_does_not_paint_while_a_pager_has_the_terminal():
    """A pager sets the terminal so that keys come one by one."""
    pager = [sys.executable, "-c", "import os, sys, tty; tty.setcbreak(2); os.execv(sys.argv[1], sys.argv[1:])"]
    assert slowly(1.5, command=[*pager, *COMMAND]).raw == ""


def test_quick_work_shows_no_progress(many):
    assert terminal("flows", many, "-o", os.devnull).raw == ""


def test_quiet_and_a_dumb_terminal_have_no_progress():
    assert slowly(1, "--quiet").raw == ""


def test_progress_never_goes_to_a_pipe():
    with subprocess.Popen(
        ["bash", "-c", 'sleep 1 | cat "$1" - | "$2" -m fluxcap flows -', "bash", "/dev/null", sys.executable],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        _, err = process.communicate()
    assert b"\x1b" not in err


def test_a_terminal_without_unicode_gets_ascii(mixed):
    screen = terminal("flows", mixed, env={"PYTHONIOENCODING": "ascii"})
    assert screen.text.isascii()
    assert any(line.startswith("+--") for line in screen.lines)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_message_ends_its_lines_between_words(columns: int):
    capture = SAMPLES / "sockets.pcapng"
    [message] = (line for line in terminal("flows", capture, columns=500).lines if line.startswith("hint: "))
    lines: list[str] = []
    for word in message.split():  # as many words in a line as fit it
        if lines and len(f"{lines[-1]} {word}") <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    shown = terminal("flows", capture, columns=columns).lines
    start = shown.index(lines[0])
    assert shown[start : start + len(lines)] == lines
