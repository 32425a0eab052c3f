# Columns: each field of an array of structs becomes an array of its own. Packets and flow rows use the same code.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.memory cimport (
    Spare, block_expect, block_free, block_octets, block_resize, block_zeroed, pages_take)
from fluxcap.base.types cimport BATCH, Batch, Packet, is_left_out

cdef enum:
    MAX_COLUMNS = 64            # a bit each in `zero`; a table has about forty columns
    FIRST_COLUMN_ROWS = BATCH * 4   # rows that columns begin with room for
    IP_VERDICT_SHIFT = 16       # verdict masks: transport verdicts in the lower half, IPv4 header verdicts in the upper

cdef struct Columns:
    uint32_t n_columns
    uint32_t offset[MAX_COLUMNS]    # of the field in its struct
    uint32_t size[MAX_COLUMNS]      # bytes
    uint8_t* data[MAX_COLUMNS]
    uint64_t held[MAX_COLUMNS]      # bytes of memory there
    uint8_t* used[MAX_COLUMNS]      # end of the memory that was used before; what lies behind it is zero
    uint64_t n                      # rows
    uint64_t room
    uint64_t left_out               # rows that there was no room for within a bound on memory: the last ones
    uint32_t verdicts               # which rows are wanted
    uint64_t zero                   # bit i: column i is zero in all rows that are appended next
    uint64_t beside                 # bit i: column i is of structs that lie beside the packets, in the same order

cdef inline bint resize_column(Columns* c, uint32_t i, uint64_t octets) noexcept nogil:
    cdef void* resized = block_resize(c.data[i], c.held[i], octets)
    if resized == NULL:
        return False
    c.data[i] = <uint8_t*>resized
    c.held[i] = octets
    return True

cdef inline uint64_t room_for(uint64_t room, uint64_t rows) noexcept nogil:
    """The room that columns with so much room have once they hold so many rows."""
    while room < rows:
        room = room * 2 if room else FIRST_COLUMN_ROWS
    return room

cdef inline bint reserve_columns(Columns* c, uint64_t more) noexcept nogil:
    cdef uint64_t wanted = room_for(c.room, c.n + more)
    cdef uint32_t i
    if wanted == c.room:
        return True
    for i in range(c.n_columns):
        if not resize_column(c, i, wanted * c.size[i]):
            return False
    c.room = wanted
    return True

cdef inline bint reserve_all(Columns* c, uint64_t rows) noexcept nogil:
    """Have room for all rows that ever come."""
    cdef uint32_t i
    if not reserve_columns(c, rows):
        return False
    for i in range(c.n_columns):
        block_expect(c.data[i], c.held[i], rows * c.size[i])
    return True

cdef inline uint64_t octets_of(const Columns* c, uint64_t rows) noexcept nogil:
    """The memory that so many rows take, whatever the batches that they come in."""
    cdef uint64_t room = room_for(0, rows), octets = 0
    cdef uint32_t i
    for i in range(c.n_columns):
        octets += block_octets(room * c.size[i], rows * c.size[i])
    return octets

cdef inline uint32_t rows_within(const Columns* c, uint32_t more, uint64_t octets) noexcept nogil:
    """How many of the next rows there is room for, where all rows together take so many bytes at most. None after one
    was left out."""
    if c.left_out:
        return 0
    while more and octets_of(c, c.n + more) > octets:
        more -= 1
    return more

cdef inline void free_columns(Columns* c) noexcept nogil:
    cdef uint32_t i
    for i in range(c.n_columns):
        block_free(c.data[i], c.held[i])
        c.data[i] = NULL
        c.held[i] = 0
        c.used[i] = NULL
    c.n = 0
    c.room = 0

cdef inline bint is_there(const Columns* c, uint32_t i) noexcept nogil:
    """Do the next rows of this column read as zero without being written? Pages that nothing touches cost nothing."""
    return c.zero >> i & 1 and block_zeroed(c.held[i]) and c.data[i] + c.n * c.size[i] >= c.used[i]

cdef inline void lay_pieces(Columns* c, Spare* spare, uint64_t n) noexcept nogil:
    """Move spare pieces under the memory that the next n rows are the first to touch, as far as there are pieces."""
    cdef uint64_t at, end
    cdef uint32_t i
    cdef void* used
    for i in range(c.n_columns):
        if block_zeroed(c.held[i]) and not is_there(c, i):
            at = c.n * c.size[i]
            end = at + n * c.size[i]
            while at < end:
                used = pages_take(spare, c.data[i], c.held[i], at, end)
                if used == NULL:
                    break
                c.used[i] = <uint8_t*>used
                at = c.used[i] - c.data[i]

