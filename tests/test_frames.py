"""Tables in pandas, polars and DuckDB, and the traps that lie between them."""

import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import fluxcap
from command import environment
from fluxcap import frames
from fluxcap.tables import Table
from test_arrow import CAPTURE, SOURCES, START

FRAME_LIBRARIES = ("pandas", "polars", "duckdb", "pyarrow", "nanoarrow", "arro3", "altair", "dask", "rich")


@pytest.fixture(scope="module")
def packets():
    return fluxcap.read_packets(CAPTURE)


@pytest.fixture(scope="module")
def flows():
    return fluxcap.read_flows(CAPTURE, by="ports")


def test_importing_and_reading_imports_none_of_the_frame_libraries():
    program = (
        "import sys, fluxcap\n"
        "table = fluxcap.read_flows(sys.stdin.buffer.read())\n"
        "repr(table), table._repr_html_(), table.__arrow_c_stream__()\n"
        f"print(sorted(set(sys.modules) & set({FRAME_LIBRARIES})))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=CAPTURE, capture_output=True, env=environment())
    assert (done.stdout, done.stderr) == (b"[]\n", b"")


def test_a_library_that_is_missing_is_named_with_what_brings_it(packets, monkeypatch):
    for method, package in (("to_pandas", "pandas"), ("to_polars", "polars"), ("to_arrow", "pyarrow")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
            getattr(packets, method)()


def test_a_library_that_lacks_something_itself_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "fluxcap_broken", None)
    monkeypatch.setattr(frames.importlib, "import_module", lambda name: __import__("fluxcap_broken"))
    with pytest.raises(ModuleNotFoundError, match="fluxcap_broken"):
        frames.wanted("pandas")


# pandas ---------------------------------------------------------------------------------------------------------------


def test_pandas_shares_the_memory_of_numbers_and_times(packets):
    frame = packets.to_pandas(labels=False)
    for name in packets.columns:
        if packets[name].ndim == 1:
            values = frame[name].array.view("i8") if name == "time" else frame[name].to_numpy()
            assert np.shares_memory(values, packets[name]), name


def test_pandas_says_the_same_as_arrow_in_every_form(packets):
    for form in ({}, {"labels": True}, {"labels": False}, {"ip": "binary"}):
        frame, table = packets.to_pandas(**form), packets.to_arrow(**form)
        for name in packets.columns:
            if name != "time":
                assert frame[name].tolist() == table[name].to_pylist(), name
    with pytest.raises(ValueError, match="IPv4 alone"):
        packets.to_pandas(ip="uint32")
    ipv4 = packets.filter(packets["ip_version"] == 4)
    assert ipv4.to_pandas(ip="uint32")["src_ip"].tolist() == ipv4.to_arrow(ip="uint32")["src_ip"].to_pylist()


def test_a_category_holds_only_what_occurs(packets):
    frame = packets.to_pandas(labels=True)
    assert list(frame["protocol"].cat.categories) == ["HOPOPT", "UDP"]
    assert frame["src_ip"].value_counts()["10.0.0.2"] == 2


def test_counts_stay_whole_numbers_in_pandas(flows):
    assert flows.to_pandas()["packets"].dtype == np.uint64
    largest = Table({"bytes": np.array([2**64 - 1, 0], np.uint64)})
    assert largest.to_pandas()["bytes"].tolist() == [2**64 - 1, 0]


def test_every_shape_of_dict_makes_a_pandas_frame_of_numbers(flows):
    assert pd.DataFrame(flows.to_dict())["dst_port"].tolist() == flows["dst_port"].tolist()


# polars ---------------------------------------------------------------------------------------------------------------


def test_polars_takes_a_table_as_it_is_and_shares_the_memory_of_numbers(packets):
    frame = pl.DataFrame(packets)
    assert frame.equals(packets.to_polars())
    assert frame["src_ip"].to_list() == SOURCES
    assert frame.filter(pl.col("verdict") == "good").height == np.count_nonzero(packets["verdict"] == 1)
    assert frame.schema["time"] == pl.Datetime("ns", "UTC")
    for name in ("packet", "wire_length", "tcp_window", "ttl"):
        assert np.shares_memory(frame[name].to_numpy(allow_copy=False), packets[name]), name


def test_polars_takes_a_table_twice(flows):
    first, second = pl.DataFrame(flows), pl.DataFrame(flows)
    assert first.height == second.height == len(flows)


# DuckDB ---------------------------------------------------------------------------------------------------------------


def test_duckdb_queries_a_table_by_the_name_of_its_variable(flows):
    total = duckdb.sql("SELECT dst_port, sum(packets) AS n FROM flows GROUP BY 1 ORDER BY n DESC").fetchall()
    assert sum(n for _, n in total) == int(flows["packets"].sum())
    assert duckdb.sql("SELECT count(*) FROM flows").fetchall() == [(len(flows),)]


def test_duckdb_queries_a_table_twice_and_joins_it_with_itself(packets):
    query = "SELECT count(*) FROM packets a JOIN packets b ON a.src_ip = b.dst_ip"
    sources, destinations = packets.to_arrow()["src_ip"].to_pylist(), packets.to_arrow()["dst_ip"].to_pylist()
    expected = sum(destinations.count(one) for one in sources)
    assert duckdb.sql(query).fetchall() == duckdb.sql(query).fetchall() == [(expected,)]


def test_times_keep_their_nanoseconds_and_zone_in_duckdb(packets):
    assert duckdb.sql("SELECT epoch_ns(time) FROM packets WHERE packet = 2").fetchall() == [(START + 1,)]
    assert str(duckdb.sql("SELECT min(time) FROM packets").fetchall()[0][0].tzinfo).endswith("UTC")  # by way of pytz


def test_names_and_addresses_are_texts_in_duckdb(packets):
    assert duckdb.sql("SELECT DISTINCT typeof(src_ip), typeof(verdict) FROM packets WHERE src_ip LIKE '10.%'")
    found = duckdb.sql("SELECT src_ip FROM packets WHERE disposition = 'non_ip' OR src_ip = '2001:db8::'").fetchall()
    assert sorted(found) == [("2001:db8::",), ("::",)]


# Checksum reports -----------------------------------------------------------------------------------------------------


def test_a_checksum_report_is_a_table_of_counts_by_header():
    report = fluxcap.read_checksums(CAPTURE)
    frame = report.to_pandas()
    assert frame["header"].tolist() == ["IPv4", "UDP"]
    assert frame["good"].tolist() == [4, 5]
    assert pl.DataFrame(report).to_dicts() == report.to_arrow().to_pylist() == frame.to_dict("records")
    assert duckdb.sql("SELECT good FROM report WHERE header = 'UDP'").fetchall() == [(5,)]


def test_a_report_without_checksums_has_the_same_columns():
    report, empty = fluxcap.read_checksums(CAPTURE), fluxcap.read_checksums(CAPTURE[:24])
    assert empty.to_arrow().schema.equals(report.to_arrow().schema)
    assert empty.to_pandas().empty
