"""Tunnels: the innermost packet or the outermost; packets that only look like tunnels; the greatest depth."""

import pytest

import builders as b
from capture_files import Record, pcap, records
from core_driver import FIVE_TUPLE, Row, anomalies, flows, key, of, rows, scan, taken
from packet_cases import DST4, DST6, FRAME, IN4, IN6, SRC4, SRC6, TEREDO_PORT, TUNNELS, V4
from tunnel_lookalikes import NOT_A_TUNNEL


def decoded(octets: bytes, **options: bool) -> Row:
    """The row of the one record that holds this Ethernet frame."""
    (row,) = rows(pcap([Record(octets)]), **options)
    return row


@pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)
def test_a_tunnel_is_descended_to_the_innermost_packet(tunnel):
    row = decoded(tunnel.octets)
    addresses = ("10.0.0.1", "10.0.0.2") if row["ip_version"] == 4 else ("fd00::1", "fd00::2")
    expected = {
        **dict(zip(("src_ip", "dst_ip"), addresses, strict=True)),
        "protocol": b.UDP,
        "src_port": 1111,
        "dst_port": 2222,
        "payload_length": 7,
        "verdict": "good",
        "disposition": "counted",
        "depth": 1,
        "vlan": 0,
        "tunnel_id": 0,
        **tunnel.expected,
    }
    assert of(row, expected) == expected


@pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)
def test_without_decap_the_walk_stops_at_the_first_ip_header(tunnel):
    row = decoded(tunnel.octets, decap=False)
    addresses = (SRC4, DST4) if row["ip_version"] == 4 else (SRC6, DST6)
    expected = {
        **dict(zip(("src_ip", "dst_ip"), addresses, strict=True)),
        "protocol": tunnel.protocol,
        "src_port": 40000 if tunnel.port else 0,
        "dst_port": tunnel.port,
        "disposition": "counted" if tunnel.port else "unknown_transport",
        "verdict": "good" if tunnel.port else "none",
        "depth": 0,
        "vlan": 0,
    }
    assert of(row, expected) == expected


@pytest.mark.parametrize("tunnel", [one for one in TUNNELS.values() if one.port], ids=lambda one: str(one.port))
@pytest.mark.parametrize(("trailer", "depth"), [(b"", 1), (b"x", 0)], ids=["filled", "not filled"])
def test_an_answer_from_the_port_of_a_udp_tunnel_is_one_if_a_packet_fills_it_to_the_octet(tunnel, trailer, depth):
    data = tunnel.octets[14 + 20 + 8 :] + trailer
    answer = b.ethernet(b.ipv4(b.udp(data, tunnel.port, 40000)))
    ports = (1111, 2222) if depth else (tunnel.port, 40000)
    expected = {"depth": depth, "src_port": ports[0], "dst_port": ports[1], "verdict": "good"}
    assert of(decoded(answer), expected) == expected


@pytest.mark.parametrize("trailers", [b"", b"\2\4\0\0\0\0"])
def test_a_teredo_bubble_that_a_server_sends_may_have_trailers(trailers):  # RFC 6081 section 4
    bubble = b.ipv6(b"", "fe80::1", "2001::1", 59)
    answer = b.ethernet(b.ipv4(b.udp(b.teredo(bubble, origin=True) + trailers, TEREDO_PORT, 40000)))
    expected = {"depth": 1, "src_ip": "fe80::1", "protocol": 59, "disposition": "unknown_transport"}
    assert of(decoded(answer), expected) == expected


@pytest.mark.parametrize(("port", "octets"), [row[1:] for row in NOT_A_TUNNEL], ids=[row[0] for row in NOT_A_TUNNEL])
def test_a_tunnel_is_not_told_by_its_port_alone(port, octets):
    expected = {
        "protocol": b.UDP, "src_ip": SRC4, "dst_port": port, "depth": 0, "disposition": "counted", "reason": "none",
        "payload_length": len(octets), "verdict": "good",
    }  # fmt: skip
    assert of(decoded(b.ethernet(b.ipv4(b.udp(octets, 40000, port)))), expected) == expected


@pytest.mark.parametrize("port", [4788, 4789 + 256, 4789 + 64 * 256, 4789 + 128 * 256])
def test_a_port_that_shares_bits_with_that_of_a_tunnel_carries_none(port):
    data = TUNNELS["VXLAN (RFC 7348)"].octets[14 + 20 + 8 :]
    for ports in [(40000, port), (port, 40000), (port, port)]:
        row = decoded(b.ethernet(b.ipv4(b.udp(data, *ports))))
        assert of(row, ("depth", "src_port", "dst_port")) == {"depth": 0, "src_port": ports[0], "dst_port": ports[1]}


