# Counting digests into the flow table.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport rarely
from fluxcap.base.icmp cimport is_icmp
from fluxcap.base.memory cimport prefetch
from fluxcap.base.numbers cimport ACK, FIN, IP_ICMP, IP_TCP, RST, SYN
from fluxcap.base.sequence cimport ASIDE_SYN
from fluxcap.base.times cimport NO_TIME, earliest
from fluxcap.base.types cimport BATCH, Digest, KEY_WORDS, VERDICT_BAD, VERDICT_GOOD, in_a_flow
from fluxcap.flows.activity cimport begin_activity, expect_activity, note_activity
from fluxcap.flows.aside cimport Aside
from fluxcap.flows.connection cimport aside_of, connection_at, expect_connection
from fluxcap.flows.doubt cimport confirms_syn, connection_of
from fluxcap.flows.features cimport begin_features, expect_features, note_features
from fluxcap.flows.follow cimport begin_connection, begins_another, continue_connection, remember_older
from fluxcap.flows.key cimport FIVE_TUPLE_WORDS, hash_words, interval_start, project
from fluxcap.flows.table cimport (
    ACTIVE_TIMEOUT, END_OF_FLOW, EndReason, FORCED_END, FlowRow, Flows, IDLE_TIMEOUT, LACK_OF_RESOURCES, MARK_FLIPPED,
    Quoted, RareCounts, add_row, add_verdicts, expired, find_slot, find_tag, has_closed, home, is_flipped, is_full,
    is_near, is_past, is_slot_of, rare_of, row_at, row_of, shard_of)

cdef inline void count_packet(Flows* f, FlowRow* row, const Digest* d) noexcept nogil:
    cdef uint32_t way = d.flip ^ is_flipped(row)
    row.packets[way] += 1
    row.octets[way] += d.octets
    row.payload[way] += d.payload_length
    row.tcp_flags[way] |= d.tcp_flags
    row.first = earliest(d.time, row.first)
    row.last = d.time if d.time > row.last else row.last
    if d.verdict == VERDICT_GOOD:
        row.good += 1
    elif d.verdict > VERDICT_GOOD:
        add_verdicts(f, row, d.verdict, 1)
    if d.ip_verdict == VERDICT_BAD:
        rare_of(f, row).ip_bad += 1

cdef inline void note_errors(RareCounts* rare, uint64_t n, int64_t last, uint8_t kind, uint8_t code) noexcept nogil:
    if rare.icmp_errors == 0 or last >= rare.icmp_last:
        rare.icmp_last = last
        rare.icmp_type = kind
        rare.icmp_code = code
    rare.icmp_errors += n

cdef inline bint is_port_unreachable(uint32_t protocol, uint8_t kind, uint8_t code) noexcept nogil:
    """Type and code of "port unreachable" (RFC 792, RFC 4443 section 3.1)."""
    return kind == 3 and code == 3 if protocol == IP_ICMP else kind == 1 and code == 4

cdef inline RareCounts* quoted_row(Flows* f, const uint64_t* words, uint64_t tag) noexcept nogil:
    """Where ICMP errors about the flow of this key are counted: in its row, or in `unseen` until the flow gets a row.
    NULL if `unseen` is full, or the memory of the tables."""
    cdef Flows* there = f
    cdef uint64_t* slot = find_slot(f, f.index + home(f, tag), words, f.plan.shape.n, tag)
    if slot[0] == 0:
        there = f.unseen
        slot = find_slot(there, there.index + home(there, tag), words, f.plan.shape.n, tag)
        if slot[0] == 0:
            if there.n >= there.max_rows or is_near(f, 1):
                return NULL
            add_row(there, slot, words, f.plan.shape.n, tag, 0, NO_TIME)
    return rare_of(there, row_of(there, slot[0]))

