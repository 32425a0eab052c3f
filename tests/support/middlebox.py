"""What boxes between two hosts do to one IP packet: they write fields anew, cut it into pieces, put pieces together.

A packet is all bytes from its IP header on: IPv4, or IPv6 without extension headers, and TCP or UDP in it.
"""

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

import builders as b
from plain_checksums import ones_sum, pseudo_header

TCP_HEADER, UDP_HEADER = 20, 8
CHECKSUM_AT = {b.TCP: 16, b.UDP: 6}
MSS_OPTION, NO_OPERATION, END_OF_OPTIONS = 2, 1, 0  # RFC 9293 section 3.2
MORE, OFFSET = 0x2000, 0x1FFF  # of the field of IPv4 that both are in
FOR_THE_LAST = b.FIN | b.PSH

End = tuple[str, int]  # address and port


class Change(NamedTuple):
    """What a box writes anew in a packet."""

    source: End | None = None
    target: End | None = None
    hops: int = 0  # by which it lowers the time to live
    dscp: int | None = None
    mss: int | None = None  # above which it lowers the largest segment that a SYN announces
    payload_at: int | None = None  # the byte of the payload that it inverts
    mended: bool = True  # whether the checksum is right after it inverted a byte


class Places(NamedTuple):
    """Where the parts of a packet begin."""

    over_ipv4: bool
    protocol: int
    transport: int
    payload: int


def places(packet: bytes) -> Places | None:
    """None of what is no whole packet of TCP or UDP."""
    over_ipv4 = packet[0] >> 4 == 4
    transport = (packet[0] & 15) * 4 if over_ipv4 else 40
    protocol = packet[9] if over_ipv4 else packet[6]
    piece = over_ipv4 and int.from_bytes(packet[6:8], "big") & (MORE | OFFSET)
    if piece or protocol not in CHECKSUM_AT:
        return None
    header = (packet[transport + 12] >> 4) * 4 if protocol == b.TCP else UDP_HEADER
    return Places(over_ipv4, protocol, transport, transport + header)


def payload_of(packet: bytes) -> bytes:
    """The bytes above the header of TCP or UDP."""
    at = places(packet)
    assert at is not None
    return packet[at.payload :]


def ends(packet: bytes) -> tuple[End, End]:
    """Source and target of a whole packet."""
    at = places(packet)
    assert at is not None
    addresses = (packet[12:16], packet[16:20]) if at.over_ipv4 else (packet[8:24], packet[24:40])
    ports = struct.unpack_from(">HH", packet, at.transport)
    source, target = ((str(ip_address(address)), port) for address, port in zip(addresses, ports, strict=True))
    return source, target


def rewritten(packet: bytes, change: Change) -> bytes:
    """The packet as it leaves a box, whole and with right checksums, unless `change` wants the checksum left."""
    at = places(packet)
    assert at is not None
    out = bytearray(packet)
    _write_ends(out, at, change)
    if change.mss is not None and at.protocol == b.TCP and out[at.transport + 13] & b.SYN:
        _clamp(out, at, change.mss)
    if change.dscp is not None:
        _write_dscp(out, at, change.dscp)
    out[8 if at.over_ipv4 else 7] -= change.hops
    _sum_anew(out, at)
    if change.payload_at is not None:
        out[at.payload + change.payload_at] ^= 0xFF
        if change.mended:
            _sum_anew(out, at)
    return bytes(out)


def _write_ends(out: bytearray, at: Places, change: Change) -> None:
    size, first = (4, 12) if at.over_ipv4 else (16, 8)
    for place, end in enumerate((change.source, change.target)):
        if end is not None:
            out[first + place * size : first + (place + 1) * size] = b.packed(end[0])
            struct.pack_into(">H", out, at.transport + 2 * place, end[1])


def _clamp(out: bytearray, at: Places, mss: int) -> None:
    place = at.transport + TCP_HEADER
    while place < at.payload and out[place] != END_OF_OPTIONS:
        if out[place] == MSS_OPTION:
            struct.pack_into(">H", out, place + 2, min(mss, int.from_bytes(out[place + 2 : place + 4], "big")))
        place += 1 if out[place] == NO_OPERATION else out[place + 1]


def _write_dscp(out: bytearray, at: Places, dscp: int) -> None:
    """The upper six bits of the byte of differentiated services (RFC 2474 section 3)."""
    if at.over_ipv4:
        out[1] = dscp << 2 | out[1] & 3
    else:
        first = int.from_bytes(out[:2], "big")
        struct.pack_into(">H", out, 0, first & 0xF03F | dscp << 6)


