"""What single makers put before a frame or a packet: shims, link types, and tunnels in GRE of their own."""

import struct

from .layer import Layer, number
from .numbers import GRE

LINK_IPOIB, LINK_JUNIPER_PPPOE, LINK_JUNIPER_ETHER, LINK_JUNIPER_PPP = 242, 167, 178, 179
LINK_JUNIPER_FRELAY, LINK_JUNIPER_CHDLC, LINK_JUNIPER_VP, LINK_JUNIPER_ST = 180, 181, 183, 200
LINK_JUNIPER_MLPPP, LINK_JUNIPER_MLFR, LINK_JUNIPER_GGSN = 130, 131, 133
LINK_JUNIPER_ATM2, LINK_JUNIPER_SERVICES, LINK_JUNIPER_ATM1 = 135, 136, 137
ETHERTYPE_FABRICPATH, ETHERTYPE_ARISTA, ETHERTYPE_EOIP, ETHERTYPE_ARUBA = 0x8903, 0xD28B, 0x6400, 0x8200
JUNIPER_OF_ETHERTYPE = {0x0800: 2, 0x86DD: 6}


def fabricpath(frame: bytes, tag: int = 1, ttl: int = 32) -> Layer:
    """Cisco FabricPath's tag (10 bits) and time to live, then the host's frame."""
    return Layer(struct.pack(">H", tag << 6 | ttl) + frame, ETHERTYPE_FABRICPATH)


def arista(payload: bytes, version: int = 0x0010, subtype: int = 1) -> Layer:
    """Arista's time stamp, of 64 or (version 0x20) 48 bits, then the frame's own ethertype."""
    stamp = bytes(6 if version & 0xFF == 0x20 else 8)
    head = struct.pack(">HH", subtype, version) + stamp + struct.pack(">H", number(payload, "ethertype"))
    return Layer(head + payload, ETHERTYPE_ARISTA)


def ipoib(payload: bytes) -> Layer:
    """IP over InfiniBand: a routing header of 40 bytes, an ethertype, two reserved bytes (RFC 4391 section 6)."""
    return Layer(bytes(40) + struct.pack(">HH", number(payload, "ethertype"), 0) + payload)


def juniper(
    payload: bytes, extensions: bytes = b"", *, link: bool = True, incoming: bool = True, magic: bytes = b"MGC"
) -> Layer:
    """Juniper's header, with extensions if there are any; without a link header the protocol's number follows."""
    flags = (0x01 if incoming else 0) | (0x80 if extensions else 0) | (0 if link else 0x02)
    head = magic + bytes((flags,)) + (struct.pack(">H", len(extensions)) + extensions if extensions else b"")
    inside = b"" if link else struct.pack("<I", JUNIPER_OF_ETHERTYPE[number(payload, "ethertype")])
    return Layer(head + inside + payload)


def eoip(frame: bytes, tunnel: int = 1) -> Layer:
    """MikroTik's Ethernet over IP: GRE of version 1, its key a length and a little-endian identifier."""
    return Layer(struct.pack(">HHH", 0x2001, ETHERTYPE_EOIP, len(frame)) + struct.pack("<H", tunnel) + frame, None, GRE)


def gre_routed(payload: bytes, *routes: bytes) -> Layer:
    """A GRE header of RFC 1701 with a route: entries of an address family each, and one that is all zeros."""
    entries = b"".join(struct.pack(">HBB", 0x0800, 0, len(route)) + route for route in routes)
    head = struct.pack(">HHI", 0x4000, number(payload, "ethertype"), 0) + entries + bytes(4)
    return Layer(head + payload, None, GRE)
