"""Packets with the verdict that the RFCs give them; each case is named after the RFC that settles it."""

import builders as b
from plain_checksums import ones_sum, pseudo_header

SRC4, DST4, SRC6, DST6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
FAR4, HOP4 = "198.51.100.9", "203.0.113.1"
HOP6, FAR6, HOME6 = "2001:db8::7", "2001:db8:f::9", "2001:db8:a::1"
DATA = b"seven octets"[:7]
LONG = bytes(range(251)) * 300  # 75,300 bytes: more than a 16-bit length can say


def data_of_sum(value: int, transport=b.udp, network=b.ipv4) -> bytes:
    """Two bytes of data that make `value` the right checksum."""
    packet = network(transport(bytes(2)))
    at = (20 if network is b.ipv4 else 40) + (16 if transport is b.tcp else 6)
    return ((int.from_bytes(packet[at : at + 2]) - value) % 0xFFFF).to_bytes(2)


def pseudo_sum(src: str, dst: str, protocol: int, length: int) -> int:
    return ones_sum(pseudo_header(b.packed(src), b.packed(dst), protocol, length))


PARTIAL4 = pseudo_sum(SRC4, DST4, b.UDP, 10)
QUOTED4, QUOTED6 = b.ipv4(b.udp(DATA, checksum=1), checksum=1), b.ipv6(b.udp(DATA, checksum=1))

