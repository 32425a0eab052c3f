# cython: language_level=3, cdivision=True, wraparound=False
"""What a coverage-guided fuzzer runs millions of times: targets without Python, and one that calls a Python function.

The core lies in headers, so a target holds its own copy of what it calls, built with the sanitizers. `address()` gives
harness.c the function of a target.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, free, realloc
from libc.string cimport memcmp, memcpy, memset

import traceback

from fluxcap.base.bytes cimport native64
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.tunnels cimport TunnelPorts
from fluxcap.base.types cimport ANOMALIES_END, BATCH, Batch, Digest, Key, KEY_WORDS, Packet
from fluxcap.capture.capture cimport fill_batch
from fluxcap.capture.reader cimport BROKEN, Damage, Interface, InterfaceCounts, MORE, MORE_INTERFACES, Reader, Resync, Step
from fluxcap.capture.resync cimport begin_resync, open_resync
from fluxcap.checksums.verify cimport KERNELS_MAX, KernelRow, SumJob, SumKernel, fold, list_kernels, verify_batch
from fluxcap.flows.key cimport FIVE_TUPLE_WORDS, KeyPlan, five_tuple, is_five_tuple
from fluxcap.layers.cursor cimport MAX_DEPTH
from fluxcap.layers.decode cimport decode_packets
from fluxcap.layers.udp_tunnel cimport set_registered
from fluxcap.pipeline.digest cimport digest_batch
from fluxcap.pipeline.lane cimport take_lane

cdef enum:
    LARGEST = 1 << 17           # bytes of an input that kernels sum; the fuzzer makes none longer
    SLACK = 64                  # bytes that a kernel may load, and not use, on either side of what it sums
    INTERFACES = 4              # room at first, so that it grows

ctypedef void (*Target)(const uint8_t* octets, size_t size) noexcept nogil

cdef TunnelPorts ports
cdef KeyPlan plan
cdef KernelRow kernels[KERNELS_MAX]
cdef size_t n_kernels = list_kernels(kernels)
cdef SumKernel scalar
cdef uint8_t[LARGEST + 2 * SLACK] aside
# Not on the stack, nor made for each input: AddressSanitizer would mark them anew, which takes longer than the target.
cdef Batch walked, taken, rest, batch
cdef Resync* resync
cdef object reading             # the function of the target in Python

cdef void prepare():
    cdef Packet packet
    cdef Key whole
    cdef size_t i
    global resync, scalar
    memset(&ports, 0, sizeof(ports))
    set_registered(&ports)
    memset(&whole, 0, sizeof(Key))
    memset(&whole.src_ip, 0xFF, sizeof(whole.src_ip))
    memset(&whole.dst_ip, 0xFF, sizeof(whole.dst_ip))
    whole.src_port = whole.dst_port = 0xFFFF
    whole.protocol = 0xFF
    memset(&plan, 0, sizeof(plan))
    plan.shape = five_tuple()
    for i in range(<size_t>FIVE_TUPLE_WORDS):
        plan.mask[i] = (<uint64_t*>&whole)[i]
        plan.word[i] = <uint8_t>i
    for i in range(<size_t>KEY_WORDS + 1):
        plan.seed[i] = <uint64_t>0x9E3779B97F4A7C15 * (i + 1)
    plan.octets_at = <uint32_t>(<char*>&packet.wire - <char*>&packet)
    assert is_five_tuple(&plan)
    for i in range(n_kernels):
        if kernels[i].name == b"scalar":
            scalar = kernels[i].run
    resync = open_resync()
    assert scalar != NULL and resync != NULL

prepare()

cdef void hold(bint holds, const char* what) noexcept nogil:
    """End the process with what does not hold: the fuzzer keeps the input."""
    if not holds:
        fprintf(stderr, "does not hold: %s\n", what)
        abort()

# --- records: the bytes of a capture, all at once and in pieces -------------------------------------------------------

cdef struct Account:            # what a reading says of its records
    uint64_t records
    uint64_t mix                # of all of them, in their order
    uint64_t until              # offset past the last one
    Damage damage
    uint32_t interfaces
    uint64_t strays
    uint64_t anomalies[ANOMALIES_END]

cdef inline void blend(Account* a, uint64_t value) noexcept nogil:
    a.mix = (a.mix ^ value) * <uint64_t>0xFF51AFD7ED558CCD
    a.mix ^= a.mix >> 32

cdef void enter(Account* a, const Batch* batch) noexcept nogil:
    cdef const Packet* p
    cdef uint32_t i, at
    for i in range(batch.n):
        p = &batch.packets[i]
        a.records += 1
        hold(p.number == a.records, "records are numbered in their order")
        hold(p.offset >= a.until, "records lie one behind the other")
        a.until = p.offset + p.captured
        blend(a, p.offset)
        blend(a, <uint64_t>p.time)
        blend(a, <uint64_t>p.captured << 32 | p.wire)
        blend(a, <uint64_t>p.interface << 32 | <uint64_t>p.link_type << 16 | p.direction << 8 | p.offload_flags)
        for at in range(p.captured):        # every byte is read: a record that runs past the input is seen
            a.mix += p.data[at]

cdef bint grow_interfaces(Reader* r) noexcept nogil:
    cdef uint32_t room = r.interfaces_room * 2 or <uint32_t>INTERFACES
    cdef void* interfaces = realloc(r.interfaces, room * sizeof(Interface))
    cdef void* counts = realloc(r.counts, room * sizeof(InterfaceCounts)) if interfaces != NULL else NULL
    if interfaces != NULL:
        r.interfaces = <Interface*>interfaces
    if counts == NULL:
        return False
    r.counts = <InterfaceCounts*>counts
    r.interfaces_room = room
    return True

cdef void read_records(const uint8_t* octets, size_t size, uint64_t pieces, bint past_damage, Account* a) noexcept nogil:
    """Read a capture that comes in pieces whose sizes follow from a number; 0: it is there at once."""
    cdef Reader r
    cdef Step step = MORE
    memset(&r, 0, sizeof(r))
    memset(a, 0, sizeof(a[0]))
    r.anomalies = a.anomalies
    r.buffer = <uint8_t*>octets
    r.capacity = size
    r.end = 0 if pieces else size
    if not grow_interfaces(&r):
        abort()
    memset(r.interfaces, 0, sizeof(Interface))
    memset(r.counts, 0, sizeof(InterfaceCounts))
    if past_damage:
        r.resync = resync
        begin_resync(resync)
    while True:
        step = fill_batch(&r, &batch, BATCH)
        enter(a, &batch)
        hold(r.start <= r.end, "the window is not read past its end")
        if step == BROKEN or step == MORE and r.ended:
            break
        if step == MORE_INTERFACES and not grow_interfaces(&r):
            abort()
        if step == MORE:
            r.ended = r.end == size
            pieces = pieces * <uint64_t>6364136223846793005 + <uint64_t>1442695040888963407
            r.end += min(size - r.end, 1 + (pieces >> 33) % (7 if pieces >> 63 else 300))
    a.damage = r.damage
    a.interfaces = r.n_interfaces
    a.strays = resync.n_strays if past_damage else 0
    free(r.interfaces)
    free(r.counts)

cdef void both_ways(const uint8_t* octets, size_t size, bint past_damage) noexcept nogil:
    cdef Account whole, in_pieces
    cdef uint64_t pieces = <uint64_t>size * <uint64_t>0x9E3779B97F4A7C15 | 1
    read_records(octets, size, 0, past_damage, &whole)
    read_records(octets, size, pieces, past_damage, &in_pieces)
    hold(whole.records == in_pieces.records and whole.mix == in_pieces.mix, "pieces change no record")
    hold(memcmp(&whole.damage, &in_pieces.damage, sizeof(Damage)) == 0, "pieces change no damage")
    hold(whole.interfaces == in_pieces.interfaces, "pieces change no interface")
    hold(whole.strays == in_pieces.strays, "pieces change no stray bytes")
    hold(memcmp(whole.anomalies, in_pieces.anomalies, sizeof(whole.anomalies)) == 0, "pieces change no anomaly")

cdef void records(const uint8_t* octets, size_t size) noexcept nogil:
    both_ways(octets, size, False)

cdef void records_past_damage(const uint8_t* octets, size_t size) noexcept nogil:
    both_ways(octets, size, True)

# --- packets: a link type and the bytes of one packet, by the lane and by the walk ------------------------------------

cdef enum:
    BEFORE_PACKET = 5           # bytes of an input: link type (2), frame check sequence and depth, wire length (2)

cdef void decode_one(Batch* batch, const uint8_t* octets, uint32_t depth, SumKernel kernel) noexcept nogil:
    cdef uint64_t anomalies[ANOMALIES_END]
    memset(anomalies, 0, sizeof(anomalies))
    batch.packets[0].data = octets
    batch.special = decode_packets(batch.packets, 1, &ports, depth, 0, anomalies)
    verify_batch(batch, kernel)

cdef void packets(const uint8_t* octets, size_t size) noexcept nogil:
    cdef Packet* p = &walked.packets[0]
    cdef Digest by_walk[BATCH]
    cdef Digest by_lane[BATCH]
    cdef uint64_t words[BATCH * KEY_WORDS]
    cdef uint64_t lane_words[BATCH * KEY_WORDS]
    cdef uint32_t places[BATCH]
    cdef uint8_t verdict
    cdef size_t i
    if size < BEFORE_PACKET or size > LARGEST:
        return
    memset(p, 0, sizeof(Packet))
    p.number = 1
    p.link_type = <uint16_t>((octets[0] | octets[1] << 8) % 300)    # the numbers that are read lie below
    p.fcs = octets[2] & 4
    p.captured = <uint32_t>(size - BEFORE_PACKET)
    p.wire = p.captured + (octets[3] | octets[4] << 8)
    p.data = octets + BEFORE_PACKET
    walked.n = taken.n = 1
    taken.packets[0] = p[0]
    decode_one(&walked, octets + BEFORE_PACKET, MAX_DEPTH if octets[2] & 1 else 0, scalar)
    hold(p.depth <= MAX_DEPTH and p.data == octets + BEFORE_PACKET, "the walk leaves the record where it is")
    memset(by_walk, 0, sizeof(Digest))  # `mark` and the padding are set by neither
    digest_batch(&plan, &walked, NO_TIME, by_walk, words)
    memset(by_lane, 0, sizeof(Digest))
    take_lane(&plan, &ports, scalar, &taken, by_lane, lane_words, &rest, places)
    if rest.n == 0:
        by_lane[0].ethertype = by_walk[0].ethertype     # set by the walk alone
        hold(memcmp(by_lane, by_walk, sizeof(Digest)) == 0, "the lane gives the digest of the walk")
        hold(memcmp(lane_words, words, FIVE_TUPLE_WORDS * 8) == 0, "the lane gives the key of the walk")
    verdict = p.verdict
    memcpy(aside + SLACK, octets + BEFORE_PACKET, p.captured)
    for i in range(n_kernels):
        if kernels[i].supported:
            decode_one(&walked, aside + SLACK, MAX_DEPTH if octets[2] & 1 else 0, kernels[i].run)
            hold(p.verdict == verdict, "kernels give one verdict")

# --- kernels: sums of any bytes at any place --------------------------------------------------------------------------

cdef void sums(const uint8_t* octets, size_t size) noexcept nogil:
    cdef SumJob jobs[2]
    cdef uint32_t expected[2]
    cdef size_t i, k, at
    if size < 9 or size > LARGEST:
        return
    at = octets[0] % SLACK
    memcpy(aside + at, octets, size)
    for k in range(n_kernels + 1):      # the scalar kernel first
        if k and not kernels[k - 1].supported:
            continue
        for i in range(2):
            jobs[i].at = aside + at + (i * octets[1]) % size
            jobs[i].length = <uint32_t>(size - (i * octets[1]) % size)
            jobs[i].sum = native64(octets) >> (0 if octets[0] & SLACK else 16)  # all ones stay all ones
        (kernels[k - 1].run if k else scalar)(jobs, 2)
        for i in range(2):
            if k == 0:
                expected[i] = fold(jobs[i].sum)
            hold(fold(jobs[i].sum) % 0xFFFF == expected[i] % 0xFFFF, "kernels give one sum")

# --- a function in Python ---------------------------------------------------------------------------------------------

cdef void call_reading(const uint8_t* octets, size_t size) noexcept nogil:
    with gil:
        try:
            reading(octets[:size])
        except BaseException:
            traceback.print_exc()
            abort()

def address(str name):
    """The address of the target of this name: one of the core, or the one that calls a function of readings.py."""
    global reading
    cdef dict in_the_core = {
        "records": <size_t>&records,
        "records_past_damage": <size_t>&records_past_damage,
        "packets": <size_t>&packets,
        "sums": <size_t>&sums,
    }
    if name in in_the_core:
        return in_the_core[name]
    # Counters of all modules are looked through after each input: the library is loaded by those who call it.
    from readings import READINGS
    reading = READINGS[name]
    return <size_t>&call_reading