cdef inline void join_error(Flows* f, const Digest* d, const uint64_t* key) noexcept nogil:
    """Count an ICMP error, which has this key, on the flow of the packet that it quotes."""
    cdef uint64_t words[KEY_WORDS]
    cdef Quoted* quoted = &f.quoted[d.quote - 1]
    cdef RareCounts* rare
    cdef uint64_t tag
    cdef uint32_t flip
    # Its own interval, the last word of every key that has one.
    quoted.key.interval = <int64_t>key[f.plan.shape.n - 1] if f.plan.interval else 0
    flip = project(&f.plan, f.plan.shape, &quoted.key, words)
    tag = hash_words(&f.plan, words, f.plan.shape.n) >> 32
    if f.whole != NULL:
        f = shard_of(f.whole, tag)
    quoted.row = <int64_t><uint32_t>find_slot(f, f.index + home(f, tag), words, f.plan.shape.n, tag)[0] - 1
    rare = quoted_row(f, words, tag)
    if rare == NULL:
        f.errors_not_kept += 1
    else:
        note_errors(rare, 1, d.time, quoted.kind, quoted.code)
        rare.unreachable[flip] += is_port_unreachable(d.protocol, quoted.kind, quoted.code)

cdef inline void take_unseen(Flows* f, FlowRow* row, const uint64_t* words, uint64_t tag) noexcept nogil:
    """A new row takes the ICMP errors that quoted its key before the row was there."""
    cdef uint64_t* slot = find_slot(f.unseen, f.unseen.index + home(f.unseen, tag), words, f.plan.shape.n, tag)
    cdef RareCounts* rare
    cdef RareCounts* taken
    if slot[0]:
        rare = rare_of(f.unseen, row_of(f.unseen, slot[0]))
        if rare.icmp_errors:
            taken = rare_of(f, row)
            note_errors(taken, rare.icmp_errors, rare.icmp_last, rare.icmp_type, rare.icmp_code)
            taken.unreachable[0] += rare.unreachable[0]
            taken.unreachable[1] += rare.unreachable[1]
            rare.icmp_errors = rare.unreachable[0] = rare.unreachable[1] = 0

cdef inline void expect_beside(const Flows* f, uint64_t i, uint32_t protocol) noexcept nogil:
    if f.describes:
        expect_features(f, i)
        if f.activity_at:
            expect_activity(f, i)
    if f.connections_stride:
        expect_connection(f, i, protocol)

cdef inline bint begins_with_syn(const Digest* d) noexcept nogil:
    return d.protocol == IP_TCP and d.tcp_flags & (SYN | RST | FIN | ACK) == SYN

cdef inline void uncount_packet(Flows* f, FlowRow* row, const Aside* x) noexcept nogil:
    """Take a SYN that was set aside out of the row of the connection before it."""
    cdef const Digest* d = &x.syn
    cdef uint32_t way = d.flip ^ is_flipped(row)
    row.packets[way] -= 1
    row.octets[way] -= d.octets
    row.payload[way] -= d.payload_length
    row.tcp_flags[way] &= ~SYN | x.flags
    row.first = x.first if row.first == d.time else row.first
    row.last = x.last if row.last == d.time else row.last
    row.good -= d.verdict == VERDICT_GOOD
    if d.verdict > VERDICT_GOOD:
        add_verdicts(f, row, d.verdict, -1)
    if d.ip_verdict == VERDICT_BAD:
        rare_of(f, row).ip_bad -= 1

cdef inline void begin_with_syn(Flows* f, uint64_t i, FlowRow* row, FlowRow* old, Aside* x) noexcept nogil:
    """Begin the connection of a SYN that was counted in the connection before, until the answer came."""
    uncount_packet(f, old, x)
    x.held &= ~ASIDE_SYN
    row.marks = row.marks & ~MARK_FLIPPED | (MARK_FLIPPED if x.syn.flip else 0)
    begin_connection(f, i, row, &x.syn)
    count_packet(f, row, &x.syn)
    f.follow(f, i, row, &x.syn)

