# What lies under MPLS labels or in an L2TPv3 session? No field says whether it is an IP packet, or an Ethernet frame
# with or without a control word before it.
#
# The first byte of a frame is that of an address and may have any value (RFC 8469 section 1). So an ethertype in its
# place, with an IP header behind it that checks out, decides first, and the first four bits decide last.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport be16
from fluxcap.base.numbers cimport (
    ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_LLDP, ETHERTYPE_MPLS, ETHERTYPE_PPPOE_SESSION)
from fluxcap.base.types cimport Packet, SHORT_LINK
from fluxcap.layers.cursor cimport Cursor, LINK, Next, captured_left, here, short, wire_left
from fluxcap.layers.link cimport ETHERNET_HEADER, ETHERNET_TYPE, LINKTYPE_ETHERNET, VLAN_TAG, is_tag
from fluxcap.layers.network cimport IPV4_HEADER, IPV6_HEADER, IPV6_PAYLOAD_LENGTH, checks_out, ip_of

cdef enum:
    CONTROL_WORD = 4            # RFC 4385 section 3: its first four bits are zero
    LLC_HEADER = 3              # the least that a length of IEEE 802.3 counts
    MAX_FRAME_TAGS = 2          # tags that are skipped to find the ethertype behind them

cdef inline bint frame_checks_out(const Cursor* c, uint32_t skip) noexcept nogil:
    """Is there an Ethernet frame `skip` bytes from here whose ethertype announces an IP header that checks out? An IP
    header that the snap length cut only needs the right version."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t n = skip + ETHERNET_HEADER, kind, tags = 0, version, left
    if captured_left(c) <= n:
        return False
    kind = be16(at + skip + ETHERNET_TYPE)
    while is_tag(kind) and tags < MAX_FRAME_TAGS and captured_left(c) > n + VLAN_TAG:
        kind = be16(at + n + 2)
        n += VLAN_TAG
        tags += 1
    version = at[n] >> 4
    left = captured_left(c) - n
    if kind == ETHERTYPE_IPV4 and version == 4:
        return left < IPV4_HEADER or checks_out(c, n)
    if kind == ETHERTYPE_IPV6 and version == 6:
        return left < IPV6_HEADER or <uint32_t>be16(at + n + IPV6_PAYLOAD_LENGTH) + IPV6_HEADER <= wire_left(c) - n
    return False

cdef inline bint names_a_protocol(const Cursor* c, uint32_t skip) noexcept nogil:
    """Would a frame `skip` bytes from here have a type that is met every day: a common ethertype, or the length of what
    follows?"""
    cdef uint32_t kind
    if captured_left(c) < skip + ETHERNET_HEADER:
        return False
    kind = be16(here(c) + skip + ETHERNET_TYPE)
    if kind >= LLC_HEADER and kind + skip + ETHERNET_HEADER == wire_left(c):
        return True
    return (kind == ETHERTYPE_ARP or kind == ETHERTYPE_IPV4 or kind == ETHERTYPE_IPV6 or kind == ETHERTYPE_LLDP
            or kind == ETHERTYPE_MPLS or kind == ETHERTYPE_PPPOE_SESSION or is_tag(kind))

cdef inline Next under_labels(Cursor* c, Packet* p) noexcept nogil:
    cdef uint32_t version
    if captured_left(c) < 1:
        return short(c, p, 1, SHORT_LINK)
    version = here(c)[0] >> 4
    if frame_checks_out(c, 0):
        return <Next>LINK | LINKTYPE_ETHERNET
    if version == 0:
        if captured_left(c) < CONTROL_WORD:
            return short(c, p, CONTROL_WORD, SHORT_LINK)
        if names_a_protocol(c, CONTROL_WORD) or not names_a_protocol(c, 0):
            c.at += CONTROL_WORD
        return <Next>LINK | LINKTYPE_ETHERNET
    if names_a_protocol(c, 0) and not checks_out(c, 0):
        return <Next>LINK | LINKTYPE_ETHERNET
    return ip_of(version)
