"""Records without a time in tables: null wherever values can be missing, in numpy the number that it reads as NaT."""

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import builders as b
import fluxcap
from capture_files import enhanced_packet, interface, pcapng, simple_packet
from client_and_server import PORT, SERVER, A, client, opened

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
WRITTEN = "2023-11-14T22:13:20.000000000Z"
TIMES = [None, START, None, START + 3, None, START + 1]
PORTS = [1, 2, 1, 2, 1, 3]


def capture(frames, times) -> bytes:
    """A record of each frame, at its time or without one."""
    each = zip(frames, times, strict=True)
    blocks = (simple_packet(frame) if time is None else enhanced_packet(frame, time) for frame, time in each)
    return pcapng(interface(tsresol=9), *blocks)


def datagram(port: int, checksum: int | None = None) -> bytes:
    return b.ethernet(b.ipv4(b.udp(b"?", port, 53, checksum=checksum)))


CAPTURE = capture(map(datagram, PORTS), TIMES)
FIRST = [None, START, START + 1]  # of the flows


@pytest.fixture(scope="module")
def packets():
    return fluxcap.read_packets(CAPTURE)


@pytest.fixture(scope="module")
def flows():
    return fluxcap.read_flows(CAPTURE)


def test_numpy_has_the_number_that_it_reads_as_no_time(packets, flows):
    assert np.isnat(packets["time"].view("M8[ns]")).tolist() == [time is None for time in TIMES]
    assert np.isnat(flows["first"].view("M8[ns]")).tolist() == [True, False, False]
    assert np.isnat(flows["last"].view("M8[ns]")).tolist() == [True, False, False]
    assert np.datetime64("NaT", "ns").view(np.int64) == fluxcap.NO_TIME


def nanoseconds(values: Any) -> list[int | None]:
    return [None if value is None else int(value) for value in values]


def test_data_frames_have_null(packets, flows):
    for table, name, expected in ((packets, "time", TIMES), (flows, "first", FIRST)):
        column = table.to_arrow()[name]
        assert nanoseconds(column.cast(pa.int64()).to_pylist()) == expected
        assert column.null_count == expected.count(None)
        column.validate(full=True)
        series = table.to_polars()[name]
        assert (series.null_count(), nanoseconds(series.cast(pl.Int64))) == (expected.count(None), expected)
        frame = table.to_pandas()[name]
        assert frame.isna().tolist() == [time is None for time in expected]
        assert frame.dropna().astype("int64").tolist() == [time for time in expected if time is not None]
        relation = table.to_duckdb()
        assert [row[0] for row in relation.project(f"epoch_ns({name})").fetchall()] == expected
        assert relation.aggregate(f"count({name})").fetchall() == [(len(expected) - expected.count(None),)]


def test_a_table_of_more_rows_than_a_byte_has_bits_has_its_nulls_where_they_are():
    times = [None if at % 3 == 0 or at % 7 == 0 else START + at for at in range(1001)]
    packets = fluxcap.read_packets(capture([datagram(1)] * len(times), times), columns="time")
    assert nanoseconds(packets.to_arrow()["time"].cast(pa.int64()).to_pylist()) == times
    assert nanoseconds(packets.to_polars()["time"].cast(pl.Int64)) == times
    part = packets.filter(np.arange(1001) % 2 == 1)
    assert nanoseconds(part.to_arrow()["time"].cast(pa.int64()).to_pylist()) == times[1::2]


def test_a_scan_has_null_in_every_batch():
    scan = fluxcap.scan_packets(CAPTURE, columns="time", batch_size=4)
    assert nanoseconds(pa.table(scan)["time"].cast(pa.int64()).to_pylist()) == TIMES
    assert nanoseconds(scan.to_polars()["time"].cast(pl.Int64)) == TIMES
    assert nanoseconds(scan.lazy().collect()["time"].cast(pl.Int64)) == TIMES


