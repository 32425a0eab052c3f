"""After a repair tshark finds every checksum good that was left to the card; its word on the others is unchanged."""

import random
import warnings
from itertools import zip_longest

import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark

PROTOCOLS = ("ip", "udp", "tcp", "icmpv6", "dccp")
STATUS = [f"{name}.checksum.status" for name in PROTOCOLS]
BAD, GOOD = "0", "1"  # the words of tshark
FIELD_OF = {6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 136: "udp"}  # by IP protocol
NO_SUPER_PACKET = "it reads no IPv6 packet whose payload length is zero for being over 65,535"
OTHERWISE = {  # captures that tshark does not judge, and why
    "hadrielk+pcapng-test-generator/output_be/difficult/test202.pcapng": "it counts custom blocks as frames",
    "hadrielk+pcapng-test-generator/output_le/difficult/test202.pcapng": "it counts custom blocks as frames",
    "the-tcpdump-group+tcpdump/tests/bigtcp-ipv4-vxlan-ipv4.pcap": "it reads no UDP datagram whose length is zero",
    "the-tcpdump-group+tcpdump/tests/bigtcp-ipv6-geneve-ipv6.pcap": NO_SUPER_PACKET,
    "the-tcpdump-group+tcpdump/tests/bigtcp-ipv6-vxlan-ipv6.pcap": NO_SUPER_PACKET,
    "the-tcpdump-group+tcpdump/tests/bigtcp-ipv6.pcap": NO_SUPER_PACKET,
}


def statuses(capture):
    """The word of tshark on every checksum, by frame and protocol."""
    lines = (line.split("\t") for line in tshark(capture, *VERIFY, *fields(STATUS)))
    return [dict(zip(PROTOCOLS, (words.split(",") for words in line), strict=True)) for line in lines]


def left_to_the_card(capture, decap):
    """The frames and protocols of partial checksums, and whether tshark's first or last word is about them."""
    table = fluxcap.read_packets(capture, columns=["protocol", "verdict", "ip_verdict"], decap=decap)
    partial = fluxcap.VERDICTS.index("partial")
    for frame, (protocol, verdict, ip_verdict) in enumerate(zip(*table.to_dict().values(), strict=True)):
        if verdict == partial:
            yield frame, FIELD_OF[protocol], -decap
        if ip_verdict == partial:
            yield frame, "ip", -decap


def check(capture, out):
    """Repair a capture; gives the number of checksums that were left to the card."""
    done = fluxcap.repair(capture, out)
    if not done.repaired:
        return 0
    before, after = statuses(capture), statuses(out)
    changed = [
        (name, old, new)
        for one, other in zip(before, after, strict=False)
        for name in PROTOCOLS
        for old, new in zip_longest(one[name], other[name])
        if old != new
    ]
    assert {(old, new) for _, old, new in changed} <= {(BAD, GOOD)}, capture
    for decap in (True, False):
        for frame, name, place in left_to_the_card(capture, decap):
            assert after[frame][name][place] == GOOD, (capture, frame + 1, name)
    return done.checksums + done.ip_checksums


@needs_tshark
@pytest.mark.parametrize("capture", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_tshark_finds_what_was_left_to_the_card_good_in_a_sample(capture, out):
    check(capture, out)


@pytest.mark.slow
@needs_tshark
@needs_corpus
def test_tshark_finds_what_was_left_to_the_card_good_in_real_captures(out):
    rows = sorted((row["sha256"], row["path"]) for row in index() if row["path"] not in OTHERWISE)
    done = 0
    for _, path in random.Random(1).sample(rows, 100):
        with warnings.catch_warnings(action="ignore"):
            try:
                done += check(CORPUS / path, out)
            except fluxcap.CaptureError:
                continue  # unreadable
    assert done >= 80
