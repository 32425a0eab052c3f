"""What NFStream makes of a capture, and the captures on which that can be compared."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from real_captures import CORPUS, index

HERE = Path(__file__).parent
TCP, UDP = 6, 17
CAPTURES = 16  # NFStream takes seconds to start
Key = tuple[int, str, int, str, int]

needs_nfstream = pytest.mark.skipif(importlib.util.find_spec("nfstream") is None, reason="NFStream is not installed")


def nflows(path: Path, first_packets: int, timeouts: str) -> list[tuple[Key, dict[str, Any]]]:
    """Its flows of TCP and UDP, in the order in which they ended. `timeouts`: its own by "default", or none "never"."""
    command = [sys.executable, str(HERE / "nfstream_flows.py"), str(path), str(first_packets), timeouts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    flows = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        ((one["protocol"], plain(one["src_ip"]), one["src_port"], plain(one["dst_ip"]), one["dst_port"]), one)
        for one in flows
        if one["protocol"] in (TCP, UDP)
    ]


def plain(address: str) -> str:
    """An address, written in one way."""
    return str(ip_address(address))


def comparable() -> list[Path]:
    """Ethernet captures of whole packets with nothing in them that the two read differently: what NFStream drops
    (fragments) or keys by (tags, tunnels)."""
    rows = [
        row
        for row in index()
        if row["encap"] == "ether"
        and row["capinfos_rc"] == row["tshark_rc"] == "0"
        and int(row["tcp"] or 0) + int(row["udp"] or 0) >= 20
        and all(int(row[name] or 0) == 0 for name in ("frag", "vlan", "tunnel", "truncated_pk", "malformed"))
    ]
    return [CORPUS / row["path"] for row in sorted(rows, key=lambda row: row["sha256"])[:CAPTURES]]
