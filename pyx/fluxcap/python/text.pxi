# Turning columns into rows of text.

from array import array

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from fluxcap.text.digits cimport SLACK
from fluxcap.text.floats cimport HIGHEST_POWER, LOWEST_POWER, Power
from fluxcap.text.rows cimport (
    CELL_ADDRESS, CELL_DURATION, CELL_FLOAT, CELL_INT16, CELL_INT32, CELL_INT64, CELL_INT8, CELL_INTEGERS,
    CELL_JSON_ADDRESS, CELL_JSON_DURATION, CELL_JSON_FLOAT, CELL_JSON_INTEGERS, CELL_JSON_NAME, CELL_JSON_TIME,
    CELL_LETTERS, CELL_MAC, CELL_NAME, CELL_OCTETS, CELL_TEXT, CELL_TIME, CELL_UINT16, CELL_UINT32, CELL_UINT64,
    CELL_UINT8, Cells, Kind, Literal, NAME_WIDTH, Name, put_rows, widest)

cdef enum:
    PIECE = 131072      # most bytes of the rows of one step; at most half are used, which stay in L2 until written


cdef class TextRows:
    cdef Cells* columns
    cdef uint32_t n_columns
    cdef Literal behind
    cdef uint64_t n             # rows
    cdef uint64_t row           # the next row
    cdef uint64_t row_width     # most bytes of a row, without CELL_TEXT cells
    cdef list held              # the buffers that the pointers point into

    def __cinit__(self, columns, literals, there=()):
        cdef uint32_t i
        if len(literals) != len(columns) + 1:
            wanted = len(columns) + 1
            raise ValueError(f"{len(columns)} columns have {wanted} literals around them, not {len(literals)}")
        self.held = []
        self.columns = <Cells*>calloc(len(columns) or 1, sizeof(Cells))
        if self.columns == NULL:
            raise MemoryError
        self.n_columns = len(columns)
        self.n = len(columns[0][1]) if columns else 0
        for i, (kind, values) in enumerate(columns):
            if <uint64_t>len(values) != self.n:
                raise ValueError(f"the columns have {self.n} and {len(values)} rows")
            if self.n:
                self.plan(&self.columns[i], kind, values)
            self.plan_literal(&self.columns[i].before, literals[i])
            self.row_width += widest(&self.columns[i])
        self.plan_literal(&self.behind, literals[len(columns)])
        for i, witness in dict(there).items():
            if i >= self.n_columns or <uint64_t>len(witness) != self.n:
                raise ValueError(f"{len(witness)} rows are there or not, of {self.n}")
            if self.n:
                self.columns[i].there = self.hold(memoryview(witness).cast("B"))

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.n_columns):
            free(self.columns[i].ends)
            free(self.columns[i].names)
        free(self.columns)

    def __iter__(self):
        return self

    def __next__(self):
        cdef uint64_t first = self.row
        cdef uint64_t end = min(self.n, first + max(<uint64_t>PIECE // (self.row_width or 1), <uint64_t>1))
        cdef uint64_t room = (end - first) * self.row_width + SLACK
        cdef uint64_t* ends
        cdef uint8_t* to
        cdef uint8_t* stopped
        cdef uint32_t i
        if first == self.n:
            raise StopIteration
        for i in range(self.n_columns):
            ends = self.columns[i].ends
            if ends != NULL:
                room += ends[end - 1] - (ends[first - 1] if first else 0)
        to = <uint8_t*>malloc(room)
        if to == NULL:
            raise MemoryError
        self.row = end
        try:
            with nogil:
                stopped = put_rows(to, self.columns, self.n_columns, &self.behind, first, end)
            return (<const char*>to)[:stopped - to]
        finally:
            free(to)

    cdef int plan_literal(self, Literal* literal, bytes text) except -1:
        self.held.append(text)
        literal.text = <const uint8_t*>text
        literal.length = len(text)
        self.row_width += len(text)
        return 0

    cdef int plan(self, Cells* c, kind, values) except -1:
        if kind == "text":
            return self.plan_texts(c, values)
        view = memoryview(values)
        c.size = view.nbytes // self.n
        if kind == "integer":
            c.kind = expect(integer_kind(view), view.ndim == 1, view)
        elif kind == "integers" or kind == "json integers":
            several = view.ndim == 2 and view.shape[1] > 0
            c.kind = expect(CELL_JSON_INTEGERS if kind == "json integers" else CELL_INTEGERS, several, view)
            c.item = integer_kind(view)
            c.n_items = view.shape[1]
        elif kind == "float" or kind == "json float":
            c.kind = expect(CELL_JSON_FLOAT if kind == "json float" else CELL_FLOAT, view.format == "d", view)
            c.powers = <const Power*>self.hold(powers_of_ten())
        elif kind == "address":
            c.kind = expect(CELL_ADDRESS, c.size == 16, view)
        elif kind == "json address":
            c.kind = expect(CELL_JSON_ADDRESS, c.size == 16, view)
        elif kind == "mac":
            c.kind = expect(CELL_MAC, c.size == 6, view)
        elif kind == "octets":
            c.kind = expect(CELL_OCTETS, view.format == "B", view)
        elif kind == "letters" or kind == "name":
            c.kind = expect(CELL_LETTERS, view.format == f"{c.size}s", view)
        elif kind == "json name":
            c.kind = expect(CELL_JSON_NAME, view.format == f"{c.size}s", view)
        elif kind == "time":
            c.kind = expect(CELL_TIME, is_int64(view), view)
        elif kind == "json time":
            c.kind = expect(CELL_JSON_TIME, is_int64(view), view)
        elif kind == "duration":
            c.kind = expect(CELL_DURATION, is_int64(view), view)
        elif kind == "json duration":
            c.kind = expect(CELL_JSON_DURATION, is_int64(view), view)
        else:
            c.kind = expect(CELL_NAME, c.size == 1, view)
            self.plan_names(c, kind)
        self.plan_values(c, view.cast("B") if view.c_contiguous else view.tobytes())
        return 0

    cdef int plan_values(self, Cells* c, const uint8_t[::1] octets) except -1:
        c.values = self.hold(octets)
        return 0

    cdef const uint8_t* hold(self, const uint8_t[::1] octets):
        self.held.append(octets)
        return &octets[0] if octets.shape[0] else <const uint8_t*>b""

    cdef int plan_names(self, Cells* c, names) except -1:
        cdef bytes text
        cdef uint32_t i
        c.names = <Name*>calloc(len(names), sizeof(Name))
        if c.names == NULL:
            raise MemoryError
        c.n_names = len(names)
        for i, name in enumerate(names):
            text = name.encode()
            if len(text) > NAME_WIDTH:
                raise ValueError(f"a name has at most {NAME_WIDTH} bytes, unlike {name}")
            memcpy(c.names[i].text, <const char*>text, len(text))
            c.names[i].length = <uint8_t>len(text)
        return 0

    cdef int plan_texts(self, Cells* c, texts) except -1:
        cdef uint64_t at = 0
        cdef uint64_t row
        c.kind = CELL_TEXT
        c.ends = <uint64_t*>malloc(self.n * sizeof(uint64_t))
        if c.ends == NULL:
            raise MemoryError
        for row, text in enumerate(texts):
            at += len(text)
            c.ends[row] = at
        return self.plan_values(c, b"".join(texts))


cdef Kind expect(Kind kind, bint fits, view) except *:
    if not fits:
        raise TypeError(f"a column of {view.format} and {view.shape} has no such text")
    return kind


cdef Kind integer_kind(view) except *:
    """The kind of each integer of a view."""
    kind = {"B": CELL_UINT8, "H": CELL_UINT16, "I": CELL_UINT32, "L": CELL_UINT64, "Q": CELL_UINT64, "b": CELL_INT8,
            "h": CELL_INT16, "i": CELL_INT32, "l": CELL_INT64, "q": CELL_INT64}.get(view.format)
    return expect(kind or CELL_UINT8, kind is not None, view)


cdef bint is_int64(view):
    return view.ndim == 1 and view.format in ("l", "q")


cdef bytes POWERS_OF_TEN = b""      # made when the first column of floats is written, which takes a millisecond


cdef bytes powers_of_ten():
    """An array of Power, from LOWEST_POWER to HIGHEST_POWER."""
    global POWERS_OF_TEN
    if not POWERS_OF_TEN:
        halves = [half for k in range(LOWEST_POWER, HIGHEST_POWER + 1) for half in divmod(leading_bits(k), 1 << 64)]
        halves[::2], halves[1::2] = halves[1::2], halves[::2]   # the lower half is the first of a Power
        POWERS_OF_TEN = array("Q", halves).tobytes()
    return POWERS_OF_TEN


def leading_bits(k):
    """The smallest integer of 128 bits that is not under 10**k times a power of two."""
    power = 10 ** abs(k)
    if k < 0:
        return -((-1 << power.bit_length() + 127) // power)
    surplus = power.bit_length() - 128
    return power << -surplus if surplus < 0 else -(-power >> surplus)
