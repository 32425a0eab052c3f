"""The activity of flows equals what plain Python makes of their packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from activity_of_packets import SECOND, activity, flows_with_packets
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from client_and_server import A, S, client, datagram, server
from real_captures import SAMPLES
from strategies import fragments

WHOLE = [path for path in sorted(SAMPLES.glob("*.pcap*")) if not path.name.startswith(("cut-inside", "damaged"))]
MS = 1_000_000
START = 1_700_000_000 * SECOND
SILENCES = (0, 1, MS, SECOND - 1, SECOND, SECOND + 1, 5 * SECOND - 1, 5 * SECOND, 5 * SECOND + 1, 9 * SECOND, -700 * MS)

sizes = st.sampled_from([0, 0, 1, 5, 1000])
frames = st.one_of(
    st.builds(lambda size, window: client(A, 1, size, window=window), sizes, st.integers(0, 9)),
    st.builds(lambda size, window: server(A, 1, size, window=window), sizes, st.integers(0, 9)),
    st.builds(lambda size: client(S, 1, size, options=b"\x01" * 8), sizes),
    st.builds(datagram, st.booleans(), sizes),
)
silences = st.sampled_from(SILENCES)


def check(data: bytes, **options: object) -> int:
    """Compare the flows with their packets; gives how many were compared."""
    flows, packets = flows_with_packets(data, **options)
    assert fluxcap.read_flows(data, activity=True, threads=1, **options) == flows  # which takes the lane
    for row, own in packets.items():
        expected = activity(own)
        assert {name: float(flows[name][row]) for name in expected} == pytest.approx(expected, rel=1e-12, abs=1e-6)
    return len(packets)


def timed(*entries: tuple[bytes, int]) -> bytes:
    """A capture of frames, each so long after the one before."""
    time, records = START, []
    for frame, silence in entries:
        time += silence
        records.append(Record(bytes(frame), time))
    return pcap(records, ns=True)


def row(capture: bytes, *names: str) -> list[float]:
    flows = fluxcap.read_flows(capture, activity=True)
    assert len(flows) == 1
    return [float(flows[name][0]) for name in names]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(frames, silences), max_size=40), st.sampled_from([{}, {"active_timeout": "20s"}, {"end": "tcp"}])
)
def test_activity_is_what_the_packets_of_a_flow_give(entries, options):
    check(timed(*entries), **options)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(frames, st.none() | st.integers(0, 20_000_000)), max_size=30))
def test_packets_without_a_time_belong_to_no_silence(entries):
    blocks = (simple_packet(frame) if at is None else enhanced_packet(frame, at) for frame, at in entries)
    check(pcapng(interface(), *blocks))


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_activity_of_samples_is_what_their_packets_give(path):
    check(path.read_bytes())


def test_the_samples_have_bulks_and_windows():
    flows = fluxcap.read_flows(WHOLE, activity=True)
    assert flows["bulks"].sum() + flows["reverse_bulks"].sum() > 0
    assert (flows["first_window"] > 0).any()
    assert (flows["first_window"] == -1).any()


@pytest.mark.parametrize(
    ("silence", "idle", "subflows"),
    [(SECOND, 0, 1), (SECOND + 1, 0, 2), (5 * SECOND, 0, 2), (5 * SECOND + 1, 5 * SECOND + 1, 2)],
)
def test_a_flow_is_idle_after_five_seconds_and_another_subflow_begins_after_one(silence, idle, subflows):
    capture = timed((datagram(False), 0), (datagram(True), silence))
    assert row(capture, "idle_max", "subflows") == [idle, subflows]


def test_the_last_time_in_which_a_flow_was_active_ends_with_the_flow():
    capture = timed(*((datagram(True), silence) for silence in (0, 2 * SECOND, 6 * SECOND, 3 * SECOND)))
    assert row(capture, "active_min", "active_max", "idle_mean") == [2 * SECOND, 3 * SECOND, 6 * SECOND]


@pytest.mark.parametrize(
    ("between", "bulks"),
    [([], 1), ([(server(A, 1), 0)], 1), ([(server(A, 1, 1), 0)], 0), ([(client(A, 1), 0)], 1)],
    ids=["nothing", "an acknowledgment", "data of the other side", "an acknowledgment of the same side"],
)
def test_four_packets_with_payload_are_a_bulk_unless_payload_comes_between(between, bulks):
    data = client(A, 1, 10)
    capture = timed(*[(data, 0), (data, MS)], *between, *[(data, MS), (data, MS)])
    assert row(capture, "bulks", "bulk_packets", "bulk_bytes", "bulk_time") == [
        bulks, 4 * bulks, 40 * bulks, 3 * MS * bulks,
    ]  # fmt: skip


def test_a_tunnel_does_not_lend_its_header_to_the_packet_inside():
    inside = b.ethernet(b.ipv4(b"?", "192.0.2.1", "192.0.2.2", 253))
    around = b.ethernet(b.ipv4(b.udp(b.vxlan(inside), 40000, b.VXLAN_PORT)))
    assert row(timed((around, 0)), "header_bytes", "header_min") == [0, 0]


def test_a_fragmented_datagram_has_one_header():
    pieces = [(frame, 0) for frame in fragments("ipv4")]
    assert row(timed(*pieces), "packets", "header_bytes", "header_min") == [len(pieces), 8, 8]


def test_nobody_who_does_not_ask_gets_activity():
    assert "subflows" not in fluxcap.read_flows(SAMPLES / "sockets.pcapng", features=True, splt=1).columns


def test_activity_goes_with_features_and_first_packets():
    both = fluxcap.read_flows(SAMPLES / "sockets.pcapng", features=True, activity=True, splt=3)
    for options in ({"features": True}, {"activity": True}, {"splt": 3}):
        alone = fluxcap.read_flows(SAMPLES / "sockets.pcapng", **options)
        assert all((alone[name] == both[name]).all() for name in alone.columns)


def test_without_a_reverse_direction_there_is_only_forward_activity():
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", activity=True, biflow=False)
    assert {"payload_mean", "bulks", "idle_max"} <= {*flows.columns}
    assert not [name for name in flows.columns if name.startswith(("reverse_", "both_"))]


def test_tables_with_activity_do_not_merge():
    flows = fluxcap.read_flows(SAMPLES / "sockets.pcapng", activity=True)
    with pytest.raises(ValueError, match="features do not merge"):
        flows | flows
