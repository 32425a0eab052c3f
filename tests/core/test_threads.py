"""The result is the same to the byte for any number of threads."""

from __future__ import annotations

import itertools
import os
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import pcap, records
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import VERDICTS, Scanner
from fluxcap.capture.filters import compiler
from real_captures import CORPUS, index, needs_corpus
from strategies import (
    captures,
    dialogue_frames,
    fragment_frames,
    icmp_errors,
    odd_frames,
    simple_frames,
    tunnelled_frames,
)
from whole_readings import LONG, ONE, again, feed, numbered, read

SECOND = 1_000_000_000
PORTS = ({53, 80, 1024}, set(range(0, 65536, 3)))  # of TCP and of UDP: likely servers
frames = st.one_of(
    dialogue_frames, dialogue_frames, simple_frames, fragment_frames, icmp_errors, tunnelled_frames, odd_frames
)


# Everything that semantics can set: a timeout only for TCP, bytes of IP packets, a direction that depends on ports.
ZEEK = key(*FIVE_TUPLE, idle_timeout=200_000, tcp_idle_timeout=400_000, ip_octets=True, server_ports=PORTS)
keys = st.sampled_from(
    [
        key(*FIVE_TUPLE),
        key(*FIVE_TUPLE, biflow=False),
        key("src_ip/24/64", "dst_port", biflow=False),
        key(*FIVE_TUPLE, idle_timeout=200_000),
        key(*FIVE_TUPLE, active_timeout=300_000),
        key(*FIVE_TUPLE, idle_timeout=100_000, active_timeout=300_000),
        key(*FIVE_TUPLE, interval=250_000),
        key(*FIVE_TUPLE, features=True, splt=3),
        key(*FIVE_TUPLE, active_timeout=300_000, activity=True, ends_tcp=True, splt=3),
        ZEEK,
        ZEEK | {"active_timeout": 300_000, "features": True, "splt": 2},
        key("protocol", "src_port", "dst_port", max_flows=3),
        None,
    ]
)
SELECTED = 1 << VERDICTS.index("bad") | 1 << VERDICTS.index("partial") | 1 << 16 + VERDICTS.index("bad")


@settings(max_examples=200, deadline=None)
@given(
    capture=captures(frames),
    times=st.integers(1, 60),
    cut=st.integers(0, 40),
    sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    threads=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    by=keys,
    selected=st.booleans(),
    row_limit=st.sampled_from([0, 1, 40]),
)
def test_pieces_and_threads_do_not_show(capture, times, cut, sizes, threads, by, selected, row_limit):
    longer = again(capture, times)
    longer = longer[: len(longer) - cut]
    options = {"key": by}
    if selected:
        options |= {"columns": ALL_COLUMNS, "verdicts": SELECTED, "row_limit": row_limit}
    expected = read(longer, [len(longer) or 1], ONE, **options)
    assert read(longer, sizes, itertools.cycle(threads), **options) == expected


@pytest.mark.parametrize("threads", range(2, 9))
@pytest.mark.parametrize("name", LONG)
def test_long_captures_read_the_same_with_any_number_of_threads(name, threads):
    options = {"key": ZEEK | {"idle_timeout": SECOND // 2}}
    expected = read(LONG[name], [1 << 18], ONE, **options)
    assert read(LONG[name], [20_000], itertools.repeat(threads), **options) == expected


@pytest.mark.parametrize("name", LONG)
def test_filters_do_not_mind_threads(name):
    pytest.importorskip("cypcap")
    options = {"key": key(*FIVE_TUPLE), "where": compiler("udp and src portrange 1024-2000 or icmp")}
    expected = read(LONG[name], [1 << 18], ONE, **options)
    assert expected["totals"]["packets"]
    assert read(LONG[name], [20_000], itertools.repeat(3), **options) == expected


def test_a_record_larger_than_the_window_goes_through_the_same_hands():
    frame = fluxcap.segment(bytes(60_000), ("192.0.2.1", 1), ("192.0.2.2", 2))
    capture = pcap(records([*numbered(500), frame + bytes(200_000), *numbered(500)] * 3))
    expected = read(capture, [1 << 18], ONE, key=key(*FIVE_TUPLE))
    assert expected["damage"] is None
    assert read(capture, [70_000], itertools.repeat(2), key=key(*FIVE_TUPLE)) == expected


def test_a_scanner_goes_from_one_thread_to_many_and_back():
    expected = read(LONG["mixed"], [1 << 18], ONE, key=key(*FIVE_TUPLE))
    changing = itertools.cycle([1, 4, 4, 2, 1, 1, 8])
    assert read(LONG["mixed"], [9_000], changing, key=key(*FIVE_TUPLE)) == expected


def test_results_asked_for_half_way_hold_all_that_was_handed_out():
    def states(threads: int) -> list[tuple[int, int]]:
        scanner = Scanner(key=key(*FIVE_TUPLE))
        found = []

        def run() -> int:
            state = scanner.run(threads)
            found.append((scanner.totals()["packets"], len(scanner.flows()["packets"])))
            return state

        scanner.begin()
        feed(scanner, LONG["mixed"], [15_000], run)
        return found

    assert states(3) == states(1)
    assert len(states(3)) > 10


def test_a_scanner_dropped_in_the_middle_leaves_no_thread_behind():
    def tasks() -> set[str]:
        return set(os.listdir("/proc/self/task"))  # noqa: PTH208

    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        pytest.skip("no /proc to count threads in")

    def half_way() -> set[str]:
        scanner = Scanner(key=key(*FIVE_TUPLE))
        scanner.begin()
        feed(scanner, LONG["plain"], [15_000], lambda: scanner.run(4))
        return tasks()

    before = tasks()
    joined = half_way() - before
    assert len(joined) == 3
    assert not joined & tasks()


@settings(max_examples=5, deadline=None)
@given(st.integers(2, 4))
@example(3)
def test_tables_are_equal_whatever_the_number_of_threads(threads):
    # Large enough for other threads to join.
    capture = pcap(records(numbered(20_000, 300)))
    assert len(capture) > 1 << 20
    assert fluxcap.read_flows(capture, threads=threads) == fluxcap.read_flows(capture, threads=1)
    assert fluxcap.read_info(capture, threads=threads) == fluxcap.read_info(capture, threads=1)
    report, expected = (fluxcap.read_checksums(capture, threads=n).to_dict() for n in (threads, 1))
    assert report == expected


def test_several_readers_in_several_threads_do_not_disturb_each_other():
    capture = pcap(records(numbered(20_000, 300)))
    expected = fluxcap.read_flows(capture, threads=1)
    found: list[bool] = []

    def one() -> None:
        found.append(fluxcap.read_flows(capture, threads=2) == expected)

    readers = [threading.Thread(target=one) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [True] * 3


@needs_corpus
@pytest.mark.parametrize("limits", [{}, {"idle_timeout": 15 * SECOND, "active_timeout": 60 * SECOND}])
def test_every_real_capture_reads_the_same_with_any_number_of_threads(limits):
    different = []
    for at, row in enumerate(index()):
        capture = (CORPUS / row["path"]).read_bytes()
        options = {"key": key(*FIVE_TUPLE, **limits)}
        expected = read(capture, [1 << 18], ONE, **options)
        if read(capture, [8_192], itertools.repeat(2 + at % 7), **options) != expected:
            different.append(row["path"])
    assert different == []
