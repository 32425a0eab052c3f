"""Columnar formats, read back with other libraries than the writing one."""

import io
import json
import sys
import weakref
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest

import fluxcap
from command_line import error_lines, shell, terminal
from command_line import fluxcap as command
from fluxcap import formats
from fluxcap.formats import Listing, Rows
from fluxcap.tables.table import Table
from six_packets import CAPTURE, SOURCES

ARROW = ("parquet", "arrow", "arrows")
BINARY = (*ARROW, "npz")


@pytest.fixture(scope="module")
def packets():
    return fluxcap.read_packets(CAPTURE)


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("columnar") / "capture.pcap"
    path.write_bytes(CAPTURE)
    return path


def opened(name: str, octets: bytes) -> pa.Table:
    source = pa.BufferReader(octets)
    if name == "parquet":
        return pa.parquet.read_table(source)
    return (pa.ipc.open_file if name == "arrow" else pa.ipc.open_stream)(source).read_all()


def written(name: str, tables, columns=None, **about) -> bytes:
    out = io.BytesIO()
    formats.find(name).write(out, Rows(tables, columns or fluxcap.read_packets(CAPTURE).columns, **about))
    return out.getvalue()


def kept(kind):
    """The type without the code width of a dictionary: older pyarrow chooses the width when it reads Parquet."""
    return pa.dictionary(pa.int32(), kind.value_type) if pa.types.is_dictionary(kind) else kind


@pytest.mark.parametrize("name", ARROW)
def test_what_is_written_is_the_table_as_arrow_has_it(packets, name):
    table = opened(name, written(name, [packets]))
    assert table.to_pylist() == packets.to_arrow().to_pylist()
    assert list(map(kept, table.schema.types)) == list(map(kept, packets.to_arrow().schema.types))
    assert table["src_ip"].to_pylist() == SOURCES
    assert json.loads(table.schema.metadata[b"fluxcap"])["schema"] == 1


def test_npz_holds_the_arrays_themselves(packets):
    with np.load(io.BytesIO(written("npz", [packets], metadata=lambda: packets.metadata))) as archive:
        assert set(archive) == {*packets.columns, "metadata"}
        for name in packets.columns:
            assert np.array_equal(archive[name], packets[name])
            assert archive[name].dtype == packets[name].dtype
        about = json.loads(str(archive["metadata"]))
    assert (about["packets"], about["ledger"]["non_ip"]["records"]) == (len(packets), 1)


@pytest.mark.parametrize("name", BINARY)
def test_tables_one_after_the_other_are_written_as_one(packets, name):
    octets = written(name, (packets, packets.head(0), packets.head(2)))
    if name == "npz":
        rows = np.load(io.BytesIO(octets))["packet"].tolist()
    else:
        rows = opened(name, octets)["packet"].to_pylist()
        assert opened(name, octets)["src_ip"].to_pylist() == [*SOURCES, *SOURCES[:2]]
    assert rows == [1, 2, 3, 4, 5, 6, 1, 2]


@pytest.mark.parametrize("name", BINARY)
def test_tables_are_taken_one_by_one_and_not_kept(name):
    alive: list[weakref.ref] = []
    most = 0

    def tables():
        nonlocal most
        for number in range(20):
            array = np.full(1000, number, np.uint64)
            alive.append(weakref.ref(array))
            most = max(most, sum(one() is not None for one in alive))
            yield Table({"a": array, "src_ip": np.full((1000, 16), number, np.uint8)})
            del array

    octets = written(name, tables(), ("a", "src_ip"))
    assert most <= 3
    column = np.load(io.BytesIO(octets))["a"] if name == "npz" else opened(name, octets)["a"].to_numpy()
    assert column.tolist() == [number for number in range(20) for _ in range(1000)]


def test_an_arrow_file_of_several_tables_has_plain_texts_for_addresses(packets):
    # A column of such a file has one dictionary, while each table has its own.
    assert opened("arrow", written("arrow", iter([packets]))).schema.field("src_ip").type == pa.string()
    assert opened("arrows", written("arrows", iter([packets]))).schema.field("src_ip").type.value_type == pa.string()


@pytest.mark.parametrize("name", BINARY)
def test_lists_are_written_as_texts_or_integers(name):
    octets = written(name, [Listing({"field": ["a", "é\udcff"], "value": [1, "x"], "n": [3, -4]})], ("field", "n"))
    if name == "npz":
        assert np.load(io.BytesIO(octets))["n"].tolist() == [3, -4]
    else:
        assert opened(name, octets).to_pydict() == {"field": ["a", "é\\udcff"], "n": [3, -4]}


