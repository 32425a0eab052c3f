"""Connections of real captures are those of the conn.log that Zeek's own tests expect (zeek_conn.ndjson of the corpus).

Zeek prepares records before it sees connections, and so does this test: it puts datagrams in fragments together and,
unless Zeek ran with `-C`, drops packets whose checksum does not add up, left to a network card or not. Zeek follows
the datagrams of a tunnel and the packets inside; here these are two readings. "X" in Zeek's history says that Zeek
stopped there. The rows that still differ are in zeek_conn_differences.tsv, each with its reason.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import dpkt
import numpy as np

import fluxcap
from capture_files import Record, pcap
from fluxcap.values import text
from real_captures import CORPUS, FOLDER, needs_corpus

DIFFERENCES = Path(__file__).with_name("zeek_conn_differences.tsv")
REFUSED = [fluxcap.VERDICTS.index(name) for name in ("bad", "partial", "illegal")]
FRAGMENT = fluxcap.VERDICTS.index("fragment")
ETHERNET, AT_IP, ETHERTYPE_IPV4 = 1, 14, b"\x08\x00"
COLUMNS = (
    *("protocol", "src_ip", "src_port", "dst_ip", "dst_port", "state", "history"),
    *("packets", "bytes", "reverse_packets", "reverse_bytes"),
)
NOTHING = ("0",) * 5
PORTED = {6: "tcp", 17: "udp"}
ICMP = (1, 58)
ENOUGH = 0.95
Row = tuple[str, ...]  # protocol, ends, state, history, packets and bytes each way, bytes missed


@cache
def baselines() -> list[dict[str, Any]]:
    if FOLDER is None:
        return []
    return [json.loads(line) for line in (CORPUS / "zeek_conn.ndjson").read_text().splitlines()]


def expected(row: dict[str, str]) -> Row:
    old = {"id.orig_h": "src_ip", "id.orig_p": "src_port", "id.resp_h": "dst_ip", "id.resp_p": "dst_port"}
    protocol, src, src_port, dst, dst_port = (
        row.get(name) or row[old[name]] for name in ("proto", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
    )
    ports = (src_port, dst_port) if protocol in PORTED.values() else ("", "")
    history = "" if row["history"] == "-" else row["history"].replace("X", "")
    counts = (row[name] for name in ("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "missed_bytes"))
    return protocol, src, ports[0], dst, ports[1], row["conn_state"], history, *counts


def found(capture: bytes, decap: bool, ignore_checksums: bool) -> Counter[Row]:
    """The rows of one reading in the form of the log."""
    if not ignore_checksums:
        capture = without_refused(capture, decap)
    table = fluxcap.read_connections(capture, semantics="zeek", decap=decap, ignore_checksums=ignore_checksums)
    missed = text.integers(table["gap_bytes"] + table["reverse_gap_bytes"])
    cells = zip(*(text.cells(name, table[name]) for name in COLUMNS), missed, strict=True)
    return Counter(map(_as_zeek, cells))


def _as_zeek(row: Row) -> Row:
    number, src, src_port, dst, dst_port, *rest = row
    if name := PORTED.get(int(number)):
        return name, src, src_port, dst, dst_port, *rest
    return "icmp" if int(number) in ICMP else "unknown_transport", src, "", dst, "", *rest


def frames(capture: bytes) -> list[Record]:
    """The records of a capture of one link type."""
    about = fluxcap.read_packets(capture, columns=["time", "wire_length"], decap=False)
    read = [bytes(frame) for _, frame in dpkt.pcap.UniversalReader(io.BytesIO(capture))]
    times, lengths = about["time"].tolist(), about["wire_length"].tolist()
    return [Record(*one) for one in zip(read, times, lengths, strict=True)]


def without_refused(capture: bytes, decap: bool) -> bytes:
    """The records without those whose checksum Zeek takes for bad."""
    about = fluxcap.read_packets(capture, columns=["verdict", "link_type"], decap=decap)
    refused = np.isin(about["verdict"], REFUSED).tolist()
    if not any(refused):
        return capture
    (link_type,) = set(about["link_type"].tolist())
    kept = [one for one, out in zip(frames(capture), refused, strict=True) if not out]
    return pcap(kept, link_type, ns=True)


def put_together(capture: bytes) -> bytes:
    """The records with each complete IPv4 datagram whole, at the place of its last fragment."""
    about = fluxcap.read_packets(capture, columns=["link_type", "verdict"], decap=False)
    if FRAGMENT not in about["verdict"] or set(about["link_type"].tolist()) != {ETHERNET}:
        return capture
    waiting: dict[tuple[bytes, bytes, int, int], dict[int, bytes]] = {}
    kept: list[Record] = []
    for record in frames(capture):
        ip = dpkt.ip.IP(record.data[AT_IP:]) if record.data[AT_IP - 2 : AT_IP] == ETHERTYPE_IPV4 else None
        if ip is None or not (ip.mf or ip.offset):
            kept.append(record)
            continue
        datagram = (ip.src, ip.dst, ip.id, ip.p)
        header = record.data[: AT_IP + ip.hl * 4]
        parts = waiting.setdefault(datagram, {})
        parts[ip.offset] = record.data[len(header) : AT_IP + ip.len]
        payload = b"".join(part for _, part in sorted(parts.items()))
        if ip.mf:  # the corpus has no datagram whose last fragment comes earlier
            continue
        del waiting[datagram]
        length = (ip.hl * 4 + len(payload)).to_bytes(2, "big")
        whole = header[: AT_IP + 2] + length + header[AT_IP + 4 : AT_IP + 6] + bytes(2) + header[AT_IP + 8 :] + payload
        kept.append(Record(whole, record.time))
    return pcap(kept, ns=True)


def differing() -> tuple[list[tuple[str, Row]], int]:
    """Rows of the log that our table lacks, each with its capture, and the number of all rows."""
    missing, n = [], 0
    for baseline in baselines():
        ignored = "C" in baseline["command"].partition("$")[0]
        capture = put_together((CORPUS / baseline["path"]).read_bytes())
        here = [found(capture, decap, ignored) for decap in (True, False)]
        for row in map(expected, baseline["rows"]):
            n += 1
            if row[-len(NOTHING) :] == NOTHING:
                ends = [{one[1:3], one[3:5]} for rows in here for one in rows]
                same = {row[1:3], row[3:5]} not in ends  # all its records had bad checksums
            else:
                same = any(rows[row] for rows in here)
                for rows in here:
                    rows[row] -= 1
            if not same:
                missing.append((baseline["path"], row))
    return missing, n


@needs_corpus
def test_connections_are_those_of_zeek_but_for_the_differences_that_are_explained():
    missing, n = differing()
    with DIFFERENCES.open(newline="") as rows:
        explained = list(csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    assert all(reason for *_, reason in explained)
    assert Counter((path, *row) for path, row in missing) == Counter(tuple(row[:-1]) for row in explained)
    assert len(missing) <= (1 - ENOUGH) * n
