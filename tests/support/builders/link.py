"""Link layers, and what stands between link and network."""

import struct
from typing import Literal

from .layer import Layer, number
from .numbers import (
    ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPPOE,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    ETHERTYPE_VLAN,
    MPLS_IN_IP,
)

MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")  # locally administered
PPP_OF_ETHERTYPE = {ETHERTYPE_IPV4: 0x0021, ETHERTYPE_IPV6: 0x0057, ETHERTYPE_MPLS: 0x0281}
BSD_FAMILY_OF_ETHERTYPE = {ETHERTYPE_IPV4: 2, ETHERTYPE_IPV6: 30}


def ethernet(payload: bytes, ethertype: int | None = None, src: bytes = MAC_A, dst: bytes = MAC_B) -> Layer:
    """An Ethernet II header, or with an ethertype below 1536 that of IEEE 802.3."""
    header = dst + src + struct.pack(">H", number(payload, "ethertype", ethertype))
    return Layer(header + payload, ETHERTYPE_TRANSPARENT_ETHERNET, ETHERNET)


def vlan(payload: bytes, vlan_id: int, ethertype: int | None = None, tpid: int = ETHERTYPE_VLAN) -> Layer:
    """An IEEE 802.1Q tag; its own ethertype (0x88A8 for 802.1ad) is `tpid`."""
    return Layer(struct.pack(">HH", vlan_id, number(payload, "ethertype", ethertype)) + payload, tpid)


def mpls(payload: bytes, *labels: int, ttl: int = 64) -> Layer:
    """A stack of MPLS labels, outermost first, the last one marked as the bottom (RFC 3032 section 2.1)."""
    entries = (label << 12 | (place == len(labels)) << 8 | ttl for place, label in enumerate(labels, 1))
    return Layer(struct.pack(f">{len(labels)}I", *entries) + payload, ETHERTYPE_MPLS, MPLS_IN_IP)


def ppp(payload: bytes, protocol: int | None = None, framing: bytes = b"\xff\x03") -> Layer:
    """A PPP header, with the address and control bytes of HDLC-like framing (RFC 1661 section 2, RFC 1662)."""
    return Layer(framing + struct.pack(">H", protocol or PPP_OF_ETHERTYPE[number(payload, "ethertype")]) + payload)


def pppoe(payload: bytes, session: int = 1, protocol: int | None = None) -> Layer:
    """A PPPoE session header (RFC 2516 section 4) and the PPP protocol number."""
    data = ppp(payload, protocol, framing=b"")
    return Layer(struct.pack(">BBHH", 0x11, 0, session, len(data)) + data, ETHERTYPE_PPPOE)


def llc_snap(payload: bytes, ethertype: int | None = None, oui: bytes = bytes(3)) -> Layer:
    """LLC and SNAP headers (RFC 1042); what stands in the ethertype below is a length."""
    data = b"\xaa\xaa\x03" + oui + struct.pack(">H", number(payload, "ethertype", ethertype)) + payload
    return Layer(data, len(data))


def sll(payload: bytes, ethertype: int | None = None, packet_type: int = 0, arphrd: int = 1) -> Layer:
    """A Linux "cooked" header, LINKTYPE_LINUX_SLL (113)."""
    return Layer(
        struct.pack(">HHH8sH", packet_type, arphrd, len(MAC_A), MAC_A, number(payload, "ethertype", ethertype))
        + payload
    )


def sll2(payload: bytes, ethertype: int | None = None, packet_type: int = 0, arphrd: int = 1, index: int = 1) -> Layer:
    """A Linux "cooked" header, version 2, LINKTYPE_LINUX_SLL2 (276)."""
    protocol = number(payload, "ethertype", ethertype)
    return Layer(struct.pack(">HHIHBB8s", protocol, 0, index, arphrd, packet_type, len(MAC_A), MAC_A) + payload)


def null(payload: bytes, family: int | None = None, byteorder: Literal["little", "big"] = "little") -> Layer:
    """The BSD loopback header, LINKTYPE_NULL (0); LINKTYPE_LOOP (108) is the big-endian one."""
    family = family or BSD_FAMILY_OF_ETHERTYPE[number(payload, "ethertype")]
    return Layer(family.to_bytes(4, byteorder) + payload)