def test_files_have_null_or_nothing(flows, tmp_path):
    def written(suffix: str) -> Path:
        flows.write(tmp_path / f"flows{suffix}")
        return tmp_path / f"flows{suffix}"

    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        with written(suffix).open(newline="") as file:
            cells = list(csv.DictReader(file, delimiter=delimiter))
        assert [(row["first"], row["last"]) for row in cells[:2]] == [("", ""), (WRITTEN, WRITTEN[:-2] + "3Z")]
    about = json.loads(written(".json").read_text())
    lines = [json.loads(line) for line in written(".ndjson").read_text().splitlines()]
    for rows in (about["rows"], lines):
        assert [(row["first"], row["last"]) for row in rows[:2]] == [(None, None), (WRITTEN, WRITTEN[:-2] + "3Z")]
    assert (about["first"], about["without_time"]) == (WRITTEN, 3)
    parquet = pq.read_table(written(".parquet"))
    assert nanoseconds(parquet["first"].cast(pa.int64()).to_pylist()) == FIRST
    for suffix, open_ in ((".arrow", pa.ipc.open_file), (".arrows", pa.ipc.open_stream)):
        table = open_(written(suffix).read_bytes()).read_all()
        assert nanoseconds(table["first"].cast(pa.int64()).to_pylist()) == FIRST
    assert np.load(written(".npz"))["first"].tolist() == [fluxcap.NO_TIME, *FIRST[1:]]
    for path in tmp_path.iterdir():
        if path.suffix in (".csv", ".tsv", ".json", ".ndjson"):
            assert "1677" not in path.read_text()
            assert "1970" not in path.read_text()


def test_parquet_written_from_python_reads_back_with_null_in_pandas(flows, tmp_path):
    flows.write(tmp_path / "flows.parquet")
    frame = pd.read_parquet(tmp_path / "flows.parquet")
    assert frame["first"].isna().tolist() == [True, False, False]


@pytest.mark.parametrize("descending", [False, True])
def test_rows_without_a_time_are_last_in_either_order(flows, packets, descending):
    known = sorted((time for time in TIMES if time is not None), reverse=descending)
    assert packets.sort("time", descending)["time"].tolist() == known + [fluxcap.NO_TIME] * 3
    assert flows.sort("first", descending)["src_port"].tolist()[-1] == 1
    numbers = packets.sort(["time", "packet"], descending)["packet"].tolist()
    assert numbers[3:] == ([5, 3, 1] if descending else [1, 3, 5])


def test_cards_and_tables_for_people_leave_the_place_blank(flows, tmp_path):
    html = flows._repr_html_()
    flows.write(tmp_path / "flows.txt")
    for shown in (html, (tmp_path / "flows.txt").read_text()):
        assert "1970" not in shown
        assert "1677" not in shown
        assert "-9223372036854775808" not in shown
    assert "2023-11-14" in html


def test_a_table_of_no_times_is_shown_and_written(tmp_path):
    capture_ = capture(map(datagram, PORTS), [None] * len(PORTS))
    for table in (fluxcap.read_flows(capture_), fluxcap.read_packets(capture_), fluxcap.read_connections(capture_)):
        for suffix in (".txt", ".csv", ".json", ".parquet"):
            table.write(tmp_path / f"table{suffix}")
        assert (table.metadata["first"], table.metadata["last"], table.metadata["without_time"]) == (None, None, 6)
        assert "no time" in table._repr_html_()
    about = json.loads((tmp_path / "table.json").read_text())
    assert (about["first"], about["last"]) == (None, None)
    assert {row["first"] for row in about["rows"]} == {None}


def test_the_metadata_say_once_how_many_of_how_many_and_why():
    far = interface(tsresol=9, tsoffset=1 << 40)
    simple, out_of_range = simple_packet(datagram(1)), enhanced_packet(datagram(1), 0, 1)
    timed = enhanced_packet(datagram(1), START)

    def hints(*blocks) -> list[str]:
        return fluxcap.read_flows(pcapng(interface(tsresol=9), far, *blocks)).metadata["hints"]

    assert hints(timed) == []
    assert hints(simple, timed, simple) == ["2 of 3 records have no time (simple packet blocks): null"]
    assert hints(out_of_range) == [
        "1 of 1 record has no time (outside the years 1677 to 2262 of 64-bit nanoseconds): null"
    ]
    (both,) = hints(simple, out_of_range, simple, *[timed] * 1000)
    assert both.startswith("3 of 1,003 records have no time (2 simple packet blocks, 1 outside the years 1677 to 2262")


