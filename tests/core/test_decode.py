"""From a record's bytes to addresses, ports and payload: links, what stands between, network, transport."""

import struct

import pytest

import builders as b
from capture_files import Record, pcap, records
from core_driver import FIVE_TUPLE, Row, flows, key, of, rows
from packet_cases import DST4, DST6, LLC, PLAIN, RADIO, SIZE, SRC4, SRC6, V4, V6


def decoded(octets: bytes, link_type: int = b.LINK_ETHERNET, **options: bool) -> Row:
    """The row of the one record that holds these bytes."""
    (row,) = rows(pcap([Record(octets)], link_type), **options)
    return row


@pytest.mark.parametrize("decap", [True, False], ids=["decap", "no decap"])
@pytest.mark.parametrize("case", PLAIN.values(), ids=PLAIN)
def test_the_addresses_ports_and_payload_of_a_datagram_are_found_under_every_header(case, decap):
    row = decoded(case.octets, case.link_type, decap=decap)
    addresses = (SRC4, DST4) if row["ip_version"] == 4 else (SRC6, DST6)
    expected = {
        **dict(zip(("src_ip", "dst_ip"), addresses, strict=True)),
        "protocol": b.UDP,
        "src_port": 40000,
        "dst_port": 50000,
        "payload_length": SIZE,
        "verdict": "good",
        "ip_verdict": "good" if row["ip_version"] == 4 else "none",
        "disposition": "counted",
        "reason": "none",
        "depth": 0,
        "link_type": case.link_type,
        **case.expected,
    }
    assert of(row, expected) == expected


