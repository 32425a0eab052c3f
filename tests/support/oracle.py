"""A slow reader of captures that shares no code with the project: dpkt for the headers, plain sums, dicts of counters.

It covers what is simple: pcap and pcapng of Ethernet (with VLAN tags), RAW, SLL and SLL2; IPv4 without options and IPv6
without extension headers; UDP, TCP, ICMP, ICMPv6, IGMP and SCTP. Of a record it does not cover (fragments, tunnels,
other link types, headers cut short, lengths that contradict each other) it says so by giving None in its place.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import dpkt

from plain_checksums import crc32c, ones_sum, pseudo_header

ICMP, IGMP, TCP, UDP, ICMPV6, SCTP = 1, 2, 6, 17, 58, 132
ECHO_KINDS = {ICMP: ((8, 13, 15, 17), (0, 14, 16, 18)), ICMPV6: ((128,), (129,))}  # requests, replies
TUNNEL_PORTS = {1701, 2152, 3386, 3544, 4754, 4789, 4790, 5247, 6081, 6635, 8472}
V4_MAPPED = bytes(10) + b"\xff\xff"

FIVE_TUPLE = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")
NAMED_KEYS = {
    "5tuple": FIVE_TUPLE,
    "ports": ("protocol", "src_port", "dst_port"),
    "hosts": ("src_ip", "dst_ip"),
    "sockets": ("protocol", "src_ip", "src_port"),
}


class Frame(NamedTuple):
    """A record before it is decoded."""

    link_type: int
    time: int  # ns
    wire_length: int
    data: bytes


class Observation(NamedTuple):
    """What a record says; without IP, everything after `wire_length` is as it stands here, and it is in no flow."""

    packet: int  # 1-based
    time: int  # ns
    captured_length: int
    wire_length: int
    src_ip: bytes = b""  # 16 bytes, IPv4 as ::ffff:a.b.c.d
    dst_ip: bytes = b""
    protocol: int = 0
    src_port: int = 0
    dst_port: int = 0
    payload_length: int = 0
    verdict: str = "none"
    ip_verdict: str = "none"
    tcp_flags: int = 0


class Datagram(NamedTuple):
    """An IP packet with nothing but its transport segment left to read."""

    src: bytes
    dst: bytes
    protocol: int
    segment: bytes  # as far as captured
    length: int  # of the segment, as the IP header says
    ip_verdict: str


@dataclass
class Direction:
    """What went one way in a flow."""

    packets: int = 0
    bytes: int = 0
    payload_bytes: int = 0
    tcp_flags: int = 0

    def add(self, seen: Observation) -> None:
        self.packets += 1
        self.bytes += seen.wire_length
        self.payload_bytes += seen.payload_length
        self.tcp_flags |= seen.tcp_flags


@dataclass
class FlowRow:
    """One flow; in a uniflow table nothing is ever in reverse."""

    first: int
    last: int
    forward: Direction = field(default_factory=Direction)
    reverse: Direction = field(default_factory=Direction)
    verdicts: Counter[str] = field(default_factory=Counter)
    ip_bad: int = 0


# Files ----------------------------------------------------------------------------------------------------------------


def frames(capture: bytes) -> Iterator[Frame]:
    """The records of a whole, undamaged file: pcap (not the modified one) or pcapng (enhanced packets only)."""
    return _pcapng_frames(capture) if capture.startswith(b"\x0a\x0d\x0d\x0a") else _pcap_frames(capture)


def _pcap_frames(capture: bytes) -> Iterator[Frame]:
    little = capture[0] in (0xD4, 0x4D)
    file_header = (dpkt.pcap.LEFileHdr if little else dpkt.pcap.FileHdr)(capture[:24])
    header_class = dpkt.pcap.LEPktHdr if little else dpkt.pcap.PktHdr
    unit = 1 if file_header.magic == dpkt.pcap.TCPDUMP_MAGIC_NANO else 1000
    at = 24
    while at < len(capture):
        header = header_class(capture[at : at + 16])
        at += 16
        time = header.tv_sec * 1_000_000_000 + header.tv_usec * unit
        yield Frame(file_header.linktype & 0xFFFF, time, header.len, capture[at : at + header.caplen])
        at += header.caplen


def _pcapng_frames(capture: bytes) -> Iterator[Frame]:
    ng = dpkt.pcapng
    interfaces: list[tuple[int, int, int]] = []  # link type, ticks a second, offset in seconds
    order, at = "<", 0
    while at < len(capture):
        if capture[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if capture[at + 8] == 0x4D else ">"
            interfaces = []
        kind, length = struct.unpack(order + "II", capture[at : at + 8])
        octets = capture[at : at + length]
        if kind == ng.PCAPNG_BT_IDB:
            block = (ng.InterfaceDescriptionBlockLE if order == "<" else ng.InterfaceDescriptionBlock)(octets)
            options = {one.code: one.data for one in block.opts}
            resolution = options.get(ng.PCAPNG_OPT_IF_TSRESOL, b"\x06")[0]
            ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
            (offset,) = struct.unpack(order + "q", options.get(ng.PCAPNG_OPT_IF_TSOFFSET, bytes(8)))
            interfaces.append((block.linktype, ticks, offset))
        elif kind == ng.PCAPNG_BT_EPB:
            block = (ng.EnhancedPacketBlockLE if order == "<" else ng.EnhancedPacketBlock)(octets)
            link_type, ticks, offset = interfaces[block.iface_id]
            time = (block.ts_high << 32 | block.ts_low) * 1_000_000_000 // ticks + offset * 1_000_000_000
            yield Frame(link_type, time, block.pkt_len, bytes(block.pkt_data))
        at += length


# Packets --------------------------------------------------------------------------------------------------------------


def observe(capture: bytes) -> list[Observation | None]:
    """One observation a record, None for a record that is not covered."""
    return [_observation(packet, frame) for packet, frame in enumerate(frames(capture), 1)]


def _observation(packet: int, frame: Frame) -> Observation | None:
    blank = Observation(packet, frame.time, len(frame.data), frame.wire_length)
    try:
        network = _network(frame)
        if network == b"":
            return blank
        datagram = _datagram(network, frame) if network else None
        return datagram and _transport(blank, datagram)
    except dpkt.UnpackError:
        return None


def _network(frame: Frame) -> bytes | None:
    """The bytes from the IP header on; empty when another protocol is carried, None when that is not known."""
    if frame.link_type == dpkt.pcap.DLT_EN10MB:
        ethernet = dpkt.ethernet.Ethernet(frame.data)
        tags = getattr(ethernet, "vlan_tags", [])
        at, ethertype = 14 + 4 * len(tags), tags[-1].type if tags else ethernet.type
    elif frame.link_type == dpkt.pcap.DLT_LINUX_SLL:
        at, ethertype = 16, dpkt.sll.SLL(frame.data).ethtype
    elif frame.link_type == dpkt.pcap.DLT_LINUX_SLL2:
        at, ethertype = 20, dpkt.sll2.SLL2(frame.data).ethtype
    elif frame.link_type == 101:  # RAW: the version tells
        return frame.data
    else:
        return None
    if ethertype in (dpkt.ethernet.ETH_TYPE_IP, dpkt.ethernet.ETH_TYPE_IP6):
        return frame.data[at:]
    return b"" if ethertype == dpkt.ethernet.ETH_TYPE_ARP else None


def _datagram(network: bytes, frame: Frame) -> Datagram | None:
    wire = frame.wire_length - len(frame.data) + len(network)  # what of the IP packet was on the wire, and any padding
    if network[0] >> 4 == 4:
        ip = dpkt.ip.IP(network)
        if ip.hl != 5 or ip.mf or ip.offset or not 20 <= ip.len <= wire:
            return None
        verdict = "good" if ones_sum(network[:20]) == 0xFFFF else "bad"
        return Datagram(V4_MAPPED + ip.src, V4_MAPPED + ip.dst, ip.p, network[20 : ip.len], ip.len - 20, verdict)
    ip6 = dpkt.ip6.IP6(network)
    if 40 + ip6.plen > wire:
        return None
    return Datagram(ip6.src, ip6.dst, ip6.nxt, network[40 : 40 + ip6.plen], ip6.plen, "none")


def _transport(blank: Observation, ip: Datagram) -> Observation | None:
    ports: tuple[int, int] = (0, 0)
    covered, header, field_at, flags, verdict = ip.length, 8, 0, 0, ""
    if ip.protocol == UDP:
        udp = dpkt.udp.UDP(ip.segment)
        ports, covered, field_at = (udp.sport, udp.dport), udp.ulen, 6
        if TUNNEL_PORTS & set(ports) or not 8 <= udp.ulen <= ip.length:
            return None
        if udp.sum == 0:
            verdict = "absent" if ip.src.startswith(V4_MAPPED) else "illegal"
    elif ip.protocol == TCP:
        tcp = dpkt.tcp.TCP(ip.segment)
        ports, header, field_at, flags = (tcp.sport, tcp.dport), 4 * tcp.off, 16, tcp.flags & 0xFF
        if not 20 <= header <= ip.length:
            return None
    elif ip.protocol in (ICMP, ICMPV6) and len(ip.segment) >= header:
        ports, field_at = _icmp_ports(ip), 2
    elif ip.protocol == IGMP and len(ip.segment) >= header:
        field_at = 2
    elif ip.protocol == SCTP:
        sctp = dpkt.sctp.SCTP(ip.segment)
        ports, header = (sctp.sport, sctp.dport), 12
        verdict = _sctp_verdict(ip)
    else:
        return None
    return blank._replace(
        src_ip=ip.src,
        dst_ip=ip.dst,
        protocol=ip.protocol,
        src_port=ports[0],
        dst_port=ports[1],
        payload_length=covered - header,
        verdict=verdict or _sum_verdict(ip, covered, field_at),
        ip_verdict=ip.ip_verdict,
        tcp_flags=flags,
    )


def _icmp_ports(ip: Datagram) -> tuple[int, int]:
    """Type and code; of a request its identifier and zero, of its reply the reverse."""
    kind, code, _, identifier = struct.unpack(">BBHH", ip.segment[:6])
    requests, replies = ECHO_KINDS[ip.protocol]
    return (identifier, 0) if kind in requests else (0, identifier) if kind in replies else (kind, code)


def _sum_verdict(ip: Datagram, covered: int, field_at: int) -> str:
    """The verdict on a segment whose first `covered` bytes are under an Internet checksum kept at byte `field_at`."""
    if len(ip.segment) < covered:
        return "truncated"
    with_addresses = ip.protocol not in (ICMP, IGMP)
    src, dst = ip.src.removeprefix(V4_MAPPED), ip.dst.removeprefix(V4_MAPPED)
    pseudo = pseudo_header(src, dst, ip.protocol, covered) if with_addresses else b""
    if ones_sum(pseudo + ip.segment[:covered]) == 0xFFFF:
        return "good"
    (found,) = struct.unpack_from(">H", ip.segment, field_at)
    return "partial" if with_addresses and found == ones_sum(pseudo) else "bad"


def _sctp_verdict(ip: Datagram) -> str:
    (found,) = struct.unpack_from("<I", ip.segment, 8)
    if found == 0:
        return "absent"
    if len(ip.segment) < ip.length:
        return "truncated"
    return "good" if crc32c(ip.segment[:8] + bytes(4) + ip.segment[12:]) == found else "bad"


# Flows ----------------------------------------------------------------------------------------------------------------


def key_fields(by: str) -> list[tuple[str, int, int]]:
    """A key's fields as (name, IPv4 prefix length, IPv6 prefix length); "src_ip/24" leaves IPv6 addresses whole."""
    fields = []
    for one in NAMED_KEYS.get(by) or by.split(","):
        name, *lengths = one.split("/")
        fields.append((name, int(lengths[0]) if lengths else 32, int(lengths[1]) if len(lengths) > 1 else 128))
    return fields


