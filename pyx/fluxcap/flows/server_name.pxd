# The name of the server of a flow, as far as names are looked for: names/ finds them, a packet brings them along, and the
# first one counts. It lies with the features of a row, so that a table without names does not pay for them.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fluxcap.base.types cimport Digest
from fluxcap.flows.features cimport features_at
from fluxcap.flows.table cimport Flows, Named

cdef enum NameBasis:            # from the weakest to the strongest
    BASIS_NONE
    BASIS_DNS                   # a client was given the address under this name
    BASIS_SNI                   # the client names the server in its ClientHello
    BASIS_HTTP                  # ... or in the Host of its request
    NAME_BASES_END

cdef struct NameRow:
    uint32_t name               # 1 + number, 0 = none
    uint8_t basis               # NameBasis

cdef inline uint64_t name_stride() noexcept nogil:
    return sizeof(NameRow)

cdef inline NameRow* name_of(const Flows* f, uint64_t i) noexcept nogil:
    return <NameRow*>(<char*>features_at(f, i) + f.name_at)

cdef inline void set_name(Flows* f, NameRow* x, uint32_t name, uint8_t basis, uint8_t length) noexcept nogil:
    """A column has room for the longest name in each row, and bounds on memory count that."""
    x.name = name
    x.basis = basis
    if length > f.longest_name:
        f.column_octets += length - f.longest_name
        f.longest_name = length

cdef inline const Named* told_with(const Flows* f, const Digest* d) noexcept nogil:
    """What the packet of a digest tells."""
    return &f.named[d - f.first_named]

cdef inline void begin_name(Flows* f, uint64_t i, const Digest* d) noexcept nogil:
    """A packet begins this row: what was asked for before it counts, what is asked for later does not."""
    cdef const Named* named = told_with(f, d)
    if named.asked:
        set_name(f, name_of(f, i), named.asked, BASIS_DNS, named.asked_length)

cdef inline void note_name(Flows* f, uint64_t i, const Digest* d) noexcept nogil:
    """What a client says in the flow itself is better than what it asked for, and what it says first counts."""
    cdef const Named* named = told_with(f, d)
    cdef NameRow* x = name_of(f, i)
    if named.said and x.basis <= BASIS_DNS:
        set_name(f, x, named.said, named.basis, named.said_length)
