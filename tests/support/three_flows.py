"""Six packets of three flows, in captures of every shape."""

import struct

import fluxcap
from capture_files import (
    COMMENT,
    block,
    enhanced_packet,
    interface,
    old_packet,
    option,
    pcap,
    pcapng,
    records,
    simple_packet,
)

NAME_RESOLUTION, STATISTICS, SECRETS, CUSTOM = 4, 5, 10, 0xBAD


def frame(port: int, size: int = 20) -> bytes:
    return fluxcap.segment(bytes(size), ("192.0.2.1", port), ("192.0.2.2", 53))


PORTS = (1000, 2000, 1000, 3000, 2000, 1000)  # of six packets in three flows
FRAMES = [frame(port, size) for size, port in enumerate(PORTS)]
RECORDS = records(FRAMES)
OF_FLOW = [{1, 3, 6}, {2, 5}, {4}]  # numbers of the packets


def mixed(byteorder):
    """A pcapng with every kind of block, and of packets with options behind them."""
    comment = option(COMMENT, b"why this one?")

    def commented(order):
        head = struct.pack(order + "5I", 0, 0, 7, len(FRAMES[2]), len(FRAMES[2]))
        body = head + FRAMES[2] + bytes(-len(FRAMES[2]) % 4) + comment(order) + bytes(4)
        return block(6, body)(order)

    return pcapng(
        interface(snaplen=0, name="eth0"),
        block(SECRETS, b"CLIENT_RANDOM"),
        enhanced_packet(FRAMES[0]),
        simple_packet(FRAMES[1]),
        block(NAME_RESOLUTION, bytes(4)),
        commented,
        interface(name="eth1", tsresol=9),
        old_packet(FRAMES[3]),
        block(CUSTOM, b"x" * 300_000),  # longer than the window is at first
        enhanced_packet(FRAMES[4], 9, 1),
        *[interface() for _ in range(9)],
        enhanced_packet(FRAMES[5]),
        block(STATISTICS, bytes(12)),
        byteorder=byteorder,
    )


SHAPES = {
    "us": pcap(RECORDS),
    "ns": pcap(RECORDS, ns=True),
    "big-endian": pcap(RECORDS, byteorder="big"),
    "modified": pcap(RECORDS, modified=True),
    "pcapng": mixed("little"),
    "pcapng big-endian": mixed("big"),
    "two sections": mixed("little") + pcapng(interface(), block(CUSTOM, b"last words"), byteorder="big"),
}
