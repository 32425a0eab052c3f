# Names, each kept once and called by its number from then on. What a capture says is not trusted: a name is written in
# printable ASCII, and names take so much memory and no more.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.bytes cimport hash_bytes
from fluxcap.text.digits cimport put_hex_octet

cdef enum:
    # Bytes of a name as it is written: a domain name has at most 253 (RFC 1035 section 2.3.4), a Host a port besides.
    NAME_MAX = 255
    # Names, and bytes of all of them: a network of a thousand people asks for some ten thousand names a day. Together
    # with the index they take 44 MiB at most.
    NAMES_MAX = 1 << 20
    NAMES_OCTETS_MAX = 32 << 20
    FIRST_NAMES = 256
    FIRST_NAME_BITS = 10
    ESCAPED = 4                 # bytes of \xNN

cdef struct NameText:           # a name on its way into the store
    uint8_t text[NAME_MAX]
    uint32_t n
    bint too_long

cdef struct NameStore:
    uint8_t* octets             # the names, one after the other
    uint64_t octets_room
    uint32_t* ends              # where each of them ends in it
    uint64_t ends_room
    uint64_t n
    uint32_t* index             # 1 + number of a name, 0 = a free slot
    uint32_t bits
    uint64_t key[2]             # of the hash, drawn for this process
    uint64_t not_kept           # names that were too long, or that there was no room for
    bint no_memory

cdef inline void free_names(NameStore* s) noexcept nogil:
    free(s.octets)
    free(s.ends)
    free(s.index)

cdef inline uint32_t name_begin(const NameStore* s, uint64_t i) noexcept nogil:
    return s.ends[i - 1] if i else 0

cdef inline uint32_t name_length(const NameStore* s, uint64_t i) noexcept nogil:
    return s.ends[i] - name_begin(s, i)

cdef inline void put_plain(NameText* t, uint8_t octet) noexcept nogil:
    if t.n < NAME_MAX:
        t.text[t.n] = octet
        t.n += 1
    else:
        t.too_long = True

cdef inline void put_escaped(NameText* t, uint8_t octet) noexcept nogil:
    cdef uint8_t digits[2]
    put_hex_octet(digits, octet)
    put_plain(t, b'\\')
    put_plain(t, b'x')
    put_plain(t, digits[0])
    put_plain(t, digits[1])

cdef inline void put_letter(NameText* t, uint8_t octet) noexcept nogil:
    """Write a byte of a name. What is no printable ASCII is written as \\xNN: no name has control codes for a terminal,
    lines, or a zero. So are the backslash, and what would end a cell of CSV or JSON, or make a formula of it
    (CWE-1236). No name of a host has these (RFC 1123 section 2.1)."""
    if b' ' < octet < 0x7F and octet != b'\\' and octet != b'"' and octet != b',' and \
            not (t.n == 0 and (octet == b'=' or octet == b'+' or octet == b'-' or octet == b'@')):
        put_plain(t, octet)
    else:
        put_escaped(t, octet)

cdef inline void put_letters(NameText* t, const uint8_t* at, uint32_t n) noexcept nogil:
    """Write a name as it was sent; so many bytes that it is too long are not looked at one by one."""
    cdef uint32_t i
    if n > NAME_MAX + 1:
        t.too_long = True
        return
    for i in range(n):
        put_letter(t, at[i])

cdef inline void drop_last_dot(NameText* t) noexcept nogil:
    """A name with the dot of the root behind it is that name (RFC 1034 section 3.1)."""
    if t.n and t.text[t.n - 1] == b'.':
        t.n -= 1

cdef inline uint64_t slot_of_name(const NameStore* s, const uint8_t* text, uint32_t n) noexcept nogil:
    """The slot of this name, or the free one where it belongs."""
    cdef uint64_t mask = (<uint64_t>1 << s.bits) - 1, at = hash_bytes(text, n, s.key) & mask
    cdef uint32_t there
    while s.index[at]:
        there = s.index[at] - 1
        if name_length(s, there) == n and memcmp(s.octets + name_begin(s, there), text, n) == 0:
            break
        at = at + 1 & mask
    return at

cdef inline bint grow_name_index(NameStore* s) noexcept nogil:
    """Have an index that is half full at most."""
    cdef uint32_t bits = s.bits + 1 if s.bits else FIRST_NAME_BITS
    cdef uint32_t* index
    cdef uint64_t i
    if s.bits and s.n * 2 < <uint64_t>1 << s.bits:
        return True
    index = <uint32_t*>calloc(<uint64_t>1 << bits, sizeof(uint32_t))
    if index == NULL:
        return False
    free(s.index)
    s.index = index
    s.bits = bits
    for i in range(s.n):
        s.index[slot_of_name(s, s.octets + name_begin(s, i), name_length(s, i))] = <uint32_t>i + 1
    return True

cdef inline uint32_t add_name(NameStore* s, uint64_t slot, const NameText* t) noexcept nogil:
    """Keep a name that is not there yet. Returned: 1 + its number, 0 where there is no room."""
    cdef uint64_t begin = s.ends[s.n - 1] if s.n else 0
    if s.n == NAMES_MAX or begin + t.n > NAMES_OCTETS_MAX:
        return 0
    if not reserve_array(<void**>&s.octets, &s.octets_room, begin + t.n, FIRST_NAMES * ESCAPED, 1) or \
            not reserve_array(<void**>&s.ends, &s.ends_room, s.n + 1, FIRST_NAMES, sizeof(uint32_t)):
        s.no_memory = True
        return 0
    memcpy(s.octets + begin, t.text, t.n)
    s.ends[s.n] = <uint32_t>(begin + t.n)
    s.n += 1
    s.index[slot] = <uint32_t>s.n
    return <uint32_t>s.n

cdef inline uint32_t keep_name(NameStore* s, NameText* t) noexcept nogil:
    """Keep a name, or find it. Returned: 1 + its number; 0 for none, and for one that is not kept, which is counted."""
    cdef uint64_t slot
    cdef uint32_t kept
    if t.too_long:
        s.not_kept += 1
        return 0
    if t.n == 0:
        return 0
    if not grow_name_index(s):
        s.no_memory = True
        return 0
    slot = slot_of_name(s, t.text, t.n)
    if s.index[slot]:
        return s.index[slot]
    kept = add_name(s, slot, t)
    s.not_kept += kept == 0
    return kept
