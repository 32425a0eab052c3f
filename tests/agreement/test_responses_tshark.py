"""Response times equal those that tshark's list of segments and datagrams gives, stream by stream.

Left out are streams in which tshark finds something to analyse (lost, sent again, out of order, kept alive) or a bad
checksum: what is new data there is for each program to say. So is data in a SYN.
"""

from collections import defaultdict
from pathlib import Path

import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import VERIFY, fields, needs_tshark, tshark

SAMPLED = {"office.pcap": 383, "session.pcap": 4, "connection-reset.pcap": 2}  # connections to compare, at least
WANTED = 40  # captures of the corpus
COMPARED = 50  # connections of these, at least
NS = 1_000_000_000
SEGMENT = (
    "tcp.stream",
    "frame.time_epoch",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.len",
    "tcp.flags",
    "tcp.analysis.flags",
    "tcp.checksum.status",
)
GOOD = 1  # of the checksum
DATAGRAM = ("udp.stream", "frame.time_epoch", "udp.srcport", "udp.dstport")
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
TCP, UDP = 6, 17

Times = dict[tuple[int, int, int], int]  # by time of the first packet, and its ports


def nanoseconds(said: str) -> int:
    seconds, _, fraction = said.partition(".")
    return int(seconds) * NS + int(fraction.ljust(9, "0"))


def streams(capture: Path, names: tuple[str, ...], chosen: str) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for line in tshark(capture, "-Y", chosen, *VERIFY, *fields(names)):
        stream, time, *rest = line.split("\t")
        found[stream].append((nanoseconds(time), *(int(word or "0", 0) for word in rest)))
    return found


def answered(sent: list[tuple[int, ...]], client: int) -> int:
    """From the first data of the client to the first data of the other side after it."""
    asked = next((at for at, (_, port, *_) in enumerate(sent) if port == client), None)
    if asked is None:
        return -1
    return next((time - sent[asked][0] for time, port, *_ in sent[asked:] if port != client), -1)


def of_segments(capture: Path) -> Times:
    times: Times = {}
    for segments in streams(capture, SEGMENT, "tcp && !icmp && !icmpv6").values():
        begun, src, dst, length, flags, *_ = segments[0]
        odd = any(found or judged != GOOD for *_, found, judged in segments) or length
        if not odd and src != dst and flags & (ACK | SYN | FIN | RST) == SYN:
            with_data = [(time, port) for time, port, _, length, flags, *_ in segments if length and not flags & RST]
            times[begun, src, dst] = answered(with_data, src)
    return times


def of_datagrams(capture: Path) -> Times:
    times: Times = {}
    for datagrams in streams(capture, DATAGRAM, "udp && !icmp").values():
        begun, src, dst = datagrams[0]
        times[begun, src, dst] = answered(datagrams, src)
    return times


def ours(capture: Path, protocol: int) -> Times:
    table = fluxcap.read_connections(capture)
    table = table.filter(table["protocol"] == protocol)
    *key, response = (table[name].tolist() for name in ("first", "src_port", "dst_port", "response_time"))
    return dict(zip(zip(*key, strict=True), response, strict=True))


def compared(capture: Path, expected: Times, protocol: int) -> int:
    """The connections whose times are equal; that they are is asserted."""
    mine = ours(capture, protocol)
    both = mine.keys() & expected.keys()
    assert {key: mine[key] for key in both} == {key: expected[key] for key in both}
    return len(both)


@needs_tshark
@pytest.mark.parametrize("name", SAMPLED)
def test_the_response_times_of_a_sample_are_those_of_its_segments(name):
    capture = SAMPLES / name
    counted = compared(capture, of_segments(capture), TCP)
    if name == "office.pcap":  # the others have datagrams to groups and broken ones
        counted += compared(capture, of_datagrams(capture), UDP)
    assert counted >= SAMPLED[name]


@pytest.mark.slow
@needs_tshark
@needs_corpus
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_response_times_of_real_captures_are_those_of_their_segments():
    whole = (row for row in index() if row["tunnel"] == row["tshark_rc"] == row["tcp_ck_bad"] == "0")
    rows = (row for row in whole if 10 <= int(row["tcp"]) <= 1000)
    assert sum(compared(CORPUS / path, of_segments(CORPUS / path), TCP) for path in spread(rows, WANTED)) >= COMPARED
