# Records of several inputs in one batch: which input and which of its interfaces a record is from.

from libc.stdint cimport uint32_t, uint64_t

from fluxcap.base.types cimport BATCH, Batch, Decoder, Packet
from fluxcap.capture.reader cimport Interface, Reader

cdef inline uint32_t decode_merged(const Decoder* d, const Reader* r, Batch* batch, uint64_t* anomalies) noexcept nogil:
    """decode_packets() for a batch of FORMAT_MERGED. In the key an interface has the number that its input gives it;
    filter and ledger, before and after this, go by its number in the stream."""
    cdef Packet* packets = batch.packets
    cdef const Interface* from_[BATCH]
    cdef uint32_t in_stream[BATCH]
    cdef uint32_t i, end, special = 0
    for i in range(batch.n):
        in_stream[i] = packets[i].interface
        from_[i] = &r.interfaces[in_stream[i]]
        packets[i].interface = from_[i].number
    i = 0
    while i < batch.n:
        end = i + 1
        while end < batch.n and from_[end].file == from_[i].file:
            end += 1
        special |= d.decode(&packets[i], end - i, d.ports, d.max_depth, from_[i].file, anomalies)
        i = end
    for i in range(batch.n):
        packets[i].interface = in_stream[i]
    return special
