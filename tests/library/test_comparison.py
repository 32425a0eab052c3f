"""Two captures of the same traffic: every packet is told as the log of the network between both points has it."""

import pickle
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings

import builders as b
import fluxcap
from capture_files import Record, pcap
from compared_passages import Told, expected, found
from fluxcap.comparison import reading
from fluxcap.values.names import CROSSED_OUTCOMES
from two_points import MS, SECOND, START, US, Between, Plan, plans, two_points

A_WAY, B_WAY = 0, 1
US_50 = 50_000  # ns
DRIFT_MOST = 500e-6  # more is believed of no clock
LONG = Plan(seed=7, packets=2000, flows=8, seconds=100.0)
ALL = Plan(
    **{"seed": 3, "packets": 600, "flows": 8, "seconds": 10.0, "lost": 0.05, "duplicated": 0.05, "held": 0.05},
    **{"delayed": 0.03, "changed": 0.05, "mended": 0.05, "remarked": 0.1, "lowered": 0.05, "again": 0.05, "hops": 1},
    **{"clamped": True, "translated": 0.5, "offset": 3 * SECOND, "drift": 30.0},
)


def compared(between: Between, **options) -> fluxcap.Comparison:
    a, other = (pcap(records, ns=True) for records in between.records.values())
    return fluxcap.read_comparison(a, other, **{"every": True, **options})


def with_mss(between: Between) -> frozenset[tuple[str, int]]:
    """The SYNs whose MSS was lowered: 1460 is above what it is lowered to."""
    return frozenset(
        (one.sender, one.sent[0])
        for one in between.passages
        if between.plan.clamped and one.kind == "first" and one.flow.protocol == b.TCP
    )


def is_told(plan: Plan) -> bool:
    """Whether the captures tell from which point packets come: by TTL, by answers, or by clocks that are right:
    where packets take no time, the last of several pieces is sent after all of them arrive."""
    return (
        plan.hops > 0
        or (plan.two_way and plan.delay > 0)
        or (not plan.two_way and plan.offset >= 0 and plan.drift >= 0 and (plan.delay > 0 or not plan.large))
    )


def are_told_apart(plan: Plan) -> bool:
    """Whether packets that look alike are: not behind one that was held for 400 ms or more (docs/compare.md)."""
    return not (plan.alike and plan.held)


def is_answered(between: Between) -> bool:
    """Whether every flow has a packet and one back that were seen at both points, so close together that no drift is
    as much as both delays: without that, no answer tells anything."""
    seen: dict[int, list[tuple[int, str]]] = {}
    for one in between.passages:
        times = seen.setdefault(one.flow.number, [])
        if one.fate != "lost":
            times.append((between.records[one.sender][one.sent[0] - 1].time, one.sender))
    soon = 2 * between.plan.delay / (DRIFT_MOST + abs(between.plan.drift) / 1e6)
    return all(
        any(one[1] != two[1] and two[0] - one[0] < soon for one, two in pairwise(sorted(times)))
        for times in seen.values()
    )


def assert_told_as_logged(between: Between) -> None:
    want, said = set(expected(between.passages, with_mss(between))), set(found(compared(between)))
    assert (sorted(want - said), sorted(said - want)) == ([], [])


@settings(max_examples=40)
@given(plans)
def test_every_packet_is_told_as_the_log_has_it(plan):
    between = two_points(plan)
    assume(is_told(plan) and are_told_apart(plan) and all(between.records.values()))
    assume(plan.hops > 0 or not plan.two_way or is_answered(between))
    assert_told_as_logged(between)


@pytest.mark.parametrize("two_way", [True, False])
def test_a_segment_that_was_lost_is_not_told_for_the_one_sent_for_it_where_packets_take_no_time(two_way):
    lossy = Plan(seed=5, packets=1500, lost=0.15, again=0.3, two_way=two_way, delay=0, jitter=0, hops=1)
    assert_told_as_logged(two_points(lossy))


def test_the_clock_is_learned_from_changed_packets_too():
    """The fastest packets of this plan are changed, and by more than packets may be early."""
    assert_told_as_logged(two_points(Plan(seed=79, packets=74, flows=1, seconds=0.5, two_way=False, delayed=0.15,
                                          mended=0.15, hops=1, delay=20 * MS, jitter=0)))  # fmt: skip


