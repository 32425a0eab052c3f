"""The core of a comparison: how much it keeps, and that no file makes it keep more or lose its way."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from fluxcap._core import ROWS_FULL, WALK_ENDED, Comparer, Watcher

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def datagram(number: int, payload: bytes = b"") -> bytes:
    """A frame with a UDP message that no other one is."""
    message = b.udp(payload or struct.pack(">Q", number), 1000, 2000)
    return bytes(b.ethernet(b.ipv4(message, "192.0.2.1", "192.0.2.2", identification=number % 2**16)))


def watcher(capture: bytes) -> Watcher:
    """One that is given the whole capture; walk() has to be told that it goes on until it is read."""
    made = Watcher()
    made.begin()
    made.lend(memoryview(capture), 0)
    made.finish()
    return made


def walked(comparer: Comparer, a: bytes, other: bytes) -> None:
    """Walk through both captures to their ends."""
    watchers = [watcher(a), watcher(other)]
    comparer.watch(*watchers)
    ended = [False, False]
    while (wanted := comparer.walk(*ended)) != WALK_ENDED:
        ended[wanted] = watchers[wanted].run() == 0
        comparer.take(wanted)


def counted(a: bytes, other: bytes, window: int = 10 * SECOND, **options) -> Comparer:
    comparer = Comparer(window, **options)
    walked(comparer, a, other)
    comparer.learned()
    walked(comparer, a, other)
    return comparer


def sums(comparer: Comparer) -> dict[str, int]:
    ways = comparer.ways()
    return {name: sum(memoryview(ways[name])) for name in ("seen_a", "seen_b", "arrived", "alone_a", "alone_b")}


def test_a_packet_that_does_not_come_is_kept_for_the_window_and_no_longer():
    sent = pcap([Record(datagram(number), START + number * SECOND // 100) for number in range(20_000)], ns=True)
    comparer = counted(sent, pcap([Record(datagram(0), START)], ns=True), window=SECOND)
    assert sums(comparer) == {"seen_a": 20_000, "seen_b": 1, "arrived": 1, "alone_a": 19_999, "alone_b": 0}
    assert 100 <= comparer.most_in_flight <= 203  # those of a second, and arrivals of a second


def test_packets_that_arrive_are_kept_for_a_second():
    sent = [Record(datagram(number), START + number * SECOND // 1000) for number in range(20_000)]
    comparer = counted(pcap(sent, ns=True), pcap([one._replace(time=one.time + 1000) for one in sent], ns=True))
    assert sums(comparer)["arrived"] == 20_000
    assert comparer.most_in_flight <= 1003


def test_equal_packets_are_matched_in_order_however_many_they_are():
    same = [Record(datagram(1, b"the same"), START + number) for number in range(30_000)]
    comparer = counted(pcap(same, ns=True), pcap(same[:20_000], ns=True))
    told = sums(comparer)
    assert (told["arrived"], told["alone_a"], told["alone_b"]) == (20_000, 10_000, 0)


@pytest.mark.parametrize("step", [0, SECOND, 2**31 * SECOND // 200])
def test_packets_seconds_or_months_apart_are_compared(step):
    times = [(START + number * step) % (2**32 * SECOND) for number in range(200)]
    records = [Record(datagram(number), time) for number, time in enumerate(times)]
    comparer = counted(pcap(records, ns=True), pcap(records, ns=True))
    assert sums(comparer)["arrived"] == 200


def test_of_a_clock_that_runs_backwards_every_packet_arrives():
    records = [Record(datagram(number), START - number * SECOND) for number in range(200)]
    told = sums(counted(pcap(records, ns=True), pcap(records, ns=True)))
    assert (told["arrived"], told["alone_a"], told["alone_b"]) == (200, 0, 0)


@pytest.mark.parametrize("order", [1, -1], ids=["B", "A"])
def test_a_point_whose_clock_alone_goes_back_does_not_stop_the_other_one(order):
    sent = [Record(datagram(number), START + number * SECOND) for number in range(100)]
    came = [one._replace(time=one.time - 60 * SECOND * (number >= 50)) for number, one in enumerate(sent)]
    sent.insert(50, Record(datagram(1000), sent[49].time + SECOND // 200))  # it alone has one more before that
    a, other = [pcap(sent, ns=True), pcap(came, ns=True)][::order]
    told = sums(counted(a, other, window=100 * SECOND))
    assert told["arrived"] == 100


def test_only_what_is_worth_a_row_has_one_unless_every_packet_has():
    sent = [Record(datagram(number), START + number * SECOND // 100) for number in range(100)]
    came = [one._replace(time=one.time + 5000) for one in sent if one is not sent[7]]
    captures = pcap(sent, ns=True), pcap(came, ns=True)
    rows = counted(*captures).rows()
    assert memoryview(rows["packet_a"]).tolist() == [8]
    assert len(counted(*captures, every=True).rows()["packet_a"]) == 100
    assert len(counted(*captures, rows=False).rows()) == 0


@given(st.lists(st.integers(-(2**31), 2**31), max_size=60), st.booleans())
def test_of_a_capture_compared_with_itself_all_packets_arrive_whatever_its_times_are(times, again):
    sent = [Record(datagram(number), START + time * SECOND // 8) for number, time in enumerate(times + times * again)]
    told = sums(counted(pcap(sent, ns=True), pcap(sent, ns=True)))
    assert (told["arrived"], told["alone_a"], told["alone_b"]) == (len(sent), 0, 0)


def test_a_point_has_seen_no_more_than_was_taken_of_it():
    sent = pcap([Record(datagram(number), START + number) for number in range(20_000)], ns=True)
    comparer, a, other = Comparer(SECOND), watcher(sent), watcher(sent)
    comparer.watch(a, other)
    assert a.run() == ROWS_FULL
    assert comparer.take(0)
    assert a.run() == ROWS_FULL
    assert not comparer.take(0)  # what was taken before is still behind
    with pytest.raises(MemoryError):  # there is no room for more
        a.run()


def test_records_of_no_flow_and_those_without_a_time_are_left_out_and_counted():
    arp = b.ethernet(bytes(28), 0x0806)
    blocks = [enhanced_packet(datagram(1), 1), enhanced_packet(bytes(arp), 2), simple_packet(datagram(2))]
    point = watcher(pcapng(interface(), *blocks))
    point.run()
    assert point.seen == (1, 0, 2)
