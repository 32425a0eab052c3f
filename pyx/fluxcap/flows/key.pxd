# A flow key: the Key struct under a mask, packed to the words that the mask keeps, in one canonical direction.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport greater128, multiply_fold
from fluxcap.base.times cimport NO_TIME
from fluxcap.base.types cimport KEY_WORDS, Key

cdef enum:                      # words of Key that the other direction exchanges
    WORD_SRC_IP = 0             # two words
    WORD_DST_IP = 2             # two words
    WORD_PORTS = 4              # the first half: source port, destination port
    WORD_SRC_MAC = 7
    WORD_DST_MAC = 8
    ABSENT = 255
    FIVE_TUPLE_WORDS = 5        # words of the default key

# The part of a plan that decides which steps are taken. It is an argument of its own, so that it can be a constant.
cdef struct Shape:
    uint32_t n                  # words kept
    bint leading                # the words kept are the first n of Key
    bint prefixes               # mask_v4 differs from mask
    bint biflow
    uint8_t ip_at               # place of src_ip among the words kept, or ABSENT; dst_ip is two further on
    uint8_t ports_at
    uint8_t mac_at              # dst_mac is the next one

cdef struct KeyPlan:
    Shape shape
    uint64_t mask[KEY_WORDS]    # for each of the words kept
    uint64_t mask_v4[4]         # for the address words where IPv4 and IPv6 prefixes differ
    uint8_t word[KEY_WORDS]     # for each of the words kept: its place in Key
    int64_t interval            # ns, 0 = none
    uint32_t octets_at          # offset in Packet of the length that flows sum up
    uint64_t seed[KEY_WORDS + 1]

cdef inline Shape five_tuple() noexcept nogil:
    """The shape of the default key."""
    cdef Shape shape
    shape.n = FIVE_TUPLE_WORDS
    shape.leading = True
    shape.prefixes = False
    shape.biflow = True
    shape.ip_at = WORD_SRC_IP
    shape.ports_at = WORD_PORTS
    shape.mac_at = ABSENT
    return shape

cdef inline bint same_shape(Shape a, Shape b) noexcept nogil:
    return a.n == b.n and a.leading == b.leading and a.prefixes == b.prefixes and a.biflow == b.biflow and \
        a.ip_at == b.ip_at and a.ports_at == b.ports_at and a.mac_at == b.mac_at

cdef inline bint is_five_tuple(const KeyPlan* plan) noexcept nogil:
    """Is this the default key, with whole addresses?"""
    cdef Key whole
    cdef uint64_t* words = <uint64_t*>&whole
    cdef bint same = same_shape(plan.shape, five_tuple())
    cdef uint32_t i
    memset(&whole, 0, sizeof(Key))
    memset(&whole.src_ip, 0xFF, sizeof(whole.src_ip))
    memset(&whole.dst_ip, 0xFF, sizeof(whole.dst_ip))
    whole.src_port = whole.dst_port = 0xFFFF
    whole.protocol = 0xFF
    for i in range(<uint32_t>FIVE_TUPLE_WORDS):
        same = same and plan.mask[i] == words[i]
    return same

cdef inline int64_t interval_start(int64_t time, int64_t interval) noexcept nogil:
    """The multiple of `interval` at or before `time`, or the earliest time if that does not fit int64; NO_TIME of
    NO_TIME."""
    cdef int64_t earliest = NO_TIME + 1
    cdef int64_t rest = time % interval     # as in C: the rest has the sign of `time`
    if time == NO_TIME:
        return NO_TIME
    if rest >= 0:
        return time - rest
    return time - rest - interval if time - rest >= earliest + interval else earliest

cdef inline uint64_t swap_ports(uint64_t word) noexcept nogil:
    """Exchange the two 16-bit ports that stand first in memory, whatever the byte order of this machine."""
    cdef uint32_t pair
    memcpy(&pair, &word, 4)
    pair = pair << 16 | pair >> 16
    memcpy(&word, &pair, 4)
    return word

cdef inline bint is_mapped(const uint64_t* address) noexcept nogil:
    """Is this an IPv4 address, one in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2)?"""
    cdef const uint8_t* at = <const uint8_t*>address
    return address[0] == 0 and at[8] == 0 and at[9] == 0 and at[10] == 0xFF and at[11] == 0xFF

cdef inline void mask_prefixes(const KeyPlan* plan, const uint64_t* raw, uint64_t* words) noexcept nogil:
    cdef uint32_t i, which
    for i in range(plan.shape.n):
        which = plan.word[i]
        if which < WORD_PORTS and is_mapped(raw + (which & 2)):
            words[i] = raw[which] & plan.mask_v4[which]

