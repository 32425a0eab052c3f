"""The cost of decompression for a flow table: a compressed capture, its decompressor alone, and the plain file.

`python tests/bench/bench_compressed.py small zstd` makes the capture if it is not there, then runs all three in turn.
"""

import importlib
import shlex
import statistics
import sys
from functools import partial
from pathlib import Path

import fluxcap
import timing
import workloads
from fluxcap.capture.compression import CODECS, Codec

STEP = 1 << 20  # bytes fed, and taken, at a time: the fastest for the decompressors
# The default levels of their commands.
COMPRESSORS = {"gzip": ("gzip", 6), "zstd": ("backports.zstd", 3), "lz4": ("lz4.frame", 0)}


def main() -> None:
    parser = workloads.arguments(
        "Flows of a compressed capture: how much is left of its decompressor's own throughput."
    )
    parser.add_argument("codec", choices=COMPRESSORS)
    parser.add_argument("--runs", type=int, default=5, help="of each; the median is printed (default: %(default)s)")
    chosen = parser.parse_args()
    packets = chosen.packets or workloads.WORKLOADS[chosen.workload].packets
    plain = workloads.ensure(chosen.workload, packets, chosen.dir)
    codec = next(codec for codec in CODECS if codec.name == chosen.codec)
    path = compressed(plain, codec)
    works = {
        "decompressor": partial(decompress, path, codec),
        "flows, plain": partial(fluxcap.read_flows, plain),
        "flows, compressed": partial(fluxcap.read_flows, path),
    }
    times = timing.in_turn(works, chosen.runs)
    print(f"{shlex.join(['python', *sys.argv])}\n{timing.machine()}")
    print(f"{chosen.workload}, {codec.name}: {packets:,} packets; median of {chosen.runs}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{name:<18} {median:.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
    print(f"{medians['decompressor'] / medians['flows, compressed']:.2f} of the decompressor's throughput")


def compressed(plain: Path, codec: Codec) -> Path:
    """The capture compressed, beside it."""
    path = plain.with_name(f"{plain.name}.{codec.name}")
    if not path.exists():
        module, level = COMPRESSORS[codec.name]
        path.write_bytes(importlib.import_module(module).compress(plain.read_bytes(), level))
    return path


def decompress(path: Path, codec: Codec) -> None:
    """Throw away what the decompressor makes."""
    member = codec.new()
    with path.open("rb") as file:
        while piece := file.read(STEP):
            member.decompress(piece, STEP)
            while not member.needs_input and not member.eof:
                member.decompress(b"", STEP)


if __name__ == "__main__":
    main()
