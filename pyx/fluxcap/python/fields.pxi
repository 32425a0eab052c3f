# The columns that tables can have: name, offset in the struct, bytes, numpy typestr and items a value. One row in
# PACKET makes a packet column; a row in KEY makes one that can be a field of the flow key as well.

from libc.stdint cimport uint32_t, uint64_t

import sys

from fluxcap.base.types cimport Digest, Kept, Key, Packet, VERDICTS_END
from fluxcap.capture.pcap cimport MODIFIED_RECORD_HEADER
from fluxcap.capture.reader cimport Interface, InterfaceCounts, Reader
from fluxcap.flows.features cimport (
    FeatureRow, MAX_FIRST_PACKETS, NameRow, PayloadRow, first_directions, first_gaps, first_sizes)
from fluxcap.flows.record cimport ActivityCounts, BOTH, FlowRecord, Statistics, TCP_FLAG_BITS, WAYS
from fluxcap.flows.table cimport HISTORY_WIDTH
from fluxcap.pipeline.beside cimport MAX_PAYLOAD

cdef Packet packet_    # only used for its address, to find the offsets of fields
cdef Key key_
cdef FlowRecord record_


cdef tuple field(str name, size_t offset, size_t octets, str kind, int width=1):
    order = "|" if octets == <size_t>width or kind == "S" else "<" if sys.byteorder == "little" else ">"
    return name, offset, octets, f"{order}{kind}{octets // width}", width


cdef size_t in_packet(void* at) noexcept:
    return <char*>at - <char*>&packet_


cdef size_t in_key(void* at) noexcept:
    return <char*>at - <char*>&key_


cdef size_t in_record(void* at) noexcept:
    return <char*>at - <char*>&record_


# In the order of the columns of a flow table.
cdef dict KEY = {row[0]: row for row in (
    field("protocol", in_key(&key_.protocol), 1, "u"),
    field("src_ip", in_key(&key_.src_ip), 16, "u", 16),
    field("src_port", in_key(&key_.src_port), 2, "u"),
    field("dst_ip", in_key(&key_.dst_ip), 16, "u", 16),
    field("dst_port", in_key(&key_.dst_port), 2, "u"),
    field("vlan", in_key(&key_.vlan), 2, "u"),
    field("file", in_key(&key_.file), 4, "u"),
    field("src_mac", in_key(&key_.src_mac), 6, "u", 6),
    field("dst_mac", in_key(&key_.dst_mac), 6, "u", 6),
    field("ethertype", in_key(&key_.ethertype), 2, "u"),
    field("inner_vlan", in_key(&key_.inner_vlan), 2, "u"),
    field("mpls_label", in_key(&key_.mpls_label), 4, "u"),
    field("tunnel_id", in_key(&key_.tunnel_id), 4, "u"),
    field("tos", in_key(&key_.tos), 1, "u"),
    field("flow_label", in_key(&key_.flow_label), 4, "u"),
    field("interface", in_key(&key_.interface), 4, "u"),
    field("direction", in_key(&key_.direction), 1, "u"),
    field("offload_flags", in_key(&key_.offload_flags), 1, "u"),
)}
cdef tuple INTERVAL = field("interval", in_key(&key_.interval), 8, "i")

