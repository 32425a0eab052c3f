"""The result is the same to the byte for any number of shards of the flow table, and of threads that count in them."""

from __future__ import annotations

import itertools
import struct
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
import tcp_talks
from capture_files import pcap, records
from core_driver import ALL_COLUMNS, FIVE_TUPLE, as_rows, key
from fluxcap._core import HeldCounted, Scanner
from fluxcap.plan import processors
from fluxcap.plan.processors import ONE_TABLE, divides, shards_for, threads_for, threads_worth
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
from whole_readings import LONG, ONE, again, everything, feed, numbered, read, read_file

SECOND = 1_000_000_000
MIB = 1 << 20
PORTS = ({53, 80, 1024}, set(range(0, 65536, 3)))  # of TCP and of UDP: likely servers
SHARDS = (1, 2, 4, 8, 16, 32)
frames = st.one_of(
    dialogue_frames, dialogue_frames, simple_frames, fragment_frames, icmp_errors, tunnelled_frames, odd_frames
)
ZEEK = key(*FIVE_TUPLE, idle_timeout=200_000, tcp_idle_timeout=400_000, ip_octets=True, server_ports=PORTS)
CONNECTIONS = key(*FIVE_TUPLE, server_ports=PORTS, connections=True)
keys = st.sampled_from(
    [
        key(*FIVE_TUPLE),
        key(*FIVE_TUPLE, biflow=False),
        key("src_ip/24/64", "dst_port", biflow=False),
        key(*FIVE_TUPLE, idle_timeout=100_000, active_timeout=300_000),
        key(*FIVE_TUPLE, interval=250_000),
        key(*FIVE_TUPLE, features=True, splt=3),
        key(*FIVE_TUPLE, active_timeout=300_000, activity=True, ends_tcp=True, splt=3),
        ZEEK | {"active_timeout": 300_000, "features": True, "splt": 2},
        CONNECTIONS,
        CONNECTIONS
        | {"idle_timeout": 300_000, "active_timeout": 900_000, "attempt_timeout": 150_000, "close_timeout": 50_000},
        CONNECTIONS | {"features": True, "splt": 2},
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    capture=captures(frames),
    times=st.integers(1, 60),
    cut=st.integers(0, 40),
    sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    threads=st.lists(st.integers(1, 16), min_size=1, max_size=6),
    by=keys,
    shards=st.sampled_from(SHARDS),
)
def test_shards_do_not_show(capture, times, cut, sizes, threads, by, shards):
    longer = again(capture, times)
    longer = longer[: len(longer) - cut]
    expected = read(longer, [len(longer) or 1], ONE, key=by)
    assert read(longer, sizes, itertools.cycle(threads), key=by, shards=shards) == expected


@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("by", [key(*FIVE_TUPLE, idle_timeout=SECOND // 2), CONNECTIONS | {"features": True}])
@pytest.mark.parametrize("name", LONG)
def test_long_captures_read_the_same_with_any_number_of_shards(name, by, shards):
    expected = read(LONG[name], [1 << 18], ONE, key=by)
    assert read(LONG[name], [20_000], itertools.repeat(3), key=by, shards=shards) == expected


def test_files_read_the_same_with_any_number_of_shards(tmp_path):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(records(numbered(20_000, 3_000))))
    expected = read_file(path, 1, key=key(*FIVE_TUPLE))
    for threads, shards in itertools.product((1, 2, 5), SHARDS):
        assert read_file(path, threads, key=key(*FIVE_TUPLE), shards=shards) == expected


def test_rows_of_several_inputs_stay_in_first_seen_order():
    def of(shards: int, threads: int) -> dict[str, object]:
        scanner = Scanner(key=key(*FIVE_TUPLE), shards=shards)
        state = 0
        for first in (900, 0, 1500):
            scanner.begin()
            frames = numbered(3000, 700)[first : first + 1400]
            state = feed(scanner, pcap(records(frames)), [9_000], lambda: scanner.run(threads))
            scanner.finish()
            scanner.run(threads)
        return everything(scanner, state, [])

    expected = of(1, 1)
    assert of(8, 1) == of(8, 4) == of(32, 2) == expected


@pytest.mark.parametrize("between", [65_535 - 20, 65_536 - 20, 65_537 - 20, 200_000])
def test_rows_that_begin_far_apart_stay_in_first_seen_order(between):
    # A shard keeps the numbers of the records that its rows begin with as steps of 16 bits.
    new, same = (records(numbered(3 * 20)), pcap(records(numbered(1)[:1]))[24:])
    capture = pcap([])
    for first in (0, 20, 40):
        capture += pcap(new[first : first + 20])[24:] + same * between
    expected = read(capture, [1 << 20], ONE, key=key(*FIVE_TUPLE))
    assert len(expected["flows"]["packets"]) == 60 * 8
    for shards in SHARDS:
        assert read(capture, [1 << 20], itertools.repeat(2), key=key(*FIVE_TUPLE), shards=shards) == expected


def test_an_icmp_error_changes_the_flow_that_it_quotes_in_whichever_shard_that_is():
    asked = [b.ethernet(b.ipv4(b.udp(b"?", port, 53), "192.0.2.1", "192.0.2.2")) for port in range(40_000, 40_064)]
    about = [
        b.ethernet(b.ipv4(b.icmp(bytes(frame)[14:42], 3, 3, bytes(4)), "192.0.2.2", "192.0.2.1")) for frame in asked
    ]
    early, late = pcap(records([*about, *asked])), pcap(records([*asked, *about]))
    for capture, shards in itertools.product((early, late), SHARDS):
        found = read(capture, [1 << 18], ONE, key=key(*FIVE_TUPLE), shards=shards)
        assert struct.unpack("=65Q", found["flows"]["icmp_errors"]) == (
            (0, *(1,) * 64) if capture is early else (*(1,) * 64, 0)
        )


def test_the_gaps_of_connections_do_not_depend_on_shards():
    """Most of the connections have more gaps than have room in themselves."""
    talks = [
        tcp_talks.records(f">S <SA >A {'>D10@+5 <D10@+7 ' * gaps} >F", client=("192.0.2.1", 40_000 + gaps))
        for gaps in range(1, 70)
    ]
    capture = pcap([one for segments in zip_longest(*talks) for one in segments if one])
    for shards in SHARDS:
        columns = read(capture, [1 << 18], ONE, key=CONNECTIONS, shards=shards)["flows"]
        for name, octets in (("gap_bytes", 5), ("reverse_gap_bytes", 7)):
            assert struct.unpack("=69Q", columns[name]) == tuple(octets * gaps for gaps in range(1, 70))


def test_a_table_in_shards_is_read_before_a_datagram_is_whole_and_reading_goes_on():
    """The last fragment waits for the first one, which would tell its ports. It is counted by its addresses meanwhile,
    in a copy of the table."""
    last, first = (
        b.ethernet(b.ipv4(piece, "192.0.2.1", "192.0.2.2", b.UDP, identification=7, offset=at, more=more))
        for at, more, piece in b.pieces(b.udp(bytes(40), 4000, 53).over(b"\xc0\0\2\1", b"\xc0\0\2\2"), 24)[::-1]
    )
    others = [b.ethernet(b.ipv4(b.udp(b"", port, 53), "192.0.2.1", "192.0.2.2")) for port in range(1, 40)]
    capture = pcap(records([*others, last, first]))
    before = len(capture) - 16 - len(bytes(first))
    for shards in SHARDS:
        scanner = Scanner(key=key(*FIVE_TUPLE), shards=shards)
        found = []
        for piece in (capture[:before], capture[before:]):
            if not found:
                scanner.begin()
            space = scanner.space()
            space[: len(piece)] = piece
            space.release()
            scanner.advance(len(piece))
            scanner.run()
            with HeldCounted(scanner):
                found.append([row["src_port"] for row in as_rows(scanner.flows())])
        assert found == [[*range(1, 40), 0], [*range(1, 40), 4000]]


def test_a_table_in_shards_is_read_half_way():
    def states(shards: int) -> list[list[bytes]]:
        scanner = Scanner(key=CONNECTIONS, shards=shards)
        found = []

        def run() -> int:
            state = scanner.run(3)
            found.append([bytes(memoryview(column)) for column in scanner.flows().values()])
            return state

        scanner.begin()
        feed(scanner, LONG["mixed"], [70_000], run)
        return found

    assert states(8) == states(1)


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ALL_COLUMNS, "key": key(*FIVE_TUPLE)},
        {"key": key(*FIVE_TUPLE, max_flows=3)},
        {"key": key(*FIVE_TUPLE, max_memory=1 << 20)},
        {"key": key(*FIVE_TUPLE, interval=SECOND, server_ports=PORTS)},
    ],
)
def test_what_needs_one_table_refuses_shards(options):
    with pytest.raises(ValueError, match="one table"):
        Scanner(**options, shards=2)


