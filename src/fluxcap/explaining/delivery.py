"""What a socket would have been handed because of a packet, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fluxcap._core import VERDICTS
from fluxcap.explaining.pieces import Pieces
from fluxcap.values import human, names, text
from fluxcap.values.names import FIN, RST, SYN, TCP, UDP, UDP_LITE

if TYPE_CHECKING:
    from fluxcap.explaining.rows import Judgement

Counts = Mapping[str, int]

# What a stream has counted of a segment that delivers nothing, and what that means; the first that was counted.
NOTHING: Final[Mapping[str, str]] = {
    "cut": "the record does not have the data",
    "keep_alives": "a keep-alive, which carries no new byte",
    "retransmitted": "its bytes had come before",
    "after_end": "it lies behind the end of the stream",
    "outside": "its sequence number is far from where the stream stands",
    "out_of_window": "its sequence number is far from where the stream stands",
    "out_of_order": "bytes before these are missing, and it waits for them",
}
CALLS: Final = (
    (RST, "RST: the next call fails with ECONNRESET"),
    (SYN, "SYN: no data yet"),
    (FIN, "FIN: the end of the file"),
)


def delivered(judged: Judgement, ends: tuple[str, str], before: Counts, after: Counts, pieces: Pieces | None) -> str:
    """The sentence. `ends`: the text of the source and of the destination address."""
    grown = {name: after[name] - before[name] for name in after}
    protocol = judged["protocol"]
    if judged["ip_version"] == 0:
        return "No socket is handed anything: it is not an IP packet that can be read."
    if protocol not in (TCP, UDP, UDP_LITE):
        named = names.PROTOCOLS.get(protocol, f"protocol {protocol}")
        return f"No read is followed: fluxcap delivers UDP and TCP, and this is {named}."
    call = "read()" if protocol == TCP else "recvfrom()"
    if judged["fragmented"] and not grown["messages"] and not grown["octets"]:
        return _of_fragment(grown, pieces)
    socket = f"{names.protocol(protocol)} {text.socket(ends[1], judged['dst_port'])}"
    if grown["refused"]:
        return f"{call} at {socket} gives nothing: {_refusal(judged)}, and a kernel drops it."
    if grown["messages"]:
        cut = judged["payload_length"] - grown["octets"]
        more = (
            f", of which the record has {human.count(grown['octets'])}" if cut > 0 and not judged["fragmented"] else ""
        )
        octets = grown["octets"] if judged["fragmented"] else judged["payload_length"]
        return f"{call} at {socket} gives {human.counted(octets, 'byte')}{more}."
    if grown["octets"]:
        return f"{call} at {socket} gives {human.counted(grown['octets'], 'byte')}{_partly(judged, grown)}."
    return f"{call} at {socket} gives nothing: {_why_nothing(judged, grown)}."


def _partly(judged: Judgement, grown: Counts) -> str:
    """What the bytes have to do with those of the segment."""
    carried = judged["payload_length"]
    if grown["octets"] > carried:
        return f": {human.count(carried)} of this segment, and bytes that had come too early"
    if grown["octets"] < carried:
        return f" of the {human.count(carried)} of this segment; the others had come before, or are not believed"
    return ""


def _of_fragment(grown: Counts, pieces: Pieces | None) -> str:
    if grown["refused"]:
        return "No socket is handed anything: the checksum of its IPv4 header is bad, and a kernel drops it."
    if pieces is not None and pieces.judged_on:
        return f"No socket is handed anything yet: the datagram is complete with packet {pieces.judged_on:,}."
    return "No socket is handed anything: the datagram never becomes complete."


def _refusal(judged: Judgement) -> str:
    """Which verdict makes a kernel drop a packet."""
    if VERDICTS[judged["ip_verdict"]] == "bad":
        return "the checksum of its IPv4 header is bad"
    verdict = VERDICTS[judged["verdict"]]
    return {
        "bad": "its checksum is bad",
        "illegal": "a checksum is missing where one is needed",
        "bad_length": "its length contradicts itself",
    }.get(verdict, "its length contradicts that of the IP packet")


def _why_nothing(judged: Judgement, grown: Counts) -> str:
    if judged["payload_length"] == 0 and not grown["keep_alives"]:
        named = [call for flag, call in CALLS if judged["tcp_flags"] & flag]
        return named[0] if named else "the segment carries no data"
    return next((why for name, why in NOTHING.items() if grown[name]), "its bytes wait, or are no part of the stream")
