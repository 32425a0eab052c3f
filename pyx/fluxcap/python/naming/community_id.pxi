# Community IDs of rows, and what stands for ports in them.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from fluxcap.base.bytes cimport be16
from fluxcap.base.types cimport Key
from fluxcap.text.community_id cimport COMMUNITY_BASE64, COMMUNITY_HEX, HashedEnds, put_community_id, read_ports


def community_ids(const uint8_t[::1] protocol, const uint8_t[:, ::1] src_ip, const uint16_t[::1] src_port,
                  const uint8_t[:, ::1] dst_ip, const uint16_t[::1] dst_port, const uint16_t[::1] icmp,
                  uint16_t seed, bint as_hex):
    cdef uint64_t n = protocol.shape[0], width = COMMUNITY_HEX if as_hex else COMMUNITY_BASE64, row
    cdef bytes made
    cdef uint8_t* to
    cdef Key key
    for rows in (src_ip.shape[0], src_port.shape[0], dst_ip.shape[0], dst_port.shape[0], icmp.shape[0]):
        if <uint64_t>rows != n:
            raise ValueError(f"the columns have {n} and {rows} rows")
    if n and (src_ip.shape[1] != sizeof(key.src_ip) or dst_ip.shape[1] != sizeof(key.dst_ip)):
        raise TypeError(f"an address has 16 bytes, not {src_ip.shape[1]} and {dst_ip.shape[1]}")
    made = PyBytes_FromStringAndSize(NULL, n * width)
    to = <uint8_t*>PyBytes_AS_STRING(made)
    memset(&key, 0, sizeof(Key))
    with nogil:
        for row in range(n):
            if protocol[row] == 0:      # no IP, or not known which protocol
                memset(to + row * width, 0, width)
                continue
            key.protocol = protocol[row]
            memcpy(key.src_ip, &src_ip[row, 0], sizeof(key.src_ip))
            memcpy(key.dst_ip, &dst_ip[row, 0], sizeof(key.dst_ip))
            key.src_port, key.dst_port = src_port[row], dst_port[row]
            put_community_id(to + row * width, &key, icmp[row], seed, as_hex)
    return made


def icmp_ports(const uint8_t[::1] protocol, const uint16_t[::1] src_port, const uint16_t[::1] dst_port,
               const uint16_t[::1] icmp):
    cdef uint64_t n = protocol.shape[0], row
    cdef bytes made = PyBytes_FromStringAndSize(NULL, n * 2 * sizeof(uint16_t))
    cdef uint16_t* to = <uint16_t*><void*>PyBytes_AS_STRING(made)
    cdef HashedEnds ends
    cdef Key key
    for rows in (src_port.shape[0], dst_port.shape[0], icmp.shape[0]):
        if <uint64_t>rows != n:
            raise ValueError(f"the columns have {n} and {rows} rows")
    memset(&key, 0, sizeof(Key))
    with nogil:
        for row in range(n):
            key.protocol = protocol[row]
            key.src_port, key.dst_port = src_port[row], dst_port[row]
            read_ports(&key, icmp[row], &ends)
            to[2 * row] = be16(ends.port[0])
            to[2 * row + 1] = be16(ends.port[1])
    return made