NOT_GRE = [
    ("GRE with a route without an end", b"\x40\0\x08\0" + bytes(4) + b"\x08\0\0\xff" + IN4),
    ("GRE with a route past its end", b"\x40\0\x08\0" + bytes(4) + b"\x08\0\0\4" + bytes(4)),
    ("GRE of Aruba's beacon", b.gre(b.ieee802_11(bytes(40), control=b.BEACON), b.ETHERTYPE_ARUBA)),
    ("GRE of Aruba's encrypted frame", b.gre(b.ieee802_11(b.llc_snap(IN4), b.PROTECTED), b.ETHERTYPE_ARUBA)),
    ("EoIP longer than its packet", b.eoip(FRAME)[:-1]),
    ("EoIP of GRE version 0", b"\x20\0" + b.eoip(FRAME)[2:]),
    ("EoIP keepalive", b.eoip(b"")),
    ("GRE of version 2", b"\0\2\x08\0" + IN4),
    ("GRE of ARP", b.gre(bytes(28), 0x0806)),
    ("GRE of an Ethernet frame of ARP", b.gre(b.ethernet(bytes(28), 0x0806))),
    ("GRE of no bytes", b""),
    ("GRE that ends inside its key", b"\x20\0\x08\0\0\0"),
    ("PPTP with an acknowledgment alone", b"\x20\x81\x88\x0b\0\0\0\x4d\0\0\0\1"),
    ("GRE keepalive", b.gre(b"", 0)),
]


INSIDE = b.ethernet(b.ipv4(b.tcp(b"x", 1, 2), "10.0.0.1", "10.0.0.2"))
HELD_IN_UDP = {"geneve": (b.GENEVE_PORT, b.geneve(INSIDE)), "vxlan": (b.VXLAN_PORT, b.vxlan(INSIDE))}


@pytest.mark.parametrize("kind", HELD_IN_UDP)
@pytest.mark.parametrize(("covered", "depth"), [(0, 0), (7, 0), (8, 0), (16, 0), (49, 0), (50, 1), (71, 1)])
def test_what_lies_behind_the_udp_length_is_not_in_the_tunnel(kind, covered, depth):
    # UDP 8, tunnel 8, Ethernet 14, IPv4 20, TCP 21: the row is the packet inside once its IPv4 header is captured.
    port, octets = HELD_IN_UDP[kind]
    row = decoded(b.ethernet(b.ipv4(b.udp(octets, 4000, port, length=covered))))
    assert row["depth"] == depth
    if covered < 8:
        assert row["verdict"] == "bad_length"


@pytest.mark.parametrize("octets", [row[1] for row in NOT_GRE], ids=[row[0] for row in NOT_GRE])
def test_gre_without_a_packet_that_can_be_read_leaves_the_packet_around_it(octets):
    expected = {"protocol": b.GRE, "src_ip": SRC4, "disposition": "unknown_transport", "depth": 0, "reason": "none"}
    assert of(decoded(b.ethernet(b.ipv4(octets, protocol=b.GRE))), expected) == expected


NOT_A_MESSAGE = [
    ("PIM hello", b.PIM, b"\x20\0\0\0" + bytes(4) + IN4),
    ("PIM version 1", b.PIM, b"\x11\0\0\0" + bytes(4) + IN4),
    ("PIM Register of neither version of IP", b.PIM, b.pim_register(b"\x55" + bytes(30))),
    ("L2TPv3, a control message", b.L2TP_IN_IP, b.l2tp_session(FRAME, 0)),
    ("L2TPv3 of ARP", b.L2TP_IN_IP, b.l2tp_session(b.ethernet(bytes(28), 0x0806))),
    ("L2TPv3 of no packet that checks out", b.L2TP_IN_IP, b.l2tp_session(b.ethernet(b"\x45" + bytes(33), 0x800))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "octets"), [row[1:] for row in NOT_A_MESSAGE], ids=[row[0] for row in NOT_A_MESSAGE]
)
def test_a_protocol_that_may_hold_a_packet_is_not_believed_without_one(protocol, octets):
    expected = {"protocol": protocol, "src_ip": SRC4, "disposition": "unknown_transport", "depth": 0, "reason": "none"}
    assert of(decoded(b.ethernet(b.ipv4(octets, protocol=protocol))), expected) == expected


@pytest.mark.parametrize(
    "inside", [b"\x44" + IN4[1:], b"\x45", IN4[:19], b"\x75" + IN4[1:], b""], ids=["IHL 4", "1", "19", "version 7", "0"]
)
def test_a_broken_packet_in_a_tunnel_leaves_the_packet_around_it(inside):
    expected = {"protocol": 4, "src_ip": SRC4, "disposition": "unknown_transport", "depth": 0, "ip_verdict": "good"}
    assert of(decoded(b.ethernet(b.ipv4(inside, protocol=4))), expected) == expected


def test_a_tunnel_in_a_tunnel_is_descended_to_the_innermost_and_has_its_number():
    vxlan = b.ipv4(b.udp(b.vxlan(b.ethernet(b.vlan(IN6, 9)), 5001), 40000, b.VXLAN_PORT), "10.9.0.1", "10.9.0.2")
    row = decoded(b.ethernet(b.vlan(b.ipv4(b.gre(vxlan, key=7)), 3)))
    expected = {"src_ip": "fd00::1", "depth": 2, "tunnel_id": 5001, "vlan": 9, "verdict": "good", "ip_version": 6}
    assert of(row, expected) == expected


