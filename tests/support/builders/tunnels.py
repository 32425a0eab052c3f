"""Tunnel headers; IP in IP needs none, and the UDP-borne ones are payloads of udp() to their port."""

import struct
from typing import Literal

from plain_checksums import ones_sum

from .layer import Layer, number
from .numbers import GRE, L2TP_IN_IP, PIM


def gre(
    payload: bytes,
    ethertype: int | None = None,
    *,
    key: int | None = None,
    sequence: int | None = None,
    checksum: int | Literal["right"] | None = None,
) -> Layer:
    """A GRE header (RFC 2784 section 2, RFC 2890); it has a checksum only when asked for."""
    present = (checksum is not None) << 15 | (key is not None) << 13 | (sequence is not None) << 12
    start = struct.pack(">HH", present, number(payload, "ethertype", ethertype))
    rest = b"".join(struct.pack(">I", field) for field in (key, sequence) if field is not None) + payload
    if checksum is None:
        return Layer(start + rest, None, GRE)
    value = 0xFFFF - ones_sum(start + rest) if checksum == "right" else checksum
    return Layer(start + struct.pack(">HH", value, 0) + rest, None, GRE)


def pim_register(payload: bytes) -> Layer:
    """A Register message (RFC 7761 section 4.9.3) around a multicast packet."""
    return Layer(b"\x21\0\xde\xff\0\0\0\0" + payload, None, PIM)


def l2tp(
    frame: bytes, *, length: bool = False, sequence: bool = False, offset: int | None = None, ids: int = 0x00010002
) -> bytes:
    """An L2TP data header of version 2 (RFC 2661 section 3.1) before a frame of PPP; `ids`: tunnel and session."""
    flags = 0x0002 | length << 14 | sequence << 11 | (offset is not None) << 9
    rest = struct.pack(">I", ids) + (bytes(4) if sequence else b"")
    rest += b"" if offset is None else struct.pack(">H", offset) + bytes(offset)
    total = struct.pack(">H", 4 + len(rest) + len(frame)) if length else b""
    return struct.pack(">H", flags) + total + rest + frame


def l2tp_session(frame: bytes, session: int = 5, fields: bytes = b"") -> Layer:
    """An L2TPv3 data message right above IP (RFC 3931 section 4.1.1); `fields`: a cookie, a sublayer."""
    return Layer(struct.pack(">I", session) + fields + frame, None, L2TP_IN_IP)


def tzsp(frame: bytes, protocol: int = 1, fields: bytes = b"") -> bytes:
    """A packet that TZSP carries: version 1, received, its protocol, tagged fields and the one that ends them."""
    return struct.pack(">BBH", 1, 0, protocol) + fields + b"\1" + frame


def lisp(payload: bytes, instance: int | None = None) -> bytes:
    """A LISP data header (RFC 9300 section 5.1), with an instance identifier if one is given."""
    return struct.pack(">BxxxI", 0x80 if instance is None else 0x08, 0 if instance is None else instance << 8) + payload


def ayiya(payload: bytes, next_header: int = 41, opcode: int = 1) -> bytes:
    """Anything in anything (draft-massar-v6ops-ayiya section 3): an identity of 16 bytes, a signature of 20."""
    return bytes((0x41, 0x52, 0x10 | opcode, next_header)) + bytes(4 + 16 + 20) + payload


def vxlan(payload: bytes, vni: int = 1) -> bytes:
    """A VXLAN header (RFC 7348 section 5) before an Ethernet frame; to be carried by udp(dst_port=VXLAN_PORT)."""
    return struct.pack(">II", 0x08 << 24, vni << 8) + payload


