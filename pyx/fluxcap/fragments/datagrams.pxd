# Fragmented datagrams: ports for every fragment, and a verdict for the whole, without keeping any payload.
#
# Fragment offsets are multiples of 8 octets, so the ones'-complement sums of the fragments simply add. What is kept of
# a datagram is where its pieces lie and what each sums to. The table is a fixed number of places in sets of four: a
# hash picks the set, the one longest untouched in it makes room. Nothing grows with the capture.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fluxcap.base.bytes cimport multiply_fold, native64, net16, net32
from fluxcap.checksums.verify cimport fold, pseudo_sum, right_field, sent_for_zero, sum_octets
from fluxcap.base.numbers cimport IP_TCP
from fluxcap.layers.transport cimport TCP_HEADER
from fluxcap.base.types cimport (
    DATAGRAMS_EVICTED, Key, Packet, SUM_CRC32C, SUM_NONE, SUM_PSEUDO, VERDICT_ABSENT, VERDICT_BAD,
    VERDICT_BAD_LENGTH, VERDICT_FRAGMENT, VERDICT_GOOD, VERDICT_ILLEGAL, VERDICT_PARTIAL, VERDICT_TRUNCATED,
    copy_capture_fields, in_a_flow)

cdef enum:
    SETS = 512                  # 2048 datagrams under way at once: Linux keeps 4 MB of fragments, about as many
    PLACES = 4                  # in a set
    # A 64 KiB datagram at the 576 octets every IPv4 host must take has 118 fragments. One with more is not verified.
    MAX_DATAGRAM_PIECES = 120
    LIFETIME_S = 60             # of an incomplete datagram, in capture time (RFC 8200 section 4.5)

cdef struct DatagramPiece:
    uint32_t start              # octets from the beginning of the datagram's payload
    uint32_t length
    uint32_t sum                # folded, this machine's byte order

# What tells datagrams apart: addresses, identification and, over IPv4, the protocol (RFC 791 section 2.3; RFC 8200
# section 4.5).
cdef struct Identity:
    uint8_t addresses[32]       # as they stand in the header; IPv4 has 8 octets of them
    uint32_t id
    uint32_t protocol

cdef struct Datagram:
    Identity identity
    uint64_t serial
    uint8_t used
    uint8_t complete
    uint8_t spoiled             # fragments overlap or contradict each other: never verified
    uint8_t cut                 # octets of it were not captured
    int64_t time                # of the last fragment
    uint32_t total              # octets of payload, 0 until the last fragment is seen
    uint32_t there              # octets of payload seen
    uint32_t n
    uint32_t waiting            # 1 + place of the first packet held back for it, 0 = none
    # from the first fragment
    uint8_t first_seen
    uint8_t disposition
    uint8_t first_verdict
    uint8_t sum_kind
    uint8_t ip_version
    uint8_t depth
    Key key
    uint16_t checksum
    uint32_t skip               # octets of extension headers before the transport header
    uint32_t covered            # by the checksum: UDP length; 0 = all there is
    uint8_t headless            # the checksum itself lies in another piece
    uint8_t oversummed          # a piece was summed beyond what the checksum covers
    uint32_t seed               # folded sum of the pseudo-header without its length
    DatagramPiece pieces[MAX_DATAGRAM_PIECES]

cdef struct Fragments:
    Datagram* datagrams         # SETS * PLACES of them
    uint64_t serial             # datagrams ever begun
    uint64_t seed

cdef inline Identity identify(const Packet* p) noexcept nogil:
    cdef Identity identity
    cdef const uint8_t* ip = p.data + p.ip_at
    memset(&identity, 0, sizeof(Identity))
    identity.id = p.fragment_id
    if ip[0] >> 4 == 4:
        memcpy(identity.addresses, ip + 12, 8)
        identity.protocol = ip[9]
    else:
        memcpy(identity.addresses, ip + 8, 32)
    return identity