cdef inline uint32_t direction(const KeyPlan* plan, Shape shape, const uint64_t* words) noexcept nogil:
    """1 if the key has to be turned, so that both directions have the same words."""
    cdef const uint64_t* ip = words + shape.ip_at
    cdef uint64_t ports
    if shape.ip_at != ABSENT:
        if ip[0] != ip[2] or ip[1] != ip[3]:
            return greater128(ip[0], ip[1], ip[2], ip[3])
    if shape.ports_at != ABSENT:
        ports = words[shape.ports_at]
        if ports != swap_ports(ports):
            return ports > swap_ports(ports)
    if shape.mac_at != ABSENT:
        return words[shape.mac_at] & plan.mask[shape.mac_at + 1] > words[shape.mac_at + 1]
    return 0

cdef inline void exchange(uint64_t* a, uint64_t* b, uint64_t mask) noexcept nogil:
    cdef uint64_t difference = (a[0] ^ b[0]) & mask
    a[0] ^= difference
    b[0] ^= difference

cdef inline void turn(const KeyPlan* plan, Shape shape, uint64_t* words, uint32_t flip) noexcept nogil:
    """Exchange the two ends if flip is 1. No branch, because the direction of a packet is as good as random."""
    cdef uint64_t mask = 0 - <uint64_t>flip, ports
    if shape.ip_at != ABSENT:
        exchange(&words[shape.ip_at], &words[shape.ip_at + 2], mask)
        exchange(&words[shape.ip_at + 1], &words[shape.ip_at + 3], mask)
    if shape.ports_at != ABSENT:
        ports = words[shape.ports_at]
        words[shape.ports_at] = ports ^ ((ports ^ swap_ports(ports)) & mask)
    if shape.mac_at != ABSENT:
        # Direction and offload flags share a word with the source MAC address and stay where they are.
        exchange(&words[shape.mac_at], &words[shape.mac_at + 1], mask & plan.mask[shape.mac_at + 1])

cdef inline uint32_t canonical(const KeyPlan* plan, Shape shape, uint64_t* words) noexcept nogil:
    """Turn words to the canonical direction; 1 if they are turned."""
    cdef uint32_t flip = direction(plan, shape, words)
    turn(plan, shape, words, flip)
    return flip

cdef inline uint32_t project(const KeyPlan* plan, Shape shape, const Key* key, uint64_t* words) noexcept nogil:
    """Write the canonical words of a key; 1 if they are turned. `shape` is the shape of the plan."""
    cdef const uint64_t* raw = <const uint64_t*>key
    cdef uint64_t kept[KEY_WORDS]   # a local copy: the compiler knows that no pointer leads to it
    cdef uint32_t i, flip = 0
    for i in range(shape.n):
        kept[i] = raw[i if shape.leading else plan.word[i]] & plan.mask[i]
    if shape.prefixes:
        mask_prefixes(plan, raw, kept)
    if shape.biflow:
        flip = canonical(plan, shape, kept)
    for i in range(shape.n):
        words[i] = kept[i]
    return flip

cdef inline void unproject(const KeyPlan* plan, Shape shape, const uint64_t* words, uint32_t flip,
                           Key* key) noexcept nogil:
    """Write the key in the direction in which it was seen. The caller zeroes the fields outside the mask."""
    cdef uint64_t turned[KEY_WORDS]
    cdef uint64_t* raw = <uint64_t*>key
    cdef uint32_t i
    for i in range(shape.n):
        turned[i] = words[i]
    turn(plan, shape, turned, flip)
    for i in range(shape.n):
        raw[i if shape.leading else plan.word[i]] = turned[i]

cdef inline uint64_t hash_words(const KeyPlan* plan, const uint64_t* words, uint32_t n) noexcept nogil:
    """One multiplication for two words, with seeds drawn for this process, so that no sender can aim at one slot."""
    cdef uint64_t sum = plan.seed[KEY_WORDS]
    cdef uint32_t i
    for i in range(0, n - (n & 1), 2):
        sum += multiply_fold(words[i] ^ plan.seed[i], words[i + 1] ^ plan.seed[i + 1])
    if n & 1:
        sum += multiply_fold(words[n - 1] ^ plan.seed[n - 1], plan.seed[n])
    return multiply_fold(sum, plan.seed[KEY_WORDS] | 1)
