"""Tables in pandas, polars and DuckDB, and the traps that lie between them."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fluxcap
from command_line import environment
from fluxcap import _core
from fluxcap.tables import requirements
from fluxcap.tables.table import Table
from six_packets import CAPTURE, SOURCES, START

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
        f"print(sorted(set(sys.modules) & set({(*FRAME_LIBRARIES, 'multiprocessing')})))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=CAPTURE, capture_output=True, env=environment())
    assert (done.stdout, done.stderr) == (b"[]\n", b"")


def test_a_library_that_is_missing_is_named_with_what_brings_it(packets, monkeypatch):
    for method, package, extra in (
        ("to_pandas", "pandas", "pandas"),
        ("to_polars", "polars", "polars"),
        ("to_arrow", "pyarrow", "arrow"),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(
            ModuleNotFoundError, match=rf"needs the package {package}; run `pip install 'fluxcap\[{extra}\]'`"
        ):
            getattr(packets, method)()


def test_a_library_that_lacks_something_itself_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "fluxcap_broken", None)
    monkeypatch.setattr(requirements.importlib, "import_module", lambda name: __import__("fluxcap_broken"))
    with pytest.raises(ModuleNotFoundError, match="fluxcap_broken"):
        requirements.wanted("pandas")


# package, a version that is too old, what hands a table to it
TOO_OLD = [
    ("pandas", "2.1.4", lambda table: table.to_pandas()),
    ("polars", "1.32.3", lambda table: table.to_polars()),
    ("polars", "1.32.3", lambda table: fluxcap.scan_packets(CAPTURE).lazy()),
    ("pyarrow", "15.0.2", lambda table: table.to_arrow()),
    ("duckdb", "1.3.2", lambda table: table.to_duckdb()),
    ("duckdb", "1.4.5", lambda table: table.to_duckdb(duckdb.connect())),
]


@pytest.mark.parametrize("case", TOO_OLD, ids=lambda case: f"{case[0]} {case[1]}")
def test_a_library_older_than_the_project_admits_is_refused_with_what_to_do(packets, monkeypatch, case):
    package, there, hand_over = case
    monkeypatch.setattr(requirements.metadata, "version", lambda name: there)
    least = next(one for one in requirements.metadata.requires("fluxcap") if one.startswith(f"{package}>="))
    wanted = re.escape(least.partition(";")[0].removeprefix(f"{package}>="))
    with pytest.raises(
        ImportError, match=rf"needs {package} {wanted} or newer, and {there} is installed; run `pip install"
    ):
        hand_over(packets)


# Losses on the way between libraries ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything():
    """Tables with every possible column."""
    columns = (*_core.PACKET_COLUMNS, *_core.EXTRA_COLUMNS)
    keys = ",".join(_core.KEY_FIELDS)
    return fluxcap.read_packets(CAPTURE, columns=columns), fluxcap.read_flows(CAPTURE, keys, interval="1m")


def test_no_column_is_a_duration_and_only_times_addresses_and_rows_of_flows_can_be_missing(everything):
    # DuckDB cuts a duration to microseconds, and pandas turns Arrow's integers into floats where one is missing.
    rows = ("flow", "quoted_flow")
    for table in everything:
        for field in pa.schema(table):
            assert not pa.types.is_duration(field.type)
            assert field.nullable is (pa.types.is_timestamp(field.type) or field.name in ("src_ip", "dst_ip", *rows))
        by_way_of_arrow = pa.table(table).to_pandas()
        assert {name for name, dtype in by_way_of_arrow.dtypes.items() if dtype.kind == "f"} <= {*rows}
        for name in table.columns:
            if name in rows:
                assert table.to_pandas()[name].dtype == "Int64"
            elif pa.types.is_integer(pa.schema(table).field(name).type):
                assert by_way_of_arrow[name].dtype == table.to_pandas()[name].dtype == table[name].dtype


def nulls(values: pd.Series) -> list:
    """The values of pandas, None where it has nothing."""
    return values.astype(object).where(values.notna(), None).tolist()


def test_every_column_reaches_every_library_with_the_same_values(everything):
    for table in everything:
        expected = table.to_arrow().to_pydict()
        types = {field.name: field.type for field in table.to_arrow().schema}
        times = [name for name in table.columns if types[name] == pa.timestamp("ns", "UTC")]
        polars, pandas, duck = table.to_polars(), table.to_pandas(), table.to_duckdb()
        for name in table.columns:
            if name in times:
                expected[name] = table[name].tolist()
                assert polars[name].dt.epoch("ns").to_list() == expected[name], name
                assert pandas[name].astype("int64").tolist() == expected[name], name
                assert duck.project(f'epoch_ns("{name}")').fetchnumpy().popitem()[1].tolist() == expected[name], name
            else:
                assert polars[name].to_list() == nulls(pandas[name]) == expected[name], name
                assert [value for (value,) in duck.project(f'"{name}"').fetchall()] == expected[name], name


TO_THE_NANOSECOND = {
    "pandas": lambda table, folder: table.to_pandas()["time"].astype("int64").tolist(),
    "polars": lambda table, folder: table.to_polars()["time"].cast(pl.Int64).to_list(),
    "polars, lazily": lambda table, folder: (
        fluxcap.scan_packets(CAPTURE).lazy().collect()["time"].cast(pl.Int64).to_list()
    ),
    "pyarrow": lambda table, folder: table.to_arrow()["time"].cast(pa.int64()).to_pylist(),
    "pyarrow, then pandas": lambda table, folder: table.to_arrow().to_pandas()["time"].astype("int64").tolist(),
    "DuckDB": lambda table, folder: [ns for (ns,) in table.to_duckdb().project("epoch_ns(time)").fetchall()],
    "DuckDB, then pandas": lambda table, folder: table.to_duckdb().df()["time"].astype("int64").tolist(),
    "DuckDB, then polars": lambda table, folder: table.to_duckdb().pl()["time"].cast(pl.Int64).to_list(),
    "Parquet, pandas": lambda table, folder: (
        pd.read_parquet(saved(table, folder / "packets.parquet"))["time"].astype("int64").tolist()
    ),
    "Parquet, polars": lambda table, folder: (
        pl.read_parquet(saved(table, folder / "packets.parquet"))["time"].cast(pl.Int64).to_list()
    ),
    "Parquet, DuckDB": lambda table, folder: [
        ns
        for (ns,) in duckdb.sql(f"SELECT epoch_ns(time) FROM '{saved(table, folder / 'packets.parquet')}'").fetchall()
    ],
    "Arrow file, polars": lambda table, folder: (
        pl.read_ipc(saved(table, folder / "packets.arrow"))["time"].cast(pl.Int64).to_list()
    ),
}


def saved(table, path):
    table.write(path)
    return path


@pytest.mark.parametrize("way", TO_THE_NANOSECOND)
def test_times_keep_their_nanoseconds_wherever_they_go(packets, tmp_path, way):
    assert TO_THE_NANOSECOND[way](packets, tmp_path) == [START + ns for ns in range(len(packets))]


def test_octets_that_are_zero_at_the_end_of_an_address_are_kept(packets):
    expected = [bytes(octets) for octets in packets["src_ip"]]
    assert expected[3].endswith(bytes(12))
    assert expected[4] == bytes(16)
    expected[4] = None  # without an IP header
    frame = packets.to_polars(ip="binary")
    assert frame.schema["src_ip"] == pl.Binary
    assert frame["src_ip"].to_list() == packets.to_pandas(ip="binary")["src_ip"].tolist() == expected
    assert [value for (value,) in packets.to_duckdb(ip="binary").project("src_ip").fetchall()] == expected


def test_tables_with_different_dictionaries_are_put_together(packets):
    parts = [packets.head(2), packets.filter(packets["ip_version"] == 6), packets]
    expected = [address for part in parts for address in part.to_arrow()["src_ip"].to_pylist()]
    assert pl.concat([pl.DataFrame(part) for part in parts])["src_ip"].to_list() == expected
    assert pa.concat_tables([pa.table(part) for part in parts])["src_ip"].to_pylist() == expected
    assert nulls(pd.concat([part.to_pandas() for part in parts])["src_ip"]) == expected


TIMELINE = Path(__file__).parents[2] / "samples" / "session.pcap"  # with round trips, some of them not known


@pytest.mark.parametrize(
    "table", [fluxcap.read_packets(CAPTURE), fluxcap.read_flows(CAPTURE), fluxcap.read_timeline(TIMELINE)], ids=repr
)
def test_altair_takes_a_table_and_knows_numbers_from_names(table):
    altair = pytest.importorskip("altair")
    last = table.columns[-1]
    drawn = altair.Chart(table).mark_point().encode(x=last, y="protocol:N").to_dict()
    (rows,) = drawn["datasets"].values()
    expected = [None if pd.isna(value) else value for value in table.to_polars()[last].to_physical().to_list()]
    assert [row[last] for row in rows] == expected
    assert drawn["encoding"]["x"] == {"field": last, "type": "quantitative"}


def test_a_report_survives_pickling():
    report = fluxcap.read_checksums(CAPTURE)
    again = pickle.loads(pickle.dumps(report, 5))
    assert again == report
    assert again.to_dict() == report.to_dict()


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
                assert nulls(frame[name]) == table[name].to_pylist(), name
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
    expected = sum(destinations.count(one) for one in sources if one is not None)
    assert duckdb.sql(query).fetchall() == duckdb.sql(query).fetchall() == [(expected,)]


def test_times_keep_their_nanoseconds_and_zone_in_duckdb(packets):
    assert duckdb.sql("SELECT epoch_ns(time) FROM packets WHERE packet = 2").fetchall() == [(START + 1,)]
    assert str(duckdb.sql("SELECT min(time) FROM packets").fetchall()[0][0].tzinfo).endswith("UTC")  # through pytz


def test_names_and_addresses_are_texts_in_duckdb(packets):
    assert duckdb.sql("SELECT DISTINCT typeof(src_ip), typeof(verdict) FROM packets WHERE src_ip LIKE '10.%'")
    found = duckdb.sql("SELECT src_ip FROM packets WHERE disposition = 'non_ip' OR src_ip = '2001:db8::'").fetchall()
    assert found == [("2001:db8::",), (None,)]


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
