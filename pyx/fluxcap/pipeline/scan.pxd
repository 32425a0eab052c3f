# The whole data path: a batch goes through all stages, one after the other.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.columns cimport Columns, collect_batch, octets_of
from fluxcap.base.types cimport (
    ANOMALIES_END, BATCH, Batch, COPIES_FORGOTTEN, Decoder, Digest, FILTERED, FRAGMENTS, KEY_WORDS, Kept,
    Packet)
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.reader cimport BROKEN, FORMAT_MERGED, InterfaceCounts, MORE, MORE_INTERFACES, RECORD, Reader, Step
from fluxcap.checksums.verify cimport SumKernel, verify_batch
from fluxcap.flows.count cimport close_rows, count_digests, prefetch_slots
from fluxcap.flows.features cimport note_names, note_payloads
from fluxcap.flows.key cimport FIVE_TUPLE_WORDS, KeyPlan, is_five_tuple
from fluxcap.flows.table cimport Flows, octets_for, reserve
from fluxcap.fragments.holding cimport Holding, copy_held, gather, held_count, needs_holding, open_holding, release
from fluxcap.layers.decode cimport decode_packets
from fluxcap.pipeline.beside cimport Beside, keep_batch, let_out, told_with
from fluxcap.pipeline.copies cimport Copies, mark_copies
from fluxcap.pipeline.digest cimport digest_batch, digest_scattered
from fluxcap.pipeline.filter cimport Filters, filter_batch
from fluxcap.pipeline.inside cimport filter_inside, look_inside
from fluxcap.pipeline.lane cimport take_lane
from fluxcap.pipeline.ledger cimport Sums, Totals, tally_digests, tally_sums
from fluxcap.pipeline.origins cimport decode_merged
from fluxcap.pipeline.quotation cimport quote_batch
from fluxcap.tables.shards cimport count_in_order

cdef enum Outcome:
    OUTCOME_WANTS_INPUT
    OUTCOME_ROWS_FULL
    OUTCOME_FLOWS_FULL
    OUTCOME_DAMAGED
    OUTCOME_NO_MEMORY
    OUTCOME_WANTS_PROGRAM       # filter_batch() lacks a program

cdef enum Tapped:
    TAPPED
    TAPPED_FULL                 # the consumer has to be emptied before it takes more
    TAPPED_NO_MEMORY

cdef enum Digested:
    DIGESTED
    NOT_DIGESTED                # the batch is for the walk
    NO_MEMORY_TO_DIGEST

# A consumer that is called with each examined batch while the bytes of its packets are in the window.
ctypedef Tapped (*Tap)(void* to, const Batch* batch) noexcept nogil

cdef struct Pipeline:
    Filters filters
    bint filtered               # there is a filter on the outermost headers
    SumKernel kernel
    Decoder decoder
    uint32_t file
    uint64_t earlier            # records of the inputs before this one
    Batch* batch
    Holding holding
    Flows flows
    bint counts_flows
    Totals* totals
    Columns columns
    uint64_t row_limit
    uint64_t max_octets         # bytes of memory for the columns, and the flows beside them; 0 = no bound
    bint apart                  # fragments are in no flow, and only they have rows: see count_apart()
    bint lane                   # the lane may take packets: the key is the default or none, nothing needs their Packet
    Copies* copies              # NULL: copies are not looked for
    Beside* beside              # NULL: nothing is kept of packets until they are counted
    Tap tap                     # NULL: no consumer
    void* tapped

cdef inline bint may_take_lane(const Pipeline* p) noexcept nogil:
    """Does the lane give all that is asked for? Nothing may need a Packet: no column but of fragments, no filter on the
    innermost IP packet, no look for copies or at bytes; who taps the pipeline closes the lane."""
    return (not p.counts_flows or is_five_tuple(&p.flows.plan)) and (p.columns.n_columns == 0 or p.apart) and \
        (p.filtered or p.filters.inside.n == 0) and p.copies == NULL and p.beside == NULL

