"""What files say about themselves: damage, and packets that the capturing machine had no room for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fluxcap.reports.audit.findings import Finding
from fluxcap.reports.places import FEW, Place
from fluxcap.values import human, metadata

if TYPE_CHECKING:
    from fluxcap.reports.info import CaptureInfo


def drops(info: CaptureInfo) -> Iterator[Finding]:
    """Drops that files admit: in statistics of interfaces and beside packets, which count the same packets twice."""
    by_interface = sum(one.dropped or 0 for source in info.inputs for one in source.interfaces)
    before_packets = info.anomalies["dropped_before"]
    count = max(by_interface, before_packets)
    if count:
        yield Finding(
            "drops",
            count,
            f"{human.counted(count, 'packet')} {human.were(count)} dropped by the capturing machine, as the file says.",
            "Counts of packets and bytes are too low, and retransmissions may be of packets that arrived.",
            (),
            {"by_interfaces": by_interface, "before_packets": before_packets},
        )


def damage(info: CaptureInfo) -> Iterator[Finding]:
    """Where inputs are damaged: the reading ended there, or went on where records were found again (`--resync`)."""
    damaged, resumed = info.metadata["damage"], metadata.read_past(info.metadata)
    if damaged:
        inputs = info.metadata["inputs"]
        first = damaged[0]
        more = "" if len(damaged) == 1 else f", and {human.counted(len(damaged) - 1, 'other')}"
        where = f"after packet {human.count(first.packet)}, at byte {human.count(first.offset)}"
        all_resumed = all((one.path, one.offset) in resumed for one in damaged)
        behind = "Bytes between the records were skipped." if all_resumed else "What comes behind damage was not read."
        yield Finding(
            "damage",
            len(damaged),
            f"{human.counted(len(damaged), 'place')} {'is' if len(damaged) == 1 else 'are'} damaged.",
            f"The first {where}{more}: {first.reason}. {behind}",
            tuple(Place(inputs.index(one.path), one.packet) for one in damaged[:FEW] if one.path in inputs),
            {},
        )
