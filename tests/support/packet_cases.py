"""One packet a case: its bytes, what a reader should find in it, and what its headers are, for cutting it up.

`headers` lists them from the outside in, each as the reason a record has that ends inside it and its bytes. Inside a
tunnel's headers, or those of the packet in it, a record still has the packet around the tunnel: OUTER.
"""

from typing import Any, NamedTuple

import builders as b

LINK, IP, EXTENSION, TRANSPORT, OUTER = "short_link", "short_ip", "short_extension", "short_transport", "outer"
PORTS = (TRANSPORT, 4)
UDP_V4, UDP_V6 = ((IP, 20), PORTS), ((IP, 40), PORTS)

SRC4, DST4, SRC6, DST6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
SIZE = 13  # bytes of payload: odd, as the sums of real datagrams often are
V4, V6 = b.ipv4(b.udp(bytes(range(SIZE)))), b.ipv6(b.udp(bytes(range(SIZE))))


class Case(NamedTuple):
    octets: bytes
    headers: tuple[tuple[str, int], ...]
    link_type: int = b.LINK_ETHERNET
    tail: int = 0  # bytes after the packet, no part of it
    expected: dict[str, Any] = {}  # noqa: RUF012 (never changed)


def over(link_type: int, octets: bytes, size: int, headers: tuple[tuple[str, int], ...] = UDP_V4, **more: Any) -> Case:
    """A link header of `size` bytes before one of the two packets above."""
    tail = more.pop("tail", 0)
    return Case(octets, ((LINK, size), *headers), link_type, tail, more)


def wlan(frame: bytes, size: int, **more: Any) -> Case:
    return over(b.LINK_IEEE802_11, frame, size + 8, **more)


MACS = {"src_mac": b.MAC_A, "dst_mac": b.MAC_B}
SOURCE = {"src_mac": b.MAC_A}
LLC = b.llc_snap(V4)  # 8 bytes
RADIO = b.ieee802_11(LLC)  # 24 bytes

