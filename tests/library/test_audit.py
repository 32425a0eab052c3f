"""What an audit says of real captures from which something was taken, by a known plan; and of clean ones nothing."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings, strategies

import fluxcap
from altered_captures import (
    ACK,
    SYN,
    acknowledged_data,
    acknowledgment,
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
from real_captures import SAMPLES
from shown_twice import WAYS, numbered

SECOND, MS, US = 10**9, 10**6, 10**3
BASES = {name: records_of(SAMPLES / f"{name}.pcap") for name in ("session", "office", "servers")}
each_base = pytest.mark.parametrize("base", BASES.values(), ids=BASES)
CLEAN = (
    *("session.pcap", "office.pcap", "servers.pcap", "veth-checksums-computed.pcap", "connection-reset.pcap"),
    *("datagram-in-fragments.pcap", "encapsulations.pcap", "multicast-membership.pcap", "port-refused.pcap"),
    *("many-clients-of-one-listener.pcapng", "two-resolutions.pcapng", "two-sections-two-byte-orders.pcapng"),
)


def audit(records: list[Record] | bytes) -> fluxcap.AuditReport:
    """The report on a capture; damage is said in it, so that the warning is not wanted."""
    return fluxcap.read_audit(records if isinstance(records, bytes) else pcap(records))


def said(report: fluxcap.AuditReport) -> list[tuple[str, int]]:
    return [(finding.code, finding.count) for finding in report.findings]


def packets(report: fluxcap.AuditReport) -> list[int]:
    """The evidence of the only finding."""
    (finding,) = report.findings
    return [place.packet for place in finding.evidence]


@pytest.mark.parametrize("name", CLEAN)
def test_of_a_clean_capture_nothing_is_said(name):
    report = fluxcap.read_audit(SAMPLES / name)
    assert (report.findings, report.sentence) == ((), "Complete and in order.")


@each_base
@pytest.mark.parametrize("way", ["exact", "other_vlan", "routed"])
def test_packets_that_are_there_twice_are_copies_and_nothing_else(base, way):
    some = [record for place, record in enumerate(base) if place % 3 == 0 and numbered(record.data)]
    again = [Record(WAYS[way](record.data), record.time + 20 * US) for record in some]
    report = audit(sorted([*base, *again], key=lambda record: record.time))
    assert said(report) == [("copies", len(some))]
    assert report.findings[0].numbers == {"of": len(base) + len(some), way: len(some)}
    assert report.sentence.startswith("Complete and in order; ")


@each_base
@pytest.mark.parametrize("n", [1, 5])
def test_segments_that_were_acknowledged_and_are_missing_are_capture_loss(base, n):
    lost = chosen(acknowledged_data(base), n, seed=n)
    gone = {segment.place for segment, _ in lost}
    report = audit(without(base, gone))
    octets = sum(segment.length for segment, _ in lost)
    assert said(report) == [("loss", octets)]
    assert report.sentence == f"Not complete: {report.findings[0].clause}."
    numbers = report.findings[0].numbers
    seen = sum(one.length for one in segments(without(base, gone)))
    assert numbers["connections"] == len({segment.talk for segment, _ in lost})
    assert numbers["percent"] == pytest.approx(100 * octets / (octets + seen))
    answers = [answer.place + 1 - sum(place < answer.place for place in gone) for _, answer in lost]
    assert set(packets(report)) <= set(answers)
    assert min(packets(report)) == min(answers)


@each_base
def test_a_segment_with_a_wrong_checksum_was_captured_and_is_no_loss(base):
    some = [segment.place for segment, _ in chosen(acknowledged_data(base), 5, seed=2)]
    wrong = changed(base, some, lambda record: record._replace(data=record.data[:-1] + bytes([record.data[-1] ^ 1])))
    assert fluxcap.read_info(pcap(wrong)).verdicts[6]["bad"] == 5
    assert said(audit(wrong)) == []


@settings(max_examples=25)
@given(strategies.data())
def test_every_loss_is_found_whichever_segments_are_missing(data):
    base = BASES["servers"]
    lost = data.draw(strategies.lists(strategies.sampled_from(acknowledged_data(base)), min_size=1, unique=True))
    report = audit(without(base, {segment.place for segment, _ in lost}))
    # Where nothing is left of a side the connection has one side only, and where its SYN alone is left, no data.
    assert dict(said(report)).get("loss", 0) == sum(segment.length for segment, _ in lost)


@each_base
@pytest.mark.parametrize("n", [1, 4])
def test_conversations_that_lost_a_side_are_one_sided_and_no_loss(base, n):
    talks = chosen(list(of_talks(segments(base)).values()), n, seed=n)
    gone = {one.place for own in talks for one in own if one.source == own[n % 2].source}
    report = audit(without(base, gone))
    assert said(report) == [("one_sided", n)]
    assert report.findings[0].numbers["of"] == report.conversations


def test_the_evidence_of_one_side_is_its_first_packet_wherever_batches_end():
    base = BASES["session"]
    own = next(iter(of_talks(segments(base)).values()))
    side = [base[one.place] for one in own if one.source == own[1].source]
    ends = ("192.0.2.1", 4000), ("192.0.2.2", 53)
    between = [Record(fluxcap.segment(struct.pack(">I", place), *ends), side[0].time) for place in range(65_600)]
    report = audit([side[0], *between, *side[1:]])
    assert said(report) == [("one_sided", 1)]
    assert packets(report) == [1]


def test_a_side_under_way_that_acknowledges_more_and_more_is_one_side_of_a_conversation():
    base = BASES["servers"]
    own = max(of_talks(segments(base)).values(), key=lambda own: sum(one.length for one in own))
    client = own[0].source
    gone = {one.place for one in own if one.source != client or one.flags & SYN or one.length}
    assert said(audit(without(base, gone))) == [("one_sided", 1)]


def test_a_question_without_an_answer_is_no_conversation_with_one_side():
    base = BASES["session"]
    own = next(iter(of_talks(segments(base)).values()))
    assert said(audit([base[own[0].place]])) == []


@each_base
@pytest.mark.parametrize("seed", range(3))
def test_a_segment_behind_its_acknowledgment_runs_after_the_other_direction(base, seed):
    ((segment, answer),) = chosen(acknowledged_data(base), 1, seed)
    report = audit(moved(base, segment.place, answer.place))
    assert said(report) == [("ahead", 1)]
    assert packets(report) == [answer.place + 1]


@each_base
def test_segments_of_several_conversations_behind_their_acknowledgments_are_counted_by_conversation(base):
    first = {segment.talk: (segment, answer) for segment, answer in reversed(acknowledged_data(base))}
    (one, after), *others = sorted(first.values())
    other, late = next(pair for pair in others if pair[0].place > after.place)
    report = audit(moved(moved(base, other.place, late.place), one.place, after.place))
    assert said(report) == [("ahead", 2)]
    assert report.findings[0].numbers == {"connections": 2}


@each_base
def test_a_syn_behind_its_answer_runs_after_the_other_direction(base):
    own = next(iter(of_talks(segments(base)).values()))
    answer = acknowledgment(own, own[0])
    assert answer is not None
    assert answer.flags & (SYN | ACK) == SYN | ACK
    report = audit(moved(base, own[0].place, answer.place))
    assert said(report) == [("ahead", 1)]
    assert packets(report) == [answer.place + 1]


@each_base
@pytest.mark.parametrize("n", [1, 7])
def test_times_that_go_back_are_counted(base, n):
    apart = [place for place in range(0, len(base) - 1, 2) if base[place].time // US != base[place + 1].time // US]
    swapped = list(base)
    for place in chosen(apart, n, seed=n):
        first, second = swapped[place : place + 2]
        swapped[place : place + 2] = first._replace(time=second.time), second._replace(time=first.time)
    places = [at for at in range(1, len(base)) if swapped[at].time // US < swapped[at - 1].time // US]
    assert len(places) == n
    report = audit(swapped)
    assert said(report) == [("time_back", n)]
    assert packets(report) == [at + 1 for at in places][:5]
    assert (
        report.findings[0].numbers["by_ns"]
        == max(swapped[at - 1].time // US - swapped[at].time // US for at in places) * US
    )


@each_base
def test_an_hour_that_is_missing_is_a_silence(base):
    half = len(base) // 2
    later = [record._replace(time=record.time + (3600 * SECOND if at >= half else 0)) for at, record in enumerate(base)]
    report = audit(later)
    assert said(report) == [("gaps", 1)]
    assert packets(report) == [half + 1]
    between = base[half].time // US - base[half - 1].time // US
    assert report.findings[0].numbers["longest_ns"] == 3600 * SECOND + between * US


def test_silences_between_bursts_are_the_habit_of_a_capture():
    bursts = [Record(record.data, place // 10 * 60 * SECOND + place % 10 * MS)
              for place, record in enumerate(BASES["office"])]  # fmt: skip
    assert said(audit(pcap(bursts, ns=True))) == [("clock", len(bursts))]


def test_a_silence_is_found_wherever_batches_end():
    ends = ("192.0.2.1", 4000), ("192.0.2.2", 53)
    many = [Record(fluxcap.segment(struct.pack(">I", place), *ends), place * US + (place >= 65540) * 10 * SECOND)
            for place in range(65600)]  # fmt: skip
    report = audit(pcap(many))
    assert said(report) == [("gaps", 1)]
    assert packets(report) == [65541]


@each_base
def test_packets_cut_by_the_snap_length_are_counted(base):
    long = [place for place, record in enumerate(base) if len(record.data) > 96][::7]
    report = audit(changed(base, long, lambda record: record.cut(96)))
    assert said(report) == [("cut", len(long))]
    assert packets(report) == [place + 1 for place in long[:5]]
    assert report.findings[0].numbers == {"bytes": sum(len(base[at].data) - 96 for at in long), "headers": 0}


@each_base
def test_where_headers_are_cut_no_loss_is_claimed(base):
    long = [one.place for one in segments(base) if one.length]
    report = audit(changed(base, long, lambda record: record.cut(30)))
    assert said(report) == [("cut", len(long))]
    assert report.findings[0].numbers["headers"] == len(long)


@each_base
def test_checksums_left_to_the_card_are_counted(base):
    some = chosen([one.place for one in segments(base) if one.over_ipv4], 9, seed=0)
    report = audit(changed(base, some, left_to_the_card))
    assert said(report) == [("offload", 9)]
    assert packets(report) == [place + 1 for place in some[:5]]
    assert report.sentence == "Complete and in order; 9 checksums were left to the sender's card."


@each_base
@pytest.mark.parametrize("tick", [10 * US, 100 * US])
def test_a_clock_that_is_coarser_than_its_file_is_found(base, tick):
    report = audit([record._replace(time=record.time // tick * tick) for record in base])
    assert said(report) == [("clock", len(base))]
    assert report.findings[0].numbers == {"resolution_ns": tick, "of_file_ns": US}


def test_microseconds_in_a_file_of_nanoseconds_are_coarse():
    base = [record._replace(time=record.time // US * US) for record in BASES["session"]]
    assert said(audit(pcap(base, ns=True))) == [("clock", len(base))]
    assert said(audit(pcap(base))) == []


@pytest.mark.parametrize("n", [1, 6])
def test_segments_that_were_joined_are_longer_than_their_receiver_takes(n):
    base = BASES["servers"]
    pairs = [
        (first, second)
        for own in of_talks(segments(base)).values()
        for first, second in zip(own[::2], own[1::2], strict=False)
        if first.source == second.source and second.seq == first.seq + first.length and second.place == first.place + 1
        and first.over_ipv4 and first.length + second.length > 1460 and not (first.flags | second.flags) & SYN
    ]  # fmt: skip
    some = chosen(pairs, n, seed=n)
    frames = list(base)
    for first, second in some:
        frames[first.place] = joined(base[first.place], base[second.place])
    gone = {second.place for _, second in some}
    report = audit(without(frames, gone))
    assert said(report) == [("joined", n)]
    assert report.findings[0].numbers == {"segments": 2 * n}
    assert packets(report) == [first.place + 1 - at for at, (first, _) in enumerate(some)][:5]


@pytest.mark.parametrize("datagram", [(3, 4, 5), (6, 7, 8), (11, 12, 13), (14, 15, 16)], ids=str)  # numbers by tshark
def test_fragments_whose_datagram_is_not_whole_are_found_whichever_is_missing(datagram):
    base = records_of(SAMPLES / "datagram-in-fragments.pcap")
    for missing in datagram:
        report = audit(without(base, {missing - 1}))
        assert said(report) == [("fragments", 1)]
        first = min(number for number in datagram if number != missing)
        assert packets(report) == [first - (missing < first)]


def test_more_datagrams_than_the_core_knows_at_once_are_all_counted():
    whole = records_of(SAMPLES / "datagram-in-fragments.pcap")
    piece = next(record for record in whole if record.data[20] & 0x20)
    data = bytearray(piece.data)
    many = []
    for number in range(5000):
        struct.pack_into(">H", data, 18, number)
        many.append(Record(bytes(data), whole[0].time + number * US))
    report = audit(many)
    assert said(report) == [("fragments", 5000)]
    assert packets(report) == [1, 2, 3, 4, 5]


def test_damage_that_is_read_past_is_said_to_have_been_skipped(tmp_path):
    data = bytearray((SAMPLES / "session.pcap").read_bytes())
    packets = fluxcap.read_packets(bytes(data), columns="offset")
    middle = int(packets["offset"][500]) - 16  # where the header of a record begins
    data[middle : middle + 16] = b"\xff" * 16
    path = tmp_path / "damaged.pcap"
    path.write_bytes(data)
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        ended, resumed = fluxcap.read_audit(path), fluxcap.read_audit(path, on_damage="resync")
    (end,), (skip,) = ([one for one in report.findings if one.code == "damage"] for report in (ended, resumed))
    assert "not read" in end.meaning
    assert "skipped" in skip.meaning
    assert (ended.packets, resumed.packets) == (500, len(packets) - 1)


@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_an_input_that_ends_inside_a_record_is_damaged(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(BASES["office"])[:-3])
    report = fluxcap.read_audit([SAMPLES / "session.pcap", path])
    assert ("damage", 1) in said(report)
    (finding,) = [one for one in report.findings if one.code == "damage"]
    assert finding.evidence == ((1, len(BASES["office"]) - 1),)


def statistics(number: int, received: int, *drops: tuple[int, int]):
    """An interface statistics block; drops are options 5 (the interface) and 7 (the system)."""

    def at(order: str) -> bytes:
        told = b"".join(option(code, struct.pack(order + "Q", n))(order) for code, n in ((4, received), *drops))
        return block(5, struct.pack(order + "III", number, 0, 0) + told + bytes(4))(order)

    return at


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_drops_that_a_file_admits_are_counted_by_the_last_statistics_of_each_interface(byteorder):
    records = BASES["session"]
    enhanced = [enhanced_packet(one.data, one.time // US) for one in records]
    blocks = [
        *(interface(), interface(name="idle")),
        *(*enhanced[:50], statistics(0, 50, (5, 3)), *enhanced[50:]),
        *(statistics(0, len(records), (5, 40), (7, 2)), statistics(1, 0, (7, 5)), statistics(7, 0, (7, 1000))),
    ]
    capture = pcapng(*blocks, byteorder=byteorder)
    assert said(audit(capture)) == [("drops", 47)]
    interfaces = fluxcap.read_info(capture).inputs[0].interfaces
    assert [one.dropped for one in interfaces] == [42, 5]
    assert fluxcap.read_info(capture).packets == len(records)


def test_statistics_between_packets_are_read_by_several_threads_as_by_one(tmp_path):
    records = BASES["office"] * 10
    enhanced = [enhanced_packet(one.data, one.time // US) for one in records]
    blocks = [block for at, one in enumerate(enhanced) for block in (one, statistics(0, at, (5, at)))][:-1]
    path = tmp_path / "many.pcapng"
    path.write_bytes(pcapng(interface(), *blocks))
    several = [fluxcap.read_info(path, threads=threads) for threads in (1, 2)]
    assert [one.inputs[0].interfaces[0].dropped for one in several] == [len(records) - 2] * 2
    assert [one.packets for one in several] == [len(records)] * 2


def test_drops_before_packets_are_counted():
    dropped = [option(4, struct.pack("<Q", n)) for n in (3, 8)]
    base = BASES["session"]
    blocks = [enhanced_packet(one.data, one.time // US, options=dropped[at : at + 1]) for at, one in enumerate(base)]
    capture = pcapng(interface(), *blocks)
    assert said(audit(capture)) == [("drops", 11)]
    assert fluxcap.read_info(capture).inputs[0].interfaces[0].dropped is None


def test_drops_that_statistics_and_packets_both_admit_are_counted_once():
    base = BASES["session"]
    dropped = [option(4, struct.pack("<Q", n)) for n in (3, 8)]
    blocks = [enhanced_packet(one.data, one.time // US, options=dropped[at : at + 1]) for at, one in enumerate(base)]
    for of_all in (11, 20, 5):
        capture = pcapng(interface(), *blocks, statistics(0, len(base), (5, of_all)))
        assert said(audit(capture)) == [("drops", max(of_all, 11))]


@each_base
def test_several_faults_are_said_in_one_sentence_in_the_order_of_their_codes(base):
    ((segment, _),) = chosen(acknowledged_data(base), 1, seed=9)
    records = without(base, {segment.place})
    records = [record._replace(time=record.time // (100 * US) * 100 * US) for record in records]
    records[50:52] = records[50]._replace(time=records[51].time + MS), records[51]._replace(time=records[50].time)
    report = audit([record.cut(200) for record in records])
    codes = [finding.code for finding in report.findings]
    assert codes == sorted(codes, key=CODES.index)
    assert {"loss", "cut", "time_back", "clock"} <= set(codes)
    assert report.sentence.startswith("Not complete: ")
    assert "not in order: time goes back" in report.sentence


def test_where_no_packet_is_there_or_none_passes_nothing_is_proven():
    assert audit(pcap([])).sentence == "There is no packet in this capture."
    report = fluxcap.read_audit(SAMPLES / "session.pcap", where="ether proto 0x9999")
    assert report.sentence == "No packet passed the filter, of 1,096: nothing was audited."


def test_the_report_as_plain_values_and_on_a_card():
    report = fluxcap.read_audit(SAMPLES / "veth-checksums-offloaded.pcap")
    plain = report.to_dict()
    assert plain["findings"][0]["code"] == "joined"
    assert plain["findings"][0]["evidence"][0] == {"file": 0, "packet": 35}
    assert repr(report).startswith("<AuditReport: Complete and in order; 6 frames are")
    assert "63 checksums" in report._repr_html_()


def test_rows_of_several_inputs_that_are_merged_have_no_silence_between_files(tmp_path):
    base = BASES["servers"]
    for name, part in (("a", base[::2]), ("b", base[1::2])):
        (tmp_path / f"{name}.pcap").write_bytes(pcap(part))
    assert said(fluxcap.read_audit(tmp_path, order="time")) == []
