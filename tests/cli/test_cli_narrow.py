"""Tables at terminals that are too narrow for them: what stays, what goes, and what is said of it."""

import re
from pathlib import Path

import pytest

import builders as b
from capture_files import pcap, records
from command_line import Screen, terminal

WIDTHS = [80, 100, 200]
PLAIN = {"NO_COLOR": "1"}
SAMPLES = Path(__file__).parents[2] / "samples"
SESSION = SAMPLES / "session.pcap"
TIME = r"\d\d:\d\d:\d\d\.\d{9}"
ROWS = dict.fromkeys(("flows", "connections", "packets", "sockets", "hosts", "timeline"), SESSION)


def shown(*arguments, columns: int) -> Screen:
    return terminal(*arguments, columns=columns, env=PLAIN)


def titles(screen: Screen) -> list[str]:
    """The names of the columns of the first box, as far as their last line; those of endpoints as one."""
    lines = screen.lines
    line = lines[next(n for n, line in enumerate(lines) if line.startswith("├")) - 1]
    return re.split(" {2,}", re.sub(" +→", " →", line.strip("│ ")))


def hidden(screen: Screen) -> int:
    """The number of columns that the screen says it left out."""
    found = re.search(r"^\+(\d+) columns?: ", screen.text, re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ROWS)
def test_a_table_says_how_many_columns_it_left_out_and_wide_shows_them(command, columns):
    narrow = shown(command, ROWS[command], columns=columns)
    wide = shown(command, "-w", ROWS[command], columns=columns)
    assert max(map(len, narrow.lines)) <= columns
    assert (hidden(narrow), hidden(wide)) == (len(titles(wide)) - len(titles(narrow)), 0)


def test_a_table_that_has_room_says_nothing_of_columns():
    assert hidden(shown("flows", SESSION, columns=200)) == 0
    assert hidden(shown("flows", SESSION, columns=80)) > 0


def test_columns_asked_for_go_only_where_two_lines_a_cell_are_not_enough():
    asked = "packet,time,src_ip,src_port,dst_ip,dst_port"
    assert hidden(shown("packets", "--columns", asked, SESSION, columns=80)) == 0
    screen = shown("packets", "--columns", asked + ",tcp_seq,tcp_ack,ttl", SESSION, columns=80)
    assert hidden(screen) == 2
    assert "+2 columns: -w" in screen.lines  # they were named with --columns: naming them is no advice


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    """A short question and a long answer, between addresses as long as there are."""
    one, other = "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:7777"
    question = b.ethernet(b.ipv6(b.udp(b"?", 40000, 53), one, other))
    answer = b.ethernet(b.ipv6(b.udp(bytes(1300), 53, 40000), other, one))
    path = tmp_path / "answered.pcap"
    path.write_bytes(pcap(records([question, answer])))
    return path


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ["flows", "connections"])
def test_the_direction_that_carries_the_bytes_is_always_there(command, columns, answered):
    for capture in (answered, SESSION, SAMPLES / "office.pcap"):
        there = titles(shown(command, capture, columns=columns))
        assert there.count("bytes") == 2, there
    assert "1.3 KiB" in shown(command, answered, columns=columns).text


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_bytes_of_a_socket_stay_beside_the_longest_address(columns, tmp_path):
    source, destination = "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:7777"
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv6(b.udp(bytes(900)), source, destination))])))
    screen = shown("sockets", path, columns=columns)
    assert screen.text.count("900 B") == 2
    assert max(map(len, screen.lines)) <= columns


def test_an_ethertype_is_shown_as_it_is_known():
    assert "│    0x0806 │" in shown("packets", "--columns", "ethertype", "-n", "1", SESSION, columns=80).text


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    ("command", "asked"),
    [("packets", "packet,time,src_ip,src_port,dst_ip,dst_port"), ("flows", "src_ip,dst_ip,first,last,bytes")],
)
def test_a_time_of_nine_digits_is_never_broken(command, asked, columns):
    screen = shown(command, "--columns", asked, SESSION, columns=columns)
    assert len(re.findall(TIME, screen.text)) == 20 * len(re.findall("time|first|last", asked))
    assert screen.text.count("2026-11-25") >= 1


@pytest.mark.parametrize("columns", WIDTHS)
def test_times_of_several_days_break_between_date_and_time(columns, tmp_path):
    day = 86_400 * 1_000_000_000
    path = tmp_path / "days.pcap"
    path.write_bytes(pcap(records([b.ethernet(b.ipv4(b.udp(b"x")))] * 3, start=5_000, step=day)))
    asked = "packet,time,src_ip,src_port,dst_ip,dst_port,ttl"
    text = shown("packets", "--columns", asked, path, columns=columns).text
    assert re.findall(r"1970-01-\d\d", text) == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert len(re.findall(r"00:00:00\.000005000", text)) == 3


def test_free_text_is_folded_between_words_and_loses_none():
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    lines = shown("sql", f"SELECT 1 AS a, '{words}' AS b", SESSION, columns=40).lines
    assert [line for line in lines if len(line) > 40] == []
    assert " ".join(line.strip("│ ").removeprefix("1 ").strip() for line in lines if "│" in line).endswith(words)
