# The flow table: dense rows in first-seen order behind an index of (tag, row) slots.
#
# A slot has 64 bits: the tag, which is 32 bits of the hash, in the upper half, and the row number plus one in the lower
# half. The upper bits of the tag are the home of the slot, so growing the index never touches a row. Tables grow
# between batches only.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from fluxcap.base.memory cimport HUGE_FROM, pages_free, pages_grow, pages_new
from fluxcap.base.numbers cimport FIN, IP_TCP, RST
from fluxcap.base.times cimport later_by
from fluxcap.base.types cimport BATCH, Digest, Key, VERDICTS_END
from fluxcap.flows.aside cimport Aside, HoleBlock
from fluxcap.flows.key cimport KeyPlan

cdef enum:
    FIRST_INDEX_BITS = 12
    FIRST_ROWS = 2048
    SLOT_IN_LINE = 7            # low bits of a place in the index: 8 slots a cache line
    MAX_INDEX_BITS = 31         # a tag has 32 bits
    MAX_ROWS = 1 << 30          # half of the largest index; a slot has 32 bits for the row number
    UNSEEN_MAX = 1 << 16        # rows for flows that were quoted and not seen: most of what a network telescope gets
    PORT_WORDS = 65536 // 64
    HISTORY_WIDTH = 28          # letters; a longer history repeats itself

cdef enum EndReason:            # IPFIX flowEndReason, information element 136
    IDLE_TIMEOUT = 1
    ACTIVE_TIMEOUT = 2
    END_OF_FLOW = 3             # its connection ended, or another one of the same five-tuple began
    FORCED_END = 4
    LACK_OF_RESOURCES = 5

# 88 bytes, and the words of the key behind it: 128 for the five-tuple, two cache lines. Nearly all records of a flow
# have one verdict, or that verdict and `good`: the sender leaves every checksum to its network card, computes none, or
# the snap length cuts every packet. So a row counts `good` and the first other verdict. A RareCounts, which a row gets
# when it needs one, counts all further verdicts.
cdef struct FlowRow:
    uint64_t packets[2]         # [0] forward, [1] reverse
    uint64_t octets[2]
    uint64_t payload[2]
    int64_t first               # of the records that have a time; NO_TIME where none has
    int64_t last
    uint64_t good
    uint64_t other              # records of the other verdict
    uint32_t rare               # 1 + index of its RareCounts, 0 = none
    uint8_t tcp_flags[2]
    uint8_t marks
    uint8_t end_reason

# Bit v - 1 of FlowRow.marks: `other` counts verdict v, one of VERDICT_BAD to VERDICT_BAD_LENGTH.
cdef enum:
    MARK_FLIPPED = 1            # the canonical key is the reverse of the forward direction

cdef struct RareCounts:
    uint64_t verdicts[VERDICTS_END]     # except those that the row counts
    uint64_t ip_bad
    uint64_t icmp_errors        # ICMP errors that quote a packet of this flow
    int64_t icmp_last           # time of the last ICMP error, or NO_TIME
    uint64_t unreachable[2]     # ICMP errors "port unreachable", by the canonical direction of the quoted packet
    uint8_t icmp_type           # of the last ICMP error
    uint8_t icmp_code
    uint16_t icmp               # type_unread() of the record that the row began with

# The key of the packet that an ICMP error quotes, and the type and code of the error.
cdef struct Quoted:
    Key key
    uint8_t kind
    uint8_t code
    int64_t row                 # row of the quoted flow when the error was counted, -1 = no packet of it had been seen

# Ports of likely servers, a bit each.
cdef struct ServerPorts:
    uint64_t tcp[PORT_WORDS]
    uint64_t udp[PORT_WORDS]

# Rows of a shard that begin within 65,536 records: tables/beginnings.pxd.
cdef struct Leg:
    uint64_t row                # the first one
    uint64_t number             # ... and that of the record that it begins with

cdef struct Flows

