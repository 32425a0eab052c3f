"""Flows that have ended leave while the capture is read: together they are the flows of the whole capture."""

import itertools
import os
import signal
from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import builders as b
import core_driver
import fluxcap
from capture_files import Record, interface, pcap, pcapng, simple_packet
from fluxcap.tables import flow_scan
from strategies import (
    QUESTION,
    dialogue_frames,
    fragment_frames,
    icmp_errors,
    odd_frames,
    record_lists,
    simple_frames,
    tunnelled_frames,
)

FRAMES = st.one_of(dialogue_frames, simple_frames, tunnelled_frames, odd_frames, fragment_frames)
MICROSECOND = 1_000
SPAN = "1ms"  # no drawn capture is longer, so that no record is later than this
SECOND = 1_000_000_000
IDLE, ACTIVE, FORCED = 1, 2, 4

# What ends a flow, in captures of a millisecond.
ENDINGS: list[dict[str, Any]] = [
    {"idle_timeout": "100us"},
    {"active_timeout": "100us"},
    {"idle_timeout": "100us", "active_timeout": "150us"},
    {"idle_timeout": "150us", "active_timeout": "100us"},
    {"interval": "200us"},
    {"interval": "200us", "idle_timeout": "100us"},
    {"interval": "200us", "active_timeout": "50us"},
    {"interval": "100us", "idle_timeout": "150us", "semantics": "zeek"},
    {"idle_timeout": "100us", "features": True, "splt": 2},
    {"idle_timeout": "100us", "payload": 9},
    {"idle_timeout": "100us", "server_names": True},
    {"active_timeout": "100us", "activity": True, "end": "tcp"},
    {"idle_timeout": "100us", "by": "src_ip/24"},
    {"idle_timeout": "100us", "by": "hosts", "biflow": False},
]


class Pieces:
    """A file whose reads give pieces of these sizes, the last one for ever."""

    def __init__(self, octets: bytes, sizes: Iterable[int]) -> None:
        self._left = octets
        self._sizes = iter(sizes)

    def read(self, size: int) -> bytes:
        size = min(size, next(self._sizes))
        piece, self._left = self._left[:size], self._left[size:]
        return piece


EAGERLY = mock.patch.object(flow_scan, "LEAST_ROWS", 0)  # ended flows are looked for after every piece of the input


@pytest.fixture
def eager():
    with EAGERLY:
        yield


def rows(table: fluxcap.FlowTable) -> list[tuple[Any, ...]]:
    columns = [[repr(value) for value in values.tolist()] for values in table.to_dict().values()]
    return list(zip(*columns, strict=True))


def scanned(capture: bytes, sizes: Iterable[int] = itertools.repeat(1 << 20), **options: Any) -> fluxcap.FlowScan:
    return fluxcap.scan_flows(Pieces(capture, sizes), **options)


sizes = st.lists(st.integers(1, 400), min_size=1, max_size=20).map(
    lambda drawn: itertools.chain(drawn, itertools.repeat(drawn[-1]))
)


@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
@pytest.mark.parametrize("in_order", [True, False])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), ending=st.sampled_from(ENDINGS), pieces=sizes)
def test_the_flows_of_all_tables_are_those_of_the_whole_capture(in_order, data, ending, pieces) -> None:
    packets = data.draw(record_lists(FRAMES, in_order=in_order))
    capture = pcap(packets, ns=True)
    scan = scanned(capture, pieces, grace="1ns" if in_order else SPAN, **ending)
    with EAGERLY:
        tables = list(scan)
    whole = fluxcap.read_flows(capture, **ending)
    assert Counter(itertools.chain.from_iterable(map(rows, tables))) == Counter(rows(whole))
    assert {name: scan.metadata[name] for name in ("ledger", "packets", "late")} == {
        name: whole.metadata[name] for name in ("ledger", "packets", "late")
    }


