"""Packets of the same bytes, and of the same bytes of a stream: what is taken for another does no harm to the rest."""

import random
import struct

import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap
from fluxcap.values.names import CROSSED_OUTCOMES
from two_points import MS, SECOND, START, US

CLIENT, SERVER = "192.0.2.1", "198.51.100.7"
LOST, APPEARED = CROSSED_OUTCOMES.index("lost"), CROSSED_OUTCOMES.index("appeared")


def segment(out: bool, number: int, length: int = 20, *, ttl: int = 64, window: int = 1000, port: int = 40000) -> bytes:
    """A segment that no other one is: its place in the stream is its number times 100."""
    ends = (CLIENT, SERVER) if out else (SERVER, CLIENT)
    ports = (port, 443) if out else (443, port)
    payload = random.Random(number).randbytes(length)
    sent = b.tcp(payload, *ports, seq=1000 + 100 * number, ack=1, flags=b.ACK, window=window)
    return bytes(b.ethernet(b.ipv4(sent, *ends, identification=number + 1, ttl=ttl)))


def datagram(payload: bytes, port: int = 5353, out: bool = True, ttl: int = 64) -> bytes:
    """A datagram without a number of its own."""
    ends, ports = ((CLIENT, SERVER), (port, 53)) if out else ((SERVER, CLIENT), (53, port))
    return bytes(b.ethernet(b.ipv4(b.udp(payload, *ports), *ends, identification=0, ttl=ttl)))


def compared(a: list[tuple[int, bytes]], other: list[tuple[int, bytes]]) -> fluxcap.Comparison:
    captures = (pcap([Record(data, START + time) for time, data in sorted(one)], ns=True) for one in (a, other))
    return fluxcap.read_comparison(*captures, every=True)


def counts(comparison: fluxcap.Comparison) -> dict[str, int]:
    return {name: int(comparison.flows[name].sum()) for name in ("sent", "arrived", "lost", "appeared")}


@pytest.mark.parametrize("offset", [0, 3 * SECOND, -3 * SECOND])
@pytest.mark.parametrize("missing", [0, 3])
def test_a_datagram_that_repeats_and_is_missing_once_makes_no_direction_lost(offset, missing):
    there = [(number * 50 * MS, segment(True, number)) for number in range(300)]
    back = [(number * 50 * MS + 20 * MS, segment(False, number)) for number in range(300)]
    again = [(number * 3 * SECOND, datagram(b"still here, still here")) for number in range(5)]

    def behind(sent, by):
        return [(time + by + offset, data[:22] + bytes([data[22] - 1]) + data[23:]) for time, data in sent]

    a = [*there, *((time + 10 * MS, data[:22] + bytes([data[22] - 1]) + data[23:]) for time, data in back)]
    a += [one for number, one in enumerate(again) if number != missing]
    comparison = compared(a, [*behind(there, 10 * MS), *((time + offset, data) for time, data in back),
                              *behind(again, 10 * MS)])  # fmt: skip
    told = counts(comparison)
    tcp = comparison.flows.filter(protocol=6)
    assert (int(tcp["arrived"].sum()), int(tcp["lost"].sum())) == (600, 0)
    assert (told["arrived"], told["appeared"] + told["lost"]) == (604, 1)


def test_a_clock_that_packets_contradict_is_said_to_be_so():
    """A packet and its answer each way, and a pair that was taken for one: the first and the second of two copies."""
    crossing = [(number * 100 * MS, number) for number in range(40)]
    a = [(time, segment(True, n)) for time, n in crossing] + [(t + 40 * MS, segment(False, n)) for t, n in crossing]
    far = [(t + 10 * MS, segment(True, n, ttl=63)) for t, n in crossing]
    far += [(t + 30 * MS, segment(False, n, ttl=65)) for t, n in crossing]
    alone = datagram(b"the same bytes", ttl=64)
    wrong = compared([*a, (3 * SECOND, alone)], [*far, (0, datagram(b"the same bytes", ttl=63))])
    assert wrong.clock.contradiction > 2 * SECOND
    assert "contradict each other by" in wrong.clock.sentence
    assert counts(wrong)["arrived"] >= 80
    right = compared(a, far)
    assert (right.clock.contradiction, right.clock.bound) == (0, 10 * MS)
    assert "at most" in right.clock.sentence


