"""Columns that are made when they are asked for, against the same made in Python, number by number."""

import json
import math
import pickle
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcap
from real_captures import SAMPLES

SESSION, SOCKETS = SAMPLES / "session.pcap", SAMPLES / "sockets.pcapng"
NAMES = ["duration", "total_packets", "total_bytes", "bits_per_second", "reverse_bits_per_second"]
TYPES = {"duration": "i8", "total_packets": "u8", "total_bytes": "u8", "bits_per_second": "f8"}
NO_TIME = fluxcap.NO_TIME
MOST = 2**63 - 1
UNKNOWN = -1


def duration(first: int, last: int) -> int:
    """The plain way: of Python's integers, which have no width."""
    return UNKNOWN if first == NO_TIME or last - first > MOST else last - first


def rate(octets: int, first: int, last: int) -> float:
    length = duration(first, last)
    return float(Fraction(octets * 8 * 10**9, length)) if length > 0 else math.nan


def table(rows: list[tuple[int, ...]]) -> fluxcap.FlowTable:
    first, last, packets, octets, reverse_packets, reverse_octets = (
        np.array([row[n] for row in rows], np.int64 if n < 2 else np.uint64) for n in range(6)
    )
    return fluxcap.FlowTable({
        "packets": packets, "bytes": octets, "reverse_packets": reverse_packets, "reverse_bytes": reverse_octets,
        "first": first, "last": last,
    })  # fmt: skip


TIMES = st.integers(NO_TIME + 1, MOST)
SPANS = st.one_of(st.tuples(TIMES, TIMES).map(sorted), st.just([NO_TIME, NO_TIME]), TIMES.map(lambda ns: [ns, ns]))
COUNTS = st.integers(0, 2**63 - 1)
ROWS = st.lists(st.tuples(SPANS, COUNTS, COUNTS, COUNTS, COUNTS).map(lambda row: (*row[0], *row[1:])), min_size=1)


@given(ROWS)
def test_each_column_is_what_its_name_says(rows):
    made = table(rows)
    assert made["duration"].tolist() == [duration(first, last) for first, last, *_ in rows]
    assert made["total_packets"].tolist() == [row[2] + row[4] for row in rows]
    assert made["total_bytes"].tolist() == [row[3] + row[5] for row in rows]
    for name, place in (("bits_per_second", 3), ("reverse_bits_per_second", 5)):
        wanted = [rate(row[place], row[0], row[1]) for row in rows]
        np.testing.assert_allclose(made[name], wanted, rtol=1e-12, equal_nan=True)
        assert not np.isinf(made[name]).any()


@given(ROWS, st.booleans())
def test_what_is_not_known_comes_last_in_either_order(rows, descending):
    made = table(rows)
    for name in ("duration", "bits_per_second"):
        values = made.sort(name, descending)[name].tolist()
        known = [value for value in values if value != UNKNOWN and not math.isnan(value)]
        assert values[: len(known)] == sorted(known, reverse=descending)


def test_a_single_packet_lasts_no_time_and_has_no_rate():
    made = table([(5, 5, 1, 100, 0, 0)])
    assert made["duration"].tolist() == [0]
    assert np.isnan(made["bits_per_second"]).all()
    assert np.isnan(made["reverse_bits_per_second"]).all()


def test_a_sum_that_64_bits_do_not_hold_is_refused():
    made = table([(0, 1, 1, 2**64 - 1, 1, 1), (0, 1, 1, 1, 1, 1)])
    with pytest.raises(OverflowError, match="64 bits"):
        made["total_bytes"]
    assert made["total_packets"].tolist() == [2, 2]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_read_only_and_of_its_type_even_without_rows(name):
    for made in (fluxcap.read_flows(SESSION), fluxcap.read_flows(SESSION, where="port 1")):
        assert made[name].dtype == TYPES.get(name, "f8")
        assert len(made[name]) == len(made)
        assert not made[name].flags.writeable


@pytest.mark.parametrize(
    "read",
    [fluxcap.read_flows, fluxcap.read_connections, fluxcap.read_hosts, fluxcap.read_sockets],
    ids=lambda read: read.__name__,
)
def test_no_table_has_them_unasked(read):
    made = read(SESSION)
    before = made.columns, made.nbytes
    assert not {*NAMES} & {*made.columns}
    assert made["duration"].tolist() == [
        duration(*span) for span in zip(made["first"].tolist(), made["last"].tolist(), strict=True)
    ]
    assert (made.columns, made.nbytes) == before


def test_tables_have_those_whose_sources_they_have():
    of_one_direction = fluxcap.read_flows(SESSION, by="src_ip")
    assert (of_one_direction["total_bytes"] == of_one_direction["bytes"]).all()
    sockets = fluxcap.read_sockets(SESSION)
    assert (sockets["total_packets"] == sockets["sent_packets"] + sockets["received_packets"]).all()
    hosts = fluxcap.read_hosts(SESSION)
    assert (hosts["total_bytes"] == hosts["sent_bytes"] + hosts["received_bytes"]).all()
    for made, name in (
        (of_one_direction, "reverse_bits_per_second"), (sockets, "total_bytes"), (hosts, "reverse_bits_per_second"),
        (fluxcap.read_packets(SESSION), "duration"), (fluxcap.read_timeline(SESSION), "total_packets"),
    ):  # fmt: skip
        with pytest.raises(KeyError, match=name):
            made[name]


