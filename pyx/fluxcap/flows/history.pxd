# The history of a connection: a letter for each event, as in Zeek, in the order of the events; upper case for the
# forward side.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.numbers cimport ACK, FIN, RST, SYN
from fluxcap.flows.connection cimport (
    Connection, SEEN_ACK, SEEN_DATA, SEEN_FIN, SEEN_INCONSISTENT, SEEN_MULTIPLE, SEEN_RST, SEEN_SYN, Side)
from fluxcap.flows.table cimport HISTORY_WIDTH

cdef enum:
    LOWER = 0x20                # the bit that makes a letter lower case
    FLIP = 0x5E                 # "^"
    LETTER_X = 0x58             # more followed, for which there is no room
    LETTER_A = 0x41
    LETTER_C = 0x43
    LETTER_D = 0x44
    LETTER_F = 0x46
    LETTER_G = 0x47
    LETTER_H = 0x48
    LETTER_I = 0x49
    LETTER_Q = 0x51
    LETTER_R = 0x52
    LETTER_S = 0x53
    LETTER_T = 0x54
    LETTER_W = 0x57

cdef inline void add_letter(Connection* c, uint32_t way, uint8_t letter) noexcept nogil:
    if c.letters == HISTORY_WIDTH:
        return
    if c.letters == HISTORY_WIDTH - 1:
        letter = LETTER_X
    c.history[c.letters] = letter | LOWER if way else letter
    c.letters += 1

cdef inline bint add_once(Connection* c, uint32_t way, uint8_t seen, uint8_t letter) noexcept nogil:
    """Add the letter, unless this side has it already; True if it has."""
    if c.seen[way] & seen:
        return True
    c.seen[way] |= seen
    add_letter(c, way, letter)
    return False

cdef inline bint is_power_of_ten(uint32_t n) noexcept nogil:
    while n > 1 and n % 10 == 0:
        n //= 10
    return n == 1

cdef inline void add_scaled(Connection* c, uint32_t way, uint32_t* count, uint8_t letter) noexcept nogil:
    """Count one more, and add the letter at the first, tenth, hundredth, ... time."""
    count[0] += 1
    if is_power_of_ten(count[0]):
        add_letter(c, way, letter)

cdef inline void add_elsewhere(Connection* c, uint32_t way, uint8_t seen, uint8_t letter, uint32_t at,
                               uint32_t* last) noexcept nogil:
    """Add the letter; add it again only if this segment lies elsewhere in the sequence space than the last."""
    if add_once(c, way, seen, letter) and at != last[0]:
        add_letter(c, way, letter)
    last[0] = at

cdef inline void add_segment(Connection* c, uint32_t way, uint32_t flags, uint32_t at,
                             uint32_t length) noexcept nogil:
    """Add the letter of a TCP segment: `at` bytes from the start, with `length` bytes of payload."""
    cdef Side* s = &c.sides[way]
    if flags & (SYN | FIN | RST) == 0:
        if length:
            add_once(c, way, SEEN_DATA, LETTER_D)
        elif flags & ACK:
            add_once(c, way, SEEN_ACK, LETTER_A)
    elif flags & (FIN | RST) == FIN | RST:
        add_once(c, way, SEEN_INCONSISTENT, LETTER_I)
    elif flags & SYN and flags & (FIN | RST):
        add_once(c, way, SEEN_MULTIPLE, LETTER_Q)
    elif flags & SYN:
        add_elsewhere(c, way, SEEN_SYN, LETTER_H if flags & ACK else LETTER_S, at, &s.syn_at)
    elif flags & FIN:
        add_elsewhere(c, way, SEEN_FIN, LETTER_F, at + length, &s.fin_at)   # a FIN comes after the payload
    else:
        add_elsewhere(c, way, SEEN_RST, LETTER_R, at, &s.rst_at)

cdef inline bint aborted_at_once(const Connection* c) noexcept nogil:
    """Does forward send a SYN and then a RST, with only retransmissions or bad checksums between?"""
    cdef uint32_t i = c.history[0] == FLIP
    if c.history[i] != LETTER_S:
        return False
    for i in range(i + 1, c.letters):
        if c.history[i] == LETTER_R:
            return True
        if c.history[i] in (LETTER_H, LETTER_A, LETTER_F, LETTER_G, LETTER_I, LETTER_Q):
            return False
    return False
