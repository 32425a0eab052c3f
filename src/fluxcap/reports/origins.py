"""Where records with a partial or a bad checksum came from: by address, MAC address, interface and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap._core import DIRECTIONS
from fluxcap.errors import printable
from fluxcap.values import text

if TYPE_CHECKING:
    from fluxcap._core import Column
    from fluxcap.values.arrays import Array

KEY: Final = "src_ip,src_mac,file,interface,direction,offload_flags"  # the key of the flows that find() takes
NOT_READY: Final = 1  # bit of offload_flags: the capture itself says that the checksum was left to the card
COUNTED: Final = ("packets", "good", "partial", "bad", "ip_bad")
WRONG: Final = ("partial", "bad", "ip_bad")
NAMED: Final = 3  # addresses, in a sentence
OFFLOAD: Final = "captured on the sender before the network card filled them in"
LINUX_SLL2: Final = 276  # link type whose records number their interface as the kernel does, not as the file does
SHORT: Final = (
    32  # letters of an interface name that reads well in a sentence; names on Windows are longer, and say nothing
)


class Origin(NamedTuple):
    """An address, MAC address, interface or direction, with numbers of records that are in a flow.

    `good`, `partial`, `bad`: verdicts on the transport checksum; `ip_bad`: bad IPv4 headers; `not_ready`: the capture
    says that the checksum was left to the network card (epb_flags, bit 9).
    """

    name: str
    packets: int
    good: int
    partial: int
    bad: int
    ip_bad: int
    not_ready: int

    @property
    def implicated(self) -> bool:
        """Whether any checksum from this origin was partial or bad."""
        return any(getattr(self, what) for what in WRONG)


@dataclass(frozen=True)
class Origins:
    """The origins of partial and bad checksums, in the order of their first records, as far as captures say."""

    by_address: tuple[Origin, ...]
    by_mac: tuple[Origin, ...]
    by_interface: tuple[Origin, ...]
    by_direction: tuple[Origin, ...]

    def told(self, what: str) -> str:
        """Words for the origin of all records that count as `what` ("partial", "bad"), and for what they share."""
        senders = [one for one in _most_first(self.by_address, what) if getattr(one, what)]
        total = sum(getattr(one, what) for one in senders)
        *others, last = [one.name for one in senders[:NAMED]]
        named = f"{', '.join(others)} and {last}" if others else last
        where = named if len(senders) <= NAMED else f"{len(senders):,} sources, most of them {named}"
        if mac := _sole(self.by_mac, what, total):
            where += f" ({mac})" if len(senders) == 1 else f", all by MAC address {mac}"
        interface = _sole(self.by_interface, what, total)
        way = [self.direction(what), f"on interface {printable(interface)}" if 0 < len(interface) <= SHORT else ""]
        return ", ".join(filter(None, (where, " ".join(filter(None, way)))))

    def direction(self, what: str) -> str:
        """The direction that all these records went; "" if they went in both."""
        return _sole(self.by_direction, what, sum(getattr(one, what) for one in self.by_address))


class Named(NamedTuple):
    """An interface that a file describes."""

    name: str
    link_type: int


def find(columns: Mapping[str, Column], interfaces: Sequence[Sequence[Named]]) -> Origins:
    """The origins of flows by KEY; `interfaces`: those that each file describes, none if the file has no names."""
    if not any(any(memoryview(columns[what])) for what in WRONG):  # then there is nothing to sort
        return Origins((), (), (), ())
    from fluxcap.values.arrays import arrays

    flows = arrays(columns)
    addresses = _grouped(flows, ("src_ip",))
    macs = (one for one in _grouped(flows, ("src_mac",)) if one.name.strip("0:"))
    ways = (one for one in _grouped(flows, ("direction",)) if one.name != DIRECTIONS[0])
    places = _by_name(_grouped(flows, ("file", "interface"), clean=True), interfaces)
    return Origins(tuple(addresses), tuple(macs), tuple(one for one in places if one.implicated), tuple(ways))


def _grouped(flows: Mapping[str, Array], names: Sequence[str], clean: bool = False) -> list[Origin]:
    """One origin a combination of these columns, in the order of first rows; `clean`: also origins without fault."""
    import numpy as np

    from fluxcap.values.arrays import kinds

    first, kind = kinds([flows[name] for name in names])
    not_ready = np.where(flows["offload_flags"] & NOT_READY, flows["packets"], 0)
    counted = [flows[name] for name in COUNTED] + [not_ready]
    sums = [np.zeros(len(first), np.int64) for _ in counted]
    for total, counts in zip(sums, counted, strict=True):
        np.add.at(total, kind, counts.astype(np.int64))
    wrong = sum(total for name, total in zip(COUNTED, sums, strict=False) if name in WRONG)
    shown = np.flatnonzero(sums[0] if clean else wrong)
    texts = zip(*(text.cells(name, flows[name][first[shown]]) for name in names), strict=True)
    numbers = zip(*(total[shown].tolist() for total in sums), strict=True)
    return [Origin(" ".join(name), *counts) for name, counts in zip(texts, numbers, strict=True)]


def _by_name(places: Sequence[Origin], interfaces: Sequence[Sequence[Named]]) -> Iterator[Origin]:
    """Origins by interface name: interfaces of one name are one, since rotated files all describe the same one."""
    merged: dict[str, Origin] = {}
    for place in places:
        file, number = map(int, place.name.split())
        if name := _name(number, interfaces[file]):
            before = merged.get(name, Origin(name, *[0] * 6))
            merged[name] = Origin(name, *(a + b for a, b in zip(before[1:], place[1:], strict=True)))
    return iter(merged.values())


def _name(number: int, described: Sequence[Named]) -> str:
    """The name of the interface with this number in a file; "" if it is not known.

    A file may number some interfaces itself and take other numbers from a kernel: then a number that both use is not
    named.
    """
    by_kernel = any(one.link_type == LINUX_SLL2 for one in described)
    if number >= len(described) or described[number].link_type == LINUX_SLL2:
        return str(number) if by_kernel else ""
    return "" if by_kernel else described[number].name or str(number)


def _most_first(origins: Sequence[Origin], what: str) -> list[Origin]:
    return sorted(origins, key=lambda one: -getattr(one, what))


def _sole(origins: Sequence[Origin], what: str, total: int) -> str:
    """The one origin that all of these records came from; "" if there are several."""
    return next((one.name for one in origins if getattr(one, what) == total), "")


def offload(origins: Origins, segmented: int) -> str | None:
    """Who sent the partial checksums, and why they do not matter; None if there are none. `segmented`: how many of them
    are the sum of the pseudo-header without its length."""
    total = sum(one.partial for one in origins.by_address)
    if not total:
        return None
    why = OFFLOAD
    if origins.direction("partial") == "inbound":
        why = "sent on the machine they were captured on, where no network card fills them in"
    large = f" Segmentation offload: {segmented:,} to be cut up by the card." if segmented else ""
    return f"{_all(total, 'partial')} from {origins.told('partial')}: {why}.{large}"


def blame(origins: Origins) -> str | None:
    """Who sent the bad transport checksums; None if there are none."""
    total = sum(one.bad for one in origins.by_address)
    return f"{_all(total, 'bad transport')} from {origins.told('bad')}." if total else None


def _all(total: int, what: str) -> str:
    return f"The only {what} checksum comes" if total == 1 else f"All {total:,} {what} checksums come"
