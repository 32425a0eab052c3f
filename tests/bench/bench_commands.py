"""Processor time of whole commands, each beside what its reading and writing alone take.

`python tests/bench/bench_commands.py small` makes the capture if it is not there, then runs all in turn. Reading alone
is `cat INPUT > /dev/null`, writing alone `cat` of the same bytes into a file, and `sync` where the command syncs.
"""

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import timing
import workloads

# As installed: with the bytecode of its modules beside them, which some environments forbid a source tree to write.
FLUXCAP = f"env -u PYTHONDONTWRITEBYTECODE {shlex.quote(sys.executable)} -m fluxcap"


class Work(NamedTuple):
    """A command, and how many times it reads its input; {input} and {output} stand for paths."""

    command: str
    reads: int = 1


WORKS = {
    "info": Work("info {input} > {output}"),
    "check": Work("check {input} > {output}"),
    "flows -f tsv": Work("flows -f tsv {input} > {output}"),
    "flows --features -f tsv": Work("flows --features -f tsv {input} > {output}"),
    "connections -f tsv": Work("connections -f tsv {input} > {output}"),
    "packets -f tsv": Work("packets -f tsv {input} > {output}"),
    "packets -f parquet": Work("packets -f parquet {input} -o {output}"),
    "repair": Work("repair -q {input} -o {output}"),
    "flows --extract 0": Work("flows -q --extract 0 {input} -o {output}", reads=3),
}


def main() -> None:
    parser = workloads.arguments("Processor time of commands beside their reading and writing alone.")
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    capture = workloads.ensure(chosen.workload, packets, chosen.dir)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}; median of {chosen.runs}")
    with tempfile.TemporaryDirectory(dir=chosen.dir) as folder:
        commands = dict(of_work(name, work, capture, Path(folder)) for name, work in WORKS.items())
        floors = {name: floor(work, capture, Path(folder, place_of(name))) for name, work in WORKS.items()}
        spent: dict[str, list[float]] = {name: [] for name in WORKS}
        least: dict[str, list[float]] = {name: [] for name in WORKS}
        for run in range(chosen.runs + 1):  # the first makes the outputs that the floors copy
            for name in WORKS:
                seconds = processor_time(commands[name])
                alone = processor_time(floors[name])
                if run:
                    spent[name].append(seconds)
                    least[name].append(alone)
    for name in WORKS:
        seconds, alone = statistics.median(spent[name]), statistics.median(least[name])
        print(f"{name:<24} {seconds:.3f} s, reading and writing alone {alone:.3f} s: {seconds / alone:.1f} times")


def place_of(name: str) -> str:
    """The file that a command writes."""
    return name.replace(" ", "") + (".parquet" if "parquet" in name else "")


def of_work(name: str, work: Work, capture: Path, folder: Path) -> tuple[str, str]:
    """The command line of a work."""
    return name, f"{FLUXCAP} {work.command.format(input=capture, output=folder / place_of(name))}"


def floor(work: Work, capture: Path, output: Path) -> str:
    """A command line that only reads the input and writes the output."""
    reading = [f"cat {capture} > /dev/null"] * work.reads
    written = f"{output}.again"
    return "; ".join([*reading, f"cat {output} > {written}", f"sync {written}" if "-o" in work.command else "true"])


def processor_time(command: str) -> float:
    """Seconds of all processors that a shell and its children took."""
    _, status, used = os.wait4(subprocess.Popen(command, shell=True, stderr=subprocess.DEVNULL).pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: `check` found bad checksums
        raise RuntimeError(f"{command} failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
