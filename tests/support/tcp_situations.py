"""Situations of TCP in which a capture is easily misread: what was sent, and what is right by the RFCs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import builders as b
from capture_files import Record, pcap

START, MS = 1_700_000_000 * 10**9, 10**6
ENDS = (("192.0.2.1", 40000), ("192.0.2.2", 9999))
FLAGS = {"S": b.SYN, "A": b.ACK, "F": b.FIN, "R": b.RST}
CLIENT, SERVER = 0, 1


class Sent(NamedTuple):
    """A segment: who sent it (0, 1), flags, sequence number, acknowledgment, bytes; seconds after the one before."""

    way: int
    flags: str
    seq: int
    ack: int = 0
    length: int = 0
    later: float = 0.001


class Situation(NamedTuple):
    """Segments, and the connections they are: of each its state, and of its sides the counters that are not zero,
    the bytes that its streams deliver, and their gaps."""

    sent: list[Sent]
    states: list[str]
    octets: list[int]  # of each stream, in the order of the index
    gaps: Sequence[int] = ()
    counts: Mapping[str, int] = MappingProxyType({})
    history: str | None = None
    refused: int = 0  # bytes not delivered


def record(segment: Sent, time: int) -> Record:
    """A segment as it is captured; each byte says where in the sequence space it lies."""
    first = segment.seq + ("S" in segment.flags)
    data = bytes((first + at) % 251 for at in range(segment.length))
    (src, src_port), (dst, dst_port) = ENDS[segment.way], ENDS[1 - segment.way]
    layer = b.tcp(
        data, src_port, dst_port, seq=segment.seq % 2**32, ack=segment.ack % 2**32,
        flags=sum(FLAGS[letter] for letter in segment.flags), window=8192,
    )  # fmt: skip
    return Record(bytes(b.ethernet(b.ipv4(layer, src, dst))), time)


def capture(segments: list[Sent]) -> bytes:
    """A capture of these."""
    time, made = START, []
    for segment in segments:
        time += round(segment.later * 1e9)
        made.append(record(segment, time))
    return pcap(made)


def c(flags: str, seq: int, ack: int = 0, length: int = 0, later: float = 0.001) -> Sent:
    """Sent by the client."""
    return Sent(CLIENT, flags, seq, ack, length, later)


def s(flags: str, seq: int, ack: int = 0, length: int = 0, later: float = 0.001) -> Sent:
    """Sent by the server."""
    return Sent(SERVER, flags, seq, ack, length, later)


def shake(client: int = 1000, server: int = 5000) -> list[Sent]:
    """A connection is opened."""
    return [c("S", client), s("SA", server, client + 1), c("A", client + 1, server + 1)]


def close(client: int, server: int) -> list[Sent]:
    """... and closed, from these numbers on."""
    return [c("FA", client, server), s("FA", server, client + 1), c("A", client + 1, server + 1)]


def talk(client: int = 1000, server: int = 5000) -> list[Sent]:
    """100 bytes there, 1,000 and 500 back, and the end."""
    up, down = client + 1, server + 1
    return [
        c("A", up, down, 100), s("A", down, up + 100, 1000), c("A", up + 100, down + 1000),
        s("A", down + 1000, up + 100, 500), c("A", up + 100, down + 1500), *close(up + 100, down + 1500),
    ]  # fmt: skip


ALL = {"octets": [100, 1500], "states": ["SF"]}


def between(at: int, *stray: Sent, client: int = 1000, server: int = 5000) -> list[Sent]:
    """A whole connection with something put in at this place."""
    whole = [*shake(client, server), *talk(client, server)]
    return [*whole[:at], *stray, *whole[at:]]


def blind(away: int, flags: str = "R") -> list[Sent]:
    """A whole connection with a RST of the server so far from what the client expects."""
    return between(4, s(flags, (5001 + away) % 2**32, 1101))


def translated(away: int) -> list[Sent]:
    """A whole connection at both sides of a firewall that changes the sequence numbers of the server alone, as those
    do that draw the initial numbers of the hosts behind them anew."""
    inside = between(0)
    outside = [
        one._replace(seq=one.seq + away) if one.way == SERVER else one._replace(ack=one.ack and one.ack + away)
        for one in inside
    ]
    return [one for pair in zip(inside, outside, strict=True) for one in pair]


FARTHER = 2**31 + 5  # so far numbers compare the other way round
BLIND = {"below": -5001, "in the window": 3000, "ahead": 49_999, "far ahead": 10**9}
BEHIND = 3 * 2**29
HOLES = range(0, 1200, 200)
PLACES = (3, 4, 5, 7)
STRAY = {  # what may come into an open connection, and changes nothing
    "a second SYN+ACK, ahead": s("SA", 105_000, 1001),
    "a second SYN+ACK, behind": s("SA", 5000 - 100_000, 1001),
    "a second SYN+ACK, far off": s("SA", 3_000_000_000, 1001),
    "a SYN+ACK that answers another SYN": s("SA", 77_000, 666),
    "a SYN": c("S", 777_777_777),
    "a SYN, near": c("S", 2000),
    "a SYN of the other side": s("S", 888_888),
    "a segment far off": c("A", 2_000_000_000, 5001),
    "an acknowledgment far off": s("A", 900_000_000, 700_000_000),
}
SITUATIONS: dict[str, Situation] = {
    **{
        f"{name}, at {at}": Situation(between(at, segment), **ALL)  # type: ignore[arg-type]
        for name, segment in STRAY.items()
        for at in PLACES
    },
    "data with a wild number": Situation(
        [*shake(), c("A", 2_000_000_000, 5001, 10), s("A", 5001, 4_000_000_000), *talk()], **ALL, refused=10,
    ),
    "data of an earlier connection": Situation(between(5, c("A", 500, 4000, 20)), **ALL, refused=20),
    **{f"a blind RST, {name}": Situation(blind(away), ["RSTR"], [100, 1500]) for name, away in BLIND.items()},
    **{f"a blind RST with ACK, {name}": Situation(blind(away, "RA"), ["RSTR"], [100, 1500])
       for name, away in BLIND.items()},
    "a blind RST of a connection under way, first": Situation(
        [c("A", 1001, 5001, 100), s("R", 9000), *talk()[1:]], ["RSTR"], [100, 1500]),
    "a RST that acknowledges another SYN": Situation(
        [c("S", 1000), s("RA", 0, 1500), *shake()[1:], *talk()], **ALL),
    "a RST behind bytes that the capture lacks": Situation(
        [*shake(), s("A", 5001, 1001, 100), s("R", 5301)], ["RSTR"], [0, 100]),
    "an acknowledgment of bytes never sent": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1_000_001), s("A", 5001, 1101, 100),
         c("A", 1101, 5101, 100), *close(1201, 5101)], ["SF"], [200, 100], history="ShADadFf"),
    "an acknowledgment of bytes never sent, taken back late": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1_000_001), c("A", 1101, 5001, 100), s("A", 5001, 1201),
         *close(1201, 5001)], ["SF"], [200, 0], history="ShADaFf"),
    "bytes acknowledged at the end, and never seen": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1401)], ["S1"], [100, 0], history="ShADaG",
        counts={"gap_bytes": 300}),
    "bytes acknowledged before they are seen": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1301), c("A", 1101, 5001, 100), c("A", 1201, 5001, 100)],
        ["S1"], [300, 0], history="ShADa", counts={"out_of_order": 2}),
    "the FIN acknowledged and never seen": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1102), s("FA", 5001, 1102), c("A", 1102, 5002)],
        ["S3"], [100, 0], gaps=[1], history="ShADaGf", counts={"gap_bytes": 1}),
    "data before the SYN": Situation(
        [c("A", 1001, 5001, 100), *shake(), *talk()[1:]], ["SF"], [100, 1500], counts={"out_of_order": 1}),
    "a gap of more than 2^31 bytes, acknowledged": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1001 + FARTHER), c("A", 1001 + FARTHER, 5001, 100),
         s("A", 5001, 1101 + FARTHER)], ["S1"], [200, 0], gaps=[FARTHER - 100],
        counts={"gap_bytes": FARTHER - 100}),
    **{
        f"the end behind a gap of 1.5 x 2^30 bytes, {name}": Situation(
            [*shake(), c("A", 1001, 5001, 100), c("FA", 1101 + BEHIND, 5001, length),
             s("A", 5001, 1102 + BEHIND + length), *close(1101 + BEHIND + length, 5001)[1:]],
            ["SF"], [100 + length, 0], gaps=[BEHIND], counts={"gap_bytes": BEHIND}, history="ShADaGf")
        for name, length in (("with data", 50), ("alone", 0))
    },
    "an end far off": Situation(between(5, c("FA", 2_000_000_000, 5001)), **ALL),
    "an end far off, with data": Situation(between(5, c("FA", 2_000_000_000, 5001, 10)), **ALL, refused=10),
    "one side alone, and a gap of 1.5 x 2^30 bytes": Situation(
        [c("S", 1000), c("A", 1001, 5001, 100), c("A", 1101 + BEHIND, 5001, 50), c("FA", 1151 + BEHIND, 5001, 50)],
        ["SH"], [200], gaps=[BEHIND], counts={"gap_bytes": BEHIND}, history="SDF"),
    "acknowledgments go on behind a gap of 1.5 x 2^30 bytes": Situation(
        [*shake(), c("A", 1001, 5001, 100), *[s("A", 5001, 1101 + BEHIND + at) for at in (0, 100, 200)]],
        ["S1"], [100, 0], counts={"gap_bytes": BEHIND + 200}),
    "keep-alives behind a gap": Situation(
        [*shake(), c("A", 1101, 5001, 100), *[c("A", 1200, 5001, n, 45) for n in (0, 1)], c("A", 1001, 5001, 100),
         *close(1201, 5001)], ["SF"], [200, 0], counts={"keep_alives": 2, "out_of_order": 1}),
    "the last byte of what an empty segment tells": Situation(
        [*shake(), c("A", 1001, 5001, 100), c("A", 1201, 5001), c("A", 1200, 5001, 1), s("A", 5001, 1201)],
        ["S1"], [101, 0], gaps=[99], counts={"gap_bytes": 99, "out_of_order": 1}),
    "keep-alives": Situation(
        [*shake(), c("A", 1001, 5001, 10), s("A", 5001, 1011), *[c("A", 1010, 5001, n, 45) for n in (0, 0, 0, 1, 1)],
         *close(1011, 5001)], ["SF"], [10, 0], counts={"keep_alives": 5}, history="ShADaFf"),
    "probes of a window of zero": Situation(
        [*shake(), c("A", 1001, 5001, 10), s("A", 5001, 1011), c("A", 1011, 5001, 1, 1), c("A", 1011, 5001, 1, 2),
         c("A", 1011, 5001, 1, 4), c("A", 1011, 5001, 90, 8), *close(1101, 5001)], ["SF"], [100, 0],
        counts={"keep_alives": 2}, history="ShADaFf"),
    "data on the SYN": Situation(
        [c("S", 1000, 0, 18), s("SA", 5000, 1019), s("A", 5001, 1019, 17), c("A", 1019, 5018), *close(1019, 5018)],
        ["SF"], [18, 17], history="ShdAFf"),
    "an old connection is reset first": Situation(
        [c("S", 1_000_000), s("A", 777_777_777, 888_888_888), c("R", 888_888_888), c("S", 1_000_000),
         *shake(1_000_000, 5_000_000)[1:], *talk(1_000_000, 5_000_000)], **ALL, counts={"retransmitted": 1}),
    "an old connection is reset, and nothing more": Situation(
        [c("S", 1_000_000), s("A", 777_777_777, 888_888_888), c("R", 888_888_888)], ["RSTOS0"], [0, 0]),
    "refused, then accepted": Situation(
        [c("S", 1000), s("RA", 0, 1001), *shake(), *talk()], **ALL, counts={"retransmitted": 1}),
    "refused with zero, then accepted with the number before zero": Situation(
        [c("S", 1000), s("RA", 0, 1001), *shake(1000, 2**32 - 1), *talk(1000, 2**32 - 1)],
        **ALL,
        counts={"retransmitted": 1},
    ),
    "reset, then begun with the same number": Situation(
        [*shake(), c("R", 1001), *shake(1000, 60_000_000), *talk(1000, 60_000_000)], ["RSTO", "SF"], [0, 0, 100, 1500]),
    "the FIN first": Situation(
        [*shake(), c("FA", 1201, 5001), c("A", 1001, 5001, 100), c("A", 1101, 5001, 100), s("FA", 5001, 1202)],
        ["SF"], [200, 0], counts={"out_of_order": 2}),
    "the FIN first, of a connection under way": Situation(
        [c("FA", 1201, 5001), c("A", 1001, 5001, 100), c("A", 1101, 5001, 100), s("FA", 5001, 1202)],
        ["SF"], [200, 0], counts={"out_of_order": 2}),
    "six holes, filled": Situation(
        [*shake(), *[s("A", 5101 + at, 1001, 100) for at in HOLES], *[s("A", 5001 + at, 1001, 100) for at in HOLES],
         c("A", 1001, 6201)], ["S1"], [0, 1200], counts={"reverse_out_of_order": 6}),
    "100 holes, filled, and all sent again": Situation(
        [*shake(), *[s("A", 5011 + at * 20, 1001, 10) for at in range(100)],
         *[s("A", 5001 + at * 20, 1001, 10) for at in range(100)],
         *[s("A", 5001 + at * 10, 1001, 10) for at in range(200)], c("A", 1001, 7001)], ["S1"], [0, 2000],
        counts={"reverse_out_of_order": 100, "reverse_retransmitted": 200}),
    "400 holes, more than a row keeps": Situation(
        [*shake(), *[s("A", 5011 + at * 20, 1001, 10) for at in range(400)], c("A", 1001, 13_001)], ["S1"], [0, 4000],
        gaps=[10] * 400, counts={"reverse_gap_bytes": 4000}),
    "a gap of 1.5 x 2^30 bytes, acknowledged": Situation(
        [*shake(), s("A", 5001, 1001, 100), s("A", 5101 + 3 * 2**29, 1001, 100), c("A", 1001, 5201 + 3 * 2**29)],
        ["S1"], [0, 200], gaps=[3 * 2**29], counts={"reverse_gap_bytes": 3 * 2**29}),
    "another connection, the end of the first not captured": Situation(
        [*shake(), c("A", 1001, 5001, 100), s("A", 5001, 1101, 300), *shake(9_000_000, 8_000_000),
         *talk(9_000_000, 8_000_000)], ["S1", "SF"], [100, 300, 100, 1500]),
    "a second SYN+ACK is the one that holds": Situation(
        [c("S", 1000), s("SA", 70_000, 1001), *shake()[1:], *talk()], **ALL),
    "both sides of a firewall that changes sequence numbers": Situation(
        [one for pair in zip(between(0), between(0, client=2_222_222_222, server=3_333_333_333), strict=True)
         for one in pair], ["SF", "SF"], [100, 1500, 100, 1500]),
    "both sides of it, numbers near one another": Situation(
        [one for pair in zip(between(0), between(0, client=101_000, server=205_000), strict=True) for one in pair],
        ["SF", "SF"], [100, 1500, 100, 1500]),
    "... and data behind the first one is not": Situation(
        [c("S", 1000), s("SA", 70_000, 1001), s("A", 70_011, 1001, 10), *shake()[1:], *talk()], **ALL, refused=10),
    **{f"both sides of one that changes those of the server alone, {name}": Situation(
        translated(away), **ALL, counts={"retransmitted": 3}, refused=1500)     # the SYN, the data, and the FIN again
       for name, away in {"far": 3_333_333_333, "near": 2000}.items()},
    "both sides of it, the answer from the inside": Situation(
        [c("S", 1000), c("S", 2_000_000_000), s("SA", 9_000_000, 2_000_000_001), s("SA", 5000, 1001),
         *[one for pair in zip([*shake()[2:], *talk()], [*shake(2_000_000_000, 9_000_000)[2:],
           *talk(2_000_000_000, 9_000_000)], strict=True) for one in pair]],
        ["SF", "SF"], [100, 1500, 100, 1500]),
}  # fmt: skip
COUNTERS = ("retransmitted", "out_of_order", "gap_bytes", "keep_alives")


def counters(table: Any, row: int) -> dict[str, int]:
    """Those of a connection that are not zero."""
    found = {f"{way}{name}": int(table[f"{way}{name}"][row]) for name in COUNTERS for way in ("", "reverse_")}
    return {name: value for name, value in found.items() if value}
