"""The payload of real packets is what tshark shows as the payload of UDP and of TCP."""

from __future__ import annotations

import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import fields, needs_tshark, tshark

N = 64
NAMES = {17: "udp.payload", 6: "tcp.payload"}
APART = ("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")
MOST = 20_000  # packets of a capture
# tshark reads packets inside these as well, or not the link header.
SLL, ERROR = "linux_sll_oversized_addr.pcapng", "tcp-reassembly.pcap"
OTHERWISE = {(SLL, 95), (SLL, 96), (ERROR, 66)}


def compared(paths) -> tuple[int, list]:
    """How many payloads were compared, and where they differ."""
    n, different = 0, []
    for path in paths:
        asked = {"columns": "packet,protocol,fragment_offset,verdict,depth", "payload": N}
        packets = fluxcap.read_packets(path, **asked)
        if len(packets) > MOST:
            continue
        theirs = [line.split("\t") for line in tshark(path, *APART, *fields(NAMES.values()))]
        if len(theirs) != len(packets):  # it numbers blocks that hold no packet, or stops at damage
            continue
        for row in range(len(packets)):
            protocol = int(packets["protocol"][row])
            lengths_lie = fluxcap.VERDICTS[packets["verdict"][row]] == "bad_length"  # tshark shows no payload then
            if protocol not in NAMES or packets["fragment_offset"][row] or lengths_lie:
                continue
            own = bytes(packets["payload"][row, : packets["payload_captured"][row]]).hex()
            if packets["depth"][row] and not own:  # tshark shows the payload around a packet that has none
                continue
            shown = dict(zip(NAMES, theirs[row], strict=True))[protocol].split(",")[-1][: 2 * N]  # the innermost
            n += 1
            if own != shown and (path.name, int(packets["packet"][row])) not in OTHERWISE:
                different.append((path.name, int(packets["packet"][row]), own, shown))
    return n, different


@needs_tshark
@pytest.mark.filterwarnings("ignore")
def test_payloads_of_the_samples_are_those_that_tshark_shows():
    n, different = compared(sorted(SAMPLES.glob("*.pcap*")))
    assert different == []
    assert n > 200


@pytest.mark.slow
@needs_tshark
@needs_corpus
@pytest.mark.filterwarnings("ignore")
def test_payloads_of_real_packets_are_those_that_tshark_shows():
    readable = (row for row in index() if row["capinfos_rc"] == "0")
    n, different = compared([CORPUS / path for path in spread(readable, 200)])
    assert different == []
    assert n > 10_000
