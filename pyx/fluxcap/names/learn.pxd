# Learning names from a batch of packets, while their bytes are in the window: for each packet the name that the address
# of one end was asked for before it by the other end, and the name that its client says with it.
#
# A packet whose checksum is bad teaches nothing. One that the snap length cut, or whose sum is left to the network
# card, does, as far as its bytes are there.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be16, hash_bytes
from fluxcap.base.numbers cimport ACK, IP_TCP, IP_UDP, SYN
from fluxcap.base.types cimport ANOMALIES_END, Batch, COUNTED, Key, Named, Packet, in_a_flow, is_left_out
from fluxcap.flows.features cimport BASIS_HTTP, BASIS_SNI, NameBasis
from fluxcap.layers.transport cimport TCP_DATA_OFFSET, TCP_HEADER, UDP_HEADER
from fluxcap.names.client_hello cimport (
    HELLO_MAX, Piece16, TLS_RECORD, TOLD_NAME, TOLD_NOTHING, TOLD_NOT_YET, Told, gather_hello, may_be_hello, read_hello)
from fluxcap.names.dns cimport (
    DNS_CODE, DNS_FLAGS, DNS_HEADER, DNS_OPCODE, DNS_QUESTIONS, DNS_RESPONSE, Reply, next_address, open_reply,
    read_name)
from fluxcap.names.heads cimport (
    HEAD_ANSWERS, HEAD_HELLO, HEAD_MAX, HEAD_REQUEST, HEAD_UNKNOWN, Beginning, HeadKind, Heads, begin_head, begin_side,
    drop_head, find_head, free_heads, note_role, open_heads, put_segment)
from fluxcap.names.http cimport may_be_request, read_request
from fluxcap.names.latest cimport (
    Latest, LatestEntry, drop_latest, find_latest, free_latest, open_latest, put_latest)
from fluxcap.names.store cimport (
    NameStore, NameText, drop_last_dot, free_names, keep_name, put_letters)
from fluxcap.pipeline.beside cimport Beside, told_last
from fluxcap.pipeline.identity cimport IdentityKey, hash_ends
from fluxcap.pipeline.scan cimport TAPPED, TAPPED_NO_MEMORY, Tapped
from fluxcap.streams.datagram cimport free_datagrams, take_back
from fluxcap.streams.demux cimport is_refused
from fluxcap.streams.pieces cimport Pieces, completes_packet

cdef enum:
    PORT_DNS = 53
    # Answers that are remembered, a client and an address each: 7 MiB. A thousand clients that ask for a thousand
    # addresses a day need four times as many; the oldest ones make room, and are asked for again.
    ANSWERS_KEPT = 1 << 18
    MESSAGE_LENGTH = 2          # bytes before a message of DNS over TCP, RFC 1035 section 4.2.2
    ADDRESSES = 32              # bytes of two addresses

cdef struct Names:
    NameStore store
    Latest answers              # 1 + number of the name, under the hash of client and address
    Heads heads
    Pieces pieces
    const Beside* beside        # what packets tell goes there
    IdentityKey key             # of the hashes
    uint64_t answers_forgotten
    uint64_t anomalies[ANOMALIES_END]   # of datagrams put together here, which others count too
    NameText text
    uint8_t hello[HELLO_MAX]

cdef inline bint open_names(Names* x) noexcept nogil:
    """Allocate what a zeroed struct needs; free_names_of() frees it, also after False: memory is out."""
    return open_latest(&x.answers, ANSWERS_KEPT) and open_heads(&x.heads)

cdef inline void free_names_of(Names* x) noexcept nogil:
    if x == NULL:
        return
    free_names(&x.store)
    free_latest(&x.answers)
    free_heads(&x.heads)
    free_datagrams(&x.pieces.datagrams)
    free(x)

cdef inline bint out_of_memory(const Names* x) noexcept nogil:
    return x.store.no_memory or x.pieces.datagrams.no_memory

cdef inline uint64_t hash_answer(const Names* x, const uint8_t* client, const uint8_t* address) noexcept nogil:
    cdef uint8_t both[ADDRESSES]
    memcpy(both, client, 16)
    memcpy(both + 16, address, 16)
    return hash_bytes(both, ADDRESSES, x.key.words)

# Asked ----------------------------------------------------------------------------------------------------------------

cdef inline void look_up(const Names* x, const Packet* p, Named* to) noexcept nogil:
    """The name that the sender asked the receiver's address for, or else the receiver that of the sender. Who begins a
    connection of TCP is no server in it."""
    cdef const LatestEntry* entry
    cdef const Key* key = &p.key
    if x.answers.n == 0:
        return
    entry = find_latest(&x.answers, hash_answer(x, key.src_ip, key.dst_ip))
    if entry == NULL and p.tcp_flags & (SYN | ACK) != SYN:
        entry = find_latest(&x.answers, hash_answer(x, key.dst_ip, key.src_ip))
    if entry != NULL:
        to.asked = entry.value