LINKS = {
    "Ethernet": over(b.LINK_ETHERNET, b.ethernet(V4), 14, **MACS, ethertype=0x0800),
    "Ethernet, IPv6": over(b.LINK_ETHERNET, b.ethernet(V6), 14, UDP_V6, **MACS, ethertype=0x86DD),
    "IEEE 802.3 with LLC and SNAP": over(b.LINK_ETHERNET, b.ethernet(LLC), 22, **MACS, ethertype=0x0800),
    "IEEE 802.3 with SNAP of 802.1H": over(b.LINK_ETHERNET, b.ethernet(b.llc_snap(V4, oui=b"\0\0\xf8")), 22),
    "IEEE 802.3 with LLC's own number of IP": over(
        b.LINK_ETHERNET, b.ethernet(b"\6\6\3" + V4, ethertype=3 + len(V4)), 17
    ),
    "RAW": over(b.LINK_RAW, V4, 0),
    "RAW, IPv6": over(b.LINK_RAW, V6, 0, UDP_V6),
    "RAW of BSD/OS": over(12, V4, 0),
    "RAW of OpenBSD": over(14, V6, 0, UDP_V6),
    "IPv4": over(b.LINK_IPV4, V4, 0),
    "IPv6": over(b.LINK_IPV6, V6, 0, UDP_V6),
    "NULL, little-endian": over(b.LINK_NULL, b.null(V4), 4),
    "NULL, big-endian": over(b.LINK_NULL, b.null(V4, byteorder="big"), 4),
    "NULL of NetBSD, IPv6": over(b.LINK_NULL, b.null(V6, family=24), 4, UDP_V6),
    "NULL of FreeBSD, IPv6": over(b.LINK_NULL, b.null(V6, family=28), 4, UDP_V6),
    "NULL of Darwin, IPv6": over(b.LINK_NULL, b.null(V6, family=30), 4, UDP_V6),
    # tshark reads these so; BSD families are all smaller than an ethertype.
    "NULL of Windows, IPv6": over(b.LINK_NULL, b.null(V6, family=23), 4, UDP_V6),
    "NULL with an ethertype": over(b.LINK_NULL, b.null(V4, family=0x0800, byteorder="big"), 4),
    "NULL with an ethertype, little-endian": over(b.LINK_NULL, b.null(V6, family=0x86DD), 4, UDP_V6),
    "NULL with a tag": over(b.LINK_NULL, b.null(b.vlan(V4, 7), family=0x8100, byteorder="big"), 8, vlan=7),
    "NULL with PPP": over(b.LINK_NULL, b.ppp(V4), 4),
    "LOOP with an ethertype": over(b.LINK_LOOP, b.null(V6, family=0x86DD, byteorder="big"), 4, UDP_V6),
    "LOOP": over(b.LINK_LOOP, b.null(V4, byteorder="big"), 4),
    "SLL": over(b.LINK_SLL, b.sll(V4), 16, **SOURCE, ethertype=0x0800),
    "SLL with LLC and SNAP": over(b.LINK_SLL, b.sll(LLC, ethertype=4), 24),
    "SLL2": over(b.LINK_SLL2, b.sll2(V6, index=7), 20, UDP_V6, **SOURCE, interface=7),
    "PPP": over(b.LINK_PPP, b.ppp(V4), 4),
    "PPP, IPv6": over(b.LINK_PPP, b.ppp(V6), 4, UDP_V6),
    "PPP without address and control": over(b.LINK_PPP, b.ppp(V4, framing=b""), 2),
    "PPP with a protocol field of one byte": over(b.LINK_PPP, b"\xff\x03\x21" + V4, 3),
    "PPP in HDLC": over(b.LINK_PPP_HDLC, b.ppp(V4), 4),
    "PPP in HDLC that is Cisco's": over(b.LINK_PPP_HDLC, b.c_hdlc(V4), 4),
    "PPPoE without Ethernet": over(b.LINK_PPP_ETHER, b.pppoe(V4), 8),
    "SLIP": over(8, bytes(16) + V6, 16, UDP_V6),
    "Cisco HDLC": over(b.LINK_C_HDLC, b.c_hdlc(V4), 4),
    "Cisco HDLC, IPv6": over(b.LINK_C_HDLC, b.c_hdlc(V6), 4, UDP_V6),
    "frame relay": over(b.LINK_FRELAY, b.frame_relay(V4), 4),
    "frame relay, four bytes of address": over(b.LINK_FRELAY, b.frame_relay(V6, b"\x18\x40\x02\x03"), 6, UDP_V6),
    "frame relay with an ethertype": over(b.LINK_FRELAY, b"\x18\x41\x08\x00" + V4, 4),
    "frame relay with SNAP": over(b.LINK_FRELAY, b.frame_relay_snap(V4), 10),
    "FDDI": over(b.LINK_FDDI, b.fddi(LLC), 21, **MACS),
    "token ring": over(b.LINK_TOKEN_RING, b.token_ring(LLC), 22),
    "token ring with a route": over(b.LINK_TOKEN_RING, b.token_ring(LLC, b"\x06\0\0\0\0\0"), 28),
    "ARCNET": over(b.LINK_ARCNET_LINUX, b.arcnet(V4), 8),
    "ARCNET, IPv6": over(b.LINK_ARCNET_LINUX, b.arcnet(V6), 8, UDP_V6),
    "IP over InfiniBand": over(b.LINK_IPOIB, b.ipoib(V4), 44, ethertype=0x0800),
    "Juniper, Ethernet": over(b.LINK_JUNIPER_ETHER, b.juniper(b.ethernet(V4)), 18, **MACS),
    "Juniper, Ethernet with extensions": over(
        b.LINK_JUNIPER_ETHER, b.juniper(b.ethernet(b.vlan(V6, 7)), b"\1\1\1\2\2\1\0"), 31, UDP_V6, vlan=7
    ),
    "Juniper, Ethernet without a link header": over(b.LINK_JUNIPER_ETHER, b.juniper(V4, link=False), 8),
    "Juniper, Ethernet with extensions and without a link header": over(
        b.LINK_JUNIPER_ETHER, b.juniper(V6, b"\1\1\1", link=False), 13, UDP_V6
    ),
    "Juniper, MPLS without a link header": over(
        b.LINK_JUNIPER_ETHER, b"MGC\3\4\0\0\0" + b.mpls(V4, 100), 12, mpls_label=100
    ),
    "Juniper, PPPoE": over(b.LINK_JUNIPER_PPPOE, b.juniper(b.ethernet(V6)), 18, UDP_V6, **MACS),
    "Juniper, PPP": over(b.LINK_JUNIPER_PPP, b.juniper(b.ppp(V4)), 8),
    "Juniper, frame relay": over(b.LINK_JUNIPER_FRELAY, b.juniper(b.frame_relay(V4)), 8),
    "Juniper, Cisco HDLC": over(b.LINK_JUNIPER_CHDLC, b.juniper(b.c_hdlc(V4)), 8),
    "Juniper, ATM1 of SNAP": over(b.LINK_JUNIPER_ATM1, b.juniper(bytes(4) + LLC), 16),
    "Juniper, ATM1 of IPv4": over(b.LINK_JUNIPER_ATM1, b.juniper(bytes(4) + V4), 8),
    "Juniper, ATM2 of SNAP": over(b.LINK_JUNIPER_ATM2, b.juniper(bytes(8) + LLC), 20),
    "Juniper, ATM2 of PPP": over(b.LINK_JUNIPER_ATM2, b.juniper(bytes(8) + b"\0\x21" + V4), 14),
    "Juniper, ATM2 of Ethernet": over(
        b.LINK_JUNIPER_ATM2, b.juniper(b"\0\0\0\5" + bytes(4) + b.ethernet(V4), incoming=False), 26, **MACS
    ),
    "Juniper, ATM2 of IPv6": over(b.LINK_JUNIPER_ATM2, b.juniper(bytes(8) + V6), 12, UDP_V6),
    "Juniper, multilink PPP": over(b.LINK_JUNIPER_MLPPP, b.juniper(b"\x54\0\0\1\0\x21" + V4), 10),
    "Juniper, multilink PPP with a cookie of 2": over(b.LINK_JUNIPER_MLPPP, b.juniper(b"\1\2\0\x21" + V4), 8),
    "Juniper, multilink PPP without a cookie": over(b.LINK_JUNIPER_MLPPP, b.juniper(b.ppp(V4)), 8),
    "Juniper, multilink PPP of IPv6": over(b.LINK_JUNIPER_MLPPP, b.juniper(b"\x47\0\0\0\0\x10\0\0" + V6), 12, UDP_V6),
    "Juniper, multilink PPP in a cookie of 8": over(
        b.LINK_JUNIPER_MLPPP, b.juniper(b"\x40" + bytes(7) + b"\0\x21" + V4), 14
    ),
    "Juniper, multilink PPP of the routing engine": over(
        b.LINK_JUNIPER_MLPPP, b.juniper(b"\x47\0\0\0\3\0\0\0" + V4), 12
    ),
    "Juniper, multilink frame relay": over(b.LINK_JUNIPER_MLFR, b.juniper(b"\x47" + bytes(7) + V4), 12),
    "Juniper, GGSN": over(b.LINK_JUNIPER_GGSN, b.juniper(b"\2\0\7\0" + V4), 8),
    "Juniper, services": over(b.LINK_JUNIPER_SERVICES, b.juniper(bytes(16) + V4), 20),
    "Juniper, services going out": over(b.LINK_JUNIPER_SERVICES, b.juniper(bytes(12) + V4, incoming=False), 16),
    "Juniper, voice": over(b.LINK_JUNIPER_VP, b.juniper(bytes(18) + V4), 22),
    "Juniper, secure tunnel": over(
        b.LINK_JUNIPER_ST, b.juniper(b.ethernet(b.ipv4(bytes(24) + V4, protocol=50))), 4 + 14 + 20 + 24
    ),
    "PFLOG": over(b.LINK_PFLOG, b.pflog(V4), 64),
    "PFLOG, IPv6": over(b.LINK_PFLOG, b.pflog(V6, length=100), 100, UDP_V6),
    "IPNET": over(b.LINK_IPNET, b.ipnet(V4), 24),
    "IPNET, IPv6": over(b.LINK_IPNET, b.ipnet(V6), 24, UDP_V6),
    "PKTAP": over(b.LINK_PKTAP, b.pktap(b.ethernet(V4), b.LINK_ETHERNET), 122, **MACS),
    "PKTAP of a newer version, without a link layer": over(b.LINK_PKTAP, b.pktap(V6, 12, more=bytes(48)), 156, UDP_V6),
    "NFLOG": over(b.LINK_NFLOG, b.nflog(V4), 16),
    "NFLOG with a value of odd length before": over(b.LINK_NFLOG, b.nflog(V6, prefix=b"abcde"), 20, UDP_V6),
    "802.11 within a cell": wlan(RADIO, 24, **MACS),
    "802.11 to an access point": wlan(b.ieee802_11(LLC, b.TO_DS), 24, **MACS),
    "802.11 from an access point": wlan(b.ieee802_11(LLC, b.FROM_DS), 24, **MACS),
    "802.11 between access points": wlan(b.ieee802_11(LLC, b.TO_DS | b.FROM_DS), 30, **MACS),
    "802.11 with QoS": wlan(b.ieee802_11(LLC, qos=b"\0\0"), 26, **MACS),
    "802.11 with QoS and HT control": wlan(b.ieee802_11(LLC, qos=b"\0\0", ht=bytes(4)), 30, **MACS),
    "802.11 aggregate": wlan(b.ieee802_11(b.amsdu(LLC), qos=b"\x80\0"), 40, **MACS),
    "radiotap": over(b.LINK_RADIOTAP, b.radiotap(RADIO), 40, **MACS),
    "radiotap with two presence words": over(b.LINK_RADIOTAP, b.radiotap(RADIO, present=(0x80000000, 0)), 44),
    "radiotap of a padded frame": over(
        b.LINK_RADIOTAP, b.radiotap(b.ieee802_11(LLC, qos=b"\0\0", padding=b"\0\0"), b"\x20", (2,)), 45
    ),
    "radiotap with time stamp and frame check sequence": over(
        b.LINK_RADIOTAP, b.radiotap(RADIO + b"fcs!", bytes(8) + b"\x10", (3,)), 49, tail=4
    ),
    "Prism": over(b.LINK_PRISM, b.prism(RADIO), 176),
    "AVS": over(b.LINK_PRISM, b.avs(RADIO), 96),
    "PPI before 802.11": over(b.LINK_PPI, b.ppi(RADIO, b.LINK_IEEE802_11, bytes(12)), 52),
    "PPI before Ethernet": over(b.LINK_PPI, b.ppi(b.ethernet(V6), b.LINK_ETHERNET), 22, UDP_V6),
}

