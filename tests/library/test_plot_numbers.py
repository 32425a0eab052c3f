"""The numbers behind the pictures, beside sums over the rows of the tables that they are made of."""

from collections import Counter
from ipaddress import ip_address
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given, strategies

import fluxcap
from fluxcap import plot
from fluxcap.plot import charts, numbers
from fluxcap.values import text
from pages import many_hosts
from real_captures import SAMPLES
from tcp_talks import talk

CAPTURES = ["office.pcap", "session.pcap", "servers.pcap", "encapsulations.pcap", "every-transport-good-and-bad.pcap"]
PROTOCOLS = {6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMPv6"}
each_capture = pytest.mark.parametrize("name", CAPTURES)


def rows_of(table):
    columns = {name: table[name].tolist() for name in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def rows_of_numbers(found):
    return list(zip(*(values for name, values in found.items() if name != numbers.FLOW), strict=True))


def columns_of(found, *columns):
    return zip(*(found[name] for name in columns), strict=True)


def address(octets):
    one = ip_address(bytes(octets))
    return str(one.ipv4_mapped or one)


def both(row, name):
    return row[name] + row[f"reverse_{name}"]


@each_capture
@pytest.mark.parametrize("step", ["1s", "1m"])
def test_throughput_counts_every_byte_of_every_record_in_its_interval(name, step):
    found = numbers.throughput(fluxcap.read_timeline(SAMPLES / name, step, by="protocol"))
    length = {"1s": 10**9, "1m": 60 * 10**9}[step]
    octets, packets = Counter(), Counter()
    for row in rows_of(fluxcap.read_packets(SAMPLES / name)):
        start = row["time"] // length * length
        octets[start] += row["wire_length"]
        packets[start] += 1
    assert found["bytes"] == [octets[start] for start in found["start"]]
    assert found["packets"] == [packets[start] for start in found["start"]]
    assert (sum(found["packets"]), {b - a for a, b in pairwise(found["start"])} <= {length}) == (packets.total(), True)
    parts = [values for kind, values in found.items() if kind not in ("start", "packets", "bytes")]
    assert list(map(sum, zip(*parts, strict=True))) == found["bytes"]


@each_capture
def test_verdicts_over_time_are_those_of_the_whole_capture(name):
    found = numbers.verdicts(fluxcap.read_timeline(SAMPLES / name, "10s", by="verdict"))
    judged = fluxcap.read_checksums(SAMPLES / name)
    totals = sum((Counter(counts) for counts in judged.verdicts.values()), Counter())
    for verdict in ("good", "partial", "bad"):
        assert sum(found[verdict]) == totals.pop(verdict, 0)
    assert sum(found["other"]) == totals.total() - totals["none"]
    assert sum(found["bad IPv4 header"]) == judged.ip_verdicts["bad"]


@each_capture
def test_conversations_are_sums_over_pairs_of_addresses(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    sums = {}
    for row in rows_of(connections):
        pair = frozenset((address(row["src_ip"]), address(row["dst_ip"])))
        sums.setdefault(pair, Counter()).update(connections=1, packets=both(row, "packets"), bytes=both(row, "bytes"))
    found = rows_of_numbers(numbers.conversations(connections))
    assert len(found) == min(len(sums), numbers.LISTED)
    for here, there, *counts in found:
        assert counts == list(sums[frozenset((here, there))].values())
    assert [row[-1] for row in found] == sorted((one["bytes"] for one in sums.values()), reverse=True)[: len(found)]


@each_capture
def test_hosts_are_those_of_the_table_with_most_bytes(name):
    table = fluxcap.read_hosts(SAMPLES / name).sort("bytes").head(numbers.LISTED)
    found = numbers.hosts(table)
    assert found["sent_bytes"] == table["sent_bytes"].tolist()
    assert found["address"] == [address(one) for one in table["address"]]


@each_capture
def test_ports_are_sums_over_clients_and_server_ports(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    sums = {}
    for row in rows_of(connections):
        if row["protocol"] in (6, 17):
            port = f"{row['dst_port']}/{PROTOCOLS[row['protocol']].lower()}"
            cell = sums.setdefault((address(row["src_ip"]), port), Counter())
            cell.update(connections=1, packets=both(row, "packets"), bytes=both(row, "bytes"))
    for client, port, *counts in rows_of_numbers(numbers.ports(connections)):
        if port.endswith(("/tcp", "/udp")):
            assert counts == list(sums[client, port].values())


def test_among_very_many_clients_and_ports_some_are_shown():
    found = numbers.ports(fluxcap.read_connections(many_hosts(3000)))
    assert found["bytes"]
    assert found["bytes"] == sorted(found["bytes"], reverse=True)
    assert max(len(set(found[name])) for name in ("client", "port")) <= numbers.LISTED


def test_one_side_of_a_connection_that_began_before_is_no_answer():
    found = numbers.servers(fluxcap.read_connections(many_hosts(100)))
    tcp = [row for row in rows_of_numbers(found) if row[0] == "TCP"]
    assert {tuple(counts) for _, _, *counts in tcp} == {(0, 0, 0, 1)}


@each_capture
def test_outcomes_and_servers_count_every_connection_once(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    rows = rows_of(connections)
    assert sum(numbers.outcomes(connections)["connections"]) == len(rows)
    asked = Counter((address(row["dst_ip"]), row["dst_port"]) for row in rows if row["protocol"] == 6)
    for protocol, socket, *counts in rows_of_numbers(numbers.servers(connections)):
        if protocol == "TCP":
            host, _, port = socket.rpartition(":")
            assert sum(counts) == asked[host.strip("[]"), int(port)]


def test_a_port_that_icmp_calls_unreachable_is_refused_in_both_pictures():
    connections = fluxcap.read_connections(SAMPLES / "port-refused.pcap")
    outcome, server = numbers.outcomes(connections), numbers.servers(connections)
    assert ("UDP", "refused") in zip(outcome["protocol"], outcome["outcome"], strict=True)
    assert dict(zip(server["protocol"], server["refused"], strict=True))["UDP"] > 0


@each_capture
def test_the_curve_of_sizes_counts_connections_at_least_as_large(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    sizes = [both(row, "bytes") for row in rows_of(connections)]
    found = numbers.flow_sizes(connections)
    assert found["connections"] == [sum(size >= least for size in sizes) for least in found["bytes"]]
    assert (found["bytes"][0], found["bytes"][-1]) == (min(sizes), max(sizes))


@each_capture
def test_every_known_handshake_is_in_one_span_of_times(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    found = numbers.handshakes(connections)
    for end, column in (("server", "synack_rtt"), ("client", "ack_rtt")):
        known = [time for time in connections[column].tolist() if time > 0]
        spans = zip(found["from_ns"], found["to_ns"], strict=True)
        assert found[end] == [sum(start <= time < after for time in known) for start, after in spans]
        assert sum(found[end]) == len(known)


@each_capture
def test_every_answered_request_is_in_one_span_of_times(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    found = numbers.responses(connections)
    for protocol, kind in ((6, "TCP"), (17, "UDP")):
        known = [
            row["response_time"]
            for row in rows_of(connections)
            if row["protocol"] == protocol and row["response_time"] > 0
        ]
        spans = zip(found["from_ns"], found["to_ns"], strict=True)
        assert found[kind] == [sum(start <= time < after for time in known) for start, after in spans]
        assert sum(found[kind]) == len(known)


@each_capture
def test_the_sockets_that_keep_clients_waiting_have_the_medians_of_their_connections(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    times = {}
    for at, row in enumerate(rows_of(connections)):
        if row["response_time"] >= 0:
            end = text.socket(address(row["dst_ip"]), row["dst_port"])
            times.setdefault((PROTOCOLS[row["protocol"]], end), []).append(
                (row["synack_rtt"], row["response_time"], at)
            )
    expected = {}
    for socket, some in times.items():
        handshakes, answers = [one for one, *_ in some if one >= 0], [one for _, one, _ in some]
        longest = max(answers)
        middles = int(median(handshakes)) if handshakes else 0, int(median(answers))
        expected[socket] = (len(some), *middles, longest, next(at for _, one, at in some if one == longest))
    found = {
        (protocol, socket): tuple(rest)
        for protocol, socket, *rest in zip(*numbers.waits(connections).values(), strict=True)
    }
    waited = sorted((row[1] + row[2] for row in expected.values()), reverse=True)[: numbers.LISTED]
    assert [row[1] + row[2] for row in found.values()] == [one for one in waited if one]
    assert found == {socket: expected[socket] for socket in found}


@each_capture
def test_the_connection_behind_a_row_is_one_of_those_that_the_row_counts(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    rows = rows_of(connections)
    for one, other, flow in columns_of(numbers.conversations(connections), "address", "with", "flow"):
        assert {one, other} == {address(rows[flow][end]) for end in ("src_ip", "dst_ip")}
    for client, port, flow in columns_of(numbers.ports(connections), "client", "port", "flow"):
        assert (client, int(port.partition("/")[0])) == (address(rows[flow]["src_ip"]), rows[flow]["dst_port"])
    for state, flow in columns_of(numbers.outcomes(connections), "state", "flow"):
        assert state in ("", fluxcap.STATES[rows[flow]["state"]])
    for host, flow in columns_of(numbers.hosts(fluxcap.read_hosts(SAMPLES / name), connections), "address", "flow"):
        assert host in [address(rows[flow][end]) for end in ("src_ip", "dst_ip")]
    refused = [fluxcap.STATES.index(state) for state in ("REJ", "RSTRH")]
    for protocol, socket, failed, flow in columns_of(
        numbers.servers(connections), "protocol", "socket", "refused", "flow"
    ):
        assert socket == text.socket(address(rows[flow]["dst_ip"]), rows[flow]["dst_port"])
        if protocol == "TCP" and failed and not {*refused}.isdisjoint({row["state"] for row in rows}):
            assert rows[flow]["state"] in (*refused, fluxcap.STATES.index("S0"))


def test_the_connection_behind_a_socket_is_one_that_failed_where_one_did():
    talks = (">S <SA >A >D5 <D5", ">S <RA", ">S <SA >A")
    captures = [talk(line, client=("192.0.2.1", 40000 + at)) for at, line in enumerate(talks)]
    found = numbers.servers(fluxcap.read_connections(captures))
    assert (found["answered"], found["refused"], found["flow"]) == ([2], [1], [1])


@each_capture
def test_each_packet_is_in_the_span_of_its_length(name):
    packets = fluxcap.read_packets(SAMPLES / name, columns=["wire_length"])
    found = rows_of_numbers(numbers.lengths(packets))
    sizes = packets["wire_length"].tolist()
    assert found == [(a, b, sum(a <= size <= b for size in sizes)) for a, b, _ in found]
    assert sum(count for *_, count in found) == len(sizes)
    assert all(after == before + 1 for (_, before, _), (after, _, _) in pairwise(found))


@given(*[strategies.lists(strategies.integers(-1, 1 << 53), max_size=9).map(sorted)] * 2)
def test_spans_of_times_hold_the_shortest_and_the_longest(server, client):
    n = max(len(server), len(client))
    times = {"synack_rtt": server, "ack_rtt": client}
    columns = {name: np.array([*one, *[-1] * (n - len(one))], np.int64) for name, one in times.items()}
    found = numbers.handshakes(fluxcap.ConnectionTable(columns))
    for end, one in (("server", server), ("client", client)):
        spans = zip(found["from_ns"], found["to_ns"], strict=True)
        assert found[end] == [sum(time > 0 and start <= time < after for time in one) for start, after in spans]
        assert sum(found[end]) == sum(time > 0 for time in one)


@each_capture
def test_losses_are_those_of_the_connections(name):
    connections = fluxcap.read_connections(SAMPLES / name)
    kinds = ("retransmitted", "out_of_order", "zero_window")
    sums = sorted((sum(both(row, kind) for kind in kinds) for row in rows_of(connections)), reverse=True)
    found = numbers.losses(connections)
    told = [sum(row) for row in zip(*(found[kind] for kind in kinds), strict=True)]
    assert told == [one for one in sums if one][: numbers.LISTED]


def test_too_many_intervals_and_another_table_are_refused():
    with pytest.raises(ValueError, match="timeline by protocol"):
        plot.throughput(fluxcap.read_timeline(SAMPLES / "office.pcap"))
    with pytest.raises(ValueError, match="timeline by verdict"):
        plot.verdicts(fluxcap.read_flows(SAMPLES / "office.pcap", "protocol"))
    with pytest.raises(ValueError, match="more than a picture shows"):
        plot.throughput(fluxcap.read_timeline(SAMPLES / "office.pcap", "100ms", by="protocol"))


def test_every_picture_is_a_chart_of_its_own():
    pytest.importorskip("altair")
    connections = fluxcap.read_connections(SAMPLES / "session.pcap")
    tables = {name: fluxcap.read_timeline(SAMPLES / "session.pcap", by=name) for name in ("protocol", "verdict")}
    tables = {"throughput": tables["protocol"], "verdicts": tables["verdict"]}
    tables |= {"lengths": fluxcap.read_packets(SAMPLES / "session.pcap")}
    tables |= {"hosts": fluxcap.read_hosts(SAMPLES / "session.pcap")}
    for name in plot.__all__:
        chart = getattr(plot, name)(tables.get(name, connections))
        assert "$schema" in chart.to_dict()


def test_states_of_the_same_words_are_one_bar():
    pytest.importorskip("altair")
    counted = {"protocol": ["TCP", "UDP", "TCP"], "outcome": ["closed", "answered", "closed"], "connections": [3, 4, 2]}
    bars = charts.outcomes(counted).to_dict()["data"]["values"]
    assert [(bar["label"].split(" ", 1)[1], bar["n"]) for bar in bars] == [("TCP closed", 5), ("UDP answered", 4)]


def test_an_axis_of_bad_ones_is_there_if_any_are_bad():
    pytest.importorskip("altair")
    for name, panels in (("office.pcap", 1), ("verdicts.pcap", 2)):
        chart = plot.verdicts(fluxcap.read_timeline(SAMPLES / name, "1m", by="verdict"))
        assert len(chart.to_dict()["vconcat"]) == panels


def test_two_long_addresses_are_in_two_lines():
    ends = {
        "address": ["192.0.2.1", "2001:db8:1111:2222:3333:4444:5555:6666"],
        "with": ["192.0.2.2", "2001:db8:1111:2222:3333:4444:5555:7777"],
        "bytes": [2, 1],
    }
    pytest.importorskip("altair")
    labels = [bar["label"] for bar in charts.conversations(ends).to_dict()["data"]["values"]]
    assert [label.count("\n") for label in labels] == [0, 1]
