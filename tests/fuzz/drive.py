"""Every reading function over captures by structure, and what must be true of each.

    python tests/fuzz/drive.py SECONDS [SEED]

A capture is saved before it is read, so that a capture that crashes the process can be looked at.
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import builders as b
import fluxcap
from capture_pieces import SECTION_HEADER, pieces
from core_driver import ALL_COLUMNS, FIVE_TUPLE, address, key
from damaged_captures import bytes_accounted, damaged, resync
from delivered_directory import Delivery, read
from fluxcap._core import DISPOSITIONS, TUNNELS
from muxed_captures import delivered, there_and_back
from structures import PORTS, capture
from whole_readings import ONE, read_by_walk
from whole_readings import read as whole

IN_A_FLOW = "counted", "unknown_transport", "orphan_fragment"
KEY = key(*FIVE_TUPLE)
CONNECTIONS = key(*FIVE_TUPLE, server_ports=({53}, {53}), connections=True, features=True)


def same_in_pieces(octets: bytes, draw: random.Random) -> None:
    """Assert that pieces, threads and random seeds change nothing in the result."""
    options = draw.choice(
        [{"key": KEY, "columns": ALL_COLUMNS}, {"key": KEY}, {"columns": ALL_COLUMNS, "decap": False}]
    )
    sizes = [draw.choice([1, 7, 60, 500, 5000]) for _ in range(20)]
    one = whole(octets, [len(octets)], ONE, **options)
    other = whole(octets, [*sizes, 1 << 18], itertools.cycle([draw.randrange(1, 4) for _ in range(5)]), **options)
    assert one == other


def same_by_the_walk(octets: bytes, draw: random.Random) -> None:
    """Assert that the lane, which takes most packets past the walk, changes nothing in the result."""
    options = {"key": draw.choice([KEY, CONNECTIONS]), "decap": draw.random() < 0.8}
    by_lane = whole(octets, [draw.choice([60, 500, 1 << 18])], itertools.repeat(draw.randrange(1, 4)), **options)
    assert by_lane == read_by_walk(octets, **options)


def ledger_adds_up(table: Any, n: int) -> None:
    ledger = table.metadata["ledger"]
    assert set(ledger) == set(DISPOSITIONS)
    assert sum(records for records, _ in ledger.values()) == table.metadata["packets"] == n


def flows_and_packets(octets: bytes, n: int, decap: bool) -> None:
    flows, packets = fluxcap.read_flows(octets, decap=decap), fluxcap.read_packets(octets, decap=decap)
    for table in (flows, packets):
        ledger_adds_up(table, n)
    in_flows = sum(flows.metadata["ledger"][name][0] for name in IN_A_FLOW)
    assert int(flows["packets"].sum() + flows["reverse_packets"].sum()) == in_flows
    assert len(packets) == n == sum(map(len, fluxcap.scan_packets(octets, decap=decap, batch_size=7)))
    judged = fluxcap.read_checksums(octets, decap=decap)
    assert judged.metadata["packets"] == n
    fluxcap.read_info(octets)


def explained(octets: bytes, n: int) -> None:
    """Assert that what is said of each packet is what the packet table has of it."""
    packets = fluxcap.read_packets(octets)
    for number in range(1, n + 1):
        one = fluxcap.explain(octets, packet=number)
        assert one.captured_length == packets["captured_length"][number - 1]


def connections_and_sockets(octets: bytes, n: int) -> None:
    ledger_adds_up(fluxcap.read_connections(octets), n)
    sockets = fluxcap.read_sockets(octets)
    ledger_adds_up(sockets, n)
    for by in (None, "protocol", "verdict", "dst_port"):
        ledger_adds_up(fluxcap.read_timeline(octets, "1000d", by=by), n)
    for by in ("address", "mac"):
        ledger_adds_up(fluxcap.read_hosts(octets, by), n)
    for protocol, octets_of, port in zip(*(sockets[name] for name in ("protocol", "address", "port")), strict=True):
        if protocol in (b.TCP, b.UDP):
            host = address(bytes(octets_of))
            fluxcap.read_life(octets, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            break


def aggregated(octets: bytes, draw: random.Random) -> None:
    """Assert that an aggregator has, at any time, the table of the bytes fed so far."""
    flows = fluxcap.FlowAggregator()
    at = 0
    for _, piece in pieces(octets):
        cut = draw.randrange(len(piece) + 1)
        flows.feed(piece[:cut])
        flows.feed(piece[cut:])
        at += len(piece)
        if draw.random() < 0.1:
            assert flows.result() == fluxcap.read_flows(octets[:at])
    flows.close()
    assert flows.result() == fluxcap.read_flows(octets)


def merged(octets: bytes, n: int, draw: random.Random) -> None:
    """Assert that two inputs, merged in the order of time, give the table of one input in that order."""
    kinds = list(pieces(octets))
    head = b"".join(one for packet, one in kinds if not packet)
    times = fluxcap.read_packets(octets, columns=["time"])["time"].tolist()
    parts: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = [], []
    for time_of, (_, one) in zip(times, (kind for kind in kinds if kind[0]), strict=True):
        draw.choice(parts).append((time_of, one))
    in_order = sorted(itertools.chain(*parts), key=lambda one: one[0])
    expected = head + b"".join(one for _, one in in_order)
    inputs = [head + b"".join(one for _, one in part) for part in parts]
    table = fluxcap.read_flows(inputs, order="time", reorder="1h")
    ledger_adds_up(table, n)
    assert table == fluxcap.read_flows(expected)
    assert fluxcap.read_connections(inputs, order="time", reorder="1h") == fluxcap.read_connections(expected)
    ledger_adds_up(fluxcap.read_flows(inputs, order="time", reorder=draw.choice(["1ns", "2us"])), n)


def resynchronised(octets: bytes, n: int, draw: random.Random) -> None:
    """Assert that of a damaged capture all bytes are accounted for, in whatever pieces they come."""
    if not n:
        return
    broken = damaged(octets, draw)
    reading = resync(broken.octets)
    assert reading == resync(broken.octets, [draw.choice([1, 60, 5000]) for _ in range(5)])
    if not octets.startswith(SECTION_HEADER):
        assert bytes_accounted(broken.octets, 24, reading)


def bounded(octets: bytes, n: int, draw: random.Random) -> None:
    """Assert that limits, a filter and ports named for a tunnel leave a ledger that adds up."""
    port = draw.choice(PORTS)
    tunnels = {port: draw.choice(TUNNELS)}
    for options in ({"tunnels": tunnels}, {"where": "udp", "inner": True}):
        ledger_adds_up(fluxcap.read_flows(octets, **options), n)
    stopped = fluxcap.read_flows(octets, max_flows=2)
    assert stopped.metadata["packets"] <= n
    ledger_adds_up(stopped, stopped.metadata["packets"])
    assert fluxcap.read_packets(octets, tunnels=tunnels).metadata["packets"] == n


def accounted(delivery: Delivery, done: fluxcap.Delivered) -> None:
    lines = delivery.sockets + delivery.streams
    assert sum(line["octets"] for line in lines) == done.octets
    assert len(delivery.messages) == done.messages
    assert sum(len(message["data"]) for message in delivery.messages) == sum(one["octets"] for one in delivery.sockets)


def delivered_twice(octets: bytes, folder: Path, draw: random.Random) -> None:
    """Assert that demux() delivers the same each time, accounts for everything, and that mux() reverses it."""
    keep_bad = draw.random() < 0.5
    done = fluxcap.demux(octets, folder / "x", keep_bad=keep_bad)
    accounted(read(folder / "x"), done)
    fluxcap.demux(octets, folder / "y", keep_bad=keep_bad)
    for path in (folder / "x").iterdir():
        assert path.read_bytes() == (folder / "y" / path.name).read_bytes()
    # mux() makes a whole datagram of a message that was cut, and it may hold a tunnel: none is opened on the way back.
    muxed, again = there_and_back(folder / "x", decap=False)
    assert muxed.messages == done.messages
    assert sorted(map(str, delivered(again))) == sorted(map(str, delivered(folder / "x")))


def rewritten(octets: bytes, path: Path, n: int, folder: Path) -> None:
    """Assert that extracted and repaired copies have the right records."""
    fluxcap.repair(path, folder / "repaired")
    repaired = (folder / "repaired").read_bytes()
    assert len(repaired) == len(octets)
    assert fluxcap.read_checksums(repaired).metadata["packets"] == n
    flows = fluxcap.read_flows(path)
    flows.extract(slice(None), folder / "extracted")
    in_flows = sum(flows.metadata["ledger"][name][0] for name in IN_A_FLOW)
    assert fluxcap.read_packets(folder / "extracted").metadata["packets"] == in_flows
    fluxcap.demux(path, folder / "split", form="pcap")


def drive(octets: bytes, draw: random.Random, folder: Path) -> None:
    """Read a capture in every way."""
    path = folder / "in.pcap"
    path.write_bytes(octets)
    n = sum(packet for packet, _ in pieces(octets))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        delivered_twice(octets, folder, draw)
        same_in_pieces(octets, draw)
        same_by_the_walk(octets, draw)
        flows_and_packets(octets, n, draw.random() < 0.8)
        connections_and_sockets(octets, n)
        aggregated(octets, draw)
        merged(octets, n, draw)
        explained(octets, n)
        bounded(octets, n, draw)
        resynchronised(octets, n, draw)
        if n:
            rewritten(octets, path, n, folder)


def drive_number(seed: str, number: int, keep: Path | None = None) -> None:
    """Read the capture of this number; with one seed, capture and readings are the same in every run."""
    draw = random.Random(f"{seed}/{number}")
    octets = capture(draw)
    if keep is not None:
        keep.write_bytes(octets)
    with tempfile.TemporaryDirectory() as folder:
        drive(octets, draw, Path(folder))


def main(seconds: float, seed: str) -> int:
    """Read captures until the time is over. The exit code is 1 if an invariant fails for one of them."""
    end, number, failures = time.monotonic() + seconds, 0, 0
    keep = Path(tempfile.gettempdir(), f"fluxcap-structure-{seed}.pcap")
    while time.monotonic() < end:
        try:
            drive_number(seed, number, keep)
        except Exception as error:
            failures += 1
            kept = keep.with_stem(f"{keep.stem}-{number}")
            kept.write_bytes(keep.read_bytes())
            print(f"seed {seed}, capture {number} ({kept}): {type(error).__name__}: {error}"[:2000], flush=True)
        number += 1
    print(f"seed {seed}: {number} captures, {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else str(time.time_ns())))
