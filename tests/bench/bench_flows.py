"""How fast captures become flow tables, checksums verified, beside the floor: reading the file and summing every octet.

`python tests/bench/bench_flows.py small` makes the workload if it is not there, then runs both in turn.
"""

import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import workloads

import fluxcap
from fluxcap import _core

PIECE = 256 * 1024  # octets a read: the buffer stays in the second-level cache


def floor(path: Path) -> None:
    """Read a file into one reused buffer and sum every octet of it."""
    buffer = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(buffer):
            _core.ones_sum(buffer[:n])


def timed(work: Callable[[Path], object], path: Path) -> float:
    start = time.perf_counter()
    work(path)
    return time.perf_counter() - start


def processor() -> str:
    """The processor by the name its maker gave it, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def main() -> None:
    parser = workloads.arguments(
        "Packets and octets a second of the five-tuple flow table with all checksums, one thread."
    )
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    path = workloads.ensure(chosen.workload, packets, chosen.dir)
    flows, octets = len(fluxcap.read_flows(path)), path.stat().st_size  # and the file is in the page cache
    times: dict[Callable[[Path], object], list[float]] = {fluxcap.read_flows: [], floor: []}
    for _ in range(chosen.runs):
        for work, taken in times.items():
            taken.append(timed(work, path))
    print(f"{shlex.join(['python', *sys.argv])}\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, kernel {_core.kernel()}")
    print(f"{chosen.workload}: {packets:,} packets, {flows:,} flows, {octets:,} octets; median of {chosen.runs}")
    medians = [statistics.median(taken) for taken in times.values()]
    for (work, taken), median in zip(times.items(), medians, strict=True):
        rates = f"{packets / median / 1e6:7.2f} Mpackets/s {octets / median / 1e9:7.2f} GB/s"
        print(f"{work.__name__:<10} {rates}   {median:.3f} s ({min(taken):.3f} to {max(taken):.3f})")
    print(f"{medians[0] / medians[1]:.1f} times the floor")


if __name__ == "__main__":
    main()