def test_a_segment_whose_header_was_changed_is_in_order():
    sent = [(number * MS, segment(True, number)) for number in range(60)]
    came = [(time, segment(True, n, window=900) if n == 30 else data) for n, (time, data) in enumerate(sent)]
    comparison = compared(sent, came)
    assert counts(comparison) == {"sent": 60, "arrived": 60, "lost": 0, "appeared": 0}
    assert int(comparison.flows["reordered"].sum()) == 0


def test_a_lost_segment_is_not_told_for_the_longer_one_that_was_sent_for_it():
    """It begins with the same byte, and its bytes are all in the other one."""
    sent = [(0, segment(True, 1, 46)), (310 * MS, segment(True, 1, 77)), (400 * MS, segment(True, 2))]
    comparison = compared(sent, [(time + MS, data) for time, data in sent[1:]])
    packets = comparison.packets
    assert packets["a_packet"][packets["outcome"] == LOST].tolist() == [1]
    assert counts(comparison) == {"sent": 3, "arrived": 2, "lost": 1, "appeared": 0}


@pytest.mark.parametrize("gap", [20 * MS, SECOND])
def test_where_a_snap_length_cut_one_point_a_loss_is_that_of_its_packet(gap):
    """The messages have one length and no number, and begin differently."""
    sent = [(number * gap, datagram(struct.pack(">Q", number) + bytes(200))) for number in range(100)]
    came = [Record(data, START + time + MS).cut(96) for number, (time, data) in enumerate(sent) if number != 49]
    near = pcap([Record(data, START + time) for time, data in sent], ns=True)
    comparison = fluxcap.read_comparison(near, pcap(came, ns=True), every=True)
    packets = comparison.packets
    assert packets["a_packet"][packets["outcome"] == LOST].tolist() == [50]
    assert set(packets["delay"][packets["outcome"] != LOST].tolist()) == {MS}
    assert int(comparison.flows["uncompared"].sum()) == 99


def exchanges(jitter: int, gap: int) -> list[list[tuple[int, bytes]]]:
    """200 questions and answers, each of a flow of its own, and how a point behind the first one sees them."""
    draw = random.Random(1)
    seen = []
    for number in range(200):
        payload = struct.pack(">H", number) + b"question"
        seen += [(number * gap, datagram(payload, 1024 + number))]
        seen += [(number * gap + 2 * MS, datagram(payload + b"!", 1024 + number, out=False))]
    return [seen, [(time + MS + draw.randint(0, jitter), data) for time, data in seen]]


@pytest.mark.parametrize("jitter", [100 * US, MS])
def test_questions_and_answers_of_many_flows_on_one_link_go_one_way(jitter):
    comparison = compared(*exchanges(jitter, 5 * MS))
    assert set(comparison.flows["way"].tolist()) == {0}
    assert comparison.clock.basis == "not told"


def test_the_only_answer_of_a_flow_on_one_link_is_lost_as_its_question_would_be():
    near, far = exchanges(0, 5 * MS)
    comparison = compared(near, far[:7] + far[8:])
    packets = comparison.packets
    assert packets["a_packet"][packets["outcome"] == LOST].tolist() == [8]
    assert counts(comparison)["appeared"] == 0
    assert "400 packets sent, 399 arrived" in comparison.sentences[0]


def test_what_only_the_far_point_of_one_link_has_seen_appears_there():
    near, far = exchanges(0, 5 * MS)
    comparison = compared(far, near[:7] + near[8:])  # B is the first one, and has not seen the answer
    packets = comparison.packets
    assert packets["a_packet"][packets["outcome"] == APPEARED].tolist() == [8]
    assert "From B to A: 399 packets sent, 399 arrived." in comparison.sentences
    assert "1 packet was seen to arrive and not to be sent." in comparison.sentences


def test_what_arrives_of_a_direction_in_which_nothing_was_seen_to_be_sent_is_said():
    answers = [(number * MS, segment(False, number, ttl=65)) for number in range(40)]
    there = [(number * MS, segment(True, number, ttl=63)) for number in range(40)]
    comparison = compared([(time + MS, segment(False, n)) for n, (time, _) in enumerate(answers)], [*answers, *there])
    assert counts(comparison) == {"sent": 40, "arrived": 40, "lost": 0, "appeared": 40}
    assert "From A to B: no packet was seen to be sent, and 40 to arrive." in comparison.sentences


