# What headers look like: one row a header. A row has its title, its layer, and its fields in order, each as NAME:BITS,
# then a letter on how the value is meant: x hexadecimal, l the same with the lowest byte first, m a hardware address,
# a an IP address, f flags, o bytes that are not taken apart; and ?MASK: the field is there only if one of these bits is
# set in the first 16 bits of the header. NAME:* is what is left of the header, NAME:*t the same as options of type,
# length and value. A row that ends with "..." is repeated up to the last entry, in which the field before the last is
# set.

import re

from libc.stdint cimport uint32_t

from fluxcap.base.numbers cimport (
    ETHERTYPE_ARUBA, ETHERTYPE_ARUBA_LAST, ETHERTYPE_ERSPAN, ETHERTYPE_ERSPAN_III, ETHERTYPE_FIRST)
from fluxcap.layers.cursor cimport ETHERTYPE, LINK, LLC, PROTOCOL, UDP_TUNNEL
from fluxcap.layers.tunnel cimport (
    ERSPAN_II_HEADER, ERSPAN_III_HEADER, ERSPAN_III_PLATFORM, GRE_CHECKSUM, GRE_HEADER, GRE_KEY, GRE_ROUTING,
    GRE_SEQUENCE, GRE_VERSION)

cdef enum:
    BITS = 8                    # of a byte
    RADIOTAP_HEADER = 8

cdef dict LINK_HEADERS = {
    0: "loopback", 1: "ethernet", 9: "ppp", 50: "ppp", 104: "c_hdlc", 105: "ieee802_11", 108: "loopback",
    113: "linux_sll", 127: "radiotap", 192: "ppi", 276: "linux_sll2",
}
cdef dict ETHERTYPE_HEADERS = {
    0x0800: "ipv4", 0x0806: "arp", 0x8100: "vlan", 0x88A8: "vlan", 0x9100: "vlan", 0x86DD: "ipv6", 0x8847: "mpls",
    0x8848: "mpls", 0x8864: "pppoe", 0x894F: "nsh", 0x88E5: "macsec",
}
cdef dict PROTOCOL_HEADERS = {
    0: "hop_by_hop", 1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 43: "routing", 44: "fragment", 47: "gre",
    51: "ah", 58: "icmpv6", 60: "destination_options", 103: "pim", 115: "l2tp_session", 132: "sctp", 136: "udp_lite",
}

cdef str PORTS_ROW = "source port:16 destination port:16"

