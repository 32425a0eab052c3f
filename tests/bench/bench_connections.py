"""The cost of following connections: connections and plain five-tuple flows of the same capture, by one thread.

`python tests/bench/bench_connections.py imix` makes the workload if it is not there, then reads it both ways in turn.
"""

import shlex
import statistics
import sys
from functools import partial

import fluxcap
import timing
import workloads


def main() -> None:
    parser = workloads.arguments(
        "Connections beside flows by five-tuple: packets a second, and how many times the time."
    )
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    path = workloads.ensure(chosen.workload, packets, chosen.dir)
    works = {
        "flows": partial(fluxcap.read_flows, path, threads=1),
        "connections": partial(fluxcap.read_connections, path, threads=1),
    }
    times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}: {packets:,} packets; median of {chosen.runs}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        spread = f"{min(times[name]):.3f} to {max(times[name]):.3f}"
        print(f"{name:<12} {packets / median / 1e6:7.2f} Mpackets/s   {median:.3f} s ({spread})")
    print(f"{medians['connections'] / medians['flows']:.2f} times the time of flows")


if __name__ == "__main__":
    main()