def is_symmetric(fields: Sequence[tuple[str, int, int]]) -> bool:
    """Whether a record and its answer have the same fields in their keys: only then do they share a row."""
    return {(_mirrored(name), *lengths) for name, *lengths in fields} == set(fields)


def _mirrored(name: str) -> str:
    return {"src": "dst", "dst": "src"}.get(name[:3], name[:3]) + name[3:]


def _key(seen: Observation, fields: Sequence[tuple[str, int, int]], reverse: bool = False) -> tuple[int | bytes, ...]:
    key: list[int | bytes] = []
    for name, v4_length, v6_length in fields:
        value = getattr(seen, _mirrored(name) if reverse else name)
        if isinstance(value, bytes):
            length = 96 + v4_length if value.startswith(V4_MAPPED) else v6_length
            value = (int.from_bytes(value) >> 128 - length << 128 - length).to_bytes(16)
        key.append(value)
    return tuple(key)


def flow_table(
    observations: Iterable[Observation], by: str = "5tuple", biflow: bool = True
) -> dict[tuple[int | bytes, ...], FlowRow]:
    """Rows by key, in the order of their first records; forward is the direction of a row's first record."""
    fields = key_fields(by)
    biflow = biflow and is_symmetric(fields)
    table: dict[tuple[int | bytes, ...], FlowRow] = {}
    for seen in observations:
        if not seen.src_ip:
            continue
        key, mirrored = _key(seen, fields), _key(seen, fields, reverse=True)
        is_reverse = biflow and key not in table and mirrored in table
        row = table.setdefault(mirrored if is_reverse else key, FlowRow(first=seen.time, last=seen.time))
        (row.reverse if is_reverse else row.forward).add(seen)
        row.first, row.last = min(row.first, seen.time), max(row.last, seen.time)
        row.verdicts[seen.verdict] += 1
        row.ip_bad += seen.ip_verdict == "bad"
    return table