cdef inline uint64_t hash_identity(const Fragments* f, const Identity* identity) noexcept nogil:
    cdef uint64_t hash = f.seed + identity.id
    cdef uint32_t i
    for i in range(0, 32, 16):
        hash = multiply_fold(hash ^ native64(identity.addresses + i), f.seed ^ native64(identity.addresses + i + 8))
    return multiply_fold(hash, f.seed | 1)

cdef inline Datagram* find_datagram(Fragments* f, const Packet* p, uint64_t* anomalies) noexcept nogil:
    """The datagram this fragment belongs to, or a place for it to begin in."""
    cdef Identity identity = identify(p)
    cdef Datagram* set_ = f.datagrams + hash_identity(f, &identity) % SETS * PLACES
    cdef Datagram* oldest = set_
    cdef uint32_t i
    for i in range(<uint32_t>PLACES):
        if set_[i].used and memcmp(&set_[i].identity, &identity, sizeof(Identity)) == 0:
            if p.time - set_[i].time <= <int64_t>LIFETIME_S * 1000000000:
                return &set_[i]
            oldest = &set_[i]
            break
        if not set_[i].used or (oldest.used and set_[i].time < oldest.time):
            oldest = &set_[i]
    if oldest.used and not oldest.complete:
        anomalies[DATAGRAMS_EVICTED] += 1
    oldest.identity = identity
    begin_datagram(f, oldest)
    return oldest

cdef inline void begin_datagram(Fragments* f, Datagram* d) noexcept nogil:
    cdef Identity identity = d.identity
    memset(d, 0, sizeof(Datagram) - sizeof(d.pieces))
    f.serial += 1
    d.serial = f.serial
    d.identity = identity
    d.used = True

cdef inline bint same_piece(const Datagram* d, const DatagramPiece* piece, const Packet* p) noexcept nogil:
    """Is this fragment one that was there already? A sum alone does not tell first fragments apart: a checksum makes
    up for other ports."""
    cdef uint32_t i
    if piece.start == 0 and d.first_seen and (d.checksum != <uint16_t>p.checksum or d.key.src_port != p.key.src_port
                                              or d.key.dst_port != p.key.dst_port):
        return False
    for i in range(d.n):
        if d.pieces[i].start == piece.start:
            return d.pieces[i].length == piece.length and d.pieces[i].sum == piece.sum
    return False

cdef inline void add_piece(Datagram* d, const DatagramPiece* piece, bint more) noexcept nogil:
    cdef uint32_t i, end = piece.start + piece.length
    # Only the last piece may end off the 8 octet grid, and nothing lies behind it.
    if d.n == MAX_DATAGRAM_PIECES or more and piece.length % 8 or d.total and end > d.total or not more and d.total:
        d.spoiled = True
    for i in range(d.n):
        if piece.start < d.pieces[i].start + d.pieces[i].length and d.pieces[i].start < end:
            d.spoiled = True
        if not more and d.pieces[i].start + d.pieces[i].length > end:
            d.spoiled = True
    if d.spoiled:
        return
    if not more:
        d.total = end
    d.pieces[d.n] = piece[0]
    d.n += 1
    d.there += piece.length

cdef inline void note_first(Datagram* d, Packet* p) noexcept nogil:
    """What only the first fragment tells. Its header may be cut too short to tell."""
    cdef uint32_t i
    d.first_seen = True
    d.disposition = p.disposition
    d.first_verdict = p.verdict
    d.key = p.key
    d.ip_version = p.ip_version
    d.depth = p.depth
    d.sum_kind = p.sum_kind
    d.checksum = <uint16_t>p.checksum
    if p.sum_kind == SUM_NONE:
        return
    d.skip = p.sum_at - p.fragment_at
    if d.skip & 1:              # pieces on the other octet's grid do not add
        d.sum_kind = SUM_NONE
    if p.pseudo_length != p.fragment_length - d.skip:
        d.covered = p.pseudo_length
        for i in range(d.n):    # of this piece itself only what is covered was summed
            if d.pieces[i].start and d.pieces[i].start + d.pieces[i].length > d.skip + d.covered:
                d.oversummed = True
    p.pseudo_length = 0
    d.seed = fold(pseudo_sum(p)) if p.sum_kind == SUM_PSEUDO else 0
    d.headless = p.key.protocol == IP_TCP and p.fragment_length - d.skip < TCP_HEADER

