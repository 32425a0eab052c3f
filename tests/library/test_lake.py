"""A lake: its rows are those that were read, in every library; its files are full; its states are whole."""

import datetime
import json
import shutil
import warnings
from pathlib import Path

import pytest

import fluxcap
from capture_files import pcap
from fluxcap.lake import files, manifest
from fluxcap.lake.place import Place
from lake_captures import HOUR, by_day, half_untimed, spread, sums_by_day
from s3_server import BUCKET, s3_server

duckdb = pytest.importorskip("duckdb")
pl = pytest.importorskip("polars")
pq = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")

SUMMED = {"flows": ("first", "bytes"), "packets": ("time", "wire_length"), "connections": ("first", "bytes")}
READ = {"flows": fluxcap.read_flows, "packets": fluxcap.read_packets, "connections": fluxcap.read_connections}
OF_LAKE = ("export", "day", "hour")

pytestmark = pytest.mark.filterwarnings("ignore:.*records? (of .* )?(has|have) no time:UserWarning")


@pytest.fixture
def captures(tmp_path):
    folder = tmp_path / "captures"
    folder.mkdir()
    half_untimed(folder / "untimed.pcapng")
    return [spread(folder / f"{seed}.pcap", 400, seed) for seed in range(3)] + [folder / "untimed.pcapng"]


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3_server() as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        yield f"s3://{BUCKET}"


@pytest.fixture(params=["directory", "memory", "s3"])
def root(request, tmp_path):
    if request.param == "directory":
        yield str(tmp_path / "lake")
    elif request.param == "s3":
        yield f"{request.getfixturevalue('s3')}/{tmp_path.name}"
    else:
        yield f"memory://lake/{tmp_path.name}"
        fsspec.filesystem("memory").store.clear()


def rows(table: object) -> list[tuple]:
    """The rows of a table in an order of their own, dictionaries as texts."""
    frame = table.collect() if isinstance(table, pl.LazyFrame) else pl.DataFrame(table)
    texts = [name for name, kind in frame.schema.items() if kind in (pl.Categorical, pl.Enum)]
    return sorted(frame.with_columns(pl.col(texts).cast(pl.String)).rows(), key=repr)


def lake_files(root: str) -> list[str]:
    """The Parquet files that are there, named or not."""
    store, path = fsspec.url_to_fs(root)
    store.invalidate_cache()
    return sorted(name for name in store.find(path) if "part-" in name)


@pytest.mark.parametrize("table", SUMMED)
@pytest.mark.parametrize("partition", ["day,hour", "day"])
def test_sums_by_day_are_those_of_the_reading_in_every_library(table, partition, captures, tmp_path):
    time, value = SUMMED[table]
    fluxcap.export(captures, tmp_path / "lake", table=table, partition=partition)
    read = by_day(READ[table](captures), time, value)
    assert None in read
    assert len(read) > 3
    assert sums_by_day(fluxcap.scan_lake(tmp_path / "lake"), value) == dict.fromkeys(
        ("duckdb", "polars", "pyarrow"), read
    )


def test_sums_are_the_same_in_every_store(captures, root):
    done = fluxcap.export(captures, root)
    read = by_day(fluxcap.read_flows(captures), "first", "bytes")
    for _ in range(2):
        lake = fluxcap.scan_lake(root)
        assert len(lake) == done.rows
        assert sums_by_day(lake, "bytes") == dict.fromkeys(("duckdb", "polars", "pyarrow"), read)
        assert fluxcap.export(captures, root)[:2] == (done.rows, done.rows)


@pytest.mark.parametrize("table", SUMMED)
def test_the_rows_are_those_of_the_reading(table, captures, tmp_path):
    fluxcap.export(captures, tmp_path, table=table)
    lake = fluxcap.scan_lake(tmp_path)
    read = READ[table](captures)
    assert lake.columns == (*read.columns, *OF_LAKE)
    assert rows(lake.lazy().drop(OF_LAKE)) == rows(read)
    assert rows(lake.to_arrow().to_table(list(read.columns))) == rows(read)