def timed(*moments: float, end: float) -> bytes:
    """A flow with packets at these seconds, in a capture that another packet ends."""
    other = Record(b.ethernet(b.ipv4(b.udp(b"", 1, 2))), round(end * SECOND))
    return pcap([*(Record(b.ethernet(QUESTION), round(moment * SECOND)) for moment in moments), other], ns=True)


@pytest.mark.parametrize(
    ("limits", "end", "reason"),
    [
        ({"idle_timeout": 10}, 19.999999999, FORCED),
        ({"idle_timeout": 10}, 20, IDLE),
        ({"active_timeout": 15}, 14.999999999, FORCED),
        ({"active_timeout": 15}, 15, ACTIVE),
        ({"active_timeout": 15, "idle_timeout": 10}, 15, ACTIVE),
        ({"active_timeout": 15, "idle_timeout": 10}, 20, IDLE),
    ],
)
def test_a_flow_ends_by_its_timeout_without_another_packet(limits, end, reason):
    capture = timed(0, 9, 10, end=end)
    assert fluxcap.read_flows(capture, **limits)["end_reason"].tolist() == [reason, FORCED]
    with fluxcap.FlowAggregator(**limits) as aggregator:
        aggregator.feed(capture)
        assert aggregator.result()["end_reason"].tolist() == [reason, FORCED]  # and again: nothing has changed
        assert aggregator.result()["end_reason"].tolist() == [reason, FORCED]
    parts = [fluxcap.read_flows(timed(0, end=9)), fluxcap.read_flows(timed(10, end=end))]
    assert "end_reason" in fluxcap.merge(parts).columns


@pytest.mark.parametrize(
    ("limits", "until", "left"),
    [
        ({"idle_timeout": 10, "tcp_idle_timeout": 30}, 9, []),
        ({"idle_timeout": 10, "tcp_idle_timeout": 30}, 10, [b.UDP]),
        ({"idle_timeout": 10, "tcp_idle_timeout": 30}, 30, [b.UDP, b.TCP]),
        ({"idle_timeout": 30, "tcp_idle_timeout": 10}, 10, [b.TCP]),
        ({"idle_timeout": 0, "tcp_idle_timeout": 10}, 10**9, [b.TCP]),
        ({"idle_timeout": 10, "tcp_idle_timeout": 0}, 10**9, [b.UDP]),
        ({}, 10**9, []),
    ],
)
def test_flows_of_tcp_leave_by_a_timeout_of_their_own(limits, until, left):
    """A timeout of zero is none."""
    frames = [b.ethernet(b.ipv4(b.udp(b"", 1, 2))), b.ethernet(b.ipv4(b.tcp(b"", 1, 2)))]
    by = core_driver.key(*core_driver.FIVE_TUPLE, **{name: seconds * SECOND for name, seconds in limits.items()})
    scanner = core_driver.scan(pcap([Record(bytes(frame), 0) for frame in frames]), columns=(), key=by)
    ended = [row["protocol"] for row in core_driver.as_rows(scanner.ended(until * SECOND))]
    assert (ended, scanner.open_flows) == (left, 2 - len(left))


def test_an_ended_flow_leaves_before_the_capture_ends(eager):
    before, after = timed(0, end=12), timed(end=30)[24:]
    tables = iter(scanned(before + after, [len(before), len(after), 1], idle_timeout=10, grace="1s"))
    assert rows(next(tables)) == rows(fluxcap.read_flows(timed(0, end=12), idle_timeout=10))[:1]


@pytest.mark.parametrize(("newest", "left"), [(11, 0), (12.999999999, 0), (13, 1)])
def test_a_flow_waits_for_the_grace_of_late_records(newest, left, eager):
    capture, more = timed(0, 2, end=newest), timed(end=newest)[24:]
    first = next(iter(scanned(capture + more, [len(capture), len(more), 1], idle_timeout=10, grace="1s")))
    assert (len(first) == 1) == bool(left)


