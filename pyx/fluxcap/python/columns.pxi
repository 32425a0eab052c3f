# Columns for Python: each column becomes an object that owns its memory.

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fluxcap.base.columns cimport Columns, free_columns, reserve_all, resize_column
from fluxcap.base.memory cimport block_free, block_least
from fluxcap.flows.table cimport Flows
from fluxcap.tables.adding cimport MERGED, MERGE_GOES_BACK, Merged, NO_MEMORY_TO_MERGE, add_columns
from fluxcap.tables.arranging cimport ARRANGED, Arranged, NO_MEMORY_TO_ARRANGE, NO_ORDER, arrange
from fluxcap.tables.export cimport FlowColumns, close_export, open_export, ranges_of
from fluxcap.tables.shards cimport rows_in
from fluxcap.threads.crew cimport Crew
from fluxcap.threads.ranges cimport Ranges, export_ranges

# Formats of the struct module by the typestr of numpy, without the byte order, which is that of this machine. Letters
# ("S") have a length besides.
cdef dict FORMATS = {"u1": b"B", "i1": b"b", "u2": b"H", "i2": b"h", "u4": b"I", "u8": b"Q", "i8": b"q", "f8": b"d"}

cdef class Column:
    cdef readonly str name
    cdef readonly str dtype
    cdef readonly int width
    cdef uint8_t* data
    cdef uint64_t n
    cdef uint64_t octets
    cdef uint64_t held          # bytes of the block at `data`, at least `octets`
    cdef bytes format           # format of an item
    cdef Py_ssize_t[2] shape    # n, then width; only n if a value is one item
    cdef Py_ssize_t[2] strides

    cdef void describe(self, tuple field, uint64_t n, uint32_t size):
        """Describe n values of `size` bytes each, as `field` says."""
        self.name, _, _, self.dtype, self.width = field
        self.n = n
        self.octets = n * size
        self.format = b"%ds" % size if self.dtype[1] == "S" else FORMATS[self.dtype[1:]]
        self.shape[0], self.shape[1] = n, self.width
        self.strides[0], self.strides[1] = size, size // self.width

    def __dealloc__(self):
        block_free(self.data, self.held)

    def __len__(self):
        return self.n

    def __getbuffer__(self, Py_buffer* view, int flags):
        # A consumer that does not ask for a shape gets bytes.
        PyBuffer_FillInfo(view, self, self.data if self.octets else <void*>b"", self.octets, 1, flags)
        view.itemsize = self.strides[1]
        if flags & PyBUF_FORMAT:
            view.format = self.format
        if flags & PyBUF_ND:
            view.ndim = 1 if self.width == 1 else 2
            view.shape = self.shape
        if flags & PyBUF_STRIDES == PyBUF_STRIDES:
            view.strides = self.strides


cdef dict hand_over(Columns* c, tuple fields):
    """The collected columns as objects that own their memory. `c` is empty afterwards."""
    cdef dict made = {}
    cdef Column column
    cdef uint32_t i
    for i in range(c.n_columns):
        column = Column.__new__(Column)
        column.describe(fields[i], c.n, c.size[i])
        # Up to half of the room is unused, because room doubles. If giving it back fails, the column stays as it is.
        resize_column(c, i, block_least(c.held[i], column.octets))
        column.data, column.held = c.data[i], c.held[i]
        c.data[i] = NULL
        c.held[i] = 0
        c.used[i] = NULL
        made[column.name] = column
    c.n = 0
    c.room = 0
    return made


cdef int plan_columns(Columns* c, tuple fields) except -1:
    cdef uint32_t i
    c.n_columns = len(fields)
    for i in range(c.n_columns):
        _, c.offset[i], c.size[i], _, _ = fields[i]
    return 0


cdef list borrow_columns(Columns* c, tuple fields, dict columns, uint64_t n):
    """Let `c` read n rows of these columns where they lie, as long as the list that is returned is kept."""
    cdef list held = []
    cdef const uint8_t[::1] view
    cdef uint32_t i
    memset(c, 0, sizeof(Columns))
    plan_columns(c, fields)
    for i in range(c.n_columns):
        values = memoryview(columns[fields[i][0]])
        if values.nbytes != n * c.size[i]:
            raise ValueError(f"{fields[i][0]} has {values.nbytes} bytes, not {n} times {c.size[i]}")
        if n:
            view = values.cast("B")
            held.append(view)
            c.data[i] = <uint8_t*>&view[0]
    return held


