# The walk over the headers of a record: where does it stand, how far may it read, and what comes next?
#
# Each protocol is one function `Next name(Cursor* c, Packet* p)`. It checks a length once, reads, moves the cursor past
# its header and returns what follows. A function that cannot go on calls give_up() or short(), and the walk ends.
#
# The cursor has two ends, which every length field on the way narrows: bytes are captured up to `captured`, and the
# packet on the wire goes up to `wire`. Where the two differ, a verdict is `truncated`. Always at <= captured <= wire.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.tunnels cimport TunnelPorts
from fluxcap.base.types cimport (
    Disposition, MALFORMED, NON_IP, Packet, Reason, TRUNCATED_HEADER, copy_capture_fields, reset)

cdef enum:
    MAX_DEPTH = 8               # tunnels in tunnels; real captures have three at most, those of fuzzers a thousand
    MAX_TAGS = 16               # VLAN tags; two are QinQ, three have been seen
    # IPv6 extension headers: RFC 8200 section 4.1 lists seven and sets no limit, libpcap's tests have a hundred.
    MAX_EXTENSIONS = 112
    MAX_LAYERS = 128            # headers in all: 16 for each of 8 tunnels; a limit, because every step takes time

# What comes next: a number space and a number in it.
cdef enum Space:
    STOP = 0
    LINK = 1 << 16              # pcap link type
    ETHERTYPE = 2 << 16         # ethertype, or a length in front of LLC
    PROTOCOL = 3 << 16          # IP protocol number
    PPP_PROTOCOL = 4 << 16
    UDP_TUNNEL = 5 << 16        # the header of a UDP datagram that may hold a tunnel; has no numbers
    LLC = 6 << 16
    SPACE_MASK = 0x7FFF0000
    NUMBER_MASK = 0x0000FFFF

ctypedef uint32_t Next

cdef struct Cursor:
    const uint8_t* base         # the record's data
    uint32_t at                 # next byte to read
    uint32_t captured
    uint32_t wire
    const TunnelPorts* ports    # UDP ports of tunnels
    uint8_t max_depth           # tunnels to descend: MAX_DEPTH, or fewer to get the packet around a tunnel
    uint8_t tags
    uint8_t extensions
    uint8_t exact               # the tunnel counts only if the IP packet in it fills it to the byte
    uint8_t too_deep            # a tunnel was not entered because of MAX_DEPTH
    Packet outer                # the packet around the innermost tunnel; valid when p.depth > 0

cdef inline uint32_t captured_left(const Cursor* c) noexcept nogil:
    return c.captured - c.at

cdef inline uint32_t wire_left(const Cursor* c) noexcept nogil:
    return c.wire - c.at

cdef inline const uint8_t* here(const Cursor* c) noexcept nogil:
    return c.base + c.at

cdef inline void narrow(Cursor* c, uint32_t length) noexcept nogil:
    """Leave out what comes after the next `length` bytes: padding or a trailer. length <= wire_left(c)."""
    c.wire = c.at + length
    if c.captured > c.wire:
        c.captured = c.wire

cdef inline void drop_tail(Cursor* c, uint32_t octets) noexcept nogil:
    """Leave out the last bytes on the wire: a frame check sequence or an integrity value."""
    if wire_left(c) >= octets:
        narrow(c, wire_left(c) - octets)

cdef inline Next give_up(Packet* p, Disposition disposition, Reason reason) noexcept nogil:
    p.disposition = disposition
    p.reason = reason
    return STOP

cdef inline Next short(Cursor* c, Packet* p, uint32_t needed, Reason reason) noexcept nogil:
    """End the walk, because fewer than `needed` bytes are left: cut by the snap length, or never on the wire."""
    if wire_left(c) < needed:
        return give_up(p, MALFORMED, reason)
    return give_up(p, TRUNCATED_HEADER, reason)

cdef inline bint enter_tunnel(Cursor* c, Packet* p) noexcept nogil:
    """Begin a new packet inside a tunnel; False: this depth is the last, and the walk stays outside. If the tunnel
    holds no IP packet, decode() restores `outer`, the packet around the tunnel."""
    if p.depth == c.max_depth:
        c.too_deep = c.max_depth == MAX_DEPTH
        return False
    c.outer = p[0]
    c.tags = 0
    c.extensions = 0
    reset(p, NON_IP)
    # Frame fields are those of the packet around the tunnel, until a frame in the tunnel sets others.
    p.key.vlan = c.outer.key.vlan
    p.key.inner_vlan = c.outer.key.inner_vlan
    p.key.mpls_label = c.outer.key.mpls_label
    memcpy(p.key.src_mac, c.outer.key.src_mac, sizeof(p.key.src_mac))
    memcpy(p.key.dst_mac, c.outer.key.dst_mac, sizeof(p.key.dst_mac))
    p.key.tunnel_id = c.outer.key.tunnel_id
    copy_capture_fields(&p.key, &c.outer.key)
    p.gre_verdict = c.outer.gre_verdict
    p.fragmented_around = c.outer.fragmented_around | <uint8_t>(c.outer.fragmented << c.outer.depth)
    p.depth = c.outer.depth + 1
    return True