def test_a_table_with_some_of_them_is_of_the_same_kind_and_keeps_what_it_knows(tmp_path):
    flows = fluxcap.read_flows(SOCKETS)
    wide = flows.with_columns("duration, total_bytes")
    assert type(wide) is fluxcap.FlowTable
    assert wide.columns == (*flows.columns, "duration", "total_bytes")
    assert wide.with_columns(["duration"]) == wide
    assert wide.metadata == flows.metadata
    assert pickle.loads(pickle.dumps(wide.with_columns("bits_per_second"))) == wide.with_columns("bits_per_second")
    longest = wide.sort("duration").head(1)
    assert longest["duration"].tolist() == [int(flows["duration"].max())]
    longest.extract(0, tmp_path / "longest.pcapng")
    assert len(fluxcap.read_packets(tmp_path / "longest.pcapng")) == int(longest["total_packets"][0])
    with pytest.raises(KeyError, match="did you mean 'duration'"):
        flows.with_columns("durations")


def test_tables_merge_with_them_as_without():
    """ICMP errors about flows that are in another table are kept too."""
    parts = [fluxcap.read_flows(SOCKETS), fluxcap.read_flows(SESSION)]
    merged = fluxcap.merge(parts)
    assert fluxcap.merge([part.with_columns(NAMES) for part in parts]) == merged
    assert fluxcap.merge([parts[0].with_columns(NAMES), parts[1]]) == merged
    errors = fluxcap.read_flows(SOCKETS, where="icmp or icmp6")
    assert errors.with_columns(NAMES)._unseen == errors._unseen is not None


# Exports


@pytest.fixture(scope="module")
def flows():
    return fluxcap.read_flows(SESSION)


@pytest.fixture(scope="module")
def wide(flows):
    return flows.with_columns(NAMES)


@pytest.fixture(scope="module")
def wanted(flows):
    """The same by pandas, from the columns that every table has: rates are NaN where the duration is 0."""
    frame = flows.to_pandas()
    length = frame["last"] - frame["first"]
    seconds = length.dt.total_seconds().where(length > pd.Timedelta(0))
    return pd.DataFrame({
        "duration": length,
        "total_packets": frame["packets"] + frame["reverse_packets"],
        "total_bytes": frame["bytes"] + frame["reverse_bytes"],
        "bits_per_second": frame["bytes"] * 8 / seconds,
        "reverse_bits_per_second": frame["reverse_bytes"] * 8 / seconds,
    })  # fmt: skip


def test_pandas_polars_and_arrow_have_lengths_of_time_and_nulls(wide, wanted):
    assert wanted["bits_per_second"].isna().sum() > 0
    pd.testing.assert_frame_equal(wide.to_pandas()[NAMES], wanted)
    of_arrow = wide.to_arrow()
    assert of_arrow.schema.field("duration").type == pa.duration("ns")
    pd.testing.assert_frame_equal(of_arrow.select(NAMES).to_pandas(), wanted)
    polars = wide.to_polars()
    assert polars.schema["duration"] == pl.Duration("ns")
    assert polars["bits_per_second"].null_count() == wanted["bits_per_second"].isna().sum()
    assert polars["bits_per_second"].is_nan().sum() == 0


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv", "tsv", "json", "ndjson", "npz"])
def test_every_format_has_them(wide, wanted, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    wide.write(path)
    if suffix == "npz":
        with np.load(path) as archive:
            found = pd.DataFrame({name: archive[name] for name in NAMES})
    elif suffix == "parquet":
        found = pq.read_table(path, columns=NAMES).to_pandas()
    elif suffix == "arrow":
        found = pa.ipc.open_file(path).read_all().select(NAMES).to_pandas()
    elif suffix in ("csv", "tsv"):
        found = pd.read_csv(path, sep="," if suffix == "csv" else "\t")[NAMES]
    elif suffix == "json":
        found = pd.DataFrame(json.loads(path.read_text(), parse_constant=pytest.fail)["rows"])[NAMES]
    else:
        lines = path.read_text().splitlines()
        found = pd.DataFrame([json.loads(line, parse_constant=pytest.fail) for line in lines])[NAMES]
    found["duration"] = pd.to_timedelta(found["duration"])  # of nanoseconds, where texts have them
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_duckdb_reads_them_from_a_variable(wide):
    found = duckdb.sql("SELECT duration, total_bytes, bits_per_second FROM wide").fetchall()
    assert [octets for _, octets, _ in found] == wide["total_bytes"].tolist()
    assert [rate is None for *_, rate in found] == np.isnan(wide["bits_per_second"]).tolist()


def test_a_notebook_shows_no_number_where_there_is_none(wide):
    assert "nan" not in wide.sort("duration", descending=False)._repr_html_()