def crossing() -> list[list[tuple[int, bytes]]]:
    """What both points see of segments and their answers, each of which takes 20 ms from one to the other."""
    times = [(number * 100 * MS, number) for number in range(40)]
    return [
        [(time + out, segment(True, n)) for time, n in times] + [(time + back, segment(False, n)) for time, n in times]
        for out, back in ((0, 40 * MS), (20 * MS, 20 * MS))
    ]


def test_messages_that_are_alike_in_two_flows_are_not_those_of_a_translated_one():
    """Nothing tells which of the two would have the ports of the third behind a translation."""
    text = b"an announcement"
    came = [(2 * MS, datagram(text, 1003))]
    alike = compared([(0, datagram(text, 1001)), (MS, datagram(text, 1002))], came)
    assert counts(alike) == {"sent": 3, "arrived": 0, "lost": 3, "appeared": 0}  # of neither, a direction is known
    near, far = crossing()  # from which the clocks are known
    near += [(time, datagram(text, port)) for time, port in ((0, 1001), (9 * SECOND, 1002))]
    far += [(time, datagram(text, port)) for time, port in ((9500 * MS, 1003), (10500 * MS, 1004))]
    later = compared(near, far)  # when the last one comes, the first one has waited for too long
    assert int(later.flows.filter(protocol=17)["arrived"].sum()) == 0
    alone = compared([(0, datagram(text, 1001))], came)
    assert counts(alone) == {"sent": 1, "arrived": 1, "lost": 0, "appeared": 0}


def test_a_translated_flow_that_only_the_common_clock_tells_has_all_packets_of_both_its_ends():
    """B is 3 s ahead: by the clocks as they are, both of the flows with the same message come before what B sees. The
    first packet that B has seen of the flow, A has not."""
    ahead, text = 3 * SECOND, b"an announcement"
    a, far = crossing()
    a += [(SECOND, datagram(text, 1001)), (2 * SECOND, datagram(text, 1002))]
    far += [(SECOND // 2, datagram(b"not seen at A", 1003)), (SECOND + 20 * MS, datagram(text, 1003))]
    comparison = compared(a, [(time + ahead, data) for time, data in far])
    flows = comparison.flows.filter(protocol=17)
    names = ("src_port", "first", "last", "sent", "arrived", "lost", "appeared")
    first, last, other = (START + ahead // 2 + time for time in (SECOND // 2, SECOND + 20 * MS, 2 * SECOND))
    assert list(zip(*(flows[name].tolist() for name in names), strict=True)) == [
        (1001, first, last, 1, 1, 0, 1),
        (1002, other, other, 1, 0, 1, 0),
    ]


@pytest.mark.parametrize(("sent", "appeared"), [([1, 2, 3], []), ([1, 2], [2]), ([1], [2])])
def test_of_a_segment_that_was_joined_the_pieces_that_were_seen_arrive(sent, appeared):
    """The capture at A may lack the last ones. Then the joined segment has bytes that nobody was seen to send."""
    pieces = [(number * US, segment(True, number, 100)) for number in sent]
    before = segment(True, 900), segment(True, 900, ttl=63)
    comparison = compared(
        [(-SECOND, before[0]), *pieces], [(-SECOND + MS, before[1]), (2 * MS, segment(True, 1, 300, ttl=63))]
    )
    packets = comparison.packets
    assert packets["b_packet"][packets["outcome"] == APPEARED].tolist() == appeared
    assert packets["b_packet"][packets["a_packet"] > 0].tolist() == [1, *[2] * len(sent)]


def test_ttl_tells_the_way_of_a_message_that_was_changed_before_the_clocks_do():
    """Nothing is learned from it. By the clocks B sees it 2 ms after A, and its TTL is lower at A."""
    a, far = crossing()
    changed = datagram(b"0" * 60 + b"?" * 20, ttl=63), datagram(b"0" * 60 + b"!" * 20, ttl=64)
    comparison = compared([*a, (SECOND, changed[0])], [*far, (SECOND + 2 * MS, changed[1])])
    message = comparison.flows.filter(protocol=17)
    assert (message["way"].tolist(), message["arrived"].tolist(), message["changed"].tolist()) == ([1], [1], [1])
