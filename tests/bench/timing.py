"""Timing in turn, so that other load falls on all evenly, and a description of the machine."""

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fluxcap import _core


def in_turn(works: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each work in several rounds, all works in turn; the first round only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for run in range(runs + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if run:
                taken[name].append(time.perf_counter() - start)
    return taken


def machine() -> str:
    """The machine and versions that the figures depend on."""
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {os.cpu_count()} cores, {system}, kernel {_core.kernel()}, {datetime.now(UTC):%Y-%m-%d}"


def _processor() -> str:
    """The model name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
