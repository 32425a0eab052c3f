# The lane: most packets go from the record to the digest without the walk. Such a packet is Ethernet with two VLAN tags
# at most, IPv4 or IPv6 without options or extension headers, UDP or TCP without a tunnel in it; whole, and with lengths
# that fit. A packet that is anything else is left to the walk as the capture stage made it. The walk gives every packet
# of the lane the same digest, which tests/core/test_lane.py holds: the lane has no rule of its own.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport (
    be16, be32, mapped_word, native16, native32, native64, net16, net32, ones_add, ports_word, rarely)
from fluxcap.base.numbers cimport ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_TCP, IP_UDP
from fluxcap.base.tunnels cimport TunnelPorts, has_tunnel
from fluxcap.base.types cimport (
    BATCH, Batch, COUNTED, Digest, Packet, REASON_NONE, VERDICT_ABSENT, VERDICT_GOOD, VERDICT_NONE, VERDICT_TRUNCATED)
from fluxcap.checksums.verify cimport SumJob, SumKernel, is_right, judge_wrong, judge_wrong_ipv4, sum_ipv4
from fluxcap.flows.key cimport (
    FIVE_TUPLE_WORDS, KeyPlan, WORD_DST_IP, WORD_PORTS, WORD_SRC_IP, canonical, five_tuple, hash_words)
from fluxcap.layers.link cimport ETHERNET_HEADER, ETHERNET_TYPE, LINKTYPE_ETHERNET, VLAN_TAG, is_tag
from fluxcap.layers.network cimport (
    FRAGMENT_MASK, IPV4_CHECKSUM, IPV4_FRAGMENT, IPV4_HEADER, IPV4_PROTOCOL,
    IPV4_TOTAL_LENGTH, IPV6_HEADER, IPV6_NEXT_HEADER, IPV6_PAYLOAD_LENGTH)
from fluxcap.layers.transport cimport (
    TCP_ACKNOWLEDGMENT, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER, TCP_SEQUENCE, TCP_WINDOW, UDP_CHECKSUM, UDP_HEADER,
    UDP_LENGTH, checksum_at)

cdef enum:
    VERSION_4_NO_OPTIONS = 0x45     # version 4, a header of 5 words
    MOST_TAGS = 2
    ADDRESSES_V4 = 8                # bytes of both addresses, which lie before the transport header
    ADDRESSES_V6 = 32

cdef inline bint is_plain_ethernet(const Packet* p) noexcept nogil:
    """Ethernet without a frame check sequence, and not refused by a filter: one comparison. python/fields.pxi asserts
    that these four bytes lie together."""
    cdef uint16_t link_type = LINKTYPE_ETHERNET
    cdef uint8_t[4] plain = [0, 0, 0, 0]
    memcpy(plain, &link_type, 2)
    return native32(<const uint8_t*>&p.link_type) == native32(plain)

cdef inline void ask_nothing(SumJob* job) noexcept nogil:
    """A sum that is right without a byte: the verdict is known already."""
    job.length = 0
    job.sum = 0xFFFF

cdef inline void ports_only(Digest* d) noexcept nogil:
    d.tcp_seq = 0
    d.tcp_ack = 0
    d.tcp_window = 0
    d.tcp_flags = 0

cdef inline bint read_udp(const uint8_t* at, uint32_t left, uint32_t addresses, const TunnelPorts* tunnels, Digest* d,
                          SumJob* job) noexcept nogil:
    """Read the header of a datagram of at most `left` bytes, and set what is summed: the addresses, and what the
    checksum covers. False: it is for the walk."""
    cdef uint32_t length = be16(at + UDP_LENGTH)
    if length < UDP_HEADER or length > left or rarely(has_tunnel(tunnels, be16(at), be16(at + 2))):
        return False
    ports_only(d)
    d.payload_length = length - UDP_HEADER
    d.header_words = UDP_HEADER // 4
    job.length = addresses + length
    job.sum = <uint64_t>net16(IP_UDP) + native16(at + UDP_LENGTH)
    if rarely(native16(at + UDP_CHECKSUM) == 0):
        d.verdict = VERDICT_ABSENT
        ask_nothing(job)
        return addresses == ADDRESSES_V4    # RFC 8200 section 8.1: over IPv6 it is illegal, but for some tunnels
    return True