@pytest.mark.parametrize("name", BINARY)
def test_what_goes_wrong_while_tables_are_made_stays_what_it_is(packets, name):
    problem = fluxcap.TruncatedError("x.pcap", 10, 1, reason="cut")

    def tables():
        yield packets
        raise problem

    with pytest.raises(fluxcap.TruncatedError) as raised:
        written(name, tables())
    assert raised.value is problem


@pytest.mark.parametrize("name", BINARY)
def test_what_goes_wrong_while_octets_are_written_stays_what_it_is(packets, name):
    class Closed(io.RawIOBase):
        def writable(self):
            return True

        def write(self, octets):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        formats.find(name).write(Closed(), Rows([packets], packets.columns))


@pytest.mark.parametrize("name", ARROW)
def test_without_the_package_that_writes_it_the_extra_is_named(packets, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    with pytest.raises(ModuleNotFoundError, match=r"run `pip install 'fluxcap\[parquet\]'"):
        written(name, [packets])


# write() and the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".arrows", ".npz"])
def test_the_suffix_decides_and_the_command_writes_the_same_rows(packets, capture, tmp_path, suffix):
    mine, theirs = tmp_path / f"mine{suffix}", tmp_path / f"theirs{suffix}"
    packets.write(mine)
    done = command("packets", capture, "-o", theirs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    if suffix == ".npz":
        first, second = np.load(mine), np.load(theirs)
        assert all(np.array_equal(first[name], second[name]) for name in packets.columns)
    else:
        name = formats.name_for(mine)
        first, second = (opened(name, path.read_bytes()).to_pylist() for path in (mine, theirs))
        assert first == second == packets.to_arrow().to_pylist()


def test_the_usual_readers_read_what_was_written(packets, capture, tmp_path):
    files = {suffix: tmp_path / f"x.{suffix}" for suffix in ("parquet", "arrow", "arrows")}
    for path in files.values():
        packets.write(path)
    count = duckdb.sql(f"SELECT count(*), count(DISTINCT src_ip) FROM '{files['parquet']}'").fetchall()
    assert count == [(len(SOURCES), len({*SOURCES} - {None}))]
    frames = (pl.read_parquet(files["parquet"]), pl.read_ipc(files["arrow"]), pl.read_ipc_stream(files["arrows"]))
    for frame in frames:
        assert frame["src_ip"].to_list() == SOURCES
        assert frame.schema["time"] == pl.Datetime("ns", "UTC")
    assert pa.feather.read_table(files["arrow"])["src_ip"].to_pylist() == SOURCES


@pytest.mark.parametrize("name", BINARY)
def test_a_pipe_gets_the_octets_and_a_terminal_does_not(capture, name):
    done = shell(f'fluxcap flows "$1" -f {name} | wc -c', capture)
    assert int(done.stdout) > 1000
    screen = terminal("flows", capture, "-f", name)
    assert screen.code == 2
    assert f"error: {name} is not for terminals" in screen.text


@pytest.mark.parametrize("name", BINARY)
def test_a_full_disk_is_said_to_be_one(capture, name):
    done = command("packets", capture, "-f", name, "-o", "/dev/full")
    assert done.returncode == 5
    assert error_lines(done.stderr)[0] == "error: /dev/full: No space left on device"


@pytest.mark.parametrize("name", BINARY)
def test_an_empty_capture_has_columns_and_no_rows(tmp_path, packets, name):
    (tmp_path / "empty.pcap").write_bytes(CAPTURE[:24])
    out = tmp_path / f"x.{name}"
    assert command("packets", tmp_path / "empty.pcap", "-o", out).returncode == 0
    if name == "npz":
        assert np.load(out)["src_ip"].shape == (0, 16)
    else:
        table = opened(name, out.read_bytes())
        assert (table.num_rows, table.column_names) == (0, list(packets.columns))


@pytest.mark.parametrize("name", BINARY)
def test_every_command_writes_every_format(capture, tmp_path, name):
    for words in (("flows", "--by", "ports"), ("check",), ("check", "--list", "5"), ("info",)):
        out = tmp_path / f"x.{name}"
        done = command(*words, capture, "-f", name, "-o", out)
        assert (done.returncode, done.stderr) == (0, "")
        assert (np.load(out).files if name == "npz" else opened(name, out.read_bytes()).column_names)[0] in (
            "protocol", "header", "file", "field",
        )  # fmt: skip


def test_no_format_but_the_three_imports_arro3(capture):
    probe = "import sys; from fluxcap.cli.main import main; main(sys.argv[1:]); print({*sys.modules} & {'arro3'})"
    done = shell(f'"$PYTHON" -c "{probe}" flows "$1" -f csv -o /dev/null', capture)
    assert (done.stdout, done.stderr) == ("set()\n", "")
