"""What TCP proves: bytes that were received and not captured, sides that are not there, answers before questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import ACKS_UNSEEN, AFTER_ACK
from fluxcap.reports.audit.findings import Finding
from fluxcap.reports.places import FEW, Firsts, Place
from fluxcap.values import human
from fluxcap.values.arrays import grown
from fluxcap.values.names import ACK, RST, SYN, TCP

if TYPE_CHECKING:
    from fluxcap.tables.connections import ConnectionTable
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.arrays import Array

# Nobody sends so much without an acknowledgment: the largest window without scaling (RFC 9293 section 3.1).
UNANSWERED: Final = 65535
HALF: Final = 1 << 31  # of the sequence space


class Conversations:
    """Connections of TCP: what their packets prove about packets that are not there."""

    COLUMNS = ("flow", "protocol", "tcp_flags", "tcp_ack", "_mark", "_datagram", "file", "packet")

    def __init__(self) -> None:
        self._files, self._packets = np.zeros(0, np.uint32), np.zeros(0, np.uint64)  # first packet of each connection
        self._acks = np.zeros(0, np.int64)  # the first acknowledgment of each; -1: none yet
        self._moved = np.zeros(0, bool)  # a later one acknowledges more
        self._unseen = Firsts(1)  # acknowledgments of bytes not seen before them, of each connection
        self.after, self.afters = 0, Firsts(FEW)
        self._turned = np.zeros(0, bool)  # connections with such segments
        self._pieced = np.zeros(0, bool)  # connections with segments in fragments, which are longer than they look

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        flows = packets["flow"]
        at = np.flatnonzero((packets["protocol"] == TCP) & (flows >= 0))
        if not len(at):
            return
        self._note_flows(packets, at)
        marks = packets["_mark"][at]
        unseen, after = at[marks & ACKS_UNSEEN != 0], at[marks & AFTER_ACK != 0]
        files, numbers = packets["file"], packets["packet"]
        self._unseen.add(flows[unseen], files[unseen], numbers[unseen])
        if len(after):
            self.after += len(after)
            self._turned[flows[after]] = True
            self.afters.add_alike(files[after], numbers[after])

    def _note_flows(self, packets: PacketTable, at: Array) -> None:
        """Note the first packet of each connection, and whether its acknowledgments move."""
        flows = packets["flow"][at]
        n = int(flows.max()) + 1
        self._files, self._packets = grown(self._files, n, 0), grown(self._packets, n, 0)
        self._acks, self._moved = grown(self._acks, n, -1), grown(self._moved, n, False)
        self._turned, self._pieced = grown(self._turned, n, False), grown(self._pieced, n, False)
        self._pieced[flows[packets["_datagram"][at] != 0]] = True
        new = np.flatnonzero(self._packets[flows] == 0)
        there, first = np.unique(flows[new], return_index=True)
        self._files[there] = packets["file"][at[new[first]]]
        self._packets[there] = packets["packet"][at[new[first]]]
        acking = np.flatnonzero(packets["tcp_flags"][at] & (ACK | RST) == ACK)
        flows, acks = flows[acking], packets["tcp_ack"][at[acking]].astype(np.int64)
        new = np.flatnonzero(self._acks[flows] < 0)
        there, first = np.unique(flows[new], return_index=True)
        self._acks[there] = acks[new[first]]
        ahead = acks - self._acks[flows] & 2 * HALF - 1
        self._moved[flows[(ahead > 0) & (ahead < HALF)]] = True

    def findings(self, connections: ConnectionTable, lost: Array) -> Iterator[Finding]:
        """What was found. `lost`: bytes of each connection and side that were acknowledged and never seen."""
        is_tcp = connections["protocol"] == TCP
        sent = np.stack([connections[name] for name in ("packets", "reverse_packets")])
        yield from self._loss(connections, lost, is_tcp & (sent > 0).all(axis=0))
        yield from self._one_sided(connections, is_tcp & ((sent > 0).sum(axis=0) == 1), int(is_tcp.sum()))
        if self.after:
            count = int(np.count_nonzero(self._turned))
            stand = "stands behind its" if self.after == 1 else "stand behind their"
            yield Finding(
                "ahead",
                self.after,
                f"{human.counted(self.after, 'segment')} of {human.counted(count, 'conversation')} {stand}"
                " acknowledgment.",
                "One direction runs ahead of the other, as with two taps: round trips, responses and who began a"
                " connection may be wrong.",
                self.afters.of(),
                {"connections": count},
            )

    def _loss(self, connections: ConnectionTable, lost: Array, both: Array) -> Iterator[Finding]:
        lost = np.where(grown(self._pieced, len(lost), False)[: len(lost), None], 0, lost)
        octets = int(lost.sum())
        if not octets:
            return
        seen = sum(int(connections[name][both].sum()) for name in ("payload_bytes", "reverse_payload_bytes"))
        flows = np.flatnonzero(lost.any(axis=1)).tolist()
        percent = 100 * octets / (octets + seen)
        yield Finding(
            "loss",
            octets,
            f"{human.octets(octets)} of TCP ({share(percent)}) were received, as their acknowledgments say, and not"
            " captured.",
            "Bytes and packets are too few, also of other protocols; a gap in a stream is the capture's, not the"
            " network's.",
            self._acknowledging(flows),
            {"bytes": octets, "percent": percent, "connections": len(flows)},
        )

    def _acknowledging(self, flows: list[int]) -> tuple[Place, ...]:
        """The first acknowledgments of what was not seen, of these connections."""
        places = [place for flow in flows[: 4 * FEW] for place in self._unseen.of(flow)]
        return tuple(sorted(places)[:FEW])

    def _one_sided(self, connections: ConnectionTable, one: Array, of: int) -> Iterator[Finding]:
        """Connections of which one side answers another that is not there. A lone SYN, or data to a host that is down,
        proves nothing."""
        flags = connections["tcp_flags"] | connections["reverse_tcp_flags"]
        payload = connections["payload_bytes"] + connections["reverse_payload_bytes"]
        moved = grown(self._moved, len(connections), False)[: len(connections)]
        proven = one & ((flags & (SYN | ACK | RST) == SYN | ACK) | moved | (payload > UNANSWERED))
        rows = np.flatnonzero(proven)
        if len(rows):
            has = "has" if len(rows) == 1 else "have"
            places = tuple(map(Place, self._files[rows[:FEW]].tolist(), self._packets[rows[:FEW]].tolist()))
            yield Finding(
                "one_sided",
                len(rows),
                f"{human.count(len(rows))} of {human.counted(of, 'TCP conversation')} {has} one side only.",
                "The other direction went past the capture: its bytes, states, round trips and losses are unknown.",
                places,
                {"of": of},
            )


def share(percent: float) -> str:
    """12.34 -> '12 %', 0.42 -> '0.4 %', 0.01 -> 'under 0.1 %'."""
    if percent < 0.1:
        return "under 0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
