"""Count the core's instructions a packet on fixed small captures; exit 1 where they have become more.

usage: instructions.py

Unlike seconds, instructions are the same in every run. instructions.json has the level that was reached before.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LEVEL = HERE / "instructions.json"
PACKETS = 20_000
TOLERANCE = 1.01  # compilers differ a little from one machine to the next
# valgrind counts an instruction for each byte that `rep movsb` copies: one table that moves was a tenth of the flood.
# The C library copies by vectors without it.
PLAIN_COPY = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM"}
PROGRAM = "import fluxcap, sys; fluxcap.read_flows(sys.argv[1], threads=1)"
# The data path: scan() in pyx/fluxcap/pipeline/scan.pxd.
MODULE, FUNCTION = ("fluxcap", "pipeline", "scan"), "scan"

sys.path.insert(0, str(HERE.parent / "tests" / "bench"))
import workloads  # noqa: E402


def symbol(module: tuple[str, ...], function: str) -> str:
    """The name that Cython gives a function of a .pxd file."""
    return "__pyx_f_" + "".join(f"{len(part)}{part}_" for part in module) + function


def collected(said: str) -> int:
    """The count that valgrind printed. Exit without one: no function has the name, so that nothing was checked."""
    found = re.search(r"Collected : (\d+)", said)
    count = int(found[1]) if found else 0
    if count == 0:
        sys.exit(f"valgrind counted no instruction of {symbol(MODULE, FUNCTION)}: was it renamed?\n{said}")
    return count


def instructions(path: Path) -> float:
    """Instructions a packet of the whole data path."""
    # Compilers may add .constprop.0 and the like to the name.
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={symbol(MODULE, FUNCTION)}*"]
    command += ["--callgrind-out-file=/dev/null", sys.executable, "-c", PROGRAM]
    command.append(str(path))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **PLAIN_COPY})
    return collected(done.stderr) / PACKETS


def main() -> int:
    """Count, print, and compare with the level."""
    level = json.loads(LEVEL.read_text())
    with tempfile.TemporaryDirectory() as folder:
        reached = {name: instructions(workloads.ensure(name, PACKETS, Path(folder))) for name in level}
    worse = [name for name in level if reached[name] > level[name] * TOLERANCE]
    shown = ", ".join(f"{name} {reached[name]:.0f} (level {level[name]})" for name in level)
    print(f"instructions a packet: {shown}{', MORE: ' + ', '.join(worse) if worse else ''}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
