# The addresses that a DNS message answers with, and the name that was asked for (RFC 1035, RFC 3596).
#
# Answers count that follow from the question: its addresses, or those of the canonical name that a CNAME before them
# gives it, as a stub resolver reads them. Addresses of other names in the message are nobody's answer.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be16
from fluxcap.names.store cimport NameText, put_escaped, put_letter, put_plain

cdef enum:                      # section 4.1.1
    DNS_HEADER = 12
    DNS_RESPONSE = 0x8000
    DNS_OPCODE = 0x7800         # 0 = a query
    DNS_CODE = 0x000F           # 0 = no error
    DNS_FLAGS = 2
    DNS_QUESTIONS = 4
    DNS_ANSWERS = 6

cdef enum:
    QUESTION_FIXED = 4          # type and class behind the name, section 4.1.2
    RECORD_FIXED = 10           # type, class, TTL and length behind the name, section 4.1.3
    RECORD_LENGTH = 8
    CLASS_INTERNET = 1
    TYPE_A = 1
    TYPE_CNAME = 5
    TYPE_AAAA = 28              # RFC 3596 section 2.1
    NAME_OCTETS_MAX = 255       # of a name with the lengths of its labels, section 2.3.4
    LABEL_MAX = 63
    POINTER = 0xC0              # section 4.1.4
    NO_PLACE = 0                # no name of a message is in its header

cdef struct Reply:
    const uint8_t* octets
    uint32_t n
    uint32_t at                 # the next record
    uint32_t records            # that are left
    uint32_t wanted             # the name whose addresses are the answer: that of the question, then canonical names

cdef inline uint32_t label_at(const uint8_t* m, uint32_t n, uint32_t at) noexcept nogil:
    """The place of the label that a place leads to; NO_PLACE where the message ends, or has something else there. Each
    pointer leads to a place before itself, so this ends."""
    cdef uint32_t target
    while at < n and m[at] >= POINTER:
        if n - at < 2:
            return NO_PLACE
        target = be16(m + at) & 0x3FFF
        if target >= at or target < DNS_HEADER:
            return NO_PLACE
        at = target
    if at >= n or m[at] > LABEL_MAX or m[at] >= n - at:
        return NO_PLACE
    return at

cdef inline uint32_t behind_name(const uint8_t* m, uint32_t n, uint32_t at) noexcept nogil:
    """The place behind the name at a place, not following pointers; NO_PLACE where it goes past the message."""
    while at < n:
        if m[at] >= POINTER:
            return at + 2 if n - at >= 2 else <uint32_t>NO_PLACE
        if m[at] == 0:
            return at + 1
        if m[at] > LABEL_MAX:
            return NO_PLACE
        at += m[at] + 1
    return NO_PLACE

cdef inline bint read_name(const uint8_t* m, uint32_t n, uint32_t at, NameText* to) noexcept nogil:
    """Write the name at a place with dots between its labels; False where it is none. A dot in a label is no border,
    and is escaped."""
    cdef uint32_t octets = 0, i
    memset(to, 0, sizeof(NameText))
    while True:
        at = label_at(m, n, at)
        if at == NO_PLACE:
            return False
        if m[at] == 0:
            return True
        octets += m[at] + 1     # also of labels that a pointer leads to once more: the loop ends
        if octets >= NAME_OCTETS_MAX:
            return False
        if to.n:
            put_plain(to, b'.')
        for i in range(m[at]):
            if m[at + 1 + i] == b'.':
                put_escaped(to, b'.')
            else:
                put_letter(to, m[at + 1 + i])
        at += m[at] + 1

cdef inline uint8_t small_letter(uint8_t octet) noexcept nogil:
    return octet | 0x20 if b'A' <= octet <= b'Z' else octet

cdef inline bint same_name(const uint8_t* m, uint32_t n, uint32_t a, uint32_t b) noexcept nogil:
    """Are the names at two places the same, whatever their letters' case (section 2.3.3)?"""
    cdef uint32_t octets = 0, i
    while True:
        a, b = label_at(m, n, a), label_at(m, n, b)
        if a == NO_PLACE or b == NO_PLACE or m[a] != m[b]:
            return False
        if a == b or m[a] == 0:
            return True         # the rest is the same bytes
        for i in range(1, <uint32_t>m[a] + 1):
            if small_letter(m[a + i]) != small_letter(m[b + i]):
                return False
        octets += m[a] + 1
        if octets >= NAME_OCTETS_MAX:
            return False
        a, b = a + m[a] + 1, b + m[b] + 1

cdef inline bint open_reply(Reply* r, const uint8_t* m, uint32_t n) noexcept nogil:
    """Is this an answer to a question of the Internet? Stand before its records."""
    cdef uint32_t flags, _question, at = DNS_HEADER
    if n <= DNS_HEADER:
        return False
    flags = be16(m + DNS_FLAGS)
    if flags & (DNS_RESPONSE | DNS_OPCODE | DNS_CODE) != DNS_RESPONSE or be16(m + DNS_QUESTIONS) == 0:
        return False
    r.octets = m
    r.n = n
    r.records = be16(m + DNS_ANSWERS)
    r.wanted = DNS_HEADER       # of several questions, which nobody asks, the first; each takes five bytes at least
    for _question in range(be16(m + DNS_QUESTIONS)):
        at = behind_name(m, n, at)
        if at == NO_PLACE or n - at < QUESTION_FIXED:
            return False
        at += QUESTION_FIXED
    r.at = at
    return True

cdef inline bint next_address(Reply* r, uint8_t* address) noexcept nogil:
    """The next address of the name that was asked for, as 16 bytes; False behind the last one, or where the message
    ends. Each record takes eleven bytes at least, so this ends."""
    cdef const uint8_t* fixed
    cdef uint32_t owner, kind, length
    while r.records:
        r.records -= 1
        owner = r.at
        r.at = behind_name(r.octets, r.n, owner)
        if r.at == NO_PLACE or r.n - r.at < RECORD_FIXED:
            break
        fixed = r.octets + r.at
        kind, length = be16(fixed), be16(fixed + RECORD_LENGTH)
        r.at += RECORD_FIXED
        if length > r.n - r.at:
            break
        r.at += length
        if be16(fixed + 2) != CLASS_INTERNET or not same_name(r.octets, r.n, owner, r.wanted):
            continue
        if kind == TYPE_CNAME:
            r.wanted = r.at - length
        elif kind == TYPE_A and length == 4:
            memset(address, 0, 10)
            memset(address + 10, 0xFF, 2)
            memcpy(address + 12, fixed + RECORD_FIXED, 4)
            return True
        elif kind == TYPE_AAAA and length == 16:
            memcpy(address, fixed + RECORD_FIXED, 16)
            return True
    r.records = 0
    return False
