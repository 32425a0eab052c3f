"""`fluxcap connections`: its output for programs and for people."""

import json

import duckdb
import numpy as np
import pyarrow.feather as feather
import pytest

import fluxcap
from capture_files import pcap
from command_line import error_lines, rows, terminal
from command_line import fluxcap as command
from fluxcap._core import CONNECTION_COLUMNS
from fluxcap.values import text
from tcp_talks import records

TALKS = [">S <SA >A >D10 >D10@-10 <A <F >F", ">S <RA", ">S <SA! >A", ">S"]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("connections") / "talks.pcap"
    talks = [one for n, line in enumerate(TALKS) for one in records(line, client=("192.0.2.1", 40000 + n))]
    path.write_bytes(pcap(talks))
    return path


def test_programs_read_every_column(capture):
    table = fluxcap.read_connections(capture)
    found = rows(command("connections", capture).stdout)
    assert tuple(found[0]) == table.columns
    assert table.columns[-len(CONNECTION_COLUMNS) :] == CONNECTION_COLUMNS
    for name in table.columns:
        assert [row[name] for row in found] == text.cells(name, table[name])
    assert [row["state"] for row in found] == ["SF", "REJ", "S0", "S0"]


@pytest.mark.parametrize(
    ("suffix", "read"),
    [
        ("csv", lambda path: duckdb.read_csv(path)),
        ("ndjson", lambda path: duckdb.read_json(path)),
        ("parquet", lambda path: duckdb.read_parquet(path)),
        ("arrow", lambda path: duckdb.from_arrow(feather.read_table(path))),
    ],
)
def test_every_format_keeps_states_and_histories(capture, tmp_path, suffix, read):
    path = str(tmp_path / f"x.{suffix}")
    assert command("connections", capture, "-o", path, "--columns", "state,history").returncode == 0
    assert read(path).fetchall() == [("SF", "ShADTafF"), ("REJ", "Sr"), ("S0", "ScA"), ("S0", "S")]


def test_numpy_reads_codes_and_letters(capture, tmp_path):
    assert command("connections", capture, "-o", tmp_path / "x.npz").returncode == 0
    table = fluxcap.read_connections(capture)
    with np.load(tmp_path / "x.npz") as archive:
        assert all(np.array_equal(archive[name], table[name]) for name in table.columns)


@pytest.mark.parametrize("ip", ["text", "binary", "uint32"])
def test_frames_have_histories_as_texts_whatever_addresses_are(capture, ip):
    table = fluxcap.read_connections(capture)
    expected = [letters.decode() for letters in table["history"].tolist()]
    assert table.to_pandas(ip=ip)["history"].tolist() == expected
    assert table.to_polars(ip=ip)["history"].to_list() == expected
    assert table.to_arrow(ip=ip)["history"].to_pylist() == expected
    assert table.to_pandas(ip=ip)["state"].tolist() == ["SF", "REJ", "S0", "S0"]


def test_zeeks_names(capture):
    found = rows(command("connections", capture, "--semantics", "zeek", "--names", "zeek").stdout)[0]
    assert (found["conn_state"], found["history"], found["orig_pkts"]) == ("SF", "ShADTafF", "5")
    assert found["orig_ip_bytes"] == str(5 * 40 + 20)


def test_people_see_ends_state_history_and_counts_and_what_was_retransmitted(capture):
    screen = terminal("connections", capture, columns=160)
    for shown in ("192.0.2.1:40000 → 192.0.2.2:9999", "ShADTafF", "state", "history", "duration", "retrans"):
        assert shown in screen.text
    assert "verdict" not in screen.text
    assert "good" not in screen.text
    assert "1 packet with a bad checksum took no part in a connection: --ignore-checksums lets them" in screen.text


def test_corrupt_segments_take_part_if_asked_for(capture):
    found = rows(command("connections", capture, "--ignore-checksums").stdout)
    assert [row["state"] for row in found] == ["SF", "REJ", "S1", "S0"]


def test_sorting_and_choosing_columns(capture):
    done = command("connections", capture, "--columns", "flow,state", "-s", "+state", "-n", "1")
    assert rows(done.stdout) == [{"flow": "2", "state": "S0"}]


def test_a_column_that_is_not_there_is_named(capture):
    done = command("connections", capture, "--columns", "histroy")
    assert done.returncode == 2
    assert "history" in " ".join(error_lines(done.stderr))


def test_json_says_how_connections_were_made(capture):
    made = json.loads(command("connections", capture, "-f", "json").stdout)
    assert (made["connections"], made["direction"], made["ignore_checksums"]) == (True, "handshake", False)
