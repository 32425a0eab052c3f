# What few connections need beside their four cache lines: holes past the first two, and what is not believed yet. Both
# lie in side tables of the flow table, so that the many connections in order do not pay for the few that are not.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fluxcap.base.types cimport Digest

cdef enum:
    FEW_HOLES = 2               # kept in the connection itself
    # ... in a block of the side table, 1 KiB a side: as many segments of one window lost or late. A window of 64 KiB
    # has 45 full Ethernet frames, one of 256 KiB 180, so every second frame of the one and half of the other.
    MANY_HOLES = 128

cdef struct Hole:               # sequence numbers that have not been seen
    uint32_t start
    uint32_t end

cdef struct HoleBlock:
    Hole holes[MANY_HOLES]      # ascending

# Of one side (RFC 9293 section 3.10.7.4, RFC 5961: what lies outside the window changes nothing).
cdef struct Aside:
    Digest syn                  # the SYN, to be counted in the row that it begins, should it begin one
    int64_t last                # the row's last time before the SYN
    uint8_t flags               # ... and its flags
    uint8_t held                # ASIDE_SYN and so on
    uint32_t isn                # of the second SYN+ACK
    uint32_t line               # where the second line of sequence numbers has come to
    uint32_t start              # of the far segment
    uint32_t end
    uint32_t ack                # the far acknowledgment
    uint32_t older              # 1 + row of the connection that had these addresses and ports before
