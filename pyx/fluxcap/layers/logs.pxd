# Link types of packet logs and of capturing machines: from the header that a firewall, an operating system or a driver
# puts before a packet, to the link type or the IP packet inside.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport le16, le32
from fluxcap.base.numbers cimport ETHERTYPE_IPV6
from fluxcap.base.types cimport MALFORMED, Packet, REASON_NONE, SHORT_LINK, UNKNOWN_LINK
from fluxcap.layers.cursor cimport Cursor, ETHERTYPE, LINK, Next, STOP, captured_left, give_up, here, short
from fluxcap.layers.network cimport address_family, ip_by_version

cdef inline Next ppi(Cursor* c, Packet* p) noexcept nogil:
    """Version, flags, header length, the link type inside (little-endian)."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    length = le16(at + 2)
    if length < 8:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    return <Next>LINK | (le32(at + 4) & 0xFFFF)

cdef enum:                      # PKTAP, offsets in bytes; all of its numbers are little-endian
    PKTAP_LENGTH = 0
    PKTAP_RECORD_TYPE = 4
    PKTAP_LINK_TYPE = 8
    PKTAP_HEADER = 108          # at least
    PKTAP_PACKET = 1            # record type: a packet follows

cdef inline Next pktap(Cursor* c, Packet* p) noexcept nogil:
    """macOS: header length, record type, the link type inside, interface, process, ..."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < PKTAP_HEADER:
        return short(c, p, PKTAP_HEADER, SHORT_LINK)
    length = le32(at + PKTAP_LENGTH)
    if length < PKTAP_HEADER:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    if le32(at + PKTAP_RECORD_TYPE) != PKTAP_PACKET:
        return STOP
    c.at += length
    return <Next>LINK | (le32(at + PKTAP_LINK_TYPE) & 0xFFFF)

cdef inline Next user2(Cursor* c, Packet* p) noexcept nogil:
    """A link type for any private use; macOS wrote PKTAP under it, which its header tells."""
    cdef const uint8_t* at = here(c)
    if (captured_left(c) >= PKTAP_HEADER and le32(at + PKTAP_LENGTH) == PKTAP_HEADER
            and le32(at + PKTAP_RECORD_TYPE) == PKTAP_PACKET):
        return pktap(c, p)
    return give_up(p, UNKNOWN_LINK, REASON_NONE)

cdef enum:
    NFLOG_PAYLOAD = 9           # TLV type of the packet itself

cdef inline Next nflog(Cursor* c, Packet* p) noexcept nogil:
    """Family, version, resource, then TLVs. Their length and type have the byte order of the writer; little-endian is
    assumed."""
    cdef const uint8_t* at
    cdef uint32_t size, kind
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    c.at += 4
    while captured_left(c) >= 4:
        at = here(c)
        size = le16(at)
        kind = le16(at + 2) & 0x7FFF
        if size < 4:
            return give_up(p, MALFORMED, SHORT_LINK)
        if kind == NFLOG_PAYLOAD:
            c.at += 4
            return ip_by_version(c, p)
        size = (size + 3) & ~3
        if size > captured_left(c):
            return short(c, p, size, SHORT_LINK)
        c.at += size
    return short(c, p, 4, SHORT_LINK)

cdef inline Next pflog(Cursor* c, Packet* p) noexcept nogil:
    """OpenBSD's packet filter log: length (without padding), address family, ..."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < 4:
        return short(c, p, 4, SHORT_LINK)
    length = (at[0] + 3) & ~3
    if length < 4:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    return address_family(p, at[1])

cdef inline Next ipnet(Cursor* c, Packet* p) noexcept nogil:
    """Solaris: version, family (2 or 26), hook, data length, interface index, group index, zone source, destination."""
    cdef const uint8_t* at = here(c)
    if captured_left(c) < 24:
        return short(c, p, 24, SHORT_LINK)
    c.at += 24
    if at[1] == 26:
        return <Next>ETHERTYPE | ETHERTYPE_IPV6
    return address_family(p, at[1])
