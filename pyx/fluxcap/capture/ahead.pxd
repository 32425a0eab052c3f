# Hopping over the records of a window before it is known where the first one begins.
#
# Each hop waits for the length that the one before read, so the hops of all windows are the part of a reading that more
# threads make no shorter. But bytes alone let guess where a record begins (capture/chain.pxd). A thread that has a
# window before its turn hops from some such places, each up to the next. When its turn has come, it hops from the true
# beginning: where that arrives at one of the places, what lies behind is known. A wrong guess costs time, and changes
# no result.

from libc.stdint cimport uint8_t, uint32_t

from fluxcap.base.bytes cimport file32
from fluxcap.capture.chain cimport CHAIN_GOES_ON, MAX_WIRE, Walk, follow, may_begin, open_framing
from fluxcap.capture.hop cimport Hop, hop_from, hop_over, hop_records, hop_to, hops_pcap
from fluxcap.capture.pcap cimport CAPTURED_LENGTH, WIRE_LENGTH
from fluxcap.capture.reader cimport FORMAT_PCAP, FORMAT_PCAPNG, Framing, Reader

cdef enum:
    HOPS_AHEAD = 4              # hops from so many places wait for memory at the same time
    GUESSED = 4096              # bytes in which one is looked for: where records are longer, few hops are made

cdef struct Ahead:
    Hop hops[HOPS_AHEAD]        # one behind the other; where none was found, from the next place or the end on

cdef inline size_t next_likely_pcap(const uint8_t* octets, size_t at, size_t end, bint swapped) noexcept nogil:
    """The next place whose lengths may be those of a record; hardly any other place is looked at further."""
    cdef uint32_t wire
    while at < end:
        wire = file32(octets + at + WIRE_LENGTH, swapped)
        # Less one, so that zero is the greatest number.
        if wire - 1 < <uint32_t>MAX_WIRE and file32(octets + at + CAPTURED_LENGTH, swapped) - 1 < wire:
            break
        at += 1
    return at

cdef inline size_t next_likely_pcapng(const Framing* f, const uint8_t* octets, size_t at, size_t end) noexcept nogil:
    while at < end and not may_begin(f, octets + at, end - at):
        at += 1
    return at

cdef inline size_t guess_record(const Reader* r, size_t start, size_t otherwise) noexcept nogil:
    """The first place from `start` on where a record seems to begin, or another one."""
    cdef Framing f
    cdef Walk walk
    cdef size_t at = start, end
    open_framing(r, &f)
    end = min(start + GUESSED, r.end - f.header)
    while at < end:
        at = next_likely_pcap(r.buffer, at, end, f.swapped) if f.format == FORMAT_PCAP else \
            next_likely_pcapng(&f, r.buffer, at, end)
        walk = Walk(at, 0, False, False, NULL, 0)
        if at < end and follow(&f, &walk, r.buffer, r.end, at).fate == CHAIN_GOES_ON:
            return at
        at += 1
    return otherwise

cdef inline size_t end_of(const Reader* r, const Ahead* a, uint32_t i) noexcept nogil:
    """Where a hop ends: the next one begins there, or before."""
    return a.hops[i + 1].begin if i + 1 < HOPS_AHEAD else r.end

cdef inline void hop_side_by_side(const Reader* r, Ahead* a) noexcept nogil:
    """All hops of a pcap, a record of each in turn."""
    cdef bint more = True
    cdef uint32_t i
    while more:
        more = False
        for i in range(<uint32_t>HOPS_AHEAD):
            if a.hops[i].end < end_of(r, a, i) and not a.hops[i].stopped:
                more |= hop_over(r, &a.hops[i])

cdef inline void choose_places(const Reader* r, bint guesses, Ahead* a) noexcept nogil:
    """Where one is not found, no other one is looked for: records are long, or look like none."""
    cdef size_t part = (r.end - r.start) // HOPS_AHEAD, begin = r.end, found
    cdef uint32_t i
    for i in range(HOPS_AHEAD, 0, -1):
        if guesses:
            found = guess_record(r, r.start + part * (i - 1), begin)
            guesses = found < begin
            begin = found
        a.hops[i - 1] = hop_from(begin)

cdef inline void hop_ahead(const Reader* r, bint filtered, Ahead* a) noexcept nogil:
    # What reads past damage learns from each record what the next one may be.
    cdef bint guesses = r.resync == NULL and (
        r.format == FORMAT_PCAPNG or r.format == FORMAT_PCAP and hops_pcap(r, filtered))
    cdef uint32_t i
    choose_places(r, guesses, a)
    if guesses and r.format == FORMAT_PCAP:
        hop_side_by_side(r, a)
    elif guesses:
        for i in range(<uint32_t>HOPS_AHEAD):
            hop_to(r, filtered, end_of(r, a, i), &a.hops[i])

cdef inline Hop hop_on(const Reader* r, bint filtered, const Ahead* a) noexcept nogil:
    """Hop over all records in the window, in which others went ahead."""
    cdef Hop hop = hop_from(r.start)
    cdef const Hop* ahead
    cdef uint32_t i
    if r.resync != NULL:                # none went ahead, and a hop begins with what was learned before the window
        return hop_records(r, filtered)
    for i in range(<uint32_t>HOPS_AHEAD):
        ahead = &a.hops[i]
        if not hop.stopped:
            hop_to(r, filtered, ahead.begin, &hop)
        if not hop.stopped and hop.end == ahead.begin:
            hop.end = ahead.end
            hop.records += ahead.records
            hop.stopped = ahead.stopped
    if not hop.stopped:
        hop_to(r, filtered, r.end, &hop)
    return hop
