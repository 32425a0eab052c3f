"""Real captures in which something is missing, late or cut, by a plan that is known: dpkt reads them, not the core."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dpkt

import oracle
from capture_files import Record
from plain_checksums import ones_sum, pseudo_header

ETHERNET, IPV4, TCP, SYN, FIN, RST, ACK = 14, 0x0800, 6, 2, 1, 4, 16
CHECKSUM_AT = {TCP: 16, 17: 6}


class Segment(NamedTuple):
    """A segment of TCP, and the place of its record."""

    place: int
    source: tuple[bytes, int]
    target: tuple[bytes, int]
    seq: int
    ack: int
    flags: int
    length: int

    @property
    def over_ipv4(self) -> bool:
        return len(self.source[0]) == 4

    @property
    def talk(self) -> frozenset[tuple[bytes, int]]:
        """Its connection: these captures use no pair of ports twice."""
        return frozenset((self.source, self.target))


def records_of(path: Path) -> list[Record]:
    """The records of a capture of Ethernet."""
    return [Record(frame.data, frame.time, frame.wire_length) for frame in oracle.frames(path.read_bytes())]


def segments(records: Sequence[Record]) -> list[Segment]:
    """The segments among them."""
    found = []
    for place, record in enumerate(records):
        ip = dpkt.ethernet.Ethernet(record.data).data
        if isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)) and isinstance(ip.data, dpkt.tcp.TCP):
            tcp = ip.data
            ends = (ip.src, tcp.sport), (ip.dst, tcp.dport)
            found.append(Segment(place, *ends, tcp.seq, tcp.ack, tcp.flags, len(tcp.data)))
    return found


def of_talks(found: Sequence[Segment]) -> dict[Any, list[Segment]]:
    """The segments of each connection that has a handshake and data in both directions."""
    talks = defaultdict(list)
    for segment in found:
        talks[segment.talk].append(segment)
    return {
        talk: own
        for talk, own in talks.items()
        if sum(one.flags & SYN for one in own) == 2 * SYN and len({one.source for one in own if one.length}) == 2
    }


def acknowledgment(own: Sequence[Segment], segment: Segment) -> Segment | None:
    """The first segment of the other side that acknowledges all of this one."""
    end = segment.seq + segment.length + bool(segment.flags & SYN)
    return next(
        (
            one
            for one in own
            if one.place > segment.place and one.source == segment.target and 0 <= (one.ack - end) % 2**32 < 2**31
        ),
        None,
    )


def sent_once(own: Sequence[Segment], segment: Segment) -> bool:
    """Do no other segments have its bytes?"""
    others = [one for one in own if one.source == segment.source and one.place != segment.place and one.length]
    return all(one.seq + one.length <= segment.seq or segment.seq + segment.length <= one.seq for one in others)


def acknowledged_data(records: Sequence[Record]) -> list[tuple[Segment, Segment]]:
    """Segments of data that were sent once, each with its acknowledgment."""
    pairs = []
    for own in of_talks(segments(records)).values():
        for segment in own:
            answer = acknowledgment(own, segment)
            if segment.length > 1 and not segment.flags & (SYN | FIN | RST) and answer and sent_once(own, segment):
                pairs.append((segment, answer))
    return pairs


def chosen(some: Sequence[Any], n: int, seed: int) -> list[Any]:
    """n of them, in their order."""
    return [some[place] for place in sorted(random.Random(seed).sample(range(len(some)), n))]


def without(records: Sequence[Record], places: set[int]) -> list[Record]:
    """All records but those at these places."""
    return [record for place, record in enumerate(records) if place not in places]


def moved(records: Sequence[Record], place: int, behind: int) -> list[Record]:
    """A packet moves behind another one; the times stay in their order."""
    order = [*range(place), *range(place + 1, behind + 1), place, *range(behind + 1, len(records))]
    return [records[at]._replace(time=record.time) for at, record in zip(order, records, strict=True)]


def changed(records: Sequence[Record], places: Sequence[int], change: Callable[[Record], Record]) -> list[Record]:
    """The records at these places, changed."""
    return [change(record) if place in places else record for place, record in enumerate(records)]


def left_to_the_card(record: Record) -> Record:
    """With the pseudo-header sum where the checksum should be, as a kernel leaves it."""
    data = bytearray(record.data)
    ip = dpkt.ip.IP(record.data[ETHERNET:])
    at = ETHERNET + ip.hl * 4 + CHECKSUM_AT[ip.p]
    header = pseudo_header(ip.src, ip.dst, ip.p, ip.len - ip.hl * 4)
    struct.pack_into(">H", data, at, ones_sum(header))
    return record._replace(data=bytes(data))


def joined(first: Record, second: Record) -> Record:
    """Two segments in a row in one frame, as a card hands them over."""
    ip, after = (dpkt.ip.IP(one.data[ETHERNET:]) for one in (first, second))
    ip.data.data += after.data.data
    ip.len += len(after.data.data)
    ip.sum = ip.data.sum = 0  # dpkt fills them in
    return Record(first.data[:ETHERNET] + bytes(ip), first.time)
