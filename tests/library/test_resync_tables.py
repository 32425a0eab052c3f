"""Reading on behind damage in every way in which bytes come, and what results say of it."""

import functools
import random

import pytest

import fluxcap
from byte_ways import WAYS, written
from capture_files import Record, pcap
from damaged_captures import overwritten, places
from fluxcap.errors import DamagedCaptureWarning

SECOND = 1_000_000_000
FRAMES = [fluxcap.segment(bytes(at), ("192.0.2.1", 4000 + at), ("192.0.2.2", 53)) for at in range(30)]
SOUND = pcap([Record(frame, (1_700_000_000 + at) * SECOND) for at, frame in enumerate(FRAMES)])
LOST = (7, 19)
DAMAGED = functools.reduce(
    lambda octets, one: overwritten(octets, one.start, one.data, "ones", random.Random(0)),
    (places(SOUND)[number] for number in LOST),
    SOUND,
)
KEPT = pcap([Record(FRAMES[at], (1_700_000_000 + at) * SECOND) for at in range(30) if at not in LOST])
STRAYS = [(places(SOUND)[at].start, places(SOUND)[at].end - places(SOUND)[at].start) for at in LOST]


@pytest.mark.parametrize("options", [{}, {"threads": 4}, {"order": "time"}, {"ahead": 2}], ids=str)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_result_is_that_of_the_records_that_are_left_however_bytes_come(way, options, tmp_path):
    with way(DAMAGED, tmp_path) as src, pytest.warns(DamagedCaptureWarning) as caught:
        table = fluxcap.read_flows(src, on_damage="resync", **options)
    assert table == fluxcap.read_flows(KEPT)
    found = table.metadata
    assert [(offset, octets) for _, offset, octets in found["strays"]] == STRAYS
    assert [(one.packet, one.offset) for one in found["damage"]] == [(7, STRAYS[0][0]), (18, STRAYS[1][0])]
    assert found["damage"][0].reason == f"{STRAYS[0][1]} bytes are not a record; skipped"
    assert [one.message.error.skipped for one in caught] == [octets for _, octets in STRAYS]
    assert 24 + found["captured_octets"] + 16 * found["packets"] + sum(size for _, size in STRAYS) == len(DAMAGED)


@pytest.mark.filterwarnings("ignore::fluxcap.errors.DamagedCaptureWarning")
@pytest.mark.parametrize(
    "read",
    [
        fluxcap.read_packets,
        fluxcap.read_checksums,
        fluxcap.read_info,
        fluxcap.read_connections,
        fluxcap.read_sockets,
        fluxcap.read_hosts,
        lambda src, **options: fluxcap.read_timeline(src, "1s", **options),
    ],
)
def test_every_reading_function_reads_on(read):
    assert read(DAMAGED, on_damage="resync").metadata["packets"] == 28
    assert read(DAMAGED).metadata["packets"] == 7


@pytest.mark.filterwarnings("ignore::fluxcap.errors.DamagedCaptureWarning")
def test_an_aggregator_reads_on_with_bytes_cut_anywhere():
    flows = fluxcap.FlowAggregator(on_damage="resync")
    for at in range(0, len(DAMAGED), 37):
        flows.feed(DAMAGED[at : at + 37])
    flows.close()
    assert flows.result() == fluxcap.read_flows(KEPT)


@pytest.mark.filterwarnings("ignore::fluxcap.errors.DamagedCaptureWarning")
def test_what_is_extracted_has_no_stray_bytes_and_what_is_repaired_has_them_as_they_were(tmp_path):
    damaged = written(tmp_path / "x.pcap", DAMAGED)
    fluxcap.read_flows(damaged, on_damage="resync").extract(slice(None), tmp_path / "copy.pcap")
    assert (tmp_path / "copy.pcap").read_bytes() == KEPT
    fluxcap.repair(damaged, tmp_path / "repaired.pcap", on_damage="resync")
    assert (tmp_path / "repaired.pcap").read_bytes() == DAMAGED
    assert fluxcap.demux(damaged, tmp_path / "out", form="pcap", on_damage="resync").records == 28


def test_merged_tables_have_the_strays_of_both():
    with pytest.warns(DamagedCaptureWarning):
        one, other = (fluxcap.read_flows(DAMAGED, on_damage="resync") for _ in range(2))
    assert len((one | other).metadata["strays"]) == 4