def test_memory_grows_with_open_flows_not_with_the_capture(eager):
    def flow(number: int) -> Record:
        return Record(b.ethernet(b.ipv4(b.udp(b"", 1024 + number % 50_000, 53))), number * SECOND)

    capture = pcap([flow(number) for number in range(5000)])
    tables = list(scanned(capture, itertools.repeat(1000), idle_timeout="5s"))
    assert sum(map(len, tables)) == 5000
    assert max(map(len, tables)) < 60


@settings(max_examples=50, deadline=None)
@given(packets=record_lists(st.one_of(dialogue_frames, icmp_errors), in_order=True), pieces=sizes)
@example(packets=[Record(b.ethernet(QUESTION), 0)], pieces=itertools.repeat(1))
def test_an_icmp_error_is_counted_once_at_most(packets, pieces):
    with EAGERLY:
        tables = list(scanned(pcap(packets, ns=True), pieces, idle_timeout="100us", grace="1ns"))
    whole = fluxcap.read_flows(pcap(packets, ns=True), idle_timeout="100us")
    assert sum(int(table["icmp_errors"].sum()) for table in tables) <= int(whole["icmp_errors"].sum())
    assert sum(int(table["packets"].sum()) for table in tables) == int(whole["packets"].sum())


def test_without_anything_that_ends_a_flow_a_scan_is_refused():
    with pytest.raises(ValueError, match="no flow ends before the capture does"):
        fluxcap.scan_flows(timed(0, end=1))


def test_a_scan_of_a_file_reads_it_anew_and_one_of_a_pipe_does_not(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(timed(0, end=30))
    scan = fluxcap.scan_flows(path, idle_timeout=10)
    assert list(map(rows, scan)) == list(map(rows, scan))
    scan = scanned(timed(0, end=30), idle_timeout=10)
    assert len(list(scan)) == 1
    with pytest.raises(ValueError, match="can be read only once"):
        list(scan)


def test_records_without_a_time_end_nothing():
    capture = pcapng(interface(), *(simple_packet(b.ethernet(QUESTION)) for _ in range(3)))
    assert [table["packets"].tolist() for table in scanned(capture, idle_timeout=10)] == [[3]]


MANY = [Record(b.ethernet(b.ipv4(b.udp(b"", 1000 + number, 53))), number * SECOND) for number in range(50)]
INTERRUPTED: dict[str, Any] = {"idle_timeout": 10, "on_interrupt": "return"}


def are_all_that_was_read(tables: list[fluxcap.FlowTable], scan: fluxcap.FlowScan) -> bool:
    """Whether each record is in a table, and the reading ended before the capture."""
    assert scan.metadata["interrupted"]
    assert sum(int(table["packets"].sum()) for table in tables) == scan.metadata["packets"]
    return scan.metadata["packets"] < len(MANY)


@pytest.mark.parametrize("order", [None, "time"])
def test_ctrl_c_while_somebody_has_a_table_keeps_the_flows_that_are_open(order, eager):
    scan = scanned(pcap(MANY, ns=True), itertools.repeat(200), **INTERRUPTED, order=order)
    tables = cast("Generator[fluxcap.FlowTable]", iter(scan))
    first = next(tables)
    assert are_all_that_was_read([first, tables.throw(KeyboardInterrupt), *tables], scan)


def test_ctrl_c_while_ended_flows_are_taken_loses_none(eager, monkeypatch):
    taken = flow_scan.FlowScan._ended

    def pressed(*given):
        ended = taken(*given)
        if len(ended):
            os.kill(os.getpid(), signal.SIGINT)
        return ended

    monkeypatch.setattr(flow_scan.FlowScan, "_ended", pressed)
    scan = scanned(pcap(MANY, ns=True), itertools.repeat(200), **INTERRUPTED)
    assert are_all_that_was_read(list(scan), scan)
    with pytest.raises(KeyboardInterrupt):
        list(scanned(pcap(MANY, ns=True), itertools.repeat(200), idle_timeout=10))
