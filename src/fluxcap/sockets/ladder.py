"""The life of a socket as a ladder: the calls of the programs at both ends, and the segments between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np

from fluxcap._core import VERDICTS
from fluxcap.capture.inputs import Captures, expand, refuse_once
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.sockets.life import CORRUPT, LifeTable, collect_life, parse
from fluxcap.tables.scan import BATCH_ROWS, PacketScan
from fluxcap.values import human, names, text
from fluxcap.values import svg as drawing
from fluxcap.values.metadata import Metadata
from fluxcap.values.names import ACK, CALLS, FIN, RST, SYN, TCP

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable

COLUMNS: Final = (
    *("file", "packet", "time", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("tcp_flags", "payload_length", "verdict"),
)
FLAGS: Final = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK"))
DROPPED: Final = frozenset(CORRUPT)

Place = tuple[int, int]  # file and packet


class Rung(NamedTuple):
    """A call at one end, or a segment from one end to the other."""

    sent: bool  # by the first end: its call, or a segment from it
    text: str
    is_call: bool
    time: int
    packet: int


class Ladder(NamedTuple):
    """The rungs between two sockets."""

    protocol: int
    ends: tuple[str, str]
    rungs: list[Rung]
    other_peers: int  # of the first socket, which are not drawn
    metadata: Metadata

    @property
    def title(self) -> str:
        """Which conversation it is."""
        return f"{names.protocol(self.protocol)} between {self.ends[0]} and {self.ends[1]}"


def collect_ladder(src: Captures, socket: str, options: ReadOptions, ignore_checksums: bool = False) -> Ladder:
    """Read captures into the ladder of a socket and its first peer.

    ValueError if an input can be read only once: the calls of either end and the segments take a reading each.
    """
    refuse_once(expand(src), "draw a ladder of it")
    own = collect_life(src, socket, options, ignore_checksums)
    with_peer = np.flatnonzero(own["peer_port"])
    if not len(with_peer):
        return Ladder(0, (socket, ""), [], 0, own.metadata)
    address, port = own["peer_address"][with_peer[0]], int(own["peer_port"][with_peer[0]])
    protocol = int(own["protocol"][with_peer[0]])
    (ip,) = text.addresses(address.reshape(1, 16))
    peer = text.socket(ip, port)
    ends = {*zip(map(bytes, own["peer_address"]), own["peer_port"].tolist(), strict=True)} - {(bytes(16), 0)}
    calls = (_calls(own, protocol, (address.tobytes(), port)),
             _calls(collect_life(src, peer, options, ignore_checksums), protocol, parse(socket)))  # fmt: skip
    rungs = list(_rungs(_segments(src, options, protocol, parse(socket), parse(peer)), calls))
    return Ladder(protocol, (socket, peer), rungs, len(ends) - 1, own.metadata)


def _calls(life: LifeTable, protocol: int, peer: tuple[bytes, int]) -> dict[Place, list[str]]:
    """The calls of a socket to one peer, and those to none such as bind, by the record that shows them."""
    found: dict[Place, list[str]] = {}
    for row in range(len(life)):
        to = life["peer_address"][row].tobytes(), int(life["peer_port"][row])
        if life["protocol"][row] == protocol and to in (peer, (bytes(16), 0)):
            octets = int(life["octets"][row])
            call = CALLS[life["call"][row]]
            told = f"{call} {human.counted(octets, 'byte')}" if octets else call
            found.setdefault((int(life["file"][row]), int(life["packet"][row])), []).append(told)
    return found


def _segments(
    src: Captures, options: ReadOptions, protocol: int, *ends: tuple[bytes, int]
) -> Iterator[tuple[Place, int, bool, str]]:
    """Place, time, whether the first end sent it, and what it is, of each segment between two sockets."""
    for packets in PacketScan(expand(src), COLUMNS, FlowPlan(), BATCH_ROWS, options):
        for sent in (True, False):
            if ends[0] == ends[1] and not sent:
                continue
            yield from _of_one_end(packets, protocol, sent, *(ends if sent else reversed(ends)))


def _of_one_end(
    packets: PacketTable, protocol: int, sent: bool, src: tuple[bytes, int], dst: tuple[bytes, int]
) -> Iterator[tuple[Place, int, bool, str]]:
    mask = packets["protocol"] == protocol
    for end, (ip, port) in (("src", src), ("dst", dst)):
        mask &= packets[f"{end}_port"] == port
        mask &= (packets[f"{end}_ip"] == np.frombuffer(ip, np.uint8)).all(axis=1)
    for row in np.flatnonzero(mask):
        one: dict[str, Any] = {name: packets[name][row] for name in COLUMNS}
        yield (int(one["file"]), int(one["packet"])), int(one["time"]), sent, _segment(protocol, one)


def _segment(protocol: int, one: dict[str, Any]) -> str:
    """What a segment is, in words."""
    flags = [name for bit, name in FLAGS if protocol == TCP and one["tcp_flags"] & bit]
    octets = int(one["payload_length"])
    told = [", ".join(flags)] if flags else []
    if octets or protocol != TCP:
        told.append(human.counted(octets, "byte"))
    if one["verdict"] in DROPPED:
        told.append(f"{VERDICTS[one['verdict']]} checksum")
    return ", ".join(told) or "no flags"


def _rungs(
    segments: Iterator[tuple[Place, int, bool, str]], calls: tuple[dict[Place, list[str]], dict[Place, list[str]]]
) -> Iterator[Rung]:
    """In the order of the records: what the sender calls, the segment, what the receiver calls."""
    for place, time, sent, told in sorted(segments):
        before, after = calls if sent else reversed(calls)
        for call in before.get(place, ()):
            yield Rung(sent, call, True, time, place[1])
        yield Rung(sent, told, False, time, place[1])
        for call in after.get(place, ()):
            yield Rung(not sent, call, True, time, place[1])


def mermaid(ladder: Ladder) -> str:
    """A sequence diagram in the language of Mermaid."""
    lines = ["sequenceDiagram", f"    participant A as {_mermaid(ladder.ends[0])}"]
    if ladder.rungs:
        lines.append(f"    participant B as {_mermaid(ladder.ends[1])}")
    for rung in ladder.rungs:
        one, other = ("A", "B") if rung.sent else ("B", "A")
        if rung.is_call:
            lines.append(f"    Note over {one}: {_mermaid(rung.text)}")
        else:
            lines.append(f"    {one}->>{other}: {_mermaid(rung.text)} (packet {rung.packet})")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """A text without the characters that Mermaid takes for its own."""
    return text.translate({ord(letter): f"#{ord(letter)};" for letter in "#;"})


WIDTH: Final = 760
ROW: Final = 26
TOP: Final = 64
LEFT: Final = 180  # of the two lines
RIGHT: Final = 540
STYLE: Final = """\
.end { font-weight: bold; } .dim { fill: #5a6675; } .call { fill: #006a74; }
line { stroke: #5a6675; } path { fill: #5a6675; }
@media (prefers-color-scheme: dark) {
text { fill: #e4e8ee; } .dim { fill: #a3adba; } .call { fill: #7fe0ec; }
line { stroke: #a3adba; } path { fill: #a3adba; }
}
"""


def svg(ladder: Ladder) -> str:
    """The ladder as a drawing: time goes down."""
    height = TOP + ROW * (len(ladder.rungs) + 1)
    root = drawing.canvas(ladder.title, STYLE)
    drawing.resize(root, WIDTH, height)
    drawing.text(root, WIDTH // 2, 20, ladder.title, "dim", "middle")
    for x, end in zip((LEFT, RIGHT), ladder.ends, strict=True):
        drawing.text(root, x, 46, end, "end", "middle")
        drawing.shape(root, "line", x1=x, y1=TOP - 8, x2=x, y2=height - ROW // 2)
    first = ladder.rungs[0].time if ladder.rungs else 0
    for place, rung in enumerate(ladder.rungs):
        y = TOP + ROW * (place + 1) - 8
        if rung.is_call:
            x, anchor = (LEFT - 10, "end") if rung.sent else (RIGHT + 10, "start")
            drawing.text(root, x, y, rung.text, "call", anchor)
            continue
        tip, tail = (RIGHT, LEFT) if rung.sent else (LEFT, RIGHT)
        back = -8 if rung.sent else 8
        drawing.shape(root, "line", x1=tail, y1=y, x2=tip, y2=y)
        ET.SubElement(root, "path", {"d": f"M {tip} {y} l {back} -4 v 8 z"})
        drawing.text(root, (LEFT + RIGHT) // 2, y - 4, rung.text, "", "middle")
        when = human.duration(max(rung.time - first, 0))
        drawing.text(root, WIDTH - 6, y + 4, f"{when}, packet {rung.packet:,}", "dim", "end")
    return drawing.as_text(root) + "\n"
