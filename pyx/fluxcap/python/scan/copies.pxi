# Looking for copies of packets.

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

import os

from fluxcap.pipeline.copies cimport COPY_WINDOW_MAX, Copies, free_copies, open_copies

# Packet columns that are written only where copies are looked for.
cdef set COPY_COLUMNS = {"duplicate_of", "duplicate_kind", "duplicate_hops"}


cdef Copies* look_for_copies(int64_t window, bint leave_out) except NULL:
    """The state of a look for copies within `window` ns, which are left out or only marked."""
    cdef Copies* copies
    if not 0 < window <= COPY_WINDOW_MAX:
        raise ValueError(f"a copy comes within {COPY_WINDOW_MAX} ns, not {window}")
    copies = <Copies*>calloc(1, sizeof(Copies))
    if copies == NULL or not open_copies(copies):
        free_copies(copies)
        raise MemoryError
    seed = os.urandom(sizeof(copies.key))
    memcpy(&copies.key, <const char*>seed, sizeof(copies.key))
    copies.window = window
    copies.leave_out = leave_out
    return copies
