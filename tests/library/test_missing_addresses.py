"""Rows without an address: null wherever values can be missing, whether or not `ip_version` is among the columns."""

import csv
import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap._core import TextRows
from fluxcap.values import text
from real_captures import SAMPLES

FRAMES = {
    None: b.ethernet(bytes(28), 0x0806),  # ARP
    "::": b.ethernet(b.ipv6(b.udp(b"x"), src="::")),  # an address of zeros, as of a host that has none yet
    "0.0.0.0": b.ethernet(b.ipv4(b.udp(b"x"), "0.0.0.0")),
    "192.0.2.1": b.ethernet(b.ipv4(b.udp(b"x"), "192.0.2.1")),
}
SOURCES = st.lists(st.sampled_from([*FRAMES]), min_size=1, max_size=20)
CHOICES = [None, "src_ip", "packet,src_ip", "src_ip,ip_version"]


def capture(sources: list[str | None]) -> bytes:
    return pcap(records([FRAMES[source] for source in sources]))


def nulls(values) -> list:
    return values.astype(object).where(values.notna(), None).tolist()


@given(SOURCES, st.sampled_from(CHOICES))
def test_an_address_is_there_exactly_where_an_ip_header_is(sources, columns):
    packets = fluxcap.read_packets(capture(sources), columns=columns)
    assert packets.columns == fluxcap.read_packets(capture([]), columns=columns).columns
    assert [bool(there) for there in memoryview(packets.there("src_ip"))] == [one is not None for one in sources]
    assert nulls(packets.to_pandas()["src_ip"]) == sources
    assert packets.to_polars()["src_ip"].to_list() == packets.to_arrow()["src_ip"].to_pylist() == sources
    in_bytes = packets.to_arrow(ip="binary")["src_ip"].to_pylist()
    assert in_bytes == packets.to_pandas(ip="binary")["src_ip"].tolist()
    assert [one is None for one in in_bytes] == [one is None for one in sources]
    picked = packets.filter(np.arange(len(sources)) % 2 == 0)
    assert picked.to_polars()["src_ip"].to_list() == sources[::2]


@given(SOURCES, st.integers(1, 5))
def test_a_scan_says_the_same_in_batches(sources, size):
    scan = fluxcap.scan_packets(capture(sources), columns="src_ip", batch_size=size)
    assert scan.to_arrow().read_all()["src_ip"].to_pylist() == sources
    assert scan.lazy().collect()["src_ip"].to_list() == sources


@pytest.mark.parametrize("columns", CHOICES)
@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "ndjson", "parquet"])
def test_every_format_has_nothing_where_there_is_none(tmp_path, columns, suffix):
    sources, path = [*FRAMES, None], tmp_path / f"x.{suffix}"
    fluxcap.read_packets(capture(sources), columns=columns).write(path)
    if suffix == "parquet":
        assert pq.read_table(path)["src_ip"].to_pylist() == pl.read_parquet(path)["src_ip"].to_list() == sources
    elif suffix == "json":
        assert [row["src_ip"] for row in json.loads(path.read_text())["rows"]] == sources
    elif suffix == "ndjson":
        assert [json.loads(line)["src_ip"] for line in path.read_text().splitlines()] == sources
    else:
        header, *lines = csv.reader(path.read_text().splitlines(), delimiter="," if suffix == "csv" else "\t")
        found = [line[header.index("src_ip")] if line else "" for line in lines]
        assert found == [source or "" for source in sources]


def test_numbers_and_numpy_have_zeros_there(tmp_path):
    ipv4 = fluxcap.read_packets(capture([None, "192.0.2.1"]), columns="src_ip")
    assert ipv4["src_ip"][0].tolist() == [0] * 16
    wanted = [0, 0xC0000201]
    assert ipv4.to_pandas(ip="uint32")["src_ip"].tolist() == ipv4.to_arrow(ip="uint32")["src_ip"].to_pylist() == wanted


def test_a_notebook_shows_none():
    assert "::" not in fluxcap.read_packets(capture([None]), columns="src_ip,dst_ip")._repr_html_()
    assert ">::<" in fluxcap.read_packets(capture(["::"]), columns="src_ip,dst_ip")._repr_html_()


def test_flows_and_packets_of_one_pass_have_them_too():
    _, packets = fluxcap.read_flows(capture([None, "::"]), packets="src_ip")
    assert packets.to_polars()["src_ip"].to_list() == [None, "::"]


def test_a_call_without_a_peer_has_none():
    life = fluxcap.read_life(SAMPLES / "session.pcap", "192.0.2.2:8081")
    peers = dict(zip(text.cells("call", life["call"]), life.to_polars()["peer_address"].to_list(), strict=True))
    assert (peers["bind"], peers["accept"]) == (None, "192.0.2.1")


def test_the_core_refuses_a_witness_of_other_rows():
    column = ("address", np.zeros((2, 16), np.uint8))
    for there in ({0: bytes(3)}, {1: bytes(2)}):
        with pytest.raises(ValueError, match="rows"):
            TextRows([column], (b"", b"\n"), there)