cdef dict PACKET = {row[0]: row for row in (
    field("packet", in_packet(&packet_.number), 8, "u"),
    field("time", in_packet(&packet_.time), 8, "i"),
    field("captured_length", in_packet(&packet_.captured), 4, "u"),
    field("wire_length", in_packet(&packet_.wire), 4, "u"),
    field("link_type", in_packet(&packet_.link_type), 2, "u"),
    field("ip_version", in_packet(&packet_.ip_version), 1, "u"),
    field("payload_length", in_packet(&packet_.payload_length), 4, "u"),
    field("checksum", in_packet(&packet_.checksum), 4, "u"),
    field("verdict", in_packet(&packet_.verdict), 1, "u"),
    field("ip_verdict", in_packet(&packet_.ip_verdict), 1, "u"),
    field("tcp_flags", in_packet(&packet_.tcp_flags), 1, "u"),
    field("tcp_seq", in_packet(&packet_.tcp_seq), 4, "u"),
    field("tcp_ack", in_packet(&packet_.tcp_ack), 4, "u"),
    field("tcp_window", in_packet(&packet_.tcp_window), 2, "u"),
    field("ttl", in_packet(&packet_.ttl), 1, "u"),
    field("ip_id", in_packet(&packet_.ip_id), 4, "u"),
    field("fragment_offset", in_packet(&packet_.fragment_offset), 4, "u"),
    field("depth", in_packet(&packet_.depth), 1, "u"),
    field("disposition", in_packet(&packet_.disposition), 1, "u"),
    field("offset", in_packet(&packet_.offset), 8, "u"),
    field("flow", in_packet(&packet_.flow), 8, "i"),
    field("quoted_flow", in_packet(&packet_.quoted_flow), 8, "i"),
    field("reason", in_packet(&packet_.reason), 1, "u"),
    field("_mark", in_packet(&packet_.mark), 1, "u"),
    field("expected", in_packet(&packet_.expected), 4, "u"),
    field("ip_checksum", in_packet(&packet_.ip_checksum), 2, "u"),
    field("ip_expected", in_packet(&packet_.ip_expected), 2, "u"),
    field("duplicate_of", in_packet(&packet_.duplicate_of), 8, "u"),
    field("duplicate_kind", in_packet(&packet_.duplicate_kind), 1, "u"),
    field("duplicate_hops", in_packet(&packet_.duplicate_hops), 1, "u"),
    field("_datagram", in_packet(&packet_.datagram), 8, "u"),
    field("_fragment_length", in_packet(&packet_.fragment_length), 4, "u"),
    field("_more_fragments", in_packet(&packet_.more_fragments), 1, "u"),
    field("_completes", in_packet(&packet_.completes), 1, "u"),
    field("_tcp_mss", in_packet(&packet_.tcp_mss), 4, "u"),
    field("_icmp", in_packet(&packet_.icmp), 2, "u"),
)}
cdef Digest digest_
assert <char*>&digest_.protocol - <char*>&digest_.time == <char*>&packet_.depth - <char*>&packet_.time
assert <char*>&digest_.disposition - <char*>&digest_ == <char*>&packet_.disposition - <char*>&packet_.time
# is_plain_ethernet() in pipeline/lane.pxd compares these fields as one word.
assert (<char*>&packet_.fcs - <char*>&packet_.link_type, <char*>&packet_.refused - <char*>&packet_.link_type) == (2, 3)
# kind() in pipeline/ledger.pxd reads these fields as one word.
assert (&digest_.reason - &digest_.disposition, &digest_.ip_version - &digest_.disposition,
        &digest_.tcp_flags - &digest_.disposition, &digest_.verdict - &digest_.disposition,
        &digest_.ip_verdict - &digest_.disposition, &digest_.gre_verdict - &digest_.disposition,
        &digest_.protocol - &digest_.disposition) == (1, 2, 3, 4, 5, 6, 7)
PACKET.update({name: (name, offset + in_packet(&packet_.key), octets, dtype, width)
               for name, offset, octets, dtype, width in KEY.values()})

cdef tuple FORWARD = (
    field("packets", in_record(&record_.row.packets[0]), 8, "u"),
    field("bytes", in_record(&record_.row.octets[0]), 8, "u"),
    field("payload_bytes", in_record(&record_.row.payload[0]), 8, "u"),
)
cdef tuple REVERSE = (
    field("reverse_packets", in_record(&record_.row.packets[1]), 8, "u"),
    field("reverse_bytes", in_record(&record_.row.octets[1]), 8, "u"),
    field("reverse_payload_bytes", in_record(&record_.row.payload[1]), 8, "u"),
)
cdef tuple TIMES = (
    field("first", in_record(&record_.row.first), 8, "i"),
    field("last", in_record(&record_.row.last), 8, "i"),
    field("tcp_flags", in_record(&record_.row.tcp_flags[0]), 1, "u"),
)
cdef tuple REVERSE_FLAGS = (field("reverse_tcp_flags", in_record(&record_.row.tcp_flags[1]), 1, "u"),)
cdef tuple COUNTS = tuple([
    field(VERDICTS[v], in_record(&record_.rare.verdicts[v]) if v > 1 else in_record(&record_.row.good), 8, "u")
    for v in range(1, VERDICTS_END)])
cdef tuple ENDING = COUNTS + (
    field("ip_bad", in_record(&record_.rare.ip_bad), 8, "u"),
    field("end_reason", in_record(&record_.row.end_reason), 1, "u"),
    field("icmp_errors", in_record(&record_.rare.icmp_errors), 8, "u"),
    field("icmp_type", in_record(&record_.rare.icmp_type), 1, "u"),
    field("icmp_code", in_record(&record_.rare.icmp_code), 1, "u"),
    field("_icmp_last", in_record(&record_.rare.icmp_last), 8, "i"),
)
# Of a key with both whole addresses and both ports, which may be a type and a code: see base/icmp.pxd.
cdef tuple ICMP = (field("_icmp", in_record(&record_.rare.icmp), 2, "u"),)