cdef inline bint read_tcp(const uint8_t* at, uint32_t seen, uint32_t left, uint32_t addresses, Digest* d,
                          SumJob* job) noexcept nogil:
    """The same for a segment of `left` bytes, of which `seen` are captured."""
    cdef uint32_t words, header
    if seen < TCP_HEADER:
        return False
    words = at[TCP_DATA_OFFSET] >> 4
    header = words * 4
    if header < TCP_HEADER or header > left:
        return False
    d.tcp_seq = be32(at + TCP_SEQUENCE)
    d.tcp_ack = be32(at + TCP_ACKNOWLEDGMENT)
    d.tcp_window = be16(at + TCP_WINDOW)
    d.tcp_flags = at[TCP_FLAGS]
    d.payload_length = left - header
    d.header_words = <uint8_t>words
    job.length = addresses + left
    job.sum = <uint64_t>net16(IP_TCP) + net16(<uint16_t>left)
    return True

cdef inline void write_key(const Packet* p, const KeyPlan* plan, const uint8_t* at, uint32_t version,
                           uint32_t protocol, Digest* d, uint64_t* words) noexcept nogil:
    """Write what only flows need: the words of the key, their hash, and the length that flows sum up. `at`: the
    transport header, behind the addresses."""
    cdef uint64_t kept[FIVE_TUPLE_WORDS]    # a local copy, as in project()
    cdef uint32_t i
    if version == 4:
        kept[WORD_SRC_IP] = kept[WORD_DST_IP] = 0
        kept[WORD_SRC_IP + 1] = mapped_word(at - 8)
        kept[WORD_DST_IP + 1] = mapped_word(at - 4)
    else:
        for i in range(<uint32_t>WORD_PORTS):
            kept[i] = native64(at - ADDRESSES_V6 + 8 * i)
    kept[WORD_PORTS] = ports_word(at, <uint8_t>protocol)
    d.flip = <uint8_t>canonical(plan, five_tuple(), kept)
    d.tag = <uint32_t>(hash_words(plan, kept, FIVE_TUPLE_WORDS) >> 32)
    for i in range(<uint32_t>FIVE_TUPLE_WORDS):
        words[i] = kept[i]
    d.octets = (<const uint32_t*>(<const char*>p + plan.octets_at))[0]

cdef inline bint recognise_transport(Packet* p, const uint8_t* at, uint32_t seen, uint32_t left, uint32_t version,
                                     uint32_t protocol, const KeyPlan* plan, const TunnelPorts* tunnels, Digest* d,
                                     uint64_t* words, SumJob* job) noexcept nogil:
    """`at`: the transport header, `seen` captured bytes before the end of the record, `left` bytes before the end of
    the IP packet."""
    cdef uint32_t addresses = ADDRESSES_V4 if version == 4 else ADDRESSES_V6
    cdef const uint8_t* ends = at - addresses
    # One copy, as in digest_packet().
    memcpy(d, &p.time, <char*>&d.payload_length - <char*>d)
    d.quote = 0
    d.disposition = COUNTED
    d.reason = REASON_NONE
    d.ip_version = <uint8_t>version
    d.gre_verdict = VERDICT_NONE
    d.protocol = <uint8_t>protocol
    d.verdict = VERDICT_GOOD                # unless the sum is wrong
    d.row = 0
    if protocol == IP_UDP:
        if not read_udp(at, left, addresses, tunnels, d, job):
            return False
    elif protocol != IP_TCP or not read_tcp(at, seen, left, addresses, d, job):
        return False
    # The addresses of the pseudo-header lie before the transport header: one sum is for both.
    job.at = ends
    if rarely(job.length > addresses + seen):
        d.verdict = VERDICT_TRUNCATED
        ask_nothing(job)
    if plan != NULL:
        write_key(p, plan, at, version, protocol, d, words)
    return True

cdef inline bint recognise_ipv4(Packet* p, const uint8_t* at, uint32_t captured, uint32_t wire, const KeyPlan* plan,
                                const TunnelPorts* tunnels, Digest* d, uint64_t* words, SumJob* job) noexcept nogil:
    cdef uint32_t total = be16(at + IPV4_TOTAL_LENGTH)
    if at[0] != VERSION_4_NO_OPTIONS or captured < IPV4_HEADER + UDP_HEADER or total > wire or \
            total < IPV4_HEADER + UDP_HEADER or native16(at + IPV4_FRAGMENT) & net16(FRAGMENT_MASK):
        return False
    p.ip_length = total
    d.ip_verdict = VERDICT_GOOD
    if rarely(not is_right(sum_ipv4(at))):
        d.ip_verdict = judge_wrong_ipv4(native16(at + IPV4_CHECKSUM))
    return recognise_transport(p, at + IPV4_HEADER, captured - IPV4_HEADER, total - IPV4_HEADER, 4,
                               at[IPV4_PROTOCOL], plan, tunnels, d, words, job)

