# ICMP errors quote the packet they are about. The key of that packet is read from the quotation, so that counting can
# join the error to its flow. A quotation gets no verdict: it may be cut, and routers rewrite what they quote.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from fluxcap.base.types cimport (
    ANOMALIES_END, BATCH, Batch, DIRECTION_UNKNOWN, Decoder, INBOUND, Key, OUTBOUND, Packet, QUOTATIONS,
    copy_capture_fields, in_a_flow)
from fluxcap.flows.table cimport Flows, Quoted, open_unseen
from fluxcap.fragments.holding cimport HELD_MAX
from fluxcap.layers.link cimport LINKTYPE_RAW

cdef enum:
    # Quoted keys at once: one for each packet that may be between here and the flow table. Packet.quote has 16 bits.
    QUOTED_MAX = HELD_MAX + BATCH

cdef inline void as_record(const Packet* error, Packet* quoted) noexcept nogil:
    """Make the quotation a record of its own, of raw IP."""
    quoted.data = error.data + error.quote_at
    quoted.captured = error.captured - error.quote_at
    quoted.wire = max(error.wire, error.captured) - error.quote_at
    quoted.link_type = LINKTYPE_RAW
    quoted.fcs = 0
    quoted.refused = False

cdef inline uint8_t opposite(uint8_t direction) noexcept nogil:
    return <uint8_t>(INBOUND + OUTBOUND - direction) if direction else <uint8_t>DIRECTION_UNKNOWN

cdef inline void complete_key(Key* key, const Key* error) noexcept nogil:
    """Take the fields that a quotation does not hold from the error, with the ends swapped: it went the other way."""
    copy_capture_fields(key, error)
    key.direction = opposite(error.direction)
    key.vlan = error.vlan
    key.inner_vlan = error.inner_vlan
    key.ethertype = error.ethertype
    key.mpls_label = error.mpls_label
    key.tunnel_id = error.tunnel_id
    memcpy(key.src_mac, error.dst_mac, sizeof(key.src_mac))
    memcpy(key.dst_mac, error.src_mac, sizeof(key.dst_mac))

cdef inline bint open_quotations(Flows* f) noexcept nogil:
    """Memory for quoted keys, allocated when the first ICMP error comes."""
    if f.quoted == NULL:
        f.quoted = <Quoted*>calloc(QUOTED_MAX, sizeof(Quoted))
    return f.quoted != NULL and open_unseen(f)

cdef inline void decode_quotations(Flows* f, Batch* batch, const Decoder* decoder) noexcept nogil:
    cdef Batch quoted
    cdef uint32_t errors[BATCH]
    cdef uint64_t anomalies[ANOMALIES_END]      # of quotations: not counted
    cdef Packet* p
    cdef uint32_t i, place
    quoted.n = 0
    for i in range(batch.n):
        if batch.packets[i].quote_at:
            as_record(&batch.packets[i], &quoted.packets[quoted.n])
            errors[quoted.n] = i
            quoted.n += 1
    decoder.decode(quoted.packets, quoted.n, decoder.ports, decoder.max_depth, 0, anomalies)
    for i in range(quoted.n):
        if in_a_flow(quoted.packets[i].disposition):
            p = &batch.packets[errors[i]]
            complete_key(&quoted.packets[i].key, &p.key)
            place = <uint32_t>(f.n_quoted % QUOTED_MAX)
            f.n_quoted += 1
            f.quoted[place].key = quoted.packets[i].key
            f.quoted[place].kind = <uint8_t>p.key.src_port
            f.quoted[place].code = <uint8_t>p.key.dst_port
            p.quote = <uint16_t>(place + 1)

cdef inline bint quote_batch(Flows* f, Batch* batch, const Decoder* decoder) noexcept nogil:
    """Give each ICMP error the key that it quotes; False when memory is out."""
    if batch.special & QUOTATIONS:
        if not open_quotations(f):
            return False
        decode_quotations(f, batch, decoder)
    return True
