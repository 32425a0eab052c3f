"""Sockets as the ends of connections: their roles and outcomes."""

import pickle
import re
from collections import defaultdict

import duckdb
import numpy as np
import polars as pl
import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from client_and_server import A, F, R, S, client, datagram, opened, segment, server, unreachable
from real_captures import SAMPLES
from tshark import needs_tshark, tshark

# The columns of the contract.
COLUMNS = (
    "protocol address port role peers connections accepted refused unanswered first last sent_packets"
    " sent_payload_bytes received_packets received_payload_bytes fin rst open unreachable role_basis"
)
CAPTURES = ["session.pcap", "servers.pcap", "sockets.pcapng", "multicast-membership.pcap", "verdicts.pcap"]
WITH_PORTS = (6, 17, 33, 132, 136)
# States of Zeek: whether a connection was accepted, refused, or not answered.
OUTCOMES = {
    **dict.fromkeys(("S1", "SF", "S2", "S3", "RSTO", "RSTR", "RSTRH", "SHR"), "accepted"),
    **dict.fromkeys(("S0", "SH", "RSTOS0"), "unanswered"),
    "REJ": "refused",
}

# Packets and bytes in all, sent and received, and packets sent and received.
ENDPOINT = re.compile(r"(\S+) +(\d+) +\d+ +\d+ +(\d+) +\d+ +(\d+) +\d+ *")

each_capture = pytest.mark.parametrize("name", CAPTURES)


def rows(table: fluxcap.SocketTable) -> list[dict]:
    return table.to_pandas().to_dict("records")


def sockets(packets: list[bytes]) -> dict[int, dict]:
    """The rows by port."""
    return {row["port"]: row for row in rows(fluxcap.read_sockets(pcap(records(packets))))}


def outcome(connection: dict) -> str:
    if connection["reverse_packets"] == 0 and connection["unreachable"]:
        return "refused"
    if connection["protocol"] == 6:
        return OUTCOMES.get(connection["state"], "")
    return "" if connection["reverse_packets"] else "unanswered"


def gathered(connections: list[dict]) -> list[dict]:
    """The sockets of these connections, made one connection after the other."""
    found: dict[tuple, dict] = {}
    peers = defaultdict(set)
    for c in connections:
        if c["protocol"] not in WITH_PORTS:
            continue
        ends = [(c["protocol"], c["src_ip"], c["src_port"]), (c["protocol"], c["dst_ip"], c["dst_port"])]
        for end, other, out, back in ((*ends, "", "reverse_"), (*ends[::-1], "reverse_", "")):
            row = found.setdefault(end, defaultdict(int, first=c["first"], last=c["last"]))
            peers[end].add(other)
            row["connections"] += 1
            row[outcome(c)] += 1
            row["first"], row["last"] = min(row["first"], c["first"]), max(row["last"], c["last"])
            row["sent_packets"] += c[f"{out}packets"]
            row["sent_payload_bytes"] += c[f"{out}payload_bytes"]
            row["received_packets"] += c[f"{back}packets"]
            row["received_payload_bytes"] += c[f"{back}payload_bytes"]
            row["unreachable"] += c[f"{back}unreachable"]
            row["fin"] += c[f"{out}tcp_flags"] & 1
            row["rst"] += c[f"{out}tcp_flags"] >> 2 & 1
    return [
        {"protocol": key[0], "address": key[1], "port": key[2], "peers": len(peers[key]), **row}
        for key, row in found.items()
    ]


@each_capture
def test_a_socket_sums_up_its_connections(name):
    table = rows(fluxcap.read_sockets(SAMPLES / name))
    expected = gathered(fluxcap.read_connections(SAMPLES / name).to_pandas().to_dict("records"))
    assert len(table) == len(expected)
    for ours, theirs in zip(table, expected, strict=True):
        theirs.pop("", None)
        assert {key: ours[key] for key in theirs} == theirs
        assert sum(ours[key] for key in ("accepted", "refused", "unanswered")) <= ours["connections"]


