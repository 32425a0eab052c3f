# How long the handshakes of connections took, read while more of the input comes.

from libc.stdint cimport int64_t, uint64_t

from fluxcap.flows.follow cimport read_round_trips


def round_trips(Scanner scanner not None, const int64_t[::1] rows, int64_t[::1] trips):
    cdef uint64_t n = min(rows.shape[0], trips.shape[0])
    with scanner.claim:
        scanner.settle_crew()
        if n and scanner.line.flows.connections_stride:
            read_round_trips(&scanner.line.flows, &rows[0], &trips[0], n)
