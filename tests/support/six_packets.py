"""Six packets of addresses that are hard to sort and to hold apart, one of them not IP: for what a table becomes."""

import builders as b
from capture_files import pcap, records

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def udp(src: str, dst: str) -> bytes:
    network = b.ipv6 if ":" in src else b.ipv4
    return b.ethernet(network(b.udp(b"hello", 4000, 53), src, dst))


IPV4 = [udp("10.0.0.2", "10.0.0.1"), udp("10.0.0.1", "10.0.0.2"), udp("10.0.0.2", "255.255.255.255")]
PACKETS = [*IPV4, udp("2001:db8::", "2001:db8::1"), b.ethernet(bytes(30), 0x88B5), udp("10.0.0.0", "0.0.0.1")]
CAPTURE = pcap(records(PACKETS, start=START, step=1), ns=True)
SOURCES = ["10.0.0.2", "10.0.0.1", "10.0.0.2", "2001:db8::", None, "10.0.0.0"]
