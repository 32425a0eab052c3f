"""How many threads a reading has for what."""

from __future__ import annotations

import os
from typing import Final

# A third of the work on small packets is done in order, by one thread at a time: more threads gain little.
THREADS: Final = 4
# More decompressors make more than one table can count; without a bound, 128 processors would hold 8 GiB.
AHEAD: Final = 16


def threads_for(asked: int | None) -> int:
    """The number of threads to read with: as many as asked for, or a few, at most one a processor."""
    return min(asked or THREADS, _processors())


def ahead_for(asked: int | None) -> int:
    """The number of inputs to decompress ahead: as many as asked for, or one a processor."""
    return min(AHEAD, _processors()) if asked is None else asked


def _processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