CASES = [
    # what, verdict, packet
    ("RFC 768: UDP", "good", b.ipv4(b.udp(DATA))),
    ("RFC 768: UDP of another sum", "bad", b.ipv4(b.udp(DATA, checksum=0x1234))),
    ("RFC 768: UDP zero, none generated", "absent", b.ipv4(b.udp(DATA, checksum=0))),
    ("RFC 768: UDP whose sum is zero, sent as all ones", "good", b.ipv4(b.udp(data_of_sum(0)))),
    ("RFC 768: the same, all ones given", "good", b.ipv4(b.udp(data_of_sum(0), checksum=0xFFFF))),
    ("RFC 768: all ones where the sum is not zero", "bad", b.ipv4(b.udp(DATA, checksum=0xFFFF))),
    ("RFC 768: UDP of no payload", "good", b.ipv4(b.udp())),
    ("RFC 768: UDP length under its header", "bad_length", b.ipv4(b.udp(DATA, length=7))),
    ("RFC 768: UDP length zero", "bad_length", b.ipv4(b.udp(DATA, length=0, checksum=1))),
    ("RFC 768: UDP behind a header of another sum", "good", b.ipv4(b.udp(DATA), checksum=0x1234)),
    ("RFC 768: UDP length past the IP payload", "bad_length", b.ipv4(b.udp(DATA, length=16))),
    ("RFC 9868: surplus area after the UDP length", "good", b.ipv4(b.udp(DATA, length=8))),
    ("RFC 9868: surplus area, IPv6", "good", b.ipv6(b.udp(DATA, length=13))),
    ("RFC 9868: the sum taken over the surplus too", "bad", b.ipv4(b.udp(DATA, length=8, checksum=int.from_bytes(
        b.ipv4(b.udp(DATA))[26:28])))),
    ("RFC 8200 8.1: UDP over IPv6", "good", b.ipv6(b.udp(DATA))),
    ("RFC 8200 8.1: UDP over IPv6 of another sum", "bad", b.ipv6(b.udp(DATA, checksum=0x1234))),
    ("RFC 8200 8.1: UDP over IPv6 whose sum is zero, sent as all ones", "good",
     b.ipv6(b.udp(data_of_sum(0, network=b.ipv6)))),
    ("RFC 8200 8.1: the next header is that of UDP, not of the options before it", "good",
     b.ipv6(b.hop_by_hop(b.destination_options(b.udp(DATA), b.option(4, bytes(5)))))),
    ("RFC 8200 8.1: UDP zero over IPv6", "illegal", b.ipv6(b.udp(DATA, checksum=0))),
    *[(f"RFC 6935: UDP zero over IPv6 to tunnel port {port}", "absent", b.ipv6(b.udp(DATA, 40000, port, checksum=0)))
      for port in (2152, 4341, 4754, 4789, 4790, 6081, 6635)],
    ("RFC 6935: UDP zero over IPv6 from a tunnel port", "illegal", b.ipv6(b.udp(DATA, 4789, 40000, checksum=0))),
    ("RFC 9293 3.1: TCP", "good", b.ipv4(b.tcp(DATA))),
    ("RFC 9293 3.1: TCP over IPv6", "good", b.ipv6(b.tcp(DATA))),
    ("RFC 9293 3.1: TCP of another sum", "bad", b.ipv6(b.tcp(DATA, checksum=0x1234))),
    ("RFC 9293 3.1: zero is a sum like any other in TCP", "bad", b.ipv4(b.tcp(DATA, checksum=0))),
    ("RFC 9293 3.1: TCP whose sum is zero, sent as it is", "good",
     b.ipv4(b.tcp(data_of_sum(0, b.tcp), checksum=0))),
    ("RFC 9293 3.1: data offset of four words", "bad_length", b.ipv4(b.tcp(DATA, data_offset=4))),
    ("RFC 9293 3.1: data offset past the end", "bad_length", b.ipv4(b.tcp(DATA, data_offset=15))),
    ("RFC 792: ICMP", "good", b.ipv4(b.icmp(DATA))),
    ("RFC 792: ICMP of another sum", "bad", b.ipv4(b.icmp(DATA, checksum=0x1234))),
    ("RFC 792: ICMP zero, which has no pseudo-header to be partial", "bad", b.ipv4(b.icmp(DATA, checksum=0))),
    ("RFC 792: ICMP that quotes a packet of another sum", "good", b.ipv4(b.icmp(QUOTED4, 3, 3, bytes(4)))),
    ("RFC 4443 2.3: ICMPv6", "good", b.ipv6(b.icmpv6(DATA))),
    ("RFC 4443 2.3: ICMPv6 of another sum", "bad", b.ipv6(b.icmpv6(DATA, checksum=0x1234))),
    ("RFC 4443 3.1: ICMPv6 that quotes a packet of another sum", "good", b.ipv6(b.icmpv6(QUOTED6, 1, 4, bytes(4)))),
    ("RFC 2236 2: IGMP", "good", b.ipv4(b.igmp())),
    ("RFC 2236 2: IGMP of another sum", "bad", b.ipv4(b.igmp(checksum=0x1234))),
    ("RFC 3828 3.1: UDP-Lite covering all", "good", b.ipv4(b.udp_lite(DATA))),
    ("RFC 3828 3.1: UDP-Lite covering its header", "good", b.ipv6(b.udp_lite(DATA, coverage=8))),
    ("RFC 3828 3.1: UDP-Lite covering some data", "good", b.ipv4(b.udp_lite(DATA, coverage=11))),
    ("RFC 3828 3.1: UDP-Lite covering just all", "good", b.ipv4(b.udp_lite(DATA, coverage=15))),
    ("RFC 3828 3.1: UDP-Lite of another sum", "bad", b.ipv4(b.udp_lite(DATA, coverage=8, checksum=0x1234))),
    ("RFC 3828 3.1: UDP-Lite zero", "illegal", b.ipv4(b.udp_lite(DATA, checksum=0))),
    ("RFC 3828 3.1: UDP-Lite whose sum is zero, sent as all ones", "good",
     b.ipv4(b.udp_lite(data_of_sum(0, b.udp_lite)))),
    ("RFC 3828 3.1: UDP-Lite covering past the end", "illegal", b.ipv4(b.udp_lite(DATA, coverage=16))),
    *[(f"RFC 3828 3.1: UDP-Lite covering {n}", "illegal", b.ipv6(b.udp_lite(DATA, coverage=n, checksum=1)))
      for n in range(1, 8)],
    ("RFC 9260 6.8: SCTP", "good", b.ipv4(b.sctp(b.sctp_data(DATA)))),
    ("RFC 9260 6.8: SCTP over IPv6", "good", b.ipv6(b.sctp(b.sctp_data(DATA)))),
    ("RFC 9260 6.8: SCTP of another sum", "bad", b.ipv4(b.sctp(b.sctp_data(DATA), checksum=0x12345678))),
    ("RFC 9653: SCTP zero", "absent", b.ipv4(b.sctp(b.sctp_data(DATA), checksum=0))),
    ("RFC 4340 9.2: DCCP covering all", "good", b.ipv4(b.dccp(DATA))),
    ("RFC 4340 9.2: DCCP covering its header", "good", b.ipv6(b.dccp(DATA, coverage=1))),
    ("RFC 4340 9.2: DCCP covering a word of data", "good", b.ipv4(b.dccp(DATA, coverage=2))),
    ("RFC 4340 9.2: DCCP covering past the end", "bad_length", b.ipv4(b.dccp(DATA, coverage=15))),
    ("RFC 4340 9.1: DCCP of another sum", "bad", b.ipv4(b.dccp(DATA, checksum=0x1234))),
    ("left to the card: UDP", "partial", b.ipv4(b.udp(DATA, checksum="partial"))),
    ("left to the card: TCP", "partial", b.ipv6(b.tcp(DATA, checksum="partial"))),
    ("left to the card that cuts it up: TCP without the length", "partial",
     b.ipv4(b.tcp(LONG[:9000], checksum=pseudo_sum(SRC4, DST4, b.TCP, 0)))),
    ("left to the card that cuts it up: TCP over IPv6", "partial",
     b.ipv6(b.tcp(LONG, checksum=pseudo_sum(SRC6, DST6, b.TCP, 0)), payload_length=0)),
    ("left to the card that cuts it up: UDP", "partial",
     b.ipv4(b.udp(DATA, checksum=pseudo_sum(SRC4, DST4, b.UDP, 0)))),
    ("RFC 4303: ESP has nothing to verify", "none", b.ipv4(bytes(40), protocol=50)),
    ("RFC 4302: AH before UDP", "good", b.ipv4(b.authentication(b.udp(DATA)))),
    ("RFC 6946: an atomic fragment is a whole datagram", "good", b.ipv6(b.fragment(b.udp(DATA), 0, False))),
    # Lengths of segmentation offload and jumbograms.
    ("IPv4 total length zero: as long as the record", "good", b.ipv4(b.udp(DATA), total_length=0)),
    ("IPv4 total length zero: TCP over 65535", "good", b.ipv4(b.tcp(LONG), total_length=0)),
    ("IPv6 payload length zero: TCP over 65535", "good", b.ipv6(b.tcp(LONG), payload_length=0)),
    ("IPv6 payload length zero: UDP over 65535", "good", b.ipv6(b.udp(LONG), payload_length=0)),
    ("RFC 2675 4: UDP length zero in less than 65536 bytes", "bad_length", b.ipv6(b.udp(DATA, length=0, checksum=1))),
    ("RFC 2675 4: UDP jumbogram", "good", b.ipv6(b.hop_by_hop(b.udp(LONG), b.jumbo_payload(8 + 8 + len(LONG))),
                                                payload_length=0)),
    ("RFC 2675 5: TCP jumbogram", "good", b.ipv6(b.hop_by_hop(b.tcp(LONG), b.jumbo_payload(8 + 20 + len(LONG))),
                                                payload_length=0)),
    ("RFC 2675 4: jumbo length past the record", "bad_length",
     b.ipv6(b.hop_by_hop(b.udp(LONG), b.jumbo_payload(99 + len(LONG))), payload_length=0)),
    ("IP length past the record, IPv4", "bad_length", b.ipv4(b.udp(DATA), total_length=36)),
    ("IP length past the record, IPv6", "bad_length", b.ipv6(b.udp(DATA), payload_length=16)),
    # The pseudo-header of a route, and of a mobile node.
    ("RFC 791: live loose source route", "good", b.ipv4(b.udp(DATA), options=b.source_route([FAR4]), final=FAR4)),
    ("RFC 791: live strict source route", "good",
     b.ipv4(b.tcp(DATA), options=b.source_route([HOP4, FAR4], 4, True), final=FAR4)),
    ("RFC 791: a source route with its last hop left", "good",
     b.ipv4(b.udp(DATA), options=b"\1" + b.source_route([HOP4, FAR4], 8), final=FAR4)),
    ("RFC 791: a spent source route", "good", b.ipv4(b.udp(DATA), options=b.source_route([FAR4], 8))),
    ("RFC 791: a spent strict source route", "good",
     b.ipv4(b.udp(DATA), options=b.source_route([HOP4, FAR4], 12, True))),
    ("RFC 791: a live route, summed with the next hop", "bad",
     b.ipv4(b.udp(DATA), options=b.source_route([FAR4]), final=DST4)),
    ("RFC 8200 8.1: routing header 0, two segments left", "good", b.ipv6(b.routing(b.udp(DATA), [HOP6, FAR6], 2))),
    ("RFC 8200 8.1: routing header 0, one segment left", "good", b.ipv6(b.routing(b.udp(DATA), [HOP6, FAR6], 1))),
    ("RFC 8200 8.1: routing header 0 spent", "good", b.ipv6(b.routing(b.udp(DATA), [HOP6, FAR6], 0))),
    ("RFC 6275 6.4: routing header 2", "good", b.ipv6(b.routing(b.tcp(DATA), [FAR6], 1, 2))),
    ("RFC 6275 6.4: routing header 2 spent", "good", b.ipv6(b.routing(b.tcp(DATA), [FAR6], 0, 2))),
    ("RFC 8754: segment routing header", "good", b.ipv6(b.routing(b.icmpv6(DATA), [FAR6, HOP6], 1, 4))),
    ("RFC 8754: segment routing header, the last of three", "good",
     b.ipv6(b.routing(b.udp(DATA), [FAR6, HOP6, "2001:db8::8"], 2, 4))),
    ("RFC 8754: segment routing header spent", "good", b.ipv6(b.routing(b.udp(DATA), [FAR6, HOP6], 0, 4))),
    ("RFC 6275 6.3: home address option", "good", b.ipv6(b.destination_options(b.udp(DATA), home=HOME6))),
    ("RFC 6275 6.3: both", "good", b.ipv6(b.routing(b.destination_options(b.tcp(DATA), home=HOME6), [FAR6], 1, 2))),
    # Fragments: only the whole datagram has a sum that could be checked.
    ("RFC 791: first fragment", "fragment", b.ipv4(b.udp(bytes(24)), more=True)),
    ("RFC 791: first fragment of a datagram without a sum", "absent", b.ipv4(b.udp(bytes(24), checksum=0), more=True)),
    ("RFC 791: later fragment", "fragment", b.ipv4(bytes(24), protocol=17, offset=1480)),
    ("RFC 8200 4.5: first fragment", "fragment", b.ipv6(b.fragment(b.tcp(bytes(20)), 0, True))),
    ("RFC 8200 4.5: later fragment", "fragment", b.ipv6(b.fragment(bytes(24), 1448, False, next_header=17))),
]  # fmt: skip

