"""`fluxcap export`: what it says, and which exit code it has."""

import pytest

import fluxcap as library
from command_line import error_lines, fluxcap
from lake_captures import half_untimed, spread
from s3_server import BUCKET, s3_server

pytest.importorskip("pyarrow")


def test_an_export_says_what_it_wrote_and_what_it_replaced(tmp_path):
    capture = spread(tmp_path / "x.pcap", 50, seed=1, days=1)
    flows = len(library.read_flows(capture))
    for before in ("", f", in place of {flows}"):
        done = fluxcap("export", capture, "-o", tmp_path / "lake", "--partition", "day")
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith(f"hint: {flows} flows{before}; ")
    assert len(library.scan_lake(tmp_path / "lake")) == flows


@pytest.mark.parametrize(
    ("options", "read"),
    [
        (("--by", "src_ip/24,dst_port", "--uniflow"), {"by": "src_ip/24,dst_port", "biflow": False}),
        (("--idle-timeout", "1s", "--active-timeout", "2s"), {"idle_timeout": "1s", "active_timeout": "2s"}),
        (("--semantics", "zeek", "--by-time", "last"), {"semantics": "zeek"}),
    ],
)
def test_options_are_those_of_flows(options, read, good, tmp_path):
    assert fluxcap("export", good, "-o", tmp_path / "lake", *options).returncode == 0
    lake, flows = library.scan_lake(tmp_path / "lake"), library.read_flows(good, **read)
    assert lake.columns == (*flows.columns, "export", "day", "hour")
    assert len(lake) == len(flows)


@pytest.mark.parametrize("table", ["packets", "connections"])
def test_other_tables_are_exported(table, good, tmp_path):
    assert fluxcap("export", good, "-o", tmp_path / "lake", "--table", table, "--max-file", "2MiB").returncode == 0
    assert library.scan_lake(tmp_path / "lake").table == table


def test_records_without_a_time_are_said_and_kept(tmp_path):
    done = fluxcap("export", half_untimed(tmp_path / "x.pcapng"), "-o", tmp_path / "lake")
    assert "2 of 4 records have no time" in done.stderr
    assert len(library.scan_lake(tmp_path / "lake")) == 4


def test_a_damaged_input_is_said_and_with_strict_refused(cut, tmp_path):
    done = fluxcap("export", cut, "-o", tmp_path / "strict", "--strict")
    assert done.returncode == 2
    assert not (tmp_path / "strict" / "_manifest.json").exists()
    done = fluxcap("export", cut, "-o", tmp_path / "lake")
    assert done.returncode == 3
    assert "cut short" in done.stderr
    assert len(library.scan_lake(tmp_path / "lake")) > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "export needs -o"),
        (("-o", "lake", "--partition", "week"), "unknown partition 'week'"),
        (("-o", "lake", "--by-time", "time"), "flows have no time 'time'"),
        (("-o", "lake", "--table", "packets", "--by", "ports"), "--by is not about packets"),
        (("-o", "lake", "--table", "connections", "--uniflow"), "--uniflow is not about connections"),
        (("-o", "lake", "--max-file", "12"), "--max-file is at least 1 MiB"),
        (("-o", "https://example.net/lake"), "nothing is written to https://"),
    ],
)
def test_what_cannot_be_exported_is_refused(options, said, good, tmp_path):
    done = fluxcap("export", good, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert said in error_lines(done.stderr)[0]
    assert not (tmp_path / "lake").exists()


def test_standard_input_has_no_name_to_be_replaced_by(good, tmp_path):
    done = fluxcap("export", "-", "-o", tmp_path / "lake", stdin=good.read_bytes())
    assert done.returncode == 2
    assert "<stdin> has no name by which its rows could be replaced" in error_lines(done.stderr)[0]


def test_a_lake_that_cannot_be_written_is_exit_code_5(good, tmp_path):
    (tmp_path / "file").touch()
    done = fluxcap("export", good, "-o", tmp_path / "file" / "lake")
    assert done.returncode == 5
    assert "file/lake: Not a directory" in error_lines(done.stderr)[0]


def test_a_lake_in_a_store_is_written(good):
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3_server() as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        done = fluxcap("export", good, "-o", f"s3://{BUCKET}/lake")
        assert done.returncode == 0, done.stderr
        assert len(library.scan_lake(f"s3://{BUCKET}/lake")) == len(library.read_flows(good))
