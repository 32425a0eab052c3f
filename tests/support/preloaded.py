"""Libraries of C that are loaded before the others, to stand between a Python and the calls of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fluxcap

SUPPORT = Path(__file__).parent
PRELOADABLE = (
    sys.platform == "linux" and shutil.which("cc") is not None and "san.so" not in os.environ.get("LD_PRELOAD", "")
)


def shim(name: str, folder: Path) -> Path:
    """The library that is made of this source here."""
    library = folder / f"{name}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SUPPORT / f"{name}.c", "-ldl"], check=True)
    return library


def preloading(library: Path) -> dict[str, str]:
    """The environment of a Python that begins with a library."""
    paths = os.pathsep.join([str(Path(fluxcap.__file__).parents[1]), str(SUPPORT)])
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": paths}
