# The state of reading one input: a window of its bytes, what its headers said, and what was wrong with it.
# The function of a format (pcap_record, pcapng_block) reads the window and returns a Step; RECORD fills the packet.
# A size that a file states is never allocated: the window doubles only when it is full of bytes that have come.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    # The longest record that is believed: MAXIMUM_SNAPLEN of libpcap, WTAP_MAX_PACKET_SIZE_STANDARD of Wireshark. A
    # larger captured length means that the file is damaged; to believe it is to read garbage as packets.
    MAX_CAPTURED = 262144
    # The longest pcapng block (MAX_BLOCKSIZE of libpcap): room for a record and its comments, or for a key log.
    MAX_BLOCK = 16777216
    # Interface descriptions in one input. Test suites have inputs with a hundred thousand. Each takes
    # sizeof(Interface), five times its bytes in the file, so there has to be a limit.
    MAX_INTERFACES = 262144
    NAME_OCTETS = 64            # bytes of an interface name kept for display (Linux allows 15, Windows GUIDs have 50)

cdef enum Step:
    RECORD                      # the packet is filled and the window is past it
    SKIPPED                     # the window is past a header, or a block without a packet
    MORE                        # the window ends inside the record: more bytes are needed
    MORE_INTERFACES             # the table of interfaces is full: make room and call again
    STRAY                       # the window is past bytes that are not records, see resync.pxd
    BROKEN                      # reader.damage says how

cdef enum Format:
    FORMAT_UNKNOWN
    FORMAT_PCAP
    FORMAT_PCAPNG
    FORMAT_SNOOP
    FORMAT_MERGED               # records of several inputs, see merged.pxd

cdef enum DamageCode:
    DAMAGE_NONE
    EMPTY                       # the input has no bytes
    NOT_A_CAPTURE               # found = first four bytes, big-endian
    FILE_HEADER_CUT             # found < wanted bytes
    UNSUPPORTED_VERSION         # found = major << 16 | minor
    RESERVED_LINK_BITS          # found = the pcap link type field (bits 16..25 must be zero)
    RECORD_HEADER_CUT           # found < wanted bytes
    RECORD_CUT                  # found < wanted bytes
    CAPLEN_TOO_BIG              # found > wanted = MAX_CAPTURED
    BLOCK_TOO_SHORT             # found = the length field of the block, under wanted bytes
    BLOCK_TOO_LONG              # found > wanted = MAX_BLOCK
    BLOCK_MISALIGNED            # found, not a multiple of 4
    BLOCK_TRAILER               # found = trailing length, wanted = leading length
    BLOCK_CUT                   # found < wanted bytes
    NO_INTERFACE                # found = interface index, wanted = number of interfaces
    TOO_MANY_INTERFACES         # wanted = MAX_INTERFACES
    CAPLEN_PAST_BLOCK           # found = captured length, wanted = room in the block
    BYTE_ORDER_MAGIC            # found
    TSRESOL                     # found = the option's byte
    CAPLEN_PAST_RECORD          # found = captured length, wanted = room in the record
    RECORD_TOO_LONG             # found > wanted = MAX_BLOCK
    SNOOP_LINK                  # found = snoop's number of a link type that is not read
    JOINED                      # another capture begins where a record should: read on, unless snoop is one of the two
    JOINED_CUT                  # ... and ends in its file header: found < wanted bytes
    PADDING                     # zeros where a record should begin
    TOO_MANY_STRAYS             # wanted = MAX_STRAYS
    DAMAGES_END

cdef struct Damage:
    uint32_t code
    uint64_t packet             # whole records read before it
    uint64_t offset             # of the broken record or block
    uint64_t found              # the two numbers that disagree
    uint64_t wanted

# What is known of the records of an input before one of them is read: chain.pxd tells by it whether bytes are records.
cdef struct Framing:
    int format                  # FORMAT_PCAP or FORMAT_PCAPNG
    bint swapped
    # pcap
    uint32_t header             # bytes of a record header
    int lengths                 # their order, as in the reader
    uint32_t fraction_max
    uint32_t snaplen
    uint16_t link_type
    uint32_t odd                # oddities that one record has had,
    uint32_t loose              # ... and those of more than one: rules that this input does not keep
    uint32_t cut                # the captured length of the last record that was cut, but not to the snap length
    uint32_t largest            # captured length
    bint timed                  # a record has been read:
    uint32_t second             # ... its time
    # pcapng
    uint32_t interfaces         # of the section
    bint sections_only          # the reading can go on only at a section header

