# The state of each side of a TCP connection, from the segments that it sent, as in Zeek
# (src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc), and the name of both states together (conn_state in
# scripts/base/protocols/conn/main.zeek).

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.numbers cimport ACK, FIN, RST, SYN
from fluxcap.base.sequence cimport ahead
from fluxcap.flows.connection cimport (
    CLOSED, Connection, ESTABLISHED, INACTIVE, PARTIAL, RESET, SEEN_DATA, SYN_ACK_SENT, SYN_SENT, Side, is_closed)
from fluxcap.flows.history cimport aborted_at_once

cdef enum:                      # in the order of STATES
    STATE_S0                    # a SYN, no answer
    STATE_S1                    # established, not closed
    STATE_SF                    # established and closed
    STATE_REJ                   # a SYN that was refused
    STATE_S2                    # established, closed by the originator alone
    STATE_S3                    # established, closed by the responder alone
    STATE_RSTO                  # established, aborted by the originator
    STATE_RSTR                  # established, aborted by the responder
    STATE_RSTOS0                # a SYN and a RST by the originator, no SYN+ACK
    STATE_RSTRH                 # a SYN+ACK and a RST by the responder, no SYN
    STATE_SH                    # a SYN and a FIN by the originator, no SYN+ACK
    STATE_SHR                   # a SYN+ACK and a FIN by the responder, no SYN
    STATE_OTH                   # no SYN, or none of the above
    STATES_END

cdef inline void set_state(Side* s, uint8_t state) noexcept nogil:
    if state != s.state:
        s.before = s.state
        s.state = state

cdef inline void leave_inactive(Side* s, Side* peer, uint32_t way, uint32_t flags, uint32_t length) noexcept nogil:
    if flags & SYN:
        if way:
            set_state(s, ESTABLISHED)
            if peer.state == SYN_SENT or peer.state == SYN_ACK_SENT and flags & ACK == 0:
                set_state(peer, ESTABLISHED)
        elif flags & ACK:
            set_state(s, SYN_ACK_SENT)
        else:
            # A capture may have the answer before the SYN.
            set_state(s, ESTABLISHED if peer.state == ESTABLISHED else SYN_SENT)
    if flags & FIN:
        set_state(s, CLOSED)
    if flags & RST:
        set_state(s, RESET)
    if s.state != INACTIVE:
        return
    if way and length == 0 and peer.state == SYN_SENT:
        return                  # some hosts acknowledge a SYN before they send their own
    set_state(s, ESTABLISHED if flags & ACK and peer.state == ESTABLISHED else PARTIAL)

cdef inline void leave_established(Side* s, Side* peer, uint32_t flags) noexcept nogil:
    if flags & (SYN | ACK) == SYN and s.state == PARTIAL and peer.state == INACTIVE:
        set_state(s, SYN_SENT)
    if flags & (FIN | RST) == FIN:
        set_state(s, CLOSED)
        if peer.state == RESET and peer.before == CLOSED:
            set_state(peer, CLOSED)     # a FIN and a RST after it, answered by a FIN: a normal end
    if flags & RST:
        set_state(s, RESET)

cdef inline void step_state(Connection* c, uint32_t way, uint32_t flags, uint32_t length) noexcept nogil:
    """Change the state of the sender of a segment, and sometimes the state of the other side."""
    cdef Side* s = &c.sides[way]
    cdef Side* peer = &c.sides[way ^ 1]
    if s.state == INACTIVE:
        leave_inactive(s, peer, way, flags, length)
    elif s.state == SYN_SENT or s.state == SYN_ACK_SENT:
        if flags & FIN:
            set_state(s, CLOSED)
        if flags & RST:
            set_state(s, RESET)
    elif s.state == ESTABLISHED or s.state == PARTIAL:
        leave_established(s, peer, flags)
    elif s.state == CLOSED and flags & RST and peer.state != CLOSED:
        set_state(s, RESET)
    # The connection ends when both sides have closed, one has aborted, or one has closed without any answer.
    s.ended |= s.state == RESET or (s.state == CLOSED and (is_closed(peer) or peer.state == INACTIVE))

cdef inline bint sent_nothing(const Side* s) noexcept nogil:
    """Did this side send no data, by its sequence numbers and by the acknowledgments that it got?"""
    cdef uint32_t top = s.last if ahead(s.last, s.ack) > 0 else s.ack
    return top - s.start <= <uint32_t>1 + s.fins

cdef inline uint8_t tcp_state(const Connection* c) noexcept nogil:
    cdef const Side* o = &c.sides[0]
    cdef const Side* r = &c.sides[1]
    cdef bint no_o = o.state == INACTIVE or o.state == PARTIAL
    cdef bint no_r = r.state == INACTIVE or r.state == PARTIAL
    if r.state == RESET:
        if o.state == SYN_SENT or o.state == SYN_ACK_SENT:
            return STATE_REJ
        if o.state == RESET and sent_nothing(o) and sent_nothing(r):
            return STATE_REJ
        return STATE_RSTRH if no_o else STATE_RSTR
    if o.state == RESET:
        if not no_r:
            return STATE_RSTO
        return STATE_RSTOS0 if aborted_at_once(c) else STATE_OTH
    if o.state == CLOSED:
        return STATE_SF if r.state == CLOSED else STATE_SH if no_r else STATE_S2
    if r.state == CLOSED:
        return STATE_SHR if no_o else STATE_S3
    if o.state == SYN_SENT and r.state == INACTIVE:
        return STATE_S0
    return STATE_S1 if o.state == ESTABLISHED and r.state == ESTABLISHED else STATE_OTH

cdef inline uint8_t udp_state(const Connection* c) noexcept nogil:
    cdef bint forward = c.seen[0] & SEEN_DATA
    cdef bint reverse = c.seen[1] & SEEN_DATA
    if forward:
        return STATE_SF if reverse else STATE_S0
    return STATE_SHR if reverse else STATE_OTH

cdef inline uint8_t state_of(const Connection* c) noexcept nogil:
    # Only TCP leaves INACTIVE. UDP has letters, and other protocols have none.
    return tcp_state(c) if c.sides[0].state | c.sides[1].state else udp_state(c)
