"""Frames by sender and receiver: what a flow table has of IP packets, of every record with a link header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap.sockets.ends import distinct_rows
from fluxcap.values.arrays import missing_last

if TYPE_CHECKING:
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.arrays import Array

FRAME_COLUMNS: Final = ("src_mac", "dst_mac", "link_type", "captured_length", "wire_length", "time")
MAC_OCTETS: Final = 6
KEY_OCTETS: Final = 8  # of one end: a MAC address, then whether there is one
PRESENT: Final = MAC_OCTETS  # the place in the key that says so
ETHERNET, ETHERNET_HEADER = 1, 14  # link type; bytes of the header, whose addresses may both be zero
GROWN: Final = 1 << 20  # rows that wait to be added up


class Totals(NamedTuple):
    """A row a sender and receiver."""

    macs: Array  # the two ends of each row one after the other, KEY_OCTETS each
    packets: Array
    octets: Array
    first: Array
    last: Array


NONE: Final = Totals(np.zeros((0, KEY_OCTETS), np.uint8), *[np.zeros(0, np.uint64)] * 2, *[np.zeros(0, np.int64)] * 2)


class Frames:
    """Frames, added up by sender and receiver in the order of the first of each."""

    def __init__(self) -> None:
        self._parts: list[Totals] = []
        self._rows, self._most = 0, GROWN

    def add(self, packets: PacketTable) -> None:
        """Count the frames of a batch."""
        macs = np.zeros((len(packets), 2, KEY_OCTETS), np.uint8)
        whole = (packets["link_type"] == ETHERNET) & (packets["captured_length"] >= ETHERNET_HEADER)
        for side, name in enumerate(("src_mac", "dst_mac")):
            macs[:, side, :MAC_OCTETS] = packets[name]
            macs[:, side, PRESENT] = whole | packets[name].any(axis=1)
        there = macs[:, :, PRESENT].any(axis=1)
        lengths, times = packets["wire_length"][there].astype(np.uint64), packets["time"][there]
        ends = macs[there].reshape(-1, KEY_OCTETS)
        self._parts.append(_added(Totals(ends, np.ones_like(lengths), lengths, times, times)))
        self._rows += len(self._parts[-1].packets)
        if self._rows > self._most:
            self.totals()

    def totals(self) -> Totals:
        """What was counted up to now."""
        whole = _added(Totals(*map(np.concatenate, zip(NONE, *self._parts, strict=True))))
        self._parts, self._rows = [whole], len(whole.packets)
        self._most = max(GROWN, 2 * self._rows)
        return whole


def has_mac(keys: Array) -> Array:
    """Whether the link header had an address at this end."""
    present: Array = keys[:, PRESENT] > 0
    return present


def _added(rows: Totals) -> Totals:
    """Rows of the same sender and receiver as one."""
    codes, firsts = distinct_rows(rows.macs.reshape(-1, 2 * KEY_OCTETS))
    n = len(firsts)
    packets, octets = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    np.add.at(packets, codes, rows.packets)
    np.add.at(octets, codes, rows.octets)
    first, last = missing_last(rows.first[firsts]), rows.last[firsts]
    np.minimum.at(first, codes, missing_last(rows.first))
    np.maximum.at(last, codes, rows.last)
    macs = rows.macs.reshape(-1, 2 * KEY_OCTETS)[firsts].reshape(-1, KEY_OCTETS)
    return Totals(macs, packets, octets, first + 1, last)
