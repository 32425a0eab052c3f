# How octets get into the core: Python puts them where space() says, and the core empties that from the front.

cdef enum:
    # One read() into this much beats mapping the file: no page faults, and the copy stays in L2 (1 MiB and up today).
    WINDOW = 262144
    # A record or block that does not fit doubles the window, up to one block and the start of the next.
    MAX_WINDOW = 2 * MAX_BLOCK


cdef class Window:
    cdef Reader reader

    def __cinit__(self):
        self.reader.buffer = <uint8_t*>malloc(WINDOW)
        self.reader.capacity = WINDOW
        if self.reader.buffer == NULL:
            raise MemoryError
        self.grow_interfaces()

    def __dealloc__(self):
        free(self.reader.buffer)
        free(self.reader.interfaces)
        free(self.reader.counts)

    cdef int grow_interfaces(self) except -1:
        cdef uint32_t wanted = self.reader.interfaces_room * 2 or 4
        interfaces = <Interface*>realloc(self.reader.interfaces, wanted * sizeof(Interface))
        if interfaces == NULL:
            raise MemoryError
        self.reader.interfaces = interfaces
        counts = <InterfaceCounts*>realloc(self.reader.counts, wanted * sizeof(InterfaceCounts))
        if counts == NULL:
            raise MemoryError
        self.reader.counts = counts
        self.reader.interfaces_room = wanted
        return 0

    cdef void begin_input(self) noexcept:
        cdef Reader* r = &self.reader
        r.start = r.end = 0
        r.base = 0
        r.ended = False
        r.format = FORMAT_UNKNOWN
        r.swapped = False
        r.number = 0
        r.sections = 0
        r.section_interfaces = 0
        r.n_interfaces = 0
        memset(&r.damage, 0, sizeof(Damage))
        memset(r.interfaces, 0, sizeof(Interface))
        memset(r.counts, 0, sizeof(InterfaceCounts))

    def space(self):
        cdef Reader* r = &self.reader
        cdef void* grown
        if r.start:
            memmove(r.buffer, r.buffer + r.start, r.end - r.start)
            r.base += r.start
            r.end -= r.start
            r.start = 0
        if r.end == r.capacity:
            if r.capacity >= MAX_WINDOW:
                raise RuntimeError("the window is full: run() has to come before more input")
            grown = realloc(r.buffer, r.capacity * 2)
            if grown == NULL:
                raise MemoryError
            r.buffer = <uint8_t*>grown
            r.capacity *= 2
        return PyMemoryView_FromMemory(<char*>r.buffer + r.end, r.capacity - r.end, PyBUF_WRITE)

    def advance(self, size_t n):
        if n > self.reader.capacity - self.reader.end:
            raise ValueError("more octets than space() had")
        self.reader.end += n

    def finish(self):
        self.reader.ended = True

    @property
    def damage(self):
        if self.reader.damage.code == DAMAGE_NONE:
            return None
        return self.reader.damage