ctypedef uint32_t (*Answers)(const Flows* f, const uint64_t* words, const Digest* d) noexcept nogil
ctypedef uint32_t (*Count)(Flows* f, Digest* digests, const uint64_t* words, uint32_t n) noexcept nogil
ctypedef void (*Follow)(Flows* f, uint64_t i, const FlowRow* row, const Digest* d) noexcept nogil

cdef struct Flows:
    KeyPlan plan
    uint64_t stride             # bytes a row, the key included
    int64_t idle_timeout[2]     # ns, 0 = none; [1] for TCP, [0] for all others
    int64_t active_timeout
    bint ends_tcp               # a SYN after a RST, or after a FIN of both sides, begins another row
    ServerPorts* servers        # NULL: the sender of the first record began the flow
    Answers answers             # a pointer: inline code would cost tables without `servers` too
    uint64_t max_rows
    uint64_t max_octets         # bytes of memory, 0 = no bound
    uint64_t column_octets      # bytes of a row as columns
    uint64_t n_columns          # and the number of these columns
    uint8_t* rows
    uint64_t n
    uint64_t room
    uint64_t* index
    uint32_t bits
    RareCounts* rare
    uint64_t n_rare
    uint64_t rare_room
    Quoted* quoted              # a ring: what ICMP errors quote, until they are counted
    uint64_t n_quoted           # quotations so far
    uint8_t* features           # as many as rows, or NULL: features.pxd
    uint64_t features_stride    # bytes each, 0 = no features
    uint64_t features_room
    uint32_t first_packets      # how many packets are described one by one
    bint describes              # features begin with a FeatureRow; else they are what is kept beside it
    uint32_t activity_at        # bytes from the features of a row to its activity, 0 = none: activity.pxd
    uint32_t payload_at         # the same to its first payload bytes
    uint32_t payload_most       # ... and how many these are at most, 0 = none
    uint32_t name_at            # ... and to the name of its server
    uint8_t* connections        # as many as rows, or NULL: connection.pxd
    uint64_t connections_stride
    uint64_t connections_room
    HoleBlock* blocks           # of sides with many holes
    uint64_t n_blocks
    uint64_t blocks_room
    Aside* asides               # of sides that sent something not believed yet
    uint64_t n_asides
    uint64_t asides_room
    Follow follow               # follow(); a pointer for the same reason as `answers`
    int64_t attempt_timeout     # ns, 0 = none: for a TCP connection without an answer
    int64_t close_timeout       # ns, 0 = none: for a TCP connection that has ended
    bint ignores_checksums      # records with bad checksums take part in their connection
    uint8_t mark                # RESENT to AFTER_ACK, of the record that was followed last
    Flows* unseen               # rows of flows quoted before their first packet: they have ICMP errors only
    uint64_t errors_not_kept    # ICMP errors about unseen flows, when `unseen` was full
    Flows* shards               # they have the rows, or NULL: shards.pxd
    uint32_t n_shards           # a power of two, or 0
    Count count                 # of a shard: count_digests(); a pointer: called by name twice, it is not inlined
    Flows* whole                # of a shard that is being counted: the table it is part of; else NULL
    uint64_t* numbers           # of each row the number of the record that it began with, or NULL: adding.pxd
    uint64_t numbers_room
    Leg* legs                   # of a shard, the same: its rows begin with later and later records
    uint64_t n_legs
    uint64_t legs_room
    uint16_t* steps             # of each row: from the record that its leg begins with
    uint64_t steps_room

cdef inline FlowRow* row_at(const Flows* f, uint64_t i) noexcept nogil:
    return <FlowRow*>(f.rows + i * f.stride)

cdef inline uint32_t is_flipped(const FlowRow* row) noexcept nogil:
    return row.marks & MARK_FLIPPED

cdef inline uint8_t mark_of(uint32_t verdict) noexcept nogil:
    """The bit of FlowRow.marks for a verdict other than good."""
    return <uint8_t>(1 << (verdict - 1))

cdef inline uint64_t* key_of(FlowRow* row) noexcept nogil:
    return <uint64_t*>(row + 1)

