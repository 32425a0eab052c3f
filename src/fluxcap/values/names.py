"""Codes as people write them. A code without a name here is written as its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# https://www.iana.org/assignments/protocol-numbers
PROTOCOLS: Final[Mapping[int, str]] = {
    0: "HOPOPT",
    1: "ICMP",
    2: "IGMP",
    4: "IPv4",
    6: "TCP",
    8: "EGP",
    17: "UDP",
    27: "RDP",
    33: "DCCP",
    41: "IPv6",
    43: "IPv6-Route",
    44: "IPv6-Frag",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "IPv6-NoNxt",
    60: "IPv6-Opts",
    88: "EIGRP",
    89: "OSPF",
    94: "IPIP",
    97: "ETHERIP",
    98: "ENCAP",
    103: "PIM",
    108: "IPComp",
    112: "VRRP",
    115: "L2TP",
    132: "SCTP",
    133: "FC",
    135: "Mobility",
    136: "UDP-Lite",
    137: "MPLS-in-IP",
    139: "HIP",
    140: "Shim6",
    143: "Ethernet",
    255: "Reserved",
}

# https://www.iana.org/assignments/ieee-802-numbers
ETHERTYPES: Final[Mapping[int, str]] = {
    0: "without ethertype",
    0x0806: "ARP",
    0x22F0: "AVTP",
    0x22F3: "TRILL",
    0x6003: "DECnet",
    0x8035: "RARP",
    0x809B: "AppleTalk",
    0x80F3: "AARP",
    0x8137: "IPX",
    0x8808: "flow control",
    0x8809: "slow protocols",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x8892: "PROFINET",
    0x88A2: "AoE",
    0x88A4: "EtherCAT",
    0x88B8: "GOOSE",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88F7: "PTP",
    0x8902: "CFM",
    0x8906: "FCoE",
    0x8914: "FIP",
    0x893A: "IEEE 1905",
    0x9000: "loopback test",
}

ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDP_LITE = 1, 6, 17, 33, 58, 132, 136
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10  # RFC 9293 section 3.1
IP_VERSION: Final = "ip_version"  # a column of packets, 0 without an IP header: there are no addresses then
PROTOCOLS_WITH_PORTS: Final = (
    TCP,
    UDP,
    DCCP,
    SCTP,
    UDP_LITE,
)  # protocols whose ports are read: their endpoints are sockets

# https://www.tcpdump.org/linktypes.html, without LINKTYPE_
LINK_TYPES: Final[Mapping[int, str]] = {
    0: "NULL",
    1: "ETHERNET",
    6: "IEEE802_5",
    7: "ARCNET_BSD",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "RAW",
    14: "RAW",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    122: "IP_OVER_FC",
    127: "IEEE802_11_RADIOTAP",
    129: "ARCNET_LINUX",
    138: "APPLE_IP_OVER_IEEE1394",
    147: "USER0",
    163: "IEEE802_11_AVS",
    166: "PPP_PPPD",
    187: "BLUETOOTH_HCI_H4",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    204: "PPP_WITH_DIR",
    220: "USB_LINUX_MMAPPED",
    226: "IPNET",
    227: "CAN_SOCKETCAN",
    228: "IPV4",
    229: "IPV6",
    230: "IEEE802_15_4_NOFCS",
    239: "NFLOG",
    249: "USBPCAP",
    253: "NETLINK",
    272: "NORDIC_BLE",
    276: "LINUX_SLL2",
}

# Bit 7 to bit 0 of byte 13 of the TCP header (RFC 9293 section 3.1), as nfdump writes them.
TCP_FLAGS: Final = "CEUAPRSF"

# Column `end_reason`: IPFIX's flowEndReason (RFC 5102 section 5.11.3); 3 is its "end of flow".
END_REASONS: Final[Mapping[int, str]] = {
    1: "idle timeout",
    2: "active timeout",
    3: "end of the connection",
    4: "end of the capture",
    5: "lack of resources",
}

# For sockets: their roles, the calls that a program makes, and the evidence for these calls.
ROLES: Final = ("listener", "both", "datagram", "connector", "none")
CALLS: Final = (
    *("bind", "listen", "accept", "refuse", "connect", "connected", "connection refused", "unanswered"),
    *("write", "read", "end of file", "shutdown (FIN)", "close (FIN)", "close (RST)", "close", "connection reset"),
    *("reset", "sendto", "recvfrom", "port unreachable", "bad checksum"),
)
EVIDENCE: Final = ("seen", "inferred")

# For comparisons of two points: which one a packet passes first, and what became of it.
WAYS: Final = ("a>b", "b>a")
CROSSED_OUTCOMES: Final = ("arrived", "lost", "appeared", "duplicate")

# The columns of tables that Python makes, not the core, in order.
SOCKET_COLUMNS: Final = (
    *("protocol", "address", "port", "role", "peers", "connections", "accepted", "refused", "unanswered"),
    *("first", "last", "sent_packets", "sent_payload_bytes", "received_packets", "received_payload_bytes"),
    *("fin", "rst", "open", "unreachable", "role_basis"),
)
HOST_COUNTS: Final = (  # after the address
    *("packets", "bytes", "sent_packets", "sent_bytes", "received_packets", "received_bytes", "peers"),
)
HOST_COLUMNS: Final = ("address", *HOST_COUNTS, "listening", "ports", "first", "last")
MAC_COLUMNS: Final = ("mac", *HOST_COUNTS, "first", "last")
# Of a timeline, after time and group: flows and trips where connections are followed, verdicts where they are no group.
TIMELINE_COUNTS: Final = ("packets", "bytes", "packets_per_second", "bits_per_second")
TIMELINE_VERDICTS: Final = ("bad", "partial", "ip_bad")
TIMELINE_FLOWS: Final = ("flows", "new_flows")
TIMELINE_TRIPS: Final = ("retransmitted", "rtt_median")
# Of comparisons. Columns of packets stand for both points, with the letter of the point before them.
ENDS: Final = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")
DELAYS: Final = ("delay_min", "delay_median", "delay_95", "delay_99", "delay_max", "delay_variation")
CHANGES: Final = ("changed", "changed_good", "uncompared", "dscp_changed", "mss_changed")
COMPARED_COUNTS: Final = ("sent", "arrived", "lost", "appeared", "duplicated", "reordered", *CHANGES)
COMPARED_FLOW_COLUMNS: Final = (
    *(*ENDS, "way", *COMPARED_COUNTS, "payload_bytes", "hops_min", "hops_max", *DELAYS, "first", "last"),
    *("nat_src_ip", "nat_src_port", "nat_dst_ip", "nat_dst_port"),
)
OF_A_POINT: Final = ("file", "packet", "time", "verdict", "ttl", "mss", "dscp")
CROSSED_MARKS: Final = ("reordered", "changed", "uncompared", "dscp_changed", "mss_changed", "ttl_changed")
COMPARED_PACKET_COLUMNS: Final = (
    *("flow", *ENDS, "way", "outcome"),
    *(f"{point}_{name}" for point in ("a", "b") for name in OF_A_POINT),
    *("delay", *CROSSED_MARKS, "payload_length", "first_difference"),
)
LIFE_COLUMNS: Final = (
    *("time", "file", "packet", "protocol", "call", "peer_address", "peer_port", "octets", "records", "evidence"),
)


def protocol(number: int) -> str:
    """The name of an IP protocol."""
    return PROTOCOLS.get(number, str(number))


def ethertype(number: int) -> str:
    """What an ethertype announces."""
    return ETHERTYPES.get(number, f"{number:#06x}")


def link_type(number: int) -> str:
    """The name of a link type."""
    return LINK_TYPES.get(number, str(number))


def tcp_flags(flags: int) -> str:
    """The eight flag bits as letters in the order CEUAPRSF, a dot for each bit that is not set: 0x12 is ...A..S."""
    return "".join(
        letter if flags >> (len(TCP_FLAGS) - 1 - place) & 1 else "." for place, letter in enumerate(TCP_FLAGS)
    )
