"""Integers that some rows have none of: -1 in numpy, null in every format and library that knows null."""

import json
import statistics
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fluxcap
from command_line import fluxcap as run
from fluxcap import _core

SAMPLES = Path(__file__).parents[2] / "samples"
SESSION = SAMPLES / "session.pcap"
SEVERAL = [SAMPLES / "verdicts.pcap", SAMPLES / "sockets.pcapng", SESSION]
COMPARED = [SAMPLES / "before-a-firewall.pcap", SAMPLES / "behind-a-firewall.pcap"]


@pytest.fixture(scope="module")
def tables():
    keys = _core.PACKET_COLUMNS + _core.EXTRA_COLUMNS
    compared = fluxcap.read_comparison(*COMPARED)
    return {
        "packets": fluxcap.read_packets(SEVERAL, columns=keys),
        "connections": fluxcap.read_connections(SEVERAL),
        "flows": fluxcap.read_flows(SEVERAL, splt=2, activity=True),
        "sockets": fluxcap.read_sockets(SEVERAL),
        "hosts": fluxcap.read_hosts(SEVERAL),
        "timeline": fluxcap.read_timeline(SESSION),
        "compared flows": compared.flows,
        "compared packets": compared.packets,
        "life": fluxcap.read_life(SESSION, "192.0.2.2:8081"),
    }


# Each has a sample with known and unknown values.
KNOWN_IN_PART = [
    *(("connections", name) for name in ("synack_rtt", "ack_rtt", "response_time")),
    *(("flows", name) for name in ("first_window", "reverse_first_window")),
    *(("packets", name) for name in ("flow", "quoted_flow")),
    ("compared packets", "first_difference"),
]


@pytest.mark.parametrize(("table", "name"), KNOWN_IN_PART)
def test_a_number_that_is_not_there_is_null_wherever_null_is_known(tables, table, name, tmp_path):
    part = tables[table].select(name)
    expected = [None if value == -1 else value for value in part[name].tolist()]
    assert None in expected
    assert set(expected) != {None}
    assert part.to_arrow()[name].to_pylist() == expected
    assert part.to_polars()[name].to_list() == expected
    frame = part.to_pandas()[name]
    assert frame.dtype == "Int64"
    assert frame.astype(object).where(frame.notna(), None).tolist() == expected
    assert [value for (value,) in part.to_duckdb().fetchall()] == expected
    assert [getattr(row, name) for row in part] == expected
    for suffix in ("json", "ndjson", "csv", "parquet"):
        part.write(tmp_path / f"x.{suffix}")
    assert [row[name] for row in json.loads((tmp_path / "x.json").read_text())["rows"]] == expected
    assert [json.loads(line)[name] for line in (tmp_path / "x.ndjson").read_text().splitlines()] == expected
    cells = (tmp_path / "x.csv").read_text().splitlines()[1:]
    assert cells == ["" if value is None else str(value) for value in expected]
    assert pq.read_table(tmp_path / "x.parquet")[name].to_pylist() == expected


def test_no_other_column_of_any_table_says_minus_one_where_it_knows_nothing(tables):
    found = {
        (table, field.name)
        for table, rows in tables.items()
        for field in pa.schema(rows)
        if pa.types.is_signed_integer(field.type) and -1 in pa.table(rows.select(field.name))[field.name].to_pylist()
    }
    assert found == set()


def test_unknown_numbers_come_last_however_a_table_is_sorted(tables):
    for descending in (False, True):
        sorted_ = tables["connections"].sort("synack_rtt", descending=descending)["synack_rtt"].tolist()
        known = [value for value in sorted_ if value >= 0]
        assert sorted_ == sorted(known, reverse=descending) + [-1] * (len(sorted_) - len(known))


def test_a_median_in_sql_leaves_unknown_times_out():
    times = [time for time in fluxcap.read_connections(SESSION)["synack_rtt"].tolist() if time >= 0]
    done = run("sql", "SELECT median(synack_rtt) AS m FROM connections", str(SESSION), "-f", "json")
    assert json.loads(done.stdout)["rows"] == [{"m": statistics.median(times)}]