@pytest.mark.parametrize(
    ("link_type", "octets"),
    [
        pytest.param(1, b.ethernet(bytes(28), 0x0806), id="ARP"),
        pytest.param(1, b.ethernet(bytes(46), 0x88CC), id="LLDP"),
        pytest.param(1, b.ethernet(b"\x11\x09\0\0\0\0", 0x8863), id="PPPoE discovery"),
        pytest.param(1, b.ethernet(b.pppoe(b"\1\1\0\4", protocol=0xC021)), id="PPPoE with LCP"),
        pytest.param(1, b.ethernet(b"\x42\x42\x03" + bytes(35), 38), id="LLC of the spanning tree"),
        pytest.param(1, b.ethernet(b.llc_snap(bytes(20), 0x2000, b"\0\0\x0c")), id="SNAP of another organisation"),
        pytest.param(1, b.ethernet(b.macsec(V4, encrypted=True)), id="MACsec, encrypted"),
        pytest.param(1, b.ethernet(b.mpls(b"\x10" + bytes(30), 100)), id="MPLS with something else under it"),
        pytest.param(1, b.ethernet(b.vlan(bytes(28), 7, 0x0806)), id="ARP in a VLAN"),
        pytest.param(
            1, b.ethernet(b.mpls(b.ethernet(bytes(28), 0x0806, dst=b"\x45" + bytes(5)), 100)), id="ARP under MPLS"
        ),
        pytest.param(
            1,
            b.ethernet(b.mpls(b.ethernet(b"\x42\x42\3" + bytes(40), 43, dst=b"\x60" + bytes(5)), 100)),
            id="LLC under MPLS",
        ),
        pytest.param(1, b.ethernet(b.fabricpath(b.ethernet(V4, 1000))), id="FabricPath of a length that does not fit"),
        pytest.param(1, b.ethernet(b.arista(V4, 0x0030)), id="Arista's tag of another version"),
        pytest.param(1, b.ethernet(b.arista(V4, subtype=3)), id="Arista's tag without a time stamp"),
        pytest.param(1, b.ethernet(b"\x11\0\0\1\0\x05\x25" + V4, 0x8864), id="PPPoE of another protocol of one byte"),
        pytest.param(b.LINK_NULL, b.null(V4, family=0x05DC), id="NULL of a family just under the ethertypes"),
        pytest.param(b.LINK_FRELAY, b"\x18\x41\3\x81" + bytes(40), id="frame relay with CLNP"),
        pytest.param(b.LINK_ARCNET_LINUX, bytes((1, 2, 0, 0, 0xD5, 0, 0, 1)) + bytes(20), id="ARCNET with ARP"),
        pytest.param(1, b.ethernet(b.nsh(bytes(40), 4)), id="NSH with another NSH inside"),
        pytest.param(b.LINK_IPOIB, bytes(40) + b"\x08\x06\0\0" + bytes(56), id="ARP over InfiniBand"),
        pytest.param(b.LINK_JUNIPER_ETHER, b.juniper(b.ethernet(V4), magic=b"MGX"), id="Juniper without its magic"),
        pytest.param(b.LINK_JUNIPER_ETHER, b"MGC\2" + b"\x63\0\0\0" + V4, id="Juniper of another protocol"),
        pytest.param(b.LINK_JUNIPER_ATM1, b.juniper(b"\x80\0\0\0" + V4), id="Juniper, an OAM cell of ATM1"),
        pytest.param(b.LINK_JUNIPER_ATM2, b.juniper(bytes(7) + b"\x10" + V4), id="Juniper, an OAM cell of ATM2"),
        pytest.param(b.LINK_JUNIPER_ATM2, b.juniper(bytes(8) + b"\xc0\x21" + V4), id="Juniper, LCP over ATM2"),
        pytest.param(b.LINK_JUNIPER_MLPPP, b.juniper(b"\1\2\3\4" + V4), id="Juniper, multilink PPP of no cookie"),
        pytest.param(b.LINK_JUNIPER_MLPPP, b.juniper(b"\x47\0\0\0\0\x30\0\0" + V4), id="Juniper, IS-IS by its cookie"),
        pytest.param(b.LINK_JUNIPER_MLFR, b.juniper(b"\x54\0\0\0" + V4), id="Juniper, multilink frame relay of IS-IS"),
        pytest.param(
            b.LINK_JUNIPER_MLFR, b.juniper(b"\x47\0\0\0\3\0\0\0" + V4), id="Juniper, frame relay of the routing engine"
        ),
        pytest.param(b.LINK_JUNIPER_GGSN, b.juniper(b"\x0a\0\0\0" + V4), id="Juniper, GGSN of CLNP"),
        pytest.param(b.LINK_JUNIPER_SERVICES, b.juniper(bytes(60)), id="Juniper, services of no version of IP"),
        pytest.param(
            b.LINK_JUNIPER_ST, b.juniper(b.ethernet(b.ipv4(bytes(24) + V4, protocol=51))), id="Juniper, no ESP"
        ),
        pytest.param(b.LINK_RAW, b"\x55" + bytes(30), id="RAW of no version of IP"),
        pytest.param(b.LINK_NULL, b.null(V4, family=22), id="NULL of another family"),
        pytest.param(b.LINK_NULL, b.null(b"\xff\xff" + bytes(40), family=23), id="NULL with IPX"),
        pytest.param(b.LINK_PPP, b.ppp(b"\1\1\0\4", protocol=0xC021), id="PPP with LCP"),
        pytest.param(b.LINK_C_HDLC, b.c_hdlc(bytes(18), 0x8035), id="Cisco HDLC with SLARP"),
        pytest.param(b.LINK_IEEE802_11, b.ieee802_11(LLC, control=b.BEACON), id="802.11 beacon"),
        pytest.param(b.LINK_IEEE802_11, b.ieee802_11(b"", control=b.NULL_FUNCTION), id="802.11 null function"),
        pytest.param(b.LINK_IEEE802_11, b.ieee802_11(LLC, b.PROTECTED), id="802.11, encrypted"),
        pytest.param(b.LINK_FDDI, b.fddi(LLC, control=0x41), id="FDDI station management"),
        pytest.param(b.LINK_PKTAP, b.pktap(V4, 12, record_type=0), id="PKTAP without a packet"),
        # Linux, if_ether.h: under 1536 the protocol is a number of its own kind, not a length.
        pytest.param(b.LINK_SLL, b.sll(bytes(30), ethertype=1), id="SLL with Novell's raw 802.3"),
        pytest.param(b.LINK_SLL, b.sll(bytes(16), ethertype=12, arphrd=280), id="SLL with CAN"),
        pytest.param(b.LINK_SLL, b.sll(bytes(16), ethertype=0, arphrd=824), id="SLL with netlink"),
        pytest.param(b.LINK_SLL2, b.sll2(bytes(16), ethertype=1), id="SLL2 with Novell's raw 802.3"),
    ],
)
def test_what_is_no_ip_is_counted_as_that(link_type, octets):
    expected = {"disposition": "non_ip", "reason": "none", "ip_version": 0, "src_ip": "", "verdict": "none"}
    assert of(decoded(octets, link_type), expected) == expected


