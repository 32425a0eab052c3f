"""Five UDP packets of four flows, one of them answered: for what every table can do."""

import builders as b
from capture_files import pcap, records

SECOND = 1_000_000_000


def udp(src: str, dst: str, src_port: int, dst_port: int, size: int = 10) -> bytes:
    network = b.ipv6 if ":" in src else b.ipv4
    return b.ethernet(network(b.udp(bytes(size), src_port, dst_port), src, dst))


PACKETS = [
    udp("10.0.0.2", "10.0.0.1", 5000, 53, 1),
    udp("10.0.0.1", "10.0.0.2", 53, 5000, 300),
    udp("2001:db8::", "2001:db8::1", 7, 7),
    udp("10.0.0.0", "10.0.0.9", 9, 9),
    udp("10.0.0.2", "10.0.0.1", 5001, 53, 2),
]
CAPTURE = pcap(records(PACKETS, start=1_700_000_000 * SECOND, step=SECOND), ns=True)