# Of several verdicts the first in order is given.
ORDER = [
    # what, verdict, packet, snap length (of the Ethernet frame)
    ("absent before bad_length", "absent", b.ipv4(b.udp(DATA, length=3, checksum=0)), 999),
    ("absent before an IP length that lies", "absent", b.ipv4(b.udp(DATA, checksum=0), total_length=99), 999),
    ("absent before fragment", "absent", b.ipv4(b.udp(bytes(24), checksum=0), more=True), 999),
    ("absent before truncated", "absent", b.ipv4(b.udp(DATA, checksum=0)), 14 + 28),
    ("illegal before bad_length", "illegal", b.ipv6(b.udp(DATA, length=3, checksum=0)), 999),
    ("illegal before truncated", "illegal", b.ipv6(b.udp(DATA, checksum=0)), 14 + 48),
    ("illegal UDP-Lite before truncated", "illegal", b.ipv4(b.udp_lite(DATA, coverage=3)), 14 + 28),
    ("absent SCTP before truncated", "absent", b.ipv4(b.sctp(b.sctp_data(DATA), checksum=0)), 14 + 32),
    ("bad_length before fragment: UDP length", "bad_length", b.ipv4(b.udp(bytes(24), length=7), more=True), 999),
    ("bad_length before fragment: TCP offset", "bad_length", b.ipv4(b.tcp(bytes(20), data_offset=4), more=True), 999),
    ("bad_length before fragment: IP length", "bad_length", b.ipv4(b.udp(bytes(24)), more=True, total_length=99), 999),
    ("bad_length before fragment: IP length of a later one", "bad_length",
     b.ipv4(bytes(24), protocol=17, offset=800, total_length=99), 999),
    ("bad_length before truncated: UDP length", "bad_length", b.ipv4(b.udp(DATA, length=99)), 14 + 30),
    ("bad_length before truncated: IP length", "bad_length", b.ipv4(b.udp(DATA), total_length=99), 14 + 30),
    ("bad_length before good", "bad_length", b.ipv4(b.udp(DATA), total_length=36), 999),
    ("fragment before truncated", "fragment", b.ipv4(b.udp(bytes(24)), more=True), 14 + 30),
    ("fragment before truncated: ports alone", "fragment", b.ipv4(b.udp(bytes(24)), more=True), 14 + 24),
    ("fragment before bad", "fragment", b.ipv4(b.udp(bytes(24), checksum=1), more=True), 999),
    ("truncated before bad", "truncated", b.ipv4(b.udp(DATA, checksum=1)), 14 + 34),
    ("truncated before partial", "truncated", b.ipv4(b.tcp(DATA, checksum="partial")), 14 + 46),
    ("truncated: a TCP header cut behind its ports", "truncated", b.ipv4(b.tcp(DATA)), 14 + 24),
    ("truncated: a UDP header cut behind its ports", "truncated", b.ipv6(b.udp(DATA)), 14 + 44),
    ("truncated: SCTP", "truncated", b.ipv4(b.sctp(b.sctp_data(DATA))), 14 + 40),
    ("truncated: ICMP", "truncated", b.ipv4(b.icmp(DATA)), 14 + 30),
    ("truncated: ICMPv6", "truncated", b.ipv6(b.icmpv6(DATA)), 14 + 50),
    ("truncated: IGMP", "truncated", b.ipv4(b.igmp()), 14 + 26),
    ("truncated: DCCP", "truncated", b.ipv4(b.dccp(DATA)), 14 + 35),
    ("truncated beyond the UDP length, which is all there", "good", b.ipv4(b.udp(DATA, length=8)), 14 + 28),
    ("truncated beyond the coverage of UDP-Lite", "good", b.ipv4(b.udp_lite(DATA, coverage=10)), 14 + 30),
    ("truncated within the coverage of UDP-Lite", "truncated", b.ipv4(b.udp_lite(DATA, coverage=11)), 14 + 30),
    ("truncated beyond the coverage of DCCP", "good", b.ipv4(b.dccp(DATA, coverage=1)), 14 + 32 + 4),
]  # fmt: skip

# The IPv4 header.
HEADERS = [
    ("RFC 791 3.1: right", "good", b.ipv4(b.udp()), 99),
    ("RFC 791 3.1: right, with options", "good", b.ipv4(b.udp(), options=bytes(40)), 99),
    ("RFC 791 3.1: another sum", "bad", b.ipv4(b.udp(), checksum=0x1234), 99),
    ("RFC 791 3.1: another sum, with options", "bad", b.ipv4(b.udp(), options=bytes(4), checksum=0x1234), 99),
    ("zero: left to the card", "partial", b.ipv4(b.udp(), checksum=0), 99),
    ("RFC 791 3.1: all of it, the rest cut", "good", b.ipv4(b.udp()), 14 + 20),
    ("RFC 791 3.1: its options cut", "truncated", b.ipv4(b.udp(), options=bytes(8)), 14 + 27),
    ("RFC 8200: IPv6 has none", "none", b.ipv6(b.udp()), 99),
]
