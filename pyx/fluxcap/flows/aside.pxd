# Holes past the first two, and segments and SYNs that are not believed yet. Few connections need either. Both lie in
# side tables of the flow table, so that the many connections in order do not pay for the few that are not.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fluxcap.base.types cimport Digest

cdef enum:
    FEW_HOLES = 2               # kept in the connection itself
    # Holes in a block of the side table, 1 KiB a side: so many segments of one window may be lost or late. A window of
    # 64 KiB has 45 full Ethernet frames, and every second one makes 22 holes; a window of 256 KiB has 180, 90 holes.
    MANY_HOLES = 128

cdef struct Hole:               # sequence numbers that were not seen
    uint32_t start
    uint32_t end

cdef struct HoleBlock:
    Hole holes[MANY_HOLES]      # ascending

# What one side sent and nobody believes yet (RFC 9293 section 3.10.7.4, RFC 5961: a segment outside the window changes
# nothing).
cdef struct Aside:
    Digest syn                  # the SYN; if it begins a connection, it moves to the row of that one
    int64_t first               # `first` and `last` of the row before the SYN
    int64_t last
    uint8_t flags               # TCP flags of the row before the SYN, this way
    uint8_t held                # ASIDE_... bits
    uint32_t bad_sums           # records with a bad checksum: letter "C"
    uint32_t isn                # initial sequence number of the second SYN+ACK
    uint32_t line               # end of the second line of sequence numbers
    uint32_t start              # the sequence numbers of the far segment
    uint32_t end
    uint32_t ack                # the far acknowledgment
    uint32_t older              # 1 + row of the connection that had these addresses and ports before
