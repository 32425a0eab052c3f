"""Properties of every capture: every way of reading it gives the same."""

import gzip
import io
import operator
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import ByteOrder, Record, pcap, rewrapped
from fluxcap import FlowAggregator, FlowTable
from oracle import flow_table
from oracle_terms import flow_rows, observations, without_none
from strategies import (
    byte_orders,
    captures,
    dialogue_frames,
    fragment_frames,
    odd_frames,
    record_lists,
    simple_frames,
    tunnelled_frames,
)

FRAMES = st.one_of(dialogue_frames, simple_frames, tunnelled_frames, odd_frames)
WITH_FRAGMENTS = st.one_of(fragment_frames, FRAMES)
CUT_IN_A_TUNNEL = b.ethernet(b.ipv4(b.gre(b.ipv4(b.icmp()))))[:-6]  # in no flow: its ports are missing
FIELDS = ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")

prefix_lengths = st.one_of(
    st.just(""),
    st.builds("/{}".format, st.integers(0, 32)),
    st.builds("/{}/{}".format, st.integers(0, 32), st.integers(0, 128)),
)


@st.composite
def keys(draw: st.DrawFn) -> str:
    """A named key or any set of fields, with or without prefix lengths."""
    fields = draw(st.sets(st.sampled_from(FIELDS), min_size=1))
    any_set = ",".join(
        name + (draw(prefix_lengths) if name.endswith("_ip") else "") for name in FIELDS if name in fields
    )
    return draw(st.sampled_from(["5tuple", "ports", "hosts", "sockets", any_set]))


bounded = settings(max_examples=100, deadline=None)


@bounded
@given(capture=captures(FRAMES), by=keys(), biflow=st.booleans(), decap=st.booleans())
def test_flows_are_the_packets_grouped_by_key(capture: bytes, by: str, biflow: bool, decap: bool) -> None:
    packets = observations(fluxcap.read_packets(capture, decap=decap))
    flows = fluxcap.read_flows(capture, by, biflow=biflow, decap=decap)
    assert list(flow_rows(flows).items()) == without_none(flow_table(packets, by, biflow))


@bounded
@example(capture=pcap([Record(CUT_IN_A_TUNNEL)]), by="5tuple")
@given(capture=captures(WITH_FRAGMENTS), by=keys())
def test_the_flow_column_counts_the_rows_of_the_flow_table(capture: bytes, by: str) -> None:
    flows = fluxcap.read_flows(capture, by)
    row_of = fluxcap.read_packets(capture, by=by)["flow"]
    packets = flows["packets"] + (flows["reverse_packets"] if "reverse_packets" in flows.columns else 0)
    assert np.bincount(row_of[row_of >= 0], minlength=len(flows)).tolist() == packets.tolist()


@bounded
@given(capture=captures(WITH_FRAGMENTS), cuts=st.lists(st.integers(0, 2000), max_size=8), by=keys())
def test_any_split_of_the_input_gives_the_same_flows(capture: bytes, cuts: list[int], by: str) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(capture)), len(capture)]
    with FlowAggregator(by) as aggregator:
        for start, end in pairwise(edges):
            aggregator.feed(capture[start:end])
    assert aggregator.result() == fluxcap.read_flows(capture, by)


@bounded
@given(capture=captures(WITH_FRAGMENTS))
def test_one_octet_at_a_time_gives_the_same_flows(capture: bytes) -> None:
    with FlowAggregator() as aggregator:
        for at in range(len(capture)):
            aggregator.feed(capture[at : at + 1])
    assert aggregator.result() == fluxcap.read_flows(capture)


@bounded
@given(capture=captures(WITH_FRAGMENTS))
def test_the_ledger_adds_up(capture: bytes) -> None:
    info, packets = fluxcap.read_info(capture), fluxcap.read_packets(capture)
    records, octets = (sum(amounts) for amounts in zip(*info.ledger.values(), strict=True))
    assert (records, octets) == (len(packets), packets["wire_length"].sum())
    for code, disposition in enumerate(fluxcap.DISPOSITIONS):
        of_it = packets["wire_length"][packets["disposition"] == code]
        assert info.ledger[disposition] == (len(of_it), of_it.sum())


