# The structs that the stages hand on, and the enums that name outcomes. A stage takes a batch of Packet structs, reads
# the fields that earlier stages wrote and adds its own; what is counted goes on as a Digest.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fluxcap.base.memory cimport clear
from fluxcap.base.tunnels cimport TunnelPorts

cdef enum:
    # Packets a stage takes at once. They are enough to pay for a call and to hide a cache miss behind the packets that
    # follow. They are few enough to leave room in L1 for their bytes and rows: 64 cost small packets 4 %, 128 another
    # 9 %.
    BATCH = 32

    KEY_WORDS = 11
    MAC_OCTETS = 6

cdef enum:                      # Verdict
    VERDICT_NONE
    VERDICT_GOOD
    VERDICT_BAD
    VERDICT_PARTIAL
    VERDICT_ABSENT
    VERDICT_ILLEGAL
    VERDICT_TRUNCATED
    VERDICT_FRAGMENT
    VERDICT_BAD_LENGTH
    VERDICTS_END
    VERDICT_PENDING = 255       # decode found a sum to be taken; verify_batch() leaves none of these

ctypedef uint8_t Disposition
cdef enum:                      # Disposition
    COUNTED
    NON_IP
    UNKNOWN_LINK
    UNKNOWN_TRANSPORT
    TRUNCATED_HEADER
    MALFORMED
    ORPHAN_FRAGMENT
    FILTERED                    # from here on records that count nowhere else
    DUPLICATE
    DISPOSITIONS_END

# Why a record is MALFORMED or TRUNCATED_HEADER: where the walk stopped. Why it is DUPLICATE: how it differs.
ctypedef uint8_t Reason
cdef enum:                      # Reason
    REASON_NONE
    SHORT_LINK                  # the record ends inside a link-layer or encapsulation header
    SHORT_IP                    # ... inside an IPv4 or IPv6 header
    SHORT_EXTENSION             # ... inside an IPv6 extension header or AH
    SHORT_TRANSPORT             # ... before the ports
    WRONG_VERSION               # an IP header whose version is not what the layer below announced
    HEADER_LENGTH               # IPv4 IHL under 5
    TOTAL_LENGTH                # IPv4 total length under the header length
    TOO_MANY_TAGS               # over MAX_TAGS VLAN tags
    TOO_MANY_EXTENSIONS         # over MAX_EXTENSIONS extension headers
    TOO_MANY_LAYERS             # over MAX_LAYERS headers in all
    # Why a verdict is `partial`, where the reason is not the usual one; the walk did not stop.
    SEGMENTATION_OFFLOAD        # the card was to cut the packet up: the pseudo-header was summed without the length
    # How a copy of a packet differs most from the first record of it.
    EXACT_COPY                  # not at all from the IP header on, nor by what follows here
    OTHER_VLAN                  # another VLAN or MPLS label
    OTHER_TUNNEL                # another tunnel around it, or none
    ROUTED                      # another TTL or hop limit
    OTHER_INTERFACE             # captured at another interface
    REASONS_END

# Anomalies: counted, none of them fatal.
cdef enum:                      # Anomaly
    CAPTURED_OVER_WIRE          # captured length over the wire length
    CAPTURED_OVER_SNAPLEN       # captured length over the snap length the file declares
    FRACTION_OVER_SECOND        # a pcap record's fraction of a second is a second or more
    TIME_WENT_BACK              # earlier than the record before it
    TUNNELS_TOO_DEEP            # more tunnels than MAX_DEPTH: the record was read to that depth
    DATAGRAMS_EVICTED           # fragmented datagrams forgotten before they were complete, to make room
    FRAGMENTS_NOT_HELD          # fragments released before their first one came: they waited too long, or are too many
    OPTION_OVERRUN              # a pcapng option runs past its block: the rest of the block's options were dropped
    TSRESOL_LENGTH              # if_tsresol not one byte long: microseconds assumed
    ERRORS_NOT_KEPT             # too many ICMP errors about flows not seen yet: such flows may lack some
    REFUSED_TAGGED              # refused by the filter, which would accept the IP packet behind the VLAN tag
    REFUSED_INSIDE              # ... behind other headers: several tags, MPLS, PPPoE, a tunnel
    WITHOUT_TIME                # a simple packet block, which has no time
    TIME_OUT_OF_RANGE           # a time that 64 bits of nanoseconds cannot hold: NO_TIME as well
    DROPPED_BEFORE              # records that the capturing machine dropped, by the count of a snoop file
    COPIES_FORGOTTEN            # records that made room for others while copies of them could still come
    NAMES_NOT_KEPT              # names of servers that were too long, or that there was no room for
    ANSWERS_FORGOTTEN           # answers of DNS that made room for others
    HEADS_FORGOTTEN             # a ClientHello, request or answer that was not whole when it made room, or was too long
    ANOMALIES_END

# Which sum the checksum stage takes; decode sets it.
cdef enum Sum:
    SUM_NONE
    SUM_PLAIN                   # Internet checksum over the message alone (ICMP, IGMP)
    SUM_PSEUDO                  # ... with a pseudo-header (UDP, TCP, UDP-Lite, DCCP, ICMPv6)
    SUM_CRC32C                  # SCTP