@pytest.mark.parametrize("shards", [3, 64])
def test_shards_are_a_power_of_two_up_to_32(shards):
    with pytest.raises(ValueError, match="power of two"):
        Scanner(key=key(*FIVE_TUPLE), shards=shards)


def test_rows_neither_leave_nor_enter_a_table_in_shards():
    scanner = Scanner(key=key(*FIVE_TUPLE, idle_timeout=SECOND), shards=2)
    with pytest.raises(ValueError, match="one table"):
        scanner.ended(0)
    with pytest.raises(ValueError, match="one table"):
        scanner.add_flows({}, 0)


@needs_corpus
@pytest.mark.parametrize("by", [key(*FIVE_TUPLE, idle_timeout=15 * SECOND), CONNECTIONS])
def test_every_real_capture_reads_the_same_with_any_number_of_shards(by):
    different = []
    for at, row in enumerate(index()):
        capture = (CORPUS / row["path"]).read_bytes()
        expected = read(capture, [1 << 18], ONE, key=by)
        found = read(capture, [8_192], itertools.repeat(2 + at % 7), key=by, shards=SHARDS[at % len(SHARDS)])
        if found != expected:
            different.append(row["path"])
    assert different == []


@pytest.mark.parametrize(
    ("by", "threads", "shards"),
    [
        (key(*FIVE_TUPLE), 1, 1),
        (key(*FIVE_TUPLE), 3, 1),
        (key(*FIVE_TUPLE), 4, 4),
        (key(*FIVE_TUPLE), 5, 8),
        (key(*FIVE_TUPLE), 8, 8),
        (key(*FIVE_TUPLE), 9, 16),
        (key(*FIVE_TUPLE), 16, 16),
        (key(*FIVE_TUPLE), 64, 32),
        (key(*FIVE_TUPLE, interval=SECOND), 8, 8),
        (key(*FIVE_TUPLE, interval=SECOND, server_ports=PORTS), 8, 1),
        (key(*FIVE_TUPLE, max_flows=3), 8, 1),
        (key(*FIVE_TUPLE, max_memory=1 << 20), 8, 1),
        (CONNECTIONS, 8, 8),
    ],
)
def test_a_table_that_divides_has_as_many_shards_as_its_threads_can_use(by, threads, shards):
    assert divides(by) is (threads <= ONE_TABLE or shards > 1)
    Scanner(key=by, shards=shards_for(threads) if divides(by) else 1)
    assert not divides(by) or shards_for(threads) == shards


