"""Fragments of all parts, which are read together: those of one datagram may be in several parts.

The reading of a part counts a fragment in no flow, and says how many flows there were before it. One worker reads all
fragments, byte for byte, in order, as one capture: what becomes of a fragment depends on fragments alone, but for one
that comes before the first one of its datagram. It waits, and how long depends on all records that come meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from fluxcap._core import DISPOSITIONS, WAITED, Copier
from fluxcap.capture.inputs import Input
from fluxcap.capture.sources import Iterated
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Accounting
from fluxcap.cluster.gathering import Summary, metadata_of
from fluxcap.cluster.part import Work, open_table
from fluxcap.cluster.ranges import range_of
from fluxcap.plan.flow_plan import FLOW
from fluxcap.rewrite.extract import copied
from fluxcap.tables.flows import FlowTable
from fluxcap.tables.merging import added_up
from fluxcap.values.arrays import Array, arrays

if TYPE_CHECKING:
    from fluxcap.values.metadata import Metadata

# Of fragments in a part: the core's count_apart() says what FLOW is.
COLUMNS: Final = ("file", "packet", FLOW, "disposition", "wire_length")
# ... and of all of them, read together.
TOGETHER: Final = (FLOW, "fragment_offset", "_datagram", "_mark")
# Records that a fragment may wait for the first one, for the same to be known of it from fragments alone. The core
# holds back twice as many (fragments/holding.pxd).
WAIT_MAX: Final = 4096
FLOW_BITS: Final = 31  # a table has MAX_ROWS (flows/table.pxd) at most, and a fragment may be behind all of them


class Records(NamedTuple):
    """Records of an input, as the bytes of a capture."""

    headers: bytes  # before its first record
    octets: bytes


class Numbering(NamedTuple):
    """Numbers of the records that flows of so many parts began with: in the order of all records, though none of them
    is counted. A number has three fields: the part, the flows of the part before it, and among fragments behind the
    same flow their order."""

    parts: int

    @property
    def _last(self) -> int:
        """The greatest value of the last field, which the flow itself has."""
        return int((1 << 64 - FLOW_BITS - (self.parts - 1).bit_length()) - 1)

    def _number(self, parts: Array | int, flows: Array, last: Array | int) -> Array:
        room = np.uint64(self._last.bit_length())
        first = np.asarray(parts).astype(np.uint64) << np.uint64(FLOW_BITS) | flows.astype(np.uint64)
        made: Array = first << room | np.asarray(last).astype(np.uint64)
        return made

    def of_flows(self, part: int, n: int) -> Array:
        """The numbers of the first n flows of a part."""
        return self._number(part, np.arange(n), self._last)

    def of_fragments(self, parts: Array, flows: Array) -> Array | None:
        """The numbers of flows in the order of their first fragments, which are in these parts, behind so many flows.
        None: more are behind the same flow than there is room for, or they are in another order."""
        begins = np.flatnonzero(np.append(True, (np.diff(parts) != 0) | (np.diff(flows) != 0))[: len(parts)])
        behind = np.arange(len(parts)) - np.repeat(begins, np.diff(np.append(begins, len(parts))))
        if behind.max(initial=0) >= self._last:
            return None
        made = self._number(parts, flows, behind)
        return made if (made[1:] > made[:-1]).all() else None


class Apart(NamedTuple):
    """The fragments of a part."""

    rows: dict[str, Array]
    captures: dict[int, tuple[bytes, Array]]  # for each of its inputs that has some: headers, and records


class Place(NamedTuple):
    """Where a part stands among all records."""

    file: int  # number of its first input among those of all parts
    packets: int  # records of this input before it, that its own numbers do not count


class Together(NamedTuple):
    """What became of the fragments of all parts."""

    table: FlowTable
    numbers: Array  # of the first fragment of each row: Numbering
    exact: bool  # whether a reading of all records says the same
    ledger: dict[str, Array]  # records and wire bytes that are to be added to those of the parts


def apart_of(rows: dict[str, Array], kept: Mapping[int, Records], begun: Sequence[Input]) -> Apart:
    """The fragments of a part with these inputs. Where they were not `kept` while they were read, they are copied."""
    captures = {}
    for file in map(int, np.unique(rows["file"])):
        headers, octets = kept.get(file) or _copied(begun[file], rows["packet"][rows["file"] == file])
        captures[file] = headers, np.frombuffer(octets, np.uint8)  # arrays are sent without a copy, bytes are not
    return Apart(rows, captures)


def _copied(item: Input, packets: Array) -> Records:
    """These records of an input, and all there is besides records."""
    found = range_of([item])
    octets = b"".join(map(bytes, copied(Copier(joins=True), item, packets - np.uint64((found and found.packets) or 0))))
    headers = len(found.headers) if found is not None else 0
    return Records(octets[:headers], octets[headers:])


def read_together(several: Sequence[Apart], summaries: Sequence[Summary], work: Work) -> Together | None:
    """Read the fragments of all parts; None if there are none."""
    captures: dict[int, list[Any]] = {}
    places = _places(summaries)
    for one, place in zip(several, places, strict=True):
        for file, (headers, octets) in one.captures.items():
            captures.setdefault(place.file + file, [np.frombuffer(headers, np.uint8)]).append(octets)
    if not captures:
        return None
    in_order = added_up(metadata_of(summaries))["in_order"]
    reading = Accounting(work.options._replace(threads=1), False, key=work.plan.spec(), columns=TOGETHER)
    with keeping_warnings():
        for _ in reading.read([_in_pieces(captures[file]) for file in sorted(captures)]):
            pass
        rows = arrays(reading.scanner.take())
        table = open_table(reading, work)
    n = [len(one.rows["packet"]) for one in several]
    numbers = np.concatenate([one.rows["packet"] + np.uint64(place.packets * (one.rows["file"] == 0))
                              for one, place in zip(several, places, strict=True)])  # fmt: skip
    flows, at = np.unique(rows[FLOW], return_index=True)
    first = at[flows >= 0]
    begun = Numbering(len(several)).of_fragments(
        np.repeat(np.arange(len(several)), n)[first], np.concatenate([one.rows[FLOW] for one in several])[first]
    )
    return Together(
        table,
        np.zeros(len(table), np.uint64) if begun is None else begun,
        begun is not None and not _errors(table) and _is_known(rows, numbers.astype(np.int64), in_order),
        _corrections(table.metadata, several),
    )


def _in_pieces(octets: Sequence[Array]) -> Input:
    some = [one for one in octets if len(one)]
    return Input("<fragments>", lambda: nullcontext(Iterated(one.data for one in some)), sum(map(len, some)))


def _places(summaries: Sequence[Summary]) -> list[Place]:
    made: list[Place] = []
    file = packets = 0  # inputs that have begun, and packets of the last one
    for one in summaries:
        metadata, seam = one.metadata, one.seam
        if seam.goes_on:
            made.append(Place(file - 1, packets if seam.passes else 0))
            packets += metadata["packets"]
        else:
            made.append(Place(file, 0))
            file += len(metadata["inputs"])
            packets = metadata["packets"]
    return made


def _errors(table: FlowTable) -> bool:
    """Whether fragments hold ICMP errors, whose order among other errors about a flow would count."""
    return table._unseen is not None or bool(table["icmp_errors"].any())


def _is_known(rows: dict[str, Array], numbers: Array, in_order: bool) -> bool:
    """Whether all fragments that have waited for the first one have done so too where all records are read."""
    waited = np.flatnonzero(rows["_mark"] & WAITED)
    if not len(waited):
        return True
    datagrams = rows["_datagram"].astype(np.int64)
    firsts = np.flatnonzero((rows["fragment_offset"] == 0) & (datagrams > 0))[::-1]
    of_first = np.full(int(datagrams.max()) + 1, -1)
    of_first[datagrams[firsts]] = firsts  # of several the first
    ends = of_first[datagrams[waited]]
    if (ends < 0).any():  # in a tunnel: the record with the first one is the packet inside, which has no datagram
        return False
    between = numbers[ends] - numbers[waited]
    return bool(((between == ends - waited) | (in_order & (between <= WAIT_MAX))).all())


def _corrections(metadata: Metadata, several: Sequence[Apart]) -> dict[str, Array]:
    """What the ledger of the parts lacks: they have counted each fragment as it is by itself."""
    made = {name: np.array(counted, np.int64) for name, counted in metadata["ledger"].items()}
    for one in several:
        for code in np.unique(one.rows["disposition"]):
            lengths = one.rows["wire_length"][one.rows["disposition"] == code]
            made[DISPOSITIONS[code]] -= (len(lengths), int(lengths.sum(dtype=np.int64)))
    return made