cdef inline void learn_answers(Names* x, const uint8_t* client, const uint8_t* message, uint32_t n) noexcept nogil:
    """Remember the addresses that a client was given, under the name that it asked for."""
    cdef Reply reply
    cdef uint8_t address[16]
    cdef uint32_t name = 0
    cdef bint made_room
    if not open_reply(&reply, message, n):
        return
    while next_address(&reply, address):
        if name == 0:
            if not read_name(message, n, DNS_HEADER, &x.text):
                return
            name = keep_name(&x.store, &x.text)
            if name == 0:
                return
        put_latest(&x.answers, hash_answer(x, client, address), name, &made_room)
        x.answers_forgotten += made_room

# Said -----------------------------------------------------------------------------------------------------------------

cdef inline void say(Names* x, const uint8_t* at, uint32_t n, NameBasis basis, Named* to) noexcept nogil:
    x.text.n = 0
    x.text.too_long = False
    put_letters(&x.text, at, n)
    drop_last_dot(&x.text)
    to.said = keep_name(&x.store, &x.text)
    if to.said:
        to.basis = <uint8_t>basis

cdef inline Told read_messages(Names* x, const uint8_t* client, const uint8_t* at, uint32_t n,
                               uint32_t* read) noexcept nogil:
    """Learn from the messages of DNS over TCP that are whole. TOLD_NOTHING: there is no part of another one."""
    cdef uint32_t length
    while n - read[0] >= MESSAGE_LENGTH:
        length = be16(at + read[0])
        if length > n - read[0] - MESSAGE_LENGTH:
            return TOLD_NOT_YET
        learn_answers(x, client, at + read[0] + MESSAGE_LENGTH, length)
        read[0] += MESSAGE_LENGTH + length
    return TOLD_NOTHING if read[0] == n else TOLD_NOT_YET

cdef inline Told read_head(Names* x, const Packet* p, uint32_t kind, const uint8_t* at, uint32_t n, uint32_t* read,
                           Named* to) noexcept nogil:
    """Read what a side begins with, of which n bytes are there."""
    cdef Piece16 name
    cdef uint32_t gathered
    cdef Told told, more
    if kind == HEAD_ANSWERS:
        return read_messages(x, p.key.dst_ip, at, n, read)
    if kind == HEAD_REQUEST:
        told = read_request(at, n, read, &name)
        if told == TOLD_NAME:
            say(x, at + name.at, name.n, BASIS_HTTP, to)
        return told
    more = gather_hello(at, n, x.hello, &gathered)
    told = read_hello(x.hello, gathered, &name)
    if told == TOLD_NAME:
        say(x, x.hello + name.at, name.n, BASIS_SNI, to)
    return more if told == TOLD_NOT_YET else told

cdef inline bint may_be_answers(const uint8_t* at, uint32_t n) noexcept nogil:
    """Do these bytes begin with a length and an answer to one question?"""
    return n >= MESSAGE_LENGTH + DNS_HEADER and be16(at) >= DNS_HEADER and \
        be16(at + MESSAGE_LENGTH + DNS_FLAGS) & (DNS_RESPONSE | DNS_OPCODE | DNS_CODE) == DNS_RESPONSE and \
        be16(at + MESSAGE_LENGTH + DNS_QUESTIONS) == 1

cdef inline HeadKind kind_of_head(const Packet* p, const uint8_t* at, uint32_t n, bint begins) noexcept nogil:
    """What these bytes begin. `begins`: they are the first of their side, and so few may tell nothing else."""
    if p.key.src_port == PORT_DNS:
        return HEAD_ANSWERS if begins or may_be_answers(at, n) else HEAD_UNKNOWN
    if may_be_hello(at, n) and (begins or n > TLS_RECORD):
        return HEAD_HELLO
    return HEAD_REQUEST if may_be_request(at, n, begins) else HEAD_UNKNOWN

cdef inline bint go_on(Names* x, const Packet* p, uint64_t hash, Beginning* h, bint cut, Named* to) noexcept nogil:
    """Read a head that has more bytes than before. False: nothing more is to be read of it."""
    cdef Told told
    if h.n == 0:
        return True
    if h.kind == HEAD_UNKNOWN:
        h.kind = <uint8_t>kind_of_head(p, h.octets, h.n, True)
        if h.kind == HEAD_UNKNOWN:
            return False
    told = read_head(x, p, h.kind, h.octets, h.n, &h.read, to)
    if told == TOLD_NOTHING and h.kind == HEAD_ANSWERS:
        begin_side(&x.heads, hash, h.sequence + h.n)
    if told == TOLD_NOT_YET and (cut or h.n == HEAD_MAX):
        x.heads.forgotten += 1
        return False
    return told == TOLD_NOT_YET

