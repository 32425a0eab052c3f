"""What the tables of single commands show people, at terminals of three widths."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import pytest

import builders as b
from capture_files import pcap, records
from command_line import COMMAND, ESCAPE, PATIENCE, environment, terminal, wait_until_read
from tcp_talks import records as talk

WIDTHS = [80, 100, 200]
SAMPLES = Path(__file__).parents[2] / "samples"
TALKS = {  # as tests/support/tcp_talks.py writes them, with what became of each
    "closed": ">S <SA >A >D10 >D10@-10 <A <F >F",
    "refused": ">S <RA",
    "no answer": ">S",
    "client reset": ">S <SA >A >R",
    "server reset": ">S <SA >A <R",
    "open": ">S <SA >A >D10",
    "midstream": ">D10 <A",
}


def lines(*arguments, columns: int = 100) -> list[str]:
    return terminal(*arguments, columns=columns, env={"NO_COLOR": "1"}).lines


def row_with(shown: list[str], word: str) -> str:
    return next(line for line in shown if word in line)


# Connections


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    path = tmp_path / "talks.pcap"
    made = [one for n, line in enumerate(TALKS.values()) for one in talk(line, client=("192.0.2.1", 40000 + n))]
    path.write_bytes(pcap(made))
    return path


@pytest.mark.parametrize("columns", WIDTHS)
def test_connections_lead_with_the_outcome_in_words_the_round_trip_and_what_was_sent_again(talks, columns):
    shown = lines("connections", talks, columns=columns)
    titles = next(line for line in shown if "destination" in line)
    assert re.search(r"destination +state +rtt( +rtt)? +retrans ", titles), titles
    for port, outcome in enumerate(TALKS, 40000):
        assert outcome in row_with(shown, f":{port}")
    assert re.search(r"closed( +1\.0 ms)+ +1 ", row_with(shown, ":40000"))


def test_80_columns_show_what_either_side_sent_again_and_the_bytes_of_both(tmp_path):
    client, server = ("203.0.113.201", 40000), ("203.0.113.202", 8080)
    path = tmp_path / "again.pcap"
    path.write_bytes(
        pcap(talk(">S <SA >A >D10 >D10@-10 <D1000 <D1000@-1000 <D1000@-1000", client=client, server=server))
    )
    shown = lines("connections", path, columns=80)
    titles = next(line for line in shown if "destination" in line)
    assert re.search(r"state +rtt +retrans +retrans( +packets)? +bytes +bytes", titles), titles
    assert re.search(r"1 +2 ", row_with(shown, ":40000"))


def test_the_state_asked_for_by_name_has_the_letters_of_zeek(talks):
    assert "SF" in row_with(lines("connections", "--columns", "src_port,state", talks), "40000")


def test_flows_of_udp_are_answered_or_not(tmp_path):
    path = tmp_path / "udp.pcap"
    asked = b.ethernet(b.ipv4(b.udp(b"?", 40000, 53)))
    answer = b.ethernet(b.ipv4(b.udp(b"!", 53, 40000), "192.0.2.2", "192.0.2.1"))
    unheard = b.ethernet(b.ipv4(b.udp(b"?", 40001, 53)))
    path.write_bytes(pcap(records([asked, answer, unheard])))
    shown = lines("connections", path)
    assert "answered" in row_with(shown, ":40000")
    assert "no answer" in row_with(shown, ":40001")


# Records without IP, networks, intervals


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_record_without_ip_is_blank_where_others_have_addresses(columns, tmp_path):
    path = tmp_path / "mixed.pcap"
    arp = b.ethernet(bytes(28), ethertype=0x0806)
    solicitation = b.ethernet(b.ipv6(b.udp(b"x"), src="::"))
    path.write_bytes(pcap(records([arp, solicitation])))
    asked = "packet,src_ip,dst_ip,src_port,ttl,verdict"
    for arguments in ((), ("--columns", asked), ("--columns", "packet,src_ip")):
        rows = [line for line in lines("packets", path, *arguments, columns=columns) if re.match("│ +[12] ", line)]
        assert "::" not in rows[0]
        assert "none" not in rows[0]
        assert "::" in rows[1], "an address of zeros is one where there is an IP header"


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("options", [(), ("--columns", "src_ip,dst_port,bytes")])
def test_networks_show_their_prefix_length(columns, options):
    text = "\n".join(
        lines("flows", SAMPLES / "session.pcap", "--by", "src_ip/24/64,dst_port", *options, columns=columns)
    )
    assert "192.0.2.0/24 " in text
    assert "2001:db8::/64 " in text


def test_hosts_that_are_networks_show_their_prefix_length_too():
    text = "\n".join(lines("hosts", SAMPLES / "session.pcap", "--by", "address/24/64"))
    assert "192.0.2.0/24 " in text
    assert "2001:db8::/64 " in text


def test_only_what_is_a_network_shows_a_prefix_length():
    text = "\n".join(lines("flows", SAMPLES / "session.pcap", "--by", "src_ip/24,dst_ip", columns=200))
    assert "192.0.2.0/24 " in text
    assert "2001:db8::1 " in text
    assert "192.0.2.2 " in text


@pytest.mark.parametrize("columns", WIDTHS)
def test_intervals_stand_in_the_order_of_time_the_biggest_first_in_each(columns):
    shown = lines("flows", SAMPLES / "office.pcap", "--interval", "5m", "--by", "protocol", columns=columns)
    rows = [line for line in shown if re.search(r"\d\d:\d\d:00\.000", line)]
    found = [(re.search(r"\d\d:\d\d:00", row)[0], re.search("TCP|UDP", row)[0]) for row in rows]
    assert found == [(time, name) for time in ("22:10:00", "22:15:00", "22:20:00") for name in ("TCP", "UDP")]


# Ctrl-C


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ["flows", "connections", "sockets", "packets", "check", "info"])
def test_ctrl_c_leaves_a_footer(command, columns):
    """The command waits for more of a pipe that has given it one whole capture."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, command, "-"], stdin=subprocess.PIPE, stdout=slave, stderr=slave, env=environment(NO_COLOR="1")
    ) as process:
        os.close(slave)
        process.stdin.write((SAMPLES / "verdicts.pcap").read_bytes())
        process.stdin.flush()
        wait_until_read(process.stdin.fileno())
        process.send_signal(signal.SIGINT)
        sent = b""
        with suppress(OSError):
            while octets := os.read(master, 1 << 16):
                sent += octets
        os.close(master)
        assert process.wait(PATIENCE) == 130
    assert "… interrupted: what was read before is shown" in ESCAPE.sub("", sent.decode()).replace("\r", "").split("\n")


def test_without_ctrl_c_there_is_no_such_footer():
    for command in ("flows", "packets", "check", "info"):
        assert "interrupted" not in "\n".join(lines(command, SAMPLES / "verdicts.pcap"))
