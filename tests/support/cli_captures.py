"""The captures that the tests of the command line read."""

import builders as b
from capture_files import pcap, records

A, B = "10.0.0.1", "10.0.0.2"


def udp(src: str, dst: str, src_port: int, dst_port: int, size: int = 10, checksum=None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(bytes(size), src_port, dst_port, checksum=checksum), src, dst))


# One dialogue of four packets, one of two, and a packet whose checksum the sender left to its card.
PACKETS = [
    *[udp(A, B, 4000, 53, size) for size in (5, 6, 7)],
    udp(B, A, 53, 4000, 100),
    *[udp(A, B, 4001, 53, size) for size in (200, 300)],
    udp(A, B, 4002, 53, 1, "partial"),
]
GOOD = pcap(records(PACKETS))
CUT = GOOD[:-3]
BAD = pcap(records([*PACKETS, udp(A, B, 4003, 53, 4, 0x0BAD), b.ethernet(b.ipv4(b.udp(b"x"), checksum=0x0BAD))]))
