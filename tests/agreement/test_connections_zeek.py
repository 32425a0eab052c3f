"""Connections of real captures are those of the conn.log that Zeek's own tests expect (zeek_conn.ndjson of the corpus).

Zeek prepares records before it sees connections, and so does this test: it puts datagrams in fragments together and,
unless Zeek ran with `-C`, drops packets whose checksum does not add up, left to a network card or not. Zeek follows
the datagrams of a tunnel and the packets inside; here these are two readings. "X" in Zeek's history says that Zeek
stopped there. The rows that still differ are in zeek_conn_differences.tsv, each with its reason.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import fluxcap
from fluxcap.values import text
from real_captures import needs_corpus
from zeek_baselines import baselines, prepared, without_refused

DIFFERENCES = Path(__file__).with_name("zeek_conn_differences.tsv")
COLUMNS = (
    *("protocol", "src_ip", "src_port", "dst_ip", "dst_port", "state", "history"),
    *("packets", "bytes", "reverse_packets", "reverse_bytes"),
)
NOTHING = ("0",) * 5
PORTED = {6: "tcp", 17: "udp"}
ICMP = (1, 58)
ENOUGH = 0.95
Row = tuple[str, ...]  # protocol, ends, state, history, packets and bytes each way, bytes missed


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


def differing() -> tuple[list[tuple[str, Row]], int]:
    """Rows of the log that our table lacks, each with its capture, and the number of all rows."""
    missing, n = [], 0
    for baseline in baselines():
        capture, ignored = prepared(baseline)
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