cdef struct Stray:              # bytes between two records that belong to neither
    uint64_t offset
    uint64_t packet             # whole records read before it
    uint64_t size

cdef enum:
    # Strays in one input. One in 10 MB of a file of 600 GB; a file with more is hardly a capture. Python makes an
    # exception of each, so there has to be a limit.
    MAX_STRAYS = 65536

cdef struct Resync:             # where the reading goes on after damage, see resync.pxd
    Framing framing
    uint64_t trusted            # offset up to which a chain of records was checked
    bint searching
    uint64_t origin             # offset where the search began
    Damage damage               # what was met there
    bint fresh                  # pcapng: the next block is the first one behind stray bytes
    bint unsure                 # ... interfaces of this section may have been among stray bytes
    uint64_t before             # records before the section
    Stray* strays
    uint64_t strays_room
    uint64_t n_strays
    uint64_t* seen              # bits, see chain.pxd

cdef struct Interface:
    uint16_t link_type
    uint8_t fcs                 # bytes
    uint8_t name_length
    bint swapped                # its description has the other byte order than this machine
    uint32_t program            # 1 + index of the filter program of its link type, 0 = not asked for yet
    uint32_t snaplen            # 0 = no limit
    uint64_t multiplier         # ns = ticks * multiplier / divisor >> shift + offset
    uint64_t divisor            # 0 = a resolution that no clock has
    uint32_t shift
    uint8_t tsresol             # as in the file
    int64_t offset_s
    uint32_t file               # FORMAT_MERGED: which input has it,
    uint32_t number             # ... and its place there
    uint8_t name[NAME_OCTETS]

# Kept beside the interfaces, not in them: the ledger writes the counts while other threads read the interfaces.
cdef struct InterfaceCounts:
    uint64_t packets
    uint64_t unknown            # ... whose link type is not read
    uint64_t dropped            # by the interface and the system, as the last statistics block of the interface says
    bint counts_drops           # there is such a block, and it says so

cdef struct Reader:
    # the window
    uint8_t* buffer
    size_t capacity
    size_t start                # first byte not consumed
    size_t end                  # past the last byte
    uint64_t base               # offset of buffer[0] in the input
    bint ended                  # no more bytes will come
    # the input
    int format
    bint swapped                # its byte order is not that of this machine
    uint64_t number             # records read
    Damage damage
    uint64_t* anomalies         # ANOMALIES_END counters; the owner of the reader says where they are
    Resync* resync              # NULL: damage ends the reading
    uint64_t joined             # captures in this input that begin behind another one:
    uint64_t joined_packet      # ... records before the first of them,
    uint64_t joined_offset      # ... and where it begins
    # pcap
    uint32_t record_header      # 16 bytes, or 24 with Kuznetzov's modified header
    uint32_t fraction_ns        # ns a unit of the time stamp's fraction
    uint32_t fraction_max       # the largest that is less than a second
    int lengths                 # the order of the two lengths, see pcap.pxd
    # snoop
    uint32_t drops              # records dropped before the one that was read last
    # pcapng
    uint32_t sections
    uint32_t section_interfaces  # index of the section's first interface; of a pcap, the index of its interface
    Interface* interfaces
    InterfaceCounts* counts     # one for each of them
    uint32_t n_interfaces
    uint32_t interfaces_room

cdef inline size_t available(const Reader* r) noexcept nogil:
    return r.end - r.start

cdef inline uint64_t position(const Reader* r) noexcept nogil:
    return r.base + r.start

cdef inline Step broken(Reader* r, DamageCode code, uint64_t found, uint64_t wanted) noexcept nogil:
    r.damage.code = code
    r.damage.packet = r.number
    r.damage.offset = position(r)
    r.damage.found = found
    r.damage.wanted = wanted
    return BROKEN

cdef inline Step more(Reader* r, DamageCode if_ended, uint64_t wanted) noexcept nogil:
    """The window is too short for `wanted` bytes: wait for them, or call the input cut when it has ended."""
    if r.ended:
        return broken(r, if_ended, available(r), wanted)
    return MORE