cdef inline bint admit_batch(Pipeline* p, const Reader* r, Batch* batch) noexcept nogil:
    """Run the filter on the outermost headers. False: a filter program is missing."""
    if p.filtered:
        if not filter_batch(&p.filters, r, batch):
            return False
        if p.filters.inside.n:
            look_inside(&p.filters.inside, batch, &p.decoder, r.anomalies)
    return True

cdef inline Digested digest_by_lane(Pipeline* p, const Reader* r, Batch* batch, uint32_t refused, Digest* digests,
                                    uint64_t* words) noexcept nogil:
    """Fill the digests of an admitted batch by the lane, and by the walk for what the lane leaves. With a packet that
    has one of the Special bits `refused`, or where the lane takes none, the batch is as it was."""
    cdef uint64_t anomalies[ANOMALIES_END]
    cdef uint32_t places[BATCH]
    cdef Batch rest
    cdef const KeyPlan* plan = &p.flows.plan if p.counts_flows else NULL
    cdef int i
    take_lane(plan, p.decoder.ports, p.kernel, batch, digests, words, &rest, places)
    if rest.n == 0:
        return DIGESTED
    if rest.n == batch.n:
        return NOT_DIGESTED
    memset(anomalies, 0, sizeof(anomalies))
    if r.format == FORMAT_MERGED:
        rest.special = decode_merged(&p.decoder, r, &rest, anomalies)
    else:
        rest.special = p.decoder.decode(rest.packets, rest.n, p.decoder.ports, p.decoder.max_depth, p.file, anomalies)
    if rest.special & refused:
        return NOT_DIGESTED
    verify_batch(&rest, p.kernel)
    if p.counts_flows and not quote_batch(&p.flows, &rest, &p.decoder):
        return NO_MEMORY_TO_DIGEST
    for i in range(ANOMALIES_END):
        r.anomalies[i] += anomalies[i]
    digest_scattered(plan, &rest, places, digests, words)
    return DIGESTED

cdef inline void examine_batch(Pipeline* p, const Reader* r, Batch* batch) noexcept nogil:
    """Decode and verify an admitted batch. With admit_batch(), the stages that do not depend on earlier packets."""
    if r.format == FORMAT_MERGED:
        batch.special = decode_merged(&p.decoder, r, batch, r.anomalies)
    else:
        batch.special = decode_packets(
            batch.packets, batch.n, p.decoder.ports, p.decoder.max_depth, p.file, r.anomalies)
    if p.filters.inside.n and not p.filtered:
        filter_inside(&p.filters.inside, batch)
    verify_batch(batch, p.kernel)

cdef inline Outcome count_digests_and_ledger(Pipeline* p, InterfaceCounts* interfaces, Digest* digests,
                                             const uint64_t* words, uint32_t* n, const Sums* sums) noexcept nogil:
    """Count up to BATCH digests in flows and ledger. Where the flow table becomes full, n is set to the number
    counted. `sums`: what sum_digests() gave of them, or NULL."""
    cdef uint32_t whole = n[0]
    if p.flows.n_shards:
        if not count_in_order(&p.flows, digests, words, whole, p.totals.packets):
            return OUTCOME_NO_MEMORY
    elif p.counts_flows:
        if not reserve(&p.flows, BATCH):
            return OUTCOME_NO_MEMORY
        n[0] = count_digests(&p.flows, digests, words, whole)
    if sums != NULL and n[0] == whole:
        tally_sums(p.totals, interfaces, digests, NULL, whole, sums)
    else:
        tally_digests(p.totals, interfaces, digests, n[0])
    if n[0] < whole:
        close_rows(&p.flows)
        return OUTCOME_FLOWS_FULL
    return OUTCOME_WANTS_INPUT

