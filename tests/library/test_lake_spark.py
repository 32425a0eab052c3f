"""Lakes and captures in Spark: where pyspark and Java are installed."""

import shutil
import sys
from contextlib import nullcontext

import pytest

import fluxcap
from fluxcap.cluster.groups import groups_of
from lake_captures import by_day, days_since_epoch, half_untimed, spread, sums_by_day
from library_sources import SRC

needs_spark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")


def test_only_their_own_modules_import_pyspark():
    names = [str(path.relative_to(SRC)) for path in SRC.rglob("*.py") if "from pyspark" in path.read_text()]
    assert sorted(names) == ["cluster/spark.py", "lake/spark.py"]


def test_without_pyspark_the_extra_is_named(monkeypatch):
    for name in ("pyspark", *(name for name in sys.modules if name.startswith("pyspark."))):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("fluxcap.lake.spark", "fluxcap.cluster.spark"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package pyspark; run `pip install 'fluxcap\[spark\]'`"):
        import fluxcap.cluster.spark  # noqa: F401


def test_a_count_above_63_bits_is_an_error():
    pytest.importorskip("pyspark")
    pa = pytest.importorskip("pyarrow")
    from fluxcap.lake.spark import in_spark, spark_schema

    for most, fits in ((2**63 - 1, True), (2**63, False)):
        table = pa.table({"bytes": pa.array([1, most], pa.uint64())})
        with nullcontext() if fits else pytest.raises(pa.ArrowInvalid):
            assert in_spark(table, {}, spark_schema(table.schema))["bytes"].to_pylist() == [1, most]


@pytest.fixture(scope="module")
def spark():
    pyspark = pytest.importorskip("pyspark.sql")
    from fluxcap.cluster.spark import register

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = pyspark.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
        try:
            register(session)
            yield session
        finally:
            session.stop()


@needs_spark
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of pyspark
def test_sums_by_day_are_those_of_the_reading_in_all_four_readers_of_a_lake(tmp_path, spark):
    for library in ("duckdb", "polars", "pyarrow"):
        pytest.importorskip(library)
    captures = [*(spread(tmp_path / f"{n}.pcap", 400, seed=n) for n in range(3)), half_untimed(tmp_path / "y.pcapng")]
    for name, read in (("flows", fluxcap.read_flows), ("connections", fluxcap.read_connections)):
        fluxcap.export(captures, tmp_path / name, table=name)
        lake = spark.read.format("fluxcap").load(str(tmp_path / name))
        sums = lake.groupBy("day").agg({"bytes": "sum"}).collect()
        told = {"spark": days_since_epoch(map(tuple, sums)), **sums_by_day(fluxcap.scan_lake(tmp_path / name), "bytes")}
        wanted = by_day(read(captures), "first", "bytes")
        assert len(wanted) > 3
        assert told == dict.fromkeys(("spark", "duckdb", "polars", "pyarrow"), wanted)


@needs_spark
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of pyspark
def test_rows_are_those_of_the_reading(tmp_path, spark):
    captures = [spread(tmp_path / "x.pcap", 300, seed=1), half_untimed(tmp_path / "y.pcapng")]
    for capture in captures:
        fluxcap.export(capture, tmp_path / "lake", table="connections")
    read = fluxcap.read_connections(captures)
    lake = spark.read.format("fluxcap").load(str(tmp_path / "lake"))
    assert lake.columns == list(fluxcap.scan_lake(tmp_path / "lake").columns)
    columns = ["src_ip", "src_port", "packets", "state", "hour"]
    rows = [tuple(row) for row in lake.select(columns).collect()]
    assert sorted(rows, key=repr) == sorted(
        fluxcap.scan_lake(tmp_path / "lake").lazy().select(columns).collect().rows(), key=repr
    )
    times = [row[0] for row in lake.selectExpr("unix_micros(first)").collect()]
    assert sorted(time for time in times if time is not None) == sorted(
        ns // 1000 for ns in read["first"].tolist() if ns > 0
    )


@needs_spark
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of pyspark
def test_captures_are_read_in_the_tasks_of_a_cluster(tmp_path, spark):
    for n in range(3):
        spread(tmp_path / f"{n}.pcap", 5000, seed=n)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "cut.pcap").write_bytes((tmp_path / "0.pcap").read_bytes()[:-5])
    path = str(tmp_path / "*.pcap")
    tasks = groups_of(path, "1MiB")
    assert len(tasks) == 3

    packets = spark.read.format("fluxcap").option("task_bytes", "1MiB").load(path)
    read = fluxcap.read_packets(path)
    assert packets.columns == list(read.columns)
    assert packets.rdd.getNumPartitions() == len(tasks)
    columns = ["packet", "src_ip", "wire_length", "verdict"]
    assert sorted(map(tuple, packets.select(columns).collect())) == sorted(
        read.to_arrow().select(columns).to_pandas().itertuples(index=False, name=None)
    )

    flows = spark.read.format("fluxcap").option("table", "flows").option("by", "hosts").load(path)
    made = fluxcap.read_flows(path, by="hosts")
    sums = {row[0]: row[1] for row in flows.groupBy("src_ip").agg({"bytes": "sum"}).collect()}
    assert sum(sums.values()) == int(made["bytes"].sum())
    assert len(sums) == len(set(made.to_pandas()["src_ip"]))

    for how, fails in (("raise", True), ("warn", False)):
        damaged = spark.read.format("fluxcap").option("on_damage", how).load(str(tmp_path / "damaged"))
        with pytest.raises(Exception, match="cut short") if fails else nullcontext():
            assert damaged.count() == 4999
    with pytest.raises(Exception, match="unknown option 'tabel'"):
        spark.read.format("fluxcap").option("tabel", "flows").load(path).count()
