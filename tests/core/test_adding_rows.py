"""Rows of one table of the core are added to another one, and rows are put in order."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
from capture_files import pcap, records
from core_driver import FIVE_TUPLE, Row, anomalies, as_rows, flows, key, scan
from fluxcap._core import FLOW_COLUMNS, Scanner

SECOND = 1_000_000_000
A4, B4, A6, B6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"


def frame(src: str = A4, dst: str = B4, src_port: int = 1000, dst_port: int = 2000) -> bytes:
    network = b.ipv6 if ":" in src else b.ipv4
    return b.ethernet(network(b.udp(b"x", src_port, dst_port), src, dst))


def merged(*scanners: Scanner, **limits: int) -> list[Row]:
    into = Scanner(key=key(*FIVE_TUPLE, **limits))
    for scanner in scanners:
        columns = scanner.flows()
        into.add_flows({name: memoryview(column) for name, column in columns.items()}, len(columns["first"]))
    return as_rows(into.flows())


def test_rows_added_to_a_table_are_those_of_all_the_records_at_once():
    verdicts = [None, 0, 1, "partial"]
    frames = [b.ethernet(b.ipv4(b.udp(b"", port, 9, checksum=verdicts[port % 4]))) for port in range(40)] * 2
    frames += [b.ethernet(b.ipv4(b.udp(b"", 9, port), B4, A4, checksum=1)) for port in range(40)]
    whole = records(frames)
    parts = [pcap(whole[start:end]) for start, end in pairwise((0, 7, 7, 60, 120))]
    assert merged(*(scan(part, columns=(), key=key(*FIVE_TUPLE)) for part in parts)) == flows(pcap(whole))


def test_rows_that_do_not_fit_the_table_are_refused():
    made = scan(pcap(records([frame()])), key=key("vlan")).flows()
    columns = {name: memoryview(column) for name, column in made.items()}
    with pytest.raises(ValueError, match="vlan has 2 bytes, not 2 times 2"):
        Scanner(key=key("vlan")).add_flows(columns, 2)
    with pytest.raises(MemoryError, match="more than 1 flows"):
        merged(scan(pcap(records([frame(), frame(A6, B6)])), key=key(*FIVE_TUPLE)), max_flows=1)


def test_errors_about_more_flows_than_there_is_room_for_are_counted_as_not_kept():
    """The table is bounded to two rows, and what is quoted and not seen to as many."""
    quoted = [frame(src_port=port)[14:] for port in range(1, 6)]
    errors = scan(pcap(records([b.ethernet(b.ipv4(b.icmp(bytes(one)[:28], 3, 3, bytes(4)))) for one in quoted])),
                  columns=(), key=key(*FIVE_TUPLE))  # fmt: skip
    seen = scan(pcap(records([frame(src_port=port) for port in (2, 3)])), columns=(), key=key(*FIVE_TUPLE))
    into = Scanner(key=key(*FIVE_TUPLE, max_flows=2))
    for made in (errors.unseen(), seen.flows()):
        into.add_flows({name: memoryview(column) for name, column in made.items()}, len(made["first"]))
    assert [(row["src_port"], row["icmp_errors"]) for row in as_rows(into.flows())] == [(2, 1), (3, 0)]
    assert anomalies(into) == {"errors_not_kept": 3}


def columns_of(frames: list[bytes], start: int = 0) -> tuple[dict[str, memoryview], int]:
    """The columns of the flows in these frames, which begin at this second, and the number of rows."""
    scanner = scan(pcap(records(frames, start=start * SECOND)), columns=(), key=key(*FIVE_TUPLE))
    columns = {name: memoryview(column) for name, column in scanner.flows().items()}
    return columns, len(columns["first"])


ENDS = st.sampled_from([(A4, B4, 1, 2), (B4, A4, 2, 1), (A4, B4, 3, 2), (A6, B6, 1, 2), (B6, A6, 2, 1)])


@given(parts=st.lists(st.lists(ENDS, min_size=1, max_size=6), min_size=1, max_size=5), data=st.data())
def test_rows_with_numbers_come_in_any_order_and_the_least_number_tells_the_direction(parts, data):
    """Whatever the times are: here each part is before the one before it."""
    frames = [[frame(*ends) for ends in part] for part in parts]
    into = Scanner(key=key(*FIVE_TUPLE))
    for place in data.draw(st.permutations(range(len(parts)))):
        columns, n = columns_of(frames[place], start=100 - place)
        into.add_flows(columns, n, array("Q", (1000 * place + row for row in range(n))))
    numbers = array("Q", into.numbers())
    order = array("q", sorted(range(len(numbers)), key=numbers.__getitem__))
    counts = [name for name in FLOW_COLUMNS if name not in ("first", "last")]
    made = [{name: row[name] for name in (*FIVE_TUPLE, *counts)} for row in as_rows(into.flows(True, order=order))]
    whole = flows(pcap(records([one for part in frames for one in part])), by=key(*FIVE_TUPLE))
    assert made == [{name: row[name] for name in (*FIVE_TUPLE, *counts)} for row in whole]


@pytest.mark.parametrize("kinds", [(8, 13), (13, 8)])
def test_the_icmp_type_of_a_row_is_that_of_the_record_with_the_least_number(kinds):
    """An echo and a request for a timestamp, of one identifier: the ports are the same."""
    frames = [b.ethernet(b.ipv4(b.icmp(kind=kind))) for kind in kinds]
    into = Scanner(key=key(*FIVE_TUPLE))
    for place in (1, 0):
        columns, n = columns_of([frames[place]])
        into.add_flows(columns, n, array("Q", [place]))
    assert [row["_icmp"] for row in as_rows(into.flows())] == [row["_icmp"] for row in flows(pcap(records(frames)))]


def test_numbers_are_given_for_all_rows_or_for_none():
    columns, n = columns_of([frame(src_port=port) for port in (5, 6, 7)])
    numbers = array("Q", range(n))
    for first, second in ((numbers, None), (None, numbers)):
        into = Scanner(key=key(*FIVE_TUPLE))
        into.add_flows(columns, n, first)
        with pytest.raises(ValueError, match="all rows have numbers, or none"):
            into.add_flows(columns, n, second)
    with pytest.raises(ValueError, match="the rows have no numbers"):
        into.numbers()
    with pytest.raises(IndexError, match="2 numbers are given, of 3 rows"):
        Scanner(key=key(*FIVE_TUPLE)).add_flows(columns, n, numbers[:2])


def test_an_order_has_each_row_once_and_is_for_the_last_time():
    frames = [frame(src_port=port) for port in (5, 6, 7)]

    def begun(**more: object) -> Scanner:
        return scan(pcap(records(frames)), columns=(), key=key(*FIVE_TUPLE) | more)

    ordered = as_rows(begun().flows(True, order=array("q", [2, 0, 1])))
    assert [row["src_port"] for row in ordered] == [7, 5, 6]
    for wrong in ([0, 1, 3], [0, 1, -1], [0, 1], [0, 0, 1]):
        with pytest.raises(IndexError):
            begun().flows(True, order=array("q", wrong))
    for scanner, last in ((begun(), False), (begun(features=True), True)):
        with pytest.raises(ValueError, match="the last time only"):
            scanner.flows(last, order=array("q", [2, 0, 1]))