cdef enum:
    HEADER_WORD = 4             # bytes that Packet.header_words, and the length field of IPv4, count

cdef enum:                      # what a record is to its connection
    RESENT = 1                  # a retransmission
    SHAKEN = 2                  # the last part of the handshake: from here on both of its round trips are known
    ACKS_UNSEEN = 4             # acknowledges bytes that were not seen before it
    AFTER_ACK = 8               # its bytes were acknowledged before it
    WAITED = 16                 # fragments: one that came before the first one of its datagram, and has its ports

# The direction of a record at its interface, in the numbers of pcapng (epb_flags, bits 0 and 1).
cdef enum:                      # Direction
    DIRECTION_UNKNOWN
    INBOUND
    OUTBOUND
    DIRECTIONS_END

# Work that the capturing machine left to its network card, or that the card had done: bits 9 to 11 of epb_flags, moved
# down.
cdef enum:                      # OffloadFlag
    CHECKSUM_NOT_READY = 1      # the card was to compute it
    CHECKSUM_VALID = 2          # the card has verified it
    SEGMENTS_JOINED = 4         # several segments of the wire: the card was to cut them, or has joined them

# All fields that a flow can be keyed by, zero-filled, in whole 64-bit words. A key is this struct under a mask, so any
# set of fields takes the same code. IPv4 addresses are ::ffff:a.b.c.d.
cdef struct Key:
    uint8_t src_ip[16]          # words 0, 1
    uint8_t dst_ip[16]          # words 2, 3
    uint16_t src_port           # word 4
    uint16_t dst_port
    uint16_t vlan
    uint8_t protocol
    uint8_t tos
    uint16_t ethertype          # word 5
    uint16_t inner_vlan
    uint32_t flow_label
    uint32_t mpls_label         # word 6
    uint32_t tunnel_id
    uint8_t src_mac[MAC_OCTETS]          # word 7
    uint8_t direction           # Direction
    uint8_t offload_flags
    uint8_t dst_mac[MAC_OCTETS]          # word 8
    uint8_t dst_pad[2]
    uint32_t file               # word 9
    uint32_t interface
    int64_t interval            # word 10: start of the time interval, ns or NO_TIME; 0 without intervals

cdef struct Packet:
    # capture
    # A packet does not own its data: the window lends it until the next batch is read, Datagrams.lent until the next
    # batch is tapped. A packet that is kept longer (Holding) has no data.
    const uint8_t* data
    uint64_t number             # 1-based, in its file
    uint64_t offset             # of data in the decompressed file
    uint16_t link_type
    uint8_t fcs                 # bytes of frame check sequence at the end of the wire length
    uint8_t refused             # by the user's filter; False where there is none
    uint8_t direction           # as the file says; the link header may say more
    uint8_t offload_flags       # OffloadFlag
    # From here on in the same order as in Digest:
    int64_t time                # ns since the epoch, or NO_TIME
    uint32_t captured           # bytes
    uint32_t wire               # bytes
    uint32_t interface          # index in its file, over all sections
    # decode
    uint32_t payload_length     # bytes above the transport header, as on the wire
    uint32_t tcp_seq
    uint32_t tcp_ack
    uint16_t tcp_window
    uint16_t quote              # quotation: 1 + place of the quoted key in the flow table's ring, 0 = none
    uint8_t disposition
    uint8_t reason
    uint8_t ip_version          # 0 = no IP header was read
    uint8_t tcp_flags
    uint8_t verdict             # the checksum stage judges this one and the next; decode judges GRE
    uint8_t ip_verdict
    uint8_t gre_verdict
    # ... to here
    uint8_t depth               # tunnels descended
    Key key
    uint8_t ttl                 # IPv6: hop limit
    uint8_t length_lies         # the IP length goes past the record's wire length
    uint8_t fragmented          # a piece of a datagram
    uint8_t fragmented_around   # bit n: the IP packet n tunnels deep is a fragment, and this packet lies inside it
    uint8_t more_fragments
    uint8_t waiting             # held back until its datagram's first fragment comes
    uint8_t sum_kind
    uint8_t pseudo_octets       # of pseudo_src and pseudo_dst: 4 or 16
    uint32_t ip_id
    uint32_t fragment_offset    # bytes
    uint32_t fragment_at        # place of its bytes in data
    uint32_t fragment_length    # bytes, on the wire
    uint32_t fragment_id
    uint32_t next_held          # 1 + place of the next packet waiting for the same datagram, 0 = none
    uint64_t datagram           # serial number of that datagram
    uint16_t ip_header_length   # bytes; IPv6: with its extension headers, MAX_EXTENSIONS of 2 KiB at most
    uint8_t mark                # flows: RESENT to AFTER_ACK where connections are followed, else WAITED or 0
    uint8_t completes           # a fragment after which its datagram is whole
    uint32_t ip_at              # place of the IP header in data
    uint32_t sum_at             # place of the summed bytes in data
    uint32_t sum_length         # bytes covered
    uint32_t pseudo_length      # the pseudo-header's length field
    uint32_t ip_length          # bytes of the IP packet as its header says, header included; may go past the record
    const uint8_t* pseudo_src   # where it is not src_ip: the home address (RFC 6275 section 11.3.1); else NULL
    const uint8_t* pseudo_dst   # where it is not dst_ip: the last hop of a live route (RFC 8200 section 8.1); else NULL
    uint32_t quote_at           # ICMP errors: place of the quoted IP header in data; 0 = none
    uint32_t tcp_mss            # of a SYN: the largest segment that its sender takes; 0 = not said
    # checksum
    uint32_t checksum           # as the record holds it (SCTP: 32 bits)
    uint32_t expected           # the right value; 0 where none was computed
    uint16_t ip_checksum
    uint16_t ip_expected
    uint16_t icmp               # type_unread() of an ICMP message, else 0
    uint8_t header_words        # of the transport header, 4 bytes each, as it says itself; 0 = it was not read whole
    # flows
    int64_t flow                # row in the flow table, -1 = in none
    int64_t quoted_flow         # ICMP errors: row of the quoted packet's flow, -1 = none, or none seen yet
    # copies; written only where copies are looked for, so that no other reading clears them
    uint64_t duplicate_of       # number of the first record of this packet; 0 = this one
    uint8_t duplicate_kind      # EXACT_COPY to OTHER_INTERFACE; REASON_NONE = it is no copy
    uint8_t duplicate_hops      # by how much the TTL differs from that of the first record

