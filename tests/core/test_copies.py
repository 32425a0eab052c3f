"""Which records are copies of an earlier one: packets that a mirror or a hop showed twice, not what was sent again."""

import struct
from collections.abc import Sequence

import pytest

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng
from core_driver import Row, rows, scan, taken
from fluxcap._core import ANOMALIES, DISPOSITIONS, ENDED, REASONS, Scanner

US, MS = 1_000, 1_000_000
START = 1_700_000_000 * 10**9
ANSWER = ("duplicate_of", "duplicate_kind", "duplicate_hops")
SYN = 0x02


def segment(payload: bytes = b"hello", *, seq: int = 7, **header: int) -> b.Layer:
    return b.ipv4(b.tcp(payload, seq=seq), identification=header.pop("identification", 9), **header)


def numbered(**header: int) -> bytes:
    return b.ethernet(segment(**header))


def v6(hlim: int = 64, payload: bytes = b"hello") -> b.Layer:
    return b.ipv6(b.tcp(payload, seq=7), hop_limit=hlim)


def answers(*captured: tuple[bytes, int] | Record, link_type: int = 1, **options: int) -> list[tuple[int, str, int]]:
    """What is said of frames at these times (ns)."""
    packets = [one if isinstance(one, Record) else Record(one[0], START + one[1]) for one in captured]
    return said(rows(pcap(packets, link_type, ns=True), columns=ANSWER, **options))


def said(some: Sequence[Row]) -> list[tuple[int, str, int]]:
    return [tuple(row[name] for name in ANSWER) for row in some]


NONE = (0, "none", 0)
PACKET = segment()
CHANGES = [
    # what shows the packet again, and which copy it is
    (b.ethernet(PACKET), "exact", 0),
    (b.ethernet(PACKET, src=b"\2ABCDE", dst=b"\2FGHIJ"), "exact", 0),
    (b.ethernet(segment(tos=0xB8)), "exact", 0),
    (b.ethernet(PACKET) + bytes(9), "exact", 0),
    (b.ethernet(b.vlan(PACKET, 7)), "other_vlan", 0),
    (b.ethernet(b.vlan(b.vlan(PACKET, 7), 8)), "other_vlan", 0),
    (b.ethernet(b.mpls(PACKET, 1000)), "other_vlan", 0),
    (b.ethernet(b.ipv4(b.udp(b.vxlan(b.ethernet(PACKET)), 40000, 4789), "10.0.0.1", "10.0.0.2")), "other_tunnel", 0),
    (b.ethernet(b.ipv4(b.gre(PACKET), "10.0.0.1", "10.0.0.2")), "other_tunnel", 0),
    (b.ethernet(segment(ttl=63)), "routed", 1),
    (b.ethernet(b.vlan(segment(ttl=60, tos=4), 7)), "routed", 4),
    (b.ethernet(segment(ttl=65)), "routed", 1),
]


@pytest.mark.parametrize(("frame", "kind", "hops"), CHANGES)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_packet_that_is_shown_again_is_a_copy_whatever_a_hop_changed(frame, kind, hops, swapped):
    pair = [b.ethernet(PACKET), frame]
    first, second = reversed(pair) if swapped else pair
    assert answers((first, 0), (second, 9 * MS)) == [NONE, (1, kind, hops)]


def v4_with(**header: object) -> bytes:
    return b.ethernet(b.ipv4(b.tcp(b"hello", seq=7), **{"identification": 9, **header}))


def tcp_with(**header: object) -> bytes:
    return b.ethernet(b.ipv4(b.tcp(**{"payload": b"hello", "seq": 7, **header}), identification=9))


DIFFERENT = [
    numbered(identification=10),
    v4_with(src="192.0.2.9"),
    v4_with(dst="192.0.2.9"),
    v4_with(dont_fragment=True),
    v4_with(more=True),
    tcp_with(payload=b"hallo"),
    tcp_with(payload=b"hell"),
    tcp_with(src_port=1),
    tcp_with(dst_port=1),
    tcp_with(seq=8),
    tcp_with(ack=1),
    tcp_with(flags=0x18),
    tcp_with(window=1),
    tcp_with(options=b"\1\1\1\1"),
    b.ethernet(b.ipv4(b.udp(b"hello"), identification=9)),
]


