"""What became of packets before they were in the capture: seen twice, cut, left to the card, joined, in pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import DISPOSITIONS, VERDICTS
from fluxcap.reports.audit.findings import Finding
from fluxcap.reports.copies import of_kinds as copies_of
from fluxcap.reports.places import FEW, Firsts, Place
from fluxcap.values import human
from fluxcap.values.arrays import grown
from fluxcap.values.names import TCP

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable

PARTIAL: Final = VERDICTS.index("partial")
HEADER_CUT: Final = DISPOSITIONS.index("truncated_header")
JOINED: Final = 4  # in `offload_flags`: several segments of the wire (epb_flags, bit 11)
NO_LIMIT: Final = np.iinfo(np.uint32).max
# The core knows so many datagrams under way. Of more, the oldest have made room and are never whole.
UNDER_WAY: Final = 2048


class Copied:
    """Packets that a mirror or a hop shows again."""

    COLUMNS = ("duplicate_of", "duplicate_kind", "file", "packet")

    def __init__(self) -> None:
        self._kinds: Counter[int] = Counter()
        self.first = Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        self._kinds.update(packets["duplicate_kind"].tobytes())
        rows = np.flatnonzero(packets["duplicate_of"])
        self.first.add_alike(packets["file"][rows], packets["packet"][rows])

    def findings(self) -> Iterator[Finding]:
        """What was found. A few copies may be chance."""
        found = copies_of(self._kinds)
        if found.many:
            count = sum(found.kinds.values())
            yield Finding(
                "copies",
                count,
                f"{found.text}.",
                "Counts of packets and bytes are too high, and copies of segments look like retransmissions; `--dedupe`"
                " leaves them out.",
                self.first.of(),
                {"of": found.records, **found.kinds},
            )


class Cut:
    """Packets of which only the beginning was captured."""

    COLUMNS = ("captured_length", "wire_length", "disposition", "file", "packet")

    def __init__(self) -> None:
        self.count, self.octets, self.headers, self.first = 0, 0, 0, Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        captured, wire = (packets[name].astype(np.int64) for name in ("captured_length", "wire_length"))
        rows = np.flatnonzero(captured < wire)
        if len(rows):
            self.count += len(rows)
            self.octets += int((wire[rows] - captured[rows]).sum())
            self.headers += int(np.count_nonzero(packets["disposition"][rows] == HEADER_CUT))
            self.first.add_alike(packets["file"][rows], packets["packet"][rows])

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        if not self.count:
            return
        headers = "Where ports are cut nothing is known of connections; the" if self.headers else "The"
        lost = human.octets(self.octets)
        yield Finding(
            "cut",
            self.count,
            f"{human.counted(self.count, 'packet')} {human.were(self.count)} cut by the snap length.",
            f"{headers} checksums of those cut cannot be verified, and {lost} cannot be delivered.",
            self.first.of(),
            {"bytes": self.octets, "headers": self.headers},
        )


class Offload:
    """Checksums that the sender's network card was to complete."""

    COLUMNS = ("verdict", "ip_verdict", "file", "packet")

    def __init__(self) -> None:
        self.count, self.first = 0, Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        transport, header = (packets[name] == PARTIAL for name in ("verdict", "ip_verdict"))
        rows = np.flatnonzero(transport | header)
        if len(rows):
            self.count += int(np.count_nonzero(transport)) + int(np.count_nonzero(header))
            self.first.add_alike(packets["file"][rows], packets["packet"][rows])

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        if self.count:
            yield Finding(
                "offload",
                self.count,
                f"{human.counted(self.count, 'checksum')} {human.were(self.count)} left to the sender's card.",
                "Whether these packets were sound on the wire is not known; `fluxcap repair` completes the checksums.",
                self.first.of(),
                {},
            )


class Joined:
    """Frames longer than what the receiver of the connection takes: several segments of the wire in one."""

    COLUMNS = (
        *("flow", "protocol", "src_port", "dst_port", "payload_length", "offload_flags", "_tcp_mss", "file"),
        "packet",
    )

    def __init__(self) -> None:
        self._limits = np.zeros(0, np.uint32)  # of each connection and direction: two in turn
        self._largest = 0  # segment that anybody takes
        self.count, self.segments, self.first = 0, 0, Firsts(FEW)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        flows, sizes = packets["flow"], packets["payload_length"]
        which = np.flatnonzero((packets["protocol"] == TCP) & (flows >= 0))
        if not len(which):
            return
        self._limits = grown(self._limits, 2 * (int(flows[which].max()) + 1), NO_LIMIT)
        up = packets["src_port"][which] > packets["dst_port"][which]
        ways = 2 * flows[which] + up
        mss = packets["_tcp_mss"][which]
        said = np.flatnonzero(mss)
        if len(said):
            np.minimum.at(self._limits, ways[said] ^ 1, mss[said])  # what the other side may send
            self._largest = max(self._largest, int(mss[said].max()))
        limits = self._limits[ways]
        if self._largest:
            # Of a connection that began before the capture the others tell what the path takes at most.
            limits = np.where(limits == NO_LIMIT, np.uint32(self._largest), limits)
        joined = (sizes[which] > limits) | (packets["offload_flags"][which] & JOINED != 0)
        rows = np.flatnonzero(joined)
        if len(rows):
            at = which[rows]
            self.count += len(rows)
            self.segments += int((-(-sizes[at].astype(np.int64) // np.maximum(limits[rows], 1))).sum())
            self.first.add_alike(packets["file"][at], packets["packet"][at])

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        if self.count:
            are = "frame is" if self.count == 1 else "frames are"
            yield Finding(
                "joined",
                self.count,
                f"{human.count(self.count)} {are} several segments in one, as the card takes or gives them.",
                f"On the wire they were about {human.count(self.segments)} packets: their counts, lengths, spacings and"
                " retransmissions are not in the tables.",
                self.first.of(),
                {"segments": self.segments},
            )


class Fragments:
    """Datagrams of which fragments are missing."""

    COLUMNS = ("_datagram", "_completes", "file", "packet")

    def __init__(self) -> None:
        self._open: dict[int, Place] = {}  # datagrams that are not whole yet: their first fragment
        self._newest = 0
        self._gone = 0  # datagrams that made room
        self._first: list[Place] = []  # ... of the first ones

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        datagrams = packets["_datagram"]
        rows = np.flatnonzero(datagrams)
        if not len(rows):
            return
        serials, first = np.unique(datagrams[rows], return_index=True)
        for serial, row in zip(serials.tolist(), rows[first].tolist(), strict=True):
            if serial > self._newest:
                self._open[serial] = Place(int(packets["file"][row]), int(packets["packet"][row]))
        self._newest = max(self._newest, int(serials[-1]))
        for serial in datagrams[rows][packets["_completes"][rows] != 0].tolist():
            self._open.pop(serial, None)
        while len(self._open) > UNDER_WAY:
            place = self._open.pop(next(iter(self._open)))
            self._gone += 1
            if len(self._first) < FEW:
                self._first.append(place)

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        count = self._gone + len(self._open)
        if count:
            lack = "datagram lacks" if count == 1 else "datagrams lack"
            yield Finding(
                "fragments",
                count,
                f"{human.count(count)} {lack} fragments.",
                "They have no verdict, and nobody receives them; where the first fragment is missing, no ports.",
                tuple([*self._first, *self._open.values()][:FEW]),
                {},
            )