@pytest.mark.parametrize("timeouts", [{"idle_timeout": "1h"}, {"active_timeout": "2h"}, {"semantics": "nfstream"}])
def test_flows_that_end_before_the_capture_are_those_of_the_reading(timeouts, tmp_path):
    capture = spread(tmp_path / "x.pcap", 500, 1)
    options = {"order": "time", "reorder": 4 * 86400, **timeouts}
    done = fluxcap.export(capture, tmp_path / "lake", **options)
    read = fluxcap.read_flows(capture, **options)
    assert rows(fluxcap.scan_lake(tmp_path / "lake").lazy().drop(OF_LAKE)) == rows(read)
    assert done.metadata["packets"] == 500


def test_rows_without_a_time_lie_in_the_folder_for_them(captures, tmp_path):
    fluxcap.export(captures[3], tmp_path)
    lake = fluxcap.scan_lake(tmp_path)
    timeless = lake.lazy().filter(pl.col("day").is_null())
    assert timeless.select("first", "hour").collect().rows() == [(None, None)] * 2
    assert {Path(file).parent.relative_to(tmp_path).as_posix() for file in lake.files} == {
        "day=2023-11-14/hour=22",
        "day=2023-11-14/hour=23",
        "day=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__",
    }


@pytest.mark.parametrize("by_time", ["first", "last"])
def test_a_file_is_of_its_hour_and_sorted_and_says_so(by_time, captures, tmp_path):
    fluxcap.export(captures[:3], tmp_path, by_time=by_time)
    lake = fluxcap.scan_lake(tmp_path)
    for path in lake.files:
        file = pq.ParquetFile(path)
        times = file.read([by_time])[by_time].cast("int64").to_pylist()
        assert times == sorted(times)
        at = datetime.datetime.fromtimestamp(times[0] // 10**9, datetime.UTC)
        assert Path(path).parent.relative_to(tmp_path).as_posix() == at.strftime("day=%Y-%m-%d/hour=%H")
        assert times[-1] // HOUR == times[0] // HOUR
        group = file.metadata.row_group(0)
        place = file.schema_arrow.get_field_index(by_time)
        assert [one.column_index for one in group.sorting_columns] == [place]
        columns = [group.column(n) for n in range(group.num_columns)]
        assert all(one.compression == "ZSTD" and one.statistics.has_min_max for one in columns)
        said = json.loads(file.schema_arrow.metadata[b"fluxcap"])
        assert (said["lake"], said["table"], said["by"]) == (1, "flows", fluxcap.read_flows(captures[0]).metadata["by"])


def test_the_same_inputs_again_replace_their_rows_alone(captures, tmp_path):
    lake = tmp_path / "lake"
    for capture in captures:
        fluxcap.export(capture, lake)
    before = rows(fluxcap.scan_lake(lake).lazy())
    old = [row for row in before if row[-3] != manifest.export_id([str(captures[0])])]
    spread(captures[0], 30, seed=9)
    done = fluxcap.export(captures[0], lake)
    assert (done.rows, done.replaced) == (len(fluxcap.read_flows(captures[0])), len(before) - len(old))
    state = fluxcap.scan_lake(lake)
    ours = pl.col("export") == manifest.export_id([str(captures[0])])
    assert rows(state.lazy().filter(~ours)) == old
    assert rows(state.lazy().filter(ours).drop(OF_LAKE)) == rows(fluxcap.read_flows(captures[0]))
    assert state.inputs[manifest.export_id([str(captures[0])])] == (str(captures[0]),)


def test_an_export_of_more_inputs_replaces_those_of_some_of_them(captures, tmp_path):
    first = fluxcap.export(captures[0], tmp_path)
    other = fluxcap.export(captures[1], tmp_path)
    done = fluxcap.export(captures[:1] + captures[2:], tmp_path)
    assert done.replaced == first.rows
    assert len(fluxcap.scan_lake(tmp_path)) == other.rows + done.rows


def test_an_export_of_some_of_the_inputs_of_another_is_refused(captures, tmp_path):
    fluxcap.export(captures[:2], tmp_path)
    with pytest.raises(ValueError, match=r"0\.pcap was exported together with .*1\.pcap, and flows may be in several;"):
        fluxcap.export(captures[0], tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "packets"}, "has table 'flows', not 'packets'"),
        ({"by": "ports"}, "has by 'protocol,.*ip.*', not 'protocol,src_port,dst_port'"),
        ({"biflow": False}, "has other columns"),
        ({"by_time": "last"}, "has rows by time 'first', not 'last'"),
        ({"partition": "day"}, "has partition 'day,hour', not 'day'"),
        ({"semantics": "zeek"}, "has bytes 'frame', not 'ip'"),
    ],
)
def test_rows_of_another_kind_are_refused(options, said, captures, tmp_path):
    fluxcap.export(captures[0], tmp_path)
    with pytest.raises(ValueError, match=said):
        fluxcap.export(captures[1], tmp_path, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "sockets"}, "unknown table 'sockets'"),
        ({"partition": "week"}, "unknown partition 'week'"),
        ({"by_time": "time"}, "flows have no time 'time'; sort them by first or last"),
        ({"max_file": 1000}, "max_file is at least 1 MiB"),
    ],
)
def test_an_unknown_option_is_refused_before_anything_is_made(options, said, captures, tmp_path):
    with pytest.raises(ValueError, match=said):
        fluxcap.export(captures[0], tmp_path / "lake", **options)
    assert not (tmp_path / "lake").exists()