cdef inline FlowRow* row_of(const Flows* f, uint64_t slot) noexcept nogil:
    """The row that a filled slot leads to."""
    return row_at(f, <uint32_t>slot - 1)

cdef inline uint64_t home(const Flows* f, uint64_t tag) noexcept nogil:
    return tag >> (32 - f.bits)

cdef inline uint64_t next_place(uint32_t bits, uint64_t at, uint64_t* first) noexcept nogil:
    """The next place to look at in the index: all slots in the cache line of `first`, then the next line. That line is
    prefetched; a search that left it early would often wait for memory."""
    at = at & ~SLOT_IN_LINE | at + 1 & SLOT_IN_LINE
    if at == first[0]:
        first[0] = at + SLOT_IN_LINE + 1 & (<uint64_t>1 << bits) - 1
        return first[0]
    return at

cdef inline bint grow_index(Flows* f) noexcept nogil:
    cdef uint32_t bits = f.bits + 1 if f.bits else FIRST_INDEX_BITS
    cdef uint64_t size = <uint64_t>1 << bits, old = <uint64_t>1 << f.bits if f.bits else 0, i, at, first
    cdef uint64_t* index = <uint64_t*>pages_new(size * 8)
    if index == NULL:
        return False
    for i in range(old):
        if f.index[i]:
            at = first = f.index[i] >> 32 >> (32 - bits)
            while index[at]:
                at = next_place(bits, at, &first)
            index[at] = f.index[i]
    pages_free(f.index, old * 8)
    f.index = index
    f.bits = bits
    return True

cdef inline bint make_room(void** at, uint64_t* room, uint64_t wanted, uint64_t least, uint64_t size) noexcept nogil:
    """Make room for `wanted` items of this size, by doubling; False when memory is out, and nothing has changed."""
    cdef uint64_t larger = room[0] if room[0] else least
    cdef void* grown
    if wanted <= room[0]:
        return True
    while larger < wanted:
        larger *= 2
    grown = pages_grow(at[0], room[0] * size, larger * size)
    if grown == NULL:
        return False
    at[0] = grown
    room[0] = larger
    return True

cdef inline uint64_t index_size(uint64_t rows) noexcept nogil:
    """Slots for so many rows, three quarters full at most. A hit then looks at 2.5 slots, mostly in the cache line of
    the first, and the index takes 11 to 21 bytes a row."""
    cdef uint64_t size = <uint64_t>1 << FIRST_INDEX_BITS
    while rows * 4 > 3 * size:
        size *= 2
    return size

cdef inline uint64_t octets_for(const Flows* f, uint64_t rows) noexcept nogil:
    """The most memory that so many rows take, now or while they become columns; a growing index takes one and a half
    times its size. It does not depend on where batches begin, so that a bound is reached at the same record with any
    number of threads."""
    cdef uint64_t row = f.stride + f.features_stride + f.connections_stride
    cdef uint64_t octets = 12 * index_size(rows) + f.n_rare * sizeof(RareCounts)
    # Room doubles, and most columns have 8 bytes a row: from HUGE_FROM bytes on, columns take over the pages of the
    # rows, and each begins with a huge page. Smaller columns take memory beside the rows.
    if rows * 16 < HUGE_FROM:
        octets += rows * (row + f.column_octets)
    else:
        octets += rows * max(row, f.column_octets) + f.n_columns * HUGE_FROM
    if f.unseen != NULL:
        octets += octets_for(f.unseen, f.unseen.n)
    return octets + f.n_blocks * sizeof(HoleBlock) + f.n_asides * sizeof(Aside)

cdef inline bint is_full(const Flows* f) noexcept nogil:
    """Is there no room for another row?"""
    return f.n == f.max_rows or (f.max_octets and octets_for(f, f.n + 1) > f.max_octets)

cdef inline bint is_past(const Flows* f) noexcept nogil:
    """Have the side tables grown past the bound? They grow for rows that are there already."""
    return f.max_octets != 0 and octets_for(f, f.n) > f.max_octets

