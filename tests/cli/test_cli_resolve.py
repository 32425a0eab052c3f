"""--resolve services: names beside ports for people, in columns of their own for programs."""

import json
import re

import pytest

import builders as b
from capture_files import pcap, records
from command_line import error_lines, fluxcap, rows, terminal
from real_captures import SAMPLES

OFFICE, SESSION = SAMPLES / "office.pcap", SAMPLES / "session.pcap"
WIDTHS = [80, 100, 200]
NAMED = {
    "flows": ["protocol_name", "src_service", "dst_service"],
    "connections": ["protocol_name", "src_service", "dst_service"],
    "packets": ["protocol_name", "src_service", "dst_service"],
    "sockets": ["protocol_name", "service"],
    "hosts": [],
}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", NAMED)
def test_people_see_the_name_beside_the_port(command, columns):
    screen = terminal(command, OFFICE, "--resolve", "services", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    assert ("443/https" if command == "hosts" else ":443/https") in screen.text
    assert not re.search(":443 |443/tcp", screen.text)
    assert "https" not in terminal(command, OFFICE, columns=columns).text


@pytest.mark.parametrize("columns", WIDTHS)
def test_ports_that_are_asked_for_by_name_have_theirs_too(columns):
    for command in ("packets", "flows"):
        screen = terminal(command, OFFICE, "--resolve", "services", "--columns", "dst_port", "-n0", columns=columns)
        cells = {line.strip("│ ") for line in screen.lines}
        assert {"53/domain", "443/https"} <= cells
        assert {"53", "443"}.isdisjoint(cells)


def test_a_port_has_the_name_of_its_own_protocol(tmp_path):
    path = tmp_path / "log.pcap"
    path.write_bytes(
        pcap(records([b.ethernet(b.ipv4(b.udp(b"", 40000, 514))), b.ethernet(b.ipv4(b.tcp(b"", 1, 514)))]))
    )
    done = fluxcap("packets", path, "--resolve", "services", "--columns", "dst_port", "-f", "table")
    assert re.findall(r"514/\w+", done.stdout) == ["514/syslog", "514/shell"]


def test_a_key_without_a_protocol_has_the_name_that_all_protocols_agree_on():
    assert ":443/https" in terminal("flows", OFFICE, "--by", "dst_port", "--resolve", "services").text


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_life_of_a_socket_names_its_peers(columns):
    screen = terminal("sockets", OFFICE, "--life", "192.0.2.111:54514", "--resolve", "services", columns=columns)
    assert "443/https" in screen.text


@pytest.mark.parametrize("command", NAMED)
def test_programs_get_columns_behind_the_others(command):
    plain, named = (rows(fluxcap(command, OFFICE, *more).stdout) for more in ((), ("--resolve", "services")))
    assert list(named[0]) == [*plain[0], *NAMED[command]]
    assert [{name: row[name] for name in plain[0]} for row in named] == plain
    for row in named:
        for name in set(NAMED[command]) - {"protocol_name"}:
            port = (row["protocol"], row[name.replace("service", "port")])
            assert row[name] == {("17", "53"): "domain", ("6", "443"): "https"}.get(port, row[name])
            assert (row[name] == "") or int(port[1]) < 49152


def test_only_the_columns_that_are_asked_for_are_written():
    named = fluxcap("packets", OFFICE, "--resolve", "services", "--columns", "dst_service,packet", "-n", "3").stdout
    assert named.splitlines() == ["dst_service\tpacket", "domain\t1", "\t2", "https\t3"]
    assert fluxcap("packets", OFFICE, "-s", "+dst_service", "--columns", "dst_service", "-n", "1").stdout == (
        "dst_service\n\n"
    )
    for more in ((), ("--as-they-end", "--idle-timeout", "1m")):
        done = fluxcap("flows", OFFICE, "--resolve", "services", "-f", "ndjson", *more)
        assert "https" in {json.loads(line)["dst_service"] for line in done.stdout.splitlines()}


def test_sql_has_the_names_that_it_asks_for():
    done = fluxcap("sql", "SELECT dst_service, count(*) AS n FROM flows WHERE dst_port = 443 GROUP BY 1", OFFICE)
    assert rows(done.stdout) == [{"dst_service": "https", "n": "144"}]


def test_names_of_hosts_are_not_looked_up():
    assert "invalid choice: 'hosts'" in error_lines(fluxcap("flows", OFFICE, "--resolve", "hosts").stderr)[0]
