# Completing checksums that were left to the network card, in the window or in a record that was written before.
#
# A record is mended from its innermost packet outwards, so that the checksum of a tunnel is judged over the bytes that
# the card would have sent. A field in a record before this one is handed out with its value, to be written there.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.bytes cimport be16, put16
from fluxcap.base.types cimport (
    BATCH, Batch, Packet, SUM_NONE, VERDICT_ABSENT, VERDICT_BAD, VERDICT_FRAGMENT, VERDICT_GOOD,
    VERDICT_NONE, VERDICT_PARTIAL)
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.reader cimport RECORD, Reader, Step
from fluxcap.checksums.verify cimport fold, verify_batch
from fluxcap.fragments.datagrams cimport add_fragment
from fluxcap.fragments.table cimport Datagram, place_of
from fluxcap.layers.cursor cimport MAX_DEPTH
from fluxcap.layers.network cimport (
    IPV4_CHECKSUM, IPV4_TOTAL_LENGTH, IPV6_HEADER, IPV6_PAYLOAD_LENGTH, LENGTH_MAX)
from fluxcap.layers.transport cimport checksum_at
from fluxcap.pipeline.scan cimport Pipeline, count_batch, examine_batch

cdef enum:
    # Copies of a first fragment before its datagram is complete. A capture on all interfaces of a host that forwards
    # has two of them, and a few around its bridges and tunnels. Copies beyond these are not mended.
    COPIES_MAX = 8
    LATE_A_RECORD = (MAX_DEPTH + 1) * COPIES_MAX    # a record can complete a datagram at every depth
    LATE_AT_ONCE = 2 * BATCH * LATE_A_RECORD        # fields handed out together: nearly always enough for a batch

# Where the checksum of a datagram in fragments lies: in the first fragment, and in each copy of it.
cdef struct FirstFragment:
    uint64_t serial             # serial number of the datagram
    uint64_t at[COPIES_MAX]     # bytes into the decompressed input
    uint8_t counted[COPIES_MAX]  # 1 if the record is counted as repaired already
    uint32_t n
    bint known                  # `expected` is known
    uint16_t expected

cdef struct LateField:
    uint64_t at                 # bytes into the decompressed input
    uint8_t value[2]            # in the byte order of the network

cdef struct Repair:
    Batch* one                  # room to decode a record again
    FirstFragment* firsts       # one for each place in the table of datagrams
    LateField late[LATE_AT_ONCE]
    uint32_t n_late
    uint64_t records            # records with a change
    uint64_t transport          # transport checksums that were changed
    uint64_t headers            # IPv4 header checksums that were changed

# The verdicts on the layers of one record, before anything in it was changed.
cdef struct Layers:
    uint8_t verdict[MAX_DEPTH + 1]  # by depth; VERDICT_NONE at a depth without a packet
    bint partial                    # a checksum of some layer was left to the card
    bint pieces                     # some layer is a fragment

cdef inline Packet* at_depth(Repair* m, Pipeline* line, const Packet* p, uint32_t depth,
                             uint64_t* anomalies) noexcept nogil:
    """The packet of a record, decoded down to this depth and judged by the bytes that the record has now."""
    m.one.packets[0] = p[0]
    m.one.n = 1
    line.decoder.decode(m.one.packets, 1, line.decoder.ports, depth, line.file, anomalies)
    verify_batch(m.one, line.kernel)
    return m.one.packets

cdef inline void note(Layers* layers, const Packet* p) noexcept nogil:
    layers.verdict[p.depth] = p.verdict
    layers.partial |= p.verdict == VERDICT_PARTIAL or p.ip_verdict == VERDICT_PARTIAL
    layers.pieces |= p.fragmented

cdef inline bint unsummed(const Layers* layers, uint32_t depth) noexcept nogil:
    """Is there no layer around this depth whose checksum covers it?"""
    cdef uint32_t i
    for i in range(depth):
        if layers.verdict[i] != VERDICT_NONE and layers.verdict[i] != VERDICT_ABSENT:
            return False
    return True

cdef inline bint in_summed_piece(const Layers* layers, uint32_t depth) noexcept nogil:
    """Is a datagram in fragments around this depth? Its checksum covers all fragments and may be right already."""
    cdef uint32_t i
    for i in range(depth):
        if layers.verdict[i] == VERDICT_FRAGMENT:
            return True
    return False