@pytest.mark.parametrize("frame", DIFFERENT)
def test_another_packet_is_no_copy(frame):
    assert answers((numbered(), 0), (frame, 1 * US)) == [NONE, NONE]


def syn(mss: int, scale: int = 7, before: bytes = b"") -> bytes:
    options = before + struct.pack(">BBHBBBB", 2, 4, mss, 1, 3, 3, scale)
    return b.ethernet(b.ipv4(b.tcp(flags=SYN, options=options), identification=9))


def test_a_syn_is_a_copy_though_a_router_lowered_its_mss():
    assert answers((syn(1460), 0), (syn(1380), 1 * US), (syn(1460, scale=8), 2 * US)) == [NONE, (1, "exact", 0), NONE]


def test_an_option_shorter_than_its_own_header_ends_those_that_are_read():
    one, other = (syn(mss, before=b"\x08\1\1\1") for mss in (1460, 1380))
    assert answers((one, 0), (other, 1 * US)) == [NONE, NONE]


def test_a_copy_comes_within_the_window_after_the_packet_was_seen_last():
    times = [0, 6 * MS, 12 * MS, 22 * MS, 32 * MS + 1]
    expected = [NONE, (1, "exact", 0), (1, "exact", 0), (1, "exact", 0), NONE]
    assert answers(*[(numbered(), time) for time in times]) == expected
    assert answers((numbered(), 0), (numbered(), 11 * MS), copy_window=11 * MS)[1] == (1, "exact", 0)


def test_a_record_that_stands_too_late_has_copies_too():
    assert answers((numbered(), 5 * MS), (numbered(), 0))[1] == (1, "exact", 0)
    assert answers((numbered(), 15 * MS), (numbered(), 0))[1] == NONE


UNNUMBERED = [
    lambda ttl: b.ipv4(b.tcp(b"hello", seq=7), identification=0, dont_fragment=True, ttl=ttl),
    lambda ttl: b.ipv6(b.tcp(b"hello", seq=7), hop_limit=ttl),
    lambda ttl: b.ipv6(b.tcp(seq=7, ack=9), hop_limit=ttl),
]


@pytest.mark.parametrize("packet", UNNUMBERED)
def test_a_packet_without_a_number_is_sent_again_where_the_same_comes_later_the_same_way(packet):
    frame = b.ethernet(packet(64))
    assert answers((frame, 0), (frame, 100 * US)) == [NONE, (1, "exact", 0)]
    assert answers((frame, 0), (frame, 100 * US + 1)) == [NONE, NONE]


@pytest.mark.parametrize("packet", UNNUMBERED)
def test_a_packet_without_a_number_is_a_copy_within_the_window_where_it_lies_elsewhere(packet):
    frame = b.ethernet(packet(64))
    for other, kind, hops in (
        (b.ethernet(b.vlan(packet(64), 7)), "other_vlan", 0),
        (b.ethernet(packet(63)), "routed", 1),
    ):
        assert answers((frame, 0), (other, 9 * MS)) == [NONE, (1, kind, hops)]
        assert answers((frame, 0), (other, 11 * MS)) == [NONE, NONE]


def test_each_sending_of_a_packet_without_a_number_has_its_own_copies():
    here, there = b.ethernet(v6()), b.ethernet(b.vlan(v6(), 7))
    sent = [(here, 0), (there, 5 * MS), (here, 5 * MS + 50 * US), (there, 10 * MS)]
    assert answers(*sent) == [NONE, (1, "other_vlan", 0), NONE, (3, "other_vlan", 0)]


ARP = bytes.fromhex("0001080006040001020000000001c0000201000000000000c0000202")