cdef inline bint collect_rows(Pipeline* p, const Batch* batch, const Kept* kept) noexcept nogil:
    """Append rows to the columns, with what was kept of each packet. One bound is for them and for the flows: each has
    what the other leaves. False when memory is out."""
    cdef uint64_t left = p.max_octets
    if left and p.counts_flows:
        left -= min(octets_for(&p.flows, p.flows.n), left - 1)
    if not collect_batch(&p.columns, batch, kept, p.beside.stride if p.beside != NULL else 0, left):
        return False
    if left and p.counts_flows:
        p.flows.max_octets = p.max_octets - min(octets_of(&p.columns, p.columns.n), p.max_octets - 1)
    return True

cdef inline Outcome count_batch(Pipeline* p, const Reader* r, Batch* batch) noexcept nogil:
    """Count a decoded and judged batch in flows and ledger, and append its rows to the columns."""
    cdef Digest digests[BATCH]
    cdef uint64_t words[BATCH * KEY_WORDS]
    cdef Kept* kept = let_out(p.beside, batch.n) if p.beside != NULL else NULL
    cdef Outcome outcome
    cdef uint32_t i
    digest_batch(&p.flows.plan, batch, p.totals.before, digests, words)
    if p.counts_flows and not p.flows.n_shards:
        prefetch_slots(&p.flows, digests, batch.n)
    outcome = count_digests_and_ledger(p, r.counts, digests, words, &batch.n, NULL)
    if outcome == OUTCOME_NO_MEMORY:
        return outcome
    if p.flows.payload_most:
        note_payloads(&p.flows, digests, batch.n, kept, p.beside.stride)
    if p.beside != NULL and p.beside.named_at:
        note_names(&p.flows, digests, batch.n, told_with(p.beside, kept), p.beside.stride)
    if p.columns.n_columns:
        for i in range(batch.n):
            batch.packets[i].flow = <int64_t>digests[i].row - 1
            if p.flows.connections_stride and digests[i].row:
                batch.packets[i].mark = digests[i].mark
            if batch.packets[i].quote:
                batch.packets[i].quoted_flow = p.flows.quoted[batch.packets[i].quote - 1].row
        if not collect_rows(p, batch, kept):
            return OUTCOME_NO_MEMORY
    return outcome

cdef inline bint is_apart(const Packet* packet) noexcept nogil:
    """Does what is known of this packet depend on fragments before it, or that of others on this one?"""
    return packet.fragmented or packet.fragmented_around != 0

cdef inline Outcome count_apart(Pipeline* p, const Reader* r, Batch* batch) noexcept nogil:
    """Count a batch with fragments where a capture is read in parts, and fragments of other parts may be of the same
    datagrams. The ledger has the fragments as they are by themselves, no flow has them, and each gets a row: `flow` is
    the number of flows that there were before it, which tells where in the order of flows its own one belongs."""
    cdef Digest digests[BATCH]
    cdef uint64_t words[BATCH * KEY_WORDS]
    cdef uint64_t flows = p.flows.n
    cdef uint32_t i, n = 0
    if not reserve(&p.flows, BATCH):
        return OUTCOME_NO_MEMORY
    digest_batch(&p.flows.plan, batch, p.totals.before, digests, words)
    tally_digests(p.totals, r.counts, digests, batch.n)
    for i in range(batch.n):
        if is_apart(&batch.packets[i]):
            digests[i].disposition = FILTERED
    if count_digests(&p.flows, digests, words, batch.n) < batch.n:
        return OUTCOME_NO_MEMORY
    for i in range(batch.n):
        flows = max(flows, <uint64_t>digests[i].row)
        if is_apart(&batch.packets[i]):
            batch.packets[n] = batch.packets[i]
            batch.packets[n].flow = <int64_t>flows
            n += 1
    batch.n = n
    return OUTCOME_WANTS_INPUT if collect_rows(p, batch, NULL) else OUTCOME_NO_MEMORY

