"""conn.log of Zeek as connections and flows are written to it, read back by the rules of its own header."""

import json
from pathlib import Path

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap, records
from command_line import fluxcap as run
from conn_logs import read_log
from real_captures import SAMPLES

SESSION, SOCKETS = SAMPLES / "session.pcap", SAMPLES / "sockets.pcapng"
SECOND = 10**9
CLIENT, SERVER = "10.0.0.1", "8.8.8.8"


def log_of(capture: bytes, path: Path, **options) -> list[dict[str, object]]:
    table = fluxcap.read_connections(capture, **{"semantics": "zeek", **options})
    table.write(path / "conn.log")
    return read_log((path / "conn.log").read_text())


def talk(*, resent: bool = False) -> bytes:
    """A request of 5 bytes, an answer of 3; the request comes twice if it is resent."""
    turns = [(b"hello", True), *([(b"hello", True)] if resent else []), (b"abc", False)]
    made, seq, ack = [], 100, 500
    syn = [(CLIENT, SERVER, 4000, 80, 99, 0, 2, b""), (SERVER, CLIENT, 80, 4000, 499, 100, 18, b"")]
    for data, forward in turns:
        ends = (CLIENT, SERVER, 4000, 80) if forward else (SERVER, CLIENT, 80, 4000)
        syn.append((*ends, *((seq, ack) if forward else (ack, seq + 5)), 24, data))
    for n, (src, dst, sport, dport, number, acked, flags, data) in enumerate(syn):
        segment = b.tcp(data, sport, dport, seq=number, ack=acked, flags=flags)
        made.append(Record(bytes(b.ethernet(b.ipv4(segment, src, dst))), SECOND + n * 1_500_000))
    return pcap(made, ns=True)


def test_a_connection_has_the_fields_of_zeek(tmp_path):
    (row,) = log_of(talk(), tmp_path)
    uid = row.pop("uid")
    assert uid[0] == "C"
    assert str(uid).isalnum()
    assert row == {
        "ts": 1.0, "id.orig_h": CLIENT, "id.orig_p": 4000, "id.resp_h": SERVER, "id.resp_p": 80, "proto": "tcp",
        "duration": 0.0045, "orig_bytes": 5, "resp_bytes": 3, "conn_state": "S1", "local_orig": True,
        "local_resp": False, "missed_bytes": 0, "history": "ShDd", "orig_pkts": 2, "orig_ip_bytes": 85,
        "resp_pkts": 2, "resp_ip_bytes": 83,
    }  # fmt: skip


def test_what_a_row_does_not_tell_is_unset(tmp_path):
    """Payload that was sent twice, bytes of frames instead of IP packets, a length of no time."""
    (row,) = log_of(talk(resent=True), tmp_path)
    assert "orig_bytes" not in row
    assert row["resp_bytes"] == 3
    (row,) = log_of(talk(), tmp_path, semantics="wireshark")
    assert not {"orig_ip_bytes", "resp_ip_bytes"} & row.keys()
    (row,) = log_of(pcap(records([b.ethernet(b.ipv4(b.udp(b"x"), CLIENT, SERVER))])), tmp_path)
    assert not {"duration", "orig_bytes", "resp_bytes"} & row.keys()
    fluxcap.read_flows(talk()).write(tmp_path / "flows.log")
    (row,) = read_log((tmp_path / "flows.log").read_text())
    assert not {"conn_state", "history", "missed_bytes", "orig_bytes"} & row.keys()


@pytest.mark.parametrize(("kind", "code", "ports"), [(8, 0, (8, 0)), (3, 1, (3, 1)), (13, 0, (13, 14)), (0, 0, (0, 8))])
def test_the_ports_of_icmp_are_its_type_and_the_type_that_answers_or_its_code(tmp_path, kind, code, ports):
    frame = b.ethernet(b.ipv4(b.icmp(b"", kind, code, bytes.fromhex("00030001")), CLIENT, SERVER))
    (row,) = log_of(pcap(records([frame])), tmp_path)
    assert (row["proto"], row["id.orig_p"], row["id.resp_p"]) == ("icmp", *ports)


def test_a_protocol_that_zeek_does_not_follow_has_no_ports(tmp_path):
    (row,) = log_of(pcap(records([b.ethernet(b.ipv4(b.sctp(b"x", 1, 2), CLIENT, SERVER))])), tmp_path)
    assert (row["proto"], row["id.orig_p"], row["id.resp_p"]) == ("unknown_transport", 0, 0)


@pytest.mark.parametrize("path", [SESSION, SOCKETS], ids=lambda path: path.name)
def test_both_forms_say_the_same_and_each_connection_has_its_own_uid(path):
    rows = read_log(run("connections", path, "-f", "zeek").stdout)
    assert [json.loads(line) for line in run("connections", path, "-f", "zeek_json").stdout.splitlines()] == rows
    table = fluxcap.read_connections(path, semantics="zeek")
    assert len(rows) == len(table)
    assert len({row["uid"] for row in rows}) == len(rows)
    again = fluxcap.read_connections(path, semantics="zeek")[::-1]
    assert read_log(run("connections", path, "-f", "zeek", "-s", "+first").stdout) != [] != len(again)
    assert [row["orig_pkts"] for row in rows] == table["packets"].tolist()
    assert [row["ts"] for row in rows] == pytest.approx((table["first"] / SECOND).tolist(), abs=1e-6)


def test_many_rows_have_many_uids_whatever_piece_they_are_written_in(tmp_path):
    frames = [b.ethernet(b.ipv4(b.udp(b"", 1 + n % 60000, 53), CLIENT, SERVER)) for n in range(9000)]
    capture = pcap(records(frames))
    whole = log_of(capture, tmp_path)
    assert len({row["uid"] for row in whole}) == 9000
    fluxcap.read_connections(capture, semantics="zeek")[8000:].write(tmp_path / "rest.log")
    assert read_log((tmp_path / "rest.log").read_text()) == whole[8000:]


def test_the_community_id_is_the_last_field_where_it_is_asked_for():
    head = run("flows", SESSION, "-f", "zeek", "--community-id", "0").stdout.splitlines()
    ids = fluxcap.read_flows(SESSION, semantics="zeek")["community_id"].tolist()
    rows = read_log("\n".join(head))
    assert head[5].endswith("\tcommunity_id")
    assert [str(row["community_id"]).encode() for row in rows] == ids


def test_a_record_without_a_time_has_no_ts():
    table = fluxcap.read_connections(talk(), semantics="zeek")
    columns = {**table.to_dict(), "_icmp": table["_icmp"], "first": np.array([fluxcap.NO_TIME])}
    from fluxcap.formats import Rows, _conn_log

    made = fluxcap.ConnectionTable(columns)
    (cells,) = _conn_log.batches([made], _conn_log.fields_of(Rows([made], made.columns)))
    assert cells[0] == [None]


@pytest.mark.parametrize(
    "arguments",
    [
        ("packets", "-f", "zeek"),
        ("flows", "-f", "zeek", "--by", "hosts"),
        ("connections", "-f", "zeek", "--columns", "src_ip"),
        ("connections", "-f", "zeek_json", "--names", "zeek"),
        ("info", "-f", "zeek"),
        ("sockets", "-f", "zeek_json"),
    ],
)
def test_rows_that_are_no_conn_log_are_refused(arguments):
    command, *options = arguments
    done = run(command, SESSION, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert "conn.log" in done.stderr
    assert "bug" not in done.stderr