cdef dict HEADERS = {
    "ethernet": ("Ethernet", "link", "destination:48m source:48m type:16x"),
    "loopback": ("BSD loopback", "link", "address family:32x"),
    "ppp": ("PPP", "link", "address:8x control:8x protocol:16x"),
    "c_hdlc": ("Cisco HDLC", "link", "address:8x control:8x type:16x"),
    "ieee802_11": ("IEEE 802.11", "link", "frame control:16x duration:16x address 1:48m address 2:48m address 3:48m"
                   " sequence control:16x more:*"),
    "radiotap": ("Radiotap", "link", "version:8 pad:8 length:16l present:32l fields:*"),
    "ppi": ("PPI", "link", "version:8 flags:8x length:16l data link type:32l fields:*"),
    "linux_sll": ("Linux cooked capture", "link", "packet type:16 hardware type:16 address length:16 address:64o"
                  " protocol:16x"),
    "linux_sll2": ("Linux cooked capture v2", "link", "protocol:16x reserved:16 interface:32 hardware type:16"
                   " packet type:8 addr length:8 address:64o"),
    "llc": ("LLC", "link", "DSAP:8x SSAP:8x control:8x organisation:24x type:16x"),
    "vlan": ("VLAN tag", "link", "PCP:3 D:1 VLAN identifier:12 type:16x"),
    "mpls": ("MPLS", "link", "label:20 class:3 S:1 time to live:8 ..."),
    "pppoe": ("PPPoE session", "link", "ver:4 type:4 code:8 session:16x length:16 PPP protocol:16x"),
    "nsh": ("NSH", "link", "ver:2 flags:2 TTL:6 length:6 MD type:8 next protocol:8 service path:24 index:8 context:*"),
    "macsec": ("MACsec", "link", "flags:8x short length:8 packet number:32 more:*"),
    "arp": ("ARP", "network", "hardware type:16 protocol type:16x hw length:8 proto length:8 operation:16"
            " sender hardware address:48m sender address:32a target hardware address:48m target address:32a"),
    "ipv4": ("IPv4", "network", "version:4 IHL:4 DSCP, ECN:8x total length:16 identification:16x flags:3f"
             " fragment offset:13 time to live:8 protocol:8 header checksum:16x source address:32a"
             " destination address:32a options:*t"),
    "ipv6": ("IPv6", "network", "version:4 traffic class:8x flow label:20x payload length:16 next header:8 hop limit:8"
             " source address:128a destination address:128a"),
    "hop_by_hop": ("Hop-by-hop options", "network", "next header:8 length:8 options:*"),
    "destination_options": ("Destination options", "network", "next header:8 length:8 options:*"),
    "routing": ("Routing", "network", "next header:8 length:8 routing type:8 segments left:8 reserved:32x addresses:*"),
    "fragment": ("Fragment", "network", "next header:8 reserved:8 fragment offset:13 res:2 M:1 identification:32x"),
    "ah": ("Authentication", "network", "next header:8 length:8 reserved:16 security parameters index:32x"
           " sequence number:32 integrity check value:*"),
    "extension": ("Extension", "network", "next header:8 length:8 more:*"),
    "gre": ("GRE", "tunnel", "C:1 R:1 K:1 S:1 reserved:9 ver:3 protocol type:16x checksum:16x?C000 offset:16?C000"
            " key:32x?2000 sequence number:32?1000 inside:*"),
    # draft-foschiano-erspan sections 4.2 and 4.3
    "erspan_2": ("ERSPAN II", "tunnel", "version:4 VLAN:12 COS:3 En:2 T:1 session:10 reserved:12 index:20"),
    "erspan_3": ("ERSPAN III", "tunnel", "version:4 VLAN:12 COS:3 BSO:2 T:1 session:10 timestamp:32"
                 " security group tag:16 P:1 FT:5 hardware:6 D:1 Gra:2 O:1"),
    "erspan_platform": ("ERSPAN III platform", "tunnel", "platform:6 information:58x"),
    "vxlan": ("VXLAN", "tunnel", "flags:8x reserved:24x VNI:24 reserved:8x"),
    "vxlan_gpe": ("VXLAN-GPE", "tunnel", "flags:8x reserved:16x next protocol:8 VNI:24 reserved:8x"),
    "geneve": ("GENEVE", "tunnel", "V:2 opt length:6 flags:8x protocol type:16x VNI:24 reserved:8x options:*"),
    "gtp": ("GTP", "tunnel", "ver:3 T:1 flags:4x message type:8 length:16 tunnel endpoint identifier:32x"
            " sequence number:16 N-PDU:8 next extension:8 extensions:*"),
    "capwap": ("CAPWAP", "tunnel", "version:4 type:4 HLEN:5 radio:5 WBID:5 flags:9x fragment:16 fragment offset:13"
               " reserved:3 wireless:*"),
    "lisp": ("LISP", "tunnel", "flags:8x nonce or versions:24x instance, status bits:32x"),
    "tzsp": ("TZSP", "tunnel", "version:8 type:8 protocol:16 fields:*"),
    "l2tp": ("L2TP", "tunnel", "flags:12x version:4 fields:*"),
    "ayiya": ("AYIYA", "tunnel", "ID length:4 ID type:4 signature:4 hash:4 authentication:4 operation:4 next header:8"
              " epoch:32 identity, signature:*"),
    "teredo": ("Teredo", "tunnel", "authentication, origin:*"),
    "pim": ("PIM", "tunnel", "ver:4 type:4 reserved:8 checksum:16x flags:32x"),
    "l2tp_session": ("L2TPv3", "tunnel", "session identifier:32x cookie:*"),
    "udp": ("UDP", "transport", f"{PORTS_ROW} length:16 checksum:16x"),
    "udp_lite": ("UDP-Lite", "transport", f"{PORTS_ROW} checksum coverage:16 checksum:16x"),
    "tcp": ("TCP", "transport", f"{PORTS_ROW} sequence number:32 acknowledgment number:32 offset:4 rsvd:4 flags:8f"
            " window:16 checksum:16x urgent pointer:16 options:*t"),
    "sctp": ("SCTP", "transport", f"{PORTS_ROW} verification tag:32x checksum (CRC32c):32l"),
    "dccp": ("DCCP", "transport", f"{PORTS_ROW} data offset:8 CCVal:4 CsCov:4 checksum:16x res:3 type:4 X:1"
             " reserved:8 sequence number:48 more:*"),
    "icmp": ("ICMP", "transport", "type:8 code:8 checksum:16x rest of header:32x"),
    "icmpv6": ("ICMPv6", "transport", "type:8 code:8 checksum:16x message body:32x"),
    "igmp": ("IGMP", "transport", "type:8x max resp time:8 checksum:16x group address:32a"),
}

# Options of one byte, and the names of others, by their types.
cdef dict OPTIONS = {
    "ipv4": {0: "end", 1: "NOP", 7: "record route", 68: "timestamp", 130: "security", 131: "loose source route",
             136: "stream identifier", 137: "strict source route", 148: "router alert"},
    "tcp": {0: "end", 1: "NOP", 2: "MSS", 3: "window scale", 4: "SACK permitted", 5: "SACK", 8: "timestamps",
            19: "MD5", 28: "user timeout", 29: "TCP-AO", 30: "multipath", 34: "fast open"},
}