@pytest.mark.parametrize(
    ("asked", "shares", "there", "threads"),
    [
        (None, True, 1, 1),
        (None, True, 2, 2),
        (None, True, 48, 48),
        (None, True, 200, 64),
        (None, False, 48, 4),
        (None, False, 3, 3),
        (7, True, 48, 7),
        (7, False, 48, 7),
        (7, True, 2, 2),
        (100, True, 200, 64),
    ],
)
def test_all_processors_read_where_all_have_something_to_do(monkeypatch, asked, shares, there, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(there)))
    assert threads_for(asked, shares) == threads


@pytest.mark.parametrize(
    ("threads", "octets", "worth"),
    [(2, 0, 1), (2, 1, 1), (2, MIB, 1), (2, MIB + 1, 2), (64, 10 * MIB, 10), (64, 1 << 40, 64), (1, 1 << 40, 1)],
)
def test_small_inputs_are_read_by_few_threads(threads, octets, worth):
    assert threads_worth(threads, octets) == worth


@pytest.mark.parametrize("options", [{}, {"features": True}, {"splt": 3}, {"interval": "1s"}])
def test_tables_are_the_same_read_by_many_threads(monkeypatch, tmp_path, options):
    monkeypatch.setattr(processors, "OCTETS_A_THREAD", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))  # there may be fewer processors
    path = tmp_path / "long.pcap"
    path.write_bytes(LONG["mixed"])
    one, many = (fluxcap.read_flows(path, threads=threads, **options) for threads in (1, 8))
    assert arrays(many) == arrays(one)
    assert many.metadata == one.metadata


def arrays(table: fluxcap.FlowTable) -> dict[str, bytes]:
    return {name: bytes(memoryview(table[name])) for name in table.columns}