cdef tuple CONNECTION = (
    field("state", in_record(&record_.connection.state), 1, "u"),
    field("history", in_record(&record_.connection.history), HISTORY_WIDTH, "S"),
    field("direction_basis", in_record(&record_.connection.basis), 1, "u"),
    field("synack_rtt", in_record(&record_.connection.synack_rtt), 8, "i"),
    field("ack_rtt", in_record(&record_.connection.ack_rtt), 8, "i"),
    field("retransmitted", in_record(&record_.connection.retransmitted[0]), 8, "u"),
    field("reverse_retransmitted", in_record(&record_.connection.retransmitted[1]), 8, "u"),
    field("out_of_order", in_record(&record_.connection.out_of_order[0]), 8, "u"),
    field("reverse_out_of_order", in_record(&record_.connection.out_of_order[1]), 8, "u"),
    field("gap_bytes", in_record(&record_.connection.gap_octets[0]), 8, "u"),
    field("reverse_gap_bytes", in_record(&record_.connection.gap_octets[1]), 8, "u"),
    field("zero_window", in_record(&record_.connection.zero_window[0]), 8, "u"),
    field("reverse_zero_window", in_record(&record_.connection.zero_window[1]), 8, "u"),
    field("unreachable", in_record(&record_.connection.unreachable[0]), 8, "u"),
    field("reverse_unreachable", in_record(&record_.connection.unreachable[1]), 8, "u"),
    field("keep_alives", in_record(&record_.connection.keep_alives[0]), 8, "u"),
    field("reverse_keep_alives", in_record(&record_.connection.keep_alives[1]), 8, "u"),
    field("response_time", in_record(&record_.connection.response), 8, "i"),
)

# Names of the statistics of sizes and gaps, and of the flags in the order of bits (RFC 9293 section 3.1, RFC 3168).
cdef tuple STATISTICS = ("min", "mean", "stddev", "max")
cdef tuple TCP_FLAG_NAMES = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
assert len(TCP_FLAG_NAMES) == TCP_FLAG_BITS


cdef tuple statistic_fields(str prefix, Statistics* at):
    return (field(f"{prefix}_min", in_record(&at.least), 8, "i"), field(f"{prefix}_mean", in_record(&at.mean), 8, "f"),
            field(f"{prefix}_stddev", in_record(&at.deviation), 8, "f"),
            field(f"{prefix}_max", in_record(&at.most), 8, "i"))


cdef tuple feature_fields(bint biflow):
    """Packet sizes (bytes on the wire), gaps between packets (ns) and packets by TCP flag, for each direction; sizes
    and gaps for both directions together too."""
    cdef tuple fields = ()
    cdef int way
    for way, direction in enumerate(("", "reverse_", "both_")[:WAYS if biflow else 1]):
        fields += statistic_fields(direction + "size", &record_.sizes[way])
        fields += statistic_fields(direction + "gap", &record_.gaps[way])
        if way != BOTH:
            fields += tuple([
                field(f"{direction}{TCP_FLAG_NAMES[flag]}_packets", in_record(&record_.flags[way][flag]), 8, "u")
                for flag in range(TCP_FLAG_BITS)])
    return fields


cdef tuple activity_fields(bint biflow):
    """Payloads (bytes), headers, TCP windows and bulks of each direction; active and idle times (ns) and subflows of
    the flow."""
    cdef ActivityCounts* counts = &record_.activity.counts
    cdef tuple fields = ()
    cdef int way
    for way, direction in enumerate(("", "reverse_", "both_")[:WAYS if biflow else 1]):
        fields += statistic_fields(direction + "payload", &record_.activity.payloads[way])
        if way != BOTH:
            fields += (
                field(f"{direction}data_packets", in_record(&counts.data_packets[way]), 8, "u"),
                field(f"{direction}header_bytes", in_record(&counts.header_octets[way]), 8, "u"),
                field(f"{direction}header_min", in_record(&counts.least_header[way]), 2, "u"),
                field(f"{direction}first_window", in_record(&counts.window[way]), 8, "i"),
                field(f"{direction or 'forward_'}first", in_record(&counts.first[way]), 8, "i"),
                field(f"{direction or 'forward_'}last", in_record(&counts.last[way]), 8, "i"),
                field(f"{direction}bulks", in_record(&counts.bulks[way]), 8, "u"),
                field(f"{direction}bulk_packets", in_record(&counts.bulk_packets[way]), 8, "u"),
                field(f"{direction}bulk_bytes", in_record(&counts.bulk_octets[way]), 8, "u"),
                field(f"{direction}bulk_time", in_record(&counts.bulk_time[way]), 8, "i"))
    return (*fields, *statistic_fields("active", &record_.activity.active),
            *statistic_fields("idle", &record_.activity.idle), field("subflows", in_record(&counts.subflows), 8, "u"))


cdef tuple first_fields(uint32_t n):
    """The fields of the first n packets, by their offsets in a FeatureRow."""
    cdef FeatureRow* x = NULL
    if n == 0:
        return ()
    return (field("splt_direction", <size_t>first_directions(x, n), n, "i", n),
            field("splt_size", <size_t>first_sizes(x, n), 8 * n, "i", n),
            field("splt_gap", <size_t>first_gaps(x), 8 * n, "i", n))


