# The verdicts on checksums: one pass over a batch takes the sums that decode asked for and judges them.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.bytes cimport native32, native64, net16, net32, ones_add
from fluxcap.base.numbers cimport IP_TCP, IP_UDP, IP_UDP_LITE
from fluxcap.base.types cimport (
    BATCH, Batch, Packet, SEGMENTATION_OFFLOAD, SUM_CRC32C, SUM_PSEUDO, VERDICT_BAD, VERDICT_GOOD, VERDICT_PARTIAL,
    VERDICT_PENDING)

cdef extern from "checksums/kernels.h" nogil:
    ctypedef struct SumJob:
        const uint8_t* at
        uint32_t length
        uint64_t sum
    ctypedef void (*SumKernel)(SumJob* jobs, size_t n) noexcept nogil
    ctypedef struct KernelRow:
        const char* name
        SumKernel run
        bint supported
    enum: KERNELS_MAX
    size_t list_kernels(KernelRow* rows)
    uint32_t fold(uint64_t sum)
    bint is_right(uint64_t sum)
    uint32_t sum_octets(const uint8_t* at, size_t length)
    uint32_t crc32c_update(uint32_t crc, const uint8_t* at, size_t length)

cdef inline uint64_t add_address(const uint8_t* at) noexcept nogil:
    """Add all 16 bytes for both IP versions, without a branch: the ::ffff before an IPv4 address adds 0xFFFF, which is
    zero in ones' complement."""
    return ones_add(native64(at), native64(at + 8))

cdef inline uint64_t add_override(const uint8_t* at, uint32_t octets) noexcept nogil:
    return add_address(at) if octets == 16 else <uint64_t>native32(at)

cdef inline uint64_t pseudo_sum(const Packet* p) noexcept nogil:
    """Sum of the pseudo-header (RFC 768; RFC 8200 section 8.1 has a wider length field, which gives the same sum)."""
    cdef uint64_t sum = <uint64_t>net16(p.key.protocol) + net32(p.pseudo_length)
    sum = ones_add(sum, add_address(p.key.src_ip) if p.pseudo_src == NULL else
                   add_override(p.pseudo_src, p.pseudo_octets))
    return ones_add(sum, add_address(p.key.dst_ip) if p.pseudo_dst == NULL else
                    add_override(p.pseudo_dst, p.pseudo_octets))

cdef inline void judge(Packet* p, uint32_t total) noexcept nogil:
    """Set the verdict from the sum of all that the checksum covers, the pseudo-header and its own field included."""
    cdef uint16_t field = net16(p.checksum)
    if total == 0xFFFF:
        p.verdict = VERDICT_GOOD
        p.expected = p.checksum
        return
    p.expected = right_field(total, field, sent_for_zero(p))
    # Only a sum with a pseudo-header can be partial: an ICMP message leaves nothing for a card to complete.
    if p.sum_kind == SUM_PSEUDO:
        p.verdict = judge_wrong(field, pseudo_sum(p), p.key.protocol, p.pseudo_length, &p.reason)
    else:
        p.verdict = VERDICT_BAD

cdef inline uint8_t judge_wrong(uint16_t field, uint64_t pseudo, uint32_t protocol, uint32_t length,
                                uint8_t* reason) noexcept nogil:
    """The verdict on a field that is not right. A card completes what holds the sum of the pseudo-header alone."""
    if field == fold(pseudo):
        return VERDICT_PARTIAL
    if is_segmented(protocol) and field == fold(ones_add(pseudo, 0xFFFF - fold(net32(length)))):
        reason[0] = SEGMENTATION_OFFLOAD
        return VERDICT_PARTIAL
    return VERDICT_BAD

cdef inline bint is_segmented(uint32_t protocol) noexcept nogil:
    """Does a network card cut segments of this protocol? The card adds the length of each piece, so Windows (LSO, USO)
    and OpenBSD (TSO) leave the length out of the pseudo-header sum."""
    return protocol == IP_TCP or protocol == IP_UDP

cdef inline uint16_t sent_for_zero(const Packet* p) noexcept nogil:
    """What the field holds for a sum of zero. UDP and UDP-Lite send 0xFFFF, the other form of zero, because zero says
    that there is no sum (RFC 768, RFC 3828 section 3.1). Other protocols send zero (RFC 1624 section 3)."""
    return 0xFFFF if p.key.protocol == IP_UDP or p.key.protocol == IP_UDP_LITE else 0

cdef inline uint16_t right_field(uint32_t total, uint16_t field, uint16_t for_zero) noexcept nogil:
    """The right value of the field, from the sum that includes the present one."""
    cdef uint16_t wanted = <uint16_t>(0xFFFF - fold(<uint64_t>total + 0xFFFF - field))
    if total == 0:              # only zero bytes sum to zero; in all other sums zero is 0xFFFF
        return 0xFFFF
    return net16(wanted) if wanted else for_zero

cdef inline void judge_crc(Packet* p) noexcept nogil:
    """SCTP: the CRC is computed with its own field set to zero (RFC 9260 section 6.8)."""
    cdef const uint8_t* at = p.data + p.sum_at
    cdef uint8_t[4] zero = [0, 0, 0, 0]
    cdef uint32_t crc = crc32c_update(<uint32_t>0xFFFFFFFFU, at, 8)
    crc = crc32c_update(crc, zero, 4)
    p.expected = ~crc32c_update(crc, at + 12, p.sum_length - 12)
    p.verdict = VERDICT_GOOD if p.expected == p.checksum else VERDICT_BAD

cdef inline uint64_t sum_ipv4(const uint8_t* at) noexcept nogil:
    """The sum over an IPv4 header without options, not folded."""
    return ones_add(ones_add(native64(at), native64(at + 8)), native32(at + 16))

cdef inline uint8_t judge_wrong_ipv4(uint16_t field) noexcept nogil:
    """Zero is partial: a card is handed a zero field to fill in."""
    return VERDICT_PARTIAL if field == 0 else VERDICT_BAD

cdef inline void judge_ipv4(Packet* p) noexcept nogil:
    """The sum over the header (RFC 791 section 3.1)."""
    cdef const uint8_t* at = p.data + p.ip_at
    cdef uint32_t total
    if p.ip_header_length == 20:
        total = fold(sum_ipv4(at))
    else:
        total = sum_octets(at, p.ip_header_length)
    if total == 0xFFFF:
        p.ip_verdict = VERDICT_GOOD
        p.ip_expected = p.ip_checksum
        return
    p.ip_expected = right_field(total, net16(p.ip_checksum), 0)
    p.ip_verdict = judge_wrong_ipv4(p.ip_checksum)

cdef inline void verify_batch(Batch* batch, SumKernel kernel) noexcept nogil:
    cdef SumJob jobs[BATCH]
    cdef Packet* asked[BATCH]
    cdef Packet* p
    cdef uint32_t i, n = 0
    for i in range(batch.n):
        p = &batch.packets[i]
        if p.ip_verdict == VERDICT_PENDING:
            judge_ipv4(p)
        if p.verdict != VERDICT_PENDING:
            continue
        if p.sum_kind == SUM_CRC32C:
            judge_crc(p)
            continue
        jobs[n].at = p.data + p.sum_at
        jobs[n].length = p.sum_length
        jobs[n].sum = pseudo_sum(p) if p.sum_kind == SUM_PSEUDO else 0
        asked[n] = p
        n += 1
    kernel(jobs, n)
    for i in range(n):
        judge(asked[i], fold(jobs[i].sum))
