"""Packets and flows of one pass: the row of each packet."""

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from real_captures import SAMPLES
from three_flows import FRAMES, SHAPES

CAPTURES = sorted(SAMPLES.glob("*.pcap*"))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_flows_and_packets_of_one_pass_are_those_of_two(capture):
    flows, packets = fluxcap.read_flows(capture, packets=True)
    assert flows == fluxcap.read_flows(capture)
    assert packets == fluxcap.read_packets(capture, by="5tuple")
    in_flows = packets["flow"][packets["flow"] >= 0]
    assert np.array_equal(np.bincount(in_flows, minlength=len(flows)), flows["packets"] + flows["reverse_packets"])


@pytest.mark.parametrize("named", [["time", "verdict"], "time,verdict", ["time", "verdict", "flow"]])
def test_the_columns_of_the_packets_are_those_named_and_flow(named):
    _, packets = fluxcap.read_flows(SHAPES["us"], packets=named)
    assert packets.columns == ("time", "verdict", "flow")
    assert packets["flow"].tolist() == [0, 1, 0, 2, 1, 0]


@pytest.mark.parametrize("named", [[], ["tme"], ["time", "time"]])
def test_packet_columns_that_are_none_are_refused(named):
    with pytest.raises(ValueError, match="column"):
        fluxcap.read_flows(SHAPES["us"], packets=named)


def test_flows_by_another_key_number_the_packets_accordingly_and_those_in_none_are_minus_one():
    capture = pcap(records([FRAMES[0], b.ethernet(b"arp?", ethertype=0x0806), FRAMES[1]]))
    flows, packets = fluxcap.read_flows(capture, by="dst_port", packets=True)
    assert (len(flows), packets["flow"].tolist()) == (1, [0, -1, 0])


def test_what_was_read_before_damage_is_both_tables():
    with pytest.raises(fluxcap.TruncatedError) as caught:
        fluxcap.read_flows(SHAPES["us"][:-1], packets=True, on_damage="raise")
    flows, packets = caught.value.partial
    assert (len(flows), len(packets)) == (3, 5)