@pytest.mark.parametrize("packets", [1, 8, 9])
def test_quantiles_of_a_few_delays_are_delays_and_those_of_more_are_near(packets):
    """One after the other, each 1 ms later than the one before."""
    ends = "192.0.2.1", "192.0.2.2"
    sent = [b.ethernet(b.ipv4(b.udp(b"question", 1, 2), *ends, identification=n)) for n in range(1, packets + 1)]
    a = [Record(bytes(data), START + n * SECOND) for n, data in enumerate(sent)]
    other = [one._replace(time=one.time + n * MS) for n, one in enumerate(a)]
    flows = fluxcap.read_comparison(pcap(a, ns=True), pcap(other, ns=True)).flows
    exact = packets <= 8
    for name, share in (("delay_median", 50), ("delay_95", 95), ("delay_99", 99)):
        wanted = np.percentile(np.arange(packets) * MS, share, method="inverted_cdf")
        assert flows[name][0] == pytest.approx(wanted, rel=0 if exact else 0.01, abs=0)


@pytest.mark.parametrize("own", [(3, 4), (5, 6)], ids=["the first", "the other"])
def test_what_was_learned_twice_because_two_ways_are_not_one_tells_directions_as_well(own):
    """A packet of each of two ways is the same, so these seem to be one, until both points see one of them. Of
    another way nothing tells the direction but the clock, which is 3 s ahead at B."""
    ahead, ms = 3 * SECOND, MS

    def udp(text: bytes, ports: tuple[int, int], number: int, turned: bool = False) -> bytes:
        ends = ("192.0.2.2", "192.0.2.1") if turned else ("192.0.2.1", "192.0.2.2")
        return bytes(b.ethernet(b.ipv4(b.udp(text, *ports), *ends, identification=number)))

    a, other = [], []

    def sent(data: bytes, at: int, by: str = "A") -> None:
        times = (at, at + ahead + 20 * ms) if by == "A" else (at + 20 * ms, at + ahead)
        a.append(Record(data, START + times[0]))
        other.append(Record(data, START + times[1]))

    for n in range(4):
        sent(udp(b"question", (1, 2), n + 1), n * 100 * ms)
        sent(udp(b"answer", (2, 1), n + 1, turned=True), n * 100 * ms + 30 * ms, "B")
        sent(udp(b"one way", (7, 8), n + 1), n * 100 * ms + 50 * ms)
    alike = 10 * ms
    a.append(Record(udp(b"the same", (3, 4), 9), START + alike))
    other.append(Record(udp(b"the same", (5, 6), 9), START + alike + ahead + 20 * ms))
    sent(udp(b"its own", own, 10), 4 * SECOND)  # by the clock of B, after the others
    captures = [pcap(sorted(side, key=lambda one: one.time), ns=True) for side in (a, other)]
    flows = fluxcap.read_comparison(*captures).flows
    ways = dict(zip(flows["src_port"].tolist(), flows["way"].tolist(), strict=True))
    assert (ways[1], ways[2], ways[7]) == (A_WAY, B_WAY, A_WAY)


def test_thousands_of_packets_of_every_class_are_told_as_the_log_has_them():
    for plan in (ALL, replace(ALL, offset=-4 * SECOND, drift=-150.0, seed=4), replace(ALL, two_way=False, seed=5)):
        assert_told_as_logged(two_points(replace(plan, packets=1500)))


@pytest.mark.parametrize(
    ("offset", "drift"),
    [(-5 * SECOND, -200.0), (5 * SECOND, 200.0), (5 * SECOND, -200.0), (-123_456_789, 3.0), (0, 0.0), (0, 50.0)],
)
def test_offset_and_drift_of_two_way_traffic_come_back(offset, drift):
    clock = compared(two_points(replace(LONG, offset=offset, drift=drift)), every=False).clock
    assert clock.basis == "two ways"
    assert clock.drift == pytest.approx(drift, abs=1.0)
    assert clock.time is not None
    true = offset + (clock.time - START - offset / 2) * drift / 1e6
    assert clock.offset == pytest.approx(true, abs=US_50)
    assert clock.bound == pytest.approx(LONG.delay, rel=0.01)


def test_the_offset_of_one_way_traffic_cannot_be_known_and_delays_count_from_the_least():
    comparison = compared(two_points(replace(LONG, two_way=False, offset=2 * SECOND, drift=50.0, hops=1)))
    clock = comparison.clock
    assert (clock.basis, clock.offset, clock.bound) == ("one way", None, None)
    assert clock.drift == pytest.approx(50.0, abs=1.0)
    assert "cannot be known" in clock.sentence
    assert 0 <= comparison.packets["delay"].min() < 10 * US
    assert comparison.totals["b>a"]["sent"] == 0


