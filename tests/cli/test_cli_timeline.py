"""`fluxcap timeline`, in a pipe and at a terminal."""

import json

import pytest

from capture_files import Record, pcap
from client_and_server import datagram
from command_line import error_lines, fluxcap, rows, terminal
from fluxcap.values import bars
from real_captures import SAMPLES

OFFICE, SESSION = SAMPLES / "office.pcap", SAMPLES / "session.pcap"
COLUMNS = (
    "time packets bytes packets_per_second bits_per_second flows new_flows bad partial ip_bad retransmitted rtt_median"
)


def test_in_a_pipe_a_row_is_an_interval_of_a_second():
    done = fluxcap("timeline", SESSION)
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(done.stdout)
    assert list(found[0]) == COLUMNS.split()
    assert [(row["time"], row["packets"], row["bits_per_second"], row["rtt_median"]) for row in found[:2]] == [
        ("2026-11-25T13:04:52.000000000Z", "1059", "911760.0", "9000"),
        ("2026-11-25T13:04:53.000000000Z", "1", "592.0", ""),
    ]


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("by", [[], ["--by", "protocol"], ["--by", "verdict"], ["--by", "src_ip/24,dst_ip/24"]])
def test_at_a_terminal_it_fits_and_has_bars(columns, by):
    screen = terminal("timeline", OFFICE, "--interval", "30s", *by, columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    assert "22:13:30 " in screen.text
    room = columns > 80 or "/" not in "".join(by)  # two addresses leave none for the bars
    assert ("█" in screen.text, "bits/s  " in screen.text) == (room, not by)


def test_at_a_terminal_times_have_as_many_digits_as_they_need():
    assert "16:36:42.600 " in terminal("timeline", SAMPLES / "sockets.pcapng", "--interval", "100ms").text


def test_the_line_of_heights_has_all_intervals_and_the_greatest_rate():
    screen = terminal("timeline", OFFICE, "--interval", "30s", "-n", "1")
    (line,) = [line for line in screen.lines if line.startswith("bits/s")]
    heights = line.split()[1]
    assert (len(heights), max(heights), line.split()[2:]) == (21, "█", ["6.6", "kbit/s"])
    assert "20 more intervals" in screen.text


def test_sorted_and_chosen_columns():
    done = fluxcap(
        "timeline", OFFICE, "--interval", "1m", "-s", "bits_per_second", "-n", "1", "--columns", "time,bytes"
    )
    assert done.stdout.splitlines()[1].startswith("2023-11-14T22:22:00")


def test_json_and_sql_have_the_same_rows():
    whole = json.loads(fluxcap("timeline", SESSION, "-f", "json").stdout)
    assert (whole["interval"], whole["rows"][1]["rtt_median"]) == (1_000_000_000, None)
    asked = rows(fluxcap("sql", "SELECT time, packets, retransmitted FROM timeline", SESSION).stdout)
    written = [(row["time"], str(row["packets"]), str(row["retransmitted"])) for row in whole["rows"]]
    assert [(row["time"], row["packets"], row["retransmitted"]) for row in asked] == written


@pytest.mark.parametrize("query", [[], ["SELECT 1 FROM timeline"]])
def test_a_capture_of_forty_years_needs_longer_intervals(tmp_path, query):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap([Record(datagram(False), years * 365 * 86400 * 10**9) for years in (0, 40)]))
    done = fluxcap("sql" if query else "timeline", *query, path)
    error, advice = error_lines(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")
    assert error == "error: 1,261,440,001 intervals, and a timeline has 1,000,000 rows at most"
    assert advice == "help: Take an interval of 30m or more"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "dst_prt"], "error: unknown key field 'dst_prt'"),
        (["--interval", "0s"], "error: --interval must be at least 1 ns and at most 292 years, not '0s'"),
        (["--by", "verdict", "-s", "flows"], "error: unknown column 'flows'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_read(arguments, said):
    done = fluxcap("timeline", SESSION, *arguments)
    assert (done.returncode, error_lines(done.stderr)[0]) == (2, said)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([0, 0], ["", ""]),
        ([1, 2, 4], ["█", "██", "████"]),
        ([1, 1000], ["▏", "████"]),
        ([3, 8], ["█▌", "████"]),
    ],
)
def test_a_bar_is_as_long_as_its_value(values, expected):
    assert bars.bars(values, 4) == expected


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([], 5, ""),
        ([0, 0], 5, "▁▁"),
        ([0, 1, 4, 8], 5, "▁▂▅█"),
        ([1, 1, 0, 0, 8, 2], 3, "▂▁█"),
        ([5.0] * 100, 60, "█" * 60),
    ],
)
def test_a_line_has_the_greatest_of_the_values_that_share_a_character(values, width, expected):
    assert bars.line(values, width) == expected
