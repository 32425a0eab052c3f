"""If any allocation of the core fails, the caller gets a MemoryError or the right result, and nothing crashes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import builders as b
import failing_allocations
import fluxcap
from capture_files import pcap, records

SUPPORT = Path(failing_allocations.__file__).parent
PRELOADABLE = (
    sys.platform == "linux" and shutil.which("cc") is not None and "libasan" not in os.environ.get("LD_PRELOAD", "")
)
pytestmark = [
    pytest.mark.skipif(not PRELOADABLE, reason="takes a C compiler, and a loader that preloads"),
    pytest.mark.slow,
]
A, B, ROUTER = "192.0.2.1", "192.0.2.2", "198.51.100.9"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "failing_allocations.so"
    source = SUPPORT / "failing_allocations.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for threads and for tables that grow, with fragments, ICMP errors and TCP."""
    packets: list[bytes] = []
    for port in range(4000):
        packets.append(b.ethernet(b.ipv4(b.udp(bytes(300), 1024 + port, 53, checksum=0 if port % 3 else None), A, B)))
    whole = b.ipv4(b.udp(bytes(64), 7, 9), A, B)
    packets.append(b.ethernet(b.ipv4(b.icmp(bytes(whole)[:28], 3, 3, bytes(4)), ROUTER, A)))
    packets += [b.ethernet(b.ipv4(b.tcp(b"x" * 9, 5000, 80, seq=at), A, B)) for at in (1, 10, 40, 19, 28)]
    path = tmp_path_factory.mktemp("capture") / "in.pcap"
    path.write_bytes(pcap(records(packets)))
    return path


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", failing_allocations.READINGS)
def test_an_allocation_that_fails_is_a_memory_error_or_makes_no_difference(name, threads, shim, capture):
    paths = os.pathsep.join([str(Path(fluxcap.__file__).parents[1]), str(SUPPORT)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SUPPORT / "failing_allocations.py", shim, name, capture, str(threads)],
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