BETWEEN = {
    "802.1Q": over(1, b.ethernet(b.vlan(V4, 7)), 18, **MACS, vlan=7, inner_vlan=0, ethertype=0x0800),
    "802.1Q with priority bits": over(1, b.ethernet(b.vlan(V4, 0xF007)), 18, vlan=7),
    "802.1ad": over(
        1, b.ethernet(b.vlan(b.vlan(V6, 8), 7, tpid=b.ETHERTYPE_SERVICE_VLAN)), 22, UDP_V6, vlan=7, inner_vlan=8
    ),
    "QinQ of old": over(1, b.ethernet(b.vlan(b.vlan(V4, 8), 7, tpid=0x9100)), 22, vlan=7, inner_vlan=8),
    "three tags": over(1, b.ethernet(b.vlan(b.vlan(b.vlan(V4, 9), 8), 7)), 26, vlan=7, inner_vlan=8),
    "a tag before LLC and SNAP": over(1, b.ethernet(b.vlan(LLC, 7)), 26, vlan=7),
    "a tag in SLL": over(b.LINK_SLL, b.sll(b.vlan(V4, 7)), 20, vlan=7),
    "MPLS": over(1, b.ethernet(b.mpls(V4, 100)), 18, mpls_label=100),
    "MPLS, IPv6 under three labels": over(1, b.ethernet(b.mpls(V6, 100, 200, 300)), 26, UDP_V6, mpls_label=100),
    "MPLS multicast": over(1, b.ethernet(b.mpls(V4, 100), ethertype=0x8848), 18, mpls_label=100),
    "MPLS pseudo-wire with a control word": over(
        1, b.ethernet(b.mpls(bytes(4) + b.ethernet(V4), 100)), 36, mpls_label=100
    ),
    # RFC 8469 section 1: a frame without a control word may begin as an IP packet does, or as a control word.
    **{
        f"MPLS of a frame that begins with 0x{first:02x}": over(
            1, b.ethernet(b.mpls(b.ethernet(V4, dst=bytes((first,)) + b.MAC_B[1:]), 100)), 32, mpls_label=100
        )
        for first in (0x00, 0x02)
    },
    "MPLS of a tagged frame without a control word": over(
        1, b.ethernet(b.mpls(b.ethernet(b.vlan(V4, 9)), 100)), 36, mpls_label=100, vlan=9
    ),
    "MPLS pseudo-wire under a tag": over(
        1,
        b.ethernet(b.vlan(b.mpls(bytes(4) + b.ethernet(b.vlan(V4, 200)), 100), 100)),
        44,
        vlan=200,
        inner_vlan=0,
        mpls_label=100,
    ),
    "MPLS in PPP": over(b.LINK_PPP, b.ppp(b.mpls(V4, 100)), 8, mpls_label=100),
    "MPLS multicast in PPP": over(b.LINK_PPP, b.ppp(b.mpls(V4, 100), 0x0283), 8, mpls_label=100),
    "MPLS under a tag": over(1, b.ethernet(b.vlan(b.mpls(V4, 100), 7)), 22, vlan=7, mpls_label=100),
    "PPPoE": over(1, b.ethernet(b.pppoe(V4)), 22),
    "PPPoE, IPv6": over(1, b.ethernet(b.pppoe(V6)), 22, UDP_V6),
    # RFC 1661 section 6.5: the protocol field may be compressed to one byte.
    "PPPoE with a protocol field of one byte": over(
        1, b.ethernet(b"\x11\0\0\1" + (1 + len(V4)).to_bytes(2) + b"\x21" + V4, 0x8864), 21
    ),
    "PPPoE and Ethernet padding": over(1, b.ethernet(b.pppoe(V4) + b"padding", 0x8864), 22, tail=7),
    "MACsec": over(1, b.ethernet(b.macsec(V4)), 22, tail=b.MACSEC_ICV),
    "MACsec that names its channel": over(1, b.ethernet(b.macsec(V4, sci=bytes(8))), 30, tail=b.MACSEC_ICV),
    # IEEE 802.1AE clause 9.7: a short frame may be padded, so it says how long it is.
    "MACsec of a short frame": over(
        1, b.ethernet(b.macsec(V4, short_length=2 + len(V4)) + b"pad", 0x88E5), 22, tail=b.MACSEC_ICV + 3
    ),
    "MACsec of a short frame with a short integrity value": over(
        1, b.ethernet(b.macsec(V4, short_length=2 + len(V4), icv=8)), 22, tail=8
    ),
    "Cisco's security group tag": over(1, b.ethernet(b.cisco_metadata(V4)), 22, ethertype=0x0800),
    "802.1ah, a frame behind a service tag": over(1, b.ethernet(bytes(4) + b.ethernet(V4), 0x88E7), 32, **MACS),
    "802.1ah, tagged around and inside": over(
        1,
        b.ethernet(b.vlan(bytes(4) + b.ethernet(b.vlan(V4, 610)), 600, 0x88E7, tpid=b.ETHERTYPE_SERVICE_VLAN)),
        40,
        **MACS,
        vlan=610,
        inner_vlan=0,
    ),
    "Cisco FabricPath": over(
        1, b.ethernet(b.fabricpath(b.ethernet(V4, src=b.MAC_B, dst=b.MAC_A))), 30, src_mac=b.MAC_B
    ),
    "Arista's time stamp": over(1, b.ethernet(b.arista(V4)), 28, ethertype=0x0800),
    "Arista's time stamp, UTC": over(1, b.ethernet(b.arista(V6, 0x0110)), 28, UDP_V6),
    "Arista's time stamp of 48 bits": over(1, b.ethernet(b.arista(b.vlan(V4, 7), 0x0020)), 30, vlan=7),
    "VN-Tag": over(1, b.ethernet(bytes(4) + b"\x08\0" + V4, 0x8926), 20),
    "E-TAG of 802.1BR": over(1, b.ethernet(bytes(6) + b"\x86\xdd" + V6, 0x893F), 22, UDP_V6),
    "NSH before IPv4 (RFC 8300)": over(1, b.ethernet(b.nsh(V4, 1)), 22),
    "NSH before IPv6, with context": over(1, b.ethernet(b.nsh(V6, 2, bytes(16))), 38, UDP_V6),
    "NSH before Ethernet": over(1, b.ethernet(b.nsh(b.ethernet(V4), 3)), 36),
    "NSH before MPLS": over(1, b.ethernet(b.nsh(b.mpls(V4, 100), 5)), 26, mpls_label=100),
    "Ethernet in Ethernet": over(1, b.ethernet(b.ethernet(V4)), 28, **MACS),
}

