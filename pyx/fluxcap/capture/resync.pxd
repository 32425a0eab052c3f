# Reading on behind damage, where that is asked for: bytes that are not a record are stray, and the next record is found
# by chain.pxd. A damaged header may still look like one, so every header is judged before its record is read: it is
# sound by itself, or the records behind it are a chain, and no better chain begins inside it.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from fluxcap.base.arrays cimport reserve_array
from fluxcap.base.bytes cimport file32
from fluxcap.base.types cimport Packet
from fluxcap.capture.chain cimport (
    CHAIN_ENDS, CHAIN_GOES_ON, Chain, Found, Header, LINKS, NO_OFFSET, ODD_EMPTY, ODD_OR_NOT, SEARCH_FOUND,
    SEARCH_NOTHING, SEEN_WORDS, Search, Walk, follow, is_in_time, is_large, is_last, is_near, is_possible,
    is_sound, is_too_early, leads_on, learn, longest, open_framing, read_header, search_led_to, search_needs,
    search_record)
from fluxcap.capture.magic cimport SECTION_HEADER, begins_capture
from fluxcap.capture.pcap cimport odd_record, pcap_record
from fluxcap.capture.pcapng cimport BLOCK_HEADER, INTERFACE_DESCRIPTION, pcapng_block
from fluxcap.capture.reader cimport (
    BROKEN, DAMAGE_NONE, Damage, FORMAT_PCAP, FORMAT_UNKNOWN, Framing, JOINED, MAX_CAPTURED, MAX_STRAYS, MORE,
    MORE_INTERFACES, RECORD, RECORD_CUT, Reader, Resync, STRAY, Step, Stray, TOO_MANY_INTERFACES, TOO_MANY_STRAYS,
    available, broken, more, position)

cdef inline Resync* open_resync() noexcept nogil:
    """NULL when memory is out."""
    cdef Resync* s = <Resync*>calloc(1, sizeof(Resync))
    if s != NULL:
        s.seen = <uint64_t*>malloc(SEEN_WORDS * sizeof(uint64_t))
        if s.seen == NULL:
            free(s)
            return NULL
    return s

cdef inline void free_resync(Resync* s) noexcept nogil:
    if s != NULL:
        free(s.seen)
        free(s.strays)
        free(s)

cdef inline void begin_resync(Resync* s) noexcept nogil:
    """The next input begins."""
    s.framing.format = FORMAT_UNKNOWN
    s.trusted = 0
    s.searching = s.fresh = s.unsure = False
    s.before = 0
    s.n_strays = 0

cdef inline Step add_stray(Reader* r, uint64_t origin) noexcept nogil:
    """The bytes from there to the window are no record."""
    cdef Resync* s = r.resync
    cdef Stray* stray
    if s.n_strays == MAX_STRAYS or not reserve_array(
            <void**>&s.strays, &s.strays_room, s.n_strays + 1, 16, sizeof(Stray)):
        return broken(r, TOO_MANY_STRAYS, 0, MAX_STRAYS)
    stray = &s.strays[s.n_strays]
    s.n_strays += 1
    stray.offset = origin
    stray.packet = r.number
    stray.size = position(r) - origin
    return STRAY

cdef inline Search search_untimed(Reader* r, size_t start, Found* found) noexcept nogil:
    """The last chance, at the end of the input: the clock may have been set back. Only a whole packet will do."""
    cdef Framing untimed = r.resync.framing
    cdef const uint8_t* octets = r.buffer + r.start
    cdef Search search
    cdef Header h
    untimed.timed = False
    search = search_record(&untimed, r.resync.seen, octets, available(r), start, available(r), True, found)
    if search == SEARCH_FOUND and untimed.format == FORMAT_PCAP:
        read_header(&untimed, octets + found.at, &h)
        if h.captured != h.wire:
            return SEARCH_NOTHING
    return search

