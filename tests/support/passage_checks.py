"""Two captures beside the log of the network between them: what dpkt reads of both has to be what the log says."""

import socket
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import dpkt

import oracle
from middlebox import End
from passages import OTHER, Passage
from plain_checksums import ones_sum, pseudo_header

MSS = dpkt.tcp.TCP_OPT_MSS
UNIT = 8  # bytes of a fragment offset (RFC 791 section 3.1)


class Carried(NamedTuple):
    """What a packet carried past a point, in one record or in several."""

    ends: tuple[End, End]
    payload: bytes
    dscp: int
    hops: int  # that it has left
    mss: int | None
    sums_are_right: bool


def packets(capture: bytes) -> list[Any]:
    """The packet of each record."""
    return [dpkt.ethernet.Ethernet(frame.data).data for frame in oracle.frames(capture)]


def disagreements(passages: Iterable[Passage], captures: dict[str, bytes], offloaded: str = "") -> list[str]:
    """What is not in the captures as the log has it; `offloaded`: the points whose hosts leave sums to the card."""
    of_point = {point: packets(capture) for point, capture in captures.items()}
    found = []
    for one in passages:
        there = OTHER[one.sender]
        pieces = {
            one.sender: [of_point[one.sender][number - 1] for number in one.sent],
            there: [of_point[there][number - 1] for number in one.arrived],
        }
        found += [
            f"{what}: {one}"
            for what, holds in claims(one, pieces, one.sender in offloaded and len(one.sent) == 1)
            if not holds
        ]
    return found


def unlogged(passages: Sequence[Passage], captures: dict[str, bytes]) -> dict[str, set[int]]:
    """The numbers of the records of TCP and UDP that are not in the log once; of each point."""
    out = {}
    for point, capture in captures.items():
        own = [one.sent if one.sender == point else one.arrived for one in passages]
        named = list(chain.from_iterable(own))
        twice = {number for number in named if named.count(number) > 1} if len(named) > len(set(named)) else set()
        of_hosts = {number for number, packet in enumerate(packets(capture), 1) if transport(packet) in (6, 17)}
        out[point] = twice | (of_hosts ^ set(named))
    return out


def claims(one: Passage, pieces: dict[str, list[Any]], offloaded: bool) -> Iterable[tuple[str, bool]]:
    """What the log says of one packet, and whether it is so."""
    here, there = one.sender, OTHER[one.sender]
    yield "lost, or arrived", (one.fate == "lost") == (not one.arrived)
    before = carried(pieces[here])
    yield "ends at the sender", before.ends == one.flow.ends(here, here)
    yield "sums at the sender", before.sums_are_right or offloaded
    yield "whole at the sender", (here in one.whole_at) == (len(pieces[here]) == 1)
    copies = 2 if one.fate == "duplicated" else 1
    size = len(one.arrived) // copies
    yield "copies", len(one.arrived) % copies == 0
    if not one.arrived:
        return
    yield "whole at the other point", (there in one.whole_at) == (size == 1)
    for begin in range(0, len(one.arrived), size):
        after = carried(pieces[there][begin : begin + size])
        different = [at for at, (x, y) in enumerate(zip(before.payload, after.payload, strict=False)) if x != y]
        yield "ends at the other point", after.ends == one.flow.ends(here, there)
        yield "length of the payload", len(before.payload) == len(after.payload)
        yield "bytes that differ", different == ([] if one.change.payload_at is None else [one.change.payload_at])
        yield "sums at the other point", after.sums_are_right == (one.fate != "changed")
        yield "hops", before.hops - after.hops == one.change.hops
        yield "DSCP", after.dscp == (before.dscp if one.change.dscp is None else one.change.dscp)
        clamped = before.mss and min(before.mss, one.change.mss or before.mss)
        yield "MSS", after.mss == clamped


def carried(pieces: Sequence[Any]) -> Carried:
    """What the pieces of a packet carry together."""
    pieces = list(pieces)
    whole, summed = pieces[0], pieces
    if len(pieces) > 1 and transport(whole) == dpkt.ip.IP_PROTO_TCP:
        pieces.sort(key=lambda piece: (piece.data.seq - whole.data.seq) % 2**32)
        payload = b"".join(bytes(piece.data.data) for piece in pieces)
    else:
        if len(pieces) > 1:
            whole = put_together(pieces)
            summed = [whole]
        payload = bytes(whole.data.data)
    over_ipv4, segment = isinstance(whole, dpkt.ip.IP), whole.data
    options = dict(dpkt.tcp.parse_opts(segment.opts)) if isinstance(segment, dpkt.tcp.TCP) else {}
    return Carried(
        ((text(whole.src), segment.sport), (text(whole.dst), segment.dport)),
        payload,
        (whole.tos if over_ipv4 else whole.fc) >> 2,
        whole.ttl if over_ipv4 else whole.hlim,
        int.from_bytes(options[MSS], "big") if MSS in options else None,
        all(map(header_is_right, pieces)) and all(map(sum_is_right, summed)),
    )


def transport(packet: Any) -> int:
    """The protocol above IP; -1 of what is not IP."""
    if isinstance(packet, dpkt.ip.IP):
        return int(packet.p)
    return int(packet.p) if isinstance(packet, dpkt.ip6.IP6) else -1


def put_together(pieces: Sequence[Any]) -> Any:
    """The datagram of these fragments."""
    first = pieces[0]
    if isinstance(first, dpkt.ip.IP):
        data = joined({piece.offset * UNIT: bytes(piece.data) for piece in pieces})
        kept = {name: getattr(first, name) for name in ("src", "dst", "p", "ttl", "tos")}
        return dpkt.ip.IP(bytes(dpkt.ip.IP(**kept, len=20 + len(data), data=data)))
    data = joined(
        {piece.extension_hdrs[dpkt.ip.IP_PROTO_FRAGMENT].frag_off * UNIT: bytes(piece.data) for piece in pieces}
    )
    kept = {name: getattr(first, name) for name in ("src", "dst", "hlim", "fc")}
    return dpkt.ip6.IP6(bytes(dpkt.ip6.IP6(**kept, nxt=first.p, p=first.p, plen=len(data), data=data)))


def joined(parts: dict[int, bytes]) -> bytes:
    """Bytes by offset, in a row."""
    out = b""
    for offset, part in sorted(parts.items()):
        assert offset == len(out), "a gap, or an overlap"
        out += part
    return out


def header_is_right(packet: Any) -> bool:
    """Is the checksum of the header right, where there is one?"""
    return not isinstance(packet, dpkt.ip.IP) or ones_sum(bytes(packet)[: packet.hl * 4]) == 0xFFFF


def sum_is_right(packet: Any) -> bool:
    """Is the checksum of TCP or UDP right?"""
    segment = bytes(packet.data)
    return ones_sum(pseudo_header(packet.src, packet.dst, transport(packet), len(segment)) + segment) == 0xFFFF


def text(address: bytes) -> str:
    """An address as it is written."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)