# What a decoded batch holds that further stages look at.
cdef enum:                      # Special
    FRAGMENTS = 1
    QUOTATIONS = 2

cdef struct Batch:
    Packet packets[BATCH]
    uint32_t n
    uint32_t special            # Special bits of all its packets

# decode_packets() as a pointer. Only one place may call it by name: with two, the walk is no longer compiled into its
# loop over a batch, and small packets take 3 % longer.
ctypedef uint32_t (*Decode)(
    Packet* packets, uint32_t n, const TunnelPorts* ports, uint32_t max_depth, uint32_t file,
    uint64_t* anomalies) noexcept nogil

# ... and its arguments that are the same for all packets of a reading.
cdef struct Decoder:
    Decode decode
    const TunnelPorts* ports
    uint32_t max_depth          # tunnels to descend at most

# What the ledger and the flow table need of a packet, in one cache line; the words of its key lie beside it.
cdef struct Digest:
    # From here on in the same order as in Packet:
    int64_t time
    uint32_t captured
    uint32_t wire
    uint32_t interface
    uint32_t payload_length
    uint32_t tcp_seq
    uint32_t tcp_ack
    uint16_t tcp_window
    uint16_t quote
    uint8_t disposition
    uint8_t reason
    uint8_t ip_version
    uint8_t tcp_flags
    uint8_t verdict
    uint8_t ip_verdict
    uint8_t gre_verdict
    # ... to here
    uint8_t protocol
    uint8_t flip                # the ends are swapped in the words of the key
    uint8_t mark                # RESENT to AFTER_ACK; set where connections are followed and `row` is not 0
    uint16_t ethertype          # set by the walk; the lane takes nothing but IP
    uint32_t octets             # the bytes that a flow counts: of the frame or of the IP packet
    uint32_t tag                # 32 bits of the hash of the key's words
    uint32_t row                # in the flow table, plus 1; 0 = in none
    uint16_t icmp               # of an ICMP message: as in Packet
    uint8_t header_words        # as in Packet

# Bytes that were kept of a packet; they lie behind it, zero where the packet has fewer than are wanted.
cdef struct Kept:
    uint32_t at                 # place of the first in the record; 0 = the record has no IP header
    uint32_t n                  # bytes there

# What a packet tells of the name of a server.
cdef struct Named:
    uint32_t asked              # 1 + number of the name that the address of one end was asked for by the other one,
    uint32_t said               # ... and of a name that the client says with this packet; 0 = none
    uint8_t basis               # NameBasis of `said`

cdef inline const uint8_t* octets_kept(const Kept* k) noexcept nogil:
    return <const uint8_t*>(k + 1)

cdef inline void reset(Packet* p, Disposition disposition) noexcept nogil:
    """Clear what the stages after the capture write. A refused record gets nothing more."""
    clear(&p.payload_length, <char*>&p.duplicate_of - <char*>&p.payload_length)
    p.disposition = disposition
    p.flow = p.quoted_flow = -1

cdef inline void copy_capture_fields(Key* to, const Key* from_) noexcept nogil:
    """Copy the fields of a key that come from the file, not from the packet."""
    to.file = from_.file
    to.interface = from_.interface
    to.direction = from_.direction
    to.offload_flags = from_.offload_flags

cdef inline bint is_left_out(Disposition disposition) noexcept nogil:
    """Does a record count nowhere but in the ledger?"""
    return disposition >= FILTERED

cdef inline bint in_a_flow(Disposition disposition) noexcept nogil:
    return (1 << COUNTED | 1 << UNKNOWN_TRANSPORT | 1 << ORPHAN_FRAGMENT) >> disposition & 1
