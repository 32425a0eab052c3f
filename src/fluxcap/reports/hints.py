"""What bad checksums have in common: hints at their cause, each with its evidence. None of them changes a verdict.

Every hint follows from the difference between the sum found and the right sum, in ones' complement (modulo 0xFFFF): a
change after the sum was taken, without updating it, makes the difference that RFC 1624 describes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from fluxcap._core import VERDICTS
from fluxcap.values import names, text
from fluxcap.values.arrays import Array, kinds
from fluxcap.values.names import SCTP

BAD: Final = VERDICTS.index("bad")
MODULUS: Final = 0xFFFF  # of ones' complement: 0x0000 and 0xFFFF are the same number
# At least so many different right sums must have the same difference, or a constant zero: then neither chance nor a
# repeated record explains it. Two records agree by chance in one case of 65,535, three in one of four thousand million.
DIFFERENT_SUMS: Final = 3
# One flipped bit makes one of these 32 differences; chance does in one case of 2,048.
ONE_BIT: Final = np.array(sorted({way * (1 << bit) % MODULUS for bit in range(16) for way in (1, -1)}))
# A cause that is seen so many times as often as by chance is a hint: one flipped bit among up to 40 bad sums, or one
# sum among up to 1,310 that differs as much as the other checksum of its packet.
OVER_CHANCE: Final = 50
NAMED: Final = 3  # flows and records given as evidence

Kind = Literal["never filled in", "rewritten", "one bit", "other zero"]
Rows = Mapping[str, Array]

CAUSES: Final[Mapping[Kind, str]] = {
    "never filled in": "hold zero, as if nobody had filled them in",
    "rewritten": "differ from the right one by {difference}, as if {covered} had been rewritten without updating it"
    " (RFC 1624)",
    "one bit": "differ from the right one by {difference}, as a single flipped bit makes it",
    "other zero": "hold zero where its other form, 0xffff, is right (RFC 1624 section 3)",
}


COVERED: Final = {
    "transport": "addresses or ports",
    "IPv4": "addresses or the time to live",
}  # fields that a router or NAT changes


class Flow(NamedTuple):
    """One direction of a flow."""

    protocol: int
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int


class Hint(NamedTuple):
    """A possible cause of some bad checksums.

    `kind`: "never filled in", "rewritten", "one bit" or "other zero"; `header`: "transport" or "IPv4";
    `records`: how many bad ones it would explain, of `examined`; `difference`: found minus expected, modulo 0xFFFF, if
    it is the same in all; `flows`: how many, in each direction, and `of_flows` and `in_packets` (number of the file,
    number of the record) the first of them; `text`: the same in words.
    """

    kind: Kind
    header: str
    records: int
    examined: int
    difference: int | None
    flows: int
    of_flows: tuple[Flow, ...]
    in_packets: tuple[tuple[int, int], ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """The hint as dicts, lists, texts and integers."""
        places = [{"file": file, "packet": packet} for file, packet in self.in_packets]
        return {**self._asdict(), "of_flows": [flow._asdict() for flow in self.of_flows], "in_packets": places}


def find(bad: Rows) -> tuple[Hint, ...]:
    """Hints at the causes of the bad checksums among some rows of packets; hints on most records first."""
    # SCTP has a CRC, whose difference says nothing about the change.
    transport = (bad["verdict"] == BAD) & (bad["protocol"] != SCTP)
    header = bad["ip_verdict"] == BAD
    alike = transport & header & (_difference(bad, "") == _difference(bad, "ip_"))
    hints = (
        *_Bad(bad, transport, "transport", "", alike).hints(),
        *_Bad(bad, header, "IPv4", "ip_", alike).hints(),
    )
    return tuple(sorted(hints, key=lambda hint: -hint.records))


def _difference(rows: Rows, prefix: str) -> Array:
    """The checksum found minus the right one, in ones' complement."""
    found, expected = (rows[f"{prefix}{name}"].astype(np.int64) for name in ("checksum", "expected"))
    difference: Array = (found - expected) % MODULUS
    return difference