cdef inline bint is_near(const Flows* f, uint64_t records) noexcept nogil:
    """May so many records reach the bound? Each may take a new row, and what reserve() has for it."""
    cdef uint64_t beside = 2 * sizeof(RareCounts), more = 0
    if f.max_octets == 0:
        return False
    if f.connections_stride:
        beside += 2 * (sizeof(HoleBlock) + sizeof(Aside))
    if f.unseen != NULL:
        more = octets_for(f.unseen, f.unseen.n + records) - octets_for(f.unseen, f.unseen.n)
    return octets_for(f, f.n + records) + records * beside + more > f.max_octets

cdef inline bint reserve_asides(Flows* f, uint64_t more) noexcept nogil:
    """Room for `more` packets: each may take a block of holes and an Aside for either side."""
    return make_room(<void**>&f.blocks, &f.blocks_room, f.n_blocks + 2 * more, 2 * BATCH, sizeof(HoleBlock)) and \
        make_room(<void**>&f.asides, &f.asides_room, f.n_asides + 2 * more, 2 * BATCH, sizeof(Aside))

cdef inline bint reserve(Flows* f, uint64_t more) noexcept nogil:
    """Room for `more` packets: for each a new row, rare counts for the row, and rare counts for a quoted flow. False
    when memory is out. Call between batches."""
    while f.bits == 0 or index_size(f.n + more) > <uint64_t>1 << f.bits:
        if not grow_index(f):
            return False
    return make_room(<void**>&f.rows, &f.room, f.n + more, FIRST_ROWS, f.stride) and \
        (f.features_stride == 0 or
         make_room(<void**>&f.features, &f.features_room, f.n + more, FIRST_ROWS, f.features_stride)) and \
        (f.connections_stride == 0 or
         make_room(<void**>&f.connections, &f.connections_room, f.n + more, FIRST_ROWS, f.connections_stride)) and \
        (f.connections_stride == 0 or reserve_asides(f, more)) and \
        make_room(<void**>&f.rare, &f.rare_room, f.n_rare + 2 * more, BATCH * 4, sizeof(RareCounts)) and \
        (f.unseen == NULL or reserve(f.unseen, more))

cdef inline bint open_unseen(Flows* f) noexcept nogil:
    """Make the table of flows that were quoted and not seen; False when memory is out."""
    if f.unseen == NULL:
        f.unseen = <Flows*>calloc(1, sizeof(Flows))
        if f.unseen == NULL:
            return False
        f.unseen.plan = f.plan
        f.unseen.stride = f.stride
        f.unseen.max_rows = min(f.max_rows, <uint64_t>UNSEEN_MAX)
    return reserve(f.unseen, BATCH)

cdef inline uint64_t index_octets(const Flows* f) noexcept nogil:
    return <uint64_t>8 << f.bits if f.bits else 0

cdef inline void drop_rows(Flows* f) noexcept nogil:
    """Empty the table and free its memory, except rare counts and side tables."""
    pages_free(f.rows, f.room * f.stride)
    pages_free(f.features, f.features_room * f.features_stride)
    pages_free(f.connections, f.connections_room * f.connections_stride)
    pages_free(f.index, index_octets(f))
    pages_free(f.numbers, f.numbers_room * sizeof(uint64_t))
    pages_free(f.legs, f.legs_room * sizeof(Leg))
    pages_free(f.steps, f.steps_room * sizeof(uint16_t))
    f.rows = f.features = f.connections = NULL
    f.numbers = NULL
    f.legs = NULL
    f.steps = NULL
    f.room = f.features_room = f.connections_room = f.numbers_room = f.legs_room = f.steps_room = f.n_legs = f.n = 0
    f.index = NULL
    f.bits = 0

cdef inline void free_flows(Flows* f) noexcept nogil:
    drop_rows(f)
    pages_free(f.rare, f.rare_room * sizeof(RareCounts))
    pages_free(f.blocks, f.blocks_room * sizeof(HoleBlock))
    pages_free(f.asides, f.asides_room * sizeof(Aside))
    free(f.quoted)
    free(f.servers)
    if f.unseen != NULL:
        free_flows(f.unseen)
        free(f.unseen)

