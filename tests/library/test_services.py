"""Names of protocols and services: by themselves, and as columns on request."""

import json
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

import fluxcap
from fluxcap.values import services
from real_captures import SAMPLES

OFFICE, SESSION = SAMPLES / "office.pcap", SAMPLES / "session.pcap"
NAMES = {17: "UDP", 6: "TCP", 1: "ICMP", 58: "ICMPv6"}


def test_the_names_are_in_the_order_of_their_ports_and_as_long_as_names_may_be():
    rows = [line.split() for line in services.REGISTERED.split("\n") if line]
    assert all(int(one[0]) <= int(other[0]) for one, other in pairwise(rows))
    assert max(len(row[1]) for row in rows) <= services.LONGEST
    assert len(services.names()) == sum(len(row) - 2 for row in rows)


@pytest.mark.parametrize(
    ("protocol", "port", "name"),
    [
        (6, 443, "https"),
        (17, 443, "https"),
        (136, 53, "domain"),
        (6, 514, "shell"),
        (17, 514, "syslog"),
        (None, 443, "https"),
        (None, 514, ""),
        (1, 8, ""),
        (6, 40000, ""),
        (17, 0, ""),
    ],
)
def test_a_service_has_its_name_by_protocol(protocol, port, name):
    assert services.service(protocol, port) == name
    assert services.labelled(protocol, port) == (f"{port}/{name}" if name else str(port))


def test_ports_of_a_host_are_known_by_name_or_protocol():
    assert services.labelled_list("443/tcp 514/udp 9999/tcp +2") == "443/https 514/syslog 9999/tcp +2"
    assert services.labelled_list("") == ""


@pytest.mark.parametrize("read", [fluxcap.read_flows, fluxcap.read_connections, fluxcap.read_packets])
def test_both_ends_have_the_names_of_their_services(read):
    made = read(OFFICE)
    for side in ("src", "dst"):
        ports = zip(made["protocol"].tolist(), made[f"{side}_port"].tolist(), strict=True)
        wanted = [services.service(*port).encode() for port in ports]
        assert made[f"{side}_service"].tolist() == wanted
        assert b"" in wanted
    assert b"https" in wanted


def test_sockets_have_the_name_of_their_service():
    made = fluxcap.read_sockets(OFFICE)
    assert {*made["service"][made["port"] == 443].tolist()} == {b"https"}


def test_a_protocol_has_its_name_and_a_frame_without_ip_none():
    made = fluxcap.read_packets(SESSION)
    wanted = [NAMES.get(number, "").encode() for number in made["protocol"].tolist()]
    assert made["protocol_name"].tolist() == wanted
    assert wanted[0] == b""  # ARP


def test_exports_have_them_as_texts(tmp_path):
    made = fluxcap.read_flows(OFFICE).with_columns("dst_service,protocol_name")
    wanted = [name.decode() or None for name in made["dst_service"].tolist()]
    for suffix in ("parquet", "ndjson"):
        made.write(tmp_path / f"x.{suffix}")
    assert pq.read_table(tmp_path / "x.parquet")["dst_service"].to_pylist() == wanted
    lines = (tmp_path / "x.ndjson").read_text().splitlines()
    assert [json.loads(line)["dst_service"] for line in lines] == wanted
    assert made.to_polars()["dst_service"].to_list() == made.to_arrow()["dst_service"].to_pylist() == wanted
    of_pandas = made.to_pandas()["dst_service"]
    assert of_pandas.astype(object).where(of_pandas.notna(), None).tolist() == wanted
    assert "" not in of_pandas.cat.categories
    assert np.array_equal(made.sort("dst_service")["dst_service"], np.sort(made["dst_service"])[::-1])
