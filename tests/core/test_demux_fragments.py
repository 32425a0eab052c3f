"""Fragments in tunnels in fragments: demux() delivers what was sent, from bytes that stay where they are."""

import os
import subprocess
import sys

import pytest

import builders as b
from capture_files import pcap, records
from delivered_directory import demuxed, read

A, B = "192.0.2.1", "192.0.2.2"
LINK_RAW = 101
MESSAGE = b"the message that was sent " * 40
UDP = b.udp(MESSAGE, 5, 6)
# glibc fills freed memory with this byte: a message that contains it was read from freed memory.
FREED_READS_AS = 0xA5


def sent(delivery):
    return [(one["src_port"], one["data"]) for one in delivery.messages]


def v4(part, identification=7, **options):
    return b.ipv4(part, A, B, identification=identification, **options)


def in_pieces(packet, size, identification=7):
    """The packets of a datagram in fragments that is a tunnel with this packet inside."""
    return [
        v4(part, identification, protocol=b.GRE, offset=at, more=more)
        for at, more, part in b.pieces(b.gre(packet), size)
    ]


def nested(size, levels=1):
    """The message in a tunnel in fragments, each in a tunnel in fragments, and so on; each first fragment has the
    identity of the datagram inside."""
    packets = in_pieces(v4(UDP), 512)
    for _ in range(levels):
        packets = [piece for place, packet in enumerate(packets) for piece in in_pieces(packet, size, 7 + place)]
    return packets


def first_header_left():
    """IPv6 with two fragment headers: the inner datagram is a fragment of the outer one."""
    ends = "2001:db8::1", "2001:db8::2"
    message = b.udp(MESSAGE, 5, 6).over(*map(b.packed, ends))
    first, *others = [b.fragment(part, at, more, 7, next_header=b.UDP) for at, more, part in b.pieces(message, 512)]
    return [b.ipv6(part, *ends) for part in (b.fragment(first, 0, True, 7), *others)]


CASES = {
    "a fragment of one identity inside and outside": (nested(256), 1),
    "three tunnels deep": (nested(64, levels=3), 1),
    "one that is never whole": (in_pieces(in_pieces(v4(UDP), 512)[0], 256), 0),
    "a whole that says it is a fragment": (first_header_left(), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_fragment_completes_stays_as_it_was_sent_whatever_is_inside(name, tmp_path):
    packets, messages = CASES[name]
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(records(packets), LINK_RAW))
    command = [sys.executable, "-c", "import sys, fluxcap; fluxcap.demux(*sys.argv[1:])", capture, tmp_path / "out"]
    subprocess.run(command, check=True, env={**os.environ, "MALLOC_PERTURB_": str(FREED_READS_AS)})
    assert sent(read(tmp_path / "out")) == [(5, MESSAGE)] * messages


LAST = 65_400  # where the last fragment of each of these begins: its bytes and those before it take 128 KiB
KEPT = (16 << 20) // (128 << 10)  # of these, with the 16 MiB that are kept of datagrams under way


def large(name: int) -> bytes:
    """A message whose identification is its source port, too."""
    return b.completed(b.udp(bytes(LAST), name, 6), *map(b.packed, (A, B)))


def lasts(n: int) -> list[bytes]:
    """The last fragments of so many datagrams."""
    return [v4(large(name)[LAST:], name, protocol=b.UDP, offset=LAST) for name in range(1, 1 + n)]


def test_a_datagram_is_whole_whatever_is_given_up_for_what_it_holds(tmp_path):
    delivery = demuxed(pcap(records(lasts(KEPT) + nested(256)), LINK_RAW), tmp_path / "out")
    assert sent(delivery) == [(5, MESSAGE)]


def test_datagrams_under_way_make_room_for_others_the_oldest_first(tmp_path):
    names = range(1, KEPT + 3)
    firsts = [v4(large(name)[:LAST], name, protocol=b.UDP, more=True) for name in names]
    delivery = demuxed(pcap(records(lasts(len(names)) + firsts), LINK_RAW), tmp_path / "out")
    assert sent(delivery) == [(name, bytes(LAST)) for name in names[2:]]
    assert delivery.capture["incomplete"] == 2
