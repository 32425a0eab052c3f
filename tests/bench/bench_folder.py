"""The gain of decompressing files ahead: a flow table of a folder of compressed captures, with and without it.

`python tests/bench/bench_folder.py imix gzip` makes the files if they are not there, then reads them in turn.
"""

import importlib
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fluxcap
import timing
import workloads
from bench_compressed import COMPRESSORS
from bench_order import HEADER, records


def main() -> None:
    parser = workloads.arguments("Flows of a folder of compressed captures: decompressed ahead, and one by one.")
    parser.add_argument("codec", choices=COMPRESSORS)
    parser.add_argument("--files", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    folder = compressed(workloads.ensure(chosen.workload, packets, chosen.dir), chosen.codec, chosen.files)
    spent: dict[str, list[float]] = {"one by one": [], "ahead": []}
    works = {
        "one by one": partial(noting, spent["one by one"], partial(fluxcap.read_flows, folder, ahead=0)),
        "ahead": partial(noting, spent["ahead"], partial(fluxcap.read_flows, folder)),
    }
    times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}, {chosen.files} files of {chosen.codec}: {packets:,} packets; median of {chosen.runs}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        spread = f"{min(times[name]):.3f} to {max(times[name]):.3f}"
        print(f"{name:<10} {median:.3f} s ({spread}), {statistics.median(spent[name][1:]):.3f} s of processors")
    ratios = [ahead / single for single, ahead in zip(times["one by one"], times["ahead"], strict=True)]
    print(f"ahead over one by one: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def noting(spent: list[float], work: Callable[[], object]) -> None:
    """Do the work, and note the seconds that it took of all processors."""
    before = time.process_time()
    work()
    spent.append(time.process_time() - before)


def compressed(plain: Path, codec: str, files: int) -> Path:
    """A folder beside the capture with its records in so many compressed files."""
    folder = plain.with_name(f"{plain.name}.{files}.{codec}")
    if not folder.exists():
        folder.mkdir()
        module, level = COMPRESSORS[codec]
        compress = importlib.import_module(module).compress
        octets = memoryview(plain.read_bytes())
        every = [record for _, record in records(octets)]
        for number in range(files):
            part = every[len(every) * number // files : len(every) * (number + 1) // files]
            (folder / f"{number}.pcap").write_bytes(compress(b"".join((octets[:HEADER], *part)), level))
    return folder


if __name__ == "__main__":
    main()