@pytest.mark.parametrize("first", [0x00, 0x02, 0x10, 0x44, 0x45, 0x4F, 0x60, 0x6F, 0xFE])
@pytest.mark.parametrize("inside", [V4, b.vlan(V4, 9), V4 + b"padding", V6], ids=["IPv4", "tagged", "padded", "IPv6"])
def test_a_frame_under_labels_is_told_by_what_it_holds_whatever_its_address_begins_with(first, inside):  # RFC 8469
    frame = b.ethernet(inside, getattr(inside, "ethertype", 0x0800), dst=bytes((first,)) + b.MAC_B[1:])
    row = decoded(b.ethernet(b.mpls(frame, 100)))
    expected = {"src_ip": SRC6 if inside is V6 else SRC4, "src_port": 40000, "src_mac": b.MAC_A, "verdict": "good"}
    assert of(row, expected) == expected


def test_a_packet_under_labels_stays_one_though_its_header_is_wrong():
    wrong = b.ipv4(b.udp(bytes(SIZE)), checksum=1) + b"trailer"
    expected = {"src_ip": SRC4, "ip_verdict": "bad", "src_port": 40000, "disposition": "counted"}
    assert of(decoded(b.ethernet(b.mpls(wrong, 100), 0x8847)), expected) == expected


@pytest.mark.parametrize("link_type", [2, 147, b.LINK_USER2, 65000 & 0xFFFF, 0xFFFF])
def test_an_unknown_link_type_is_counted_by_its_number(link_type):
    expected = {"disposition": "unknown_link", "link_type": link_type, "ip_version": 0}
    assert of(decoded(V4, link_type), expected) == expected


def test_a_users_link_type_is_known_where_it_plainly_is_pktap():
    octets = b.pktap(b.ethernet(V4), b.LINK_ETHERNET)  # macOS wrote this before the format had a number
    expected = {"disposition": "counted", "link_type": b.LINK_USER2, "src_ip": SRC4, "src_port": 40000}
    assert of(decoded(octets, b.LINK_USER2), expected) == expected


