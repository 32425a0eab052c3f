"""The columns of CICFlowMeter equal what plain Python makes of the packets of each flow, and flows end as its do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import command_line
import fluxcap
from activity_of_packets import SECOND, flows_with_packets
from capture_files import Record, pcap, records
from cicflowmeter_columns import numbers
from client_and_server import A, F, R, S, client, datagram, opened, server
from real_captures import SAMPLES

ASKED = {"semantics": "cicflowmeter", "features": True, "activity": True}
WHOLE = [path for path in sorted(SAMPLES.glob("*.pcap*")) if not path.name.startswith(("cut-inside", "damaged"))]
# FlowFeature.java of CICFlowMeter 4: its header line, without the label.
HEADER = (
    "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,Total Fwd Packet,Total Bwd packets,"
    "Total Length of Fwd Packet,Total Length of Bwd Packet,Fwd Packet Length Max,Fwd Packet Length Min,"
    "Fwd Packet Length Mean,Fwd Packet Length Std,Bwd Packet Length Max,Bwd Packet Length Min,Bwd Packet Length Mean,"
    "Bwd Packet Length Std,Flow Bytes/s,Flow Packets/s,Flow IAT Mean,Flow IAT Std,Flow IAT Max,Flow IAT Min,"
    "Fwd IAT Total,Fwd IAT Mean,Fwd IAT Std,Fwd IAT Max,Fwd IAT Min,Bwd IAT Total,Bwd IAT Mean,Bwd IAT Std,Bwd IAT Max,"
    "Bwd IAT Min,Fwd PSH Flags,Bwd PSH Flags,Fwd URG Flags,Bwd URG Flags,Fwd Header Length,Bwd Header Length,"
    "Fwd Packets/s,Bwd Packets/s,Packet Length Min,Packet Length Max,Packet Length Mean,Packet Length Std,"
    "Packet Length Variance,FIN Flag Count,SYN Flag Count,RST Flag Count,PSH Flag Count,ACK Flag Count,URG Flag Count,"
    "CWR Flag Count,ECE Flag Count,Down/Up Ratio,Average Packet Size,Fwd Segment Size Avg,Bwd Segment Size Avg,"
    "Fwd Bytes/Bulk Avg,Fwd Packet/Bulk Avg,Fwd Bulk Rate Avg,Bwd Bytes/Bulk Avg,Bwd Packet/Bulk Avg,Bwd Bulk Rate Avg,"
    "Subflow Fwd Packets,Subflow Fwd Bytes,Subflow Bwd Packets,Subflow Bwd Bytes,FWD Init Win Bytes,Bwd Init Win Bytes,"
    "Fwd Act Data Pkts,Fwd Seg Size Min,Active Mean,Active Std,Active Max,Active Min,Idle Mean,Idle Std,Idle Max,"
    "Idle Min"
)
ENDS = ("Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp")

segments = st.builds(
    lambda side, flags, size: side(flags, 1, size),
    st.sampled_from([client, server]),
    st.sampled_from([S, S | A, A, A | 8, F | A, R, A | 0x20, A | 0x40, A | 0x80]),
    st.sampled_from([0, 0, 1, 700]),
)
silences = st.sampled_from([0, 1_000, 700_000_000, 2 * SECOND, 6 * SECOND, 60 * SECOND])


def check(data: bytes) -> int:
    """Compare the columns of each flow whose times go forward; gives how many were compared."""
    flows, packets = flows_with_packets(data, **ASKED)
    table, compared = fluxcap.cicflowmeter(flows), 0
    for row, own in packets.items():
        if own[0].time == fluxcap.NO_TIME or any(after.time < before.time for before, after in pairwise(own)):
            continue
        expected = numbers(own)
        assert {*expected, *ENDS} == {*table.columns}
        found = {name: float(table[name][row]) for name in expected}
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)
        compared += 1
    return compared


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_each_column_is_what_the_packets_of_a_flow_give(path):
    check(path.read_bytes())


def test_most_flows_of_the_samples_are_compared():
    assert sum(check(path.read_bytes()) for path in WHOLE) > 150


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(segments | st.builds(datagram, st.booleans()), silences), max_size=30))
def test_each_column_of_any_flow_is_what_its_packets_give(entries):
    times = np.cumsum([1_700_000_000 * SECOND, *(silence for _, silence in entries)])[1:].tolist()
    frames = (bytes(frame) for frame, _ in entries)
    check(pcap([Record(frame, time) for frame, time in zip(frames, times, strict=True)], ns=True))


def test_the_names_and_their_order_are_those_of_version_4():
    assert ",".join(fluxcap.cicflowmeter(fluxcap.read_flows(WHOLE[0], **ASKED)).columns) == HEADER


def test_the_ends_are_told_in_the_direction_of_the_flow():
    table = fluxcap.cicflowmeter(fluxcap.read_flows(pcap(records([client(S, 1)])), **ASKED)).to_pandas()
    assert table[[*ENDS[:-1]]].values.tolist() == [
        ["192.0.2.1-192.0.2.2-40000-80-6", "192.0.2.1", 40000, "192.0.2.2", 80, 6]
    ]


def test_a_table_without_what_they_are_made_of_has_none_of_these_columns(tmp_path):
    for options in ({}, {"features": True}, {"activity": True}, {**ASKED, "semantics": None, "biflow": False}):
        with pytest.raises(ValueError, match="with features and activity"):
            fluxcap.cicflowmeter(fluxcap.read_flows(WHOLE[0], **options))
    with pytest.raises(ValueError, match="with features and activity"):
        fluxcap.read_packets(WHOLE[0]).write(tmp_path / "p.csv", names="cicflowmeter")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_command_and_the_library_write_the_same_file(tmp_path, suffix):
    made, typed = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    path = SAMPLES / "session.pcap"
    fluxcap.read_flows(path, **ASKED).write(made, names="cicflowmeter")
    asked = ("flows", str(path), "--semantics", "cicflowmeter", "--names", "cicflowmeter", "-o", str(typed))
    assert command_line.fluxcap(*asked).returncode == 0
    assert (
        pl.read_parquet(made).equals(pl.read_parquet(typed))
        if suffix == "parquet"
        else (made.read_bytes() == typed.read_bytes() and made.read_text().startswith(HEADER))
    )


def test_the_command_writes_flows_as_they_end_under_these_names():
    asked = (
        "flows",
        str(SAMPLES / "session.pcap"),
        "--semantics",
        "cicflowmeter",
        "--names",
        "cicflowmeter",
        "-f",
        "csv",
    )
    whole, as_they_end = (command_line.fluxcap(*asked, *more).stdout for more in ((), ("--as-they-end",)))
    assert sorted(whole.splitlines()) == sorted(as_they_end.splitlines())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("flows", "--names", "cicflowmeter", "--columns", "packets", "-f", "csv"), "has columns of its own"),
        (("packets", "--names", "cicflowmeter", "-f", "csv"), "unknown scheme of names 'cicflowmeter'"),
        (("flows", "--names", "cicflowmeter", "--by", "hosts", "-f", "csv"), "of flows by 5tuple"),
        (("flows", "--names", "cicflowmeter", "-f", "table"), "--names is for what programs read"),
    ],
)
def test_what_has_no_such_columns_is_refused(typed, said):
    done = command_line.fluxcap(*typed, str(SAMPLES / "session.pcap"))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_flows_end_after_two_minutes_or_with_their_connection_and_keep_their_source():
    frames = [*opened(), server(A, 901, 5), client(A, 102), server(F | A, 906), client(F | A, 102), client(S, 500)]
    times = [0, 1, 2, 119, 121, 122, 123, 124]
    capture = pcap([Record(bytes(one), at * SECOND) for one, at in zip(frames, times, strict=True)])
    flows = fluxcap.read_flows(capture, semantics="cicflowmeter")
    assert flows["packets"].tolist() == [2, 2, 1]
    assert flows["reverse_packets"].tolist() == [2, 1, 0]
    assert flows["end_reason"].tolist() == [2, 3, 4]
    turned = pcap([Record(bytes(one), at * SECOND) for one, at in ((client(S, 1), 0), (server(A, 1), 130))])
    assert fluxcap.read_flows(turned, semantics="cicflowmeter")["src_port"].tolist() == [40000, 40000]
    assert fluxcap.read_flows(turned, active_timeout=120)["src_port"].tolist() == [40000, 80]


def test_the_metadata_says_what_ends_a_flow():
    metadata = fluxcap.read_flows(WHOLE[0], semantics="cicflowmeter").metadata
    said = ("end", "active_timeout", "idle_timeout", "direction", "bytes")
    assert [metadata[name] for name in said] == ["tcp", 120 * SECOND, 0, "first packet", "frame"]
    assert fluxcap.read_flows(WHOLE[0], by="hosts", semantics="cicflowmeter").metadata["end"] is None
    assert fluxcap.read_connections(WHOLE[0], semantics="cicflowmeter").metadata["end"] is None