cdef inline void join(const Datagram* d, Packet* p) noexcept nogil:
    """Give a later fragment what the first one said."""
    cdef Key own = p.key
    p.key = d.key
    copy_capture_fields(&p.key, &own)
    p.ip_version = d.ip_version
    p.depth = d.depth
    p.disposition = d.disposition

cdef inline void judge_datagram(const Datagram* d, Packet* p) noexcept nogil:
    """The verdict of the whole datagram, for the record that completed it. What stays `fragment` cannot be told from
    sums alone: a CRC, or no transport header in the first piece."""
    cdef uint32_t length = d.total - d.skip, total, i
    cdef uint64_t sum = 0
    if d.first_verdict == VERDICT_ABSENT or d.first_verdict == VERDICT_ILLEGAL:
        p.verdict = d.first_verdict
        p.checksum = d.checksum
        return
    if d.first_verdict != VERDICT_FRAGMENT or d.sum_kind == SUM_NONE or d.sum_kind == SUM_CRC32C:
        return
    if d.covered > length:
        p.verdict = VERDICT_BAD_LENGTH
        return
    if d.covered:               # a surplus after the UDP length is not summed (RFC 9868 section 8)
        if d.oversummed:
            return
        length = d.covered
    if d.cut:
        p.verdict = VERDICT_TRUNCATED
        return
    for i in range(d.n):
        sum += d.pieces[i].sum
    total = fold(sum + d.seed + (net32(length) if d.sum_kind == SUM_PSEUDO else 0))
    p.checksum = d.checksum
    if total == 0xFFFF:
        p.verdict = VERDICT_GOOD
        p.expected = p.checksum
        return
    if d.headless:
        return
    p.expected = right_field(total, net16(d.checksum), sent_for_zero(p))
    p.verdict = VERDICT_BAD
    if d.sum_kind == SUM_PSEUDO and net16(d.checksum) == fold(<uint64_t>d.seed + net32(length)):
        p.verdict = VERDICT_PARTIAL

cdef inline Datagram* add_fragment(Fragments* f, Packet* p, uint64_t* anomalies) noexcept nogil:
    """Put a fragment where it belongs; its packet gets ports if they are known, and the verdict if it completes the
    datagram. The datagram is returned so that the caller can hold the packet back, or let go those that waited."""
    cdef Datagram* d = find_datagram(f, p, anomalies)
    cdef const uint8_t* at = p.data + p.fragment_at
    cdef uint32_t captured = p.captured - p.fragment_at if p.captured > p.fragment_at else 0, skip = 0, end
    cdef DatagramPiece piece
    if captured > p.fragment_length:
        captured = p.fragment_length
    end = captured
    if p.fragment_offset == 0 and p.sum_kind != SUM_NONE:
        skip = p.sum_at - p.fragment_at
        end = min(end, skip + p.pseudo_length)
    elif d.first_seen and d.covered:
        end = min(end, max(d.skip + d.covered, p.fragment_offset) - p.fragment_offset)
    piece.start = p.fragment_offset
    piece.length = p.fragment_length
    piece.sum = sum_octets(at + skip, end - skip if end > skip else 0)
    if d.complete and not same_piece(d, &piece, p):
        begin_datagram(f, d)    # its identification is in use again
    d.time = p.time
    p.datagram = d.serial
    if not same_piece(d, &piece, p):
        d.spoiled |= p.length_lies
        d.cut |= captured < p.fragment_length
        add_piece(d, &piece, p.more_fragments)
    if p.fragment_offset == 0 and not d.first_seen and in_a_flow(p.disposition):
        note_first(d, p)
    elif p.fragment_offset and d.first_seen:
        join(d, p)
    if d.first_seen and not d.spoiled and not d.complete and d.total and d.there == d.total:
        d.complete = True
        judge_datagram(d, p)
    return d
