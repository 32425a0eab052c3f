# Wireless link types: 802.11 frames, with or without a header of the capturing radio, up to the LLC header.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fluxcap.base.bytes cimport be32, le16, le32
from fluxcap.base.types cimport MAC_OCTETS, MALFORMED, Packet, SHORT_LINK
from fluxcap.layers.cursor cimport Cursor, LLC, Next, STOP, captured_left, drop_tail, give_up, here, short

cdef enum:
    AMSDU_HEADER = 14           # destination, source, length

cdef enum:                      # IEEE 802.11 frame control, least significant byte first
    DOT11_TYPE = 0x0C
    DOT11_DATA = 0x08
    DOT11_NO_DATA = 0x40        # subtype bit: a null function, which has no frame body
    DOT11_QOS = 0x80            # subtype bit: the header has a QoS control field
    DOT11_TO_DS = 0x01
    DOT11_FROM_DS = 0x02
    DOT11_PROTECTED = 0x40
    DOT11_ORDER = 0x80          # with QoS: the header has an HT control field
    DOT11_HEADER = 24
    DOT11_AMSDU = 0x80          # in the QoS control field

cdef inline Next ieee802_11(Cursor* c, Packet* p) noexcept nogil:
    return dot11(c, p, False, False)

cdef inline Next dot11(Cursor* c, Packet* p, bint padded, bint swapped) noexcept nogil:
    """Move to the LLC header of a data frame; management frames and encrypted bodies are not IP. `padded`: some drivers
    round the header up to 32 bits and say so in the flags of radiotap. `swapped`: the two bytes of the frame control
    are swapped."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t header = DOT11_HEADER, kind, flags
    if captured_left(c) < 2:
        return short(c, p, 2, SHORT_LINK)
    kind = at[1] if swapped else at[0]
    flags = at[0] if swapped else at[1]
    if kind & DOT11_TYPE != DOT11_DATA or kind & DOT11_NO_DATA or flags & DOT11_PROTECTED:
        return STOP
    if flags & DOT11_TO_DS and flags & DOT11_FROM_DS:
        header += MAC_OCTETS
    if kind & DOT11_QOS:
        header += 2
        if flags & DOT11_ORDER:
            header += 4
    if captured_left(c) < header:
        return short(c, p, header, SHORT_LINK)
    if kind & DOT11_QOS and at[header - 2] & DOT11_AMSDU and not flags & DOT11_ORDER:
        return dot11_amsdu(c, p, header)
    memcpy(p.key.dst_mac, at + (16 if flags & DOT11_TO_DS else 4), MAC_OCTETS)
    if flags & DOT11_FROM_DS:
        memcpy(p.key.src_mac, at + (24 if flags & DOT11_TO_DS else 16), MAC_OCTETS)
    else:
        memcpy(p.key.src_mac, at + 10, MAC_OCTETS)
    if padded:
        header = (header + 3) & ~3
        if captured_left(c) < header:
            return short(c, p, header, SHORT_LINK)
    c.at += header
    return LLC

cdef inline Next dot11_amsdu(Cursor* c, Packet* p, uint32_t header) noexcept nogil:
    """An aggregate of frames, each with destination, source and length. Only the first one is read."""
    cdef const uint8_t* at
    if captured_left(c) < header + AMSDU_HEADER:
        return short(c, p, header + AMSDU_HEADER, SHORT_LINK)
    c.at += header
    at = here(c)
    memcpy(p.key.dst_mac, at, MAC_OCTETS)
    memcpy(p.key.src_mac, at + 6, MAC_OCTETS)
    c.at += AMSDU_HEADER
    return LLC

cdef enum:
    RADIOTAP_TSFT = 1 << 0
    RADIOTAP_FLAGS = 1 << 1
    RADIOTAP_MORE = 0x80        # in the last byte of a presence word: another one follows
    RADIOTAP_FLAG_FCS = 0x10
    RADIOTAP_FLAG_PADDED = 0x20
    DOT11_FCS = 4

cdef inline Next radiotap(Cursor* c, Packet* p) noexcept nogil:
    """Version, padding, length, presence words, fields. Only the field Flags is read: it tells FCS and padding."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length, field = 8, flags = 0
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    length = le16(at + 2)
    if length < 8:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    while field <= length and at[field - 1] & RADIOTAP_MORE:
        field += 4
    if le32(at + 4) & RADIOTAP_TSFT:
        field = ((field + 7) & ~7) + 8
    if le32(at + 4) & RADIOTAP_FLAGS and field < length:
        flags = at[field]
    c.at += length
    if flags & RADIOTAP_FLAG_FCS:
        drop_tail(c, DOT11_FCS)
    return dot11(c, p, flags & RADIOTAP_FLAG_PADDED != 0, False)

cdef inline Next prism(Cursor* c, Packet* p) noexcept nogil:
    """Prism: message code, message length (in the byte order of the writer), device, values. Or AVS, big-endian, with
    its length in the second word."""
    cdef const uint8_t* at = here(c)
    cdef uint32_t length
    if captured_left(c) < 8:
        return short(c, p, 8, SHORT_LINK)
    length = be32(at + 4)
    if length > 0xFFFF:
        length = le32(at + 4)
    if length < 8:
        return give_up(p, MALFORMED, SHORT_LINK)
    if captured_left(c) < length:
        return short(c, p, length, SHORT_LINK)
    c.at += length
    return dot11(c, p, False, False)