OPTIONS = b"\x94\x04\0\0"  # router alert (RFC 2113)
EXTENDED = {
    "hop-by-hop options": (b.hop_by_hop(b.udp(bytes(SIZE))), 8),
    "an option that only fills, between others": (
        b.hop_by_hop(b.udp(bytes(SIZE)), b"\0" + b.option(4, bytes(2)) + b"\0"),
        8,
    ),
    "an option that is longer than all of them": (b.hop_by_hop(b.udp(bytes(SIZE)), b"\x04\x09" + bytes(4)), 8),
    "destination options": (b.destination_options(b.udp(bytes(SIZE)), b.option(4, bytes(5))), 16),
    "a routing header": (b.routing(b.udp(bytes(SIZE)), [DST6], 0), 24),
    "an authentication header": (b.authentication(b.udp(bytes(SIZE))), 24),
    "a HIP header": (b.other_extension(b.udp(bytes(SIZE)), 139), 8),
    "a Shim6 header": (b.other_extension(b.udp(bytes(SIZE)), 140, bytes(14)), 16),
    "an atomic fragment header": (b.fragment(b.udp(bytes(SIZE)), 0, False), 8),
    "the order of RFC 8200 section 4.1": (
        b.hop_by_hop(
            b.destination_options(
                b.routing(b.fragment(b.authentication(b.destination_options(b.udp(bytes(SIZE)))), 0, False), [DST6], 0)
            )
        ),
        8 + 8 + 24 + 8 + 24 + 8,
    ),
}
NETWORK = {
    "IPv4 options": over(1, b.ethernet(b.ipv4(b.udp(bytes(SIZE)), options=OPTIONS)), 14, ((IP, 24), PORTS)),
    "forty bytes of IPv4 options": over(
        1, b.ethernet(b.ipv4(b.udp(bytes(SIZE)), options=b"\1" * 40)), 14, ((IP, 60), PORTS)
    ),
    "AH over IPv4": over(
        1, b.ethernet(b.ipv4(b.authentication(b.udp(bytes(SIZE))))), 14, ((IP, 20), (EXTENSION, 24), PORTS)
    ),
    # tshark and Zeek read it as what it says itself; tshark does not so where IPv6 was announced.
    "IPv6 where IPv4 was announced": over(1, b.ethernet(V6, 0x0800), 14, UDP_V6, ethertype=0x86DD),
    "Ethernet padding": over(1, b.ethernet(V4 + b"padding", 0x0800), 14, tail=7),
    "Ethernet padding, IPv6": over(1, b.ethernet(V6 + b"padding", 0x86DD), 14, UDP_V6, tail=7),
    **{
        f"IPv6 with {name}": over(1, b.ethernet(b.ipv6(chain)), 14, ((IP, 40), (EXTENSION, size), PORTS))
        for name, (chain, size) in EXTENDED.items()
    },
}

