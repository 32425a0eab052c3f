"""Packets larger than memory in polars, DuckDB and pyarrow: read in batches, and only as far as needed."""

import io
import weakref
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import fluxcap
from capture_files import pcap, records
from fluxcap.tables import scan as packet_scan
from fluxcap.tables.packets import without_rows
from fluxcap.values.arrow import Stream, View
from six_packets import CAPTURE, PACKETS, SOURCES

MANY = 5000
ROWS = 100
LONG = pcap(records(fluxcap.segment(b"hello", ("192.0.2.1", 4000 + n % 7), ("192.0.2.2", 53)) for n in range(MANY)))
CUT = LONG[:-1]  # reading to its end gives a warning, which fails the test


@pytest.fixture
def scan():
    return fluxcap.scan_packets(LONG, batch_size=ROWS)


@pytest.fixture
def columns_read(monkeypatch):
    """Notes the columns of every reading."""
    read = []
    reading = packet_scan.Reading

    def watched(*how, columns, **options):
        read.append(tuple(columns))
        return reading(*how, columns=columns, **options)

    monkeypatch.setattr(packet_scan, "Reading", watched)
    return read


@pytest.mark.parametrize("form", [{}, {"labels": True}, {"labels": False}, {"ip": "binary"}], ids=str)
def test_a_scan_is_the_same_as_the_table_in_every_library(form):
    scan, packets = fluxcap.scan_packets(CAPTURE, batch_size=2), fluxcap.read_packets(CAPTURE)
    expected = packets.to_arrow(**form)
    assert scan.to_arrow(**form).read_all().to_pylist() == expected.to_pylist()
    assert scan.to_polars(**form).equals(packets.to_polars(**form))
    assert scan.lazy(**form).collect().equals(packets.to_polars(**form))
    assert scan.to_duckdb(**form).fetchall() == packets.to_duckdb(**form).fetchall()


def test_readers_of_arrow_take_a_scan_as_it_is_and_twice(scan):
    assert pa.table(scan).num_rows == pa.table(scan).num_rows == MANY
    assert pa.schema(scan) == pa.table(scan).schema
    query = "SELECT src_port, count(*) FROM scan GROUP BY ALL ORDER BY ALL"
    assert duckdb.sql(query).fetchall() == duckdb.sql(query).fetchall()
    assert sum(n for _, n in duckdb.sql(query).fetchall()) == MANY


def test_a_relation_is_executed_twice_and_on_a_connection_of_ones_own(scan):
    for relation in (scan.to_duckdb(), scan.to_duckdb(duckdb.connect())):
        for _ in range(2):
            assert relation.aggregate("count(*)").fetchall() == [(MANY,)]


def test_a_lazy_frame_is_collected_twice(scan):
    # A scan of an Arrow stream by polars itself is silently empty the second time.
    lazy = scan.lazy()
    for engine in ("in-memory", "streaming", "streaming"):
        assert lazy.select(pl.len()).collect(engine=engine).item() == MANY
    assert scan.to_polars(lazy=True).head(3).collect()["packet"].to_list() == [1, 2, 3]


def test_one_batch_after_the_other_is_handed_over_and_let_go(scan):
    alive: list[weakref.ref] = []
    most = 0

    def watched():
        nonlocal most
        for table in scan:
            alive.append(weakref.ref(table["packet"]))
            most = max(most, sum(one() is not None for one in alive))
            yield table

    stream = Stream(without_rows(scan.columns).to_dict(), watched(), {}, View())
    reader = pa.RecordBatchReader.from_stream(stream)
    assert sum(batch.num_rows for batch in reader) == MANY
    assert len(alive) == MANY // ROWS
    assert most <= 3


def test_the_head_of_a_lazy_frame_is_read_and_no_more():
    lazy = fluxcap.scan_packets(CUT, batch_size=ROWS).lazy()
    assert lazy.head(5).collect()["packet"].to_list() == [1, 2, 3, 4, 5]
    assert lazy.head(ROWS + 1).select("packet").collect().height == ROWS + 1
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        assert lazy.select("packet").collect().height == MANY - 1


def test_a_reader_that_stops_early_reads_no_further():
    reader = fluxcap.scan_packets(CUT, batch_size=ROWS).to_arrow()
    assert reader.read_next_batch().num_rows == ROWS
    reader.close()


