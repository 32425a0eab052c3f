# Link types of Juniper routers: a header that says whether a link header follows, and perhaps extensions.
# https://www.tcpdump.org/linktypes.html names them; print-juniper.c of tcpdump has the layout.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16, be24, le32
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, ETHERTYPE_IPV6
from fluxcap.base.types cimport NON_IP, Packet, REASON_NONE, SHORT_LINK, UNKNOWN_LINK
from fluxcap.layers.cursor cimport Cursor, ETHERTYPE, LINK, Next, captured_left, give_up, here, short

cdef enum:                      # LINKTYPE_JUNIPER_ values
    JUNIPER_PPPOE = 167         # whole Ethernet frames, as in 178
    JUNIPER_ETHER = 178
    JUNIPER_PPP = 179
    JUNIPER_FRELAY = 180
    JUNIPER_CHDLC = 181

cdef enum:                      # the header; offsets in bytes
    JUNIPER_MAGIC = 0x4D4743    # "MGC"
    JUNIPER_FLAGS = 3
    JUNIPER_EXTENSIONS = 4      # length of the extensions, where JUNIPER_EXTENDED is set
    JUNIPER_HEADER = 4
    JUNIPER_NO_LINK = 0x02      # no link header: a protocol number of 32 bits, then the packet
    JUNIPER_EXTENDED = 0x80

cdef inline uint32_t juniper_link(uint32_t link_type) noexcept nogil:
    """The link type inside, a LINKTYPE_ value; 0: none that is known."""
    if link_type == JUNIPER_ETHER or link_type == JUNIPER_PPPOE:
        return 1
    elif link_type == JUNIPER_PPP:
        return 9
    elif link_type == JUNIPER_FRELAY:
        return 107
    elif link_type == JUNIPER_CHDLC:
        return 104
    return 0

cdef inline Next juniper_protocol(Cursor* c, Packet* p) noexcept nogil:
    """Juniper has its own protocol numbers; these are those of IP."""
    cdef uint32_t protocol
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    protocol = le32(here(c))
    c.at += 4
    if protocol == 2:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif protocol == 6:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return give_up(p, NON_IP, REASON_NONE)

cdef inline Next juniper(uint32_t inside, Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = JUNIPER_HEADER
    if captured_left(c) < JUNIPER_HEADER:
        return short(c, p, JUNIPER_HEADER, SHORT_LINK)
    if be24(at) != JUNIPER_MAGIC:
        return give_up(p, NON_IP, REASON_NONE)
    if at[JUNIPER_FLAGS] & JUNIPER_EXTENDED:
        if captured_left(c) < JUNIPER_EXTENSIONS + 2:
            return short(c, p, JUNIPER_EXTENSIONS + 2, SHORT_LINK)
        header += 2 + be16(at + JUNIPER_EXTENSIONS)
        if captured_left(c) < header:
            return short(c, p, header, SHORT_LINK)
    c.at += header
    if at[JUNIPER_FLAGS] & JUNIPER_NO_LINK:
        return juniper_protocol(c, p)
    return <Next>LINK | inside

cdef inline Next by_juniper(uint32_t link_type, Cursor* c, Packet* p) noexcept nogil:
    if juniper_link(link_type):
        return juniper(juniper_link(link_type), c, p)
    return give_up(p, UNKNOWN_LINK, REASON_NONE)
