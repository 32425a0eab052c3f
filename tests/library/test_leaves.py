"""Flows on their way between machines: half the bytes, and the same flows."""

import pickle

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap.cluster import sums

LONG, MANY = 1400, 300  # bytes of a message, messages: their product needs more than two bytes


def leaf(flows=20):
    frames = [b.ethernet(b.ipv4(b.udp(b"x" * port, port, 53))) for port in range(1, flows + 1)]
    frames += [b.ethernet(b.ipv4(b.udp(b"x" * LONG, 1, 53)))] * MANY
    table = fluxcap.read_flows(pcap(records(frames)))
    return sums.Leaf(table, np.arange(len(table), dtype=np.uint64))


def sent(one):
    return pickle.loads(pickle.dumps(one, protocol=5))


def columns(table):
    return {name: (column.dtype, column.tolist()) for name, column in table._arrays().items()}


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("at_once", [3, 20, 8192])
def test_flows_are_what_they_were_however_often_they_are_sent(times, at_once, monkeypatch):
    monkeypatch.setattr(sums, "ROWS_AT_ONCE", at_once)
    there = here = leaf()
    for _ in range(times):
        there = sent(there)
    assert columns(there.whole()) == columns(here.table)
    joined = sums.in_order([there])
    assert (columns(joined.table), joined.numbers.tolist()) == (columns(here.table), here.numbers.tolist())
    assert int(joined.table["payload_bytes"].max()) > 1 << 16


def test_a_table_without_a_flow_is_sent_too():
    empty = fluxcap.read_flows(pcap([]))
    there = sent(sums.Leaf(empty, np.zeros(0, np.uint64)))
    assert columns(there.whole()) == columns(empty)


def test_errors_about_flows_that_are_not_there_are_sent_too():
    quoted = b.ipv4(b.udp(b"x", 1000, 53), "192.0.2.1", "192.0.2.2")
    octets = pcap(records([b.ethernet(b.ipv4(b.icmp(quoted, kind=3, code=3), "192.0.2.2", "192.0.2.1"))]))
    table = fluxcap.read_flows(octets)
    there = sent(sums.Leaf(table, np.zeros(len(table), np.uint64)))
    assert columns(there.whole()._unseen) == columns(table._unseen)


def test_counts_take_as_few_bytes_as_the_greatest_one():
    one = leaf(flows=1000)
    there = sent(one)
    assert {there.table[name].dtype.itemsize for name in ("packets", "bad")} == {2, 1}
    size = len(pickle.dumps(one, protocol=5))
    assert size < 0.6 * len(pickle.dumps((one.table, one.numbers), protocol=5))
