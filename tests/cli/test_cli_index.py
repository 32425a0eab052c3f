"""`fluxcap index`, and `fluxcap packets --at`."""

import gzip
from pathlib import Path

import pytest

from command_line import error_lines, fluxcap, rows

pytest.importorskip("pyarrow")

SAMPLES = Path(__file__).parents[2] / "samples"
SUFFIX = ".fluxcap-index.parquet"


@pytest.fixture
def capture(tmp_path) -> Path:
    path = tmp_path / "session.pcap"
    path.write_bytes((SAMPLES / "session.pcap").read_bytes())
    return path


def test_an_index_is_written_beside_each_capture(capture):
    made = fluxcap("index", capture.parent)
    assert (made.returncode, made.stdout) == (0, "")
    assert made.stderr == f"hint: {capture}{SUFFIX} is written: 1,096 packets, 0 places to begin at\n"
    assert Path(f"{capture}{SUFFIX}").exists()
    assert fluxcap("index", capture, "--quiet").stderr == ""


@pytest.mark.parametrize("indexed", [False, True])
def test_packets_begin_at_a_number_or_a_time(indexed, capture):
    if indexed:
        fluxcap("index", capture)
    shown = ("--columns", "packet,time", "-n", "2", "-f", "tsv")
    by_number = fluxcap("packets", capture, "--at", "500", *shown)
    assert [row["packet"] for row in rows(by_number.stdout)] == ["500", "501"]
    time = rows(by_number.stdout)[0]["time"]
    by_time = fluxcap("packets", capture, "--at", time, *shown)
    assert int(rows(by_time.stdout)[0]["packet"]) <= 500
    assert rows(by_time.stdout)[0]["time"] == time
    from_standard_input = fluxcap("packets", "-", "--at", "500", *shown, stdin=capture.read_bytes())
    assert from_standard_input.stdout == by_number.stdout


def test_packets_are_sorted_from_the_place_on(capture):
    made = fluxcap("packets", capture, "--at", "1090", "--sort", "packet", "--columns", "packet", "-f", "tsv")
    assert [row["packet"] for row in rows(made.stdout)] == [str(number) for number in range(1096, 1089, -1)]


def test_an_index_of_another_capture_is_a_warning_and_the_rows_are_right(capture):
    fluxcap("index", capture)
    capture.write_bytes(capture.read_bytes()[:-1000])
    made = fluxcap("packets", capture, "--at", "500", "-n", "1", "--columns", "packet")
    assert "session.pcap has changed since it was made" in made.stderr
    assert rows(made.stdout) == [{"packet": "500"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "0"), "packets are numbered from 1"),
        (("--at", "yesterday"), "is no number of a packet"),
        (("--at", "3", "--order", "time"), "does not go with --order"),
        (("--at", "3", "--follow"), "does not go with --follow"),
        ((".", "--at", "3"), "packets are numbered in each of the 2 inputs"),
    ],
)
def test_what_is_no_place_is_refused(arguments, said, capture):
    made = fluxcap("packets", capture, *arguments, cwd=capture.parent)
    assert made.returncode == 2
    assert said in error_lines(made.stderr)[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.pcap",), "missing.pcap"),
        (("-",), "<stdin>"),
        (("x.gz",), "gzip data"),
        (("--every", "1x", "x.gz"), "1x"),
    ],
)
def test_what_can_have_no_index_is_refused_by_name(arguments, said, capture):
    (capture.parent / "x.gz").write_bytes(gzip.compress(capture.read_bytes()))
    made = fluxcap("index", *arguments, cwd=capture.parent)
    assert made.returncode == 2
    assert said in error_lines(made.stderr)[0]


def test_a_damaged_capture_has_an_index_up_to_the_damage(capture):
    capture.write_bytes(capture.read_bytes()[:-3])
    made = fluxcap("index", capture)
    assert made.returncode == 3
    assert "1,095 packets" in made.stderr
    assert "session.pcap: cut short" in made.stderr


def test_an_index_that_cannot_be_written_is_an_error_of_the_output(capture):
    Path(f"{capture}{SUFFIX}").mkdir()
    made = fluxcap("index", capture)
    assert made.returncode == 5
    assert SUFFIX in error_lines(made.stderr)[0]