PLAIN = {**LINKS, **BETWEEN, **NETWORK}


# Tunnels --------------------------------------------------------------------------------------------------------------

IN4 = b.ipv4(b.udp(bytes(7), 1111, 2222), "10.0.0.1", "10.0.0.2")
IN6 = b.ipv6(b.udp(bytes(7), 1111, 2222), "fd00::1", "fd00::2")
FRAME, TAGGED = b.ethernet(IN4, src=b.MAC_B, dst=b.MAC_A), b.ethernet(b.vlan(IN4, 9))
FRAME_SIZE = 34  # Ethernet and IPv4 header
KEY = 0x12345678


class Tunnel(NamedTuple):
    octets: bytes
    headers: tuple[tuple[str, int], ...]
    protocol: int  # of the packet around the tunnel, and its destination port
    port: int
    expected: dict[str, Any]
    has_length: bool = False  # its header says how long it is, so that it is no tunnel when it ends before that


def in_ip(layer: b.Layer, size: int, *, has_length: bool = False, **expected: Any) -> Tunnel:
    """A tunnel right above IPv4; `size` counts its header and those of the packet in it, up to the ports."""
    headers = ((LINK, 14), (IP, 20), (OUTER, size), PORTS)
    return Tunnel(b.ethernet(b.ipv4(layer)), headers, layer.protocol or 0, 0, expected, has_length)


