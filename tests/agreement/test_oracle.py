"""Packets and flows of the samples, and of drawn captures, equal those of the oracle."""

from pathlib import Path

import pytest
from hypothesis import given, settings

import fluxcap
from oracle import flow_table, observe
from oracle_terms import flow_rows, observations, without_none
from strategies import captures, simple_frames

SAMPLES = Path(__file__).parents[2] / "samples"
NOT_READ_BY_THE_ORACLE = {"damaged-record-length.pcap", "cut-inside-a-record.pcap", "verdicts-modified-header.pcap"}
CAPTURES = sorted(
    path
    for path in SAMPLES.iterdir()
    if path.suffix in (".pcap", ".pcapng") and path.name not in NOT_READ_BY_THE_ORACLE
)
COVERED_WHOLE = [path for path in CAPTURES if None not in observe(path.read_bytes())]
KEYS = ["5tuple", "ports", "hosts", "sockets", "src_ip/24/64,dst_ip/24/64", "protocol,src_ip/24,dst_port"]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_packets_of_a_sample_are_those_of_the_oracle(path: Path) -> None:
    expected = observe(path.read_bytes())
    found = observations(fluxcap.read_packets(path))
    assert len(found) == len(expected)
    assert [seen for seen, covered in zip(found, expected, strict=True) if covered] == [one for one in expected if one]


def test_the_oracle_covers_most_samples_whole() -> None:
    assert {"sender-computed-no-checksum.pcap", "veth-checksums-offloaded.pcap", "two-resolutions.pcapng"} <= {
        path.name for path in COVERED_WHOLE
    }


@pytest.mark.parametrize("biflow", [True, False], ids=["biflow", "uniflow"])
@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("path", COVERED_WHOLE, ids=lambda path: path.name)
def test_flows_of_a_sample_are_those_of_the_oracle(path: Path, by: str, biflow: bool) -> None:
    expected = flow_table((one for one in observe(path.read_bytes()) if one), by, biflow)
    found = flow_rows(fluxcap.read_flows(path, by, biflow=biflow))
    assert list(found.items()) == without_none(expected)


@settings(max_examples=150, deadline=None)
@given(capture=captures(simple_frames))
def test_packets_of_a_drawn_capture_are_those_of_the_oracle(capture: bytes) -> None:
    expected = observe(capture)
    found = observations(fluxcap.read_packets(capture))
    assert [seen for seen, covered in zip(found, expected, strict=True) if covered] == [one for one in expected if one]
