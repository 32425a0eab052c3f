"""Flows that TCP ends: with `end="tcp"`, a SYN after a RST, or after a FIN of both sides, begins another row."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import command_line
import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, records, simple_packet
from client_and_server import A, F, R, S, client, datagram, opened, server
from real_captures import SAMPLES

IDLE, ACTIVE, ENDED, OPEN = 1, 2, 3, 4
SECOND = 1_000_000_000
CLOSED = [*opened(), client(F | A, 101), server(F | A, 901), client(A, 102)]
WHOLE = [path for path in sorted(SAMPLES.glob("*.pcap*")) if not path.name.startswith(("cut-inside", "damaged"))]

segments = st.one_of(
    *(
        st.builds(
            side, st.sampled_from([S, S | A, A, F | A, R, R | A, S | F]), st.integers(1, 3), st.sampled_from([0, 5])
        )
        for side in (client, server)
    ),
    st.builds(datagram, st.booleans()),
)


def rows_of(packets: fluxcap.PacketTable) -> list[int]:
    """The row of each packet of a five-tuple: what `end` says, in plain Python."""
    open_rows: dict[Any, int] = {}
    reset, finished = set(), defaultdict(set)
    rows, n = [], 0
    columns = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port", "tcp_flags")
    for protocol, src, src_port, dst, dst_port, flags in zip(
        *(packets[name].tolist() for name in columns), strict=True
    ):
        sender = (*src, src_port)
        ends = protocol, frozenset([sender, (*dst, dst_port)])
        row = open_rows.get(ends)
        if row is None or (flags & (S | A | F | R) == S and (row in reset or len(finished[row]) == 2)):
            row = open_rows[ends] = n
            n += 1
        if flags & R:
            reset.add(row)
        if flags & F:
            finished[row].add(sender)
        rows.append(row)
    return rows


def check(capture: Any) -> None:
    flows, packets = fluxcap.read_flows(capture, end="tcp", packets=True)
    told = packets["flow"] >= 0
    rows = rows_of(packets.filter(told))
    assert packets["flow"][told].tolist() == rows
    both = (flows["tcp_flags"] & flows["reverse_tcp_flags"] & F) | (
        (flows["tcp_flags"] | flows["reverse_tcp_flags"]) & R
    )
    assert (flows["end_reason"] == np.where(both, ENDED, OPEN)).all()
    for threads in (1, 3):
        assert fluxcap.read_flows(capture, end="tcp", threads=threads) == flows


@settings(max_examples=150, deadline=None)
@given(st.lists(segments, max_size=40))
def test_flows_end_where_rst_and_fin_say(frames):
    check(pcap(records(frames)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(segments, st.booleans()), max_size=20))
def test_a_flow_ends_without_a_time_too(entries):
    check(pcapng(interface(), *(enhanced_packet(one, 7) if timed else simple_packet(one) for one, timed in entries)))


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_flows_of_samples_end_where_rst_and_fin_say(path):
    if "icmp" not in path.name:
        flows, packets = fluxcap.read_flows(path, end="tcp", packets=True)
        own = np.isin(packets["protocol"], (6, 17)) & (packets["flow"] >= 0) & (packets["fragment_offset"] == 0)
        first: dict[int, int] = {}
        for ours, row in zip(packets["flow"][own].tolist(), rows_of(packets.filter(own)), strict=True):
            assert first.setdefault(row, ours) == ours
        assert len(set(first.values())) == len(first)
        assert len(flows) >= len(first)


@pytest.mark.parametrize(
    ("frames", "packets", "reasons"),
    [
        ([*CLOSED, *CLOSED], [6, 6], [ENDED, ENDED]),
        ([*CLOSED, client(A, 102), server(A, 902, 5), client(R, 102)], [9], [ENDED]),
        ([client(S, 1), server(R | A, 0), client(S, 2), server(R | A, 0)], [2, 2], [ENDED, ENDED]),
        ([*opened(), client(F | A, 101), client(S, 7)], [5], [OPEN]),
        ([*opened(), client(R, 101), server(S | A, 900), server(A, 901, 5)], [6], [ENDED]),
        ([*CLOSED, server(S, 4)], [6, 1], [ENDED, OPEN]),
    ],
    ids=["twice", "what still comes", "refused twice", "one side closed", "after a reset", "the other side calls"],
)
def test_a_row_is_a_connection_with_all_that_comes_of_it(frames, packets, reasons):
    flows = fluxcap.read_flows(pcap(records(frames)), end="tcp")
    assert (flows["packets"] + flows["reverse_packets"]).tolist() == packets
    assert flows["end_reason"].tolist() == reasons


def test_the_side_that_sends_the_syn_is_the_source_of_the_new_row():
    flows = fluxcap.read_flows(pcap(records([*CLOSED, server(S, 4)])), end="tcp")
    assert flows["src_port"].tolist() == [40000, 80]


def test_without_it_a_five_tuple_is_one_flow():
    flows = fluxcap.read_flows(pcap(records([*CLOSED, *CLOSED])))
    assert (len(flows), flows["end_reason"].tolist()) == (1, [OPEN])


def test_timeouts_end_a_flow_too_and_a_closed_one_stays_closed():
    times = [0, 1, 2, 3, 4, 5, 100, 300, 600]
    frames = [*CLOSED, client(A, 102), client(A, 102), datagram(False)]
    capture = pcap([Record(bytes(one), at * SECOND) for one, at in zip(frames, times, strict=True)])
    flows = fluxcap.read_flows(capture, end="tcp", idle_timeout=120)
    assert flows["packets"].tolist() == [5, 1, 1]
    assert flows["end_reason"].tolist() == [ENDED, IDLE, OPEN]


def test_a_full_table_does_not_take_the_end_of_a_connection_back():
    flows = None
    with pytest.warns(UserWarning, match="max_flows"):
        flows = fluxcap.read_flows(pcap(records([*CLOSED, *CLOSED])), end="tcp", max_flows=1)
    assert flows["end_reason"].tolist() == [ENDED]


@pytest.mark.parametrize(
    "options", [{"by": "hosts"}, {"biflow": False}, {"by": "src_ip/24,dst_ip/24,src_port,dst_port,protocol"}]
)
def test_rows_of_several_connections_have_no_end(options):
    with pytest.raises(ValueError, match="TCP ends flows by 5tuple"):
        fluxcap.read_flows(SAMPLES / "sockets.pcapng", end="tcp", **options)


def test_another_end_is_refused():
    with pytest.raises(ValueError, match='end is "tcp", or None'):
        fluxcap.read_flows(SAMPLES / "sockets.pcapng", end="udp")


def test_tables_of_flows_that_tcp_ends_do_not_merge():
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", end="tcp")
    with pytest.raises(ValueError, match="whether a SYN begins another"):
        flows | flows


def test_the_packets_of_a_row_can_be_extracted(tmp_path):
    path, part = tmp_path / "two.pcap", tmp_path / "second.pcap"
    path.write_bytes(pcap(records([*CLOSED, *CLOSED[:4]])))
    fluxcap.read_flows(path, end="tcp").extract(1, part)
    assert fluxcap.read_info(part).packets == 4


def test_the_command_ends_flows(tmp_path):
    path = tmp_path / "two.pcap"
    path.write_bytes(pcap(records([*CLOSED, *CLOSED, b.ethernet(b.ipv4(b.udp(b"?")))])))
    made = command_line.fluxcap("flows", str(path), "--end", "tcp", "--columns", "packets,end_reason", "-f", "tsv")
    assert made.stdout.splitlines()[1:] == ["4\t3", "4\t3", "1\t4"]