class _Bad:
    """The bad checksums of one kind of header, and which of them no hint explains yet."""

    def __init__(self, rows: Rows, which: Array, header: str, prefix: str, alike: Array) -> None:
        self.rows = {name: values[which] for name, values in rows.items()}
        self.header = header
        self.found = self.rows[f"{prefix}checksum"].astype(np.int64)
        self.expected = self.rows[f"{prefix}expected"].astype(np.int64)
        self.difference = _difference(self.rows, prefix)
        self.alike = alike[which]  # the same difference in both headers: an address was changed, which both cover
        _, self.flow = kinds([self.rows[name] for name in Flow._fields])
        # An address is rewritten in all flows between two hosts, however few packets each flow has.
        _, self.pair = kinds([self.rows[name] for name in ("src_ip", "dst_ip")])
        self.open = np.ones(len(self.found), bool)

    def hints(self) -> Iterator[Hint]:
        """The best explanations come first; a record that one of them explains is left out of those after it."""
        if not len(self.found):
            return
        yield from self._hint("other zero", self.difference == 0)
        yield from self._hint("never filled in", self._constant(self.found, self.flow) & (self.found == 0))
        constant = self._constant(self.difference, self.flow) | self._constant(self.difference, self.pair)
        for difference in np.unique(self.difference[constant]).tolist():
            # In a flow of any length: a short flow proves nothing, but agrees by chance in one case of 65,535.
            yield from self._hint("rewritten", self.difference == difference)
        yield from self._if_no_chance("one bit", np.isin(self.difference, ONE_BIT), len(ONE_BIT))
        yield from self._if_no_chance("rewritten", self.alike, 1)

    def _if_no_chance(self, kind: Kind, which: Array, values: int) -> Iterator[Hint]:
        """A hint if `which` are more than chance explains: a random sum agrees with one of `values` values."""
        if (which & self.open).sum() * MODULUS > self.open.sum() * values * OVER_CHANCE:
            yield from self._hint(kind, which)

    def _constant(self, values: Array, group: Array) -> Array:
        """The unexplained records of groups whose unexplained records have the same value, of different right sums."""
        constant = np.zeros(len(values), bool)
        rows = np.flatnonzero(self.open)
        order = rows[np.argsort(group[rows], kind="stable")]
        for one in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
            if len(one) >= DIFFERENT_SUMS and (values[one] == values[one[0]]).all():
                constant[one] = len(np.unique(self.expected[one])) >= DIFFERENT_SUMS
        return constant

    def _hint(self, kind: Kind, which: Array) -> Iterator[Hint]:
        rows = np.flatnonzero(which & self.open)
        if not len(rows):
            return
        self.open[rows] = False
        difference = self.difference[rows[0]].item() if len(np.unique(self.difference[rows])) == 1 else None
        _, first = np.unique(self.flow[rows], return_index=True)
        flows = _flows({name: values[rows[np.sort(first)[:NAMED]]] for name, values in self.rows.items()})
        places = zip(*(self.rows[name][rows[:NAMED]].tolist() for name in ("file", "packet")), strict=True)
        hint = Hint(kind, self.header, len(rows), len(self.found), difference, len(first), flows, tuple(places), "")
        yield hint._replace(text=_in_words(hint))


def _in_words(hint: Hint) -> str:
    what = hint.header if hint.header == "transport" else f"{hint.header} header"
    some = f"{hint.records:,} of {hint.examined:,} bad {what} checksums" if hint.examined > 1 else f"The bad {what} sum"
    difference = "" if hint.difference is None else f"{hint.difference:#06x}"
    cause = CAUSES[hint.kind].format(difference=difference or "different amounts", covered=COVERED[hint.header])
    if hint.records == 1:
        cause = cause.replace("hold ", "holds ", 1).replace("differ ", "differs ", 1)
    flow = hint.of_flows[0]
    src, dst = text.socket(flow.src_ip, flow.src_port), text.socket(flow.dst_ip, flow.dst_port)
    ends = f"{names.protocol(flow.protocol)} {src} > {dst}"
    others = f" and {hint.flows - 1:,} more" if hint.flows > 1 else ""
    return f"{some} {cause}; {ends}{others}, first in packet {hint.in_packets[0][1]:,}."


def _flows(rows: Rows) -> tuple[Flow, ...]:
    src, dst = (text.addresses(rows[name]) for name in ("src_ip", "dst_ip"))
    numbers = (rows[name].tolist() for name in ("protocol", "src_port", "dst_port"))
    protocols, src_ports, dst_ports = numbers
    return tuple(map(Flow, protocols, src, src_ports, dst, dst_ports))