def in_ipv6(layer: b.Layer, size: int, **expected: Any) -> Tunnel:
    headers = ((LINK, 14), (IP, 40), (OUTER, size), PORTS)
    return Tunnel(b.ethernet(b.ipv6(layer)), headers, layer.protocol or 0, 0, expected)


def in_udp(port: int, octets: bytes, size: int, *, has_length: bool = False, **expected: Any) -> Tunnel:
    headers = ((LINK, 14), (IP, 20), PORTS, (OUTER, 4 + size), PORTS)
    has_length |= port in (b.GTP_U_PORT, GTP_0_PORT, TEREDO_PORT)
    return Tunnel(b.ethernet(b.ipv4(b.udp(octets, 40000, port))), headers, b.UDP, port, expected, has_length)


GPE_PORT, GTP_0_PORT, TEREDO_PORT, MPLS_PORT, GRE_PORT, CAPWAP_PORT = 4790, 3386, 3544, 6635, 4754, 5247
L2TP_PORT, TZSP_PORT, LISP_PORT, AYIYA_PORT = 1701, 37008, 4341, 5072
# Of each kind of tunnel in UDP.
REGISTERED = {
    "vxlan": {4789, 8472}, "vxlan_gpe": {4790}, "geneve": {6081}, "gtp": {2152, 3386}, "teredo": {3544},
    "capwap": {5247}, "gre": {4754}, "mpls": {6635}, "l2tp": {1701}, "tzsp": {37008}, "lisp": {4341}, "ayiya": {5072},
}  # fmt: skip
ERSPAN, ERSPAN_III, WCCP, CISCO_METADATA = 0x88BE, 0x22EB, 0x883E, 0x8909
NO_P_FLAG = 0x08
RADIO4 = b.ieee802_11(b.llc_snap(IN4), b.TO_DS | 0x08)  # and the flag of a frame sent again
SWAPPED = RADIO4[1::-1] + RADIO4[2:]
GENEVE_OPTION = bytes.fromhex("0102030200000000deadbeef")
PPP4 = b.ppp(IN4)

