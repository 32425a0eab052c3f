"""`fluxcap sql`: its answers, what it reads for them, and its errors."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import builders as b
import fluxcap
from command_line import error_lines, rows, terminal
from command_line import fluxcap as command
from fluxcap.cli.commands.sql import ARROW, NO_PACKETS
from six_packets import CAPTURE, SOURCES

SAMPLES = Path(__file__).parents[2] / "samples"
ALL = "SELECT * FROM packets"


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "capture.pcap"
    path.write_bytes(CAPTURE)
    return path


def sql(query: str, *arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return command("sql", query, *arguments, **options)


def test_a_query_over_each_table_is_answered(capture):
    flows, report = fluxcap.read_flows(capture), fluxcap.read_checksums(capture)
    (counted,) = rows(sql("SELECT count(*) AS n, sum(packets) AS packets FROM flows", capture).stdout)
    assert counted == {"n": str(len(flows)), "packets": str(flows["packets"].sum())}
    addresses = rows(sql("SELECT packet, src_ip FROM Packets ORDER BY packet", capture).stdout)
    assert [row["src_ip"] or None for row in addresses] == SOURCES
    (good,) = rows(sql("SELECT good FROM checksums WHERE header = 'UDP'", capture).stdout)
    assert good["good"] == str(report.verdicts[b.UDP]["good"])


def test_an_older_library_is_refused_in_words(capture, tmp_path):
    # The folder is first in the search for modules, and so is the version that it states.
    (tmp_path / "duckdb.py").touch()
    stated = tmp_path / "duckdb-1.3.2.dist-info" / "METADATA"
    stated.parent.mkdir()
    stated.write_text("Metadata-Version: 2.1\nName: duckdb\nVersion: 1.3.2\n")
    search = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = sql(ALL, capture, env={"PYTHONPATH": search})
    assert (done.returncode, done.stdout) == (2, "")
    error, help = error_lines(done.stderr)
    assert error.endswith("or newer, and 1.3.2 is installed")
    assert help == "help: Run `pip install 'fluxcap[sql]'`"


def test_connections_are_a_table(capture):
    table = fluxcap.read_connections(capture)
    found = rows(sql("SELECT state, history, synack_rtt FROM connections", capture).stdout)
    assert [row["state"] for row in found] == [fluxcap.STATES[code] for code in table["state"]]
    assert [row["history"].encode() for row in found] == table["history"].tolist()
    assert {row["synack_rtt"] for row in found} == {""}  # not known, and null


def test_tables_join(capture):
    query = "SELECT p.packet FROM packets p JOIN flows f ON p.src_ip = f.dst_ip WHERE p.ip_version = 4 GROUP BY ALL"
    assert {row["packet"] for row in rows(sql(query, capture).stdout)} == {"1", "2", "3"}


@pytest.mark.parametrize("join", ["JOIN flows f USING (src_ip)", "NATURAL JOIN flows f"])
def test_tables_join_on_columns_of_one_name(capture, join):
    by_hand = "FROM packets p JOIN flows f ON p.src_ip = f.src_ip"
    if "NATURAL" in join:
        by_hand += " AND p.src_port = f.src_port AND p.dst_ip = f.dst_ip AND p.dst_port = f.dst_port"
        by_hand += " AND p.protocol = f.protocol"
    found, expected = (sql(f"SELECT count(*) AS n {tables}", capture) for tables in (f"FROM packets p {join}", by_hand))
    assert (found.returncode, found.stdout) == (0, expected.stdout)
    assert rows(found.stdout)[0]["n"] != "0"


def test_times_have_nine_digits_and_nothing_is_blank_or_null_and_truth_a_word(capture):
    query = "SELECT min(time) AS t, NULL AS nothing, packet = 1 AS first, 2.5 AS half FROM packets GROUP BY ALL LIMIT 1"
    found = rows(sql(f"SELECT * FROM ({query})", capture).stdout)[0]
    assert found["t"].startswith("2023-11-14T22:13:20.00000000")
    assert (found["nothing"], found["half"]) == ("", "2.5")
    assert found["first"] in ("true", "false")
    done = sql("SELECT NULL AS nothing, true AS yes, sum(packets) AS n FROM flows", capture, "-f", "ndjson")
    assert json.loads(done.stdout) == {"nothing": None, "yes": True, "n": 5}


def test_a_port_is_a_name_and_a_sum_a_count(capture):
    query = "SELECT 65535 AS src_port, 65535 AS n FROM flows LIMIT 1"
    shown = sql(query, capture, "-f", "table").stdout
    assert "65535 " in shown
    assert "65,535 " in shown


@pytest.mark.parametrize("name", ["csv", "tsv", "json", "ndjson", "npz", *ARROW])
def test_every_format_takes_the_answer(capture, tmp_path, name):
    out = tmp_path / f"x.{name}"
    done = sql("SELECT packet, src_ip, time FROM packets ORDER BY packet", capture, "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    if name == "parquet":
        table = pq.read_table(out)
        assert table["src_ip"].to_pylist() == SOURCES
        assert str(table.schema.field("time").type).startswith("timestamp[ns")
    elif name == "npz":
        assert np.load(out)["packet"].tolist() == [1, 2, 3, 4, 5, 6]
    else:
        assert b"2001:db8::" in out.read_bytes()


@pytest.mark.parametrize("name", ["tsv", "parquet"])
def test_n_limits_the_rows(capture, tmp_path, name):
    out = tmp_path / f"x.{name}"
    sql(ALL, capture, "-n", "2", "-o", out)
    assert (pq.read_table(out).num_rows if name == "parquet" else len(out.read_text().splitlines()) - 1) == 2


def test_a_terminal_gets_a_box(capture):
    screen = terminal("sql", "SELECT verdict, count(*) AS n FROM packets GROUP BY ALL ORDER BY ALL", capture)
    assert "│ good" in screen.text
    assert "verdict" in screen.text


@pytest.mark.parametrize(("rows", "more"), [(20, False), (21, True)])
def test_a_terminal_says_that_there_are_more_rows(capture, rows, more):
    screen = terminal("sql", f"SELECT i FROM range({rows}) t(i), packets LIMIT {rows}", capture, rows=40)
    assert ("more rows" in screen.text) is more


def test_only_the_tables_that_a_query_names_are_made(capture):
    program = (
        "import sys\n"
        "from fluxcap.cli.commands import sql\n"
        "from fluxcap.cli.main import main\n"
        "def counted(name, src, *a, make=sql._table):\n"
        "    if not isinstance(src, bytes): print(name, file=sys.stderr)\n"
        "    return make(name, src, *a)\n"
        "sql._table = counted\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    for query, made in (
        ("SELECT count(*) FROM flows", ["flows"]),
        ("SELECT count(*) FROM packets, checksums", ["packets", "checksums"]),
        ("SELECT 1", []),
        ("WITH flows AS (SELECT 1) FROM flows", []),
    ):
        done = subprocess.run([sys.executable, "-c", program, "sql", query, capture], capture_output=True, text=True)
        assert (done.returncode, done.stderr.split()) == (0, made), query


def test_standard_input_is_read_once_and_filters_apply(capture):
    done = sql("SELECT count(*) AS n FROM packets", "-", "--where", "ip6", stdin=CAPTURE)
    assert rows(done.stdout) == [{"n": "1"}]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nope FROM flows", "nope"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM pockets", "pockets"),
        ("SELECT * FROM captures", "captures"),  # a variable of the program is not a table
    ],
)
def test_a_query_that_makes_no_sense_is_refused_before_anything_is_read(query, words, tmp_path):
    (tmp_path / "no.pcap").write_text("not read")
    done = sql(query, tmp_path / "no.pcap")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in error_lines(done.stderr)[0]


def test_an_input_that_is_no_capture_is_named_as_everywhere(tmp_path):
    (tmp_path / "no.pcap").write_text("not a capture")
    for table in ("flows", "packets"):
        done = sql(f"SELECT count(*) FROM {table}", tmp_path / "no.pcap")
        assert done.returncode == 2
        assert error_lines(done.stderr)[0].startswith(f"error: {tmp_path / 'no.pcap'}: not a capture: ")


def test_a_damaged_input_is_answered_from_what_was_read_and_refused_when_strict(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(CAPTURE[:-1])
    done = sql("SELECT count(*) AS n FROM packets", path)
    assert (done.returncode, rows(done.stdout)) == (3, [{"n": str(len(SOURCES) - 1)}])
    assert sql("SELECT count(*) AS n FROM packets", path, "--strict").returncode == 2


def test_queries_are_tried_on_a_capture_without_packets():
    assert fluxcap.read_info(NO_PACKETS).packets == 0


# Lengths of time


@pytest.mark.parametrize(
    "query",
    [
        "SELECT last - first AS d FROM flows",
        "SELECT age(last, first) AS d FROM flows",
        "SELECT last - first AS d FROM flows JOIN checksums ON header = 'UDP'",
        "SELECT last - first AS d FROM flows WHERE last - first >= INTERVAL 0 SECOND",
    ],
)
def test_times_are_subtracted(query):
    office = SAMPLES / "office.pcap"
    table = fluxcap.read_flows(office)
    spans = [row["d"] for row in rows(sql(query, office).stdout)]
    expected = [str(timedelta(microseconds=ns // 1000)) for ns in (table["last"] - table["first"]).tolist()]
    assert sorted(spans) == sorted(expected)


def test_a_query_that_subtracts_times_shows_them_in_full(tmp_path):
    office = SAMPLES / "office.pcap"
    first = rows(sql("SELECT first, last - first AS d FROM flows LIMIT 1", office).stdout)[0]["first"]
    assert first == rows(command("flows", office).stdout)[0]["first"]


def test_an_exported_answer_keeps_the_zone_of_times_and_has_spans_in_nanoseconds(tmp_path):
    office, path = SAMPLES / "office.pcap", tmp_path / "x.parquet"
    assert sql("SELECT first, last - first AS d FROM flows", office, "-o", path).returncode == 0
    table, answer = fluxcap.read_flows(office), pq.read_table(path)
    assert str(answer.schema.field("first").type) == "timestamp[ns, tz=UTC]"
    assert sorted(answer["d"].to_pylist()) == sorted((table["last"] - table["first"]).tolist())


def test_exported_times_are_subtracted_in_pandas_polars_and_with_a_cast_in_duckdb(tmp_path):
    path = tmp_path / "x.parquet"
    table = fluxcap.read_flows(SAMPLES / "office.pcap")
    table.write(path)
    expected = (table["last"] - table["first"]).tolist()
    frame, lazy = pd.read_parquet(path), pl.read_parquet(path)
    assert (frame["last"] - frame["first"]).astype("int64").tolist() == expected
    assert (lazy["last"] - lazy["first"]).dt.total_nanoseconds().to_list() == expected
    found = duckdb.sql(f"SELECT epoch_ns(last) - epoch_ns(first), last::TIMESTAMPTZ - first::TIMESTAMPTZ FROM '{path}'")
    assert found.fetchall() == [(ns, timedelta(microseconds=ns // 1000)) for ns in expected]


def test_an_error_is_not_about_what_another_form_of_the_tables_makes_up_for():
    done = sql("SELECT last - first + nothing(first) FROM flows", SAMPLES / "office.pcap")
    assert "nothing" in error_lines(done.stderr)[0]


@pytest.mark.parametrize("span", ["last - first", "duration"])
def test_a_sum_of_lengths_of_time_which_duckdb_has_not_is_refused_with_what_to_write(span):
    office = SAMPLES / "office.pcap"
    error, help = error_lines(sql(f"SELECT sum({span}) FROM flows", office).stderr)
    assert "sum(INTERVAL)" in error
    assert "sum(epoch(...)) is in seconds" in help
    table = fluxcap.read_flows(office)
    ((found,),) = (row.values() for row in rows(sql(f"SELECT sum(epoch({span})) FROM flows", office).stdout))
    assert float(found) == pytest.approx((table["last"] - table["first"]).sum() / 1e9, abs=1e-3)


def test_a_query_may_be_longer_than_the_name_of_a_file():
    done = sql(f"SELECT count(*) AS n FROM flows WHERE {' AND '.join(['packets > 0'] * 50)}", SAMPLES / "office.pcap")
    assert (done.returncode, done.stderr) == (0, "")
