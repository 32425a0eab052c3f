"""Columns under the names of other programs."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

import fluxcap
from command_line import error_lines
from command_line import fluxcap as command
from fluxcap._core import (
    CONNECTION_COLUMNS,
    EXTRA_COLUMNS,
    FLOW_COLUMNS,
    KEY_FIELDS,
    PACKET_COLUMNS,
    feature_columns,
)
from fluxcap.values.derived import DERIVED
from fluxcap.values.other_names import SCHEMES, names
from six_packets import CAPTURE

FLOWS = (*KEY_FIELDS, "interval", *FLOW_COLUMNS, *feature_columns(biflow=True, features=True, activity=True, splt=2))
CONNECTIONS = (*FLOWS, *CONNECTION_COLUMNS)
PACKETS = (*PACKET_COLUMNS, *EXTRA_COLUMNS)
# The names in their own documentation.
HEADERS = [
    ("zeek", "sockets", ["ip_proto", "id.orig_h", "id.orig_p", "orig_pkts", "bytes", "payload_bytes", "ts", "last"]),
    ("nfstream", "ports", ["protocol", "src_port", "dst_port", "src2dst_packets", "src2dst_bytes", "payload_bytes"]),
    ("ecs", "sockets", ["network.iana_number", "source.ip", "source.port", "source.packets", "source.bytes"]),
    ("ocsf", "hosts", ["src_endpoint.ip", "dst_endpoint.ip", "traffic.packets_out", "traffic.bytes_out"]),
    ("ipfix", "hosts", ["sourceIPv6Address", "destinationIPv6Address", "packetDeltaCount", "layer2OctetDeltaCount"]),
]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("naming") / "capture.pcap"
    path.write_bytes(CAPTURE)
    return path


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_row_renames_a_column_there_is_and_no_two_columns_of_a_table_alike(scheme):
    renamed = names(scheme)
    assert len(renamed) == len(SCHEMES[scheme])
    assert set(renamed) <= {*CONNECTIONS, *PACKETS, *DERIVED}
    for columns in ((*CONNECTIONS, *DERIVED), PACKETS):
        assert len({renamed.get(name, name) for name in columns}) == len(columns)


def test_reverse_elements_are_the_forward_ones_with_a_prefix():
    ipfix = names("ipfix")
    for ours in ("packets", "bytes", "payload_bytes", "tcp_flags"):
        assert ipfix[f"reverse_{ours}"] == f"reverse{ipfix[ours][0].upper()}{ipfix[ours][1:]}"  # RFC 5103 section 6.1


@pytest.mark.parametrize(("scheme", "by", "header"), HEADERS)
def test_every_format_has_the_names_that_were_asked_for(capture, tmp_path, scheme, by, header):
    table = fluxcap.read_flows(capture, by, biflow=by != "hosts")
    for suffix in ("csv", "ndjson", "json", "parquet"):
        table.write(tmp_path / f"x.{suffix}", names=scheme)
    with (tmp_path / "x.csv").open() as file:
        assert next(csv.reader(file))[: len(header)] == header
    line = (tmp_path / "x.ndjson").read_text().splitlines()[0]
    assert list(json.loads(line))[: len(header)] == header
    whole = json.loads((tmp_path / "x.json").read_text())
    assert whole["columns"][: len(header)] == list(whole["rows"][0])[: len(header)] == header
    assert pq.read_schema(tmp_path / "x.parquet").names[: len(header)] == header


def test_values_stay_what_they_are(capture):
    plain, named = (command("flows", capture, "-f", "csv", *more).stdout for more in ((), ("--names", "ipfix")))
    assert plain.splitlines()[1:] == named.splitlines()[1:]
    assert plain.splitlines()[0] != named.splitlines()[0]


def test_packets_have_other_names_too(capture):
    done = command("packets", capture, "--names", "ipfix", "--columns", "time,src_port,verdict")
    header = next(csv.reader(io.StringIO(done.stdout), delimiter="\t"))
    assert header == ["observationTimeNanoseconds", "sourceTransportPort", "verdict"]


def test_names_that_there_are_not_are_refused_with_the_nearest(capture, tmp_path):
    done = command("flows", capture, "--names", "zek")
    assert done.returncode == 2
    assert "zeek" in error_lines(done.stderr)[1]
    with pytest.raises(ValueError, match="did you mean 'nfstream'"):
        fluxcap.read_flows(capture).write(tmp_path / "x.csv", names="nfstrem")


def test_a_table_for_people_keeps_its_own_words(capture):
    done = command("flows", capture, "--names", "zeek", "-f", "table")
    assert done.returncode == 2
    assert "not for a table" in error_lines(done.stderr)[0]
