# Shims: headers between an ethertype and the next ethertype or a whole frame. Each function reads one of them.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.numbers cimport ETHERTYPE_FIRST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS
from fluxcap.base.types cimport MALFORMED, Packet, SHORT_LINK
from fluxcap.layers.cursor cimport (
    Cursor, ETHERTYPE, LINK, Next, STOP, captured_left, drop_tail, give_up, here, narrow, short, wire_left)
from fluxcap.layers.link cimport ETHERNET_HEADER, ETHERNET_TYPE, LINKTYPE_ETHERNET

cdef inline Next tagged(Cursor* c, Packet* p, uint32_t tag) noexcept nogil:
    """A tag of `tag` bytes with no field that a flow needs, then the next ethertype: VN-Tag, E-TAG, the security group
    tag of Cisco."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < tag + 2:
        return short(c, p, tag + 2, SHORT_LINK)
    c.at += tag + 2
    return <Next>ETHERTYPE | be16(at + tag)

cdef inline Next backbone(Cursor* c, Packet* p) noexcept nogil:
    """IEEE 802.1ah: a service tag, then the whole frame of the customer."""
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    return <Next>LINK | LINKTYPE_ETHERNET

cdef enum:                      # NSH, RFC 8300 section 2.2
    NSH_LENGTH = 1              # low six bits: length of the whole header in units of 4 bytes
    NSH_PROTOCOL = 3
    NSH_HEADER = 8

cdef inline Next nsh(Cursor* c, Packet* p) noexcept nogil:
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < NSH_HEADER:
        return short(c, p, NSH_HEADER, SHORT_LINK)
    length = (at[NSH_LENGTH] & 0x3F) * 4
    if length < NSH_HEADER:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    if at[NSH_PROTOCOL] == 1:
        return <Next>ETHERTYPE | ETHERTYPE_IPV4
    elif at[NSH_PROTOCOL] == 2:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    elif at[NSH_PROTOCOL] == 3:
        return <Next>LINK | LINKTYPE_ETHERNET
    elif at[NSH_PROTOCOL] == 5:
        return <Next>ETHERTYPE | ETHERTYPE_MPLS
    return STOP

cdef enum:
    FABRICPATH_TAG = 2          # behind the ethertype: forwarding tag (10 bits), time to live (6 bits)

cdef inline Next fabricpath(Cursor* c, Packet* p) noexcept nogil:
    """Cisco FabricPath: addresses of switches, the ethertype, a tag, then the whole frame of the host, whose type is an
    ethertype or a length that fits."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t kind
    if captured_left(c) < FABRICPATH_TAG + ETHERNET_HEADER:
        return short(c, p, FABRICPATH_TAG + ETHERNET_HEADER, SHORT_LINK)
    kind = be16(at + FABRICPATH_TAG + ETHERNET_TYPE)
    if kind < ETHERTYPE_FIRST and kind > wire_left(c) - FABRICPATH_TAG - ETHERNET_HEADER:
        return STOP
    c.at += FABRICPATH_TAG
    return <Next>LINK | LINKTYPE_ETHERNET

cdef enum:                      # the tag of Arista: subtype, version, time stamp, the next ethertype
    ARISTA_TIMESTAMP = 1        # subtype
    ARISTA_VERSION = 2
    ARISTA_HEADER = 4
    ARISTA_64_BITS = 0x10       # low byte of the version: seconds and nanoseconds, 32 bits each
    ARISTA_48_BITS = 0x20       # ... the seconds 16 bits

cdef inline Next arista(Cursor* c, Packet* p) noexcept nogil:
    """The time stamp of a switch before the ethertype of the frame."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t version, header = ARISTA_HEADER
    if captured_left(c) < ARISTA_HEADER:
        return short(c, p, ARISTA_HEADER, SHORT_LINK)
    version = be16(at + ARISTA_VERSION)
    if be16(at) != ARISTA_TIMESTAMP or version >> 8 > 1:    # TAI, UTC
        return STOP
    if version & 0xFF == ARISTA_64_BITS:
        header += 8
    elif version & 0xFF == ARISTA_48_BITS:
        header += 6
    else:
        return STOP
    return tagged(c, p, header)

cdef enum:                      # MACsec security tag, IEEE 802.1AE clause 9
    MACSEC_SCI = 0x20
    MACSEC_ENCRYPTED = 0x0C     # either bit: encrypted or changed text
    MACSEC_SHORT_LENGTH = 0x3F  # bytes from the ethertype to the integrity value; 0 = 48 or more
    MACSEC_ICV = 16

cdef inline Next macsec(Cursor* c, Packet* p) noexcept nogil:
    """Without encryption the ethertype can be read. The integrity value ends the frame; in a short frame, which may be
    padded behind it, the second byte of the tag says where it begins."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = 6, secured
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    if at[0] & MACSEC_ENCRYPTED:
        return STOP
    if at[0] & MACSEC_SCI:
        header += 8
    if captured_left(c) < header + 2:
        return short(c, p, header + 2, SHORT_LINK)
    c.at += header + 2
    secured = at[1] & MACSEC_SHORT_LENGTH
    if secured >= 2 and secured - 2 <= wire_left(c):
        narrow(c, secured - 2)
    else:
        drop_tail(c, MACSEC_ICV)
    return <Next>ETHERTYPE | be16(at + header)