cdef inline bint begin(Names* x, const Packet* p, uint64_t hash, uint32_t sequence, const uint8_t* at, uint32_t n,
                       bint cut, Named* to) noexcept nogil:
    """Read a segment that goes on with no head. False when memory is out."""
    cdef LatestEntry* side = find_latest(&x.heads.sides, hash)
    cdef bint begins = side != NULL and side.value == sequence
    cdef HeadKind kind = kind_of_head(p, at, n, begins)
    cdef uint32_t read = 0, first = sequence
    cdef Told told
    cdef Beginning* h
    if kind == HEAD_UNKNOWN:
        if side == NULL or begins or sequence - side.value >= HEAD_MAX:
            if begins:
                drop_latest(&x.heads.sides, side)
            return True
        first = side.value      # this segment is one of the first, and came before the first one
    else:
        told = read_head(x, p, kind, at, n, &read, to)
        if side != NULL:
            drop_latest(&x.heads.sides, side)
        if told == TOLD_NOTHING and kind == HEAD_ANSWERS:
            begin_side(&x.heads, hash, sequence + n)
        if told == TOLD_NOT_YET and cut:
            x.heads.forgotten += 1
        if told != TOLD_NOT_YET or cut:
            return True
    h = begin_head(&x.heads, hash, first, kind)
    h.read = read
    return put_segment(&x.heads, h, sequence, at, n)

cdef inline bint learn_segment(Names* x, const Packet* p, Named* to) noexcept nogil:
    """Learn from a TCP segment. False when memory is out."""
    cdef const uint8_t* header = p.data + p.sum_at
    cdef uint64_t hash
    cdef uint32_t left, length, n, sequence = p.tcp_seq
    cdef Beginning* h
    cdef bint cut, done = True
    if p.captured < p.sum_at or p.captured - p.sum_at < TCP_HEADER:
        return True
    left = p.captured - p.sum_at
    length = (header[TCP_DATA_OFFSET] >> 4) * 4
    if length < TCP_HEADER or length > left or (p.payload_length == 0 and not p.tcp_flags & SYN):
        return True
    hash = hash_ends(&p.key, IP_TCP, &x.key)
    if p.tcp_flags & SYN:
        sequence += 1
        begin_side(&x.heads, hash, sequence)
        note_role(&x.heads, hash, p.tcp_flags & ACK != 0)
    n = min(left - length, p.payload_length)
    # A server names nobody; it answers questions of DNS.
    if n == 0 or (p.key.src_port != PORT_DNS and find_latest(&x.heads.answering, hash) != NULL):
        return True
    cut = n < p.payload_length
    h = find_head(&x.heads, hash)
    if h == NULL:
        return begin(x, p, hash, sequence, header + length, n, cut, to)
    done = put_segment(&x.heads, h, sequence, header + length, n)
    if done and not go_on(x, p, hash, h, cut, to):
        drop_head(&x.heads, hash)
    return done

cdef inline bint learn_packet(Names* x, const Packet* p, Named* to) noexcept nogil:
    """Learn from a packet that is whole. False when memory is out."""
    cdef uint32_t at
    if p.disposition != COUNTED or is_refused(p):
        return True
    if p.key.protocol == IP_TCP:
        return learn_segment(x, p, to)
    if p.key.protocol == IP_UDP and p.key.src_port == PORT_DNS:
        at = p.sum_at + UDP_HEADER
        if at < p.captured:
            learn_answers(x, p.key.dst_ip, p.data + at, min(p.captured - at, p.payload_length))
    return True

cdef inline bint learn_piece(Names* x, const Packet* piece, Named* to) noexcept nogil:
    """Learn from the packet that a fragment completes. False when memory is out."""
    cdef const Packet* p = &x.pieces.whole.packets[0]
    if not completes_packet(&x.pieces, piece, False):
        return not x.pieces.datagrams.no_memory
    if not learn_packet(x, p, to):
        return False
    # A fragment around a tunnel is in the flow of the tunnel, and who speaks is inside of it. `depth` is that of the
    # packet in its datagram.
    if piece.fragmented_around or p.depth:
        to.said = to.basis = 0
    return True

cdef inline Tapped learn(void* to, const Batch* batch) noexcept nogil:
    """Learn from a batch, and say beside each packet what it tells."""
    cdef Names* x = <Names*>to
    cdef Named* named
    cdef const Packet* p
    cdef uint32_t i
    cdef bint done = True
    take_back(&x.pieces.datagrams)
    for i in range(batch.n):
        p = &batch.packets[i]
        named = told_last(x.beside, batch.n, i)
        memset(named, 0, sizeof(Named))
        if is_left_out(p.disposition):
            continue
        if in_a_flow(p.disposition):
            look_up(x, p, named)
        if p.fragmented or p.fragmented_around:
            done = learn_piece(x, p, named) and done
        else:
            done = learn_packet(x, p, named) and done
    return TAPPED if done and not out_of_memory(x) else TAPPED_NO_MEMORY
