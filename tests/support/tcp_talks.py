"""TCP connections written down in a line: `>S <SA >A >D10 <A <F`, a segment each, with right sequence numbers.

`>` is sent by the client, `<` by the server. Letters are flags (S A F R; none: `>_`), `D10` ten bytes of payload, with
ACK, as has F alone. Behind them: `@-10`, ten bytes before where the sender is (again) or, with `+`, after it (some are
missing); `a+5` acknowledges five bytes that were not there; `w` a window of zero; `!` a bad checksum; `i` begins with
another initial sequence number; `~3`, three seconds later than the segment before, where else it is a millisecond.
"""

import re

import builders as b
from capture_files import Record, pcap

CLIENT, SERVER = ("192.0.2.1", 40000), ("192.0.2.2", 9999)  # neither port is a server's by registration
NEAR_WRAP = 0xFFFFFFF0  # the client's initial sequence number: most talks cross 2^32
SECOND, MS = 1_000_000_000, 1_000_000
START = 1_700_000_000 * SECOND
STEP = re.compile(
    r"(?P<way>[<>])(?P<flags>[SAFR_]*)(?:D(?P<length>\d+))?(?:@(?P<at>[+-]\d+))?(?:a(?P<ack>[+-]\d+))?"
    r"(?P<window>w)?(?P<bad>!)?(?P<another>i)?(?:~(?P<later>-?[\d.]+))?"
)
FLAGS = {"S": b.SYN, "A": b.ACK, "F": b.FIN, "R": b.RST, "_": 0}
ANOTHER = 1 << 28  # what a new initial sequence number is ahead of the last one


def records(line: str, client: tuple[str, int] = CLIENT, server: tuple[str, int] = SERVER) -> list[Record]:
    """The segments of a talk."""
    ends, upcoming, time, made = (client, server), [NEAR_WRAP, 5000], START, []
    for step in line.split():
        found = STEP.fullmatch(step)
        assert found is not None, step
        way, length = int(found["way"] == "<"), int(found["length"] or 0)
        flags = sum(FLAGS[letter] for letter in found["flags"])
        flags |= b.ACK if found["length"] or found["flags"] == "F" else 0
        if found["another"]:
            upcoming[way] += ANOTHER
        seq = upcoming[way] + int(found["at"] or 0)
        ack = upcoming[1 - way] + int(found["ack"] or 0) if flags & b.ACK else 0
        upcoming[way] = max(upcoming[way], seq + length + bool(flags & b.SYN) + bool(flags & b.FIN))
        segment = b.tcp(
            bytes(length), ends[way][1], ends[1 - way][1], flags=flags, seq=seq % 2**32, ack=ack % 2**32,
            window=0 if found["window"] else 1000, checksum=1 if found["bad"] else None,
        )  # fmt: skip
        time += int(float(found["later"]) * SECOND) if found["later"] else MS
        made.append(Record(bytes(b.ethernet(b.ipv4(segment, ends[way][0], ends[1 - way][0]))), time))
    return made


def talk(line: str, **ends: tuple[str, int]) -> bytes:
    """A capture of one talk."""
    return pcap(records(line, **ends))
