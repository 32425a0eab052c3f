"""Transport headers and the messages of ICMP and IGMP."""

import struct

from plain_checksums import crc32c, ones_sum, pseudo_header

from .layer import Checksum, Layer, packed
from .numbers import ACK, DCCP, ICMP, ICMPV6, IGMP, SCTP, TCP, UDP, UDP_LITE


def transport(
    octets: bytes,
    protocol: int,
    field: int,
    checksum: Checksum,
    *,
    covered: int | None = None,
    length: int | None = None,
    zero: int = 0,
) -> Layer:
    """A segment with a 16-bit checksum over the pseudo-header and its first `covered` bytes, kept at byte `field`.

    `length` is that of the pseudo-header, `zero` what is sent in place of a sum that comes out as zero.
    """

    def over(src: bytes, dst: bytes) -> bytes:
        pseudo = pseudo_header(src, dst, protocol, len(octets) if length is None else length)
        value = ones_sum(pseudo) if checksum == "partial" else checksum
        if value is None:
            value = 0xFFFF - ones_sum(pseudo + octets[:covered]) or zero
        return octets[:field] + struct.pack(">H", value) + octets[field + 2 :]

    return Layer(octets, None, protocol, over)


def udp(
    payload: bytes = b"",
    src_port: int = 40000,
    dst_port: int = 50000,
    length: int | None = None,
    checksum: Checksum = None,
) -> Layer:
    """A UDP header (RFC 768). The sum covers its length field's bytes; zero is a jumbogram's (RFC 2675 section 4)."""
    size = 8 + len(payload)
    if length is None:
        length = size if size <= 0xFFFF else 0
    header = struct.pack(">HHHH", src_port, dst_port, length, 0)
    return transport(header + payload, UDP, 6, checksum, covered=length or None, length=length or size, zero=0xFFFF)


def udp_lite(
    payload: bytes = b"", src_port: int = 40000, dst_port: int = 50000, coverage: int = 0, checksum: Checksum = None
) -> Layer:
    """A UDP-Lite header (RFC 3828 section 3.1); a coverage of zero is the whole datagram."""
    header = struct.pack(">HHHH", src_port, dst_port, coverage, 0)
    return transport(header + payload, UDP_LITE, 6, checksum, covered=coverage or None, zero=0xFFFF)


def tcp(
    payload: bytes = b"",
    src_port: int = 40000,
    dst_port: int = 50000,
    *,
    seq: int = 1,
    ack: int = 0,
    flags: int = ACK,
    window: int = 65535,
    options: bytes = b"",
    data_offset: int | None = None,
    checksum: Checksum = None,
) -> Layer:
    """A TCP header (RFC 9293 section 3.1); `data_offset` is in 32-bit words."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4 if data_offset is None else data_offset
    header = struct.pack(">HHIIBBHHH", src_port, dst_port, seq, ack, words << 4, flags, window, 0, 0)
    return transport(header + options + payload, TCP, 16, checksum)


def dccp(
    payload: bytes = b"", src_port: int = 40000, dst_port: int = 50000, coverage: int = 0, checksum: Checksum = None
) -> Layer:
    """A DCCP-Data header (RFC 4340 section 5.1); coverage n > 0 covers n - 1 words of payload (section 9.2)."""
    header = struct.pack(">HHBBHBBHI", src_port, dst_port, 4, coverage, 0, 2 << 1 | 1, 0, 0, 1)
    covered = len(header) + 4 * (coverage - 1) if coverage else None
    return transport(header + payload, DCCP, 6, checksum, covered=covered)


def sctp(
    payload: bytes = b"", src_port: int = 40000, dst_port: int = 50000, tag: int = 1, checksum: int | None = None
) -> Layer:
    """An SCTP common header (RFC 9260 section 3.1) before `payload`, its chunks."""
    start = struct.pack(">HHI", src_port, dst_port, tag)
    value = crc32c(start + bytes(4) + payload) if checksum is None else checksum
    return Layer(start + struct.pack("<I", value) + payload, None, SCTP)


def sctp_data(payload: bytes) -> bytes:
    """One SCTP DATA chunk that holds a whole message (RFC 9260 section 3.3.1)."""
    return struct.pack(">BBHIHHI", 0, 3, 16 + len(payload), 1, 0, 0, 0) + payload + bytes(-len(payload) % 4)


def icmp(
    payload: bytes = b"", kind: int = 8, code: int = 0, rest: bytes = b"\x12\x34\x00\x01", checksum: int | None = None
) -> Layer:
    """An ICMP message (RFC 792); `rest` of an echo is identifier and sequence number."""
    body = rest + payload
    value = 0xFFFF - ones_sum(bytes((kind, code)) + body) if checksum is None else checksum
    return Layer(struct.pack(">BBH", kind, code, value) + body, None, ICMP)


def icmpv6(
    payload: bytes = b"", kind: int = 128, code: int = 0, rest: bytes = b"\x12\x34\x00\x01", checksum: Checksum = None
) -> Layer:
    """An ICMPv6 message (RFC 4443 section 2.1); its checksum has a pseudo-header (section 2.3)."""
    return transport(struct.pack(">BBH", kind, code, 0) + rest + payload, ICMPV6, 2, checksum)


def igmp(payload: bytes = b"", kind: int = 0x16, group: str = "224.0.0.251", checksum: int | None = None) -> Layer:
    """An IGMP message (RFC 2236 section 2), a membership report by default."""
    body = packed(group) + payload
    value = 0xFFFF - ones_sum(bytes((kind, 0)) + body) if checksum is None else checksum
    return Layer(struct.pack(">BBH", kind, 0, value) + body, None, IGMP)
