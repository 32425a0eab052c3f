"""What an audit says of real captures from which something is taken by a known plan: that, and nothing else."""

import itertools
import struct
from collections import Counter
from collections.abc import Callable

import dpkt
import pytest

import fluxcap
from altered_captures import (
    RST,
    SYN,
    acknowledged_data,
    changed,
    chosen,
    joined,
    left_to_the_card,
    moved,
    of_talks,
    records_of,
    segments,
    without,
)
from capture_files import Record, block, enhanced_packet, interface, option, pcap, pcapng
from fluxcap.reports.audit.findings import CODES
from real_captures import CORPUS, FOLDER, needs_corpus

pytestmark = [needs_corpus, pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")]
SECOND, US = 10**9, 10**3
CLEAN = (
    "OISF+suricata-verify/tests/output-eve-ftp-data/input.pcap",
    "ntop+nDPI/tests/cfgs/default/pcap/android.pcap",
    "ntop+nDPI/tests/cfgs/default/pcap/dnscrypt-v2-doh.pcap",
    "nfstream+nfstream/tests/pcaps/skype_no_unknown.pcap",
    "nfstream+nfstream/tests/pcaps/zoom.pcap",
    "seladb+PcapPlusPlus/Tests/ExamplesTest/pcap_examples/http-packets2.pcap",
    "appneta+tcpreplay/test/test2.rewrite_skip",
    "the-tcpdump-group+tcpdump/tests/bgp-4byte-asn.pcap",
    "zeek+zeek/testing/btest/Traces/nmap-vsn.pcap",
    "zeek+zeek/testing/btest/Traces/workshop_2011_browse.pcap",
)
WITH_DATA = (
    "android.pcap",
    "skype_no_unknown.pcap",
    "zoom.pcap",
    "test2.rewrite_skip",
)  # much of it in both directions
BASES = {name: records_of(CORPUS / name) if FOLDER else [] for name in CLEAN if name.endswith(WITH_DATA)}
FRAGMENTED = [f"seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/ip{version}_fragments.pcap" for version in (4, 6)]

Altered = tuple[bytes, int]  # a capture, and the count that its finding has


def lossy(base: list[Record]) -> Altered:
    lost = [segment for segment, _ in chosen(acknowledged_data(base), 3, seed=3)]
    return pcap(without(base, {one.place for one in lost})), sum(one.length for one in lost)


def one_sided(base: list[Record]) -> Altered:
    # A side that ends with RST may have had no answer.
    answered = [own for own in of_talks(segments(base)).values() if not any(one.flags & RST for one in own)]
    talks = chosen(answered, 2, seed=1)
    return pcap(without(base, {one.place for own in talks for one in own if one.source == own[1].source})), 2


def delayed(base: list[Record]) -> Altered:
    ((segment, answer),) = chosen(acknowledged_data(base), 1, seed=2)
    return pcap(moved(base, segment.place, answer.place)), 1


def swapped(base: list[Record]) -> Altered:
    records = list(base)
    apart = [place for place in range(0, len(base) - 1, 2) if base[place].time // US < base[place + 1].time // US]
    some = chosen(apart, 4, seed=4)
    for place in some:
        first, second = records[place : place + 2]
        records[place : place + 2] = first._replace(time=second.time), second._replace(time=first.time)
    return pcap(records), sum(after.time // US < one.time // US for one, after in itertools.pairwise(records))


def paused(base: list[Record]) -> Altered:
    half = len(base) // 2
    day = 86_400 * SECOND
    return pcap([*base[:half], *(one._replace(time=one.time + day) for one in base[half:])]), 1


def cut(base: list[Record]) -> Altered:
    long = [place for place, record in enumerate(base) if len(record.data) > 96][::5]
    return pcap(changed(base, long, lambda record: record.cut(96))), len(long)


def coarse(base: list[Record]) -> Altered:
    tick = 1000 * US
    return pcap([record._replace(time=record.time // tick * tick) for record in base]), len(base)


def offloaded(base: list[Record]) -> Altered:
    some = chosen([one.place for one in segments(base) if one.over_ipv4], 5, seed=5)
    return pcap(changed(base, some, left_to_the_card)), 5


def in_one(base: list[Record]) -> Altered:
    found = segments(base)
    pairs = [
        (first, second)
        for first, second in itertools.pairwise(found)
        if (first.source, second.seq, second.place) == (second.source, first.seq + first.length, first.place + 1)
        and first.over_ipv4 and first.length + second.length > 1460 and not (first.flags | second.flags) & SYN
    ]  # fmt: skip
    ((first, second),) = chosen(pairs, 1, seed=6)
    records = changed(base, [first.place], lambda record: joined(record, base[second.place]))
    return pcap(without(records, {second.place})), 1


def dropped(base: list[Record]) -> Altered:
    def statistics(order: str) -> bytes:
        told = option(5, struct.pack(order + "Q", 17))(order)
        return block(5, struct.pack(order + "III", 0, 0, 0) + told + bytes(4))(order)

    return pcapng(interface(), *(enhanced_packet(one.data, one.time // US) for one in base), statistics), 17


def ending_early(base: list[Record]) -> Altered:
    return pcap(base)[:-1], 1


ALTERATIONS: dict[str, Callable[[list[Record]], Altered]] = {
    "drops": dropped,
    "loss": lossy,
    "one_sided": one_sided,
    "damage": ending_early,
    "cut": cut,
    "gaps": paused,
    "ahead": delayed,
    "time_back": swapped,
    "clock": coarse,
    "joined": in_one,
    "offload": offloaded,
}


def said(capture: object) -> list[tuple[str, int]]:
    return [(finding.code, finding.count) for finding in fluxcap.read_audit(capture).findings]


def test_every_finding_has_its_alteration():
    assert {*ALTERATIONS, "fragments", "copies"} >= set(CODES)  # the last two have tests of their own


@pytest.mark.parametrize("name", CLEAN)
def test_of_a_clean_capture_nothing_is_said(name):
    assert said(CORPUS / name) == []


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@pytest.mark.parametrize("code", ALTERATIONS)
def test_what_was_altered_is_found_with_its_count_and_nothing_else_is_said(code, base):
    capture, count = ALTERATIONS[code](base)
    assert said(capture) == [(code, count)]


def fragment(record: Record) -> tuple[object, ...] | None:
    """What tells a fragment from others: its datagram, and its place there."""
    ip = dpkt.ethernet.Ethernet(record.data).data
    if isinstance(ip, dpkt.ip.IP):
        return (ip.src, ip.dst, ip.id, ip.offset) if ip.mf or ip.offset else None
    header = ip.extension_hdrs.get(dpkt.ip.IP_PROTO_FRAGMENT) if isinstance(ip, dpkt.ip6.IP6) else None
    return (ip.src, ip.dst, header.id, header.frag_off) if header else None


@pytest.mark.parametrize("name", FRAGMENTED)
def test_any_fragment_that_is_missing_leaves_its_datagram_and_no_other_without_one(name):
    base = records_of(CORPUS / name)
    found = [fragment(record) for record in base]
    times = Counter(found)
    once = [place for place, one in enumerate(found) if one and times[one] == 1]
    for place in chosen(once, 6, seed=7):
        assert said(pcap(without(base, {place}))) == [("fragments", 1)]
    assert said(pcap(base)) == []