cdef inline Step search_on(Reader* r) noexcept nogil:
    """Look for the place where the reading goes on."""
    cdef Resync* s = r.resync
    cdef const uint8_t* octets
    cdef Search search
    cdef Found found
    cdef size_t n, at
    cdef bint first
    while True:
        octets = r.buffer + r.start
        n = available(r)
        first = position(r) == s.origin
        if n < search_needs(&s.framing) + 1 and not r.ended:
            return MORE
        if first and s.framing.format != FORMAT_PCAP and n:
            at = search_led_to(&s.framing, octets, n, 0)
            if at != <size_t>NO_OFFSET:
                found.at = found.until = at
                break
        search = search_record(&s.framing, s.seen, octets, n, min(<size_t>first, n), n, r.ended, &found)
        if search != SEARCH_FOUND and r.ended and n <= longest(&s.framing):
            search = search_untimed(r, min(<size_t>first, n), &found)
        if search == SEARCH_FOUND:
            break
        at = min(longest(&s.framing) + first, n)
        r.start += at
        if r.ended and at == n:
            if s.damage.code != DAMAGE_NONE:
                r.damage = s.damage
                return BROKEN
            s.searching = False
            return add_stray(r, s.origin)
    s.searching = False
    s.fresh = True
    s.unsure = s.unsure or r.number == s.before
    s.trusted = position(r) + found.until
    r.start += found.at
    return add_stray(r, s.origin)

cdef inline Step begin_search(Reader* r) noexcept nogil:
    """There is no record here. r.damage has what is wrong, if the reading as such would stop here."""
    cdef Resync* s = r.resync
    s.searching = True
    s.origin = position(r)
    s.damage = r.damage
    memset(&r.damage, 0, sizeof(Damage))
    return search_on(r)

# pcap -----------------------------------------------------------------------------------------------------------------

cdef enum:
    NEVER = -1                  # as uint32_t: a chain that breaks will not do, however long it is

cdef inline bint goes_on(Reader* r, size_t start, uint32_t loose, bint timeless, uint32_t links) noexcept nogil:
    """Does a chain begin at an offset of the window? Then it is trusted."""
    cdef Resync* s = r.resync
    cdef Walk walk
    cdef Chain c
    walk = Walk(r.start + 2 * longest(&s.framing), s.framing.loose | loose, timeless, True, NULL, 0)
    c = follow(&s.framing, &walk, r.buffer, r.end, start)
    if c.fate != CHAIN_GOES_ON and c.fate != CHAIN_ENDS and c.links < links:
        return False
    s.trusted = r.base + c.until
    return True

cdef inline bint holds_chain(Reader* r, size_t size) noexcept nogil:
    """Does a chain begin inside these first bytes of the window? In a record, it need not come from another capture in
    a packet: the record may be several, behind a captured length that is wrong."""
    cdef Resync* s = r.resync
    cdef Found found
    return search_record(
        &s.framing, s.seen, r.buffer + r.start, available(r), 1, min(size, available(r)), True, &found) == SEARCH_FOUND

cdef inline bint is_odd_record(Reader* r, const Header* h, size_t size) noexcept nogil:
    """Is this a record all the same, because of what follows it and of what does not lie in it?"""
    cdef Framing* f = &r.resync.framing
    cdef uint32_t odd = h.odd & ~f.loose
    cdef bint last = is_last(r.buffer + r.start, available(r), size)
    if is_too_early(f, h) or holds_chain(r, size):
        return False
    if odd == 0 and goes_on(r, r.start + size, 0, False, LINKS - 1):
        return True
    if odd == 0 and goes_on(r, r.start, 0, True, <uint32_t>NEVER):
        return True
    if not is_in_time(f, h) and (odd & ODD_EMPTY or last):
        return False
    if last or goes_on(r, r.start + size, odd & ~<uint32_t>ODD_EMPTY, False, LINKS - 1):
        return True
    if odd & ODD_EMPTY and goes_on(r, r.start + size, odd, False, <uint32_t>NEVER):
        return True
    # A file may be odd from end to end: then it has no other chain.
    return not holds_chain(r, longest(f)) and goes_on(r, r.start, ODD_OR_NOT, True, <uint32_t>NEVER)

cdef inline Step judge_oddity(Reader* r, const Header* h, size_t size) noexcept nogil:
    """A header that proves nothing by itself: RECORD, if a record is here all the same."""
    cdef Resync* s = r.resync
    cdef const uint8_t* at = r.buffer + r.start
    if begins_capture(at):
        return broken(r, JOINED, 0, 0)
    if available(r) < search_needs(&s.framing) + 1 and not r.ended:
        return MORE
    if size <= available(r) and is_possible(&s.framing, at, available(r), h) and is_odd_record(r, h, size):
        return RECORD
    if h.captured == 0 or h.captured > MAX_CAPTURED:
        odd_record(r, h.captured, s.framing.header)
    elif size > available(r):
        more(r, RECORD_CUT, size)
    return begin_search(r)

