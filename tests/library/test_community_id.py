"""Community IDs, against the package of those who specify them."""

import json
import struct

import communityid
import numpy as np
import pandas as pd
import polars as pl
import pytest
from communityid import FlowTuple
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from command_line import fluxcap as run
from fluxcap import _core
from real_captures import SAMPLES

SESSION = SAMPLES / "session.pcap"
V4, V6 = ("192.0.2.9", "192.0.2.30"), ("2001:db8::9", "2001:db8::30")
ICMP, ICMPV6 = 1, 58
QUERIES = {ICMP: (0, 8, 13, 14, 15, 16, 17, 18), ICMPV6: (128, 129)}  # they have an identifier in the place of ports
IDENTIFIERS = (0, 1, 3, 11, 200, 0x1234)
# https://github.com/corelight/community-id-spec, README.md: an example in each form.
EXAMPLE = ("128.232.110.120", 34855, "66.35.250.204", 80)
FORMS = {
    (0, "base64"): b"1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    (1, "base64"): b"1:3V71V58M3Ksw/yuFALMcW0LAHvc=",
    (0, "hex"): b"1:2d053da9994af81e45dca0e67afea6e4f3226eb8",
}


def wanted(protocol: int, src: str, dst: str, *ports: int, seed: int = 0, encoding: str = "base64") -> bytes:
    made = communityid.CommunityID(seed, use_base64=encoding == "base64")
    return made.calc(FlowTuple(protocol, src, dst, *ports)).encode()


def message(protocol: int, kind: int, code: int, identifier: int, src: str, dst: str) -> bytes:
    if protocol == ICMP:
        return b.ethernet(b.ipv4(b.icmp(b"", kind, code, struct.pack(">HH", identifier, 7)), src, dst))
    return b.ethernet(b.ipv6(b.icmpv6(b"", kind, code, struct.pack(">HH", identifier, 7)), src, dst))


def capture(frames) -> bytes:
    return pcap(records(list(frames)))


@pytest.mark.parametrize(("form", "expected"), FORMS.items())
def test_the_example_of_the_specification_has_its_id_in_either_direction(form, expected):
    src, src_port, dst, dst_port = EXAMPLE
    frames = [
        b.ethernet(b.ipv4(b.tcp(b"", src_port, dst_port), src, dst)),
        b.ethernet(b.ipv4(b.tcp(b"", dst_port, src_port), dst, src)),
    ]
    for one in (frames, frames[::-1], frames[1:]):
        for read in (fluxcap.read_flows, fluxcap.read_connections, fluxcap.read_packets):
            made = read(capture(one)).with_community_id(*form)
            assert set(made["community_id"].tolist()) == {expected}


@pytest.mark.parametrize("protocol", [ICMP, ICMPV6])
@pytest.mark.parametrize("identifier", IDENTIFIERS)
@pytest.mark.parametrize("code", [0, 3])
def test_every_icmp_message_has_the_id_of_its_type_and_of_the_type_that_answers_it(protocol, identifier, code):
    """Whatever identifier stands in the place of its ports, and whoever was seen first."""
    near, far = V4 if protocol == ICMP else V6
    for kinds in (range(256), range(255, -1, -1)):
        ends = [(far, f"{near}{kind:x}") if kind % 3 else (f"{near}{kind:x}", far) for kind in kinds]
        if protocol == ICMP:
            ends = [(f"192.0.3.{kind}", far) if kind % 3 else (far, f"192.0.3.{kind}") for kind in kinds]
        made = capture(message(protocol, kind, code, identifier, *pair) for kind, pair in zip(kinds, ends, strict=True))
        ids = [wanted(protocol, *pair, kind, code) for kind, pair in zip(kinds, ends, strict=True)]
        for read in (fluxcap.read_packets, fluxcap.read_flows, fluxcap.read_connections):
            assert read(made)["community_id"].tolist() == ids


@pytest.mark.parametrize("protocol", [ICMP, ICMPV6])
def test_a_flow_keeps_the_type_of_its_first_record_in_merged_tables_and_from_thread_to_thread(protocol):
    src, dst = V4 if protocol == ICMP else V6
    kinds = QUERIES[protocol]
    frames = [message(protocol, kind, 0, 500 + n, src, dst) for n, kind in enumerate(kinds)] * 3
    ids = [wanted(protocol, src, dst, kind, 0) for kind in kinds]
    parts = [fluxcap.read_flows(capture(frames[:3])), fluxcap.read_flows(capture(frames[3:]))]
    for table in (fluxcap.merge(parts), fluxcap.read_flows(capture(frames), threads=2)):
        assert table["community_id"].tolist() == ids


# Not ::ffff:0:0/96: in a table these are the addresses of IPv4 (RFC 4291 section 2.5.5.2).
IPV6 = st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None)
ADDRESSES = st.one_of(st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(IPV6, IPV6))
PORTS = st.integers(0, 0xFFFF)
PROTOCOLS = st.integers(1, 255).filter(lambda protocol: protocol not in (ICMP, ICMPV6))


def column(address) -> bytes:
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


