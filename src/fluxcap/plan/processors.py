"""How many threads a reading has for what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fluxcap._core import KeySpec

MAX_THREADS: Final = 64  # of the core
MAX_SHARDS: Final = 32  # of the core
# A third of the work on small packets is counting: so many threads keep one that counts for all of them busy.
ONE_TABLE: Final = 4
# From so many threads on the table is in at least as many shards. These take up to 40 % more work, and 60 % more
# for a flood; four threads gain 20 % on small packets, 11 % on a mix, 62 % on a flood, and lose 9 % on big packets.
SHARDED: Final = 4
# Small packets of so many bytes take a millisecond, ten times what it takes to start a thread.
OCTETS_A_THREAD: Final = 1 << 20
# More decompressors make more than one table can count; without a bound, 128 processors would hold 8 GiB.
AHEAD: Final = 16


def threads_for(asked: int | None, divides: bool) -> int:
    """The number of threads to read with: as many as asked for, or all that find work, at most one a processor.

    `divides`: the flow table divides into shards, so that more threads than ONE_TABLE have something to do.
    """
    return min(asked or (MAX_THREADS if divides else ONE_TABLE), MAX_THREADS, processors())


def threads_worth(threads: int, octets: int) -> int:
    """How many of so many threads an input of so many bytes keeps busy."""
    return max(min(threads, -(-octets // OCTETS_A_THREAD)), 1)


def divides(key: KeySpec | None) -> bool:
    """Does a flow table with this key divide into shards?

    It does not where only one table will do: with a bound on flows or memory, with bytes of packets or names of
    servers, which come in the order of the records, and where the direction of a flow depends on its row in an earlier
    interval.
    """
    beside = key is not None and (key.get("payload") or key.get("server_names"))
    if key is None or key["max_flows"] or key.get("max_memory") or beside:
        return False
    return not (key["interval"] and key.get("server_ports"))


def shards_for(threads: int) -> int:
    """The shards of a flow table that divides: a power of two, one or more for each thread."""
    return 1 if threads < SHARDED else min(1 << (threads - 1).bit_length(), MAX_SHARDS)


def ahead_for(asked: int | None) -> int:
    """The number of inputs to decompress ahead: as many as asked for, or one a processor."""
    return min(AHEAD, processors()) if asked is None else asked


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
