"""Fragmented datagrams (RFC 791, RFC 8200): ports for every fragment in any order, one verdict for the whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import Record, pcap, records
from core_driver import FIVE_TUPLE, flows, key, rows, scan, taken
from fluxcap._core import ANOMALIES

SECOND = 1_000_000_000
DATA = bytes(range(256)) * 8  # 2,048 bytes
SRC, DST = "192.0.2.1", "192.0.2.2"


def whole(layer, src=SRC, dst=DST):
    """The bytes of a transport message with its checksum computed for these addresses."""
    return bytes(b.ipv4(layer, src, dst))[20:]


def v4(message: bytes, size: int = 512, protocol: int = 17, identification: int = 7, **options) -> list[bytes]:
    """A message in IPv4 fragments of `size` bytes, each in an Ethernet frame."""
    return [
        b.ethernet(b.ipv4(part, SRC, DST, protocol, offset=offset, more=more, identification=identification, **options))
        for offset, more, part in b.pieces(message, size)
    ]


def v6(message: bytes, size: int = 512, protocol: int = 17) -> list[bytes]:
    """The same over IPv6; the message's checksum is for the default addresses."""
    return [
        b.ethernet(b.ipv6(b.fragment(part, offset, more, 7, next_header=protocol)))
        for offset, more, part in b.pieces(message, size)
    ]


def judged(packets, **options):
    return [(row["src_port"], row["dst_port"], row["verdict"], row["disposition"]) for row in read(packets, **options)]


def read(packets, **options):
    return rows(pcap(records(packets)), **options)


UDP = whole(b.udp(DATA))
FRAGMENT = (40000, 50000, "fragment", "counted")
GOOD = (40000, 50000, "good", "counted")


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_every_order_of_five_fragments_gives_ports_to_each_and_the_verdict_to_the_last(order):
    packets = v4(UDP)
    assert judged([packets[i] for i in order]) == [FRAGMENT] * 4 + [GOOD]