@needs_tshark
@pytest.mark.parametrize("name", ["session.pcap", "servers.pcap", "any-interface-sll.pcap", "port-refused.pcap"])
@pytest.mark.parametrize(("protocol", "number"), [("tcp", 6), ("udp", 17)])
def test_tshark_counts_as_many_packets_each_way(name, protocol, number):
    lines = tshark(SAMPLES / name, "-q", "-z", f"endpoints,{protocol}")
    counts = [found.groups() for line in lines if (found := ENDPOINT.fullmatch(line))]
    theirs = {(address, int(port)): (int(sent), int(received)) for address, port, sent, received in counts}
    table = fluxcap.read_sockets(SAMPLES / name)
    ours = {
        (row["address"], row["port"]): (row["sent_packets"], row["received_packets"])
        for row in rows(table.filter(table["protocol"] == number))
    }
    assert ours == theirs


def test_the_columns_and_their_types():
    table = fluxcap.read_sockets(SAMPLES / "session.pcap")
    assert table.columns == tuple(COLUMNS.split())
    assert (table["address"].dtype, table["address"].shape) == (np.uint8, (len(table), 16))
    small = {"protocol": np.uint8, "port": np.uint16, "role": np.uint8, "role_basis": np.uint8}
    times = dict.fromkeys(("first", "last"), np.int64)
    for name in table.columns:
        assert table[name].dtype == {**small, **times, "address": np.uint8}.get(name, np.uint64), name
    assert table["first"].tolist() == sorted(table["first"].tolist())


ROLES = {
    "who answers a SYN": ([client(S, 1), server(S | A, 5)], {40000: "connector", 80: "listener"}),
    "who refuses is none, as far as is known": ([client(S, 1), server(R | A, 0)], {40000: "connector", 80: "none"}),
    "who says nothing neither": ([client(S, 1)], {40000: "connector", 80: "none"}),
    "who refuses one and accepts another": (
        [client(S, 1), server(R | A, 0), *opened()],
        {40000: "connector", 80: "listener"},
    ),
    "who listens and connects": (
        [
            *opened(),
            segment("192.0.2.2", "192.0.2.9", 80, 7, S, 1, 0),
            segment("192.0.2.9", "192.0.2.2", 7, 80, S | A, 1, 0),
        ],
        {40000: "connector", 80: "both", 7: "listener"},
    ),
    "UDP": ([datagram(False), datagram(True)], {40000: "datagram", 80: "datagram"}),
}


@pytest.mark.parametrize(("packets", "roles"), ROLES.values(), ids=ROLES)
def test_the_role(packets, roles):
    assert {port: row["role"] for port, row in sockets(packets).items()} == roles


# One connection: the columns of the server's socket that are not 0.
OUTCOME_CASES = {
    "open": (opened(), {"accepted": 1, "open": 1}),
    "half open": ([*opened(), client(F | A, 101)], {"accepted": 1, "open": 1}),
    "closed": ([*opened(), client(F | A, 101), server(F | A, 901), client(A, 102)], {"accepted": 1, "fin": 1}),
    "reset by the client": ([*opened(), client(R, 101)], {"accepted": 1}),
    "reset by the server": ([*opened(), server(R | A, 901)], {"accepted": 1, "rst": 1}),
    "refused": ([client(S, 1), server(R | A, 0)], {"refused": 1, "rst": 1}),
    "refused by ICMP": ([client(S, 1), unreachable(client(S, 1))], {"refused": 1, "unreachable": 1}),
    "not answered": ([client(S, 1)] * 3, {"unanswered": 1}),
    "under way": ([server(A, 900, 5), client(A, 100, 6)], {"open": 1}),
    "UDP answered": ([datagram(False), datagram(True)], {}),
    "UDP not answered": ([datagram(False)], {"unanswered": 1}),
    "UDP refused": ([datagram(False), unreachable(datagram(False))], {"refused": 1, "unreachable": 1}),
}


@pytest.mark.parametrize(("packets", "expected"), OUTCOME_CASES.values(), ids=OUTCOME_CASES)
def test_what_became_of_a_connection(packets, expected):
    names = ("accepted", "refused", "unanswered", "open", "fin", "rst", "unreachable")
    row = sockets(packets)[80]
    assert {name: row[name] for name in names if row[name]} == expected
    assert row["connections"] == row["peers"] == 1