cdef inline bint same_words(const uint64_t* a, const uint64_t* b, uint32_t n) noexcept nogil:
    cdef uint64_t difference = 0
    cdef uint32_t i
    for i in range(n):
        difference |= a[i] ^ b[i]
    return difference == 0

cdef inline bint is_slot_of(const Flows* f, uint64_t slot, const uint64_t* words, uint32_t n,
                            uint64_t tag) noexcept nogil:
    """Does this filled slot lead to the row of these words?"""
    return slot >> 32 == tag and same_words(key_of(row_of(f, slot)), words, n)

cdef inline uint64_t* find_tag(const Flows* f, uint64_t* slot, uint64_t tag) noexcept nogil:
    """The first slot with this tag from `slot` on, or the first empty one. It nearly always leads to the row sought,
    so that this row can be prefetched without reading it."""
    cdef uint64_t first = <uint64_t>(slot - f.index), at = first
    while f.index[at] and f.index[at] >> 32 != tag:
        at = next_place(f.bits, at, &first)
    return f.index + at

cdef inline uint64_t* find_slot(const Flows* f, uint64_t* slot, const uint64_t* words, uint32_t n,
                                uint64_t tag) noexcept nogil:
    """The slot of the row with these words from `slot` on, or the empty slot where the row belongs. reserve() sees to
    it that there are empty slots."""
    cdef uint64_t first = <uint64_t>(slot - f.index), at = first
    while f.index[at] and not is_slot_of(f, f.index[at], words, n, tag):
        at = next_place(f.bits, at, &first)
    return f.index + at

cdef inline Flows* shard_of(const Flows* f, uint64_t tag) noexcept nogil:
    return &f.shards[tag & (f.n_shards - 1)]

cdef inline FlowRow* add_row(Flows* f, uint64_t* slot, const uint64_t* words, uint32_t n, uint64_t tag,
                             uint32_t flip, int64_t time) noexcept nogil:
    """Add a row at the end, and let the slot lead to it. New memory is zeroed already."""
    cdef FlowRow* row = row_at(f, f.n)
    cdef uint32_t i
    for i in range(n):
        key_of(row)[i] = words[i]
    row.first = time
    row.last = time
    row.marks = <uint8_t>flip
    row.end_reason = FORCED_END
    f.n += 1
    slot[0] = tag << 32 | f.n
    return row

cdef inline RareCounts* rare_of(Flows* f, FlowRow* row) noexcept nogil:
    if row.rare == 0:
        f.n_rare += 1
        row.rare = <uint32_t>f.n_rare
    return &f.rare[row.rare - 1]

cdef inline void add_verdicts(Flows* f, FlowRow* row, uint32_t verdict, uint64_t n) noexcept nogil:
    """Count n records of a verdict other than good."""
    if not row.marks & ~MARK_FLIPPED:
        row.marks |= mark_of(verdict)
    if row.marks & mark_of(verdict):
        row.other += n
    else:
        rare_of(f, row).verdicts[verdict] += n

cdef inline EndReason expired(const Flows* f, const FlowRow* row, int64_t first, uint32_t protocol) noexcept nogil:
    """Why a record (or a row to merge) that begins at `first` comes too late for this row; 0 = it does not, nor does
    one without a time."""
    cdef int64_t idle_timeout = f.idle_timeout[protocol == IP_TCP]
    if idle_timeout and later_by(first, row.last) >= <uint64_t>idle_timeout:
        return IDLE_TIMEOUT
    if f.active_timeout and later_by(first, row.first) >= <uint64_t>f.active_timeout:
        return ACTIVE_TIMEOUT
    return <EndReason>0

cdef inline bint has_closed(const Flows* f, const FlowRow* row) noexcept nogil:
    """Did TCP end the flow, in a table where it does: by a RST (RFC 9293 section 3.5.3), or by a FIN of both sides
    (section 3.6)?"""
    return f.ends_tcp and ((row.tcp_flags[0] | row.tcp_flags[1]) & RST or row.tcp_flags[0] & row.tcp_flags[1] & FIN)
