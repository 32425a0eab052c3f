"""A lake in Spark: where pyspark and Java are installed."""

import datetime
import shutil
import sys

import pytest

import fluxcap
from lake_captures import by_day, half_untimed, spread
from library_sources import SRC

needs_spark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
EPOCH = datetime.date(1970, 1, 1)


def test_only_its_own_module_imports_pyspark():
    names = [str(path.relative_to(SRC)) for path in SRC.rglob("*.py") if "from pyspark" in path.read_text()]
    assert names == ["lake/spark.py"]


def test_without_pyspark_the_extra_is_named(monkeypatch):
    for name in ("pyspark", *(name for name in sys.modules if name.startswith("pyspark."))):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "fluxcap.lake.spark", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package pyspark; run `pip install 'fluxcap\[spark\]'`"):
        import fluxcap.lake.spark  # noqa: F401


@needs_spark
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of pyspark
def test_sums_by_day_and_rows_are_those_of_the_reading(tmp_path, monkeypatch):
    pyspark = pytest.importorskip("pyspark.sql")
    from fluxcap.lake.spark import register

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    captures = [spread(tmp_path / "x.pcap", 300, seed=1), half_untimed(tmp_path / "y.pcapng")]
    for capture in captures:
        fluxcap.export(capture, tmp_path / "lake", table="connections")
    read = fluxcap.read_connections(captures)
    builder = pyspark.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    try:
        register(spark)
        lake = spark.read.format("fluxcap").load(str(tmp_path / "lake"))
        assert lake.columns == list(fluxcap.scan_lake(tmp_path / "lake").columns)
        sums = {row["day"]: row["n"] for row in lake.groupBy("day").agg({"bytes": "sum"}).toDF("day", "n").collect()}
        assert {None if day is None else (day - EPOCH).days: n for day, n in sums.items()} == by_day(
            read, "first", "bytes"
        )
        columns = ["src_ip", "src_port", "packets", "state", "hour"]
        rows = [tuple(row) for row in lake.select(columns).collect()]
        assert sorted(rows, key=repr) == sorted(
            fluxcap.scan_lake(tmp_path / "lake").lazy().select(columns).collect().rows(), key=repr
        )
        times = [row[0] for row in lake.selectExpr("unix_micros(first)").collect()]
        assert sorted(time for time in times if time is not None) == sorted(
            ns // 1000 for ns in read["first"].tolist() if ns > 0
        )
    finally:
        spark.stop()