cdef inline bint mend_length(Packet* p) noexcept nogil:
    """Fill in an IP length of zero, which a packet may have that the card was to cut into segments, if 16 bits hold the
    length. The checksum of an IPv4 header that was right stays right: it is updated by the difference (RFC 1624)."""
    cdef uint8_t* ip = <uint8_t*>p.data + p.ip_at
    cdef uint32_t length = p.ip_length
    if p.verdict != VERDICT_PARTIAL or length > LENGTH_MAX:
        return False
    if p.ip_version == 6:
        if be16(ip + IPV6_PAYLOAD_LENGTH) != 0:
            return False
        put16(ip + IPV6_PAYLOAD_LENGTH, <uint16_t>(length - IPV6_HEADER))
        return True
    if be16(ip + IPV4_TOTAL_LENGTH) != 0 or p.ip_verdict == VERDICT_BAD:
        return False
    put16(ip + IPV4_TOTAL_LENGTH, <uint16_t>length)
    p.ip_expected = <uint16_t>(0xFFFF - fold(<uint64_t>0xFFFF - p.ip_expected + length))
    return True

cdef inline bint mend_packet(Repair* m, Packet* p, uint8_t before) noexcept nogil:
    """Complete the checksums of one layer. A checksum that was right stays right when bytes inside have changed."""
    cdef uint8_t* data = <uint8_t*>p.data
    cdef bint grown = mend_length(p)
    cdef bint header = p.ip_verdict == VERDICT_PARTIAL or grown and p.ip_version == 4
    cdef bint transport = p.verdict == VERDICT_PARTIAL or before == VERDICT_GOOD and p.verdict == VERDICT_BAD
    if header:
        put16(data + p.ip_at + IPV4_CHECKSUM, p.ip_expected)
        m.headers += 1
    if transport:
        put16(data + p.sum_at + checksum_at(p.key.protocol), <uint16_t>p.expected)
        m.transport += 1
    return header or transport or grown

cdef inline void hand_out(Repair* m, FirstFragment* first, uint32_t copy) noexcept nogil:
    cdef LateField* field = &m.late[m.n_late]
    field.at = first.at[copy]
    put16(field.value, first.expected)
    m.n_late += 1
    m.transport += 1
    m.records += not first.counted[copy]

cdef inline bint mend_fragment(Repair* m, Pipeline* line, Packet* p, bint reachable, bint counted,
                               uint64_t* anomalies) noexcept nogil:
    """The checksum of a datagram is known when its last fragment has come, and lies in its first one. True if this
    record is counted as repaired now."""
    cdef Datagram* d = add_fragment(&line.holding.fragments, p, anomalies)
    cdef FirstFragment* first = m.firsts + place_of(&line.holding.fragments, d)
    cdef bint here = False
    cdef uint32_t i
    if first.serial != d.serial:
        memset(first, 0, sizeof(FirstFragment))
        first.serial = d.serial
    if reachable and p.fragment_offset == 0 and p.sum_kind != SUM_NONE and first.n < COPIES_MAX:
        here = True
        first.at[first.n] = p.offset + p.sum_at + checksum_at(p.key.protocol)
        first.counted[first.n] = counted
        first.n += 1
    if p.verdict == VERDICT_PARTIAL:
        first.known = True
        first.expected = <uint16_t>p.expected
    if not first.known:
        return counted
    for i in range(first.n):
        hand_out(m, first, i)
    first.n = 0     # later copies are handed out when they come
    return counted or here

cdef inline void mend(Repair* m, Pipeline* line, Packet* p, uint64_t* anomalies) noexcept nogil:
    cdef Layers layers
    cdef Packet* layer = p
    cdef uint32_t depth = p.depth
    cdef bint counted = False, fixed_around = p.gre_verdict == VERDICT_GOOD     # its checksum covers everything inside
    memset(&layers, 0, sizeof(Layers))
    note(&layers, p)
    while depth:
        layer = at_depth(m, line, p, depth - 1, anomalies)
        note(&layers, layer)
        depth = layer.depth
    if not layers.partial and not layers.pieces:
        return
    layer = p
    while True:
        depth = layer.depth
        if depth == 0 or not fixed_around and not in_summed_piece(&layers, depth):
            if mend_packet(m, layer, layers.verdict[depth]) and not counted:
                counted = True
                m.records += 1
        if layer.fragmented:
            counted = mend_fragment(
                m, line, layer, not fixed_around and unsummed(&layers, depth), counted, anomalies)
        if depth == 0:
            break
        layer = at_depth(m, line, p, depth - 1, anomalies)

cdef inline Step mend_window(Repair* m, Pipeline* line, Reader* r) noexcept nogil:
    """Complete checksums in the whole records of the window, where possible. Returned: why the reader stopped; RECORD
    if there is no more room for late fields."""
    cdef Batch* batch = line.batch
    cdef Step step = RECORD
    cdef uint32_t i
    while step == RECORD and m.n_late + BATCH * LATE_A_RECORD <= LATE_AT_ONCE:
        step = fill_batch(r, batch, BATCH)
        examine_batch(line, r, batch)
        count_batch(line, r, batch)
        for i in range(batch.n):
            mend(m, line, &batch.packets[i], r.anomalies)
    return step