cdef str header_kind(uint32_t space, uint32_t number):
    """The row of the header that this number leads to; a name that has no row if it is not taken apart."""
    if space == LINK:
        return LINK_HEADERS.get(number, f"link_type_{number}")
    elif space == ETHERTYPE:
        return "llc" if number < ETHERTYPE_FIRST else ETHERTYPE_HEADERS.get(number, f"ethertype_{number:#06x}")
    elif space == UDP_TUNNEL:
        return TUNNELS[number]
    elif space == PROTOCOL:
        return PROTOCOL_HEADERS.get(number, f"protocol_{number}")
    return "llc" if space == LLC else "ppp"


cdef list headers_of_step(str kind, bytes octets):
    """The headers that one step of the walk reads, if it reads several: the row of each, the tunnels around it more
    than around the first one, and where it begins."""
    cdef int at = GRE_HEADER
    if kind == "radiotap" and len(octets) >= RADIOTAP_HEADER:
        return [(kind, 0, 0), ("ieee802_11", 0, int.from_bytes(octets[2:4], "little"))]
    if kind != "gre" or len(octets) < GRE_HEADER:
        return [(kind, 0, 0)]
    flags, protocol = int.from_bytes(octets[:2]), int.from_bytes(octets[2:4])
    at += 4 * ((flags & GRE_CHECKSUM != 0) + (flags & GRE_KEY != 0) + (flags & GRE_SEQUENCE != 0))
    if flags & (GRE_ROUTING | GRE_VERSION):
        return [(kind, 0, 0)]
    if ETHERTYPE_ARUBA <= protocol <= ETHERTYPE_ARUBA_LAST:
        return [(kind, 0, 0), ("ieee802_11", 1, at)]
    if protocol != ETHERTYPE_ERSPAN and protocol != ETHERTYPE_ERSPAN_III:
        return [(kind, 0, 0)]
    found = [(kind, 0, 0)]
    if protocol == ETHERTYPE_ERSPAN_III:
        found.append(("erspan_3", 0, at))
        at += ERSPAN_III_HEADER
        if octets[at - 1:at] and octets[at - 1] & 1:
            found.append(("erspan_platform", 0, at))
            at += ERSPAN_III_PLATFORM
    elif flags & GRE_SEQUENCE:
        found.append(("erspan_2", 0, at))
        at += ERSPAN_II_HEADER
    return [*found, ("ethernet", 1, at)]


cdef int fixed_bits(str fields):
    """Bits of the fields that every header of this row has."""
    return sum([int(re.match(r"\d+", size)[0]) for size in re.findall(r":(\d[^?\s]*)(?=\s|$)", fields)])


cdef list options(dict named, bytes octets, int at):
    """The options from a byte on, as fields."""
    cdef list fields = []
    cdef int size
    while at < len(octets):
        kind = octets[at]
        size = 1 if kind <= 1 else octets[at + 1] if at + 1 < len(octets) else 0
        if size == 0 or kind > 1 and size < 2 or at + size > len(octets):
            fields.append(("options", at * BITS, (len(octets) - at) * BITS, "o", int.from_bytes(octets[at:])))
            break
        fields.append((named.get(kind, f"option {kind}"), at * BITS, size * BITS, "t",
                       int.from_bytes(octets[at + 2:at + size])))
        at += size
        if kind == 0 and at < len(octets):
            fields.append(("padding", at * BITS, (len(octets) - at) * BITS, "o", int.from_bytes(octets[at:])))
            break
    return fields


cdef list header_fields(str kind, bytes octets):
    """The fields of a header, as far as its bytes are there: name, bit, bits, how the value is meant, value."""
    cdef list fields = []
    cdef object at = 0, end = len(octets) * BITS, width     # Python's integers: a field may have 128 bits
    first = int.from_bytes(octets[:2])
    row = HEADERS[kind][2] if kind in HEADERS else "not taken apart:*"
    specs = re.findall(r"(\S[^:]*):(\d+|\*)(\w?)(?:\?(\w+))?(?:\s|$)", row)
    while at < end:
        for name, size, form, mask in specs:
            if mask and not first & int(mask, 16):
                continue
            if size == "*" and form == "t" and at < end:
                fields += options(OPTIONS[kind], octets, at // BITS)
                at = end
                break
            width = end - at if size == "*" else int(size)
            if width == 0 or at + width > end:
                break
            past = (at + width + BITS - 1) // BITS
            value = int.from_bytes(octets[at // BITS:past]) >> past * BITS - at - width & (<object>1 << width) - 1
            fields.append((name, at, width, form or ("o" if size == "*" else ""), value))
            at += width
        if not row.endswith("...") or len(fields) < len(specs) or fields[len(fields) - 2][4]:
            break
    if at < end:
        at = (at + BITS - 1) // BITS * BITS
        fields.append(("more", at, end - at, "o", int.from_bytes(octets[at // BITS:])))
    return fields
