"""Records without a time on the command line: said once, and blank or null wherever a time would stand."""

import csv
import io
import json

import pytest

import builders as b
from capture_files import enhanced_packet, interface, pcapng, simple_packet
from command_line import fluxcap, rows, terminal

START = 1_700_000_000_000_000_000
FRAME = b.ethernet(b.ipv4(b.udp(b"?", 7, 53)))
OTHER = b.ethernet(b.ipv4(b.udp(b"?", 8, 53)))
BLOCKS = (simple_packet(FRAME), enhanced_packet(OTHER, START), simple_packet(FRAME), enhanced_packet(OTHER, START + 5))
HINT = "hint: 2 of 4 records have no time (simple packet blocks): null"
NONE = "hint: 1 of 1 record has no time (simple packet blocks): null"
WRITTEN = "2023-11-14T22:13:20.000000000Z"


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "some.pcapng"
    path.write_bytes(pcapng(interface(tsresol=9), *BLOCKS))
    return path


@pytest.fixture
def timeless(tmp_path):
    path = tmp_path / "none.pcapng"
    path.write_bytes(pcapng(interface(tsresol=9), simple_packet(FRAME)))
    return path


COMMANDS = ["info", "flows", "packets", "connections", "sockets", "hosts", "timeline", "check"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("format", ["table", "tsv", "json"])
def test_every_command_says_it_once_and_shows_no_time_that_was_not_there(capture, timeless, command, format):
    for path, hint in ((capture, HINT), (timeless, NONE)):
        done = fluxcap(command, path, "-f", format)
        assert (done.returncode, done.stderr) == (0, f"{hint}\n")
        for wrong in ("1970", "1677", "2262", str(-(2**63))):
            assert wrong not in done.stdout


def test_a_quiet_command_does_not_say_it(capture):
    assert fluxcap("flows", capture, "--quiet").stderr == ""


def test_demux_says_it_and_writes_null(capture, tmp_path):
    done = fluxcap("demux", capture, "-o", tmp_path / "out")
    assert HINT in done.stderr.splitlines()
    messages = [json.loads(line) for line in (tmp_path / "out" / "messages.ndjson").read_text().splitlines()]
    assert [message["time"] for message in messages] == [None, WRITTEN, None, f"{WRITTEN[:-2]}5Z"]


def test_texts_are_blank_and_json_is_null(capture):
    found = rows(fluxcap("packets", capture, "--columns", "packet,time").stdout)
    assert [row["time"] for row in found] == ["", WRITTEN, "", f"{WRITTEN[:-2]}5Z"]
    found = list(csv.DictReader(io.StringIO(fluxcap("flows", capture, "-f", "csv").stdout)))
    assert [(row["first"], row["last"]) for row in found] == [("", ""), (WRITTEN, f"{WRITTEN[:-2]}5Z")]
    about = json.loads(fluxcap("flows", capture, "-f", "json").stdout)
    assert [(row["first"], row["last"]) for row in about["rows"]] == [(None, None), (WRITTEN, f"{WRITTEN[:-2]}5Z")]
    assert (about["first"], about["last"], about["without_time"]) == (WRITTEN, f"{WRITTEN[:-2]}5Z", 2)


def test_a_survey_without_any_time_has_null(timeless):
    info = json.loads(fluxcap("info", timeless, "-f", "json").stdout)
    assert [info[name] for name in ("first", "last", "duration", "packets_per_second")] == [None] * 4
    assert info["in_order"] is True


def test_sorted_rows_without_a_time_are_last(capture):
    done = fluxcap("packets", capture, "--columns", "packet,time", "--sort", "time")
    assert [row["packet"] for row in rows(done.stdout)][2:] == ["1", "3"]


def test_a_query_sees_null(capture):
    done = fluxcap("sql", "SELECT count(*) AS n, count(time) AS timed FROM packets", capture)
    assert rows(done.stdout) == [{"n": "4", "timed": "2"}]
    found = fluxcap("sql", "SELECT time FROM packets WHERE packet < 3 ORDER BY packet", capture, "-f", "json")
    assert [row["time"] for row in json.loads(found.stdout)["rows"]] == [None, WRITTEN]
    assert found.stderr == f"{HINT}\n"


def test_a_terminal_shows_a_blank(capture):
    (line,) = [line for line in terminal("packets", capture, columns=120).text.splitlines() if ":7" in line][:1]
    assert "22:13:20" not in line
