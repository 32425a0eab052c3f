# Fragmented datagrams: ports for every fragment, and one verdict for the datagram, without keeping any payload.
#
# Fragment offsets are multiples of 8 bytes, so the ones'-complement sums of the fragments add up. Three things are kept
# of a datagram: which units of 8 bytes have come, their sum, and place, length and sum of its last pieces. A fragment
# takes the same time whatever came before it, and nothing grows with the capture.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport count_bits, net16, net32
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport (
    Key, Packet, SUM_CRC32C, SUM_NONE, SUM_PSEUDO, VERDICT_ABSENT, VERDICT_BAD, VERDICT_BAD_LENGTH, VERDICT_FRAGMENT,
    VERDICT_GOOD, VERDICT_ILLEGAL, VERDICT_PARTIAL, VERDICT_TRUNCATED, copy_capture_fields, in_a_flow)
from fluxcap.checksums.verify cimport fold, pseudo_sum, right_field, sent_for_zero, sum_octets
from fluxcap.fragments.table cimport (
    Datagram, DatagramName, Fragments, KNOWN_PIECES, LONGEST_DATAGRAM, KnownPiece, UNIT, begin_datagram, end_datagram,
    find_datagram, name_of, outlives)
from fluxcap.layers.transport cimport TCP_HEADER

# A fragment as far as it was captured.
cdef struct Part:
    KnownPiece piece
    const uint8_t* at
    uint32_t start              # bytes from the beginning of the datagram's payload
    uint32_t end
    uint32_t captured           # bytes captured
    uint32_t skip               # ... of extension headers, which no checksum covers
    uint32_t there              # units that had come before
    bint more