cdef inline Digested count_by_lane(Pipeline* p, const Reader* r, Batch* batch, Outcome* outcome) noexcept nogil:
    """Count an admitted batch by the lane, unless it is for the walk."""
    cdef Digest digests[BATCH]
    cdef uint64_t words[BATCH * FIVE_TUPLE_WORDS]
    cdef Digested digested = digest_by_lane(p, r, batch, FRAGMENTS, digests, words)
    if digested == DIGESTED:
        if p.counts_flows:
            prefetch_slots(&p.flows, digests, batch.n)
        outcome[0] = count_digests_and_ledger(p, r.counts, digests, words, &batch.n, NULL)
    return digested

cdef inline Outcome count_held(Pipeline* p, const Reader* r) noexcept nogil:
    """Count the packets that are held back, as they are now, and go on holding them: for tables that are copies."""
    cdef Batch batch
    cdef Outcome outcome = OUTCOME_WANTS_INPUT
    cdef uint64_t at = p.holding.head, first = p.beside.first if p.beside != NULL else 0
    while at < p.holding.tail and outcome == OUTCOME_WANTS_INPUT:
        at = copy_held(&p.holding, at, &batch)
        outcome = count_batch(p, r, &batch)
    if p.beside != NULL:
        p.beside.first = first
    return outcome

cdef inline Outcome scan(Pipeline* p, Reader* r) noexcept nogil:
    """Take the records in the window through all stages: capture, filter, decode, checksum, quotations, fragments,
    tables."""
    cdef Batch* batch = p.batch
    cdef Step step = RECORD
    cdef Outcome outcome
    cdef uint32_t limit = BATCH
    cdef Tapped tapped = TAPPED
    cdef Digested digested
    while True:
        if p.row_limit and p.columns.n + BATCH > p.row_limit:
            limit = <uint32_t>(p.row_limit - p.columns.n)
            if limit == 0:
                return OUTCOME_ROWS_FULL
        if held_count(&p.holding):
            release(&p.holding, batch, limit, step == BROKEN or step == MORE and r.ended, r.anomalies)
        else:
            batch.n = 0
        if batch.n == 0:
            if step == BROKEN:
                return OUTCOME_DAMAGED
            if step == MORE or step == MORE_INTERFACES:
                return OUTCOME_WANTS_INPUT
            if p.filters.waiting:
                batch.n = p.filters.waiting
                p.filters.waiting = 0
            else:
                step = fill_batch(r, batch, limit)
            if not admit_batch(p, r, batch):
                return OUTCOME_WANTS_PROGRAM
            if p.lane and batch.n and held_count(&p.holding) == 0:
                digested = count_by_lane(p, r, batch, &outcome)
                if digested == NO_MEMORY_TO_DIGEST:
                    return OUTCOME_NO_MEMORY
                if digested == DIGESTED:
                    if outcome != OUTCOME_WANTS_INPUT:
                        return outcome
                    continue
            examine_batch(p, r, batch)
            if p.beside != NULL and not keep_batch(p.beside, batch):
                return OUTCOME_NO_MEMORY
            if p.copies != NULL:
                mark_copies(p.copies, batch, &r.anomalies[COPIES_FORGOTTEN])
            if p.tap != NULL:
                tapped = p.tap(p.tapped, batch)
                if tapped == TAPPED_NO_MEMORY:
                    return OUTCOME_NO_MEMORY
            if p.counts_flows and not quote_batch(&p.flows, batch, &p.decoder):
                return OUTCOME_NO_MEMORY
            if needs_holding(&p.holding, batch) and not p.apart:
                if not open_holding(&p.holding):
                    return OUTCOME_NO_MEMORY
                gather(&p.holding, batch, r.anomalies)
        outcome = count_apart(p, r, batch) if p.apart else count_batch(p, r, batch)
        if outcome != OUTCOME_WANTS_INPUT:
            return outcome
        if tapped == TAPPED_FULL:
            return OUTCOME_ROWS_FULL