MALFORMED = [
    # what, link type, bytes, reason
    ("IP of version 5 where IPv4 was announced", 1, b.ethernet(b"\x55" + V4[1:], 0x0800), "wrong_version"),
    ("IPv4 where IPv6 was announced", 1, b.ethernet(V4 + bytes(20), 0x86DD), "wrong_version"),
    ("IPv4 header of four words", 1, b.ethernet(b"\x44" + V4[1:], 0x0800), "header_length"),
    ("IPv4 total length under its header's", 1, b.ethernet(b.ipv4(b.udp(), total_length=19)), "total_length"),
    ("UDP of three bytes", 1, b.ethernet(b.ipv4(b"udp", protocol=17)), "short_transport"),
    ("ICMP echo of six bytes", 1, b.ethernet(b.ipv4(b.icmp()[:6], protocol=1)), "short_transport"),
    ("AH that is shorter than itself", 1,
     b.ethernet(b.ipv4(b"\x11\0" + bytes(10) + b.udp(), protocol=b.AH)), "short_extension"),
    ("extension header past the packet", 1,
     b.ethernet(b.ipv6(b"\x11\x09" + bytes(6) + b.udp(), next_header=0)), "short_extension"),
    ("NSH of one word", 1, b.ethernet(b"\x0f\xc1\2\1" + bytes(4) + V4, 0x894F), "short_link"),
    ("radiotap of four bytes", b.LINK_RADIOTAP, b"\0\0\4\0" + bytes(4) + RADIO, "short_link"),
    ("PPI of four bytes", b.LINK_PPI, b"\0\0\4\0\1\0\0\0" + b.ethernet(V4), "short_link"),
    ("Prism header of four bytes", b.LINK_PRISM, struct.pack("<II", 0x44, 4) + bytes(40), "short_link"),
    ("PKTAP header of 107 bytes", b.LINK_PKTAP, b"\x6b" + b.pktap(V4, 12)[1:], "short_link"),
    ("PFLOG of no bytes", b.LINK_PFLOG, b"\0\2" + bytes(62) + V4, "short_link"),
    ("NFLOG value of no bytes", b.LINK_NFLOG, b"\2\0\0\0" + bytes(8) + V4, "short_link"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("link_type", "octets", "reason"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED]
)
def test_a_header_that_contradicts_itself_makes_the_record_malformed(link_type, octets, reason):
    expected = {"disposition": "malformed", "reason": reason}
    assert of(decoded(octets, link_type), expected) == expected


def test_the_columns_of_an_ipv4_packet_hold_its_fields():
    segment = b.tcp(b"hello", 443, 50001, seq=0x89ABCDEF, ack=0xFEDCBA98, flags=b.PSH | b.ACK | b.CWR, window=4321)
    frame = b.ethernet(b.vlan(b.ipv4(segment, tos=0xB8, identification=0xBEEF, ttl=63, dont_fragment=True), 0x6123))
    expected = {
        "ip_version": 4, "ttl": 63, "tos": 0xB8, "ip_id": 0xBEEF, "fragment_offset": 0, "flow_label": 0, "vlan": 0x123,
        "src_port": 443, "dst_port": 50001, "payload_length": 5, "tcp_seq": 0x89ABCDEF, "tcp_ack": 0xFEDCBA98,
        "tcp_flags": 0x98, "tcp_window": 4321, "src_mac": b.MAC_A, "dst_mac": b.MAC_B, "ethertype": 0x0800,
        "checksum": int.from_bytes(frame[54:56]), "ip_checksum": int.from_bytes(frame[28:30]),
    }  # fmt: skip
    assert of(decoded(frame), expected) == expected


def test_the_columns_of_an_ipv6_packet_hold_its_fields():
    frame = b.ethernet(b.ipv6(b.udp(b"hello"), traffic_class=0xB8, flow_label=0xABCDE, hop_limit=1))
    expected = {
        "ip_version": 6, "ttl": 1, "tos": 0xB8, "flow_label": 0xABCDE, "ip_id": 0, "protocol": b.UDP,
        "checksum": int.from_bytes(frame[60:62]), "ip_checksum": 0, "ip_verdict": "none", "ethertype": 0x86DD,
    }  # fmt: skip
    assert of(decoded(frame), expected) == expected


TRANSPORTS = [
    # segment, protocol, payload, verdict
    (b.udp(b"12345"), 17, 5, "good"),
    (b.tcp(b"12345"), 6, 5, "good"),
    (b.tcp(b"12345", options=b"\2\4\5\xb4\1\1\1\0"), 6, 5, "good"),
    (b.udp_lite(b"12345"), 136, 5, "good"),
    (b.dccp(b"12345"), 33, 5, "good"),
    (b.sctp(b.sctp_data(b"12345")), 132, 24, "good"),  # chunks are above the common header
]


@pytest.mark.parametrize(("segment", "protocol", "payload", "verdict"), TRANSPORTS)
@pytest.mark.parametrize("network", [b.ipv4, b.ipv6])
def test_every_transport_gives_its_ports_and_the_octets_above_its_header(network, segment, protocol, payload, verdict):
    expected = {"protocol": protocol, "src_port": 40000, "dst_port": 50000, "payload_length": payload}
    row = decoded(b.ethernet(network(segment)))
    assert of(row, expected) == expected
    assert (row["verdict"], row["disposition"]) == (verdict, "counted")


@pytest.mark.parametrize("protocol", [2, 50, 59, 88, 89, 103, 112, 255])
@pytest.mark.parametrize("network", [b.ipv4, b.ipv6])
def test_a_protocol_without_ports_is_in_a_flow_by_address_and_protocol(network, protocol):
    packet = network(bytes(3), SRC4 if network is b.ipv4 else SRC6, DST4 if network is b.ipv4 else DST6, protocol)
    expected = {"protocol": protocol, "src_port": 0, "dst_port": 0, "disposition": "unknown_transport"}
    assert of(decoded(b.ethernet(packet)), expected) == expected
    assert len(flows(pcap([Record(b.ethernet(packet))]))) == 1


@pytest.mark.parametrize("protocol", [0, 43, 44, 60, 135, 139, 140])
def test_the_numbers_of_ipv6_extension_headers_over_ipv4_are_unknown_transports(protocol):
    row = decoded(b.ethernet(b.ipv4(bytes(16), protocol=protocol)))
    assert (row["protocol"], row["disposition"], row["ip_version"]) == (protocol, "unknown_transport", 4)


# ICMP: type and code, or an identifier where a port would be ----------------------------------------------------------

IDENTIFIER = 0x1234
ICMP_PORTS = [
    # network, message, type, code, source port, destination port
    *[(b.ipv4, b.icmp, kind, 0, IDENTIFIER, 0) for kind in (8, 13, 15, 17)],
    *[(b.ipv4, b.icmp, kind, 0, 0, IDENTIFIER) for kind in (0, 14, 16, 18)],
    *[(b.ipv4, b.icmp, kind, code, kind, code) for kind, code in ((3, 3), (4, 0), (5, 1), (11, 0), (12, 2), (42, 7))],
    (b.ipv6, b.icmpv6, 128, 0, IDENTIFIER, 0),
    (b.ipv6, b.icmpv6, 129, 0, 0, IDENTIFIER),
    *[
        (b.ipv6, b.icmpv6, kind, code, kind, code)
        for kind, code in ((1, 4), (2, 0), (3, 0), (135, 0), (136, 0), (8, 5))
    ],
]


@pytest.mark.parametrize(("network", "message", "kind", "code", "src_port", "dst_port"), ICMP_PORTS)
def test_icmp_has_type_and_code_for_ports_or_an_identifier_at_the_asker(
    network, message, kind, code, src_port, dst_port
):
    row = decoded(b.ethernet(network(message(b"data", kind, code))))
    expected = {"src_port": src_port, "dst_port": dst_port, "verdict": "good", "disposition": "counted"}
    assert of(row, expected) == expected
    assert row["payload_length"] == 4


@pytest.mark.parametrize(
    ("network", "message", "request_kind", "reply_kind"),
    [(b.ipv4, b.icmp, 8, 0), (b.ipv4, b.icmp, 13, 14), (b.ipv4, b.icmp, 15, 16), (b.ipv4, b.icmp, 17, 18),
     (b.ipv6, b.icmpv6, 128, 129)],
)  # fmt: skip
def test_a_request_and_its_reply_share_a_flow_and_another_identifier_has_its_own(
    network, message, request_kind, reply_kind
):
    ends = (SRC4, DST4) if network is b.ipv4 else (SRC6, DST6)
    asked = network(message(kind=request_kind), *ends)
    answered = network(message(kind=reply_kind), *ends[::-1])
    other = network(message(kind=request_kind, rest=b"\x43\x21\0\1"), *ends)
    table = flows(pcap(records(map(b.ethernet, (asked, answered, other, asked)))), by=key(*FIVE_TUPLE))
    found = [(row["src_port"], row["dst_port"], row["packets"], row["reverse_packets"]) for row in table]
    assert found == [(IDENTIFIER, 0, 2, 1), (0x4321, 0, 1, 0)]


def test_a_packet_quoted_in_an_icmp_error_is_neither_descended_to_nor_verified():
    quoted = b.ipv4(b.udp(b"quoted", checksum=1), DST4, SRC4, checksum=1)
    row = decoded(b.ethernet(b.ipv4(b.icmp(quoted, 3, 3, bytes(4)))))
    expected = {"protocol": 1, "src_ip": SRC4, "src_port": 3, "dst_port": 3, "depth": 0, "verdict": "good"}
    assert of(row, {**expected, "ip_verdict": "good"}) == {**expected, "ip_verdict": "good"}
