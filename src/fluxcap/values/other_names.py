"""Our columns under the names of other programs: only a column of the same meaning and unit gets another name.

A column without an equivalent keeps its own name; values never change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from fluxcap.errors import unknown

Scheme = Literal["cicflowmeter", "ecs", "ipfix", "nfstream", "ocsf", "zeek"]
Octets = Literal["frame", "ip"]  # the record's length on the wire, or the length of its IP packet

# https://www.iana.org/assignments/ipfix, with the number of the element; reverse: RFC 5103 section 6.1. An IPv4 address
# is also an IPv6 address (::ffff:0:0/96), so that the IPv6 name fits both.
IPFIX: Final = (
    ("protocol", "protocolIdentifier"),  # 4
    ("src_ip", "sourceIPv6Address"),  # 27
    ("src_port", "sourceTransportPort"),  # 7
    ("dst_ip", "destinationIPv6Address"),  # 28
    ("dst_port", "destinationTransportPort"),  # 11
    ("vlan", "dot1qVlanId"),  # 243
    ("inner_vlan", "dot1qCustomerVlanId"),  # 245
    ("src_mac", "sourceMacAddress"),  # 56
    ("dst_mac", "destinationMacAddress"),  # 80
    ("ethertype", "ethernetType"),  # 256
    ("tos", "ipClassOfService"),  # 5
    ("flow_label", "flowLabelIPv6"),  # 31
    ("interface", "ingressInterface"),  # 10
    ("packets", "packetDeltaCount"),  # 2
    ("reverse_packets", "reversePacketDeltaCount"),
    ("bytes", "layer2OctetDeltaCount"),  # 352: octetDeltaCount (1) has no link header
    ("reverse_bytes", "reverseLayer2OctetDeltaCount"),
    ("payload_bytes", "transportOctetDeltaCount"),  # 401
    ("reverse_payload_bytes", "reverseTransportOctetDeltaCount"),
    ("first", "flowStartNanoseconds"),  # 156
    ("last", "flowEndNanoseconds"),  # 157
    ("tcp_flags", "tcpControlBits"),  # 6
    ("reverse_tcp_flags", "reverseTcpControlBits"),
    ("end_reason", "flowEndReason"),  # 136
    ("flow", "flowId"),  # 148
    ("time", "observationTimeNanoseconds"),  # 325
    ("wire_length", "dataLinkFrameSize"),  # 312
    ("ip_version", "ipVersion"),  # 60
    ("tcp_seq", "tcpSequenceNumber"),  # 184
    ("tcp_window", "tcpWindowSize"),  # 186
    ("ip_id", "fragmentIdentification"),  # 54
)
# conn.log. Its orig_bytes come from TCP sequence numbers, its orig_ip_bytes exclude the link header: neither equals our
# bytes, except in semantics that count the bytes of IP packets.
ZEEK: Final = (
    ("first", "ts"),
    ("time", "ts"),
    ("src_ip", "id.orig_h"),
    ("src_port", "id.orig_p"),
    ("dst_ip", "id.resp_h"),
    ("dst_port", "id.resp_p"),
    ("protocol", "ip_proto"),
    ("packets", "orig_pkts"),
    ("reverse_packets", "resp_pkts"),
    ("state", "conn_state"),
    ("src_mac", "orig_l2_addr"),
    ("dst_mac", "resp_l2_addr"),
)
# NFlow with accounting_mode 0, or 1 in semantics that count the bytes of IP packets. Its times are in milliseconds.
NFSTREAM: Final = (
    ("vlan", "vlan_id"),
    ("packets", "src2dst_packets"),
    ("bytes", "src2dst_bytes"),
    ("reverse_packets", "dst2src_packets"),
    ("reverse_bytes", "dst2src_bytes"),
    ("total_packets", "bidirectional_packets"),
    ("total_bytes", "bidirectional_bytes"),
    *(
        (f"{ours}size_{statistic}", f"{theirs}_{statistic}_ps")
        for ours, theirs in (("", "src2dst"), ("reverse_", "dst2src"), ("both_", "bidirectional"))
        for statistic in ("min", "mean", "stddev", "max")
    ),
    *(
        (f"{ours}{flag}_packets", f"{theirs}_{flag}_packets")
        for ours, theirs in (("", "src2dst"), ("reverse_", "dst2src"))
        for flag in ("syn", "cwr", "ece", "urg", "ack", "psh", "rst", "fin")
    ),
    ("splt_size", "splt_ps"),
)
# https://www.elastic.co/docs/reference/ecs/ecs-field-reference. Its MAC addresses and names of transports have another
# form than ours.
ECS: Final = (
    ("time", "@timestamp"),
    ("first", "event.start"),
    ("last", "event.end"),
    ("duration", "event.duration"),  # nanoseconds
    ("src_ip", "source.ip"),
    ("src_port", "source.port"),
    ("dst_ip", "destination.ip"),
    ("dst_port", "destination.port"),
    ("packets", "source.packets"),
    ("bytes", "source.bytes"),
    ("reverse_packets", "destination.packets"),
    ("reverse_bytes", "destination.bytes"),
    ("protocol", "network.iana_number"),
    ("total_packets", "network.packets"),
    ("total_bytes", "network.bytes"),
    ("community_id", "network.community_id"),
    ("vlan", "network.vlan.id"),
    ("inner_vlan", "network.inner.vlan.id"),
)
# https://schema.ocsf.io/classes/network_activity (4001) with the profile datetime: its other times, and `duration`, are
# in milliseconds.
OCSF: Final = (
    ("time", "time_dt"),
    ("first", "start_time_dt"),
    ("last", "end_time_dt"),
    ("src_ip", "src_endpoint.ip"),
    ("src_port", "src_endpoint.port"),
    ("src_mac", "src_endpoint.mac"),
    ("dst_ip", "dst_endpoint.ip"),
    ("dst_port", "dst_endpoint.port"),
    ("dst_mac", "dst_endpoint.mac"),
    ("protocol", "connection_info.protocol_num"),
    ("community_id", "connection_info.community_uid"),
    ("packets", "traffic.packets_out"),
    ("bytes", "traffic.bytes_out"),
    ("reverse_packets", "traffic.packets_in"),
    ("reverse_bytes", "traffic.bytes_in"),
    ("total_packets", "traffic.packets"),
    ("total_bytes", "traffic.bytes"),
)
SCHEMES: Final = {"ecs": ECS, "ipfix": IPFIX, "nfstream": NFSTREAM, "ocsf": OCSF, "zeek": ZEEK}
CICFLOWMETER: Final = "cicflowmeter"  # of flows alone: it has columns of its own, tables/naming/cicflowmeter_columns.py
# Their names for bytes of IP packets.
OF_IP_PACKETS: Final = {
    "ipfix": {"bytes": "octetDeltaCount", "reverse_bytes": "reverseOctetDeltaCount"},  # 1
    "zeek": {"bytes": "orig_ip_bytes", "reverse_bytes": "resp_ip_bytes"},
}


def check(scheme: str, schemes: Collection[str]) -> None:
    """ValueError if it is none of these."""
    if scheme not in schemes:
        raise unknown("scheme of names", scheme, schemes)


def names(scheme: str | None, octets: Octets = "frame") -> Mapping[str, str]:
    """The names of a scheme by ours; `octets` says what our bytes count. ValueError if there is no such scheme."""
    if scheme is None:
        return {}
    check(scheme, SCHEMES)
    return {**dict(SCHEMES[scheme]), **(OF_IP_PACKETS.get(scheme, {}) if octets == "ip" else {})}