def test_where_nothing_tells_the_direction_the_clocks_do_and_that_is_said():
    comparison = compared(two_points(replace(LONG, packets=200, two_way=False, offset=2 * SECOND)))
    assert (comparison.clock.basis, comparison.clock.offset) == ("not told", None)
    assert "Nothing but the clocks tells" in comparison.clock.sentence
    assert comparison.totals["b>a"]["sent"] == 0


def test_delays_are_those_of_a_right_clock():
    between = two_points(replace(LONG, packets=1000, offset=-SECOND, drift=100.0))
    packets = compared(between).packets
    ours = {(way, packet): delay for way, packet, delay in zip(
        packets["way"].tolist(), np.where(packets["way"] == A_WAY, packets["a_packet"], packets["b_packet"]).tolist(),
        packets["delay"].tolist(), strict=True)}  # fmt: skip
    for one in between.passages:
        assert one.delay == pytest.approx(ours[A_WAY if one.sender == "A" else B_WAY, one.sent[0]], abs=100 * US)


def test_quantiles_and_variation_are_those_of_the_delays_of_packets():
    comparison = compared(two_points(replace(LONG, packets=2000, flows=2)))
    for row in range(len(comparison.flows)):
        flow = comparison.flows
        mine = comparison.packets["flow"] == row
        delays = comparison.packets["delay"][mine]
        for name, share in (("delay_median", 50), ("delay_95", 95), ("delay_99", 99)):
            exact = np.percentile(delays, share, method="inverted_cdf")
            assert flow[name][row] == pytest.approx(exact, rel=0.01)
        assert (flow["delay_min"][row], flow["delay_max"][row]) == (delays.min(), delays.max())
        to = "b_time" if flow["way"][row] == A_WAY else "a_time"
        in_order = delays[np.argsort(comparison.packets[to][mine], kind="stable")]
        assert flow["delay_variation"][row] == pytest.approx(np.abs(np.diff(in_order)).mean(), abs=1)


def mirrored(told: Told) -> Told:
    return told._replace(sender={"A": "B", "B": "A"}[told.sender])


@pytest.mark.parametrize("plan", [ALL, replace(ALL, offset=-2 * SECOND, hops=0, drift=0.0)])
def test_both_orders_of_the_captures_give_mirrored_results(plan):
    between = two_points(plan)
    turned = between._replace(records=dict(zip("AB", reversed(between.records.values()), strict=True)))
    here, there = compared(between), compared(turned)
    assert sorted(map(mirrored, found(there))) == sorted(found(here))
    assert (here.clock.offset, there.clock.bound) == pytest.approx((-there.clock.offset, here.clock.bound), abs=2)
    assert here.totals["a>b"] == pytest.approx(there.totals["b>a"], abs=2)
    for name in (
        "sent",
        "arrived",
        "lost",
        "appeared",
        "duplicated",
        "reordered",
        "changed",
        "src_port",
        "nat_src_port",
    ):
        assert (here.flows[name] == there.flows[name]).all()


def test_sums_of_flows_are_the_counts_of_packets():
    comparison = compared(two_points(ALL))
    packets, flows = comparison.packets, comparison.flows
    outcomes = np.bincount(packets["outcome"], minlength=len(CROSSED_OUTCOMES)).tolist()
    sums = [int(flows[name].sum()) for name in ("arrived", "lost", "appeared", "duplicated")]
    assert outcomes == sums
    assert (flows["sent"] == flows["arrived"] + flows["lost"]).all()
    for name in ("reordered", "changed", "dscp_changed", "mss_changed"):
        assert packets[name].sum() == flows[name].sum()


def test_translated_ends_stand_beside_those_of_the_first_point():
    between = two_points(Plan(seed=1, flows=4, translated=1.0))
    flows = compared(between).flows
    told = {
        (int(flows["way"][row]), flows["src_ip"][row].tobytes(), int(flows["src_port"][row])):
        (flows["nat_src_ip"][row].tobytes(), int(flows["nat_src_port"][row]), int(flows["nat_dst_port"][row]))
        for row in range(len(flows))
    }  # fmt: skip
    assert len(told) == 8
    for one in between.passages:
        (address, port), _ = one.flow.ends(one.sender, one.sender)
        after, target = one.flow.ends(one.sender, "B" if one.sender == "A" else "A")
        key = (A_WAY if one.sender == "A" else B_WAY, _octets(address), port)
        assert told[key] == (_octets(after[0]), after[1], target[1])


