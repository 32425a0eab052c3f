"""tshark agrees on the crafted packets of verdict_cases.py, with listed exceptions.

tshark has five words: its "bad" may be partial to us, its "unverified" is truncated, fragment or none.
"""

from pathlib import Path

import builders as b
from capture_files import Record, pcap
from tshark import VERIFY, fields, needs_tshark, tshark
from verdict_cases import CASES, ORDER

STATUS = {"1": "good", "0": "bad", "2": "unverified", "3": "absent", "4": "illegal", "": "unverified"}
ITS_WORD = {"partial": "bad", "truncated": "unverified", "fragment": "unverified", "none": "unverified"}
# The first of several values counts: that of an ICMP error, not that of the packet it quotes.
CHECKSUMS = [f"{name}.checksum.status" for name in ("icmp", "icmpv6", "igmp", "udp", "tcp", "sctp", "dccp")]
IN_PIECES = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]

# Beginnings of the names of cases on which tshark differs: its word, and why ours is another.
OTHERWISE = {
    "RFC 6935: UDP zero over IPv6 to tunnel port": ("illegal", "it knows no port that may leave the checksum out"),
    "RFC 3828 3.1: UDP-Lite covering": ("unverified", "it says that the coverage is illegal, and judges no sum"),
    "illegal UDP-Lite before truncated": ("unverified", "the same"),
    "RFC 9653: SCTP zero": ("bad", "it knows no sender that leaves the checksum out"),
    "absent SCTP before truncated": ("unverified", "the same"),
    "absent before bad_length": ("unverified", "it does not look at the checksum of a datagram whose length is wrong"),
    "illegal before bad_length": ("unverified", "the same"),
    "RFC 9293 3.1: data offset past the end": ("good", "it judges the sum of a segment that contradicts itself"),
    "RFC 4340 9.2: DCCP covering past the end": ("good", "the same"),
    "RFC 2675 4: jumbo length past the record": ("good", "it judges what there is of a packet that should be longer"),
    "IP length past the record": ("good", "the same"),
    "bad_length before good": ("good", "the same"),
    "IPv6 payload length zero": ("unverified", "it reads no super-packet"),
    "the same over IPv6": ("unverified", "it reads no super-packet"),
    "left to the card that cuts it up: TCP over IPv6": ("unverified", "it reads no super-packet"),
    "truncated beyond the UDP length": ("unverified", "it wants the bytes behind the UDP length too"),
    "truncated beyond the coverage of UDP-Lite": ("unverified", "it wants the bytes behind the coverage too"),
}
COVERED = {"all", "its header", "some data", "just all"}  # UDP-Lite cases on which tshark does not differ


def words(path: Path) -> list[str]:
    """The word of tshark on each case, from a capture of all cases that is written to `path`."""
    records = [Record(b.ethernet(packet)) for _, _, packet in CASES]
    records += [Record(b.ethernet(packet)).cut(snaplen) for _, _, packet, snaplen in ORDER]
    path.write_bytes(pcap(records))
    statuses = [line.replace(",", "\t").split("\t") for line in tshark(path, *VERIFY, *IN_PIECES, *fields(CHECKSUMS))]
    return [STATUS[next(filter(None, one), "")] for one in statuses]


def exception(what: str) -> str | None:
    """The beginning of a name that is listed as an exception."""
    if what.removeprefix("RFC 3828 3.1: UDP-Lite covering ") in COVERED:
        return None
    return next((start for start in OTHERWISE if what.startswith(start)), None)


@needs_tshark
def test_every_verdict_is_that_of_tshark_but_for_the_exceptions(tmp_path):
    ours = [(what, verdict) for what, verdict, *_ in (*CASES, *ORDER)]
    differ = {}
    for (what, verdict), word in zip(ours, words(tmp_path / "cases.pcap"), strict=True):
        if word not in ({"bad", "unverified"} if verdict == "bad_length" else {ITS_WORD.get(verdict, verdict)}):
            differ[what] = word
    assert differ == {what: OTHERWISE[start][0] for what, _ in ours if (start := exception(what))}