cdef inline Part part_of(const Packet* p) noexcept nogil:
    cdef Part part
    part.at = p.data + p.fragment_at
    part.start = p.fragment_offset
    part.end = p.fragment_offset + p.fragment_length
    part.captured = min(p.captured - p.fragment_at, p.fragment_length) if p.captured > p.fragment_at else 0
    part.skip = p.sum_at - p.fragment_at if p.fragment_offset == 0 and p.sum_kind != SUM_NONE else 0
    part.there = 0
    part.more = p.more_fragments
    part.piece.unit = <uint16_t>(part.start // UNIT)
    part.piece.length = <uint16_t>p.fragment_length
    part.piece.sum = <uint16_t>sum_part(&part, part.captured)
    return part

cdef inline uint32_t sum_part(const Part* part, uint32_t end) noexcept nogil:
    return sum_octets(part.at + part.skip, end - part.skip if end > part.skip else 0)

cdef inline uint64_t bits_of(uint32_t from_, uint32_t to) noexcept nogil:
    """A word whose bits from_ to `to` - 1 are set; 0 <= from_ < to <= 64."""
    return <uint64_t>0xFFFFFFFFFFFFFFFFU >> (64 - (to - from_)) << from_

cdef inline bint fits(const Part* part) noexcept nogil:
    return part.end <= LONGEST_DATAGRAM

cdef inline uint32_t units_there(const Datagram* d, const Part* part) noexcept nogil:
    """How many units of this part have come before?"""
    cdef uint32_t unit = part.start // UNIT, end = (part.end + UNIT - 1) // UNIT, last, n = 0
    while fits(part) and unit < end:
        last = min(end, (unit // 64 + 1) * 64)
        n += count_bits(d.units[unit // 64] & bits_of(unit % 64, last - unit // 64 * 64))
        unit = last
    return n

cdef inline void set_units(Datagram* d, const Part* part) noexcept nogil:
    cdef uint32_t unit = part.start // UNIT, end = (part.end + UNIT - 1) // UNIT, last
    while unit < end:
        last = min(end, (unit // 64 + 1) * 64)
        d.units[unit // 64] |= bits_of(unit % 64, last - unit // 64 * 64)
        unit = last

cdef inline bint is_known(const Datagram* d, const Part* part, const Packet* p) noexcept nogil:
    """Did this fragment come before? Place, length and sum do not tell first fragments apart: two with different ports
    have the same sum, because the checksum field makes up for the ports."""
    cdef const KnownPiece* piece
    cdef uint32_t i
    if not (part.there or d.over or part.start == part.end):
        return False
    if part.start == 0 and d.first_seen and (d.checksum != <uint16_t>p.checksum or d.key.src_port != p.key.src_port
                                             or d.key.dst_port != p.key.dst_port):
        return False
    for i in range(min(d.n, <uint32_t>KNOWN_PIECES)):
        piece = &d.pieces[i]
        if piece.unit == part.piece.unit and piece.length == part.piece.length and piece.sum == part.piece.sum:
            return True
    return False

cdef inline bint has_first(const Datagram* d) noexcept nogil:
    """Has the fragment with the ports come, even if they were not captured? Then no other fragment waits for it."""
    return d.first_seen or d.units[0] & 1

cdef inline bint is_complete(const Datagram* d) noexcept nogil:
    return d.over and not d.spoiled

cdef inline bint is_of_another(const Datagram* d, const Part* part) noexcept nogil:
    """Is a new fragment of another datagram with the same identification? A complete datagram has no more fragments,
    and no datagram has two first ones."""
    return d.over or part.start == 0 and has_first(d)

cdef inline void note_first(Datagram* d, Packet* p) noexcept nogil:
    """Take over what only the first fragment has. Its transport header may be cut off."""
    d.first_seen = True
    d.disposition = p.disposition
    d.first_verdict = p.verdict
    d.key = p.key
    d.icmp = p.icmp
    d.sum_kind = p.sum_kind
    d.checksum = <uint16_t>p.checksum
    if p.sum_kind == SUM_NONE:
        return
    d.skip = p.sum_at - p.fragment_at
    if d.skip & 1:              # sums that begin at an odd byte and at an even one do not add up
        d.sum_kind = SUM_NONE
    if p.pseudo_length != p.fragment_length - d.skip:
        d.covered = p.pseudo_length
        d.oversummed = d.furthest > d.skip + d.covered
    p.pseudo_length = 0
    d.seed = fold(pseudo_sum(p)) if p.sum_kind == SUM_PSEUDO else 0
    d.headless = p.key.protocol == IP_TCP and p.fragment_length - d.skip < TCP_HEADER

cdef inline bint is_contradiction(const Datagram* d, const Part* part) noexcept nogil:
    """Does a part contradict others? Only the last one may end inside a unit, nothing lies behind the last one, and no
    unit comes twice."""
    if part.more:
        return part.there != 0 or part.end % UNIT != 0 or d.total != 0 and part.end > d.total
    return part.there != 0 or d.total != 0 or d.furthest > part.end

cdef inline void add_part(Datagram* d, const Part* part) noexcept nogil:
    """Add a part that did not come before. One that contradicts others is added too: once all units have come, the
    datagram is over, verified or not."""
    cdef uint32_t end = part.captured
    if not fits(part):
        d.spoiled = True
        return
    d.spoiled |= is_contradiction(d, part)
    d.cut |= part.captured < part.end - part.start
    if not part.more and d.total == 0:
        d.total = part.end
    d.furthest = max(d.furthest, part.end)
    d.n_units += (part.end + UNIT - 1) // UNIT - part.start // UNIT - part.there
    set_units(d, part)
    d.pieces[d.n % KNOWN_PIECES] = part.piece
    d.n += 1
    if d.covered:
        end = min(end, max(d.skip + d.covered, part.start) - part.start)
    d.sum += part.piece.sum if end == part.captured else sum_part(part, end)

cdef inline void join(const Datagram* d, Packet* p) noexcept nogil:
    """Give a later fragment the ports and the disposition of the first one."""
    cdef Key own = p.key
    p.key = d.key
    copy_capture_fields(&p.key, &own)
    p.icmp = d.icmp
    p.disposition = d.disposition

cdef inline void judge_datagram(const Datagram* d, Packet* p) noexcept nogil:
    """Give the record that completed the datagram the verdict of the datagram. It stays `fragment` where sums alone do
    not tell: a CRC, no transport header in the first piece, or a bad sum where a piece may be of another datagram."""
    cdef uint32_t length = d.total - d.skip, total
    if d.first_verdict == VERDICT_ABSENT or d.first_verdict == VERDICT_ILLEGAL:
        p.verdict = d.first_verdict
        p.checksum = d.checksum
        return
    if d.first_verdict != VERDICT_FRAGMENT or d.sum_kind == SUM_NONE or d.sum_kind == SUM_CRC32C:
        return
    if d.covered > length:
        p.verdict = VERDICT_BAD_LENGTH
        return
    if d.covered:               # the surplus behind the UDP length is not summed (RFC 9868 section 8)
        if d.oversummed:
            return
        length = d.covered
    if d.cut:
        p.verdict = VERDICT_TRUNCATED
        return
    total = fold(d.sum + d.seed + (net32(length) if d.sum_kind == SUM_PSEUDO else 0))
    p.checksum = d.checksum
    if total == 0xFFFF:
        p.verdict = VERDICT_GOOD
        p.expected = p.checksum
        return
    if d.headless or d.contested:
        return
    p.expected = right_field(total, net16(d.checksum), sent_for_zero(p))
    p.verdict = VERDICT_BAD
    if d.sum_kind == SUM_PSEUDO and net16(d.checksum) == fold(<uint64_t>d.seed + net32(length)):
        p.verdict = VERDICT_PARTIAL

cdef inline Datagram* datagram_of(Fragments* f, const Packet* p, Part* part, bint* known,
                                  uint64_t* anomalies) noexcept nogil:
    """The datagram that a fragment belongs to; the fragment may begin a new one. `known`: the fragment came before."""
    cdef DatagramName name = name_of(p)
    cdef Datagram* d = find_datagram(f, &name)
    cdef bint contested
    known[0] = False
    if d == NULL or outlives(d.time, p.time):
        return begin_datagram(f, d, &name, p.time, anomalies)
    d.time = p.time if d.time == NO_TIME else d.time
    part.there = units_there(d, part)
    known[0] = is_known(d, part, p)
    if known[0] or not is_of_another(d, part):
        return d
    contested = not d.over
    part.there = 0
    d = begin_datagram(f, d, &name, p.time, anomalies)
    d.contested = contested
    return d

cdef inline Datagram* add_fragment(Fragments* f, Packet* p, uint64_t* anomalies) noexcept nogil:
    """Add a fragment to its datagram. The packet gets the ports if they are known, and the verdict if it completes the
    datagram. Returns the datagram, so that the caller can hold the packet back or release those that waited."""
    cdef Part part = part_of(p)
    cdef bint known
    cdef Datagram* d = datagram_of(f, p, &part, &known, anomalies)
    p.datagram = d.serial
    if p.fragment_offset == 0 and not d.first_seen and in_a_flow(p.disposition):
        note_first(d, p)
    elif p.fragment_offset and d.first_seen:
        join(d, p)
    if known:
        return d
    d.spoiled |= p.length_lies
    add_part(d, &part)
    if d.total and d.n_units == (d.total + UNIT - 1) // UNIT and not d.over:
        end_datagram(f, d)
        p.completes = True
        if d.first_seen and not d.spoiled:
            judge_datagram(d, p)
    return d
