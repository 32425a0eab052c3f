"""What a checksum should be is what tshark calculates, where it calculates one: IPv4, UDP and TCP."""

from pathlib import Path

import pytest

from explained_records import explained
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark

RECORDS = 60  # of a capture
EVERY = 25  # one capture of so many of the corpus: a run of tshark takes half a second
CALCULATED = ("ip.checksum_calculated", "udp.checksum_calculated", "tcp.checksum_calculated")
IN_PIECES = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
PROTOCOLS = {"ip": None, "udp": 17, "tcp": 6}
SUMS = {"ip": "ip", "udp": "transport", "tcp": "transport"}


def expected(found, name):
    """The right values of the checksums of one kind on the path of a record, outermost first."""
    for judged in found["judged"]:
        for one in judged["sums"]:
            if one["kind"] == SUMS[name] and PROTOCOLS[name] in (None, judged["protocol"]):
                yield judged["ip_expected" if name == "ip" else "expected"]


def differences(path: Path):
    """Checksums that tshark calculates otherwise, and how many are compared."""
    frames = tshark(path, *VERIFY, *IN_PIECES, "-c", str(RECORDS), *fields(CALCULATED))
    wrong, compared = [], 0
    for (row, found), frame in zip(explained(path, RECORDS), frames, strict=False):
        for name, cell in zip(PROTOCOLS, (*frame.split("\t"), "", ""), strict=False):
            theirs = [int(word, 16) for word in cell.split(",") if word]
            # It also calculates the sums of packets that ICMP errors quote, and knows other tunnels.
            for ours, other in zip(expected(found, name), theirs, strict=False):
                compared += 1
                if (ours - other) % 0xFFFF:
                    wrong.append((row["packet"], name, hex(ours), hex(other)))
    return wrong, compared


@needs_tshark
@pytest.mark.parametrize("name", ["verdicts.pcap", "every-transport-good-and-bad.pcap", "vxlan-tunnel.pcap",
                                  "veth-checksums-offloaded.pcap", "session.pcap", "sockets.pcapng"])  # fmt: skip
def test_the_right_checksums_of_a_sample_are_those_that_tshark_calculates(name):
    wrong, compared = differences(SAMPLES / name)
    assert wrong == []
    assert compared > 10


@needs_tshark
@needs_corpus
@pytest.mark.slow
def test_the_right_checksums_of_captures_are_those_that_tshark_calculates():
    readable = [CORPUS / row["path"] for row in index() if row["capinfos_rc"] == row["tshark_rc"] == "0"]
    found = {path: differences(path) for path in readable[::EVERY]}
    assert {path: wrong for path, (wrong, _) in found.items() if wrong} == {}
    assert sum(compared for _, compared in found.values()) > 1000
