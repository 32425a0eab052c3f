"""Columns on request from the command line: asked for, sorted by, in SQL, at terminals of three widths."""

import json
import re

import pandas as pd
import pytest

from capture_files import pcap, records
from command_line import error_lines, fluxcap, rows, terminal
from named_traffic import request, segment, syn
from real_captures import SAMPLES

SESSION = SAMPLES / "session.pcap"
NAMES = "duration,total_packets,total_bytes,bits_per_second,reverse_bits_per_second"


def frame(*arguments: str) -> pd.DataFrame:
    return pd.DataFrame(rows(fluxcap(*arguments).stdout))


def durations(table: pd.DataFrame) -> pd.Series:
    """Nanoseconds, from the times that every table has."""
    first, last = (pd.to_datetime(table[name]).astype("int64") for name in ("first", "last"))
    return last - first


@pytest.mark.parametrize("command", ["flows", "connections"])
def test_columns_on_request_stand_where_they_are_asked_for(command):
    made = frame(command, str(SESSION), "--columns", f"bytes,{NAMES},first,last,reverse_bytes")
    assert list(made) == ["bytes", *NAMES.split(","), "first", "last", "reverse_bytes"]
    lengths = durations(made)
    assert made["duration"].astype("int64").tolist() == lengths.tolist()
    total = made["bytes"].astype("int64") + made["reverse_bytes"].astype("int64")
    assert made["total_bytes"].astype("int64").tolist() == total.tolist()
    assert ((made["bits_per_second"] == "") == (lengths == 0)).all()
    with_rate = lengths > 0
    wanted = made["bytes"].astype("int64")[with_rate] * 8e9 / lengths[with_rate]
    pd.testing.assert_series_equal(made["bits_per_second"][with_rate].astype(float), wanted, check_names=False)


@pytest.mark.parametrize("command", ["flows", "connections", "sockets", "hosts", "timeline"])
def test_no_table_has_columns_that_nobody_asked_for(command):
    header = fluxcap(command, SESSION).stdout.splitlines()[0].split("\t")
    assert not {"duration", "total_packets", "total_bytes", "reverse_bits_per_second"} & {*header}


@pytest.mark.parametrize("command", ["flows", "connections", "hosts"])
def test_the_first_rows_of_most_bytes(command):
    both = ["bytes", "reverse_bytes"] if command != "hosts" else ["bytes"]
    everything = frame(command, str(SESSION))[both].astype("int64").sum(axis=1)
    first = frame(command, str(SESSION), "-n", "5", "-s", "total_bytes", "--columns", "total_bytes")
    assert first["total_bytes"].astype("int64").tolist() == everything.nlargest(5).tolist()


def test_sockets_have_a_duration_and_all_their_packets():
    made = frame(
        "sockets", str(SESSION), "--columns", "first,last,duration,sent_packets,received_packets,total_packets"
    )
    assert made["duration"].astype("int64").tolist() == durations(made).tolist()
    counts = made[["sent_packets", "received_packets", "total_packets"]].astype("int64")
    assert (counts["sent_packets"] + counts["received_packets"]).tolist() == counts["total_packets"].tolist()


def test_a_rate_that_is_not_known_comes_last_and_is_null_in_json():
    for order in ("bits_per_second", "+bits_per_second", "+duration"):
        done = fluxcap("flows", SESSION, "-s", order, "--columns", "duration,bits_per_second", "-f", "json")
        rates = [row["bits_per_second"] for row in json.loads(done.stdout, parse_constant=pytest.fail)["rows"]]
        unknown = sum(rate is None for rate in rates)
        assert 0 < unknown < len(rates)
        if order.endswith("bits_per_second"):
            assert rates[-unknown:] == [None] * unknown


def test_flows_have_them_as_they_end():
    columns = ("--columns", "src_port,dst_port,total_bytes,duration", "-f", "csv")
    ended = fluxcap("flows", SESSION, "--as-they-end", "--idle-timeout", "1m", *columns).stdout.splitlines()
    assert sorted(ended) == sorted(fluxcap("flows", SESSION, *columns).stdout.splitlines())


