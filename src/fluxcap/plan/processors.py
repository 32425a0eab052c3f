"""How many threads a reading has for what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fluxcap._core import KeySpec

# A third of the work on small packets is counting: so many threads keep one that counts for all of them busy.
THREADS: Final = 4
# More decompressors make more than one table can count; without a bound, 128 processors would hold 8 GiB.
AHEAD: Final = 16
MAX_SHARDS: Final = 32  # of the core


def threads_for(asked: int | None) -> int:
    """The number of threads to read with: as many as asked for, or a few, at most one a processor."""
    return min(asked or THREADS, _processors())


def shards_for(threads: int, key: KeySpec | None) -> int:
    """The shards of a flow table that so many threads make: a power of two, one a thread or more.

    1 for up to THREADS threads, as shards take a sixth more work, and twice that for a flood. 1 also where only one
    table will do: with a bound on flows or memory, and where the direction of a flow depends on its row in an earlier
    interval.
    """
    if key is None or threads <= THREADS:
        return 1
    if key["max_flows"] or key.get("max_memory") or (key["interval"] and key.get("server_ports")):
        return 1
    return min(1 << (threads - 1).bit_length(), MAX_SHARDS)


def ahead_for(asked: int | None) -> int:
    """The number of inputs to decompress ahead: as many as asked for, or one a processor."""
    return min(AHEAD, _processors()) if asked is None else asked


def _processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