@bounded
@given(packets=record_lists(WITH_FRAGMENTS), byteorder=byte_orders)
def test_a_capture_is_the_same_in_every_wrapping(packets: list[Record], byteorder: ByteOrder) -> None:
    whole = pcap(packets)
    wrappings: list[bytes | io.BytesIO] = [
        pcap(packets, byteorder="big"),
        pcap(packets, ns=True),
        pcap(packets, modified=True),
        rewrapped(packets, byteorder=byteorder),
        gzip.compress(whole),
        io.BytesIO(whole),
    ]
    for wrapping in wrappings:
        assert fluxcap.read_flows(wrapping) == fluxcap.read_flows(whole)


def parts(packets: list[Record], cuts: list[int], by: str) -> list[FlowTable]:
    """Flow tables of the records between the cuts."""
    edges = [0, *sorted(min(cut, len(packets)) for cut in cuts), len(packets)]
    return [fluxcap.read_flows(pcap(packets[start:end]), by) for start, end in pairwise(edges)]


cut_lists = st.lists(st.integers(0, 12), min_size=2, max_size=2)


@pytest.mark.slow
@bounded
@given(packets=record_lists(FRAMES, in_order=True), cuts=cut_lists, by=keys())
def test_merging_is_associative(packets: list[Record], cuts: list[int], by: str) -> None:
    one, two, three = parts(packets, cuts, by)
    assert (one | two) | three == one | (two | three)
    assert (one | two) | three == fluxcap.merge([one, two, three])


@pytest.mark.slow
@bounded
@given(packets=record_lists(FRAMES, in_order=True), cuts=cut_lists, by=keys())
def test_merging_commutes_up_to_the_order_of_rows(packets: list[Record], cuts: list[int], by: str) -> None:
    one, two, three = parts(packets, cuts, by)
    try:
        turned = three | one | two
    except ValueError as refusal:
        if "time goes back" not in str(refusal):
            raise
    else:
        assert flow_rows(one | two | three) == flow_rows(turned)


@pytest.mark.slow
@bounded
@given(packets=record_lists(FRAMES), cuts=cut_lists, by=keys())
def test_merging_what_is_out_of_order_gives_what_reading_gives_or_nothing(
    packets: list[Record], cuts: list[int], by: str
) -> None:
    try:
        merged = reduce(operator.or_, parts(packets, cuts, by))
    except ValueError as refusal:
        if "time goes back" not in str(refusal):
            raise
    else:
        assert merged == fluxcap.read_flows(pcap(packets), by)


@pytest.mark.slow
@bounded
@given(packets=record_lists(FRAMES, in_order=True), cuts=cut_lists, by=keys())
def test_merging_the_parts_of_a_capture_gives_the_whole(packets: list[Record], cuts: list[int], by: str) -> None:
    merged, whole = reduce(operator.or_, parts(packets, cuts, by)), fluxcap.read_flows(pcap(packets), by)
    assert merged == whole
    assert merged.metadata["ledger"] == whole.metadata["ledger"]


@pytest.mark.parametrize("scale", [1, 3])
@bounded
@given(packets=record_lists(FRAMES, in_order=True), cuts=cut_lists)
def test_merging_with_an_idle_timeout_gives_the_whole(scale: int, packets: list[Record], cuts: list[int]) -> None:
    timeout = scale * 100e-6  # seconds; a tenth of the time that drawn captures span
    edges = [0, *sorted(min(cut, len(packets)) for cut in cuts), len(packets)]
    tables = [fluxcap.read_flows(pcap(packets[start:end]), idle_timeout=timeout) for start, end in pairwise(edges)]
    assert fluxcap.merge(tables) == fluxcap.read_flows(pcap(packets), idle_timeout=timeout)