def geneve(payload: bytes, vni: int = 1, options: bytes = b"", ethertype: int | None = None) -> bytes:
    """A GENEVE header (RFC 8926 section 3.4); to be carried by udp(dst_port=GENEVE_PORT)."""
    fields = (len(options) // 4, 0, number(payload, "ethertype", ethertype), vni << 8)
    return struct.pack(">BBHI", *fields) + options + payload


def gtp_u(payload: bytes, teid: int = 1, sequence: int | None = None) -> bytes:
    """A GTP-U G-PDU header (3GPP TS 29.281 section 5.1); to be carried by udp(dst_port=GTP_U_PORT)."""
    optional = b"" if sequence is None else struct.pack(">HBB", sequence, 0, 0)
    flags = 0x30 | (sequence is not None) << 1
    return struct.pack(">BBHI", flags, 0xFF, len(optional) + len(payload), teid) + optional + payload


def gre_pptp(payload: bytes, call: int = 1, *, sequence: int | None = None, acknowledgment: int | None = None) -> Layer:
    """The enhanced GRE header of PPTP (RFC 2637 section 4.1) before a PPP frame."""
    flags = 0x2001 | (sequence is not None) << 12 | (acknowledgment is not None) << 7
    numbers = b"".join(struct.pack(">I", field) for field in (sequence, acknowledgment) if field is not None)
    return Layer(struct.pack(">HHHH", flags, 0x880B, len(payload), call) + numbers + payload, None, GRE)


def erspan_2(frame: bytes, session: int = 1, vlan: int = 0) -> bytes:
    """An ERSPAN type II header (draft-foschiano-erspan section 4.2); GRE before it has a sequence number."""
    return struct.pack(">HHI", 1 << 12 | vlan, 7 << 13 | session, 0) + frame


def erspan_3(frame: bytes, session: int = 1, platform: bytes = b"", vlan: int = 0) -> bytes:
    """An ERSPAN type III header (section 4.3), its last bit saying that eight bytes of a `platform` follow."""
    return struct.pack(">HHIHH", 2 << 12 | vlan, session, 0, 0, bool(platform)) + platform + frame


def vxlan_gpe(payload: bytes, vni: int = 1, next_protocol: int = 3, flags: int = 0x0C) -> bytes:
    """A VXLAN-GPE header (draft-ietf-nvo3-vxlan-gpe section 3.1): next protocol 1 is IPv4, 2 IPv6, 3 Ethernet."""
    return struct.pack(">BBBBI", flags, 0, 0, next_protocol, vni << 8) + payload


def gtp_u_extended(payload: bytes, *extensions: bytes, teid: int = 1) -> bytes:
    """A G-PDU with extension headers (3GPP TS 29.281 section 5.2.1); each is its content, 2 bytes or 4 n + 2."""
    chain = b"\x85" if extensions else b"\0"  # a PDU session container
    for place, content in enumerate(extensions, 1):
        following = b"\x85" if place < len(extensions) else b"\0"
        chain += bytes(((len(content) + 2) // 4,)) + content + following
    body = bytes(3) + chain + payload
    return struct.pack(">BBHI", 0x34, 0xFF, len(body), teid) + body


def gtp_0(payload: bytes, flow_label: int = 1) -> bytes:
    """A T-PDU header of GTP version 0 (3GPP TS 09.60 section 6): sequence number, flow label, ones, subscriber."""
    return struct.pack(">BBHHHI8s", 0x1E, 0xFF, len(payload), 3, flow_label, 0xFFFFFFFF, b"\x42") + payload


def capwap(frame: bytes, *, native: bool = False, binding: int = 1, flags: int = 0, wireless: bytes = b"") -> bytes:
    """A CAPWAP data header (RFC 5415 section 4.3): `native` frames are those of the `binding` (1 is IEEE 802.11)."""
    words = 2 + len(wireless) // 4
    return struct.pack(">BBBBI", 0, words << 3, 0x40 | binding << 1 | native, flags, 0) + wireless + frame


def teredo(payload: bytes, *, client: bytes | None = None, origin: bool = False) -> bytes:
    """What Teredo puts before an IPv6 packet (RFC 4380 section 5.1.1): authentication for a `client`, an origin."""
    data = b"" if client is None else struct.pack(">HBB", 1, len(client), 0) + client + bytes(9)
    return data + (bytes(2) + b"\x12\x34\x56\x78\x9a\xbc" if origin else b"") + payload