cdef inline void begin_beside(Flows* f, uint64_t i, FlowRow* row, const Digest* d, uint32_t before,
                              EndReason reason) noexcept nogil:
    """Begin what lies beside a new row; `before`: 1 + the row that ended for this reason, 0 = none."""
    cdef FlowRow* old
    cdef uint32_t way
    if f.describes:
        begin_features(f, i)
        if f.activity_at:
            begin_activity(f, i)
    if f.connections_stride == 0:
        return
    if reason == ACTIVE_TIMEOUT and not begins_with_syn(d):
        continue_connection(f, i, before - 1)
        return
    if reason == END_OF_FLOW:
        old = row_at(f, before - 1)
        way = d.flip ^ is_flipped(old)
        if confirms_syn(f, connection_at(f, before - 1), way, d):
            begin_with_syn(f, i, row, old, aside_of(f, &connection_at(f, before - 1).sides[way ^ 1]))
        else:
            begin_connection(f, i, row, d)
        remember_older(f, i, before - 1)
    else:
        begin_connection(f, i, row, d)

cdef inline void note_beside(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    if f.describes:
        note_features(f, i, row, d)
        if f.activity_at:
            note_activity(f, i, row, d)
    if f.connections_stride:
        f.follow(f, i, row, d)

cdef inline EndReason ended(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil:
    """Does this record belong to another row than the last one of its key? 0 = no."""
    if f.connections_stride and begins_another(f, i, row, d):
        return END_OF_FLOW
    # What still comes of a closed connection, such as the last acknowledgment, is no flow of its own.
    if has_closed(f, row):
        return END_OF_FLOW if begins_with_syn(d) or expired(f, row, d.time, d.protocol) else <EndReason>0
    return expired(f, row, d.time, d.protocol)

cdef inline void prefetch_slots(const Flows* f, const Digest* digests, uint32_t n) noexcept nogil:
    """Prefetch the home slots of these digests, so that the look-ups find them in the cache."""
    cdef uint32_t i
    for i in range(n):
        prefetch(f.index + home(f, digests[i].tag))

cdef enum:
    INTERVALS_BACK = 64         # intervals looked up for a new row: an hour of minutes

cdef inline FlowRow* row_of_earlier_interval(const Flows* f, const uint64_t* key, uint32_t n,
                                             const Digest* d) noexcept nogil:
    """The row of the same flow in the nearest earlier interval; NULL if the flow has been idle for too long since."""
    cdef uint64_t words[KEY_WORDS]
    cdef uint64_t tag, slot
    cdef int64_t start
    cdef FlowRow* row
    cdef uint32_t i
    cdef int _back
    for i in range(n):
        words[i] = key[i]
    start = <int64_t>words[n - 1]               # the interval is the last word of a key
    for _back in range(INTERVALS_BACK):
        if start <= NO_TIME + 1:                # the earliest time of interval_start(), or none
            break
        start = interval_start(start - 1, f.plan.interval)
        words[n - 1] = <uint64_t>start
        tag = hash_words(&f.plan, words, n) >> 32
        slot = find_slot(f, f.index + home(f, tag), words, n, tag)[0]
        if slot:
            row = row_of(f, slot)
            return NULL if expired(f, row, d.time, d.protocol) == IDLE_TIMEOUT else row
    return NULL

cdef inline uint32_t first_direction(const Flows* f, const uint64_t* key, uint32_t n, const Digest* d,
                                     const FlowRow* timed_out) noexcept nogil:
    """1 if the canonical key is the reverse of the forward direction of a new row. `timed_out` is the row that an
    active timeout ended just now, or NULL. A connection that goes on in another row keeps its originator."""
    cdef const FlowRow* before = timed_out
    if f.servers == NULL:
        return d.flip
    if begins_with_syn(d):
        return d.flip ^ f.answers(f, key, d)
    if before == NULL and f.plan.interval:
        before = row_of_earlier_interval(f, key, n, d)
    return d.flip ^ f.answers(f, key, d) if before == NULL else is_flipped(before)

cdef inline uint32_t count_words(Flows* f, Digest* digests, const uint64_t* words, uint32_t n,
                                 uint32_t key_words) noexcept nogil:
    """Count up to BATCH digests under keys of so many words; fewer than n are counted when the table is full."""
    cdef uint64_t* slots[BATCH]     # NULL: the packet is in no flow
    cdef Digest* d
    cdef const uint64_t* key
    cdef FlowRow* row
    cdef uint64_t* slot
    cdef uint32_t i, turned, number
    cdef EndReason reason
    cdef bint beside = f.features_stride or f.connections_stride
    cdef bint endings = f.idle_timeout[0] or f.idle_timeout[1] or f.active_timeout or f.connections_stride or \
        f.ends_tcp
    # A pass of its own prefetches the rows, so that the cache misses of all packets overlap.
    for i in range(n):
        d = &digests[i]
        if not in_a_flow(d.disposition):
            slots[i] = NULL
            continue
        slot = slots[i] = find_tag(f, f.index + home(f, d.tag), d.tag)
        if slot[0]:
            row = row_of(f, slot[0])
            prefetch(row)
            prefetch(<char*>row + 64)
            if beside:
                expect_beside(f, <uint32_t>slot[0] - 1, d.protocol)
    for i in range(n):
        d = &digests[i]
        key = words + <uint64_t>i * key_words
        slot = slots[i]
        if slot == NULL:
            continue
        # find_tag() may have found another row with this tag, or a slot that an earlier packet of the batch has filled.
        if slot[0] and not is_slot_of(f, slot[0], key, key_words, d.tag):
            slot = find_slot(f, f.index + home(f, d.tag), key, key_words, d.tag)
        row = NULL
        number = <uint32_t>slot[0]
        reason = <EndReason>0
        if number:
            row = row_at(f, number - 1)
            if endings:
                if f.connections_stride:
                    number = connection_of(f, number, row, d)
                    row = row_at(f, number - 1)
                reason = ended(f, number - 1, row, d)
                if reason:
                    row.end_reason = reason
                    row = NULL
        if row == NULL:
            if is_full(f):
                return i
            turned = first_direction(f, key, key_words, d, row_at(f, number - 1) if reason == ACTIVE_TIMEOUT else NULL)
            row = add_row(f, slot, key, key_words, d.tag, turned, d.time)
            if rarely(is_icmp(d.protocol)) and d.icmp:
                rare_of(f, row).icmp = d.icmp
            if beside:
                begin_beside(f, f.n - 1, row, d, number, reason)
            if f.unseen != NULL:
                take_unseen(f, row, key, d.tag)
            number = <uint32_t>slot[0]
        count_packet(f, row, d)
        d.row = number
        if beside:
            note_beside(f, d.row - 1, row, d)
            d.mark = f.mark
        if d.quote:
            join_error(f, d, key)
    return n

cdef inline uint32_t count_near_bound(Flows* f, Digest* digests, const uint64_t* words,
                                      uint32_t n) noexcept nogil:
    """Count up to BATCH digests one by one, so that the bound on memory is reached at the same record in any batch."""
    cdef uint32_t i
    for i in range(n):
        if is_past(f) or count_words(f, digests + i, words + <uint64_t>i * f.plan.shape.n, 1, f.plan.shape.n) == 0:
            return i
    return n

cdef inline uint32_t count_digests(Flows* f, Digest* digests, const uint64_t* words, uint32_t n) noexcept nogil:
    if is_near(f, n):
        return count_near_bound(f, digests, words, n)
    # The same code twice: with a constant, the compiler unrolls the loops over the words of the default key.
    if f.plan.shape.n == FIVE_TUPLE_WORDS:
        return count_words(f, digests, words, n, FIVE_TUPLE_WORDS)
    return count_words(f, digests, words, n, f.plan.shape.n)

cdef inline void close_rows(Flows* f) noexcept nogil:
    """The table was full before the input ended: open rows end for that reason, not with the capture."""
    cdef uint64_t i
    for i in range(f.n):
        if row_at(f, i).end_reason == FORCED_END and not has_closed(f, row_at(f, i)):
            row_at(f, i).end_reason = LACK_OF_RESOURCES
