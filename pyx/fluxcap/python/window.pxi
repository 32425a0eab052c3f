# How bytes get into the core: Python writes them into space(), and the core reads them from the front.
# One thread at a time: a method holds the claim of its object while it runs, because the core releases the lock of the
# interpreter in the middle of its work.

from cpython.buffer cimport PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

import os

from fluxcap.base.times cimport NO_TIME as NO_TIME_VALUE
from fluxcap.base.types cimport ANOMALIES_END
from fluxcap.capture.passing cimport Goal, Passed, pass_records
from fluxcap.capture.reader cimport (
    DAMAGE_NONE, Damage, FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_SNOOP, FORMAT_UNKNOWN, Interface, InterfaceCounts, MORE,
    MORE_INTERFACES, Reader, Resync, SKIPPED, Step, available)
from fluxcap.capture.resync cimport begin_resync, free_resync, open_resync
from fluxcap.capture.window cimport MAX_WINDOW, WINDOW, fill, make_space, octets_come
from fluxcap.threads.claim cimport claim, release_claim

cdef enum:
    # Bytes that are copied from lent ones at a time, until a record that began before them is whole. Most records fit.
    BRIDGE = 4096
    NO_NUMBER = -1              # as uint64_t: behind every record and every offset


cdef class Claim:
    """A lock that does not wait: a second thread gets a RuntimeError, and changes nothing."""
    cdef int held

    def __enter__(self):
        if not claim(&self.held):
            raise RuntimeError("in use by another thread")

    def __exit__(self, *raised):
        release_claim(&self.held)


