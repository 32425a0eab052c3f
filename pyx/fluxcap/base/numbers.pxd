# Assigned numbers that several files use; link types are in layers/link.pxd.
# https://www.iana.org/assignments

cdef enum:                      # ethertypes
    ETHERTYPE_IPV4 = 0x0800
    ETHERTYPE_ERSPAN_III = 0x22EB
    ETHERTYPE_TRANSPARENT = 0x6558      # an Ethernet frame (RFC 1701, RFC 7637)
    ETHERTYPE_EOIP = 0x6400             # MikroTik's, in a GRE header of version 1
    ETHERTYPE_ARP = 0x0806
    ETHERTYPE_VLAN = 0x8100
    ETHERTYPE_ARUBA = 0x8200            # first of the range that Aruba uses for 802.11 frames in GRE
    ETHERTYPE_ARUBA_LAST = 0x8210       # ... and last
    ETHERTYPE_IPV6 = 0x86DD
    ETHERTYPE_PPP = 0x880B
    ETHERTYPE_WCCP = 0x883E
    ETHERTYPE_MPLS = 0x8847
    ETHERTYPE_MPLS_MULTICAST = 0x8848
    ETHERTYPE_PPPOE_SESSION = 0x8864
    ETHERTYPE_QINQ = 0x88A8
    ETHERTYPE_LLDP = 0x88CC
    ETHERTYPE_ERSPAN = 0x88BE
    ETHERTYPE_MACSEC = 0x88E5
    ETHERTYPE_PBB = 0x88E7              # provider backbone bridges: 802.1ah I-TAG
    ETHERTYPE_FABRICPATH = 0x8903       # Cisco's, around a whole frame
    ETHERTYPE_CISCO_METADATA = 0x8909
    ETHERTYPE_VN_TAG = 0x8926
    ETHERTYPE_E_TAG = 0x893F            # 802.1BR
    ETHERTYPE_NSH = 0x894F
    ETHERTYPE_QINQ_OLD = 0x9100
    ETHERTYPE_ARISTA = 0xD28B           # a tag with a time stamp
    ETHERTYPE_FIRST = 0x0600            # a smaller value is a length (IEEE 802.3), and LLC follows

cdef enum:                      # IP protocols
    IP_HOP_BY_HOP = 0
    IP_ICMP = 1
    IP_IGMP = 2
    IP_IPV4 = 4
    IP_TCP = 6
    IP_UDP = 17
    IP_DCCP = 33
    IP_IPV6 = 41
    IP_ROUTING = 43
    IP_FRAGMENT = 44
    IP_GRE = 47
    IP_ESP = 50
    IP_AH = 51
    IP_ICMPV6 = 58
    IP_NO_NEXT = 59
    IP_DESTINATION_OPTIONS = 60
    IP_PIM = 103
    IP_L2TP = 115
    IP_SCTP = 132
    IP_MOBILITY = 135
    IP_UDP_LITE = 136
    IP_MPLS = 137
    IP_HIP = 139
    IP_SHIM6 = 140
    IP_ETHERNET = 143

cdef enum:                      # UDP ports of tunnels
    PORT_L2TP = 1701
    PORT_GTP_U = 2152
    PORT_GTP_0 = 3386
    PORT_TEREDO = 3544
    PORT_LISP = 4341
    PORT_GRE_IN_UDP = 4754
    PORT_VXLAN = 4789
    PORT_VXLAN_GPE = 4790
    PORT_AYIYA = 5072
    PORT_CAPWAP_DATA = 5247
    PORT_GENEVE = 6081
    PORT_MPLS_IN_UDP = 6635
    PORT_VXLAN_LINUX = 8472             # the default of Linux
    PORT_TZSP = 37008

cdef enum:                      # TCP flags, RFC 9293 section 3.1
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    ACK = 0x10

cdef enum:
    # The largest window (RFC 7323 section 2.3): a number that lies further away is not of this sequence.
    TCP_WINDOW_MAX = 1 << 30
