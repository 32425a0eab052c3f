"""`fluxcap hosts`, in a pipe and at a terminal."""

import json

import pytest

from command_line import error_lines, fluxcap, rows, terminal
from real_captures import SAMPLES

OFFICE, SESSION = SAMPLES / "office.pcap", SAMPLES / "session.pcap"
COLUMNS = (
    "address packets bytes sent_packets sent_bytes received_packets received_bytes peers listening ports first last"
)


def test_in_a_pipe_hosts_stand_in_the_order_of_their_first_records():
    done = fluxcap("hosts", OFFICE)
    assert (done.returncode, done.stderr) == (0, "")
    first = rows(done.stdout)[:2]
    assert list(first[0]) == COLUMNS.split()
    assert [(row["address"], row["ports"]) for row in first] == [("192.0.2.107", ""), ("192.0.2.53", "53/udp")]
    assert first[0]["first"] == "2023-11-14T22:13:20.489030000Z"


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_at_a_terminal_the_hosts_of_most_bytes_come_first(columns):
    screen = terminal("hosts", OFFICE, "-n", "3", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    assert "host " in screen.text
    assert "socket" not in screen.text
    assert screen.text.index("203.0.113.30") < screen.text.index("198.51.100.10") < screen.text.index("198.51.100.20")
    assert "443/tcp" in screen.text
    assert "15 more hosts" in screen.text


def test_networks_and_mac_addresses():
    networks = rows(fluxcap("hosts", OFFICE, "--by", "address/24").stdout)
    assert [row["address"] for row in networks] == ["192.0.2.0", "198.51.100.0", "203.0.113.0"]
    macs = rows(fluxcap("hosts", SESSION, "--by", "mac", "-s", "+packets", "--columns", "mac,packets").stdout)
    assert [row["mac"] for row in macs][:2] == ["ff:ff:ff:ff:ff:ff", "33:33:ff:00:00:02"]
    assert [row["packets"] for row in macs] == ["1", "1", "1094", "1096"]


@pytest.mark.parametrize("columns", [80, 200])
def test_mac_addresses_at_a_terminal(columns):
    screen = terminal("hosts", SESSION, "--by", "mac", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    assert "02:00:00:00:00:01" in screen.text


def test_json_and_sql_have_the_same_hosts():
    whole = json.loads(fluxcap("hosts", OFFICE, "-f", "json").stdout)
    asked = rows(fluxcap("sql", "SELECT address, bytes, ports FROM hosts", OFFICE).stdout)
    assert [(row["address"], str(row["bytes"]), row["ports"]) for row in whole["rows"]] == [
        (row["address"], row["bytes"], row["ports"]) for row in asked
    ]


@pytest.mark.parametrize(
    ("arguments", "said", "help"),
    [
        (["--by", "macs"], "error: unknown kind of host 'macs'", "Did you mean 'mac'? known are: address, mac"),
        (["--by", "mac", "-s", "listening"], "error: unknown column 'listening'", "Known are: mac, packets"),
        (["--columns", "port"], "error: unknown column 'port'", "Did you mean 'ports'?"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_read(arguments, said, help):
    done = fluxcap("hosts", SESSION, *arguments)
    assert done.returncode == 2
    error, advice = error_lines(done.stderr)
    assert error == said
    assert help in advice


def test_a_cut_input_is_exit_code_3():
    done = fluxcap("hosts", SAMPLES / "cut-inside-a-record.pcap")
    assert done.returncode == 3
    assert "cut-inside-a-record.pcap" in done.stderr
