"""Captures made byte by byte: the same every time, each named after what it shows."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

import builders as b
import fluxcap
import office
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, records, rewrapped
from two_points import Plan, two_points

START = 1_700_000_000_000_000_000  # ns; a whole second, so that every resolution can express it
ARP_REQUEST = bytes.fromhex("0001080006040001020000000001c0000201000000000000c0000202")

SOCKETS = ("192.0.2.1", 40000), ("192.0.2.2", 50000)
SOCKETS_V6 = ("2001:db8::1", 40000), ("2001:db8::2", 50000)
HELLO = fluxcap.segment(b"hello", *SOCKETS, identification=1)


def on_ethernet(packets: Sequence[b.Layer]) -> list[bytes]:
    return [b.ethernet(packet) for packet in packets]


def verdicts() -> list[Record]:
    """Records of UDP, one or two for every verdict, in the order of the verdict codes."""
    datagram = b.udp(bytes(range(64))).over(b.packed("192.0.2.1"), b.packed("192.0.2.2"))
    first_fragment = b.ipv4(datagram[:32], protocol=b.UDP, more=True, identification=7)
    whole = records(
        [
            b.ethernet(ARP_REQUEST, 0x0806),  # none
            HELLO,  # good
            fluxcap.segment(b"hello", *SOCKETS_V6),  # good
            b.ethernet(b.ipv4(b.udp(b"hello", checksum=0xBAD))),  # bad
            b.ethernet(b.ipv6(b.udp(b"hello", checksum=0xBAD))),  # bad
            b.ethernet(b.ipv4(b.udp(b"hello", checksum="partial"))),  # partial
            b.ethernet(b.ipv6(b.udp(b"hello", checksum="partial"))),  # partial
            b.ethernet(b.ipv4(b.udp(b"hello", checksum=0))),  # absent
            b.ethernet(b.ipv6(b.udp(b"hello", checksum=0))),  # illegal
            fluxcap.segment(bytes(100), *SOCKETS, identification=1),  # truncated, once it is cut
            b.ethernet(first_fragment),  # fragment
            b.ethernet(b.ipv4(b.udp(b"hello", length=7))),  # bad_length: less than its own header
            b.ethernet(b.ipv4(b.udp(b"hello", length=500))),  # bad_length: more than the IP payload
        ],
        START,
    )
    return [one.cut(96) for one in whole]


def every_transport() -> list[bytes]:
    """One good and one bad record of every checksum above IP, and one of the IPv4 header."""
    chunk = b.sctp_data(b"hello")
    return on_ethernet(
        [
            *(b.ipv4(b.udp(b"hello", checksum=value)) for value in (None, 1)),
            *(b.ipv6(b.tcp(b"hello", checksum=value)) for value in (None, 1)),
            *(b.ipv4(b.icmp(b"hello", checksum=value)) for value in (None, 1)),
            *(b.ipv6(b.icmpv6(b"hello", checksum=value)) for value in (None, 1)),
            *(b.ipv4(b.igmp(checksum=value), ttl=1) for value in (None, 1)),
            *(b.ipv4(b.udp_lite(b"covered, not covered", coverage=15, checksum=value)) for value in (None, 1)),
            *(b.ipv6(b.sctp(chunk, checksum=value)) for value in (None, 1)),
            *(b.ipv4(b.dccp(b"covered, not covered", coverage=3, checksum=value)) for value in (None, 1)),
            *(b.ipv4(b.gre(b.ipv4(b.udp(b"hello")), checksum=value)) for value in ("right", 1)),
            b.ipv4(b.udp(b"hello"), checksum=1),
        ]
    )


def pseudo_header_addresses() -> list[bytes]:
    """Datagrams whose checksum is good only with an address that is not in the fixed part of the IP header."""
    hops = ["2001:db8::7", "2001:db8::8"]
    return on_ethernet(
        [
            b.ipv4(b.udp(b"loose"), options=b.source_route(["192.0.2.9", "192.0.2.10"]), final="192.0.2.10"),
            b.ipv4(b.udp(b"strict"), options=b.source_route(["192.0.2.9"], strict=True), final="192.0.2.9"),
            b.ipv4(b.udp(b"spent"), options=b.source_route(["192.0.2.9"], pointer=8)),
            b.ipv6(b.routing(b.udp(b"type 0"), hops, segments_left=2)),
            b.ipv6(b.routing(b.udp(b"type 2"), hops[:1], segments_left=1, kind=2)),
            b.ipv6(b.routing(b.udp(b"segment routing"), hops, segments_left=1, kind=4)),
            b.ipv6(b.routing(b.udp(b"arrived"), hops, segments_left=0, kind=4)),
            b.ipv6(b.destination_options(b.udp(b"home address"), home="2001:db8::9")),
            b.ipv6(b.hop_by_hop(b.authentication(b.udp(b"options, then AH")))),
        ]
    )


def encapsulations() -> list[bytes]:
    """The same datagram behind every header that may stand between the link layer and IP."""
    inner = b.ipv4(b.udp(b"hello"), "198.51.100.1", "198.51.100.2")
    return on_ethernet(
        [
            b.vlan(inner, 7),
            b.vlan(b.vlan(inner, 7), 8, tpid=b.ETHERTYPE_SERVICE_VLAN),
            b.mpls(inner, 16, 17),
            b.pppoe(inner),
            b.llc_snap(inner),
            b.ipv4(inner),
            b.ipv6(inner),
            b.ipv4(b.gre(inner, key=7)),
            b.ipv4(b.gre(b.ethernet(inner))),
            b.ipv6(b.udp(b.vxlan(b.ethernet(inner), vni=42), dst_port=b.VXLAN_PORT, checksum=0)),
            b.ipv4(b.udp(b.geneve(b.ethernet(inner), vni=42, options=bytes(4)), dst_port=b.GENEVE_PORT)),
            b.ipv4(b.udp(b.gtp_u(inner, teid=42, sequence=1), dst_port=b.GTP_U_PORT)),
            b.ipv4(b.udp(b.vxlan(b.ethernet(b.vlan(b.ipv6(inner), 7))), dst_port=b.VXLAN_PORT)),
        ]
    )


def fragments_out_of_order() -> list[bytes]:
    """Three datagrams in fragments: one in order, one over IPv6 with its last fragment first, one without its first."""
    message = bytes(range(200))
    v4 = b.udp(message, 1000, 2000).over(b.packed("192.0.2.1"), b.packed("192.0.2.2"))
    v6 = b.udp(message, 1000, 2000).over(b.packed("2001:db8::1"), b.packed("2001:db8::2"))

    def over_ipv4(at: int, more: bool, octets: bytes, identification: int) -> b.Layer:
        return b.ipv4(octets, protocol=b.UDP, identification=identification, offset=at, more=more)

    def over_ipv6(at: int, more: bool, octets: bytes) -> b.Layer:
        return b.ipv6(b.fragment(octets, at, more, next_header=b.UDP))

    return on_ethernet(
        [
            *(over_ipv4(*piece, identification=1) for piece in b.pieces(v4, 96)),
            *(over_ipv6(*piece) for piece in reversed(b.pieces(v6, 96))),
            *(over_ipv4(*piece, identification=2) for piece in b.pieces(v4, 96)[1:]),
        ]
    )


def two_resolutions() -> bytes:
    """One moment on an interface that counts microseconds, and on one that counts 2^-10 seconds from an offset."""
    seconds = START // 1_000_000_000
    return pcapng(
        interface(b.LINK_ETHERNET, name="microseconds", tsresol=6),
        interface(b.LINK_RAW, name="binary fractions", tsresol=0x80 | 10, tsoffset=seconds - 1),
        enhanced_packet(HELLO, START // 1000 + 500_000, 0),
        enhanced_packet(fluxcap.segment(b"hello", *SOCKETS, link="raw", identification=1), 1024 + 512, 1),
    )


def link_types() -> bytes:
    """The same datagram on an interface of every link type."""
    inner = b.ipv4(b.udp(b"hello"))
    linked = [
        (b.LINK_NULL, b.null(inner)),
        (b.LINK_ETHERNET, b.ethernet(inner)),
        (b.LINK_PPP, b.ppp(inner)),
        (b.LINK_RAW, inner),
        (b.LINK_LOOP, b.null(inner, byteorder="big")),
        (b.LINK_SLL, b.sll(inner)),
        (b.LINK_IPV4, inner),
        (b.LINK_IPV6, b.ipv6(b.udp(b"hello"))),
        (b.LINK_SLL2, b.sll2(inner)),
    ]
    interfaces = [interface(link_type, name=f"link type {link_type}") for link_type, _ in linked]
    packets = [enhanced_packet(octets, START // 1000, number) for number, (_, octets) in enumerate(linked)]
    return pcapng(*interfaces, *packets)


def two_sections() -> bytes:
    """Two sections of different byte order, each with an interface of its own."""
    first = rewrapped(records([HELLO], START), byteorder="little")
    return first + rewrapped(records([HELLO], START + 1_000_000_000), byteorder="big")


def at_two_points() -> list[bytes]:
    """The same traffic in front of a firewall and behind it, by two clocks."""
    happens = {"lost": 0.04, "duplicated": 0.02, "held": 0.03, "mended": 0.02, "changed": 0.02, "remarked": 0.03}
    path = {"translated": 0.5, "clamped": True, "hops": 1, "offset": 1_500_000_000, "drift": 20.0}
    between = two_points(Plan(seed=1, packets=200, flows=4, large=0.02, again=0.02, **happens, **path))
    return [pcap(of_point, ns=True) for of_point in between.records.values()]


def damaged_record_length() -> bytes:
    """Three records; the header of the third claims more bytes than any packet has."""
    capture = bytearray(pcap(records([HELLO] * 3, START)))
    third = len(capture) - len(HELLO) - 8
    capture[third : third + 4] = b"\xff" * 4
    return bytes(capture)


FILES = {
    "verdicts.pcap": pcap(verdicts(), snaplen=96),
    "verdicts-big-endian-ns.pcap": pcap(verdicts(), byteorder="big", ns=True, snaplen=96),
    "verdicts-modified-header.pcap": pcap(verdicts(), modified=True, snaplen=96),
    "verdicts-big-endian.pcapng": rewrapped(verdicts(), byteorder="big", snaplen=96),
    "every-transport-good-and-bad.pcap": pcap(records(every_transport(), START)),
    "pseudo-header-addresses.pcap": pcap(records(pseudo_header_addresses(), START)),
    "encapsulations.pcap": pcap(records(encapsulations(), START)),
    "fragments-out-of-order.pcap": pcap(records(fragments_out_of_order(), START)),
    "two-resolutions.pcapng": two_resolutions(),
    "two-sections-two-byte-orders.pcapng": two_sections(),
    "link-types.pcapng": link_types(),
    **dict(zip(("before-a-firewall.pcap", "behind-a-firewall.pcap"), at_two_points(), strict=True)),
    "damaged-record-length.pcap": damaged_record_length(),
    "office.pcap": pcap(office.records(START)),
    "cut-inside-a-record.pcap": pcap(records([HELLO] * 3, START))[:-10],
}


def make(directory: Path, names: Sequence[str]) -> None:
    """Write every file of FILES that is named (all when none is) into `directory`."""
    for name, capture in FILES.items():
        if not names or name in names:
            (directory / name).write_bytes(capture)