def test_only_the_columns_of_a_query_are_read(scan, columns_read):
    lazy = scan.lazy()
    lazy.filter(pl.col("src_port") == 4000).select(pl.col("wire_length").sum()).collect()
    lazy.select(pl.len()).collect()
    assert sorted(columns_read[0]) == ["src_port", "wire_length"]
    assert len(columns_read[1]) == 1


def test_filters_and_slices_of_a_lazy_frame_are_those_of_a_frame(scan):
    lazy, frame = scan.lazy(), fluxcap.read_packets(LONG).to_polars()
    for query in (
        lambda f: f.filter(pl.col("src_port") == 4003).select("packet", "src_ip"),
        lambda f: f.filter(pl.col("src_port") == 4003).head(4),
        lambda f: f.head(250).filter(pl.col("src_port") == 4003),
        lambda f: f.slice(120, 30).select("packet"),
        lambda f: f.tail(3),
        lambda f: f.head(0),
        lambda f: f.group_by("src_port").agg(pl.col("wire_length").sum()).sort("src_port"),
    ):
        for engine in ("in-memory", "streaming"):
            assert query(lazy).collect(engine=engine).equals(query(frame))


def test_the_number_of_the_flow_comes_along(columns_read):
    scan = fluxcap.scan_packets(CAPTURE, by="hosts", batch_size=2)
    flows = [None if one == -1 else one for one in fluxcap.read_packets(CAPTURE, by="hosts")["flow"].tolist()]
    assert scan.lazy().select("flow").collect()["flow"].to_list() == flows
    assert scan.lazy().select("packet").collect().height == len(PACKETS)


def test_what_can_be_read_once_says_so_the_second_time():
    for twice in (lambda scan: scan.lazy().collect(), lambda scan: scan.to_arrow(), lambda scan: pa.table(scan)):
        scan = fluxcap.scan_packets(io.BytesIO(CAPTURE))
        assert pl.DataFrame(scan)["src_ip"].to_list() == SOURCES
        with pytest.raises((ValueError, pl.exceptions.ComputeError), match="can be read only once"):
            twice(scan)


def test_of_two_streams_of_what_can_be_read_once_the_second_says_so():
    scan = fluxcap.scan_packets(io.BytesIO(CAPTURE))
    first, second = scan.to_arrow(), scan.to_arrow()
    assert first.read_all().num_rows == len(PACKETS)
    with pytest.raises(OSError, match="can be read only once"):
        second.read_all()


def test_what_can_be_read_once_can_be_queried_once():
    for query in (
        lambda scan: duckdb.sql("SELECT src_ip FROM scan").fetchall(),
        lambda scan: scan.to_duckdb().project("src_ip").fetchall(),
        lambda scan: scan.lazy().select("src_ip").collect().rows(),
    ):
        assert [address for (address,) in query(fluxcap.scan_packets(io.BytesIO(CAPTURE)))] == SOURCES


def test_damage_that_is_to_raise_reaches_whoever_reads():
    scan = fluxcap.scan_packets(CUT, on_damage="raise")
    with pytest.raises(OSError, match="TruncatedError: <bytes>: cut short at byte"):
        scan.to_arrow().read_all()
    with pytest.raises((fluxcap.TruncatedError, pl.exceptions.ComputeError), match="cut short"):
        scan.lazy().collect()


def test_an_empty_capture_has_the_schema_and_no_rows(scan):
    empty = fluxcap.scan_packets(LONG[:24])
    assert empty.lazy().collect().schema == scan.lazy().collect_schema()
    assert pa.table(empty).schema.types == pa.table(scan).schema.types
    assert duckdb.sql("SELECT count(*) FROM empty").fetchall() == [(0,)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_is_closed_when_its_reader_is(tmp_path):
    path = tmp_path / "long.pcap"
    path.write_bytes(LONG)
    before = open_files()
    reader = fluxcap.scan_packets(path, batch_size=ROWS).to_arrow()
    reader.read_next_batch()
    assert open_files() > before
    reader.close()
    del reader
    assert open_files() == before


def test_batches_of_a_scan_are_counted_without_any_library(scan):
    counts = sum(np.bincount(batch["src_port"] - 4000, minlength=7) for batch in scan)
    assert counts.tolist() == [len(range(n, MANY, 7)) for n in range(7)]