def _sum_anew(out: bytearray, at: Places) -> None:
    """Right checksums of the headers of IPv4 and of the transport."""
    if at.over_ipv4:
        _sum_header(out, at)
    source, target = (out[12:16], out[16:20]) if at.over_ipv4 else (out[8:24], out[24:40])
    field = at.transport + CHECKSUM_AT[at.protocol]
    struct.pack_into(">H", out, field, 0)
    segment = bytes(out[at.transport :])
    value = 0xFFFF - ones_sum(pseudo_header(bytes(source), bytes(target), at.protocol, len(segment)) + segment)
    struct.pack_into(">H", out, field, value or 0xFFFF if at.protocol == b.UDP else value)


def _sum_header(out: bytearray, at: Places) -> None:
    struct.pack_into(">H", out, 10, 0)
    struct.pack_into(">H", out, 10, 0xFFFF - ones_sum(bytes(out[: at.transport])))


def fragments(packet: bytes, size: int) -> list[bytes]:
    """The packet in fragments of this many bytes, a multiple of 8 (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    at = places(packet)
    assert at is not None
    header, number = packet[: at.transport], int.from_bytes(packet[-4:], "big")  # any number does for IPv6
    out = []
    for offset, more, piece in b.pieces(packet[at.transport :], size):
        if at.over_ipv4:
            one = bytearray(header + piece)
            struct.pack_into(">H", one, 2, len(one))
            struct.pack_into(">H", one, 6, MORE * more | offset // 8)
            _sum_header(one, at)
        else:
            own = b.fragment(piece, offset, more, number, at.protocol)
            one = bytearray(header + own)
            struct.pack_into(">HB", one, 4, len(own), b.FRAGMENT)
        out.append(bytes(one))
    return out


class Fragment(NamedTuple):
    """A part of a datagram that is not there whole."""

    datagram: bytes  # by which its fragments are known: addresses, protocol and number
    offset: int  # bytes
    more: bool
    header: bytes  # the datagram's own, with the length of this fragment
    part: bytes


def fragment_of(packet: bytes) -> Fragment | None:
    """None of what is no fragment."""
    if packet[0] >> 4 == 4:
        field, size = int.from_bytes(packet[6:8], "big"), (packet[0] & 15) * 4
        if not field & (MORE | OFFSET):
            return None
        header = packet[:6] + bytes(2) + packet[8:size]
        return Fragment(
            packet[4:6] + packet[9:10] + packet[12:20], (field & OFFSET) * 8, bool(field & MORE), header, packet[size:]
        )
    if packet[6] != b.FRAGMENT:
        return None
    field = int.from_bytes(packet[42:44], "big")
    header = packet[:6] + packet[40:41] + packet[7:40]
    return Fragment(packet[8:40] + packet[44:48], field & ~7, bool(field & 1), header, packet[48:])


def put_together(fragments: Sequence[Fragment]) -> bytes | None:
    """The datagram of these fragments with a right checksum; None while one is missing."""
    data, more = b"", True
    for one in sorted(fragments, key=lambda one: one.offset):
        if one.offset != len(data):
            return None
        data, more = data + one.part, one.more
    if more:
        return None
    out = bytearray(fragments[0].header + data)
    over_ipv4 = out[0] >> 4 == 4
    struct.pack_into(">H", out, 2 if over_ipv4 else 4, len(out) if over_ipv4 else len(data))
    return rewritten(bytes(out), Change())


def segments(packet: bytes, size: int) -> list[bytes]:
    """A segment of TCP in segments of this many bytes, as a network card cuts it (RFC 9293 section 3.1)."""
    at = places(packet)
    assert at is not None
    out = []
    for place, (offset, more, piece) in enumerate(b.pieces(packet[at.payload :], size)):
        one = bytearray(packet[: at.payload] + piece)
        seq = int.from_bytes(one[at.transport + 4 : at.transport + 8], "big")
        struct.pack_into(">I", one, at.transport + 4, (seq + offset) % 2**32)
        if more:
            one[at.transport + 13] &= ~FOR_THE_LAST
        if at.over_ipv4:
            number = int.from_bytes(one[4:6], "big")
            struct.pack_into(">HH", one, 2, len(one), (number + place) % 2**16)
        else:
            struct.pack_into(">H", one, 4, len(one) - at.transport)
        _sum_anew(one, at)
        out.append(bytes(one))
    return out


def in_pieces(packet: bytes, size: int) -> list[bytes]:
    """Segments of TCP, fragments of UDP."""
    at = places(packet)
    assert at is not None
    return segments(packet, size) if at.protocol == b.TCP else fragments(packet, size)