@given(st.binary(min_size=40, max_size=3000), st.integers(1, 20), st.randoms())
def test_any_datagram_in_any_pieces_in_any_order_is_verified(data, units, random):
    packets = v4(whole(b.udp(data)), 8 * max(units, len(data) // 800 + 1))
    random.shuffle(packets)
    verdicts = [row["verdict"] for row in read(packets)]
    assert verdicts == ["fragment"] * (len(packets) - 1) + ["good"]


@pytest.mark.parametrize(
    ("message", "protocol", "verdict"),
    [
        (whole(b.udp(DATA)), 17, "good"),
        (whole(b.udp(DATA, checksum="partial")), 17, "partial"),
        (whole(b.udp(DATA, checksum=0x1234)), 17, "bad"),
        (whole(b.udp(DATA, checksum=0)), 17, "absent"),
        (whole(b.udp(DATA, length=9000)), 17, "bad_length"),
        (whole(b.udp(DATA, length=1000, checksum=None)), 17, "good"),  # RFC 9868: a surplus is not summed
        (whole(b.udp(DATA, length=100, checksum=None)), 17, "good"),  # also where it begins in the first piece
        (whole(b.tcp(DATA)), 6, "good"),
        (whole(b.tcp(DATA, checksum="partial")), 6, "partial"),
        (whole(b.icmp(DATA, 8)), 1, "good"),
        (whole(b.icmp(DATA, 8, checksum=1)), 1, "bad"),
        (whole(b.sctp(b.sctp_data(DATA))), 132, "fragment"),  # a CRC does not add up from pieces
    ],
)
def test_the_record_that_completes_a_datagram_has_the_verdict_of_the_whole(message, protocol, verdict):
    assert read(v4(message, protocol=protocol))[-1]["verdict"] == verdict


def test_a_surplus_that_came_before_its_length_was_known_leaves_the_datagram_unjudged():
    packets = v4(whole(b.udp(DATA, length=1000, checksum=None)))
    assert [row["verdict"] for row in read([*packets[1:], packets[0]])] == ["fragment"] * len(packets)


def test_the_expected_checksum_of_a_bad_datagram_is_told():
    row = read(v4(whole(b.udp(DATA, checksum=0x1234))))[-1]
    assert (row["checksum"], row["expected"]) == (0x1234, int.from_bytes(UDP[6:8], "big"))


def test_ipv6_fragments_are_joined_by_their_identification():
    message = bytes(b.ipv6(b.udp(DATA)))[40:]
    packets = v6(message)
    assert judged([packets[2], packets[0], packets[1], packets[4], packets[3]]) == [FRAGMENT] * 4 + [GOOD]


def test_a_tcp_header_in_two_fragments_is_verified_once_all_is_there():
    # RFC 1858 section 4: eight bytes in the first fragment hold the ports, not the checksum.
    assert [row["verdict"] for row in read(v4(whole(b.tcp(b"data")), 8, 6))] == ["fragment", "fragment", "good"]


@pytest.mark.parametrize(
    ("size", "told"), [(8, (0, 0, 0, 0)), (16, (77, 88, b.SYN, 1234)), (24, (77, 88, b.SYN, 1234))]
)
def test_a_first_fragment_tells_what_tcp_says_in_its_first_sixteen_bytes(size, told):
    first, *_ = read(v4(whole(b.tcp(b"data" * 9, seq=77, ack=88, flags=b.SYN, window=1234)), size, 6))
    assert tuple(first[name] for name in ("tcp_seq", "tcp_ack", "tcp_flags", "tcp_window")) == told


def test_an_exact_duplicate_changes_nothing():
    first, second, *others = v4(UDP)
    verdicts = [row["verdict"] for row in read([first, second, second, first, *others, first])]
    assert verdicts == ["fragment"] * 6 + ["good", "fragment"]


def test_fragments_that_overlap_are_never_verified():
    first, *others = v4(UDP)
    overlapping = b.ethernet(b.ipv4(bytes(512), SRC, DST, 17, offset=504, more=True, identification=7))
    assert judged([first, overlapping, *others]) == [FRAGMENT] * 6


@pytest.mark.parametrize(
    "stray",
    [
        b.ipv4(bytes(16), SRC, DST, 17, offset=4096, more=True, identification=7),  # behind the end
        b.ipv4(bytes(16), SRC, DST, 17, offset=1024, more=False, identification=7),  # a second, nearer end
    ],
)
def test_fragments_that_contradict_the_end_are_never_verified(stray):
    packets = v4(UDP)
    assert "good" not in [row["verdict"] for row in read([packets[-1], b.ethernet(stray), *packets[:-1]])]


def test_datagrams_are_told_apart_by_address_protocol_and_identification():
    one, two = v4(UDP, 1024, identification=1), v4(whole(b.udp(DATA, 1, 2)), 1024, identification=2)
    mixed = [part for pair in zip(one, reversed(two), strict=True) for part in pair]
    assert [(row["src_port"], row["verdict"]) for row in read(mixed)] == [
        (40000, "fragment"), (1, "fragment"), (40000, "fragment"), (1, "fragment"), (40000, "good"), (1, "good"),
    ]  # fmt: skip


def test_an_identification_used_again_begins_a_new_datagram():
    assert [row["verdict"] for row in read(v4(UDP, 1024) + v4(whole(b.udp(DATA, 5, 6)), 1024))] == [
        "fragment", "fragment", "good"] * 2  # fmt: skip


def test_a_datagram_is_forgotten_after_a_minute_of_capture_time():
    first, *others = v4(UDP, 1024)
    late = [Record(first, 0), *(Record(part, 61 * SECOND) for part in others)]
    assert [row["disposition"] for row in rows(pcap(late))] == ["counted", "orphan_fragment", "orphan_fragment"]


def test_without_the_first_fragment_the_others_are_orphans_with_their_addresses():
    row = read(v4(UDP)[1:])[0]
    assert (row["disposition"], row["verdict"], row["src_ip"], row["src_port"]) == (
        "orphan_fragment", "fragment", SRC, 0)  # fmt: skip


def test_octets_that_were_not_captured_make_the_datagram_truncated():
    cut = [record.cut(200) for record in records(v4(UDP))]
    assert [row["verdict"] for row in rows(pcap(cut))] == ["fragment"] * 4 + ["truncated"]


def test_records_keep_their_order_while_a_fragment_waits():
    first, *others = v4(UDP)
    between = [b.ethernet(b.ipv4(b.udp(b"x", port, 9))) for port in range(300)]
    found = read([*others, *between, first])
    assert [row["packet"] for row in found] == list(range(1, 306))
    assert [row["src_port"] for row in found] == [40000] * 4 + list(range(300)) + [40000]
    assert found[-1]["verdict"] == "good"


def test_what_waits_is_bounded_and_what_is_let_go_is_counted():
    orphan = v4(UDP)[1]
    scanner = scan(pcap(records([orphan, *[b.ethernet(b.ipv4(b.udp(b"x")))] * 20_000])))
    anomalies = dict(zip(ANOMALIES, scanner.totals()["anomalies"], strict=True))
    assert anomalies["fragments_not_held"] == 1
    assert [row["packet"] for row in taken(scanner)] == list(range(1, 20_002))


def test_datagrams_under_way_are_bounded_and_evictions_are_counted():
    firsts = [v4(UDP, identification=i)[0] for i in range(10_000)]
    anomalies = dict(zip(ANOMALIES, scan(pcap(records(firsts))).totals()["anomalies"], strict=True))
    assert anomalies["datagrams_evicted"] == 10_000 - 2048


def test_all_fragments_are_counted_in_the_flow_of_the_datagram():
    packets = v4(UDP)
    (flow,) = flows(pcap(records([packets[1], *packets[2:], packets[0]])))
    assert (flow["src_port"], flow["dst_port"], flow["packets"]) == (40000, 50000, 5)
    assert (flow["fragment"], flow["good"], flow["payload_bytes"]) == (4, 1, len(DATA))


def test_fragments_of_a_protocol_without_ports_share_its_flow():
    (flow,) = flows(pcap(records(v4(bytes(1024), protocol=50))), by=key(*FIVE_TUPLE))
    assert (flow["protocol"], flow["packets"], flow["fragment"]) == (50, 2, 1)


def test_fragments_held_at_the_end_of_an_input_are_not_lost():
    ends, begins = pcap(records(v4(UDP)[1:])), pcap(records(v4(UDP)[:1]))
    assert [(row["file"], row["packet"]) for row in rows(ends, begins)] == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1)]