cdef class Window:
    cdef Claim claim
    cdef Reader reader
    cdef const uint8_t[::1] lent    # lent bytes that are the window, without a copy
    cdef uint8_t* own               # the memory of the window while bytes are lent, else NULL
    cdef size_t own_capacity        # the size of that memory
    cdef uint64_t told              # strays that strays() has given
    cdef bint writes                # a subclass changes bytes in the window

    def __cinit__(self):
        self.claim = Claim()
        self.reader.buffer = <uint8_t*>malloc(WINDOW)
        self.reader.capacity = WINDOW
        if self.reader.buffer == NULL:
            raise MemoryError
        self.grow_interfaces()

    cdef int read_past_damage(self, bint wanted) except -1:
        """Have the reading go on behind damage, where that is wanted."""
        if wanted:
            self.reader.resync = open_resync()
            if self.reader.resync == NULL:
                raise MemoryError
        return 0

    def __dealloc__(self):
        free_resync(self.reader.resync)
        free(self.reader.buffer if self.own == NULL else self.own)
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
        r.start = r.end
        self.take_back()
        r.start = r.end = 0
        r.base = 0
        r.ended = False
        r.format = FORMAT_UNKNOWN
        r.swapped = False
        r.number = 0
        r.sections = 0
        r.section_interfaces = 0
        r.joined = 0
        r.n_interfaces = 0
        memset(&r.damage, 0, sizeof(Damage))
        memset(r.interfaces, 0, sizeof(Interface))
        memset(r.counts, 0, sizeof(InterfaceCounts))
        if r.resync != NULL:
            begin_resync(r.resync)
            self.told = 0

    def lend(self, const uint8_t[::1] octets, size_t at):
        cdef Reader* r = &self.reader
        cdef size_t n, left
        with self.claim:
            left = r.end - r.start
            self.take_back()
            if at < left or self.writes:
                self.open_space()
                n = r.capacity - r.end if self.writes else min(<size_t>BRIDGE, r.capacity - r.end)
                n = min(<size_t>octets.shape[0] - at, n)
                memcpy(r.buffer + r.end, &octets[at], n)
                r.end += n
                return at + n
            # Bytes left in the window, if any, are those before `at`, so the reader goes on in the lent bytes.
            self.lent = octets
            self.own, self.own_capacity = r.buffer, r.capacity
            r.base += r.start
            r.start = at - left
            r.base -= r.start
            r.buffer = <uint8_t*>&octets[0]
            r.capacity = r.end = octets.shape[0]
            return r.end

    cdef int take_back(self) except -1:
        """Give back lent bytes, and copy those not read yet."""
        cdef Reader* r = &self.reader
        cdef size_t left = r.end - r.start
        cdef void* grown
        if self.own == NULL:
            return 0
        if left > self.own_capacity:
            grown = realloc(self.own, left)
            if grown == NULL:
                raise MemoryError
            self.own, self.own_capacity = <uint8_t*>grown, left
        with nogil:             # the thread that decompresses the next bytes can go on
            memcpy(self.own, r.buffer + r.start, left)
        r.buffer, r.capacity = self.own, self.own_capacity
        r.base += r.start
        r.start, r.end = 0, left
        self.own = NULL
        self.lent = None
        return 0

    cdef int open_space(self) except -1:
        self.take_back()
        if self.reader.end - self.reader.start >= MAX_WINDOW:
            raise RuntimeError("the window is full: call run() before adding more input")
        if not make_space(&self.reader):
            raise MemoryError
        return 0

    def space(self):
        cdef Reader* r = &self.reader
        with self.claim:
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

    cdef Step pass_on_to(self, const Goal* goal, Passed* passed) except *:
        """Move towards a record. What is odd about those before it is counted nowhere, and neither are they."""
        cdef uint64_t uncounted[ANOMALIES_END]
        cdef uint64_t* counted = self.reader.anomalies
        cdef Step step = MORE_INTERFACES
        memset(uncounted, 0, sizeof(uncounted))
        self.reader.anomalies = uncounted
        try:
            while step == MORE_INTERFACES:
                with nogil:
                    step = pass_records(&self.reader, goal, passed)
                if step == MORE_INTERFACES:
                    self.grow_interfaces()
        finally:
            self.reader.anomalies = counted
        return step

    def pass_to(self, number=None, time=None):
        cdef Goal goal
        cdef Passed passed
        cdef Step step = SKIPPED
        goal.number, goal.offset = <uint64_t>NO_NUMBER if number is None else number, <uint64_t>NO_NUMBER
        goal.timed, goal.time = time is not None, 0 if time is None else time
        passed.newest = NO_TIME_VALUE
        with self.claim:
            while step == SKIPPED:
                step = self.pass_on_to(&goal, &passed)
            return None if step == MORE and not self.reader.ended else self.reader.number

    def go_on(self, uint64_t offset, uint64_t number):
        cdef Reader* r = &self.reader
        with self.claim:
            if available(r):
                raise ValueError("bytes before that offset are left")
            self.take_back()
            r.start = r.end = 0
            r.base, r.number = offset, number

    def advance(self, size_t n):
        with self.claim:
            if n > self.reader.capacity - self.reader.end:
                raise ValueError("more bytes than space() had")
            self.reader.end += n

    cdef dict describe(self):
        """What the headers of the current input have said so far."""
        cdef Reader* r = &self.reader
        return {
            "name": {FORMAT_PCAP: "pcap", FORMAT_PCAPNG: "pcapng", FORMAT_SNOOP: "snoop"}.get(r.format, ""),
            "variant": pcap_variant(r) if r.format == FORMAT_PCAP else "",
            "byte_order": byte_order_name(r.swapped),
            "sections": r.sections,
            "interfaces": [interface_row(r, i) for i in range(r.n_interfaces)],
        }

    def finish(self):
        with self.claim:
            self.reader.ended = True

    @property
    def octets(self):
        with self.claim:
            return octets_come(&self.reader)

    @property
    def reached(self):
        """As octets, for another thread to look at while this one reads."""
        return octets_come(&self.reader)

    def strays(self):
        """Those passed since the last call: offset, whole records before it, size."""
        cdef Resync* s = self.reader.resync
        cdef uint64_t i
        with self.claim:
            if s == NULL:
                return []
            passed = [(s.strays[i].offset, s.strays[i].packet, s.strays[i].size) for i in range(self.told, s.n_strays)]
            self.told = s.n_strays
            return passed

    @property
    def joined(self):
        """Captures behind the first one of this input, records before the first of them, and its offset."""
        with self.claim:
            return self.reader.joined, self.reader.joined_packet, self.reader.joined_offset

    @property
    def damage(self):
        with self.claim:
            if self.reader.damage.code == DAMAGE_NONE:
                return None
            return self.reader.damage