cdef tuple payload_fields(uint64_t at, uint32_t most):
    """The fields of the first bytes of a flow's payload, by their offsets from a FeatureRow."""
    if most == 0:
        return ()
    return (field("payload_captured", at, sizeof(PayloadRow), "u"),
            field("payload", at + sizeof(PayloadRow), most, "u", most))


cdef dict kept_fields(uint32_t most):
    """The fields of what is kept of a packet, by their offsets in Kept."""
    return {row[0]: row for row in (
        field("payload_offset", 0, sizeof(uint32_t), "u"),
        field("payload_captured", sizeof(uint32_t), sizeof(uint32_t), "u"),
        field("payload", sizeof(Kept), max(most, 1), "u", max(most, 1)))}


cdef tuple name_fields(size_t at):
    """The name of a server, as its number until name_column() writes it, and its basis, by their offsets in the
    features."""
    cdef NameRow x              # only used for its address
    return (field("_server_name", at + (<char*>&x.name - <char*>&x), 4, "u"),
            field("server_name_basis", at + (<char*>&x.basis - <char*>&x), 1, "u"))


def feature_columns(bint biflow, bint features, bint activity, uint32_t splt, uint32_t payload=0,
                    bint server_names=False):
    names = tuple([row[0] for row in (feature_fields(biflow) if features else ()) +
                   (activity_fields(biflow) if activity else ()) + first_fields(splt) + payload_fields(0, payload)])
    return names + (SERVER_NAME_COLUMNS if server_names else ())


KEPT_COLUMNS = tuple(kept_fields(0))


PACKET_COLUMNS = (
    "packet", "time", "captured_length", "wire_length", "interface", "link_type", "vlan", "ip_version", "src_ip",
    "dst_ip", "protocol", "src_port", "dst_port", "payload_length", "checksum", "verdict", "ip_verdict", "tcp_flags",
    "tcp_seq", "tcp_ack", "tcp_window", "ttl", "ip_id", "fragment_offset", "depth", "disposition", "offset")
# A column whose name begins with an underscore is for the library alone: merging flows, explaining a packet, counting
# packets by time, auditing a capture.
EXTRA_COLUMNS = tuple([name for name in PACKET if name not in PACKET_COLUMNS and name[0] != "_"])
FLOW_COLUMNS = tuple([row[0] for row in FORWARD + REVERSE + TIMES + REVERSE_FLAGS + ENDING if row[0][0] != "_"])
SERVER_NAME_COLUMNS = ("server_name", "server_name_basis")
CONNECTION_COLUMNS = tuple([row[0] for row in CONNECTION])
KEY_FIELDS = tuple(KEY)
MAX_SPLT = MAX_FIRST_PACKETS
MOST_PAYLOAD = MAX_PAYLOAD


cdef tuple flow_fields(key):
    """The columns of a flow table with this key, in order. The key is first in FlowRecord, so offsets in Key hold."""
    cdef set asked = {name for name, _, _ in key["fields"]}
    cdef tuple fields = tuple([row for row in KEY.values() if row[0] in asked])
    cdef tuple ending = ENDING + (ICMP if tells_ends(key) else ())
    if key["interval"]:
        fields += (INTERVAL,)
    if key["biflow"]:
        return fields + FORWARD + REVERSE + TIMES + REVERSE_FLAGS + ending + (
            CONNECTION if key.get("connections") else ())
    return fields + FORWARD + TIMES + ending


cdef bint tells_ends(key):
    """Does a key have the protocol, both ports and both whole addresses?"""
    cdef set whole = {name for name, *bits in key["fields"] if name[3:] != "_ip" or tuple(bits) == (32, 128)}
    return {"protocol", "src_ip", "src_port", "dst_ip", "dst_port"} <= whole


cdef str byte_order_name(bint swapped):
    return sys.byteorder if not swapped else {"little": "big", "big": "little"}[sys.byteorder]


cdef str pcap_variant(const Reader* r):
    return ("ns" if r.fraction_ns == 1 else "us") + (" modified" if r.record_header == MODIFIED_RECORD_HEADER else "")


cdef dict interface_row(const Reader* r, uint32_t place):
    cdef const Interface* interface = &r.interfaces[place]
    cdef const InterfaceCounts* counts = &r.counts[place]
    cdef double ticks = 1e6
    if interface.divisor:       # snoop has microseconds
        ticks = 1e9 * <double>interface.divisor / <double>interface.multiplier
        ticks *= <double>(<uint64_t>1 << interface.shift)
    return {
        "link_type": interface.link_type,
        "snaplen": interface.snaplen,
        "packets": counts.packets,
        "dropped": counts.dropped if counts.counts_drops else None,
        "name": (<const char*>interface.name)[:interface.name_length],
        "ticks_per_second": ticks,
    }
