# The records of several inputs in the order of time; of equal times in the order of the inputs, then of the records.
#
# Within an input a record may be earlier than others before it, by the window at most. One that is earlier than that is
# late: it goes where it stands, behind the record before it, and so does one without a time. No record that is still to
# come goes before the bound of its input. So the first of the waiting records goes as soon as no bound is before it;
# else one record is read of the input with the least bound. Nothing depends on the pieces that the inputs come in.

from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from fluxcap.base.memory cimport prefetch
from fluxcap.base.times cimport NO_TIME, is_earlier
from fluxcap.base.types cimport FRACTION_OVER_SECOND, Packet
from fluxcap.capture.capture cimport next_record
from fluxcap.capture.merged cimport MERGED_INTERFACE, MERGED_RECORD, MergedHeader
from fluxcap.capture.reader cimport BROKEN, Interface, MAX_CAPTURED, MORE, MORE_INTERFACES, Reader, Step
from fluxcap.order.heap cimport Heap, Place, drop_first, push, reserve_place, sink
from fluxcap.order.pool cimport Pool, free_pool, is_full, keep_room, leave
from fluxcap.order.runs cimport Runs, Waiting, append_to_run, reserve_run, run_for, take_first

cdef enum MergeStop:
    MERGE_ON                    # nothing stops it
    MERGE_MADE                  # as many bytes as were asked for
    MERGE_WANTS_INPUT           # of the input `at`
    MERGE_WANTS_INTERFACES      # ... room in its table of interfaces
    MERGE_INPUT_ENDED           # the input `at` is read to its end, or to its damage
    MERGE_DONE
    MERGE_NO_MEMORY

cdef enum:
    MERGED_AT_ONCE = 131072     # bytes of the stream that are made together: they stay in L2 until they are read
    # A record and the description of its interface may go past that.
    MERGED_ROOM = MERGED_AT_ONCE + MAX_CAPTURED + sizeof(Interface) + 2 * sizeof(MergedHeader)

cdef struct MergeInput:
    Reader* reader
    Runs runs
    int64_t latest              # time of its records so far
    int64_t bound               # key that one of its records still to come has at least
    int64_t key                 # of its last record
    uint32_t* interfaces        # 1 + number of each in the stream, 0 = not there yet
    uint32_t interfaces_room
    uint64_t captured           # bytes
    uint64_t wire
    uint64_t over_second        # records, see FRACTION_OVER_SECOND

cdef struct Merge:
    MergeInput* inputs
    uint32_t n
    int64_t window              # ns
    Heap heads                  # the first record of each run of each input
    Heap bounds                 # of the inputs that are not read to their ends
    Pool pool
    uint32_t n_interfaces       # of the stream
    uint32_t at                 # the input that the last stop is about
    uint32_t late_input         # the first late record,
    uint64_t late_number        # ... 0 = none
    uint64_t early              # bounds that were raised because the pool was full

cdef inline bint may_go(const Merge* m) noexcept nogil:
    """Is no record still to come before the first of those that wait?"""
    cdef const Place* first = m.heads.places
    cdef const Place* bound = m.bounds.places
    if m.heads.n == 0:
        return False
    return m.bounds.n == 0 or first.key < bound.key or first.key == bound.key and first.input <= bound.input

cdef inline void raise_bound(Merge* m, MergeInput* input, int64_t bound) noexcept nogil:
    """Of the input that has the least one."""
    if bound > input.bound:
        input.bound = m.bounds.places[0].key = bound
        sink(&m.bounds)

cdef inline void put_in_order(Merge* m, MergeInput* input, Waiting* record) noexcept nogil:
    """Find the key of a record that was read, and move the bound of its input."""
    cdef int64_t time = record.header.time
    record.key = time
    record.late = is_earlier(time, input.bound)
    if record.late or time == NO_TIME:
        record.key = max(input.key, input.bound)
    input.key = record.key
    if time > input.latest:
        input.latest = time
        if time >= INT64_MIN + m.window:
            raise_bound(m, input, time - m.window)

cdef inline void wait_in_run(Merge* m, uint32_t at, Waiting* record) noexcept nogil:
    cdef MergeInput* input = &m.inputs[at]
    cdef Place place
    place.run = run_for(&input.runs, record.key)
    if append_to_run(&input.runs, place.run, record):
        place.key = record.key
        place.number = record.header.number
        place.input = at
        push(&m.heads, &place)

cdef inline bint reserve_interfaces(MergeInput* input) noexcept nogil:
    cdef uint32_t wanted = input.reader.interfaces_room
    cdef void* grown
    if input.interfaces_room >= wanted:
        return True
    grown = realloc(input.interfaces, wanted * sizeof(uint32_t))
    if grown == NULL:
        return False
    input.interfaces = <uint32_t*>grown
    memset(input.interfaces + input.interfaces_room, 0, (wanted - input.interfaces_room) * sizeof(uint32_t))
    input.interfaces_room = wanted
    return True

cdef inline Waiting* copy_record(Pool* pool, const Packet* p, uint64_t number) noexcept nogil:
    """Keep a record out of the window that it lies in; NULL when memory is out."""
    cdef Waiting* record = <Waiting*>keep_room(pool, sizeof(Waiting) + p.captured)
    if record != NULL:
        record.slab = pool.current
        record.header.time = p.time
        record.header.number = number
        record.header.offset = p.offset
        record.header.wire = p.wire
        record.header.interface = p.interface
        record.header.direction = p.direction
        record.header.offload_flags = p.offload_flags
        record.header.kind = MERGED_RECORD
        record.header.length = p.captured
        memcpy(<uint8_t*>record + sizeof(Waiting), p.data, p.captured)
    return record