cdef inline Step judge_sound(Reader* r, const Header* h, size_t size) noexcept nogil:
    """A header that proves itself. Where the next one does not, bytes may be missing, and records lie in this one."""
    cdef Resync* s = r.resync
    cdef size_t there = available(r)
    if there >= size + s.framing.header:
        if leads_on(&s.framing, r.buffer + r.start + size, h) and not is_large(&s.framing, h):
            return RECORD
    elif r.ended and there <= size:
        return RECORD
    if there < search_needs(&s.framing) + 1 and not r.ended:
        return MORE
    return begin_search(r) if holds_chain(r, size) else RECORD

cdef inline Step judge(Reader* r) noexcept nogil:
    """RECORD, if a record is here."""
    cdef Resync* s = r.resync
    cdef const uint8_t* at = r.buffer + r.start
    cdef size_t there = available(r), size
    cdef Header h, after
    read_header(&s.framing, at, &h)
    size = <size_t>s.framing.header + h.captured
    if is_sound(&s.framing, &h):
        return judge_sound(r, &h, size)
    if h.captured <= MAX_CAPTURED and h.odd & ~s.framing.loose == 0 and (
            not s.framing.timed or is_near(h.second, s.framing.second)):
        if there >= size + s.framing.header:
            read_header(&s.framing, at + size, &after)
            if after.odd & ~s.framing.loose == 0 and is_possible(&s.framing, at + size, there - size, &after) and (
                    is_near(after.second, h.second)):
                return RECORD
        elif not r.ended:
            return MORE
    return judge_oddity(r, &h, size)

cdef inline Step resync_pcap(Reader* r, Packet* p) noexcept nogil:
    cdef Resync* s = r.resync
    cdef const uint8_t* at = r.buffer + r.start
    cdef Header h
    cdef Step step = RECORD
    if available(r) < r.record_header:
        return pcap_record(r, p, r.swapped, r.lengths, r.record_header)
    if position(r) >= s.trusted:
        step = judge(r)
    if step == RECORD:
        read_header(&s.framing, at, &h)
        step = pcap_record(r, p, r.swapped, r.lengths, r.record_header)
        if step == RECORD:
            learn(&s.framing, &h)
        elif step == BROKEN and r.damage.code != JOINED:
            step = begin_search(r)
    return step

# pcapng ---------------------------------------------------------------------------------------------------------------

cdef inline Step resync_pcapng(Reader* r, Packet* p) noexcept nogil:
    """The number of an interface is its place in the section. Where descriptions, or the header of another section, may
    lie among stray bytes, that is not known: the reading goes on with the next section."""
    cdef Resync* s = r.resync
    cdef uint32_t sections = r.sections, kind
    cdef Step step
    if available(r) < BLOCK_HEADER:
        return pcapng_block(r, p) if available(r) else MORE
    kind = file32(r.buffer + r.start, r.swapped)
    s.framing.sections_only = kind == INTERFACE_DESCRIPTION and (s.fresh or s.unsure)
    if s.framing.sections_only:
        return begin_search(r)
    step = pcapng_block(r, p)
    if step == MORE or step == MORE_INTERFACES:
        return step
    if step == BROKEN:
        if r.damage.code == TOO_MANY_INTERFACES or r.damage.code == JOINED or position(r) == 0:
            return BROKEN
        s.framing.swapped = r.swapped
        s.framing.interfaces = r.n_interfaces - r.section_interfaces
        s.framing.sections_only = kind == SECTION_HEADER
        return begin_search(r)
    s.fresh = False
    if r.sections != sections:
        s.unsure = False
        s.before = r.number
    return step

cdef inline Step resync_step(Reader* r, Packet* p) noexcept nogil:
    """Move past the next record, block or stray bytes."""
    if r.resync.framing.format == FORMAT_UNKNOWN:
        open_framing(r, &r.resync.framing)
    if r.damage.code != DAMAGE_NONE:    # the reading has ended, and is asked again
        return BROKEN
    if r.resync.searching:
        return search_on(r)
    return resync_pcap(r, p) if r.format == FORMAT_PCAP else resync_pcapng(r, p)
