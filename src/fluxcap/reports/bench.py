"""How long the floor, fluxcap, and the other programs on this machine take over one capture, all in one run."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PIECE = 256 * 1024  # bytes that the floor reads at a time: they fit into the second-level cache
LONG = 30  # seconds; a program that takes longer is not run again


class Program(NamedTuple):
    """A program that reads captures. In its command {file} is the capture, {folder} a place for its output."""

    name: str
    command: tuple[str, ...]
    does: str


def _python(module: str, code: str, does: str) -> Program:
    return Program(module, (sys.executable, "-c", code, "{file}"), does)


_DPKT = """
import socket, sys, dpkt
flows = {}
for time, data in dpkt.pcap.UniversalReader(open(sys.argv[1], "rb")):
    ip = dpkt.ethernet.Ethernet(data).data
    if isinstance(getattr(ip, "data", None), (dpkt.udp.UDP, dpkt.tcp.TCP)):
        key = ip.p, ip.src, ip.data.sport, ip.dst, ip.data.dport
        packets, size = flows.get(key, (0, 0))
        flows[key] = packets + 1, size + len(data)
"""
_NFSTREAM = "import sys, nfstream; sum(1 for flow in nfstream.NFStreamer(source=sys.argv[1]))"
_SCAPY = "import sys, scapy.all; sum(packet.haslayer('IP') for packet in scapy.all.PcapReader(sys.argv[1]))"

COMMAND = Program(
    "fluxcap flows",
    (sys.executable, "-m", "fluxcap", "flows", "-q", "-f", "tsv", "-o", "/dev/null", "{file}"),
    "flows, every checksum, written as text",
)
PEERS = (
    Program("capinfos", ("capinfos", "-c", "{file}"), "counts records; no flows, no checksums"),
    Program("tcpdump", ("tcpdump", "--count", "-r", "{file}"), "counts records; no flows, no checksums"),
    Program("softflowd", ("softflowd", "-d", "-r", "{file}"), "flows, no checksums"),
    Program("nfpcapd", ("nfpcapd", "-r", "{file}", "-w", "{folder}"), "flows, no checksums"),
    Program("argus", ("argus", "-r", "{file}", "-w", "{folder}/argus"), "flows, no checksums"),
    Program("ndpiReader", ("ndpiReader", "-q", "-i", "{file}"), "flows and applications, no checksums"),
    Program(
        "tshark",
        (
            *("tshark", "-q", "-r", "{file}", "-z", "conv,udp", "-z", "conv,tcp"),
            *("-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"),
        ),
        "dissects all, conversations, checksums judged but not counted",
    ),
    _python("dpkt", _DPKT, "a loop that counts by five-tuple, one way, no checksums"),
    _python("nfstream", _NFSTREAM, "flows and applications, no checksums"),
    _python("scapy", _SCAPY, "dissects, no flows, no checksums"),
)


class Measured(NamedTuple):
    """A program and how long it took; `seconds` is the median of `runs`, None where it failed."""

    program: str
    does: str
    seconds: float | None
    runs: int


def found(peers: Iterable[Program] = PEERS) -> Iterator[Program]:
    """The programs that are on this machine."""
    for peer in peers:
        is_module = peer.command[0] == sys.executable
        if importlib.util.find_spec(peer.name) if is_module else shutil.which(peer.command[0]):
            yield peer


def floor(path: str | Path) -> None:
    """Read a file into one reused buffer and sum every byte: what verifying all checksums costs at least."""
    from fluxcap._core import ones_sum

    buffer = memoryview(bytearray(PIECE))
    with open(path, "rb", buffering=0) as file:
        while n := file.readinto(buffer):
            ones_sum(buffer[:n])


def measure(path: str, runs: int) -> list[Measured]:
    """Run every program `runs` times, in turn, so that other load on the machine falls on all of them."""
    from fluxcap.tables.read import read_flows

    with tempfile.TemporaryDirectory() as folder:
        works: list[tuple[str, str, Callable[[], object]]] = [
            ("the floor", "reads, and sums every byte", lambda: floor(path)),
            ("fluxcap.read_flows", "flows, every checksum, into numpy columns", lambda: read_flows(path).to_dict()),
        ]
        for program in (COMMAND, *found()):
            works.append((program.name, program.does, _runner(program, path, folder)))
        floor(path)  # the file is in the page cache from here on
        importlib.import_module("fluxcap.values.arrays")  # and numpy is imported
        taken: list[list[float]] = [[] for _ in works]
        failed: set[int] = set()
        for _ in range(runs):
            for place, (_, _, work) in enumerate(works):
                if place in failed or max(taken[place], default=0) > LONG:
                    continue
                try:
                    taken[place].append(_timed(work))
                except subprocess.CalledProcessError:
                    failed.add(place)
    return [
        Measured(name, does, None if place in failed else statistics.median(taken[place]), len(taken[place]))
        for place, (name, does, _) in enumerate(works)
    ]


def _runner(program: Program, path: str, folder: str) -> Callable[[], object]:
    own = Path(folder, program.name.replace(" ", "-"))
    own.mkdir()
    command = [word.replace("{file}", path).replace("{folder}", str(own)) for word in program.command]

    def run() -> None:
        with suppress(FileNotFoundError):
            (own / "argus").unlink()  # argus appends to an existing file
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    return run


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
