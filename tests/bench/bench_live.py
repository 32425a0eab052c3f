"""How soon a row leaves after the packet that completes it was written to a pipe, one packet every 100 ms.

usage: bench_live.py [--packets N]
"""

import argparse
import select
import statistics
import struct
import subprocess
import sys
import time
from typing import Final

from fluxcap import segment

COMMANDS: Final = {  # each packet completes a row: its own, of the interval before it, or of the flow before it
    "packets": "packets - -f ndjson",
    "timeline": "timeline - -f ndjson --interval 100ms --grace 1ns",
    "flows": "flows - -f ndjson --as-they-end --idle-timeout 50ms --grace 1ns",
}
EVERY: Final = 100_000_000  # ns between two packets, of the clock and of the capture
WITHIN: Final = 0.1  # seconds: what is asked of every row
PATIENCE: Final = 10.0  # seconds
FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)


def record(number: int) -> bytes:
    """A packet of its own flow, at its time of the capture."""
    frame = segment(b"?", ("192.0.2.1", 1024 + number), ("192.0.2.2", 53))
    return struct.pack("<IIII", *divmod(number * EVERY, 1_000_000_000), len(frame), len(frame)) + frame


def latencies(command: str, packets: int) -> list[float]:
    """Seconds from each packet, but for the first three, to the row that it completes."""
    line = [sys.executable, "-m", "fluxcap", *command.split()]
    found = []
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(FILE_HEADER + record(0) + record(1) + record(2))
        while select.select([process.stdout], [], [], 1.0)[0]:  # until it has started and waits for more
            process.stdout.read(1 << 16)
        for number in range(3, 3 + packets):
            written = time.perf_counter()
            process.stdin.write(record(number))
            if not select.select([process.stdout], [], [], PATIENCE)[0]:
                process.kill()
                raise SystemExit(f"{command}: no row after {PATIENCE:.0f} s")
            process.stdout.read(1 << 16)
            found.append(time.perf_counter() - written)
            time.sleep(max(EVERY / 1e9 - found[-1], 0))
    return found


def main() -> int:
    """Measure and print; 1 if a row was late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=100)
    packets = parser.parse_args().packets
    worst = 0.0
    for name, command in COMMANDS.items():
        found = latencies(command, packets)
        worst = max(worst, *found)
        print(f"{name:10} median {statistics.median(found) * 1000:5.1f} ms, most {max(found) * 1000:5.1f} ms")
    return int(worst > WITHIN)


if __name__ == "__main__":
    sys.exit(main())
