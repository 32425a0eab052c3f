"""The cost of order="time" for a flow table: one capture in order, the same shuffled, and the same in ten files.

`python tests/bench/bench_order.py imix` makes the captures if they are not there, then reads all of them in turn.
"""

import random
import shlex
import statistics
import struct
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fluxcap
import timing
import workloads

HEADER, RECORD = 24, struct.Struct("<IIII")
SHUFFLED = 50_000  # us: how much later than its time a record stands
FILES = 10
OVERLAP = 1000  # records: how far apart two neighbours in time may stand in the files


def main() -> None:
    parser = workloads.arguments('Flows with order="time", and without it.')
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    plain = workloads.ensure(chosen.workload, packets, chosen.dir)
    shuffled, parts = made(plain)
    read = partial(fluxcap.read_flows, threads=1)
    works = {
        "as it stands": partial(read, plain),
        "one in order": partial(read, plain, order="time"),
        "one shuffled": partial(read, shuffled, order="time"),
        "ten files": partial(read, parts, order="time"),
    }
    times = timing.in_turn(works, chosen.runs)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}: {packets:,} packets; median of {chosen.runs}")
    for name, median in medians.items():
        spread = f"{min(times[name]):.3f} to {max(times[name]):.3f}"
        print(f"{name:<14} {median:.3f} s ({spread}), {median / medians['as it stands']:.2f} times")


def made(plain: Path) -> tuple[Path, list[Path]]:
    """The capture shuffled, and cut into files that overlap, beside it."""
    shuffled = plain.with_name(f"{plain.name}.shuffled")
    parts = [plain.with_name(f"{plain.name}.{part}-of-{FILES}") for part in range(FILES)]
    if not all(path.exists() for path in (shuffled, *parts)):
        octets, draw = memoryview(plain.read_bytes()), random.Random(1)
        every = list(records(octets))
        late = sorted((time + draw.randrange(SHUFFLED), place) for place, (time, _) in enumerate(every))
        write(shuffled, octets, (every[place][1] for _, place in late))
        each = len(every) // FILES + 1
        of = [max(0, min(place + draw.randrange(OVERLAP), len(every) - 1)) // each for place in range(len(every))]
        for part, path in enumerate(parts):
            write(path, octets, (one for (_, one), file in zip(every, of, strict=True) if file == part))
    return shuffled, parts


def records(octets: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Time (us) and bytes of each record of a pcap of microseconds."""
    at = HEADER
    while at < len(octets):
        seconds, fraction, captured, _ = RECORD.unpack_from(octets, at)
        end = at + RECORD.size + captured
        yield seconds * 1_000_000 + fraction, octets[at:end]
        at = end


def write(path: Path, octets: memoryview, chosen: Iterator[memoryview]) -> None:
    with path.open("wb") as file:
        file.write(octets[:HEADER])
        file.writelines(chosen)


if __name__ == "__main__":
    main()