cdef inline void copy_sized(uint8_t* to, uint64_t to_stride, const uint8_t* base, uint64_t stride, const uint32_t* rows,
                            uint32_t n, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        memcpy(to + i * to_stride, base + (rows[i] if rows != NULL else i) * stride, size)

# A constant size makes each copy one move, and a constant stride a constant step: hence both ways have the sizes.

cdef inline void copy_fields(uint8_t* to, const uint8_t* base, uint64_t stride, const uint32_t* rows, uint32_t n,
                             uint32_t size) noexcept nogil:
    """One field of the chosen structs, or of the first n if rows is NULL, one after the other."""
    if size == 1:
        copy_sized(to, 1, base, stride, rows, n, 1)
    elif size == 2:
        copy_sized(to, 2, base, stride, rows, n, 2)
    elif size == 4:
        copy_sized(to, 4, base, stride, rows, n, 4)
    elif size == 8:
        copy_sized(to, 8, base, stride, rows, n, 8)
    elif size == 16:
        copy_sized(to, 16, base, stride, rows, n, 16)
    else:
        copy_sized(to, size, base, stride, rows, n, size)

cdef inline void append_column(Columns* c, uint32_t i, const void* structs, uint64_t stride, const uint32_t* rows,
                               uint32_t n) noexcept nogil:
    copy_fields(c.data[i] + c.n * c.size[i], <const uint8_t*>structs + c.offset[i], stride, rows, n, c.size[i])

cdef inline void append_rows(Columns* c, const void* structs, uint64_t stride, const uint32_t* rows,
                             uint32_t n) noexcept nogil:
    """Append all columns of the chosen structs, or of the first n if rows is NULL; room for the rows was reserved."""
    cdef uint32_t i
    for i in range(c.n_columns):
        append_column(c, i, structs, stride, rows, n)
    c.n += n

cdef inline void append_both(Columns* c, const Batch* batch, const void* beside, uint64_t stride, const uint32_t* rows,
                             uint32_t n) noexcept nogil:
    """The same of packets, and of the structs beside them."""
    cdef uint32_t i
    for i in range(c.n_columns):
        if c.beside >> i & 1:
            append_column(c, i, beside, stride, rows, n)
        else:
            append_column(c, i, batch.packets, sizeof(Packet), rows, n)
    c.n += n

cdef inline void put_column(const Columns* c, uint32_t i, const uint8_t* base, uint64_t stride,
                            uint32_t n) noexcept nogil:
    """Write the next n rows of one column, from fields that lie a stride apart; the caller counts the rows."""
    cdef uint8_t* to = c.data[i] + c.n * c.size[i]
    if not c.zero >> i & 1:
        copy_fields(to, base, stride, NULL, n, c.size[i])
    elif not is_there(c, i):
        memset(to, 0, <uint64_t>n * c.size[i])

cdef inline void take_column(const Columns* c, uint32_t i, uint64_t first, uint32_t n, void* structs,
                             uint64_t stride) noexcept nogil:
    """The way back of append_column(): write n rows of one column, from `first` on, into the field of structs that lie
    a stride apart."""
    cdef uint8_t* to = <uint8_t*>structs + c.offset[i]
    cdef const uint8_t* base = c.data[i] + first * c.size[i]
    if c.size[i] == 1:
        copy_sized(to, stride, base, 1, NULL, n, 1)
    elif c.size[i] == 2:
        copy_sized(to, stride, base, 2, NULL, n, 2)
    elif c.size[i] == 8:
        copy_sized(to, stride, base, 8, NULL, n, 8)
    elif c.size[i] == 16:
        copy_sized(to, stride, base, 16, NULL, n, 16)
    else:
        copy_sized(to, stride, base, c.size[i], NULL, n, c.size[i])

cdef inline bint is_wanted(const Columns* c, const Packet* p) noexcept nogil:
    """Is a row to be made of this packet?"""
    cdef uint32_t verdicts = <uint32_t>1 << p.verdict | <uint32_t>1 << (p.ip_verdict + IP_VERDICT_SHIFT)
    return (verdicts & c.verdicts != 0) & (not is_left_out(p.disposition))

cdef inline bint collect_batch(Columns* c, const Batch* batch, const void* beside, uint64_t stride,
                               uint64_t octets) noexcept nogil:
    """Append a row for each packet that is wanted, while the columns take so many bytes at most (0: any number). False
    when memory is out. `beside`: a struct for each packet, a stride apart; NULL if no column is of these."""
    cdef uint32_t rows[BATCH]
    cdef uint32_t i, n = 0, wanted
    for i in range(batch.n):
        rows[n] = i
        n += is_wanted(c, &batch.packets[i])
    if octets:
        wanted = n
        n = rows_within(c, wanted, octets)
        c.left_out += wanted - n
    if n == 0:
        return True
    if not reserve_columns(c, n):
        return False
    append_both(c, batch, beside, stride, rows, n)
    return True