@given(ADDRESSES, PROTOCOLS, PORTS, PORTS, st.integers(0, 0xFFFF), st.sampled_from(["base64", "hex"]))
def test_every_tuple_has_the_id_of_the_reference(addresses, protocol, src_port, dst_port, seed, encoding):
    src, dst = (np.frombuffer(column(one), np.uint8).reshape(1, 16) for one in addresses)
    ports = [np.array([port], np.uint16) for port in (src_port, dst_port)]
    made = _core.community_ids(
        np.array([protocol], np.uint8), src, ports[0], dst, ports[1], np.zeros(1, np.uint16), seed, encoding == "hex"
    )
    given_ports = (src_port, dst_port) if protocol in (6, 17, 132) else ()
    names = [str(one) for one in addresses]
    assert made == wanted(protocol, *names, *given_ports, seed=seed, encoding=encoding)


def test_a_record_without_ip_has_none():
    packets = fluxcap.read_packets(SESSION)
    without = packets["ip_version"] == 0
    assert without.any()
    assert set(packets["community_id"][without].tolist()) == {b""}
    assert b"" not in packets["community_id"][~without].tolist()
    assert packets.with_columns("community_id").to_arrow()["community_id"].null_count == without.sum()


def test_only_rows_with_whole_addresses_and_ports_have_one():
    for by in ("hosts", "ports", "sockets", "src_ip/24,dst_ip/24,src_port,dst_port,protocol"):
        table = fluxcap.read_flows(SESSION, by)
        with pytest.raises(KeyError, match="community_id"):
            table["community_id"]
        with pytest.raises(KeyError, match="whole addresses"):
            table.with_community_id()
    assert fluxcap.read_flows(SESSION, "5tuple,vlan")["community_id"].tolist()


@pytest.mark.parametrize(("seed", "encoding"), [(-1, "base64"), (65536, "base64"), (0, "base32")])
def test_another_seed_or_encoding_is_refused(seed, encoding):
    with pytest.raises(ValueError, match="Community ID"):
        fluxcap.read_flows(SESSION).with_community_id(seed, encoding)


def test_tables_join_on_it(tmp_path):
    flows = fluxcap.read_flows(SESSION).with_columns("community_id")
    packets = fluxcap.read_packets(SESSION, columns="protocol,src_ip,src_port,dst_ip,dst_port,disposition")
    joined = flows.to_polars().join(
        packets.with_columns("community_id").to_polars(), on=pl.col("community_id").cast(str), how="inner"
    )
    assert len(joined) == int((flows["packets"] + flows["reverse_packets"]).sum())
    frame = flows.to_pandas()
    assert frame["community_id"].astype(str).tolist() == [one.decode() for one in flows["community_id"].tolist()]
    assert isinstance(frame["community_id"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize("command", ["flows", "connections", "packets"])
def test_every_format_has_it(command):
    ids = getattr(fluxcap, f"read_{command}")(SESSION).with_community_id(5, "hex")["community_id"]
    texts = [one.decode() for one in ids.tolist()]
    rows = run(command, SESSION, "--community-id", "5,hex", "--columns", "community_id", "-f", "tsv").stdout
    assert rows.splitlines() == ["community_id", *texts]
    lines = run(command, SESSION, "--community-id", "5,hex", "-f", "ndjson").stdout.splitlines()
    assert [json.loads(line)["community_id"] or "" for line in lines] == texts
    plain = run(command, SESSION, "--columns", "community_id", "-f", "csv").stdout.splitlines()
    assert len(plain) == len(texts) + 1
    assert all(len(one) in (0, 30) for one in plain[1:])


@pytest.mark.parametrize("table", ["flows", "connections"])
def test_a_query_names_it(table):
    ids = getattr(fluxcap, f"read_{table}")(SESSION)["community_id"].tolist()
    done = run("sql", f"SELECT community_id FROM {table}", SESSION, "-f", "csv")
    assert done.stdout.encode().split() == [b"community_id", *ids]


def test_packets_are_read_with_it_alone_in_one_table_or_in_batches():
    ids = fluxcap.read_packets(SESSION)["community_id"].tolist()
    alone = fluxcap.read_packets(SESSION, columns="community_id")
    assert alone.columns == ("community_id",)
    assert alone["community_id"].tolist() == ids
    batches = list(fluxcap.scan_packets(SESSION, columns=["protocol_name", "community_id", "packet"], batch_size=100))
    assert [one for batch in batches for one in batch["community_id"].tolist()] == ids
    assert batches[0].columns == ("protocol_name", "community_id", "packet")


def test_packets_and_flows_join_on_it():
    query = "SELECT community_id, any_value(f.packets) AS sent, count(*) AS n FROM flows f JOIN packets p"
    done = run("sql", f"{query} USING (community_id) WHERE p.src_ip = f.src_ip GROUP BY ALL", SESSION, "-f", "csv")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header == "community_id,sent,n"
    sent = [row.split(",")[1:] for row in rows if row.split(",")[1] == row.split(",")[2]]
    assert len(sent) > 100  # of flows whose two directions share an ID, each row has the packets of its own


@pytest.mark.parametrize("given", ["x", "70000", "1,base32", "-1", "1,hex,2"])
def test_what_is_no_seed_is_refused_before_reading(given):
    done = run("flows", SESSION, f"--community-id={given}")
    assert done.returncode == 2
    assert "--community-id" in done.stderr


def test_flows_that_are_written_as_they_end_have_it():
    done = run("flows", SESSION, "--as-they-end", "--idle-timeout", "60s", "--community-id", "0", "-f", "csv")
    table = fluxcap.read_flows(SESSION, idle_timeout="60s")
    header, *rows = done.stdout.splitlines()
    assert header.endswith(",community_id")
    assert sorted(row.rpartition(",")[2].encode() for row in rows) == sorted(table["community_id"].tolist())
