"""Timelines whose intervals leave as they pass: together they are the timeline of the whole capture."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import Record, enhanced_packet, interface, pcap, pcapng, simple_packet
from client_and_server import datagram
from fluxcap.errors import OutOfOrderWarning
from fluxcap.tables import gathering
from real_captures import SAMPLES
from strategies import dialogue_frames, fragment_frames, odd_frames, record_lists, simple_frames, tunnelled_frames

FRAMES = st.one_of(dialogue_frames, simple_frames, tunnelled_frames, odd_frames, fragment_frames)
SECOND = 1_000_000_000
BY = (None, "protocol", "verdict")
RATES = ("packets_per_second", "bits_per_second", "rtt_median")  # of which those of two rows do not add up

bounded = settings(max_examples=60, deadline=None)
batches = st.integers(1, 9)
lengths = st.sampled_from(["1us", "7us", "100us", "333us", "5ms"])


def scanned(capture: bytes, batch: int = 1, interval: str = "1s", **given: Any) -> list[fluxcap.TimelineTable]:
    """The tables of a scan that looks for intervals that have passed after so many packets."""
    with mock.patch.object(gathering, "BATCH_ROWS", batch):
        return list(fluxcap.scan_timeline(capture, interval, **given))


def rows(tables: Iterable[fluxcap.TimelineTable]) -> list[dict[str, Any]]:
    return [row for table in tables for row in table.to_polars().to_dicts()]


def since_seen(table: fluxcap.TimelineTable, by: str | None) -> list[dict[str, Any]]:
    """The rows of a timeline, each group from its first packet on."""
    seen = set()
    found = []
    for row in rows([table]):
        if row["packets"]:
            seen.add(row.get(by))
        if row.get(by) in seen or by is None:
            found.append(row)
    return found


@bounded
@given(packets=record_lists(FRAMES, in_order=True), batch=batches, interval=lengths, by=st.sampled_from(BY))
def test_the_intervals_of_all_tables_are_those_of_the_whole_capture(packets, batch, interval, by) -> None:
    capture = pcap(packets, ns=True)
    tables = scanned(capture, batch, interval, by=by, grace="1ns")
    whole = fluxcap.read_timeline(capture, interval, by=by)
    assert rows(tables) == since_seen(whole, by)
    kept = ("ledger", "packets", "interval", "group")
    assert [tables[-1].metadata[name] for name in kept] == [whole.metadata[name] for name in kept]
    assert tables[-1].metadata["past_grace"] == 0


@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
@bounded
@given(
    packets=record_lists(FRAMES, in_order=False),
    batch=batches,
    interval=lengths,
    by=st.sampled_from(BY),
    grace=st.sampled_from(["1ns", "10us", "200us", "1s"]),
)
def test_the_rows_of_an_interval_add_up_to_that_of_the_whole_capture(packets, batch, interval, by, grace) -> None:
    capture = pcap(packets, ns=True)
    tables = scanned(capture, batch, interval, by=by, grace=grace)
    whole = fluxcap.read_timeline(capture, interval, by=by)
    if tables[-1].metadata["past_grace"] == 0:
        assert rows(tables) == since_seen(whole, by)
    added = [name for name in whole.columns if name not in ("time", by, *RATES)]
    summed: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in rows(tables):
        summed[row["time"], row.get(by)].update({name: row[name] for name in added})
    assert {key: dict(row) for key, row in summed.items() if row["packets"]} == {
        (row["time"], row.get(by)): {name: row[name] for name in added} for row in rows([whole]) if row["packets"]
    }


@pytest.mark.parametrize("name", ["session.pcap", "office.pcap", "sockets.pcapng", "vxlan-tunnel.pcap"])
@pytest.mark.parametrize("by", BY)
def test_scans_of_captures_are_their_timelines(name, by):
    for interval in ("100ms", "1s"):
        whole = fluxcap.read_timeline(SAMPLES / name, interval, by=by)
        for batch in (7, 1 << 16):
            assert rows(scanned((SAMPLES / name).read_bytes(), batch, interval, by=by)) == since_seen(whole, by)


def at(*seconds: float) -> bytes:
    return pcap([Record(datagram(False), round(second * SECOND)) for second in seconds], ns=True)


def counted(tables: Iterable[fluxcap.TimelineTable]) -> list[list[tuple[int, int]]]:
    """The second and the packets of each row of each table."""
    return [
        [(time // SECOND, n) for time, n in zip(table["time"].tolist(), table["packets"].tolist(), strict=True)]
        for table in tables
    ]


def empty(first: int, end: int) -> list[tuple[int, int]]:
    return [(second, 0) for second in range(first, end)]


@pytest.mark.parametrize(
    ("seconds", "grace", "expected"),
    [
        ((0.5, 1.9, 2, 2.999999999, 3, 4.5), "1s", [[(0, 1)], [(1, 1)], [(2, 2)], [(3, 1), (4, 1)]]),
        ((0.5, 1.9, 2, 2.999999999, 3, 4.5), "1ns", [[(0, 1)], [(1, 1)], [(2, 2), (3, 1)], [(4, 1)]]),
        ((0, 9, 12), "1s", [[(0, 1), *empty(1, 8)], [(8, 0), (9, 1), (10, 0)], [(11, 0), (12, 1)]]),
        ((5, 4.5, 7), "1s", [[(4, 1), (5, 1)], [(6, 0), (7, 1)]]),
    ],
)
@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
def test_an_interval_leaves_when_a_packet_is_later_than_its_end_by_the_grace(seconds, grace, expected):
    assert counted(scanned(at(*seconds), grace=grace)) == expected


def test_a_packet_later_than_the_grace_is_another_row_of_its_interval_and_said():
    with pytest.warns(OutOfOrderWarning) as warned:
        tables = scanned(at(0.5, 1.5, 2.5, 0.7, 0.8, 3.5), grace="1ns")
    assert counted(tables) == [[(0, 1)], [(1, 1)], [(0, 2), (2, 1)], [(3, 1)]]
    said = [str(one.message) for one in warned if "after the grace" in str(one.message)]
    assert [one.partition(" late,")[0] for one in said] == ["1 packet came up to 1.8 s", "2 packets came up to 1.8 s"]
    assert tables[-1].metadata["past_grace"] == 2
    with pytest.warns(OutOfOrderWarning, match="out of order"):
        assert counted(scanned(at(0.5, 1.5, 2.5, 0.7, 0.8, 3.5), grace="1.8s")) == [[(0, 3)], [(1, 1), (2, 1), (3, 1)]]


@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
def test_one_clock_that_runs_ahead_keeps_no_other_back():
    found = counted(scanned(at(0.5, 1000, *(1 + n / 2 for n in range(20))), grace="1ns"))
    assert found == [[(0, 1), *empty(1, 999)], *([(n, 2)] for n in range(1, 10)), [(10, 2), (999, 0), (1000, 1)]]


def test_packets_without_a_time_have_a_row_at_the_end():
    data = datagram(False)
    timed = [enhanced_packet(data, second * 1_000_000) for second in (1, 2, 5)]
    capture = pcapng(interface(), simple_packet(data), *timed, simple_packet(data))
    tables = scanned(capture)
    assert len(tables) > 1
    assert rows(tables) == rows([fluxcap.read_timeline(capture)])


def test_more_rows_than_a_table_has_leave_in_several():
    with pytest.raises(ValueError, match="1,261,440,001 intervals, and a timeline has 1,000,000 rows at most"):
        scanned(at(0, 40 * 365 * 86400))
    assert sum(map(len, scanned(at(*(900_000 * n for n in range(4)))))) == 2_700_001


def test_an_interrupt_keeps_what_was_read(monkeypatch):
    monkeypatch.setattr(gathering, "BATCH_ROWS", 1)
    scan = fluxcap.scan_timeline(at(*range(10)), on_interrupt="return")
    tables: Any = iter(scan)
    first = next(tables)
    found = [first, tables.throw(KeyboardInterrupt), *tables]
    assert sum(int(table["packets"].sum()) for table in found) == scan.metadata["packets"] < 10
    assert scan.metadata["interrupted"]


def test_damage_keeps_the_intervals_before_it(monkeypatch):
    monkeypatch.setattr(gathering, "BATCH_ROWS", 1)
    capture = at(0, 1, 2, 3, 4)[:-3]
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        assert sum(int(table["packets"].sum()) for table in fluxcap.scan_timeline(capture)) == 4
    found: list[fluxcap.TimelineTable] = []
    with pytest.raises(fluxcap.TruncatedError) as raised:
        found.extend(fluxcap.scan_timeline(capture, on_damage="raise"))
    assert found
    partial = raised.value.partial
    assert isinstance(partial, fluxcap.TimelineTable)
    assert sum(int(table["packets"].sum()) for table in [*found, partial]) == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"interval": "0s"}, "interval must be at least 1 ns"),
        ({"grace": "soon"}, "grace: 'soon' is no length of time"),
        ({"by": "dst_prt"}, "unknown key field 'dst_prt'"),
        ({"by": "dst_port"}, "rows by dst_port are known when the input has ended"),
    ],
)
def test_wrong_arguments_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        fluxcap.scan_timeline(SAMPLES / "session.pcap", **given)


def test_a_scan_of_an_empty_capture_has_a_table_without_a_row():
    (table,) = scanned(pcap([]))
    assert len(table) == 0
    assert table.columns == fluxcap.read_timeline(pcap([])).columns


@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("grace", ["1ns", "1s", "1h"])
def test_a_clock_that_jumps_past_a_million_intervals_takes_no_row_that_was_counted_before(batch, grace) -> None:
    tables = iter(fluxcap.scan_timeline(at(1000, 1001, 1003, 4_000_000_000, 1004), "1s", grace=grace))
    found: list[int] = []
    with mock.patch.object(gathering, "BATCH_ROWS", batch), pytest.raises(ValueError, match="rows at most"):
        found.extend(packets for table in tables for packets in table["packets"].tolist())
    assert found == [1, 1, 0, 1]