def test_a_frame_without_ip_is_known_by_the_bytes_behind_its_addresses_and_tags():
    frame = b.ethernet(ARP, 0x0806)
    tagged = b.ethernet(b.vlan(ARP, 7, 0x0806))
    assert answers((frame, 0), (tagged, 5 * MS), (frame, 9 * MS)) == [NONE, (1, "other_vlan", 0), NONE]
    assert answers((frame, 0), (b.ethernet(ARP[::-1], 0x0806), 1)) == [NONE, NONE]


def test_a_packet_at_two_interfaces_is_one():
    times = [enhanced_packet(numbered(), time, place) for place, time in enumerate((0, 5 * MS // 1000))]
    capture = pcapng(interface(), interface(), *times)
    assert said(rows(capture, columns=ANSWER)) == [NONE, (1, "other_interface", 0)]


def test_the_snap_length_may_cut_a_packet_at_two_places():
    packet, other = (b.ipv4(b.udp(text * 50), identification=9) for text in (b"hello", b"world"))
    captured = [
        Record(data, START).cut(96) for data in (b.ethernet(packet), b.ethernet(b.vlan(packet, 7)), b.ethernet(other))
    ]
    assert answers(*captured) == [NONE, (1, "other_vlan", 0), NONE]


def test_fragments_are_known_one_by_one():
    parts = [
        b.ethernet(b.ipv4(part, identification=9, offset=offset, more=more, protocol=17))
        for offset, more, part in b.pieces(b.udp(bytes(40)), 24)
    ]
    shown = [parts[0], parts[0], parts[1], parts[1]]
    assert [row[0] for row in answers(*[(part, place) for place, part in enumerate(shown)])] == [0, 1, 0, 3]


def test_a_copy_that_is_left_out_counts_in_the_ledger_alone():
    capture = pcap([Record(numbered(ttl=ttl), START + place) for place, ttl in enumerate((64, 64, 63, 63))], ns=True)
    scanner = scan(capture, columns=["packet", "verdict"], dedupe=True)
    totals = scanner.totals()
    size = len(numbered())
    named = dict(zip(DISPOSITIONS, totals["dispositions"], strict=True))
    assert (named["counted"], named["duplicate"]) == ((1, size), (3, 3 * size))
    assert {name: n for name, n in zip(REASONS, totals["reasons"], strict=True) if n} == {
        "none": 1,
        "exact": 1,
        "routed": 2,
    }
    assert sum(map(sum, totals["verdicts"].values())) == 1
    assert [row["packet"] for row in taken(scanner)] == [1]


def test_inputs_in_turn_have_copies_of_their_own_records_alone():
    capture = pcap([Record(numbered(), START)])
    assert said(rows(capture, capture, columns=ANSWER)) == [NONE, NONE]


def test_what_is_forgotten_within_the_window_is_counted():
    n, forgotten = (1 << 18) + 10, ANOMALIES.index("copies_forgotten")
    base = numbered()
    frames = [
        base[:18] + struct.pack(">H", 1 + place % 60000) + base[20:38] + struct.pack(">I", place) + base[42:]
        for place in range(n)
    ]
    scanner = scan(pcap([Record(frame, START) for frame in [*frames, frames[0]]], ns=True), columns=ANSWER)
    assert scanner.totals()["anomalies"][forgotten] == 11
    assert not any(memoryview(scanner.take()["duplicate_of"]))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads, tmp_path):
    """As many records as give each thread several windows, each packet twice."""
    frames = [numbered(identification=1 + place % 60000, seq=place) for place in range(20000)]
    path = tmp_path / "doubled.pcap"
    path.write_bytes(pcap([Record(frame, START + place * US) for place, frame in enumerate(frames + frames)], ns=True))
    scanner = Scanner(dedupe=True, copy_window=25 * MS)
    scanner.begin()
    with path.open("rb") as file:
        assert scanner.read(file.fileno(), threads) == ENDED
    named = dict(zip(DISPOSITIONS, scanner.totals()["dispositions"], strict=True))
    assert (named["counted"][0], named["duplicate"][0]) == (20000, 20000)