cdef void arrange_rows(Flows* f, int64_t[::1] order, bint last) except *:
    """Put the rows of a table in this order before they are read for the last time."""
    cdef Arranged arranged
    if not last or f.n_shards or f.features_stride or f.connections_stride:
        raise ValueError("rows are put in order in one table, without features and connections, the last time only")
    if <uint64_t>order.shape[0] != f.n:
        raise IndexError(f"{order.shape[0]} numbers of rows are given, of {f.n}")
    with nogil:
        arranged = arrange(f, &order[0]) if f.n else ARRANGED
    if arranged == NO_ORDER:
        raise IndexError("each row is to be there once")
    if arranged == NO_MEMORY_TO_ARRANGE:
        raise MemoryError


cdef void add_rows(Flows* f, tuple fields, dict columns, uint64_t n, const uint64_t[::1] numbers) except *:
    """Merge rows with columns of these fields into a table."""
    cdef Columns c
    cdef Merged merged
    cdef const uint64_t* begun = &numbers[0] if numbers is not None and n else NULL
    cdef list held          # keeps the buffers alive, and their pointers valid, until the last row is read
    if f.n_shards:
        raise ValueError("rows are added to one table only, not to shards")
    if numbers is not None and <uint64_t>numbers.shape[0] != n:
        raise IndexError(f"{numbers.shape[0]} numbers are given, of {n} rows")
    if n and f.n and (f.numbers == NULL) != (begun == NULL):
        raise ValueError("all rows have numbers, or none")
    held = borrow_columns(&c, fields, columns, n)
    with nogil:
        merged = add_columns(f, &c, begun, n)
    if merged == MERGE_GOES_BACK:
        raise ValueError("a row began before the row that it continues, and in the other direction")
    if merged == NO_MEMORY_TO_MERGE:
        raise MemoryError("no room for more rows")
    if merged != MERGED:
        raise MemoryError(f"more than {f.max_rows} flows")


cdef bytes numbers_of(const Flows* f):
    """The number of the record that each row began with."""
    if f.numbers_room < f.n:
        raise ValueError("the rows have no numbers")
    return (<const char*>f.numbers)[:f.n * sizeof(uint64_t)] if f.n else b""


cdef dict read_rows(Flows* f, tuple fields, int64_t newest, bint last, Crew* crew=NULL):
    """The columns of a flow table, see fill_range(). `fields`: of rows, features, activity, first packets. `crew`: a
    settled one, whose threads share the work."""
    cdef Ranges* all = <Ranges*>calloc(1, sizeof(Ranges))
    cdef FlowColumns* columns
    cdef uint64_t rows = rows_in(f)
    plain, features, activity, firsts = fields
    try:
        if all == NULL:
            raise MemoryError
        columns = &all.of.columns
        plan_columns(&columns.plain, plain)
        plan_columns(&columns.features, features)
        plan_columns(&columns.activity, activity)
        plan_columns(&columns.firsts, firsts)
        all.of.ranges = ranges_of(rows)
        all.of.ends = <uint64_t*>calloc(<uint64_t>all.of.ranges * max(f.n_shards, 1), sizeof(uint64_t))
        all.of.read = <uint8_t*>calloc(all.of.ranges, 1)
        if all.of.ends == NULL or all.of.read == NULL or not (
                reserve_all(&columns.plain, rows) and reserve_all(&columns.features, rows) and
                reserve_all(&columns.activity, rows) and reserve_all(&columns.firsts, rows)):
            raise MemoryError
        with nogil:
            open_export(&all.of, f, newest, last)
            export_ranges(crew, all)
            close_export(&all.of, rows)
        if all.of.failed:
            raise MemoryError
        return {**hand_over(&columns.plain, plain), **hand_over(&columns.features, features),
                **hand_over(&columns.activity, activity), **hand_over(&columns.firsts, firsts)}
    finally:
        if all != NULL:
            free(all.of.ends)
            free(all.of.read)
            free_columns(&all.of.columns.plain)
            free_columns(&all.of.columns.features)
            free_columns(&all.of.columns.activity)
            free_columns(&all.of.columns.firsts)
        free(all)
