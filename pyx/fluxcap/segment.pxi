# Segments for Python.

cdef Segment plan_segment(const uint8_t[::1] message, const uint8_t[::1] src, uint16_t src_port,
                          const uint8_t[::1] dst, uint16_t dst_port, uint8_t protocol) except *:
    """A segment with all that only its message and its ends decide. It points into these."""
    cdef Segment s
    memset(&s, 0, sizeof(Segment))
    if src.shape[0] != dst.shape[0] or src.shape[0] != 4 and src.shape[0] != 16:
        raise ValueError(f"addresses of {src.shape[0]} and {dst.shape[0]} octets: both are of IPv4, or both of IPv6")
    s.src, s.dst, s.address_octets = &src[0], &dst[0], <uint32_t>src.shape[0]
    s.src_port, s.dst_port = src_port, dst_port
    s.protocol = protocol
    s.framed = s.atomic = True
    s.ttl = 64
    if <uint64_t>message.shape[0] > longest_message(&s):
        raise ValueError(f"a message of {message.shape[0]:,} octets does not fit into one packet,"
                         f" which holds {longest_message(&s):,}")
    s.length = <uint32_t>message.shape[0]
    s.message = &message[0] if s.length else NULL
    return s


def segment(const uint8_t[::1] message, const uint8_t[::1] src, uint16_t src_port, const uint8_t[::1] dst,
            uint16_t dst_port, *, uint8_t protocol, bint framed, uint8_t ttl, identification, uint32_t seq,
            uint32_t ack, uint8_t flags, uint16_t window):
    cdef Segment s = plan_segment(message, src, src_port, dst, dst_port, protocol)
    cdef bytes octets
    s.framed = framed
    s.ttl = ttl
    s.atomic = identification is None
    s.identification = identification or 0
    s.seq, s.ack, s.flags, s.window = seq, ack, flags, window
    octets = PyBytes_FromStringAndSize(NULL, segment_octets(&s))
    put_segment(&s, <uint8_t*><char*>octets)
    return octets
