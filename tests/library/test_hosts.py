"""Hosts as the ends of what was sent: their counts, peers, ports and times."""

import io
import pickle
from collections import defaultdict
from ipaddress import ip_address, ip_network

import dpkt
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import Record, enhanced_packet, pcap, pcapng, records, simple_packet
from capture_files import interface as described
from client_and_server import A, F, R, S, client, datagram, opened, segment, server, unreachable
from real_captures import SAMPLES
from strategies import simple_frames

COUNTS = ("packets", "bytes", "sent_packets", "sent_bytes", "received_packets", "received_bytes", "peers")
ADDRESS_COLUMNS = ("address", *COUNTS, "listening", "ports", "first", "last")
MAC_COLUMNS = ("mac", *COUNTS, "first", "last")
START = 1_700_000_000_000_000_000


def rows(table: fluxcap.HostTable) -> dict[str, dict]:
    """The rows by host, in order."""
    return {row[table.columns[0]]: row for row in table.to_polars().to_dicts()}


def counts(table: fluxcap.HostTable) -> dict[str, tuple]:
    return {host: tuple(row[name] for name in COUNTS) for host, row in rows(table).items()}


def added(frames: list[tuple[str, str, int]]) -> dict[str, tuple]:
    """The counts of these frames, each from a host to a host."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    peers = defaultdict(set)
    for src, dst, octets in frames:
        for end, other, at in ((src, dst, 0), (dst, src, 2)):
            found[end][at] += 1
            found[end][at + 1] += octets
            peers[end].add(other)
    return {end: (s + r, sb + rb, s, sb, r, rb, len(peers[end])) for end, (s, sb, r, rb) in found.items()}


def by_dpkt(capture: bytes, of) -> list[tuple[str, str, int]]:
    found = [(of(dpkt.ethernet.Ethernet(octets)), len(octets)) for _, octets in dpkt.pcap.Reader(io.BytesIO(capture))]
    return [(*ends, octets) for ends, octets in found if ends]


def addresses(frame: dpkt.ethernet.Ethernet) -> tuple[str, str] | None:
    ip = frame.data
    is_ip = isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6)
    return (str(ip_address(ip.src)), str(ip_address(ip.dst))) if is_ip else None


def macs(frame: dpkt.ethernet.Ethernet) -> tuple[str, str]:
    return frame.src.hex(":"), frame.dst.hex(":")


bounded = settings(max_examples=100, deadline=None)
frame_lists = st.lists(simple_frames, max_size=12)


@bounded
@given(frames=frame_lists)
def test_hosts_are_the_senders_and_receivers_that_dpkt_reads(frames: list[bytes]) -> None:
    capture = pcap(records(frames))
    assert counts(fluxcap.read_hosts(capture)) == added(by_dpkt(capture, addresses))


@bounded
@given(frames=frame_lists, swap=st.booleans())
def test_hosts_by_mac_are_those_of_all_frames(frames: list[bytes], swap: bool) -> None:
    turned = [bytes(one[6:12] + one[:6] + one[12:]) if swap and place % 3 else one for place, one in enumerate(frames)]
    capture = pcap(records(turned))
    assert counts(fluxcap.read_hosts(capture, "mac")) == added(by_dpkt(capture, macs))


@bounded
@given(frames=frame_lists, ipv4=st.integers(0, 32), ipv6=st.integers(0, 128))
def test_hosts_by_prefix_are_networks(frames: list[bytes], ipv4: int, ipv6: int) -> None:
    def network(address: str) -> str:
        bits = ipv6 if ":" in address else ipv4
        return str(ip_network(f"{address}/{bits}", strict=False).network_address)

    capture = pcap(records(frames))
    sent = [(network(src), network(dst), octets) for src, dst, octets in by_dpkt(capture, addresses)]
    table = fluxcap.read_hosts(capture, f"address/{ipv4}/{ipv6}")
    found = {(":" in host, host): count for host, count in counts(table).items()}
    assert {host: count for (_, host), count in found.items()} == added(sent)


@pytest.mark.parametrize("by", ["address", "mac"])
def test_every_way_to_split_a_capture_gives_the_same_hosts(by, monkeypatch):
    from fluxcap.sockets import frames
    from fluxcap.tables import gathering

    whole = fluxcap.read_hosts(SAMPLES / "session.pcap", by)
    monkeypatch.setattr(gathering, "BATCH_ROWS", 7)
    monkeypatch.setattr(frames, "GROWN", 4)
    assert fluxcap.read_hosts(SAMPLES / "session.pcap", by) == whole
    assert len(whole) > 3


def test_the_columns_and_their_types():
    table = fluxcap.read_hosts(SAMPLES / "session.pcap")
    assert table.columns == ADDRESS_COLUMNS
    assert (table["address"].dtype, table["address"].shape) == (np.uint8, (len(table), 16))
    assert [table[name].dtype for name in (*COUNTS, "listening")] == [np.uint64] * 8
    assert [table[name].dtype for name in ("ports", "first", "last")] == ["S31", np.int64, np.int64]
    table = fluxcap.read_hosts(SAMPLES / "session.pcap", "mac")
    assert (table.columns, table["mac"].shape) == (MAC_COLUMNS, (len(table), 6))


def to(port: int, flags: int, seq: int) -> bytes:
    return segment("192.0.2.1", "192.0.2.2", 40000, port, flags, seq, 0)


def back(port: int, flags: int, seq: int) -> bytes:
    return segment("192.0.2.2", "192.0.2.1", port, 40000, flags, seq, 0)


def answered(*ports: int) -> list[bytes]:
    return [one for port in ports for one in (to(port, S, 1), back(port, S | A, 1), to(port, A, 2))]


@pytest.mark.parametrize(
    ("packets", "number", "words"),
    [
        (opened(), 1, "80/tcp"),
        ([client(S, 1), server(R | A, 0)], 0, ""),  # refused
        ([client(S, 1), client(S, 1)], 0, ""),  # unanswered
        ([datagram(False), datagram(True)], 1, "80/udp"),
        ([datagram(False)], 0, ""),
        ([datagram(False), unreachable(datagram(False))], 0, ""),
        ([*opened(), datagram(False), datagram(True)], 2, "80/tcp 80/udp"),
        ([*opened(), client(F | A, 101), server(A, 901)], 1, "80/tcp"),
        (answered(443, 22), 2, "22/tcp 443/tcp"),
        (answered(*range(1, 7)), 6, "1/tcp 2/tcp 3/tcp 4/tcp +2"),
        (answered(*range(1, 13)), 12, "1/tcp 2/tcp 3/tcp 4/tcp +8"),
        (answered(*range(50001, 50005)), 4, "50001/tcp 50002/tcp +2"),
    ],
)
def test_a_port_is_listened_on_if_something_that_came_to_it_was_answered(packets, number, words):
    found = rows(fluxcap.read_hosts(pcap(records(packets))))
    assert (found["192.0.2.2"]["listening"], found["192.0.2.2"]["ports"]) == (number, words)
    assert (found["192.0.2.1"]["listening"], found["192.0.2.1"]["ports"]) == (0, "")


def test_the_ports_of_one_host_are_not_those_of_the_next():
    other = segment("192.0.2.1", "192.0.2.9", 40000, 8080, S, 1, 0)
    reply = segment("192.0.2.9", "192.0.2.1", 8080, 40000, S | A, 1, 0)
    found = rows(fluxcap.read_hosts(pcap(records([*opened(), other, reply]))))
    assert {host: row["ports"] for host, row in found.items()} == {
        "192.0.2.1": "", "192.0.2.2": "80/tcp", "192.0.2.9": "8080/tcp",
    }  # fmt: skip


def test_a_host_that_talks_to_itself_sent_and_received():
    frame = b.ethernet(b.ipv4(b.udp(b"?", 1, 2), "127.0.0.1", "127.0.0.1"))
    (row,) = counts(fluxcap.read_hosts(pcap(records([frame])))).values()
    assert row == (2, 2 * len(frame), 1, len(frame), 1, len(frame), 1)


def test_first_and_last_are_times_of_the_host_and_null_without_a_time():
    frames = [b.ethernet(b.ipv4(b.udp(b"?", 1, 2), "192.0.2.1", f"192.0.2.{host}")) for host in (2, 3)]
    capture = pcap([Record(frames[0], START), Record(frames[1], START + 5000), Record(frames[0], START + 9000)])
    for by in ("address", "mac"):
        table = fluxcap.read_hosts(capture, by)
        assert (table["first"][0], table["last"][0]) == (START, START + 9000)
    table = fluxcap.read_hosts(capture)
    assert table["first"].tolist() == [START, START, START + 5000]
    assert table["last"].tolist() == [START + 9000, START + 9000, START + 5000]
    untimed = pcapng(described(), simple_packet(frames[0]))
    for by in ("address", "mac"):
        assert rows(fluxcap.read_hosts(untimed, by)).popitem()[1]["first"] is None
    one_timed = pcapng(described(), simple_packet(frames[1]), enhanced_packet(frames[0], START // 1000))
    for by in ("address", "mac"):
        assert fluxcap.read_hosts(one_timed, by)["first"][0] == START


def test_a_link_header_with_a_sender_alone_makes_no_host_of_zeros():
    frame = b.sll(b.ipv4(b.udp(b"?", 1, 2)))
    table = fluxcap.read_hosts(pcap(records([frame, frame]), 113), "mac")
    assert list(counts(table).values()) == [(2, 2 * len(frame), 2, 2 * len(frame), 0, 0, 0)]
    assert len(fluxcap.read_hosts(pcap(records([b.ipv4(b.udp(b"?"))]), 101), "mac")) == 0


def test_ethernet_addresses_of_zeros_are_a_host():
    frame = b.ethernet(b.ipv4(b.udp(b"?", 1, 2)), src=bytes(6), dst=bytes(6))
    assert counts(fluxcap.read_hosts(pcap(records([frame])), "mac"))["00:00:00:00:00:00"][0] == 2


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("adress", "unknown kind of host 'adress'"),
        ("mac/24", "'mac/24': only 'address' takes a prefix length"),
        ("address/33", "'address/33': a prefix length there is 0 to 32, not '33'"),
        ("address/1/2/3", "at most two prefix lengths"),
    ],
)
def test_what_is_no_kind_of_host_is_refused(by, said):
    with pytest.raises(ValueError, match=said):
        fluxcap.read_hosts(SAMPLES / "verdicts.pcap", by)


@pytest.mark.parametrize("by", ["address", "mac"])
def test_damage_keeps_what_came_before_it(by):
    capture = pcap(records(opened()))[:-5]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        table = fluxcap.read_hosts(capture, by)
    assert table["packets"].tolist() == [2, 2]
    with pytest.raises(fluxcap.TruncatedError) as raised:
        fluxcap.read_hosts(capture, by, on_damage="raise")
    assert raised.value.partial == table


def test_a_limit_of_memory_stops_the_reading():
    receivers = [str(ip_address((10 << 24) + host)) for host in range(20_000)]
    many = [b.ethernet(b.ipv4(b.udp(b"?", 1, 2), "192.0.2.1", receiver)) for receiver in receivers]
    with pytest.warns(UserWarning, match="max_memory"):
        table = fluxcap.read_hosts(pcap(records(many)), max_memory=4 << 20)
    assert table.metadata["flows_full"]
    assert 0 < len(table) < len(many)


@pytest.mark.parametrize("by", ["address", "mac"])
def test_hosts_leave_as_other_tables_do(by, tmp_path):
    table = fluxcap.read_hosts(SAMPLES / "session.pcap", by)
    assert pickle.loads(pickle.dumps(table)) == table
    table.write(tmp_path / "hosts.csv")
    table.write(tmp_path / "hosts.parquet")
    frame = table.to_polars()
    assert pl.read_csv(tmp_path / "hosts.csv")["bytes"].to_list() == frame["bytes"].to_list()
    assert pl.read_parquet(tmp_path / "hosts.parquet")[by].to_list() == frame[by].to_list()
    assert table.to_pandas()[by].tolist() == table.to_arrow().column(by).to_pylist() == frame[by].to_list()
    assert table.sort("bytes")["bytes"].tolist() == sorted(table["bytes"].tolist(), reverse=True)
    assert repr(table).startswith(f"<HostTable: {len(table)} hosts, of 1,096 records")