def test_an_input_without_a_name_is_refused(captures, tmp_path):
    with captures[0].open("rb") as file:
        for source in (captures[0].read_bytes(), file):
            with pytest.raises(ValueError, match="has no name by which its rows could be replaced"):
                fluxcap.export(source, tmp_path)


def test_a_capture_without_packets_makes_a_lake_without_rows(tmp_path, root):
    (tmp_path / "empty.pcap").write_bytes(pcap([]))
    assert fluxcap.export(tmp_path / "empty.pcap", root)[:4] == (0, 0, 0, 0)
    lake = fluxcap.scan_lake(root)
    assert (len(lake), lake.files) == (0, ())
    with duckdb.connect() as connection:
        assert lake.to_duckdb(connection).columns == list(lake.columns)
    assert lake.lazy().collect().shape == (0, len(lake.columns))


def test_a_path_that_looks_like_a_pattern_or_a_folder_of_the_lake_is_a_path(captures, tmp_path):
    root = tmp_path / "hour=[0-9]*?" / "env=prod"
    fluxcap.export(captures[:3], root)
    read = by_day(fluxcap.read_flows(captures[:3]), "first", "bytes")
    lake = fluxcap.scan_lake(root)
    assert sums_by_day(lake, "bytes") == dict.fromkeys(("duckdb", "polars", "pyarrow"), read)
    with duckdb.connect() as connection:
        hours = lake.to_duckdb(connection).aggregate("hour").fetchall()
    assert {hour for (hour,) in hours} == set(lake.lazy().select("hour").unique().collect()["hour"].to_list())


def test_files_that_the_path_of_the_lake_would_match_as_a_pattern_are_not_read(captures, tmp_path):
    fluxcap.export(captures[:1], tmp_path / "a*b?")
    shutil.copytree(tmp_path / "a*b?", tmp_path / "aXbY")
    read = by_day(fluxcap.read_flows(captures[:1]), "first", "bytes")
    lake = fluxcap.scan_lake(tmp_path / "a*b?")
    assert sums_by_day(lake, "bytes") == dict.fromkeys(("duckdb", "polars", "pyarrow"), read)


def test_who_reads_the_state_before_still_can(captures, root):
    fluxcap.export(captures[0], root)
    lake = fluxcap.scan_lake(root)
    before = rows(lake.to_arrow().to_table())
    spread(captures[0], 30, seed=9)
    fluxcap.export(captures[0], root)
    assert rows(lake.to_arrow().to_table()) == before
    fluxcap.export(captures[0], root)
    assert len(lake_files(root)) == 2 * len(fluxcap.scan_lake(root).files)  # this state, and the one before


