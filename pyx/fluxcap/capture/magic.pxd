# How does a capture begin, and does one begin where a record should? `cat` puts one capture behind another, which no
# format but pcapng allows; a file that was padded or allocated beforehand has zeros there.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from fluxcap.base.bytes cimport file16, file32
from fluxcap.capture.reader cimport DamageCode, JOINED, PADDING, Reader, Step, broken

cdef enum PcapKind:
    NO_PCAP
    PCAP_MICROSECONDS
    PCAP_NANOSECONDS
    PCAP_MODIFIED               # microseconds, and the record header of Kuznetzov's patch

cdef enum:                      # file header of a pcap, offsets in bytes
    VERSION_MAJOR = 4
    VERSION_MINOR = 6

cdef enum:                      # section header of a pcapng
    SECTION_HEADER = 0x0A0D0D0A  # a palindrome: the same in both byte orders
    ORDER_MAGIC = 8             # offset in bytes
    ORDER_MAGIC_VALUE = 0x1A2B3C4D

cdef enum:                      # file header of a snoop file
    SNOOP_MAGIC = 0x736E6F6F    # "snoo"; "p" and three zeros follow
    SNOOP_MAGIC_SIZE = 8        # bytes

cdef inline PcapKind pcap_kind(uint32_t magic) noexcept nogil:
    if magic == <uint32_t>0xA1B2C3D4U:
        return PCAP_MICROSECONDS
    elif magic == <uint32_t>0xA1B23C4DU:
        return PCAP_NANOSECONDS
    elif magic == <uint32_t>0xA1B2CD34U:
        return PCAP_MODIFIED
    return NO_PCAP

cdef inline bint is_pcap_version(uint32_t major, uint32_t minor) noexcept nogil:
    """2.0 to 2.4, and the 543.0 that some old ports wrote; libpcap refuses all others."""
    return major == 2 and minor <= 4 or major == 543 and minor == 0

cdef inline bint is_snoop(const uint8_t* at) noexcept nogil:
    return memcmp(at, "snoop\0\0\0", SNOOP_MAGIC_SIZE) == 0

cdef inline bint begins_capture(const uint8_t* at) noexcept nogil:
    """Is this the beginning of a file header? Of the 12 bytes that it takes, a pcap and a snoop file need 8."""
    cdef bint swapped = pcap_kind(file32(at, False)) == NO_PCAP
    if not swapped or pcap_kind(file32(at, True)) != NO_PCAP:
        return is_pcap_version(file16(at + VERSION_MAJOR, swapped), file16(at + VERSION_MINOR, swapped))
    if file32(at, False) == SECTION_HEADER:
        return file32(at + ORDER_MAGIC, False) == ORDER_MAGIC_VALUE or \
            file32(at + ORDER_MAGIC, True) == ORDER_MAGIC_VALUE
    return is_snoop(at)

cdef inline bint is_zero(const uint8_t* at, size_t size) noexcept nogil:
    cdef size_t i
    for i in range(size):
        if at[i]:
            return False
    return True

cdef inline Step no_record(Reader* r, size_t header, DamageCode code, uint64_t found, uint64_t wanted) noexcept nogil:
    """What the window begins with cannot be a record or a block, with a header of so many bytes: name what it is, or
    the damage."""
    cdef const uint8_t* at = r.buffer + r.start
    if begins_capture(at):
        return broken(r, JOINED, 0, 0)
    if is_zero(at, header):
        return broken(r, PADDING, 0, 0)
    return broken(r, code, found, wanted)
