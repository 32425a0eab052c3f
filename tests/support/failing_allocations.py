"""Run a reading once for each allocation of the core, that one failing. For a Python with failing_allocations.c in it.

usage: failing_allocations.py LIBRARY READING CAPTURE THREADS
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import every_reading
import fluxcap
from fluxcap import _core

PIECE = 50_000
TURNED = 40  # records


def aggregated(path: str, threads: int) -> Any:
    flows = fluxcap.FlowAggregator()
    octets = Path(path).read_bytes()
    try:
        for at in range(0, len(octets), PIECE):
            flows.feed(octets[at : at + PIECE])
        flows.close()
    except MemoryError as error:
        try:
            flows.feed(octets[:PIECE])
        except (MemoryError, ValueError):  # a ValueError where it was closing: it is closed
            raise error from None
        return "it went on after a MemoryError"
    return flows.result()


def demuxed(path: Any, threads: int, **options: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        fluxcap.demux(path, Path(folder, "out"), **options)
        return {str(file.relative_to(folder)): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def turned(path: str) -> bytes:
    """The capture with its records turned round, so many at a time: a reading in the order of time sorts them."""
    octets, parts, at = Path(path).read_bytes(), [], 24
    while at < len(octets):
        end = at + 16 + int.from_bytes(octets[at + 8 : at + 12], "little")
        parts.append(octets[at:end])
        at = end
    blocks = (parts[start : start + TURNED][::-1] for start in range(0, len(parts), TURNED))
    return octets[:24] + b"".join(part for block in blocks for part in block)


def ordered(read: Callable[..., Any], **options: Any) -> Callable[[str, int], Any]:
    """A reading of two inputs in the order of time, of which the second is out of order."""
    return lambda path, threads: read([path, turned(path)], order="time", **options)


def merged(path: str, threads: int) -> Any:
    return fluxcap.merge([fluxcap.read_flows(path, threads=threads)] * 2)


def arrow(path: str, threads: int) -> Any:
    return fluxcap.read_flows(path, threads=threads).to_arrow().to_pydict()


def csv(path: str, threads: int) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        fluxcap.read_flows(path, threads=threads).write(Path(folder, "out.csv"))
        return Path(folder, "out.csv").read_bytes()


def in_any_number_of_threads(read: Callable[[Any], Any]) -> Callable[[str, int], Any]:
    return lambda path, threads: read(path)


READINGS: dict[str, Callable[[str, int], Any]] = {
    **{name: in_any_number_of_threads(read) for name, read in every_reading.READINGS.items()},
    "flows": lambda path, threads: fluxcap.read_flows(path, threads=threads),
    "features": lambda path, threads: fluxcap.read_flows(
        path, features=True, activity=True, splt=3, payload=9, threads=threads
    ),
    "names of servers": lambda path, threads: fluxcap.read_flows(path, server_names=True, threads=threads),
    "packets of flows": lambda path, threads: list(fluxcap.read_flows(path, packets=True)),
    "connections": lambda path, threads: fluxcap.read_connections(path, threads=threads),
    "order of time": ordered(fluxcap.read_flows),
    "order of time within a window": ordered(fluxcap.read_packets, reorder="100s"),
    "packets in bounded memory": lambda path, threads: fluxcap.read_packets(path, by="5tuple", max_memory="1M"),
    "aggregator": aggregated,
    "demux in bounded memory": lambda path, threads: demuxed(path, threads, max_memory="1M"),
    "demux in the order of time": lambda path, threads: demuxed([path, turned(path)], threads, order="time"),
    "merge": merged,
    "arrow": arrow,
    "csv": csv,
}


def text_of_the_core() -> tuple[int, int]:
    """Where the code of the core lies."""
    assert _core.__file__ is not None
    name = os.path.realpath(_core.__file__)
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(name)]
    first, end = next(line[0].split("-") for line in lines if "x" in line[1])
    return int(first, 16), int(end, 16)


def main(library: str, name: str, path: str, threads: str) -> None:
    shim = ctypes.PyDLL(library)  # keeps the interpreter's lock: nothing else runs between arm() and the reading
    shim.arm.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    reading, many = READINGS[name], int(threads)
    os.sched_getaffinity = lambda process: set(range(many))  # there may be fewer processors
    right = reading(path, many)
    core = text_of_the_core()
    refused = 0
    for k in count(1):
        shim.arm(*core, k)
        error = None
        try:
            made = reading(path, many)
        except MemoryError as caught:
            error = caught
        if not shim.disarm():
            break
        if error is not None:
            refused += 1
        elif made != right:
            sys.exit(f"allocation {k} failed, nothing was said, and the result is another")
    if not refused:
        sys.exit("no allocation failed: the test tests nothing")
    print(f"{k - 1} allocations, {refused} errors")


if __name__ == "__main__":
    main(*sys.argv[1:])
