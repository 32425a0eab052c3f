"""`fluxcap sockets`, in a pipe and at a terminal."""

import json

import pytest

from command_line import error_lines, fluxcap, rows, terminal
from real_captures import SAMPLES

SESSION = SAMPLES / "session.pcap"
SERVER = "192.0.2.2:8081"
LIFE = [
    *("bind", "listen", "accept", "read", "end of file", "write", "close (FIN)"),
]


def test_in_a_pipe_sockets_stand_in_the_order_of_their_first_records():
    done = fluxcap("sockets", SESSION)
    assert (done.returncode, done.stderr) == (0, "")
    first = rows(done.stdout)[:2]
    assert [(row["address"], row["role"], row["role_basis"]) for row in first] == [
        ("192.0.2.1", "connector", "syn"),
        ("192.0.2.2", "listener", "syn"),
    ]
    assert first[0]["first"].endswith("Z")


def test_at_a_terminal_the_listeners_of_most_connections_come_first():
    shown = terminal("sockets", SESSION).text
    lines = [line for line in shown.splitlines() if "listener" in line]
    assert ["192.0.2.2:8080" in lines[0], "51" in lines[0]] == [True, True]
    assert shown.index("listener") < shown.index("datagram") < shown.index("connector")
    assert "received" in shown  # the bytes of both directions have room first
    assert "more sockets" in shown
    assert "unanswered" in terminal("sockets", SESSION, columns=120).text


def test_sorted_as_asked():
    done = fluxcap("sockets", SESSION, "-s", "sent_payload_bytes", "-n", "1", "--columns", "port,sent_payload_bytes")
    assert [row["port"] for row in rows(done.stdout)] == ["8080"]


def test_the_life_of_a_socket():
    done = fluxcap("sockets", SESSION, "--life", SERVER)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["call"] for row in rows(done.stdout)] == LIFE
    whole = json.loads(fluxcap("sockets", SESSION, "--life", SERVER, "-f", "json").stdout)
    assert (whole["schema"], whole["socket"], [row["call"] for row in whole["rows"]]) == (1, SERVER, LIFE)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_life_of_a_socket_at_a_terminal(columns):
    screen = terminal("sockets", SESSION, "--life", SERVER, columns=columns)
    assert max(map(len, screen.lines)) <= columns
    calls = [line for line in screen.lines if line.startswith("│") and "packet" not in line]
    assert len(calls) == len(LIFE)
    assert all(call in line for call, line in zip(LIFE, calls, strict=True))
    assert "::" not in screen.text  # bind and listen have no peer


def test_a_socket_without_a_life_is_hinted_at():
    done = fluxcap("sockets", SESSION, "--life", "192.0.2.2:1")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "no record is from or to 192.0.2.2:1" in done.stderr


@pytest.mark.parametrize("socket", ["8080", "host:80", "192.0.2.2:x"])
def test_what_is_no_socket_is_wrong_usage(socket):
    done = fluxcap("sockets", SESSION, "--life", socket)
    assert (done.returncode, done.stdout) == (2, "")
    assert "write ADDRESS:PORT" in error_lines(done.stderr)[0]


def test_columns_are_those_of_the_table_that_is_asked_for():
    assert fluxcap("sockets", SESSION, "--life", SERVER, "--columns", "call,octets").returncode == 0
    assert fluxcap("sockets", SESSION, "--columns", "call").returncode == 2
    assert fluxcap("sockets", SESSION, "--life", SERVER, "--columns", "role").returncode == 2


@pytest.mark.parametrize(("options", "begins"), [(("-f", "mermaid"), "sequenceDiagram\n"), (("-f", "svg"), "<svg ")])
def test_the_life_of_a_socket_is_drawn_as_a_ladder(options, begins):
    done = fluxcap("sockets", SESSION, "--life", SERVER, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begins)
    assert "192.0.2.1:58562" in done.stdout


def test_the_suffix_of_the_output_decides_on_a_ladder(tmp_path):
    for name, begins in (("x.svg", "<svg "), ("x.mmd", "sequenceDiagram\n")):
        fluxcap("sockets", SESSION, "--life", SERVER, "-o", tmp_path / name)
        assert (tmp_path / name).read_text().startswith(begins)


def test_a_ladder_says_how_many_peers_it_leaves_out_and_needs_a_socket():
    done = fluxcap("sockets", SESSION, "--life", "192.0.2.2:8080", "-f", "mermaid")
    assert "50 other peers of 192.0.2.2:8080 not drawn" in done.stderr
    refused = fluxcap("sockets", SESSION, "-f", "svg")
    assert (refused.returncode, "--life ADDRESS:PORT" in error_lines(refused.stderr)[1]) == (2, True)
    piped = fluxcap("sockets", "-", "--life", SERVER, "-f", "svg", stdin=SESSION.read_bytes())
    assert (piped.returncode, "can be read only once" in piped.stderr) == (2, True)
    other = fluxcap("flows", SESSION, "-f", "svg")
    assert (other.returncode, "unknown format" in other.stderr) == (2, True)