def _octets(address: str) -> bytes:
    packed = b.packed(address)
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def test_a_change_that_was_summed_anew_is_told_from_one_that_was_not():
    between = two_points(Plan(seed=9, packets=400, changed=0.1, mended=0.1))
    flows, fates = compared(between).flows, [one.fate for one in between.passages]
    assert flows["changed"].sum() == fates.count("changed") + fates.count("mended")
    assert flows["changed_good"].sum() == fates.count("mended")


def test_the_first_byte_that_differs_is_told():
    between = two_points(replace(ALL, packets=800, changed=0.1, mended=0.1))
    packets = compared(between).packets
    told = {
        (way, sent): place
        for way, a, other, place in zip(
            *(packets[name].tolist() for name in ("way", "a_packet", "b_packet", "first_difference")), strict=True
        )
        if (sent := other if way else a)
    }
    for one in between.passages:
        if one.fate in ("changed", "mended"):
            assert told.pop((one.sender == "B", one.sent[0])) == one.change.payload_at
    assert set(told.values()) == {-1}


def test_after_ctrl_c_no_capture_is_read_once_more_for_the_first_byte_that_differs(monkeypatch):
    read, clock_of = reading._read, reading.clock_of

    def counted(*args):
        readings = read(*args)
        readings[0].interrupted = True
        return readings

    def learned(*args):  # between both readings
        monkeypatch.setattr(reading, "_read", counted)
        return clock_of(*args)

    monkeypatch.setattr(reading, "clock_of", learned)
    packets = compared(two_points(replace(ALL, packets=800, changed=0.1)), on_interrupt="return").packets
    assert packets.metadata["interrupted"] is True
    assert packets["changed"].any()
    assert (packets["first_difference"] == -1).all()


def test_payload_that_the_snap_length_cut_is_not_compared_and_not_changed():
    between = two_points(Plan(seed=2, packets=200))
    whole, records = between.records.values()
    cut = [one.cut(96) for one in records]
    comparison = fluxcap.read_comparison(pcap(whole, ns=True), pcap(cut, ns=True))
    assert comparison.findings == {}
    assert comparison.flows["arrived"].sum() == len(between.passages)
    assert comparison.flows["uncompared"].sum() > 100
    assert any("not compared" in sentence for sentence in comparison.sentences)


def test_a_keep_alive_that_was_lost_is_not_taken_for_the_next_one():
    """UDP over IPv6: equal bytes, no number of their own, a second apart; the third is lost."""
    frame = bytes(b.ethernet(b.ipv6(b.udp(b"still here", 4000, 4001), "2001:db8::1", "2001:db8::2"), b.ETHERTYPE_IPV6))
    sent = [Record(frame, START + second * SECOND) for second in range(6)]
    came = [Record(frame, one.time + 20 * MS) for place, one in enumerate(sent) if place != 2]
    comparison = fluxcap.read_comparison(pcap(sent, ns=True), pcap(came, ns=True))
    lost = comparison.packets["outcome"] == CROSSED_OUTCOMES.index("lost")
    assert comparison.packets["a_packet"][lost].tolist() == [3]
    assert comparison.flows["delay_max"].tolist() == [0]  # one way: from the least one


def test_a_packet_out_of_the_window_is_lost_and_one_in_it_is_late():
    frame = bytes(b.ethernet(b.ipv4(b.udp(b"payload!", 1, 2), "192.0.2.1", "192.0.2.2", identification=5)))
    other = bytes(b.ethernet(b.ipv4(b.udp(b"payload!", 1, 2), "192.0.2.1", "192.0.2.2", identification=6)))
    sent = [Record(frame, START), Record(other, START + 30 * SECOND)]
    came = [Record(frame, START + 12 * SECOND), Record(other, START + 30 * SECOND + MS)]
    captures = pcap(sent, ns=True), pcap(came, ns=True)
    assert fluxcap.read_comparison(*captures).flows["arrived"].tolist() == [1]
    assert fluxcap.read_comparison(*captures, in_flight="15s").flows["arrived"].tolist() == [2]


