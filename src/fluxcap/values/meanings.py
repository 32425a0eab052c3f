"""What people call our columns who come from other programs: for suggestions, not as other names."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from fluxcap.errors import Meanings, unknown
from fluxcap.values.other_names import SCHEMES

# By column: words of tshark, tcpdump, Scapy, nfdump, netstat, conn.log and everyday speech.
_WORDS: Final = {
    "src_ip": "src source saddr srcaddr src_addr sip ip.src ipv6.src sa source_ip ip_src",
    "dst_ip": "dst dest destination daddr dstaddr dst_addr dip ip.dst ipv6.dst da dest_ip destination_ip ip_dst",
    "src_port": "sport src sourceport source_port tcp.srcport udp.srcport sp port",
    "dst_port": "dport dst dest destination_port dest_port tcp.dstport udp.dstport dp port",
    "address": "ip addr host local_address",
    "port": "local_port",
    "protocol": "proto ip.proto ip_proto prot pr l4",
    "packets": "pkts count frames packet_count orig_pkts",
    "bytes": "size length len byte_count volume orig_bytes",
    "reverse_packets": "resp_pkts",
    "reverse_bytes": "resp_bytes",
    "payload_bytes": "payload data appbytes",
    "wire_length": "length len size bytes frame.len frame_len",
    "captured_length": "caplen cap_len frame.cap_len",
    "payload_length": "payload tcp.len data.len payload_len",
    "packet": "number no nr frame frame.number frame_number index",
    "time": "timestamp ts frame.time frame.time_epoch epoch date",
    "first": "time timestamp ts start start_time first_seen begin",
    "last": "end end_time last_seen",
    "tcp_flags": "flags tcp.flags",
    "tcp_seq": "seq tcp.seq",
    "tcp_ack": "ack tcp.ack",
    "tcp_window": "window win tcp.window_size",
    "ttl": "hop_limit hlim ip.ttl",
    "ip_id": "id ip.id",
    "ip_version": "version ip.version",
    "fragment_offset": "frag_offset ip.frag_offset",
    "tos": "dscp ip.dsfield dsfield traffic_class",
    "vlan": "vlan.id vlan_id vid",
    "src_mac": "eth.src smac mac_src",
    "dst_mac": "eth.dst dmac mac_dst",
    "ethertype": "eth.type",
    "tunnel_id": "vni teid gre_key vxlan.vni",
    "verdict": "checksum_status udp.checksum.status tcp.checksum.status checksum.status",
    "interface": "iface ifindex frame.interface_id",
    "link_type": "dlt linktype encap",
    "duration": "dur elapsed",
    "total_packets": "total_pkts",
    "total_bytes": "total volume",
    "bits_per_second": "bps rate throughput bandwidth bitrate",
    "state": "conn_state status outcome result",
    "synack_rtt": "rtt tcprtt latency handshake",
    "ack_rtt": "rtt ackdat",
    "response_time": "response latency server_latency application_latency dns.time http.time",
    "retransmitted": "retransmissions retrans retransmits",
    "unreachable": "icmp",
    "zero_window": "zero_windows",
}


def in_words(table: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each name of a table with each of its words."""
    return ((ours, word) for ours, words in table.items() for word in words.split())


def by_word(pairs: Iterable[tuple[str, str]]) -> Meanings:
    """By word the names that it can stand for, the first one first."""
    meant: dict[str, dict[str, None]] = {}
    for ours, word in pairs:
        meant.setdefault(word, {})[ours] = None
    return {word: tuple(ours) for word, ours in meant.items()}


def columns() -> Meanings:
    """By word the columns that it can stand for, the likeliest first."""
    schemes = ((ours, theirs.lower()) for ours, theirs in chain.from_iterable(SCHEMES.values()))
    return by_word(chain(in_words(_WORDS), schemes))


_PAYLOAD: Final = "say payload=64, or --payload 64 in a shell"
_NAMES: Final = "say server_names=True, or --server-names in a shell"
ON_OPTION: Final = {
    **dict.fromkeys(("payload", "payload_captured", "payload_offset"), _PAYLOAD),
    **dict.fromkeys(("server_name", "server_name_basis"), _NAMES),
}


def unknown_column(given: str, known: Iterable[str], what: str = "column") -> ValueError:
    """The error for a name that is no column, with those that it may mean."""
    if given in ON_OPTION:
        return ValueError(f"{what} {given!r} is not among those that were asked for; {ON_OPTION[given]}")
    return unknown(what, given, known, columns())
