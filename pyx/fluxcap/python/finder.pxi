# Where does a record of a capture begin? For readings that begin in the middle: from any offset of its bytes on, and
# by walking there.

from libc.stdint cimport uint8_t, uint64_t

from fluxcap.base.times cimport NO_TIME as NO_TIME_VALUE
from fluxcap.base.types cimport ANOMALIES_END, Packet
from fluxcap.capture.capture cimport next_step
from fluxcap.capture.chain cimport (
    Found, SEARCH_FOUND, SEARCH_WANTS_MORE, Search, longest, open_framing, search_needs, search_record)
from fluxcap.capture.passing cimport Goal, Passed
from fluxcap.capture.reader cimport (
    FORMAT_PCAP, FORMAT_PCAPNG, Framing, MORE_INTERFACES, RECORD, Reader, SKIPPED, Step, position)


cdef class RecordFinder(Window):
    cdef Framing framing
    cdef uint64_t anomalies[ANOMALIES_END]

    def __cinit__(self, const uint8_t[::1] head):
        cdef Packet p
        cdef Step step = SKIPPED
        self.reader.anomalies = self.anomalies
        self.lend(head, 0)
        while step == SKIPPED or step == MORE_INTERFACES:
            step = next_step(&self.reader, &p)
            if step == MORE_INTERFACES:
                self.grow_interfaces()
        if self.reader.format != FORMAT_PCAP and self.reader.format != FORMAT_PCAPNG:
            raise ValueError("this is not the head of a pcap or pcapng")
        open_framing(&self.reader, &self.framing)
        self.framing.interfaces = 0xFFFFFFFF    # another section may have more than that of the head
        self.read_past_damage(True)

    @property
    def needs(self):
        return search_needs(&self.framing)

    def find(self, const uint8_t[::1] octets, size_t at=0, bint ended=True):
        cdef Found found
        cdef Search search = SEARCH_WANTS_MORE
        cdef size_t n = octets.shape[0]
        with self.claim, nogil:
            while at < n:
                search = search_record(&self.framing, self.reader.resync.seen, &octets[0], n, at, n, ended, &found)
                if search == SEARCH_FOUND or search == SEARCH_WANTS_MORE:
                    break
                at += longest(&self.framing)
        return (found.at, found.at) if search == SEARCH_FOUND else (None, min(at, n))


cdef class Walker(Window):
    cdef uint64_t anomalies[ANOMALIES_END]
    cdef Passed passed
    cdef readonly bytearray headers

    def __cinit__(self):
        self.reader.anomalies = self.anomalies
        self.passed.newest = NO_TIME_VALUE
        self.headers = bytearray()

    def walk(self, uint64_t offset):
        cdef Goal goal
        cdef Step step = SKIPPED
        cdef Reader* r = &self.reader
        goal.number, goal.offset, goal.timed = <uint64_t>NO_NUMBER, offset, False
        with self.claim:
            while step == SKIPPED:
                step = self.pass_on_to(&goal, &self.passed)
                if step == SKIPPED:
                    self.headers += (<const char*>r.buffer)[self.passed.header:r.start]
            return step == RECORD

    @property
    def position(self):
        return position(&self.reader)

    @property
    def packets(self):
        return self.reader.number

    @property
    def newest(self):
        return None if self.passed.newest == NO_TIME_VALUE else self.passed.newest
