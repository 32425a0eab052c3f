"""Why a verdict is what it is: one sentence, with the section of the RFC that decides.

The verdicts and the reasons are those of the core; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap._core import REASONS, VERDICTS
from fluxcap.explaining.parts import Header
from fluxcap.explaining.pieces import Pieces
from fluxcap.reports.hints import MODULUS, ONE_BIT
from fluxcap.values import human, names
from fluxcap.values.names import DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDP_LITE

if TYPE_CHECKING:
    from fluxcap.explaining.rows import DatagramRow, Judgement

IGMP: Final = 2
# Which section says how the sum is taken, by protocol.
RULES: Final[Mapping[int, str]] = {
    ICMP: "RFC 792",
    IGMP: "RFC 3376 section 4.1.2",
    TCP: "RFC 9293 section 3.1",
    UDP: "RFC 768",
    DCCP: "RFC 4340 section 9",
    ICMPV6: "RFC 4443 section 2.3",
    SCTP: "RFC 9260 section 6.8",
    UDP_LITE: "RFC 3828 section 3.1",
}
UDP_V6: Final = "RFC 8200 section 8.1"
IPV4_RULE: Final = "RFC 791 section 3.1"
GRE_RULE: Final = "RFC 2784 section 2.3"
SHORTEST: Final = {TCP: 20, UDP: 8, DCCP: 12, UDP_LITE: 8}  # headers without options


class Facts(NamedTuple):
    """What a sentence about the packet at one depth is made of."""

    judged: Judgement
    headers: Sequence[Header]  # at this depth
    captured: int  # bytes of the record
    wire: int
    packet: int  # number of the record
    pieces: Pieces | None
    datagram: DatagramRow | None  # that the record completes
    datagram_headers: Sequence[Header]

    def value(self, kind: str, field: str) -> int:
        """The value of a field; 0 where it is not there."""
        values = [header.value(field) or 0 for header in self.headers if header.kind == kind]
        return values[-1] if values else 0


def rule(facts: Facts) -> str:
    """Where the sum of the transport header is defined."""
    protocol = facts.judged["protocol"]
    return UDP_V6 if protocol == UDP and facts.judged["ip_version"] == 6 else RULES.get(protocol, "RFC 1071")


def about_transport(facts: Facts) -> str:
    """The reason of the verdict on the transport checksum."""
    return TRANSPORT[VERDICTS[facts.judged["verdict"]]](facts)


def about_ip(facts: Facts) -> str:
    """The reason of the verdict on the IPv4 header."""
    judged = facts.judged
    verdict = VERDICTS[judged["ip_verdict"]]
    if verdict == "good":
        return f"The words of the header add up to 0xffff ({IPV4_RULE})."
    if verdict == "truncated":
        return f"The record ends inside the header ({IPV4_RULE})."
    if verdict == "partial":
        return f"The field holds zero: left to the network card, which was to fill it in ({IPV4_RULE})."
    return f"{difference(judged['ip_checksum'], judged['ip_expected'])} ({IPV4_RULE})."


def about_gre(verdict: str, held: int, expected: int | None) -> str:
    """The reason of the verdict on the checksum of GRE."""
    if verdict == "bad" and expected is not None:
        return f"{difference(held, expected)} ({GRE_RULE})."
    return f"{OF_GRE[verdict]} ({GRE_RULE})."


OF_GRE: Final = {
    "good": "Header and payload add up to 0xffff",
    "fragment": "It covers a datagram of which this record is a fragment",
    "truncated": "It covers bytes that the record does not have",
    "bad_length": "The length of the IP packet goes past the end of the record",
}


def difference(held: int, expected: int) -> str:
    """What a bad field has to do with the right one."""
    off = (held - expected) % MODULUS
    if off == 0:
        return "The field holds zero where its other form, 0xffff, is right, or the reverse"
    if off in ONE_BIT:
        bit = next(way for way in (off, MODULUS - off) if way.bit_count() == 1)
        return f"Off by exactly 0x{bit:04x}: one bit"
    return f"Off by 0x{off:04x}"


def _good(facts: Facts) -> str:
    if facts.judged["crc"]:
        return f"The CRC32c of the packet, its field taken as zero, is what the field holds ({rule(facts)})."
    whole = "The pseudo-header and the message" if has_pseudo_header(facts) else "The words of the message"
    return f"{whole} add up to 0xffff ({rule(facts)})."


def has_pseudo_header(facts: Facts) -> bool:
    """Whether addresses are part of the sum."""
    return facts.judged["protocol"] not in (ICMP, IGMP, SCTP)


def _bad(facts: Facts) -> str:
    if facts.judged["crc"]:
        return f"The CRC32c of the packet is another one ({rule(facts)})."
    return f"{difference(facts.judged['checksum'], facts.judged['expected'])} ({rule(facts)})."


def _partial(facts: Facts) -> str:
    held = f"0x{facts.judged['checksum']:04x}"
    if REASONS[facts.judged["reason"]] == "segmentation_offload":
        return (
            f"The field holds the sum of the pseudo-header without the length, {held}: left to the network card, which"
            f" was to cut the packet into segments ({rule(facts)})."
        )
    return f"The field holds the sum of the pseudo-header, {held}: left to the network card ({rule(facts)})."


def _absent(facts: Facts) -> str:
    if facts.judged["protocol"] == SCTP:
        return "The field holds zero: the sender computed none (RFC 9653)."
    if facts.judged["ip_version"] == 6:
        port = facts.judged["dst_port"]
        return f"The field holds zero: the sender computed none, as a tunnel to port {port} may (RFC 6935, RFC 6936)."
    return "The field holds zero: the sender computed none (RFC 768)."


def _illegal(facts: Facts) -> str:
    judged = facts.judged
    if judged["protocol"] != UDP_LITE:
        return f"The field holds zero, and UDP over IPv6 needs a checksum ({UDP_V6})."
    coverage = facts.value("udp_lite", "checksum coverage")
    if judged["checksum"] == 0:
        return f"The field holds zero, and UDP-Lite needs a checksum ({rule(facts)})."
    there = judged["payload_length"] + SHORTEST[UDP_LITE]
    why = (
        "leaves out a part of the header"
        if coverage < SHORTEST[UDP_LITE]
        else f"goes past the {there:,} that are there"
    )
    return f"A coverage of {human.counted(coverage, 'byte')} {why} ({rule(facts)})."


def _truncated(facts: Facts) -> str:
    judged = facts.judged
    there = max(facts.captured - judged["transport_at"], 0)
    if judged["covered"] > there:
        covered = human.counted(judged["covered"], "byte")
        return f"The sum covers {covered}, of which the record has {there:,}: cut by the snap length."
    return f"The record has {human.counted(there, 'byte')} of the header: cut by the snap length."


def _fragment(facts: Facts) -> str:
    judged, pieces = facts.judged, facts.pieces
    length = human.count(judged["fragment_length"])
    if judged["fragmented_around"] and not judged["fragmented"]:
        return "The packet around the tunnel is a fragment."
    if pieces is None:
        return f"Covers {length} bytes from byte {judged['fragment_offset']:,} on: a fragment."
    of = f"of {pieces.total:,} bytes" if pieces.total else "bytes of a datagram whose end is not in the capture"
    where = (
        f"judged on packet {pieces.judged_on:,}" if pieces.judged_on else f"never judged: {_why_never(facts, pieces)}"
    )
    return f"Covers {length} {of}: fragment {pieces.place} of {pieces.of}, {where}."


def _why_never(facts: Facts, pieces: Pieces) -> str:
    """Why no record has a verdict of the datagram."""
    if pieces.total == 0 or pieces.there < pieces.total:
        return "it is not complete"
    if pieces.there > pieces.total:
        return "its fragments overlap"
    if facts.judged["protocol"] == SCTP:
        return "a CRC32c does not add up from fragments"
    return "its sum does not add up from these fragments"


def _bad_length(facts: Facts) -> str:
    judged = facts.judged
    if judged["length_lies"]:
        said, there = judged["ip_length"], facts.wire - judged["ip_at"]
        why = ": the packet around the tunnel is a fragment" if judged["fragmented_around"] else ""
        return f"The IP header says {human.counted(said, 'byte')}, and {there:,} were on the wire{why}."
    kind, field, unit = LENGTHS.get(judged["protocol"], ("", "", 1))
    said = facts.value(kind, field) * unit
    there = max(judged["ip_at"] + judged["ip_length"] - judged["transport_at"], 0)
    shortest = SHORTEST.get(judged["protocol"], 0)
    if said < shortest:
        return f"The header says {human.counted(said, 'byte')}, and the shortest has {shortest} ({rule(facts)})."
    if said > there:
        return f"The header says {human.counted(said, 'byte')}, and the IP packet has {there:,} for it ({rule(facts)})."
    return f"The IP packet has {human.counted(there, 'byte')} for it, too few ({rule(facts)})."


LENGTHS: Final = {UDP: ("udp", "length", 1), TCP: ("tcp", "offset", 4), DCCP: ("dccp", "data offset", 4)}

TRANSPORT: Final[Mapping[str, Callable[[Facts], str]]] = {
    "good": _good,
    "bad": _bad,
    "partial": _partial,
    "absent": _absent,
    "illegal": _illegal,
    "truncated": _truncated,
    "fragment": _fragment,
    "bad_length": _bad_length,
}

# How far a record was understood, by disposition and by reason.
ENDS: Final[Mapping[str, str]] = {
    "non_ip": "It is not an IP packet: no checksum is judged.",
    "unknown_link": "Its link type is not one that is read.",
    "orphan_fragment": "It is a fragment, and the first fragment of its datagram is not in the capture: no ports.",
}
STOPS: Final[Mapping[str, str]] = {
    "short_link": "The record ends inside a link-layer or tunnel header.",
    "short_ip": "The record ends inside the IP header.",
    "short_extension": "The record ends inside an IPv6 extension header.",
    "short_transport": "The record ends before the ports.",
    "wrong_version": "The IP header has another version than the header before it says.",
    "header_length": "The IPv4 header length is under 5 words (RFC 791 section 3.1).",
    "total_length": "The IPv4 total length is under the header length (RFC 791 section 3.1).",
    "too_many_tags": "It has more VLAN tags than are read.",
    "too_many_extensions": "It has more extension headers than are read.",
    "too_many_layers": "It has more headers than are read.",
}


def how_far(disposition: str, reason: str, judged: Judgement) -> list[str]:
    """How far a record was understood; nothing for one that was understood to the ports."""
    said = [STOPS[reason]] if reason in STOPS else []
    if disposition in ("truncated_header", "malformed"):
        cut = "cut by the snap length" if disposition == "truncated_header" else "malformed"
        return [*said, f"It is {cut}: what comes after was not read."]
    if disposition == "unknown_transport":
        number = judged["protocol"]
        named = f"{number} ({names.PROTOCOLS[number]})" if number in names.PROTOCOLS else str(number)
        return [*said, f"It is an IP packet of protocol {named}, whose ports are not read."]
    return [*said, ENDS[disposition]] if disposition in ENDS else said
