"""Link layers met less often. Layouts: https://www.tcpdump.org/linktypes.html"""

import struct

from .layer import Layer, number
from .link import MAC_A, MAC_B
from .numbers import ETHERTYPE_IPV4, ETHERTYPE_IPV6

ETHERTYPE_MACSEC, ETHERTYPE_CISCO_METADATA, ETHERTYPE_NSH = 0x88E5, 0x8909, 0x894F
MACSEC_ICV = 16  # bytes
LINK_TOKEN_RING, LINK_FDDI, LINK_PPP_HDLC, LINK_PPP_ETHER, LINK_C_HDLC, LINK_FRELAY = 6, 10, 50, 51, 104, 107
LINK_PFLOG, LINK_ARCNET_LINUX, LINK_USER2, LINK_IPNET, LINK_NFLOG, LINK_PKTAP = 117, 129, 149, 226, 239, 258

NLPID_OF_ETHERTYPE = {ETHERTYPE_IPV4: 0xCC, ETHERTYPE_IPV6: 0x8E}
ARCNET_OF_ETHERTYPE = {ETHERTYPE_IPV4: 0xD4, ETHERTYPE_IPV6: 0xC4}
OPENBSD_FAMILY_OF_ETHERTYPE = {ETHERTYPE_IPV4: 2, ETHERTYPE_IPV6: 24}
LINUX_FAMILY_OF_ETHERTYPE = {ETHERTYPE_IPV4: 2, ETHERTYPE_IPV6: 10}
SOLARIS_FAMILY_OF_ETHERTYPE = {ETHERTYPE_IPV4: 2, ETHERTYPE_IPV6: 26}
NFLOG_PREFIX, NFLOG_PAYLOAD = 10, 9


def c_hdlc(payload: bytes, ethertype: int | None = None) -> Layer:
    """Cisco HDLC: address of a unicast frame, control, ethertype (RFC 1547 section 4.3.1)."""
    return Layer(struct.pack(">BBH", 0x0F, 0, number(payload, "ethertype", ethertype)) + payload)


def frame_relay(payload: bytes, address: bytes = b"\x18\x41") -> Layer:
    """A Q.922 address, control, and the network layer protocol identifier (RFC 2427 section 3)."""
    return Layer(address + bytes((0x03, NLPID_OF_ETHERTYPE[number(payload, "ethertype")])) + payload)


def frame_relay_snap(payload: bytes, address: bytes = b"\x18\x41") -> Layer:
    """The same with a padded identifier that says SNAP: organisation and ethertype follow (RFC 2427 section 4.1)."""
    return Layer(address + b"\x03\x00\x80" + bytes(3) + struct.pack(">H", number(payload, "ethertype")) + payload)


def fddi(payload: bytes, control: int = 0x50) -> Layer:
    """Frame control of an LLC frame, destination, source; `payload` is an LLC header and what follows."""
    return Layer(bytes((control,)) + MAC_B + MAC_A + payload)


def token_ring(payload: bytes, route: bytes = b"") -> Layer:
    """IEEE 802.5: access and frame control, destination, source, and with its first bit set a route."""
    source = bytes((MAC_A[0] | (0x80 if route else 0),)) + MAC_A[1:]
    return Layer(b"\x10\x40" + MAC_B + source + route + payload)


def arcnet(payload: bytes) -> Layer:
    """ARCNET of Linux: source, destination, offset, protocol, split flag, sequence number (RFC 1201)."""
    return Layer(bytes((1, 2, 0, 0, ARCNET_OF_ETHERTYPE[number(payload, "ethertype")], 0, 0, 1)) + payload)


def pflog(payload: bytes, length: int = 61) -> Layer:
    """OpenBSD's packet filter log: a length that leaves out the padding to 32 bits, then the address family."""
    head = bytes((length, OPENBSD_FAMILY_OF_ETHERTYPE[number(payload, "ethertype")]))
    return Layer(head + bytes(length + -length % 4 - 2) + payload)


def ipnet(payload: bytes) -> Layer:
    """Solaris: version, family, hook, length, two interfaces, two zones."""
    family = SOLARIS_FAMILY_OF_ETHERTYPE[number(payload, "ethertype")]
    return Layer(struct.pack(">BBHIIIII", 1, family, 0, len(payload), 1, 1, 0, 0) + payload)


def nflog(payload: bytes, prefix: bytes = b"log\0") -> Layer:
    """Linux netfilter log: family, version, group, then values with their length and type, little-endian here."""
    head = struct.pack(">BBH", LINUX_FAMILY_OF_ETHERTYPE[number(payload, "ethertype")], 0, 0)
    before = struct.pack("<HH", 4 + len(prefix), NFLOG_PREFIX) + prefix + bytes(-len(prefix) % 4)
    return Layer(head + before + struct.pack("<HH", 4 + len(payload), NFLOG_PAYLOAD) + payload)


def pktap(payload: bytes, link_type: int, record_type: int = 1, more: bytes = b"") -> Layer:
    """macOS: length, type 1 for a packet, its link type, interface, process, times; `more` of what is not named."""
    head = struct.pack("<III24s72s", 108 + len(more), record_type, link_type, b"en0", b"") + more
    return Layer(head + payload)


def cisco_metadata(payload: bytes, ethertype: int | None = None) -> Layer:
    """Cisco's security group tag: version, length, option, group, then the frame's ethertype."""
    return Layer(
        struct.pack(">BBHHH", 1, 1, 1, 17, number(payload, "ethertype", ethertype)) + payload, ETHERTYPE_CISCO_METADATA
    )


def macsec(
    payload: bytes,
    ethertype: int | None = None,
    sci: bytes = b"",
    encrypted: bool = False,
    short_length: int = 0,
    icv: int = MACSEC_ICV,
) -> Layer:
    """A security tag, the frame's ethertype and data as they are, and an integrity value (IEEE 802.1AE clause 9)."""
    control = (0x20 if sci else 0) | (0x0C if encrypted else 0)
    tag = struct.pack(">BBI", control, short_length, 1) + sci
    tag += struct.pack(">H", number(payload, "ethertype", ethertype))
    return Layer(tag + payload + b"\xaa" * icv, ETHERTYPE_MACSEC)


def nsh(payload: bytes, next_protocol: int, context: bytes = b"") -> Layer:
    """A network service header, metadata type 2 (RFC 8300 section 2): 1 is IPv4 inside, 2 IPv6, 3 Ethernet, 5 MPLS."""
    words = 2 + len(context) // 4
    return Layer(bytes((0x0F, 0xC0 | words, 2, next_protocol)) + b"\0\0\x2a\xff" + context + payload, ETHERTYPE_NSH)
