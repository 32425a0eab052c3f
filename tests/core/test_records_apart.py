"""Records with fragments are kept as they are in the input, in every format."""

import struct

import pytest

import builders as b
from capture_files import (
    PREFIX,
    Record,
    block,
    enhanced_packet,
    flags,
    interface,
    old_packet,
    pcap,
    pcapng,
    simple_packet,
    snoop,
)
from core_driver import FIVE_TUPLE, feed, key, scan
from fluxcap._core import Scanner

WHOLE = b.ethernet(b.ipv4(b.udp(b"x" * 40, 1000, 53)))
FRAGMENTS = [
    b.ethernet(b.ipv4(bytes(size), protocol=b.UDP, identification=7, offset=at, more=more))
    for size, at, more in ((24, 0, True), (17, 24, False))
]
FRAMES = [WHOLE, *FRAGMENTS, WHOLE, *FRAGMENTS]
APART = [1, 2, 4, 5]
INTERFACE_STATISTICS = 5


def in_blocks(order, make):
    """A pcapng of these blocks, others between them, and those with fragments."""
    blocks = [make(frame) for frame in FRAMES]
    others = block(INTERFACE_STATISTICS, bytes(12))
    octets = pcapng(interface(snaplen=50), *(one for made in blocks for one in (made, others)), byteorder=order)
    return octets, b"".join(blocks[place](PREFIX[order]) for place in APART)


def in_records(make):
    """A capture of these records, and those with fragments: what each makes it longer by."""
    captures = [make([Record(frame, 0) for frame in FRAMES[:n]]) for n in range(len(FRAMES) + 1)]
    return captures[-1], b"".join(captures[place + 1][len(captures[place]) :] for place in APART)


ORDERS = ("little", "big")
CAPTURES = {
    **{
        f"enhanced {one}": in_blocks(one, lambda frame: enhanced_packet(frame, 1, options=[flags(1)])) for one in ORDERS
    },
    **{f"obsolete {one}": in_blocks(one, old_packet) for one in ORDERS},
    **{f"simple {one}": in_blocks(one, simple_packet) for one in ORDERS},
    **{f"pcap {one}": in_records(lambda frames, one=one: pcap(frames, byteorder=one)) for one in ORDERS},
    "pcap modified": in_records(lambda frames: pcap(frames, modified=True)),
    "snoop": in_records(snoop),
}
JOINED = sorted(CAPTURES.keys() - {"snoop"})  # which ends with its input


@pytest.mark.parametrize(("octets", "apart"), CAPTURES.values(), ids=CAPTURES.keys())
@pytest.mark.parametrize("piece", [1 << 20, 37])
def test_the_records_that_stand_apart_are_those_of_each_input(octets, apart, piece):
    scanner = Scanner(key=key(*FIVE_TUPLE), columns=("packet",), fragments_apart=True)
    for _ in range(2):
        feed(scanner, [octets[at : at + piece] for at in range(0, len(octets), piece)])
        assert scanner.take_apart() == apart
        assert scanner.take_apart() == b""


@pytest.mark.parametrize("first", JOINED)
@pytest.mark.parametrize("second", JOINED)
def test_another_capture_behind_a_fragment_is_no_danger(first, second):
    """A batch may have records of both, and only those of the last one are found then. Who asks sees that there are
    two."""
    octets = CAPTURES[first][0] + CAPTURES[second][0]
    scanner = scan(octets, columns=("packet",), key=key(*FIVE_TUPLE), fragments_apart=True)
    assert scanner.joined[0] or scanner.format()["sections"] == 2
    assert len(scanner.take_apart()) <= len(octets)


@pytest.mark.parametrize("second", ["pcap modified", "enhanced little", "obsolete big"])
def test_a_fragment_that_begins_the_window_is_not_sought_before_it(second):
    """Its header is shorter than that of a record of the capture behind it."""
    octets, apart = CAPTURES["pcap little"]
    last = len(octets) - 16 - len(FRAMES[-1])
    behind, behind_apart = CAPTURES[second]
    scanner = Scanner(key=key(*FIVE_TUPLE), columns=("packet",), fragments_apart=True)
    feed(scanner, [octets[:last], octets[last:] + behind])
    assert scanner.take_apart() == apart.removesuffix(octets[last:]) + behind_apart


def test_records_that_a_filter_refuses_are_not_kept():
    octets, _ = CAPTURES["pcap little"]
    refusing = struct.pack("=HBBI", 6, 0, 0, 0)  # the program `ret 0`
    scanner = scan(
        octets, columns=("packet",), key=key(*FIVE_TUPLE), fragments_apart=True, where=lambda link, swapped: refusing
    )
    assert (scanner.totals()["packets"], scanner.take_apart()) == (len(FRAMES), b"")
