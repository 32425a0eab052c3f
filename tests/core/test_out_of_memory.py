"""If any allocation of the core fails, the caller gets a MemoryError or the right result, and nothing crashes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import builders as b
import every_reading
import failing_allocations
from capture_files import pcap, records
from fluxcap import _core
from named_traffic import CLIENT, RESOLVER, SERVER, answered, hello, segments, syn, tls
from preloaded import PRELOADABLE, SUPPORT, preloading, shim

pytestmark = [
    pytest.mark.skipif(not PRELOADABLE, reason="takes a C compiler, and a loader that preloads"),
    pytest.mark.slow,
]
A, B, ROUTER = "192.0.2.1", "192.0.2.2", "198.51.100.9"
IP = 14  # the place of the IP header in a frame


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim("failing_allocations", tmp_path_factory.mktemp("shim"))


def written(path: Path, clients: int) -> Path:
    """A capture that is large enough for threads, with ICMP errors, TCP, and more names than there is room for at
    first; its third record completes a datagram. Each client is a flow."""
    packets = fragments(answered(SERVER)[IP:])
    for at in range(4000):
        layer = b.udp(bytes(300), 1024 + at % clients, 53, checksum=0 if at % 3 else None)
        packets.append(b.ethernet(b.ipv4(layer, A, B)))
    whole = b.ipv4(b.udp(bytes(64), 7, 9), A, B)
    packets.append(b.ethernet(b.ipv4(b.icmp(bytes(whole)[:28], 3, 3, bytes(4)), ROUTER, A)))
    packets += [b.ethernet(b.ipv4(b.tcp(b"x" * 9, 5000, 80, seq=at), A, B)) for at in (1, 10, 40, 19, 28)]
    packets += [answered(SERVER, name=f"{at:02}.{'x' * 40}.test") for at in range(600)]
    packets += [syn(), *reversed(segments(tls(hello()), 40, 80))]
    path.write_bytes(pcap(records(packets)))
    return path


def fragments(packet: bytes) -> list[bytes]:
    """The frames of an IPv4 packet in fragments, the first one last."""
    parts = b.pieces(packet[20:], 24)
    return [
        bytes(b.ethernet(b.ipv4(part, RESOLVER, CLIENT, b.UDP, offset=at, more=more)))
        for at, more, part in reversed(parts)
    ]


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The capture of each reading. Its tables grow; but a reading that writes a file for each flow gets few flows, as
    each allocation is a reading, and each time thousands of files take minutes."""
    folder = tmp_path_factory.mktemp("capture")
    many, few = written(folder / "many.pcap", 4000), written(folder / "few.pcap", 3)
    return {name: few if name == "demux to captures" else many for name in failing_allocations.READINGS}


def allocating(library: str | Path, which: str) -> set[str]:
    """Names of functions that allocate, by the symbols of a library: those that it calls, or those that it has."""
    listed = subprocess.run(["nm", "-D", which, library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].partition("@")[0] for line in listed.splitlines()}
    return {name for name in names if re.match(r"(?!_?Py).*(alloc|mmap|mremap|memalign|strn?dup)", name)}


def test_every_function_by_which_the_core_asks_for_memory_is_made_to_fail(library):
    asked = allocating(_core.__file__, "--undefined-only")
    assert {"malloc", "realloc"} < asked <= allocating(library, "--defined-only")


IN_THREADS = [(name, 3) for name in failing_allocations.READINGS if name not in every_reading.READINGS]


@pytest.mark.parametrize(("name", "threads"), [*((name, 1) for name in failing_allocations.READINGS), *IN_THREADS])
def test_an_allocation_that_fails_is_a_memory_error_or_makes_no_difference(name, threads, library, captures):
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            SUPPORT / "failing_allocations.py",
            library,
            name,
            captures[name],
            str(threads),
        ],
        env=preloading(library),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