# What is made of flows ------------------------------------------------------------------------------------------------


def merged_and_together(*parts: bytes, **options):
    tables = [fluxcap.read_flows(part, **options) for part in parts]
    return fluxcap.merge(tables), fluxcap.read_flows(list(parts), **options)


PARTS = [
    capture(map(datagram, (1, 2, 1)), (None, START, None)),
    capture(map(datagram, (1, 3, 2)), (START + 5, None, None)),
    capture(map(datagram, (3, 4)), (None, START + 9)),
]


@pytest.mark.parametrize("options", [{}, {"interval": "1s"}, {"by": "src_port"}, {"by": "ports"}], ids=str)
def test_merged_tables_are_what_their_captures_give_together(options):
    merged, together = merged_and_together(*PARTS, **options)
    assert merged == together
    for name in ("first", "last", "without_time", "in_order"):
        assert merged.metadata[name] == together.metadata[name]
    assert merged.metadata["without_time"] == 5
    back = fluxcap.merge([pickle.loads(pickle.dumps(fluxcap.read_flows(part, **options))) for part in PARTS])
    assert back == together


def test_tables_whose_records_have_no_time_do_not_merge_with_an_idle_timeout():
    with pytest.raises(ValueError, match="without a time do not merge with an idle timeout"):
        merged_and_together(*PARTS, idle_timeout=2)
    merged, together = merged_and_together(PARTS[0], capture([datagram(1)], [START + 9 * SECOND]), idle_timeout=2)
    assert merged == together


def test_a_direction_that_no_time_contradicts_is_no_reason_to_refuse_a_merge():
    forth, back = b.udp(b"", 1, 53), b.udp(b"", 53, 1)
    question = b.ethernet(b.ipv4(forth, "192.0.2.1", "192.0.2.2"))
    answer = b.ethernet(b.ipv4(back, "192.0.2.2", "192.0.2.1"))
    for times in ((START, None), (None, START), (None, None)):
        merged, together = merged_and_together(
            *(capture([frame], [time]) for frame, time in zip((question, answer), times, strict=True))
        )
        assert merged == together
        assert (merged["packets"].tolist(), merged["reverse_packets"].tolist()) == ([1], [1])


def test_an_aggregator_gives_the_same():
    aggregator = fluxcap.FlowAggregator(interval="1s")
    for at in range(len(CAPTURE)):
        aggregator.feed(CAPTURE[at : at + 1])
    aggregator.close()
    assert aggregator.result() == fluxcap.read_flows(CAPTURE, interval="1s")


def test_a_socket_is_first_seen_in_a_record_with_a_time():
    sockets = fluxcap.read_sockets(CAPTURE)
    found = {name: sockets[name].tolist() for name in ("port", "first", "last")}
    assert found == {
        "port": [1, 53, 2, 3],
        "first": [fluxcap.NO_TIME, START, START, START + 1],
        "last": [fluxcap.NO_TIME, START + 3, START + 3, START + 1],
    }


def test_the_calls_of_a_socket_have_no_time_where_their_records_have_none():
    frames = [*opened(), client(A, 101, 5)]
    life = fluxcap.read_life(capture(frames, [None] * len(frames)), f"{SERVER}:{PORT}")
    assert len(life)
    assert set(life["time"].tolist()) == {fluxcap.NO_TIME}
    assert life.to_pandas()["time"].isna().all()


def test_a_bad_checksum_without_a_time_is_listed_with_null():
    report = fluxcap.read_checksums(capture([datagram(1, 0xBAD), datagram(1, 0xBAD)], [None, START]))
    assert [one["time"] for one in report.to_dict()["bad"]] == [None, WRITTEN]


def test_a_survey_has_no_duration_where_no_record_has_a_time():
    info = fluxcap.read_info(capture(map(datagram, PORTS), [None] * len(PORTS)))
    assert (info.first, info.last, info.duration) == (None, None, None)
    assert (info.packets_per_second, info.octets_per_second, info.in_order) == (None, None, True)
    info = fluxcap.read_info(CAPTURE)
    assert (info.first, info.last, info.duration, info.anomalies["without_time"]) == (START, START + 3, 3, 3)