def test_a_damaged_input_is_exported_up_to_the_damage_or_not_at_all(cut, captures, tmp_path):
    fluxcap.export(captures[0], tmp_path / "lake")
    before = rows(fluxcap.scan_lake(tmp_path / "lake").lazy())
    with pytest.raises(fluxcap.TruncatedError):
        fluxcap.export([cut, captures[0]], tmp_path / "lake", on_damage="raise")
    assert rows(fluxcap.scan_lake(tmp_path / "lake").lazy()) == before
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        done = fluxcap.export([cut, captures[0]], tmp_path / "lake")
    with warnings.catch_warnings(action="ignore"):
        assert done.rows == len(fluxcap.read_flows([cut, captures[0]]))


def test_an_export_that_fails_leaves_the_lake_and_no_files(captures, root, monkeypatch):
    fluxcap.export(captures[0], root)
    before, files = rows(fluxcap.scan_lake(root).to_arrow().to_table()), lake_files(root)

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "commit", full)
    with pytest.raises(OSError, match="No space left"):
        fluxcap.export(captures[1], root)
    assert rows(fluxcap.scan_lake(root).to_arrow().to_table()) == before
    assert lake_files(root) == files


def test_an_export_beside_another_into_a_directory_is_refused(captures, tmp_path):
    with Place(tmp_path).locked(), pytest.raises(OSError, match="another export writes to this lake"):
        fluxcap.export(captures[0], tmp_path)
    assert fluxcap.export(captures[0], tmp_path).rows


def test_an_export_beside_another_into_a_store_leaves_the_rows_of_that(captures, s3, tmp_path, monkeypatch):
    root = f"{s3}/{tmp_path.name}"
    write = files.write

    def late(*given: object) -> list[manifest.File]:
        monkeypatch.undo()
        fluxcap.export(captures[1], root)
        return list(write(*given))

    fluxcap.export(captures[0], root)
    monkeypatch.setattr(files, "write", late)
    with pytest.raises(OSError, match="another export changed the lake meanwhile"):
        fluxcap.export(captures[2], root)
    state = fluxcap.scan_lake(root)
    assert {*state.inputs.values()} == {(str(captures[0]),), (str(captures[1]),)}
    kept, _ = manifest.load(Place(root))
    assert {f"s3://{name}" for name in lake_files(root)} == {*state.files, *(f"{root}/{path}" for path in kept.retired)}


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["files"][0].update(path="../../etc/passwd"),
        lambda said: said["files"][0].update(path="day=2023-11-14/hour=22/../../x/part-0123456789abcdef.parquet"),
        lambda said: said.update(retired=["/etc/passwd"]),
        lambda said: said.update(lake=2),
        lambda said: said.pop("files"),
        lambda said: said["layout"].update(table="cookies"),
        lambda said: said["layout"].update(more=1),
    ],
)
def test_a_manifest_that_no_export_wrote_is_refused(change, captures, tmp_path):
    fluxcap.export(captures[0], tmp_path)
    path = tmp_path / "_manifest.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"manifest|version 2"):
        fluxcap.scan_lake(tmp_path)
    with pytest.raises(ValueError, match=r"manifest|version 2"):
        fluxcap.export(captures[0], tmp_path)


def test_where_no_export_was_written_no_lake_is_opened(tmp_path):
    with pytest.raises(FileNotFoundError, match="no export was written there"):
        fluxcap.scan_lake(tmp_path)


def test_what_is_not_ours_in_a_directory_stays(captures, tmp_path):
    theirs = [tmp_path / name for name in ("notes.txt", "day=2023-11-14/mine.parquet", "day=x/part-0.parquet")]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    stray = tmp_path / "day=2023-11-14" / "hour=22" / "part-0123456789abcdef.parquet"
    stray.parent.mkdir()
    temporary = stray.with_name(f".{stray.name}.89abcdef")
    stray.touch()
    temporary.touch()
    fluxcap.export(captures[0], tmp_path)
    assert all(path.exists() for path in theirs)
    assert not stray.exists()
    assert not temporary.exists()
