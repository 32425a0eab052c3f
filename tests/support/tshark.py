"""tshark, where it is installed, as another reader of the same captures."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

DAMAGED = 2  # tshark's exit status
VERIFIED = {  # checksums that it looks at only when it is asked to
    "ip.check_checksum": "TRUE",
    "tcp.check_checksum": "TRUE",
    "udp.check_checksum": "TRUE",
    "udplite.check_checksum": "TRUE",
    "udplite.ignore_checksum_coverage": "FALSE",
    "sctp.checksum": "CRC 32c",
}
VERIFY = [word for name, value in VERIFIED.items() for word in ("-o", f"{name}:{value}")]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def tshark(capture: Path, *options: str) -> list[str]:
    """The lines it prints, no name looked up; of a capture that it calls damaged, those before the damage."""
    done = subprocess.run(["tshark", "-n", "-r", str(capture), *options], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, DAMAGED), done.stderr
    return done.stdout.splitlines()


def fields(names: Iterable[str]) -> list[str]:
    """The options that print these fields of a frame, tab-separated; several values of one have commas between them."""
    return ["-T", "fields", *(word for name in names for word in ("-e", name))]