def test_what_only_one_point_has_seen_is_lost_there():
    records = two_points(Plan(seed=1, packets=50, two_way=False)).records["A"]
    comparison = fluxcap.read_comparison(pcap(records, ns=True), pcap([], ns=True))
    assert comparison.totals["a>b"]["lost"] == 50
    assert comparison.clock.basis == "unknown"
    assert comparison.clock.sentence in comparison.sentences


def test_several_files_of_a_point_are_read_as_one(tmp_path: Path):
    between = two_points(ALL)
    a, other = between.records.values()
    folder = tmp_path / "b"
    folder.mkdir()
    halves = other[: len(other) // 2], other[len(other) // 2 :]
    for number, half in enumerate(halves):
        (folder / f"{number}.pcap").write_bytes(pcap(half, ns=True))
    whole, split = compared(between), fluxcap.read_comparison(pcap(a, ns=True), folder, every=True)
    assert split.totals == whole.totals
    assert set(split.packets["b_file"].tolist()) == {0, 1}


def test_a_pipe_is_refused_by_name(tmp_path: Path):
    pipe = tmp_path / "pipe"
    __import__("os").mkfifo(pipe)
    with pytest.raises(ValueError, match=r"pipe can be read only once; save it to a file to compare it"):
        fluxcap.read_comparison(pipe, pcap([]))


def test_tables_export_and_pickle_as_others_do(tmp_path: Path):
    comparison = compared(two_points(replace(ALL, packets=100)))
    for table in (comparison.flows, comparison.packets):
        assert pickle.loads(pickle.dumps(table)) == table
        table.write(tmp_path / "table.csv")
        lines = (tmp_path / "table.csv").read_text().splitlines()
        assert len(lines) == len(table) + 1
        assert lines[0].split(",") == list(table.columns)
    assert "b>a" in lines[1] or "a>b" in lines[1]
    assert repr(comparison).startswith("<Comparison: From A to B")


def test_damage_is_said_once():
    a, other = (pcap(records, ns=True) for records in two_points(Plan(packets=50)).records.values())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        comparison = fluxcap.read_comparison(a, other[:-7])
    assert [str(one.category.__name__) for one in said] == ["DamagedCaptureWarning"]
    assert len(comparison.metadata["damage"]) == 1


@pytest.mark.parametrize(
    "plan",
    [
        Plan(
            **{"seed": 98, "packets": 300, "flows": 10, "seconds": 0.5, "alike": 0.15, "offloaded": True, "lost": 0.15},
            **{"duplicated": 0.03, "delayed": 0.15, "mended": 0.15, "lowered": 0.03, "translated": 0.5},
            **{"clamped": True, "hops": 3, "jitter": 10 * US},
        ),
        Plan(
            **{"seed": 58, "packets": 1500, "flows": 4, "seconds": 0.5, "large": 0.15, "again": 0.15, "alike": 0.03},
            **{"delayed": 0.15, "changed": 0.15, "mended": 0.03, "remarked": 0.03, "lowered": 0.03},
            **{"translated": 1.0, "clamped": True, "hops": 1, "drift": -19.07827093144897, "delay": 100 * MS},
        ),
    ],
)
def test_keep_alives_of_several_flows_do_not_tell_which_flow_is_translated_to_which(plan):
    assert_told_as_logged(two_points(plan))


def test_the_clock_is_learned_from_packets_before_it_is_known_from_where_they_come():
    """The first packet is the only one that is not delayed by another 300 ms; its direction is told by the answers."""
    ends = "192.0.2.1", "192.0.2.2"
    there = [bytes(b.ethernet(b.ipv4(b.udp(b"question", 1, 2), *ends, identification=one))) for one in range(1, 5)]
    back = [bytes(b.ethernet(b.ipv4(b.udp(b"answer", 2, 1), *ends[::-1], identification=one))) for one in range(1, 5)]
    late = [0, 300, 300, 300]
    a = [Record(data, START + one * SECOND) for one, data in enumerate(there)]
    other = [Record(data, START + one * SECOND + (20 + late[one]) * MS) for one, data in enumerate(there)]
    other += [Record(data, START + one * SECOND + 600 * MS) for one, data in enumerate(back)]
    a += [Record(data, START + one * SECOND + 620 * MS) for one, data in enumerate(back)]
    captures = [pcap(sorted(side, key=lambda one: one.time), ns=True) for side in (a, other)]
    clock = fluxcap.read_comparison(*captures).clock
    assert clock.bound == pytest.approx(20 * MS, abs=MS)
    assert clock.offset == pytest.approx(0, abs=MS)
