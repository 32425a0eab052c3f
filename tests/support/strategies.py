"""What hypothesis draws: packets of few addresses and ports, so that flows meet, and captures of them."""

from hypothesis import strategies as st

import builders as b
from capture_files import ByteOrder, Record, pcap, rewrapped

IPV4_ADDRESSES = ["192.0.2.1", "192.0.2.2", "198.51.100.7"]
IPV6_ADDRESSES = ["2001:db8::1", "2001:db8::2", "2001:db8:1::7"]
QUESTION = b.ipv4(b.udp(b"?", 40000, 53), IPV4_ADDRESSES[0], IPV4_ADDRESSES[1])
ARP = b.ethernet(bytes.fromhex("0001080006040001020000000001c0000201000000000000c0000202"), 0x0806)

ports = st.sampled_from([53, 443, 40000, 40001])
checksums = st.sampled_from([None, None, None, "partial", 0, 1])
payloads = st.binary(max_size=40)

udp_segments = st.builds(b.udp, payloads, ports, ports, checksum=checksums)
tcp_segments = st.builds(b.tcp, payloads, ports, ports, flags=st.integers(0, 255), checksum=checksums)
sctp_segments = st.builds(lambda data, *ends: b.sctp(b.sctp_data(data), *ends), payloads, ports, ports)
icmp_messages = st.builds(b.icmp, payloads, st.sampled_from([0, 3, 8, 11, 13, 14]))
icmpv6_messages = st.builds(b.icmpv6, payloads, st.sampled_from([1, 128, 129, 135]), checksum=checksums)

segments = st.one_of(udp_segments, tcp_segments, sctp_segments)
ipv4_packets = st.builds(
    b.ipv4,
    st.one_of(segments, icmp_messages),
    st.sampled_from(IPV4_ADDRESSES),
    st.sampled_from(IPV4_ADDRESSES),
    checksum=st.sampled_from([None, None, None, 1]),
)
ipv6_packets = st.builds(
    b.ipv6, st.one_of(segments, icmpv6_messages), st.sampled_from(IPV6_ADDRESSES), st.sampled_from(IPV6_ADDRESSES)
)
ip_packets = st.one_of(ipv4_packets, ipv6_packets)

simple_frames = st.one_of(
    st.builds(b.ethernet, ip_packets),
    st.builds(lambda packet, tag: b.ethernet(b.vlan(packet, tag)), ip_packets, st.integers(1, 3)),
    st.just(ARP),
)
dialogue_frames = st.sampled_from(  # of one flow, so that its directions take turns
    [
        b.ethernet(QUESTION),
        b.ethernet(b.ipv4(b.udp(b"answer", 53, 40000), IPV4_ADDRESSES[1], IPV4_ADDRESSES[0])),
    ]
)
icmp_errors = st.builds(  # each quotes a part of a datagram of that flow
    lambda size: b.ethernet(
        b.ipv4(b.icmp(bytes(QUESTION)[:size], 3, 3, bytes(4)), IPV4_ADDRESSES[2], IPV4_ADDRESSES[0])
    ),
    st.integers(0, 29),
)
tunnelled_frames = st.one_of(
    st.builds(lambda packet: b.ethernet(b.ipv4(b.gre(packet))), ip_packets),
    st.builds(lambda packet: b.ethernet(b.ipv6(packet)), ip_packets),
    st.builds(lambda packet: b.ethernet(b.ipv4(b.udp(b.vxlan(b.ethernet(packet)), 40000, b.VXLAN_PORT))), ip_packets),
)


def fragments(version: str) -> list[bytes]:
    """The frames of a datagram in fragments of 16 bytes."""
    over_ipv4 = version == "ipv4"
    src, dst = (IPV4_ADDRESSES if over_ipv4 else IPV6_ADDRESSES)[:2]
    datagram = b.udp(bytes(range(40)), 40000, 53).over(b.packed(src), b.packed(dst))
    frames: list[bytes] = []
    for at, more, piece in b.pieces(datagram, 16):
        if over_ipv4:
            packet = b.ipv4(piece, src, dst, b.UDP, identification=1, offset=at, more=more)
        else:
            packet = b.ipv6(b.fragment(piece, at, more, next_header=b.UDP), src, dst)
        frames.append(b.ethernet(packet))
    return frames


fragment_frames = st.builds(fragments, st.sampled_from(["ipv4", "ipv6"])).flatmap(st.sampled_from)
odd_frames = st.one_of(
    st.builds(lambda packet, last: b.ethernet(packet)[:last], ip_packets, st.integers(0, 60)),
    st.builds(b.ethernet, st.binary(max_size=60), st.sampled_from([0x0800, 0x86DD, 0x8100, 0x8847, 0x8864])),
    st.binary(max_size=60),
)


@st.composite
def record_lists(draw: st.DrawFn, frames: st.SearchStrategy[bytes], in_order: bool = False) -> list[Record]:
    """Records of microseconds at no order of time in particular, some of them cut by a snap length."""
    drawn = draw(st.lists(frames, max_size=12))
    moments = st.integers(1, 1000)  # record headers of zeros would be padding
    times = draw(st.lists(moments, min_size=len(drawn), max_size=len(drawn), unique=in_order))
    times = sorted(times) if in_order else times
    snaplen = draw(st.sampled_from([262144, 262144, 60, 44]))
    return [Record(bytes(frame), time * 1000).cut(snaplen) for frame, time in zip(drawn, times, strict=True)]


byte_orders: st.SearchStrategy[ByteOrder] = st.sampled_from(["little", "big"])


@st.composite
def captures(draw: st.DrawFn, frames: st.SearchStrategy[bytes]) -> bytes:
    """A pcap or pcapng file, of either byte order."""
    packets, byteorder = draw(record_lists(frames)), draw(byte_orders)
    if draw(st.booleans()):
        return rewrapped(packets, byteorder=byteorder)
    return pcap(packets, byteorder=byteorder, ns=draw(st.booleans()))
