"""The targets of the fuzzer, by name; those that read any bytes as a capture by the functions of the library.

`python tests/fuzz/guided/readings.py TARGET FILE...` reads files as the fuzzer does, in any build of the core.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fluxcap
from capture_files import Record, pcap
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from drive import ledger_adds_up
from fluxcap._core import kernels, ones_sum
from muxed_captures import there_and_back
from whole_readings import ONE, read, read_by_walk

BEFORE_PACKET = 5  # targets.pyx
RECORD = ("packet", "offset", "time", "captured_length", "wire_length", "interface", "link_type", "direction")
KEYS = {
    "flows": key(*FIVE_TUPLE),
    "activity": key(*FIVE_TUPLE, activity=True, ends_tcp=True, active_timeout=3 * 10**9),
    "connections": key(*FIVE_TUPLE, server_ports=({53, 80}, {53}), connections=True, features=True, splt=3),
    "bytes": key(*FIVE_TUPLE, server_names=True, payload=(9, True, True), idle_timeout=10**9),
    "networks": key("src_ip", "dst_port", idle_timeout=10**9, active_timeout=3 * 10**9),
}


def in_pieces(octets: bytes, resync: bool) -> None:
    """Assert that pieces change no record: what the targets `records` and `records_past_damage` are given."""
    whole = read(octets, [len(octets)], ONE, columns=RECORD, resync=resync)
    for size in (1, 7, 60):
        assert whole == read(octets, [size], ONE, columns=RECORD, resync=resync)


def in_any_pieces(octets: bytes) -> None:
    """Assert that pieces, threads, shards and the lane change nothing that a scanner says."""
    draw = random.Random(octets)
    name = draw.choice([*KEYS, "columns"])
    options: dict[str, Any] = {"columns": ALL_COLUMNS} if name == "columns" else {"key": KEYS[name]}
    options |= {"decap": draw.random() < 0.8, "resync": draw.random() < 0.3}
    shards = {} if name in ("columns", "bytes") else {"shards": draw.choice([1, 4])}
    sizes = [draw.choice([1, 7, 60, 500]) for _ in range(9)]
    one = read(octets, [len(octets)], ONE, **options)
    threads = itertools.cycle([draw.randrange(1, 4) for _ in range(3)])
    other = read(octets, [*sizes, 1 << 18], threads, **options, **shards)
    assert one == other, name


@contextlib.contextmanager
def wrong_files_allowed() -> Iterator[None]:
    """What is no capture is refused by name, and what is damaged is warned of: anything else is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(fluxcap.CaptureError):
            yield


def tables(octets: bytes) -> None:
    """Assert that the ledger of every table adds up to the records that the capture has."""
    capture = memoryview(np.frombuffer(octets, np.uint8).copy())  # bytes have another byte behind the last one
    with wrong_files_allowed():
        packets = fluxcap.read_packets(capture)
        n = packets.metadata["packets"]
        for table in (
            packets,
            fluxcap.read_flows(capture),
            fluxcap.read_flows(capture, server_names=True, payload=9),
            fluxcap.read_connections(capture),
            fluxcap.read_sockets(capture),
            fluxcap.read_timeline(capture, "1000d"),
            fluxcap.read_hosts(capture),
        ):
            ledger_adds_up(table, n)
        fluxcap.read_info(capture)
        fluxcap.read_audit(capture)


def explanations(octets: bytes) -> None:
    """Assert that every packet can be explained, and that the lines of its headers lie inside it."""
    with wrong_files_allowed():
        for number in range(1, min(fluxcap.read_packets(octets).metadata["packets"], 20) + 1):
            fluxcap.explain(octets, packet=number)


def rewritten(octets: bytes) -> None:
    """Assert that a repaired copy is as long, and that extracted records are those of the flows."""
    with wrong_files_allowed(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "in"
        path.write_bytes(octets)
        flows = fluxcap.read_flows(path)
        if not flows.metadata["joined"]:  # captures whose headers differ do not fit into one file
            flows.extract(slice(None), folder / "extracted")
            again = fluxcap.read_flows(folder / "extracted")
            assert int(again["packets"].sum()) == int(flows["packets"].sum())
        fluxcap.repair(path, folder / "repaired")
        assert (folder / "repaired").stat().st_size <= len(octets)


def delivered(octets: bytes) -> None:
    """Assert that what demux() delivers comes back when it is put into packets and delivered again."""
    with wrong_files_allowed(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = fluxcap.demux(octets, folder / "x")
        muxed, _ = there_and_back(folder / "x", decap=False)
        assert muxed.messages == done.messages


def by_lane_and_walk(octets: bytes) -> None:
    """Assert that a packet is the same by the lane and by the walk: what the target `packets` is given."""
    if len(octets) < BEFORE_PACKET:
        return
    kind, wire = (int.from_bytes(octets[at : at + 2], "little") for at in (0, 3))
    packet = octets[BEFORE_PACKET:]
    frame_check = 0x2400_0000 if octets[2] & 4 else 0  # four bytes of it: bits 26 and 28 to 31 of the link type
    capture = pcap([Record(packet, wire_length=len(packet) + wire)], link_type=kind % 300 | frame_check)
    options = {"key": KEYS["flows"], "decap": bool(octets[2] & 1)}
    assert read(capture, [len(capture)], ONE, **options) == read_by_walk(capture, **options)


def by_every_kernel(octets: bytes) -> None:
    """Assert that the kernels give one sum of every end of the bytes."""
    for at in range(min(len(octets), 70)):
        assert len({ones_sum(octets[at:], kernel) for kernel in kernels()}) == 1


READINGS: dict[str, Callable[[bytes], object]] = {
    # Beside targets of the same names in targets.pyx: what reads their inputs where there is no fuzzer.
    "records": partial(in_pieces, resync=False),
    "records_past_damage": partial(in_pieces, resync=True),
    "packets": by_lane_and_walk,
    "sums": by_every_kernel,
    "pieces": in_any_pieces,
    "tables": tables,
    "explanations": explanations,
    "rewritten": rewritten,
    "delivered": delivered,
}


if __name__ == "__main__":
    for path in sys.argv[2:]:
        READINGS[sys.argv[1]](Path(path).read_bytes())
