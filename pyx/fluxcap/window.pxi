# How octets get into the core: Python puts them where space() says, and the core empties that from the front.

def copy_octets(uint8_t[::1] to, const uint8_t[::1] octets):
    cdef size_t n = min(to.shape[0], octets.shape[0])
    if n:
        with nogil:
            memcpy(&to[0], &octets[0], n)
    return n


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

    cdef int open_space(self) except -1:
        if self.reader.end - self.reader.start >= MAX_WINDOW:
            raise RuntimeError("the window is full: run() has to come before more input")
        if not make_space(&self.reader):
            raise MemoryError
        return 0

    def space(self):
        cdef Reader* r = &self.reader
        self.open_space()
        return PyMemoryView_FromMemory(<char*>r.buffer + r.end, r.capacity - r.end, PyBUF_WRITE)

    cdef int fill(self, int file) except -1:
        cdef int error
        self.open_space()
        with nogil:
            error = fill(&self.reader, file)
        if error:
            raise OSError(error, os.strerror(error))
        return 0

    def advance(self, size_t n):
        if n > self.reader.capacity - self.reader.end:
            raise ValueError("more octets than space() had")
        self.reader.end += n

    def finish(self):
        self.reader.ended = True

    @property
    def octets(self):
        return octets_come(&self.reader)

    @property
    def damage(self):
        if self.reader.damage.code == DAMAGE_NONE:
            return None
        return self.reader.damage