def test_a_wrong_name_is_refused_with_the_column_that_it_may_mean():
    assert "did you mean 'bits_per_second'" in error_lines(fluxcap("flows", SESSION, "-s", "bps").stderr)[1].lower()
    assert "total_bytes" in error_lines(fluxcap("packets", SESSION, "-s", "total_bytes").stderr)[0]
    assert "reverse_bits" in error_lines(fluxcap("hosts", SESSION, "-s", "reverse_bits_per_second").stderr)[0]


@pytest.mark.parametrize("command", ["flows", "connections", "sockets", "hosts"])
def test_help_names_them(command):
    assert "also duration" in " ".join(fluxcap(command, "--help").stdout.split())


# In SQL


def asked(query: str) -> list[dict[str, str]]:
    done = fluxcap("sql", query, SESSION)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return rows(done.stdout)


def test_a_query_has_the_columns_on_request_that_it_names():
    made = asked("SELECT bytes, epoch_ns(duration) AS d, bits_per_second FROM flows ORDER BY total_bytes DESC LIMIT 3")
    wanted = frame("flows", str(SESSION), "-n3", "-s", "total_bytes", "--columns", "bytes,duration,bits_per_second")
    assert [tuple(row.values()) for row in made] == [tuple(row) for row in wanted.itertuples(index=False)]
    assert [row["n"] for row in asked("SELECT count(*) AS n FROM hosts WHERE duration > INTERVAL 1 SECOND")] == ["4"]
    assert asked("SELECT last - first = duration AS same FROM flows LIMIT 1") == [{"same": "true"}]


def test_all_columns_are_those_of_every_table_and_a_name_that_the_query_gives_is_its_own():
    assert list(asked("FROM flows LIMIT 1")[0]) == fluxcap("flows", SESSION).stdout.splitlines()[0].split("\t")
    made = asked("SELECT *, 7 AS duration FROM flows ORDER BY duration LIMIT 1")[0]
    assert (made["duration"], "duration_1" in made) == ("7", False)


def test_a_misspelt_column_of_sql_is_answered_with_the_one_on_request():
    assert "'duration'" in fluxcap("sql", "SELECT duratin FROM flows", SESSION).stderr


# At a terminal


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_they_are_worded_for_people(columns):
    screen = terminal("flows", SESSION, "--columns", NAMES, "-s", "total_bytes", "-n", "1", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    row = next(line for line in screen.lines if "KiB" in line and "│" in line)
    assert re.split(r"  +", row.strip("│ ")) == ["483.0 µs", "12", "4.0 KiB", "26.7 Mbit/s", "40.4 Mbit/s"]


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_rate_that_is_not_known_is_blank(columns):
    screen = terminal("flows", SESSION, "--columns", "dst_port,duration,bits_per_second", "-s", "+duration", "-n", "1",
                      columns=columns)  # fmt: skip
    assert any(line.strip("│ ").endswith("0 ns") for line in screen.lines), screen.text
    assert "nan" not in screen.text


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("command", ["flows", "connections", "hosts"])
def test_people_see_the_column_that_rows_are_sorted_by(command, columns):
    shown = terminal(command, SESSION, "-s", "total_bytes", "-n", "1", columns=columns)
    assert "total" in shown.text
    assert max(map(len, shown.lines)) <= columns
    assert "total" not in terminal(command, SESSION, "-n", "1", columns=columns).text


@pytest.mark.parametrize("command", ["flows", "connections", "sockets"])
def test_a_name_that_was_asked_for_is_shown_however_narrow_the_terminal_and_long_another_name(command, tmp_path):
    capture = tmp_path / "names.pcap"
    hosts = ("short.test", 70 * "x")
    streams = (
        (syn(ports=(5000 + n, 80)), segment(request(host), ports=(5000 + n, 80))) for n, host in enumerate(hosts)
    )
    capture.write_bytes(pcap(records([frame for stream in streams for frame in stream])))
    assert "short.test" in terminal(command, capture, "--server-names", columns=80).text


@pytest.mark.parametrize(("column", "option"), [("payload", "--payload 64"), ("server_name", "--server-names")])
def test_a_column_that_an_option_adds_says_which(column, option):
    done = fluxcap("flows", SAMPLES / "office.pcap", "--columns", column)
    assert done.returncode == 2
    assert option in done.stderr