def test_the_best_basis_of_its_connections_is_that_of_a_socket():
    under_way = [segment("192.0.2.9", "192.0.2.2", 9, 80, A, 1, 5), segment("192.0.2.2", "192.0.2.9", 80, 9, A, 1, 5)]
    assert sockets(under_way)[80]["role_basis"] == "port"
    assert sockets([*under_way, *opened()])[80]["role_basis"] == "syn"
    assert sockets([*opened(), *under_way])[80]["role_basis"] == "syn"


def test_an_answer_with_a_bad_checksum_is_none_unless_checksums_are_ignored():
    capture = pcap(records([client(S, 1), server(S | A, 5, checksum=0x0BAD)]))
    ignoring, heeding = (fluxcap.read_sockets(capture, ignore_checksums=ignored) for ignored in (True, False))
    assert (ignoring["accepted"].tolist(), ignoring["unanswered"].tolist()) == ([1, 1], [0, 0])
    assert (heeding["accepted"].tolist(), heeding["unanswered"].tolist()) == ([0, 0], [1, 1])


def test_the_same_ports_again_are_another_connection_and_no_other_peer():
    row = sockets([*opened(), client(F | A, 101), server(F | A, 901), client(A, 102), *opened(5000, 6000)])[80]
    assert (row["connections"], row["accepted"], row["peers"], row["open"]) == (2, 2, 1, 1)


def test_port_0_and_groups_are_kept_and_what_has_no_ports_is_not():
    packets = [
        b.ethernet(b.ipv4(b.udp(b"x", 0, 0), "192.0.2.1", "233.252.0.1")),
        b.ethernet(b.ipv4(b.icmp(b"ping"), "192.0.2.1", "192.0.2.2")),
        b.ethernet(b.ipv4(bytes(8), "192.0.2.1", "192.0.2.2", protocol=89)),
        b.ethernet(b.ipv4(b.sctp(b"x", 4000, 80), "192.0.2.1", "192.0.2.2")),
    ]
    table = rows(fluxcap.read_sockets(pcap(records(packets))))
    assert [(row["protocol"], row["address"], row["port"]) for row in table] == [
        *((17, "192.0.2.1", 0), (17, "233.252.0.1", 0)),
        *((132, "192.0.2.1", 4000), (132, "192.0.2.2", 80)),
    ]
    assert {row["role"] for row in table} == {"datagram"}


def test_a_socket_may_talk_to_itself():
    row = sockets([b.ethernet(b.ipv4(b.udp(b"x", 7, 7), "192.0.2.1", "192.0.2.1"))])[7]
    assert (row["peers"], row["sent_packets"], row["received_packets"]) == (1, 1, 1)


def test_a_capture_without_packets_has_no_sockets():
    table = fluxcap.read_sockets(pcap([]))
    assert (len(table), table.columns) == (0, tuple(COLUMNS.split()))
    assert table.to_pandas().empty


def test_other_programs_take_it_as_a_table():
    found = fluxcap.read_sockets(SAMPLES / "session.pcap")
    ours = [(row["address"], row["port"]) for row in rows(found) if row["role"] == "listener"]
    query = "SELECT address, port FROM found WHERE role = 'listener' ORDER BY ALL"
    assert duckdb.sql(query).fetchall() == sorted(ours)
    assert pl.DataFrame(found).filter(pl.col("role") == "listener").height == len(ours)
    assert found.to_arrow().num_rows == len(found)
    assert pickle.loads(pickle.dumps(found)) == found


def test_what_came_before_damage_is_there():
    cut = pcap(records([*opened(), client(A, 101, 5)]))[:-1]
    with pytest.raises(fluxcap.TruncatedError) as caught:
        fluxcap.read_sockets(cut, on_damage="raise")
    assert isinstance(caught.value.partial, fluxcap.SocketTable)
    assert caught.value.partial["accepted"].tolist() == [1, 1]
