"""Captures by structure: tunnels in fragments in tunnels, identities that collide, lengths that lie, all link types.

A mutated file seldom holds valid packets. Here every packet is built from the inside out by the builders of the tests;
drawn are the nesting of packets, their addresses, and the fields that lie.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng
from packet_cases import TEREDO_PORT

MAX_DEPTH = 3  # tunnels drawn; the core descends eight
FRAMES_MAX = 60
IPV4_ENDS = ["10.0.0.1", "10.0.0.2"]  # few addresses, so that identities and flows collide
IPV6_ENDS = ["2001:db8::1", "2001:db8::2"]
PORTS = [1, 2, 53, 4789]
IDENTIFICATIONS = [1, 1, 1, 2, 3]
FLAGS = [b.SYN, b.SYN | b.ACK, b.ACK, b.ACK | b.PSH, b.ACK | b.FIN, b.RST]
START = 1_700_000_000_000_000_000

Draw = random.Random
Held = tuple[int, bytes]  # an IP protocol, and its payload
LinkHeader = Callable[[bytes], bytes]

LINKS: dict[int, LinkHeader] = {
    b.LINK_ETHERNET: b.ethernet,
    b.LINK_RAW: bytes,
    b.LINK_NULL: b.null,
    b.LINK_LOOP: lambda packet: b.null(packet, byteorder="big"),
    b.LINK_PPP: b.ppp,
    b.LINK_SLL: b.sll,
    b.LINK_SLL2: b.sll2,
    b.LINK_C_HDLC: b.c_hdlc,
    b.LINK_FRELAY: b.frame_relay,
    b.LINK_ARCNET_LINUX: b.arcnet,
    b.LINK_IPNET: b.ipnet,
    b.LINK_NFLOG: b.nflog,
    b.LINK_PFLOG: b.pflog,
    b.LINK_PPP_ETHER: lambda packet: b.pppoe(packet)[:],
    b.LINK_IEEE802_11: lambda packet: b.ieee802_11(b.llc_snap(packet)),
    b.LINK_RADIOTAP: lambda packet: b.radiotap(b.ieee802_11(b.llc_snap(packet))),
    b.LINK_FDDI: lambda packet: b.fddi(b.llc_snap(packet)),
    b.LINK_TOKEN_RING: lambda packet: b.token_ring(b.llc_snap(packet)),
    b.LINK_PPI: lambda packet: b.ppi(b.ethernet(packet), b.LINK_ETHERNET),
    b.LINK_PKTAP: lambda packet: b.pktap(b.ethernet(packet), b.LINK_ETHERNET),
}
TAGS: list[LinkHeader] = [
    lambda packet: b.ethernet(b.vlan(packet, 7)),
    lambda packet: b.ethernet(b.vlan(b.vlan(packet, 7), 8)),
    lambda packet: b.ethernet(b.mpls(packet, 100)),
    lambda packet: b.ethernet(b.pppoe(packet)),
    lambda packet: b.ethernet(b.cisco_metadata(packet)),
]
IN_UDP: list[tuple[int, LinkHeader]] = [
    (b.VXLAN_PORT, lambda packet: b.vxlan(b.ethernet(packet))),
    (b.GENEVE_PORT, b.geneve),
    (b.GTP_U_PORT, b.gtp_u),
    (TEREDO_PORT, b.teredo),
]


def packet_of(octets: bytes) -> bytes:
    """The packet as a layer that knows its ethertype and protocol, even if its bytes were changed."""
    six = octets[:1] >= b"\x60"
    return b.Layer(octets, *((b.ETHERTYPE_IPV6, b.IPV6) if six else (b.ETHERTYPE_IPV4, b.IPV4)))


def lied(draw: Draw, octets: bytes, often: float) -> bytes:
    """The bytes, perhaps with one of them changed, cut short or with bytes behind."""
    if not octets or draw.random() > often:
        return octets
    how = draw.randrange(3)
    if how == 0:
        at = draw.randrange(min(len(octets), 48))
        return octets[:at] + bytes([draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])]) + octets[at + 1 :]
    if how == 1:
        return octets[: draw.randrange(1, len(octets) + 1)]
    return octets + bytes(draw.randrange(1, 40))


def transport(draw: Draw) -> Held:
    """A message of any protocol, its checksum right, left to a card, absent or wrong."""
    data = draw.randbytes(draw.choice([0, 1, 8, 40, 200, 700]))
    ports = draw.choice(PORTS), draw.choice(PORTS)
    checksum = draw.choice([None, None, None, "partial", 0, 1])
    length = draw.choice([None] * 9 + [0, 7, 8, 12, 9000])
    kind = draw.randrange(8)
    if kind <= 2:
        return b.UDP, b.udp(data, *ports, checksum=checksum, length=length)
    if kind <= 4:
        seq = draw.choice([0, 1, 40, 80, 1000, 1 << 31, (1 << 32) - 40])
        return b.TCP, b.tcp(data, *ports, seq=seq, ack=1, flags=draw.choice(FLAGS), checksum=checksum)
    if kind == 5:
        quoted = draw.choice([b"", bytes(packet(draw, *transport(draw)))]) if draw.random() < 0.5 else data
        return b.ICMP, b.icmp(quoted, draw.choice([0, 3, 8, 11]), draw.randrange(4), bytes(4))
    if kind == 6:
        return b.SCTP, b.sctp(b.sctp_data(data), *ports)
    return draw.choice([(b.UDP_LITE, b.udp_lite(data, *ports)), (b.DCCP, b.dccp(data, *ports)), (b.AH, data)])


def tunnel(draw: Draw, inside: bytes) -> Held:
    """A header that holds a packet."""
    kind = draw.randrange(5)
    if kind == 0:
        return (b.IPV6 if inside[:1] >= b"\x60" else b.IPV4), inside
    if kind == 1:
        return b.GRE, b.gre(b.ethernet(inside))
    if kind == 2:
        port, header = draw.choice(IN_UDP)
        length = draw.choice([None] * 6 + [8, 16, 40])
        return b.UDP, b.udp(header(inside), draw.choice(PORTS), port, length=length, checksum=draw.choice([None, 0]))
    return b.GRE, b.gre(inside, checksum=draw.choice([None, None, "right"]))


def ends(draw: Draw, six: bool) -> tuple[str, str]:
    pair = list(IPV6_ENDS if six else IPV4_ENDS)
    if draw.random() < 0.3:
        pair.reverse()
    return pair[0], pair[1]


def packet(draw: Draw, protocol: int, payload: bytes) -> bytes:
    """One IP packet around this payload."""
    if draw.random() < 0.25:
        held = payload
        if draw.random() < 0.2:
            held = b.destination_options(held, next_header=protocol)
            protocol = b.DESTINATION_OPTIONS
        return b.ipv6(held, *ends(draw, True), protocol)
    length = draw.choice([None] * 30 + [0, 20, 30, 3000])
    return b.ipv4(
        payload, *ends(draw, False), protocol, identification=draw.choice(IDENTIFICATIONS), total_length=length
    )


def fragments(draw: Draw, protocol: int, payload: bytes) -> list[bytes]:
    """The payload in fragments, some lost, some twice, in some order, under an identification that others have too."""
    six, order = draw.random() < 0.25, draw.random()
    src, dst = ends(draw, six)
    message = payload.over(b.packed(src), b.packed(dst)) if isinstance(payload, b.Layer) else payload
    size = draw.choice([8, 16, 24, 64, 128, 512])
    size = max(size, (len(message) // 24 + 7) // 8 * 8)
    identification = draw.choice(IDENTIFICATIONS)
    made: list[bytes] = []
    for at, more, part in b.pieces(bytes(message), size):
        if draw.random() < 0.03:
            at, more = draw.choice([(at + 8, more), (max(at - 8, 0), more), (at, not more), (65_000, more)])
        part = lied(draw, part, 0.02)
        if six:
            held = b.fragment(part, at, more, identification, next_header=protocol)
            if draw.random() < 0.05:
                held = b.fragment(held, 0, draw.random() < 0.5, identification)
            made.append(b.ipv6(held, src, dst))
        else:
            made.append(b.ipv4(part, src, dst, protocol, identification=identification, offset=at, more=more))
    if order < 0.3:
        draw.shuffle(made)
    elif order < 0.4:
        made.reverse()
    elif order < 0.5:
        made += draw.sample(made, draw.randrange(len(made)) or 1)
    elif order < 0.6 and len(made) > 1:
        made.pop(draw.randrange(len(made)))
    return made


def packets(draw: Draw, depth: int = 0) -> list[bytes]:
    """IP packets that belong together: a message, or a tunnel of such packets, whole or in fragments."""
    if depth < MAX_DEPTH and draw.random() < 0.6:
        held = [tunnel(draw, inside) for inside in packets(draw, depth + 1)]
    else:
        held = [transport(draw) for _ in range(draw.choice([1, 1, 2, 4]))]
    made: list[bytes] = []
    for protocol, payload in held:
        in_pieces = payload and draw.random() < 0.5
        made += fragments(draw, protocol, payload) if in_pieces else [packet(draw, protocol, payload)]
        if len(made) >= FRAMES_MAX:
            break
    return [packet_of(lied(draw, bytes(one), 0.02)) for one in made]


def frames(draw: Draw, header: LinkHeader) -> list[bytes]:
    """Some packets behind a link header, perhaps two groups alternating."""
    groups = [packets(draw) for _ in range(draw.choice([1, 2, 2, 3]))]
    if draw.random() < 0.5:
        turns = [place for place, group in enumerate(groups) for _ in group]
        draw.shuffle(turns)
        sources = [iter(group) for group in groups]
        mixed = [next(sources[place]) for place in turns]
    else:
        mixed = [one for group in groups for one in group]
    return [lied(draw, bytes(header(one)), 0.01) for one in mixed[:FRAMES_MAX]]


def capture(draw: Draw) -> bytes:
    """A pcap or pcapng file."""
    link_type, header = draw.choice(list(LINKS.items())) if draw.random() < 0.5 else (b.LINK_RAW, bytes)
    if link_type == b.LINK_ETHERNET and draw.random() < 0.5:
        header = draw.choice(TAGS)
    step = draw.choice([0, 1000, 1_000_000, 20 * 10**9, -1000])
    made = [Record(frame, START + place * step) for place, frame in enumerate(frames(draw, header))]
    if draw.random() < 0.1:
        snaplen = draw.choice([20, 40, 60, 96])
        made = [record.cut(snaplen) for record in made]
    if draw.random() < 0.2:
        return pcapng(interface(link_type), *(enhanced_packet(one.data, one.time // 1000) for one in made))
    return pcap(made, link_type, ns=draw.random() < 0.5)
