"""What columns on request cost: a flow table with each of them, and without.

`python tests/bench/bench_columns.py flood --packets 1000000` makes the capture if it is not there, then reads it with
each of them in turn.
"""

import shlex
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

import fluxcap
import timing
import workloads

COLUMNS: dict[str, dict[str, Any]] = {
    "none": {},
    "features": {"features": True},
    "activity": {"activity": True},
    "splt=8": {"splt": 8},
    "payload=64": {"payload": 64},
    "payload=784": {"payload": 784},
    "server_names": {"server_names": True},
    "payload=64, masked, with headers": {"payload": fluxcap.Payload(64, start="ip", masked=True)},
}
MADE_OF_OTHERS = ("duration", "bits_per_second", "dst_service", "community_id")


def read(capture: Path, column: str = "", **asked: Any) -> fluxcap.FlowTable:
    flows = fluxcap.read_flows(capture, threads=1, **asked)
    return flows.with_columns([column]) if column else flows


def main() -> None:
    parser = workloads.arguments("Flows with columns on request, and without, by one thread.")
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    capture = workloads.ensure(chosen.workload, packets, chosen.dir)
    works = {name: partial(read, capture, **asked) for name, asked in COLUMNS.items()}
    works |= {column: partial(read, capture, column) for column in MADE_OF_OTHERS}
    times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}: {packets:,} packets, {len(works['none']()):,} flows; median of {chosen.runs}")
    for name, taken in times.items():
        ratio = statistics.median(one / plain for one, plain in zip(taken, times["none"], strict=True))
        print(f"{name:<32} {statistics.median(taken):.3f} s, {ratio:.2f} times")


if __name__ == "__main__":
    main()