# Tunnels: the piece in which the packet inside begins counts as that packet, the others as the datagram around it -----

INSIDE = b.ipv4(b.tcp(DATA, 80, 8080), "10.0.0.1", "10.0.0.2")
INNER, OUTER = ("10.0.0.1", 80, 1), (SRC, 40000, 0)
VXLAN = v4(whole(b.udp(b.vxlan(b.ethernet(INSIDE), 77), 40000, 4789)), 1024)


def placed(packets, **options):
    return [((row["src_ip"], row["src_port"], row["depth"]), row["verdict"]) for row in read(packets, **options)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_first_piece_of_a_tunnel_is_the_packet_inside_and_the_others_are_the_datagram_around_it(order):
    found = placed([VXLAN[i] for i in order])
    expected = [(OUTER, "fragment") if i else (INNER, "bad_length") for i in order]
    if order[-1]:  # the first piece keeps the verdict on the packet inside, even if it completes the datagram
        expected[-1] = (OUTER, "good")
    assert found == expected


def test_without_decap_the_pieces_of_a_tunnel_are_pieces_like_any_other():
    assert placed(VXLAN, decap=False) == [(OUTER, "fragment"), (OUTER, "fragment"), (OUTER, "good")]


def test_the_flow_inside_a_tunnel_has_its_first_piece_and_the_flow_around_it_the_others():
    found = [(row["src_ip"], row["packets"], row["bad_length"], row["good"]) for row in flows(pcap(records(VXLAN)))]
    assert found == [("10.0.0.1", 1, 1, 0), (SRC, 2, 0, 1)]


def test_a_packet_that_is_whole_in_the_first_piece_of_a_tunnel_is_verified():
    inside = b.ipv4(b.udp(b"short", 1, 2), "10.0.0.1", "10.0.0.2")
    found = placed(v4(bytes(b.gre(inside)) + bytes(1000), 1024, b.GRE))
    assert found == [(("10.0.0.1", 1, 1), "good"), ((SRC, 0, 0), "fragment")]


def test_a_datagram_in_pieces_inside_a_tunnel_is_verified_there():
    message = whole(b.udp(DATA), "10.0.0.1", "10.0.0.2")
    packets = [
        b.ethernet(b.ipv4(b.gre(b.ipv4(part, "10.0.0.1", "10.0.0.2", 17, offset=offset, more=more)), SRC, DST))
        for offset, more, part in b.pieces(message, 1024)
    ]
    inner = ("10.0.0.1", 40000, 1)
    assert placed([packets[1], packets[0], packets[2]]) == [(inner, "fragment"), (inner, "fragment"), (inner, "good")]


def test_a_tunnel_in_a_tunnel_may_be_in_pieces_at_both_depths():
    # The pieces of the innermost packet (depth 1) are in a tunnel; the first of them is itself sent in two pieces.
    within = [
        b.ipv4(part, "172.16.0.1", "172.16.0.2", 17, offset=offset, more=more)
        for offset, more, part in b.pieces(whole(b.udp(b.vxlan(b.ethernet(INSIDE)), 7, 4789)), 1024)
    ]
    first = v4(bytes(b.gre(within[0])), 512, b.GRE)
    others = [b.ethernet(b.ipv4(b.gre(part), SRC, DST)) for part in within[1:]]
    assert placed([first[0], others[0], *first[1:], others[1]]) == [
        (("10.0.0.1", 80, 2), "bad_length"),
        (("172.16.0.1", 7, 1), "fragment"),  # its ports are told by the first piece of its first piece,
        ((SRC, 0, 0), "fragment"),
        ((SRC, 0, 0), "fragment"),
        (("172.16.0.1", 7, 1), "fragment"),  # whose end it never sees
    ]
