"""Instructions that each checksum kernel takes for a packet, counted by qemu.

usage: bench_kernels.py [BYTES...]    of packets; without a number 64, 576 and 1,500

It needs qemu-user-static and gcc-aarch64-linux-gnu.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPILER = "aarch64-linux-gnu-gcc", "-O3", "-static", "-I", str(ROOT / "pyx/fluxcap")
# One line for each instruction: a block has one of them, and no block leads to the next without being named.
COUNTING = "qemu-aarch64-static", "-singlestep", "-d", "nochain,exec", "-D", "/dev/stderr"
KERNELS = "neon", "scalar"
BATCHES, JOBS = 10, 32  # JOBS as in kernels.c


def counted(program: Path, kernel: str, octets: int, batches: int) -> int:
    """The instructions of a run."""
    command = [*COUNTING, program, kernel, str(octets), str(batches)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stderr.count(b"\nTrace ")


def of_one(program: Path, kernel: str, octets: int) -> float:
    """The instructions for one packet: without those before the kernel and after it."""
    return (counted(program, kernel, octets, BATCHES) - counted(program, kernel, octets, 0)) / BATCHES / JOBS


def main() -> None:
    """Compile, count and print."""
    lengths = [int(word) for word in sys.argv[1:]] or [64, 576, 1500]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "kernels"
        subprocess.run([*COMPILER, Path(__file__).with_name("kernels.c"), "-o", program], check=True)
        for octets in lengths:
            took = {kernel: of_one(program, kernel, octets) for kernel in KERNELS}
            print(f"{octets:,} bytes:", ", ".join(f"{kernel} {count:.0f}" for kernel, count in took.items()))


if __name__ == "__main__":
    main()
