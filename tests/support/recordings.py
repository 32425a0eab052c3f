"""Recordings of programs: those in samples/, or with FLUXCAP_RECORD=1 others that are made on the spot, as root."""

import os
import shutil
from pathlib import Path

import recorded
from real_captures import SAMPLES

NEEDED = ("ip", "ethtool", "tcpdump")


def recording(name: str, folder: Path, *programs: str) -> Path:
    """The recording of this name; made in `folder`, it needs these programs."""
    if os.environ.get("FLUXCAP_RECORD") != "1":
        return SAMPLES / name
    lacking = [program for program in (*NEEDED, *programs) if shutil.which(program) is None]
    lacking += ["root"] if os.geteuid() else []
    assert not lacking, f"recording needs {', '.join(lacking)}"
    recorded.record(next(one for one in recorded.RECORDINGS if one.name == name), folder / name)
    return folder / name