cdef inline MergeStop read_record(Merge* m) noexcept nogil:
    """Read one record of the input with the least bound."""
    cdef uint32_t at = m.bounds.places[0].input
    cdef MergeInput* input = &m.inputs[at]
    cdef Reader* r = input.reader
    cdef Packet p
    cdef uint64_t over_second = r.anomalies[FRACTION_OVER_SECOND]
    cdef Step step
    cdef Waiting* record
    m.at = at
    if not (reserve_run(&input.runs) and reserve_place(&m.heads) and reserve_interfaces(input)):
        return MERGE_NO_MEMORY
    step = next_record(r, &p)
    if step == MORE_INTERFACES:
        return MERGE_WANTS_INTERFACES
    if step == MORE and not r.ended:
        return MERGE_WANTS_INPUT
    if step == MORE or step == BROKEN:
        drop_first(&m.bounds)
        return MERGE_INPUT_ENDED
    r.number += 1
    r.counts[p.interface].packets += 1
    input.captured += p.captured
    input.wire += p.wire
    input.over_second += r.anomalies[FRACTION_OVER_SECOND] - over_second
    record = copy_record(&m.pool, &p, r.number)
    if record == NULL:
        return MERGE_NO_MEMORY
    put_in_order(m, input, record)
    wait_in_run(m, at, record)
    return MERGE_ON

cdef inline size_t describe_interface(Merge* m, uint32_t at, uint32_t number, uint8_t* out) noexcept nogil:
    """Write what an interface of an input is, before its first record. How many bytes these are."""
    cdef MergeInput* input = &m.inputs[at]
    cdef MergedHeader header
    cdef Interface interface = input.reader.interfaces[number]
    interface.file = at
    interface.number = number
    interface.program = 0
    memset(&header, 0, sizeof(MergedHeader))
    header.kind = MERGED_INTERFACE
    header.length = sizeof(Interface)
    memcpy(out, &header, sizeof(MergedHeader))
    memcpy(out + sizeof(MergedHeader), &interface, sizeof(Interface))
    m.n_interfaces += 1
    input.interfaces[number] = m.n_interfaces
    return sizeof(MergedHeader) + sizeof(Interface)

cdef inline size_t let_first_go(Merge* m, uint8_t* out) noexcept nogil:
    """Write the first of the waiting records. How many bytes these are."""
    cdef Place* place = &m.heads.places[0]
    cdef MergeInput* input = &m.inputs[place.input]
    cdef Waiting* record = input.runs.runs[place.run].first
    cdef Waiting* next = take_first(&input.runs, place.run)
    cdef uint32_t interface = record.header.interface
    cdef size_t made = 0, size = sizeof(MergedHeader) + record.header.length
    if input.interfaces[interface] == 0:
        made = describe_interface(m, place.input, interface, out)
    record.header.interface = input.interfaces[interface] - 1
    if record.late and m.late_number == 0:
        m.late_input = place.input
        m.late_number = record.header.number
    memcpy(out + made, &record.header, sizeof(MergedHeader))
    memcpy(out + made + sizeof(MergedHeader), <uint8_t*>record + sizeof(Waiting), record.header.length)
    leave(&m.pool, record.slab)
    if next == NULL:
        drop_first(&m.heads)
    else:
        prefetch(next.next)
        place.key = next.key
        place.number = next.header.number
        sink(&m.heads)
    return made + size

cdef inline void give_up_waiting(Merge* m) noexcept nogil:
    """The pool is full: no input may have a record before the first of those that wait any more."""
    cdef int64_t key = m.heads.places[0].key
    while m.bounds.places[0].key < key:
        raise_bound(m, &m.inputs[m.bounds.places[0].input], key)
    m.early += 1

cdef inline MergeStop merge_records(Merge* m, uint8_t* out, size_t* made) noexcept nogil:
    """Write records in order, MERGED_AT_ONCE bytes or a record more, as far as the windows of the inputs have them."""
    cdef MergeStop stop = MERGE_ON
    cdef bint goes
    made[0] = 0
    while stop == MERGE_ON:
        goes = may_go(m)
        if not goes and m.bounds.n == 0:
            return MERGE_DONE
        if not goes and is_full(&m.pool):
            give_up_waiting(m)
            goes = True
        if not goes:
            stop = read_record(m)
        elif made[0] < MERGED_AT_ONCE:
            made[0] += let_first_go(m, out + made[0])
        else:
            stop = MERGE_MADE
    return stop

cdef inline bint add_input(Merge* m, Reader* reader) noexcept nogil:
    """The next input, of which nothing is read yet; False when memory is out."""
    cdef MergeInput* input
    cdef Place place
    cdef void* grown = realloc(m.inputs, (m.n + 1) * sizeof(MergeInput))
    if grown == NULL:
        return False
    m.inputs = <MergeInput*>grown
    if not reserve_place(&m.bounds):
        return False
    input = &m.inputs[m.n]
    memset(input, 0, sizeof(MergeInput))
    input.reader = reader
    input.latest = input.bound = input.key = INT64_MIN
    place.key = INT64_MIN
    place.number = 0
    place.input = m.n
    place.run = 0
    push(&m.bounds, &place)
    m.n += 1
    return True

cdef inline void stop_reading(Merge* m) noexcept nogil:
    """Read no more of any input; what waits is all that is still to come."""
    m.bounds.n = 0

cdef inline void free_merge(Merge* m) noexcept nogil:
    cdef uint32_t i
    for i in range(m.n):
        free(m.inputs[i].runs.runs)
        free(m.inputs[i].interfaces)
    free(m.inputs)
    free(m.heads.places)
    free(m.bounds.places)
    free_pool(&m.pool)