TUNNELS = {
    "IP in IP (RFC 2003)": in_ip(IN4, 20),
    "6in4 (RFC 4213)": in_ip(IN6, 40),
    "4in6 (RFC 2473)": in_ipv6(IN4, 20),
    "6in6 (RFC 2473)": in_ipv6(IN6, 40),
    "Ethernet in IPv6 (RFC 8986)": in_ipv6(FRAME, FRAME_SIZE),
    "MPLS in IP (RFC 4023)": in_ip(b.mpls(IN4, 100), 24, mpls_label=100),
    "GRE (RFC 2784)": in_ip(b.gre(IN4), 24),
    "GRE of IPv6 in IPv6 (RFC 7676)": in_ipv6(b.gre(IN6), 44),
    "GRE with a checksum": in_ip(b.gre(IN4, checksum="right"), 28),
    "GRE with a key (RFC 2890)": in_ip(b.gre(IN4, key=KEY), 28, tunnel_id=KEY),
    "GRE with a sequence number": in_ip(b.gre(IN4, sequence=3), 28),
    "GRE with all of them": in_ip(b.gre(IN4, key=KEY, sequence=3, checksum="right"), 36, tunnel_id=KEY),
    "GRE of an Ethernet frame": in_ip(b.gre(FRAME), 4 + FRAME_SIZE, src_mac=b.MAC_B, dst_mac=b.MAC_A),
    "GRE of MPLS": in_ip(b.gre(b.mpls(IN4, 100)), 28, mpls_label=100),
    "GRE of Cisco's security group tag": in_ip(
        b.gre(b"\x08\0\1\1\0\1\0\x11" + IN4, CISCO_METADATA), 12 + 20, ethertype=0x0800
    ),
    "GRE of WCCP": in_ip(b.gre(IN4, WCCP), 24),
    "GRE of WCCP version 2": in_ip(b.gre(b"\0\1\2\3" + IN4, WCCP), 28),
    "NVGRE (RFC 7637)": in_ip(b.gre(TAGGED, key=KEY), 8 + 4 + FRAME_SIZE, tunnel_id=KEY, vlan=9),
    "ERSPAN I": in_ip(b.gre(FRAME, ERSPAN), 4 + FRAME_SIZE),
    "ERSPAN II": in_ip(
        b.gre(b.erspan_2(TAGGED, 1023, 77), ERSPAN, sequence=1),
        16 + 4 + FRAME_SIZE,
        vlan=9,
        tunnel_id=1023,
        inner_vlan=77,
    ),
    "ERSPAN III": in_ip(
        b.gre(b.erspan_3(FRAME, 5, vlan=78), ERSPAN_III, sequence=1), 20 + FRAME_SIZE, tunnel_id=5, inner_vlan=78
    ),
    "ERSPAN III of a platform": in_ip(
        b.gre(b.erspan_3(FRAME, platform=bytes(8)), ERSPAN_III, sequence=1), 28 + FRAME_SIZE, tunnel_id=1
    ),
    "GRE with a route (RFC 1701)": in_ip(b.gre_routed(IN4), 12 + 20),
    "GRE with a route of two entries": in_ip(b.gre_routed(IN4, bytes(4), bytes(8)), 32 + 20),
    "GRE of Aruba's 802.11": in_ip(b.gre(RADIO4, b.ETHERTYPE_ARUBA), 4 + 32 + 20, src_mac=b.MAC_A),
    "GRE of Aruba's 802.11, an aggregate": in_ip(
        b.gre(b.ieee802_11(b.amsdu(b.llc_snap(IN4)), qos=b"\x80\0"), 0x8210), 4 + 26 + 14 + 8 + 20
    ),
    "EoIP": in_ip(b.eoip(TAGGED, 0x1234), 8 + 4 + FRAME_SIZE, vlan=9, tunnel_id=0x1234, has_length=True),
    "PIM Register (RFC 7761)": in_ip(b.pim_register(IN4), 8 + 20),
    "PIM Register of IPv6": in_ip(b.pim_register(IN6), 8 + 40),
    "L2TPv3 (RFC 3931)": in_ip(b.l2tp_session(FRAME), 4 + FRAME_SIZE, tunnel_id=5),
    "L2TPv3 with a cookie and a sublayer": in_ip(
        b.l2tp_session(TAGGED, fields=b"cookie!!\0\0\0\1"), 16 + 4 + FRAME_SIZE, tunnel_id=5, vlan=9
    ),
    # RFC 2637 section 4.1: the upper half of the key is a length, which says nothing about the tunnel.
    "PPTP (RFC 2637)": in_ip(b.gre_pptp(PPP4, 77, sequence=1), 12 + 4 + 20, tunnel_id=77),
    "PPTP with an acknowledgment": in_ip(b.gre_pptp(PPP4, 77, sequence=1, acknowledgment=1), 16 + 4 + 20, tunnel_id=77),
    "VXLAN (RFC 7348)": in_udp(b.VXLAN_PORT, b.vxlan(FRAME, 5001), 8 + FRAME_SIZE, tunnel_id=5001, src_mac=b.MAC_B),
    # RFC 7348 section 5: reserved fields are ignored on receipt; so says RFC 8926 section 3.4 of GENEVE's.
    "VXLAN with reserved bytes": in_udp(
        b.VXLAN_PORT, b"\x88\1\2\3\0\x13\x89\4" + FRAME, 8 + FRAME_SIZE, tunnel_id=5001
    ),
    "VXLAN on the port of Linux": in_udp(8472, b.vxlan(FRAME, 5001), 8 + FRAME_SIZE, tunnel_id=5001),
    "AYIYA": in_udp(AYIYA_PORT, b.ayiya(IN6), 44 + 40),
    "AYIYA of IPv4": in_udp(AYIYA_PORT, b.ayiya(IN4, 4), 44 + 20),
    # tshark takes whatever comes later from the port of an L2TP sender for L2TP.
    "L2TP (RFC 2661)": in_udp(L2TP_PORT, b.l2tp(PPP4), 6 + 4 + 20, tunnel_id=0x00010002),
    "L2TP with all fields": in_udp(
        L2TP_PORT,
        b.l2tp(PPP4, length=True, sequence=True, offset=2),
        16 + 4 + 20,
        tunnel_id=0x00010002,
        has_length=True,
    ),
    "L2TP of PPP with neither address nor control": in_udp(
        L2TP_PORT, b.l2tp(b"\x21" + IN4), 6 + 1 + 20, tunnel_id=0x00010002
    ),
    "L2TPv3 in UDP": in_udp(L2TP_PORT, b"\0\3\0\0" + b.l2tp_session(FRAME, 5, bytes(4)), 12 + FRAME_SIZE, tunnel_id=5),
    "TZSP": in_udp(TZSP_PORT, b.tzsp(FRAME), 5 + FRAME_SIZE, src_mac=b.MAC_B),
    "TZSP with fields and padding": in_udp(TZSP_PORT, b.tzsp(TAGGED, 1, b"\0\x0a\1\5\0"), 10 + 4 + FRAME_SIZE, vlan=9),
    "TZSP of 802.11": in_udp(TZSP_PORT, b.tzsp(RADIO4, 18), 5 + 32 + 20, src_mac=b.MAC_A),
    "LISP (RFC 9300)": in_udp(LISP_PORT, b.lisp(IN4), 8 + 20),
    "LISP of IPv6 with an instance": in_udp(LISP_PORT, b.lisp(IN6, 5001), 8 + 40, has_length=True, tunnel_id=5001),
    "VXLAN of a tagged frame": in_udp(b.VXLAN_PORT, b.vxlan(TAGGED, 5001), 12 + FRAME_SIZE, tunnel_id=5001, vlan=9),
    "VXLAN-GPE of IPv4": in_udp(GPE_PORT, b.vxlan_gpe(IN4, 5001, 1), 8 + 20, tunnel_id=5001),
    "VXLAN-GPE of IPv6": in_udp(GPE_PORT, b.vxlan_gpe(IN6, 5001, 2), 8 + 40, tunnel_id=5001),
    "VXLAN-GPE of a frame": in_udp(GPE_PORT, b.vxlan_gpe(FRAME, 5001, 3), 8 + FRAME_SIZE, tunnel_id=5001),
    "VXLAN-GPE without the P flag": in_udp(
        GPE_PORT, b.vxlan_gpe(IN4, 5001, 1, NO_P_FLAG), 8 + 20, has_length=True, tunnel_id=5001
    ),
    "VXLAN-GPE of NSH": in_udp(GPE_PORT, b.vxlan_gpe(b.nsh(IN4, 1), 5001, 4), 8 + 8 + 20, tunnel_id=5001),
    "GENEVE (RFC 8926)": in_udp(b.GENEVE_PORT, b.geneve(FRAME, 0xABCDEF), 8 + FRAME_SIZE, tunnel_id=0xABCDEF),
    "GENEVE with a reserved byte": in_udp(b.GENEVE_PORT, b.geneve(IN4, 1)[:7] + b"\1" + IN4, 8 + 20, tunnel_id=1),
    "GENEVE of IPv6": in_udp(b.GENEVE_PORT, b.geneve(IN6, 1), 8 + 40, tunnel_id=1),
    "GENEVE with options": in_udp(b.GENEVE_PORT, b.geneve(IN4, 1, GENEVE_OPTION), 20 + 20, tunnel_id=1),
    "GTP-U (TS 29.281)": in_udp(b.GTP_U_PORT, b.gtp_u(IN4, KEY), 8 + 20, tunnel_id=KEY),
    "GTP-U of IPv6": in_udp(b.GTP_U_PORT, b.gtp_u(IN6, KEY), 8 + 40, tunnel_id=KEY),
    "GTP-U with a sequence number": in_udp(b.GTP_U_PORT, b.gtp_u(IN4, KEY, 3), 12 + 20, tunnel_id=KEY),
    "GTP-U with an extension header": in_udp(
        b.GTP_U_PORT, b.gtp_u_extended(IN4, b"\x10\x09", teid=KEY), 16 + 20, tunnel_id=KEY
    ),
    "GTP-U with two extension headers": in_udp(
        b.GTP_U_PORT, b.gtp_u_extended(IN6, b"\x10\x09", bytes(6), teid=KEY), 24 + 40, tunnel_id=KEY
    ),
    "GTP version 0 (TS 09.60)": in_udp(GTP_0_PORT, b.gtp_0(IN4, 0x1234), 20 + 20, tunnel_id=0x1234),
    "CAPWAP (RFC 5415)": in_udp(CAPWAP_PORT, b.capwap(FRAME), 8 + FRAME_SIZE, src_mac=b.MAC_B),
    "CAPWAP of 802.11 (RFC 5416)": in_udp(CAPWAP_PORT, b.capwap(RADIO4, native=True), 8 + 32 + 20, src_mac=b.MAC_A),
    "CAPWAP of 802.11, swapped": in_udp(
        CAPWAP_PORT, b.capwap(SWAPPED, native=True, flags=0x20, wireless=bytes(8)), 16 + 32 + 20, src_mac=b.MAC_A
    ),
    "Teredo (RFC 4380)": in_udp(TEREDO_PORT, b.teredo(IN6), 40),
    "Teredo with an origin": in_udp(TEREDO_PORT, b.teredo(IN6, origin=True), 8 + 40),
    "Teredo with authentication": in_udp(TEREDO_PORT, b.teredo(IN6, client=b"me"), 15 + 40),
    "Teredo with both": in_udp(TEREDO_PORT, b.teredo(IN6, client=b"", origin=True), 13 + 8 + 40),
    "GRE in UDP (RFC 8086)": in_udp(GRE_PORT, b.gre(IN4, key=KEY), 8 + 20, tunnel_id=KEY),
    "MPLS in UDP (RFC 7510)": in_udp(MPLS_PORT, b.mpls(IN4, 100), 4 + 20, mpls_label=100),
}
