"""Flows from bytes handed over in pieces."""

import warnings
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records, rewrapped
from fluxcap.errors import DamagedCaptureWarning, NotACaptureError, TruncatedError

PACKETS = [fluxcap.segment(bytes(port), ("192.0.2.1", 4000 + port % 3), ("192.0.2.2", 53)) for port in range(12)]
CAPTURES = {"pcap": pcap(records(PACKETS), ns=True), "pcapng": rewrapped(records(PACKETS))}
CAPTURE = CAPTURES["pcap"]


@pytest.mark.parametrize("name", CAPTURES)
@given(cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_wherever_the_octets_are_split_the_flows_are_the_same(name, cuts):
    capture = CAPTURES[name]
    edges = [0, *sorted(cuts), len(capture)]
    with fluxcap.FlowAggregator("ports") as flows:
        for start, end in pairwise(edges):
            flows.feed(memoryview(capture)[start:end])
    assert flows.result() == fluxcap.read_flows(capture, "ports")


@pytest.mark.parametrize(
    "asked",
    [{"features": True}, {"splt": 3}, {"payload": 9}, {"server_names": True}, {"threads": 1}, {"threads": 2}],
    ids=str,
)
def test_it_takes_the_options_of_read_flows(asked):
    capture = CAPTURE + CAPTURE[24:] * 1500  # more than the mebibyte after which threads join
    with fluxcap.FlowAggregator("ports", **asked) as flows:
        flows.feed(capture)
    whole = fluxcap.read_flows(capture, "ports", **asked)
    assert flows.result() == whole
    assert flows.result().metadata == whole.metadata | {"inputs": ["<feed>"]}


@pytest.mark.parametrize("wrong", [{"splt": -1}, {"splt": 256}, {"payload": -1}, {"threads": 0}], ids=str)
def test_it_refuses_what_read_flows_refuses(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fluxcap.FlowAggregator(**wrong)


def test_octets_may_come_one_at_a_time():
    flows = fluxcap.FlowAggregator(interval="5ms", biflow=False)
    for octet in CAPTURE:
        flows.feed(bytes([octet]))
    flows.close()
    assert flows.result() == fluxcap.read_flows(CAPTURE, interval="5ms", biflow=False)


def test_a_result_in_between_counts_complete_records_and_disturbs_nothing():
    flows = fluxcap.FlowAggregator()
    record = 16 + len(PACKETS[0])
    flows.feed(CAPTURE[: 24 + record + 5])
    for _ in range(2):
        early = flows.result()
        assert early.metadata["packets"] == 1
        assert early.metadata["damage"] == []
    flows.feed(CAPTURE[24 + record + 5 :])
    flows.close()
    assert flows.result() == fluxcap.read_flows(CAPTURE)
    assert early.metadata["packets"] == 1


FRAGMENTS = [
    b.ethernet(b.ipv4(part, "192.0.2.1", "192.0.2.2", b.UDP, offset=at, more=more))
    for at, more, part in b.pieces(b.udp(bytes(40), 4000, 53).over(bytes(4), bytes(4)), 16)
]
ERROR = b.ethernet(b.ipv4(b.icmp(PACKETS[0][14:], 3, 3, bytes(4)), "192.0.2.2", "192.0.2.1"))


def test_a_fragment_that_waits_holds_back_none_of_two_thousand_records_behind_it():
    flows = fluxcap.FlowAggregator()
    flows.feed(pcap(records([FRAGMENTS[1], *PACKETS * 167, FRAGMENTS[0]]))[:-1])
    table = flows.result()
    assert (table.metadata["packets"], table["packets"].sum()) == (2005, 2005)
    assert table.metadata["ledger"]["orphan_fragment"][0] == 1


@pytest.mark.parametrize(
    "asked",
    [{}, {"features": True, "splt": 3, "payload": 9}, {"idle_timeout": "1ms"}, {"semantics": "zeek"}, {"max_flows": 3}],
    ids=str,
)
def test_a_result_in_between_is_the_table_of_what_has_come(asked):
    frames = [FRAGMENTS[2], ERROR, *PACKETS[:5], FRAGMENTS[1], ERROR, *PACKETS, FRAGMENTS[0], *FRAGMENTS, *PACKETS]
    capture = pcap(records(frames))
    ends = [24, *accumulate((16 + len(frame) for frame in frames), initial=24)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*stopped at max_flows")
        flows = fluxcap.FlowAggregator(**asked)
        for start, end in pairwise([0, *ends]):
            flows.feed(capture[start:end])
            whole = fluxcap.read_flows(capture[:end], **asked)
            assert flows.result() == whole
            assert flows.result().metadata["ledger"] == whole.metadata["ledger"]


def test_only_the_end_makes_an_incomplete_record_damage():
    with pytest.warns(DamagedCaptureWarning, match="<feed>: cut short") as caught:  # noqa: SIM117
        with fluxcap.FlowAggregator() as flows:
            flows.feed(CAPTURE[:-1])
    assert caught[0].filename == __file__
    assert flows.result().metadata["packets"] == len(PACKETS) - 1
    flows.close()  # a second call does nothing


def test_on_request_damage_raises_with_the_table_on_the_exception():
    flows = fluxcap.FlowAggregator(on_damage="raise")
    flows.feed(CAPTURE[:-1])
    with pytest.raises(TruncatedError) as caught:
        flows.close()
    assert caught.value.partial == flows.result()
    assert caught.value.partial.metadata["packets"] == len(PACKETS) - 1


def test_octets_after_damage_are_not_read():
    flows = fluxcap.FlowAggregator()
    with pytest.warns(DamagedCaptureWarning):
        flows.feed(CAPTURE + b"\xff" * 40)
    flows.feed(CAPTURE[24:])
    flows.close()
    assert flows.result().metadata["packets"] == len(PACKETS)


def test_octets_after_max_flows_are_not_read():
    flows = fluxcap.FlowAggregator(max_flows=2)
    with pytest.warns(UserWarning, match="stopped at max_flows"):
        flows.feed(CAPTURE)
    flows.feed(pcap(records(PACKETS[:2] * 200))[24:])
    flows.close()
    assert flows.result()["packets"].tolist() == [1, 1]
    assert flows.result().metadata["flows_full"] is True


def test_what_is_no_capture_is_refused_as_soon_as_it_is_seen():
    flows = fluxcap.FlowAggregator()
    flows.feed(b"pl")
    with pytest.raises(NotACaptureError, match="text"):
        flows.feed(b"ain text")
    with pytest.raises(NotACaptureError, match="gzip data"):
        fluxcap.FlowAggregator().feed(b"\x1f\x8b\x08\x00")
    with pytest.raises(NotACaptureError, match="empty"):
        fluxcap.FlowAggregator().close()


def test_an_exception_in_the_with_block_is_not_replaced():
    def fail_midway() -> None:
        with fluxcap.FlowAggregator() as flows:
            flows.feed(CAPTURE[:-1])
            raise KeyError("of the caller")

    with pytest.raises(KeyError, match="of the caller"):
        fail_midway()


def test_a_closed_aggregator_takes_no_more_octets():
    flows = fluxcap.FlowAggregator()
    flows.feed(CAPTURE)
    flows.close()
    with pytest.raises(ValueError, match="closed"):
        flows.feed(b"")