cdef inline bint recognise_ipv6(Packet* p, const uint8_t* at, uint32_t captured, uint32_t wire, const KeyPlan* plan,
                                const TunnelPorts* tunnels, Digest* d, uint64_t* words, SumJob* job) noexcept nogil:
    cdef uint32_t length = be16(at + IPV6_PAYLOAD_LENGTH)
    if at[0] >> 4 != 6 or captured < IPV6_HEADER + UDP_HEADER or length > wire - IPV6_HEADER or length < UDP_HEADER:
        return False
    p.ip_length = IPV6_HEADER + length
    d.ip_verdict = VERDICT_NONE
    return recognise_transport(p, at + IPV6_HEADER, captured - IPV6_HEADER, length, 6,
                               at[IPV6_NEXT_HEADER], plan, tunnels, d, words, job)

cdef inline bint recognise(Packet* p, const KeyPlan* plan, const TunnelPorts* tunnels, Digest* d, uint64_t* words,
                           SumJob* job) noexcept nogil:
    """Write the digest of a packet, the words of its key, and the sum to be taken. False: it is for the walk."""
    cdef const uint8_t* at = p.data
    cdef uint32_t captured = p.captured, wire = max(p.wire, p.captured), ip = ETHERNET_HEADER
    cdef uint16_t ethertype
    # With fewer bytes it is no packet of the lane, whatever its tags are.
    if not is_plain_ethernet(p) or captured < ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER:
        return False
    ethertype = be16(at + ETHERNET_TYPE)
    if rarely(ethertype != ETHERTYPE_IPV4):
        while is_tag(ethertype) and ip < ETHERNET_HEADER + MOST_TAGS * VLAN_TAG:
            ethertype = be16(at + ip + 2)
            ip += VLAN_TAG
        if ethertype == ETHERTYPE_IPV6:
            return recognise_ipv6(p, at + ip, captured - ip, wire - ip, plan, tunnels, d, words, job)
        if ethertype != ETHERTYPE_IPV4:
            return False
    return recognise_ipv4(p, at + ip, captured - ip, wire - ip, plan, tunnels, d, words, job)

cdef inline void judge_wrong_digest(Digest* d, const SumJob* job) noexcept nogil:
    """Set the verdict on a sum that is not right."""
    cdef uint32_t addresses = ADDRESSES_V4 if d.ip_version == 4 else ADDRESSES_V6
    cdef uint32_t length = job.length - addresses
    cdef uint64_t pseudo = <uint64_t>net16(d.protocol) + net32(length)
    cdef uint32_t i
    for i in range(addresses // 8):
        pseudo = ones_add(pseudo, native64(job.at + 8 * i))
    d.verdict = judge_wrong(native16(job.at + addresses + checksum_at(d.protocol)), pseudo, d.protocol, length,
                            &d.reason)

cdef inline void leave(const Packet* p, Packet* to) noexcept nogil:
    """Copy what the capture stage wrote: nothing else of a packet is valid before the walk."""
    memcpy(to, p, <const char*>&p.payload_length - <const char*>p)

cdef inline void take_lane(const KeyPlan* plan, const TunnelPorts* tunnels, SumKernel kernel, Batch* batch,
                           Digest* digests, uint64_t* words, Batch* rest, uint32_t* places) noexcept nogil:
    """Fill the digests of a batch, and the words of their keys, for the packets of the lane. The others become `rest`;
    `places` are theirs in the batch. Without a plan, which only flows need, no key is made."""
    cdef SumJob jobs[BATCH]
    cdef uint32_t asked[BATCH]
    cdef uint32_t i, n = 0
    rest.n = 0
    for i in range(batch.n):
        if recognise(&batch.packets[i], plan, tunnels, &digests[i], words + i * FIVE_TUPLE_WORDS, &jobs[n]):
            asked[n] = i
            n += 1
        else:
            leave(&batch.packets[i], &rest.packets[rest.n])
            places[rest.n] = i
            rest.n += 1
    kernel(jobs, n)
    for i in range(n):
        if rarely(not is_right(jobs[i].sum)):
            judge_wrong_digest(&digests[asked[i]], &jobs[i])
