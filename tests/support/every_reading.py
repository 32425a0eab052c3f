"""Every function of the library that reads a capture, as a function of a path: what it returns or writes, without the
names of inputs and without what it says of damage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import fluxcap

SOCKET = "192.0.2.1:4000"  # of which read_life() tells, and which the captures therefore have
SAYING = frozenset({"a", "b", "damage", "hints", "inputs", "path", "metadata", "sentence", "sentences"})  # a reading's


def rows(*tables: Any) -> list[dict[str, list[Any]]]:
    return [{name: table[name].tolist() for name in table.columns} for table in tables]


def together(tables: Iterable[Any]) -> dict[str, list[Any]]:
    """The rows of tables that follow each other; where one ends is not the reading's promise."""
    parts = rows(*tables)
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}


def told(report: Any) -> dict[str, Any]:
    return {name: value for name, value in report.to_dict().items() if name not in SAYING}


def written(write: Callable[[Path], Any], name: str = "out") -> dict[str, bytes]:
    """What a function has put under a name in an empty folder: the bytes of each file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, name))
        return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def delivered(src: Any, **options: Any) -> dict[str, bytes]:
    """All files but the index, which tells about the reading, too."""
    files = written(lambda out: fluxcap.demux(src, out, **options))
    return {name: octets for name, octets in files.items() if name != "out/index.ndjson"}


def extracted(src: Any) -> dict[str, bytes]:
    return written(lambda out: fluxcap.read_flows(src).extract([0, 2], out))


def muxed(src: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        fluxcap.demux(src, Path(folder, "sockets"))
        return written(lambda out: fluxcap.mux(Path(folder, "sockets"), out))


# Read once from front to back.
READ_ONCE: dict[str, Callable[[Any], Any]] = {
    "read_info": lambda src: told(fluxcap.read_info(src)),
    "read_flows": lambda src: rows(fluxcap.read_flows(src)),
    "read_flows on three threads": lambda src: rows(fluxcap.read_flows(src, threads=3)),
    "read_flows in the order of time": lambda src: rows(fluxcap.read_flows(src, order="time")),
    "read_flows past damage": lambda src: rows(fluxcap.read_flows(src, on_damage="resync")),
    "read_flows with names of servers": lambda src: rows(fluxcap.read_flows(src, server_names=True)),
    "read_flows with payload": lambda src: rows(fluxcap.read_flows(src, features=True, splt=3, payload=8)),
    "scan_flows": lambda src: together(fluxcap.scan_flows(src, idle_timeout="5ms")),
    "read_connections": lambda src: rows(fluxcap.read_connections(src)),
    "read_sockets": lambda src: rows(fluxcap.read_sockets(src)),
    "read_hosts": lambda src: rows(fluxcap.read_hosts(src)),
    "read_hosts by mac": lambda src: rows(fluxcap.read_hosts(src, "mac")),
    "read_life": lambda src: rows(fluxcap.read_life(src, SOCKET)),
    "read_timeline": lambda src: rows(fluxcap.read_timeline(src, "100ms", by="protocol")),
    "scan_timeline": lambda src: together(fluxcap.scan_timeline(src, "100ms")),
    "read_packets": lambda src: rows(fluxcap.read_packets(src)),
    "read_packets without copies": lambda src: rows(fluxcap.read_packets(src, dedupe=True)),
    "scan_packets": lambda src: together(fluxcap.scan_packets(src, batch_size=1000)),
    "read_checksums": lambda src: told(fluxcap.read_checksums(src)),
    "read_audit": lambda src: fluxcap.read_audit(src).to_dict()["packets"],
    "explain": lambda src: told(fluxcap.explain(src, packet=3)),
    "repair": lambda src: written(lambda out: fluxcap.repair(src, out)),
    "demux": delivered,
    "mux": muxed,
}
# Read a second time, which has to be the same input.
READ_TWICE: dict[str, Callable[[Any], Any]] = {
    "read_info with hashes": lambda src: [one.sha256 for one in fluxcap.read_info(src, sha256=True).inputs],
    "read_comparison": lambda src: told(fluxcap.read_comparison(src, src)),
    "extract": extracted,
    "dedupe": lambda src: written(lambda out: fluxcap.dedupe(src, out)),
    "demux to captures": lambda src: delivered(src, form="pcap"),
    # Its first bytes and its last ones tell a later reading which capture it is of.
    "index": lambda src: [one._replace(path="") for one in fluxcap.index(src)],
}
READINGS = READ_ONCE | READ_TWICE
