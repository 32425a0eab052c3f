# Columns on their way to Python: each becomes an object that owns its memory.

cdef class Column:
    cdef readonly str name
    cdef readonly str dtype
    cdef readonly int width
    cdef uint8_t* data
    cdef uint64_t n
    cdef uint64_t octets
    cdef uint64_t held          # octets of the block that data is; no less

    def __dealloc__(self):
        block_free(self.data, self.held)

    def __len__(self):
        return self.n

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.data if self.octets else <void*>b"", self.octets, 1, flags)


cdef dict hand_over(Columns* c, tuple fields):
    """The collected columns as objects that own their memory; the collector starts anew."""
    cdef dict made = {}
    cdef Column column
    cdef uint32_t i
    for i in range(c.n_columns):
        column = Column.__new__(Column)
        column.name, _, _, column.dtype, column.width = fields[i]
        column.n = c.n
        column.octets = c.n * c.size[i]
        # Doubling left up to half of it unused; giving it back fails only where it changes nothing.
        resize_column(c, i, block_least(c.held[i], column.octets))
        column.data, column.held = c.data[i], c.held[i]
        c.data[i] = NULL
        c.held[i] = 0
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
