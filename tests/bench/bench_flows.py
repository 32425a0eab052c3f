"""How fast captures become flow tables with verified checksums, and the floor: reading and summing every byte.

`python tests/bench/bench_flows.py small` makes the workload if it is not there, then runs both in turn.
"""

import shlex
import statistics
import sys
from functools import partial

import fluxcap
import timing
import workloads
from fluxcap.reports.bench import floor


def main() -> None:
    parser = workloads.arguments(
        "Packets and bytes a second of the five-tuple flow table with all checksums, by one thread and by two."
    )
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    path = workloads.ensure(chosen.workload, packets, chosen.dir)
    flows, octets = len(fluxcap.read_flows(path)), path.stat().st_size
    works = {
        "one thread": partial(fluxcap.read_flows, path, threads=1),
        "two": partial(fluxcap.read_flows, path, threads=2),
        "floor": partial(floor, path),
    }
    times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}: {packets:,} packets, {flows:,} flows, {octets:,} bytes; median of {chosen.runs}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        rates = f"{packets / median / 1e6:7.2f} Mpackets/s {octets / median / 1e9:7.2f} GB/s"
        print(f"{name:<10} {rates}   {median:.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
    one, two, lowest = medians.values()
    print(f"{one / lowest:.2f} times the floor; two threads are {one / two:.2f} times as fast as one")


if __name__ == "__main__":
    main()