def nested(depth: int, inside: b.Layer = IN4) -> bytes:
    """An IPv4 packet in so many others."""
    for level in range(depth):
        inside = b.ipv4(inside, f"198.51.100.{level % 250}")
    return b.ethernet(inside)


@pytest.mark.parametrize("depth", range(12))
def test_at_most_eight_tunnels_are_descended(depth):
    scanner = scan(pcap([Record(nested(depth))]))
    (row,) = taken(scanner)
    if depth <= 8:
        expected = {"src_ip": "10.0.0.1", "depth": depth, "disposition": "counted", "verdict": "good"}
    else:
        source = f"198.51.100.{depth - 9}"  # the packet in eight others
        expected = {"src_ip": source, "protocol": 4, "depth": 8, "disposition": "unknown_transport"}
    assert of(row, expected) == expected
    assert anomalies(scanner) == ({"tunnels_too_deep": 1} if depth > 8 else {})


def test_three_thousand_packets_in_each_other_are_read_to_the_eighth():
    assert decoded(nested(3000))["depth"] == 8


def test_the_flow_of_a_tunnelled_packet_is_that_of_the_packet_inside():
    frames = [TUNNELS["VXLAN (RFC 7348)"].octets, TUNNELS["GRE (RFC 2784)"].octets, b.ethernet(IN4), b.ethernet(V4)]
    capture = pcap(records(frames))
    by_five_tuple = [(row["src_ip"], row["packets"]) for row in flows(capture, by=key(*FIVE_TUPLE))]
    assert by_five_tuple == [("10.0.0.1", 3), (SRC4, 1)]
    by_tunnel = [(row["tunnel_id"], row["packets"]) for row in flows(capture, by=key("tunnel_id"))]
    assert by_tunnel == [(5001, 1), (0, 3)]


# More than 16 bits of length (Linux BIG TCP): every length that has no room for it is zero.
BIG = bytes(range(256)) * 300
BIG_INSIDE = {
    "IPv4": b.ipv4(b.tcp(BIG, 1, 2), "10.0.0.1", "10.0.0.2", total_length=0),
    "IPv6": b.ipv6(b.tcp(BIG, 1, 2), "fd00::1", "fd00::2", payload_length=0),
    "jumbogram": b.ipv6(
        b.hop_by_hop(b.tcp(BIG, 1, 2), b.jumbo_payload(8 + 20 + len(BIG))), "fd00::1", "fd00::2", payload_length=0
    ),
}
BIG_TUNNELS = {
    "VXLAN": lambda packet: b.udp(b.vxlan(b.ethernet(packet), 7), 40000, b.VXLAN_PORT, checksum=0),
    "GENEVE of frames": lambda packet: b.udp(b.geneve(b.ethernet(packet), 7), 40000, b.GENEVE_PORT, checksum=0),
    "GENEVE of packets": lambda packet: b.udp(b.geneve(packet, 7), 40000, b.GENEVE_PORT, checksum=0),
}


@pytest.mark.parametrize("inside", BIG_INSIDE.values(), ids=BIG_INSIDE)
@pytest.mark.parametrize("tunnel", BIG_TUNNELS.values(), ids=BIG_TUNNELS)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("snaplen", "verdict"), [(None, "good"), (300, "truncated")])
def test_a_packet_too_long_for_its_length_is_read_inside_a_tunnel(inside, tunnel, version, snaplen, verdict):
    datagram = tunnel(inside)
    around = b.ipv4(datagram, total_length=0) if version == 4 else b.ipv6(datagram, payload_length=0)
    record = Record(bytes(b.ethernet(around)))
    (row,) = rows(pcap([record.cut(snaplen or len(record.data))]))
    expected = {
        "depth": 1, "tunnel_id": 7, "protocol": b.TCP, "src_port": 1, "dst_port": 2, "payload_length": len(BIG),
        "verdict": verdict, "disposition": "counted",
    }  # fmt: skip
    assert of(row, expected) == expected


# The frame ------------------------------------------------------------------------------------------------------------

WITH_A_FRAME = b.udp(b.vxlan(b.ethernet(IN4)), 40000, 4789)
WITH_A_TAGGED_FRAME = b.udp(b.vxlan(b.ethernet(b.vlan(IN4, 7))), 40000, 4789)


@pytest.mark.parametrize(
    ("inside", "vlan"), [(IN4, 300), (b.gre(IN4), 300), (WITH_A_FRAME, 0), (WITH_A_TAGGED_FRAME, 7)]
)
def test_the_vlan_is_that_of_the_frame_which_carries_the_innermost_packet(inside, vlan):
    row = decoded(b.ethernet(b.vlan(b.ipv4(inside), 300)))
    assert of(row, {"depth": 1, "vlan": vlan, "src_port": 1111}) == {"depth": 1, "vlan": vlan, "src_port": 1111}
