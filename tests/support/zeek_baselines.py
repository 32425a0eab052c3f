"""Captures of Zeek's own tests with the conn.log that they expect, prepared as Zeek prepares them."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import dpkt
import numpy as np

import fluxcap
from capture_files import Record, pcap
from real_captures import CORPUS, FOLDER

REFUSED = [fluxcap.VERDICTS.index(name) for name in ("bad", "partial", "illegal")]
FRAGMENT = fluxcap.VERDICTS.index("fragment")
ETHERNET, AT_IP, ETHERTYPE_IPV4 = 1, 14, b"\x08\x00"


@cache
def baselines() -> list[dict[str, Any]]:
    if FOLDER is None:
        return []
    return [json.loads(line) for line in (CORPUS / "zeek_conn.ndjson").read_text().splitlines()]


def prepared(baseline: dict[str, Any]) -> tuple[bytes, bool]:
    """The capture with datagrams put together, and whether Zeek ran with `-C`."""
    return put_together((CORPUS / baseline["path"]).read_bytes()), "C" in baseline["command"].partition("$")[0]


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
