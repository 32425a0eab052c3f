"""Peak memory of a command, beyond the memory of the interpreter with numpy.

`python tests/bench/memory.py` makes the workloads if they are not there and prints a row for each.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import timing
import workloads

MEASURED = (
    ("info", "small", 2_000_000),
    ("info", "small", 5_000_000),
    ("check", "small", 2_000_000),
    ("check", "small", 5_000_000),
    ("packets", "small", 2_000_000),
    ("packets", "small", 5_000_000),
    ("flows", "small", 5_000_000),
    ("flows", "flood", 5_000_000),
)
# proc(5): the high-water mark of the memory of this program alone; that of wait(2) includes the parent that forked it.
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
NUMPY = f"import numpy, sys; {PEAK}"
COMMAND = f"""
import sys
from fluxcap.cli.main import entry
try:
    entry()
finally:
    {PEAK}
"""


def peak(program: str, *arguments: str) -> int:
    """Peak memory of a Python program in bytes."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return int(done.stderr.split()[-1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of commands beyond the interpreter with numpy.")
    default = Path(tempfile.gettempdir(), "fluxcap-workloads")
    parser.add_argument("--dir", type=Path, default=default, help="where workloads are kept (default: %(default)s)")
    chosen = parser.parse_args()
    base = peak(NUMPY)
    print(f"{timing.machine()}\nthe interpreter with numpy: {base / 1e6:.1f} MB")
    for command, name, packets in MEASURED:
        path = workloads.ensure(name, packets, chosen.dir)
        beyond = peak(COMMAND, command, "-q", "-f", "tsv", str(path)) - base
        print(f"{command:<8} {name:<6} {packets:>10,} packets {beyond / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
