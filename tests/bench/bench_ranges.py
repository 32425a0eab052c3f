"""The gain of a second worker: one capture in ranges, read by one worker process and by two.

`python tests/bench/bench_ranges.py CAPTURE` needs the extra `cluster`. Two processors of a virtual machine are often
not twice one, so in the same rounds one process and two add integers: that ratio is the most that any reading reaches.
"""

import argparse
import multiprocessing
import shlex
import statistics
import sys
import warnings
from contextlib import ExitStack
from functools import partial

import fluxcap
import timing
from fluxcap import cluster
from fluxcap.cluster.sharing import scheduler

ADDITIONS = 20_000_000  # take about as long as the reading of a part


def main() -> None:
    parser = argparse.ArgumentParser(description="One capture in ranges: one worker process, and two.")
    parser.add_argument("capture", help="an uncompressed pcap or pcapng of some gigabytes")
    parser.add_argument("--runs", type=int, default=15, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", fluxcap.DamagedCaptureWarning)
    with ExitStack() as held:
        adders = held.enter_context(multiprocessing.get_context("spawn").Pool(2))
        clients = [held.enter_context(scheduler(f"local:{n}")) for n in (1, 2)]
        works = {
            "additions, one": partial(adders.map, add, range(2), chunksize=2),
            "additions, two": partial(adders.map, add, range(2), chunksize=1),
            "flows, one": partial(cluster.read_flows, chosen.capture, client=clients[0]),
            "flows, two": partial(cluster.read_flows, chosen.capture, client=clients[1]),
        }
        times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}\nmedian of {chosen.runs}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{name:<15} {median:.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
    for what in ("additions", "flows"):
        print(f"one over two, {what}: {medians[f'{what}, one'] / medians[f'{what}, two']:.2f}")


def add(_: int) -> int:
    """Keep a processor busy, with no memory to speak of."""
    return sum(range(ADDITIONS))


if __name__ == "__main__":
    main()
