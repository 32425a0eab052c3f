# What an ICMP or ICMPv6 message is. A key has two ports for it: type and code, or the identifier that a request and its
# reply share, on the side that asks. So the ports alone do not always tell the type.

from libc.stdint cimport uint16_t, uint32_t

from fluxcap.base.numbers cimport IP_ICMP, IP_ICMPV6
from fluxcap.base.types cimport Key

cdef enum:                      # https://www.iana.org/assignments/icmp-parameters, .../icmpv6-parameters
    ECHO_REPLY = 0
    ECHO = 8
    ROUTER_ADVERTISEMENT = 9
    ROUTER_SOLICITATION = 10
    TIMESTAMP = 13              # from here to MASK_REPLY: requests, which are odd, each followed by its reply
    MASK_REPLY = 18
    ECHO_V6 = 128               # smaller types are errors (RFC 4443 section 2.1)
    ECHO_REPLY_V6 = 129
    ICMP_TYPES_END = 256

cdef inline bint is_icmp(uint32_t protocol) noexcept nogil:
    return protocol == IP_ICMP or protocol == IP_ICMPV6

cdef inline bint is_request(uint32_t protocol, uint32_t kind) noexcept nogil:
    """Does it ask, with an identifier that the reply repeats?"""
    if protocol == IP_ICMP:
        return kind == ECHO or (TIMESTAMP <= kind <= MASK_REPLY and kind & 1)
    return kind == ECHO_V6

cdef inline uint32_t reply_to(uint32_t protocol, uint32_t request) noexcept nogil:
    return ECHO_REPLY if protocol == IP_ICMP and request == ECHO else request + 1

cdef inline uint32_t request_of(uint32_t protocol, uint32_t kind) noexcept nogil:
    """The request that a query of this type is, or answers; ICMP_TYPES_END if it is no query."""
    if is_request(protocol, kind):
        return kind
    if protocol == IP_ICMP:
        if kind == ECHO_REPLY:
            return ECHO
        return kind - 1 if TIMESTAMP <= kind <= MASK_REPLY else ICMP_TYPES_END
    return ECHO_V6 if kind == ECHO_REPLY_V6 else ICMP_TYPES_END

cdef inline bint reads_as_message(const Key* key) noexcept nogil:
    """Are these ports taken for type and code, not for an identifier? Windows pings with the identifier 1, and ICMP has
    no type 1."""
    return (key.protocol == IP_ICMP) < key.src_port < ICMP_TYPES_END and key.dst_port < ICMP_TYPES_END

cdef inline uint32_t type_read(const Key* key) noexcept nogil:
    """The type that these ports are taken for: of a message, of an echo request, or of its reply."""
    if reads_as_message(key):
        return key.src_port
    if key.src_port == 0 and key.dst_port:
        return ECHO_REPLY if key.protocol == IP_ICMP else ECHO_REPLY_V6
    return ECHO if key.protocol == IP_ICMP else ECHO_V6

cdef inline uint16_t type_unread(const Key* key, uint32_t kind) noexcept nogil:
    """What Packet.icmp is for a message of this type: 0 where the ports are taken for it, else 1 + the type."""
    return 0 if type_read(key) == kind else <uint16_t>(kind + 1)

cdef inline uint32_t type_of(const Key* key, uint32_t unread) noexcept nogil:
    """The type of what goes in the direction of this key, by type_unread() of one message of either direction."""
    cdef uint32_t request
    if unread == 0:
        return type_read(key)
    request = request_of(key.protocol, unread - 1)
    if request == ICMP_TYPES_END or key.src_port == key.dst_port:   # the identifier 0 does not tell who asks
        return unread - 1
    return request if key.src_port else reply_to(key.protocol, request)
