"""Count the core's instructions a packet on fixed small captures; exit 1 where they have become more.

usage: instructions.py

Instructions, unlike seconds, are the same in every run. The level is what was reached before, in instructions.json.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LEVEL = HERE / "instructions.json"
PACKETS = 20_000
TOLERANCE = 1.01  # compilers differ a little from one machine to the next
PROGRAM = "import fluxcap, sys; fluxcap.read_flows(sys.argv[1], threads=1)"

sys.path.insert(0, str(HERE.parent / "tests" / "bench"))
import workloads  # noqa: E402


def instructions(path: Path) -> float:
    """A packet, of everything that the data path does."""
    command = ["valgrind", "--tool=callgrind", "--toggle-collect=*pipeline_scan*", "--callgrind-out-file=/dev/null"]
    done = subprocess.run([*command, sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        sys.exit(f"no count in what valgrind says:\n{done.stderr}")
    return int(found[1]) / PACKETS


def main() -> int:
    """Count, say, and judge."""
    level = json.loads(LEVEL.read_text())
    with tempfile.TemporaryDirectory() as folder:
        reached = {name: instructions(workloads.ensure(name, PACKETS, Path(folder))) for name in level}
    worse = [name for name in level if reached[name] > level[name] * TOLERANCE]
    shown = ", ".join(f"{name} {reached[name]:.0f} (level {level[name]})" for name in level)
    print(f"instructions a packet: {shown}{', MORE: ' + ', '.join(worse) if worse else ''}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
