"""The checksum health of captures: verdicts counted, bad records listed, offload explained."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap import formats, health, keys, text
from fluxcap._core import VERDICTS
from fluxcap.files import replacing
from fluxcap.flow_table import key_spec
from fluxcap.formats import Listing
from fluxcap.formats.table import human
from fluxcap.frames import Exportable, wanted
from fluxcap.health import HEADER
from fluxcap.inputs import Captures, expand
from fluxcap.metadata import facts, members, notes
from fluxcap.packet_table import PacketTable
from fluxcap.reading import Metadata, OnDamage, OnInterrupt, Reading, threads_for

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap._core import Column
    from fluxcap.arrow import Stream, View

BAD_COLUMNS = (
    *("file", "packet", "time", "offset", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("verdict", "checksum", "expected", "ip_verdict", "ip_checksum", "ip_expected"),
)
BAD, ILLEGAL = VERDICTS.index("bad"), VERDICTS.index("illegal")
IP_VERDICT_BIT = 16  # where the bits of `ip_verdict` begin in a scanner's `verdicts`
LISTED = 1 << BAD | 1 << ILLEGAL | 1 << IP_VERDICT_BIT + BAD
ROWS_AT_ONCE = 4096  # of bad records, beyond the limit of the list
NAMED_SOURCES = 3  # in the sentence about offload
ADDRESS = 16  # octets


class Source(NamedTuple):
    """An address that records with partial checksums came from; numbers of records."""

    address: str
    packets: int
    partial: int
    bad: int


@dataclass(frozen=True, repr=False)
class ChecksumReport(Exportable):
    """What the checksums of captures say.

    As a table (to_pandas(), to_arrow(), to_polars(), write()) it has a row of counts for each kind of header that had a
    checksum; `bad` is a table of its own.

    `verdicts`: records by verdict name, for every IP protocol number seen; `ip_verdicts`: those of IPv4 headers;
    `gre_verdicts`: those of GRE headers. `bad`: the records whose transport checksum is bad or illegal, or whose IPv4
    header checksum is bad; no more than `list_limit` of the `bad_records` that there are. `sources`: where partial
    checksums came from, most of them first; `offload`: one sentence on these, None without any. `metadata`: as tables
    have it.
    """

    packets: int
    verdicts: dict[int, dict[str, int]]
    ip_verdicts: dict[str, int]
    gre_verdicts: dict[str, int]
    bad_records: int
    bad: PacketTable
    sources: tuple[Source, ...]
    offload: str | None
    metadata: Metadata

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join((self._title(), *notes(self.metadata)))}>"

    def _title(self) -> str:
        about = f"{human.counted(self.packets, 'record')} in {human.counted(len(self.metadata['inputs']), 'input')}"
        return f"{human.count(health.bad(self))} bad checksums, of {about}"

    def _repr_html_(self) -> str:
        from fluxcap.card import card

        about = facts(self.metadata) | {"offload": self.offload or ""}
        counts = self._counts()
        return card(f"{type(self).__name__}: {self._title()}", about.items(), counts.values, len(counts))

    def _counts(self) -> Listing:
        import numpy as np

        counts = health.by_header(self).values
        return Listing({name: counts[name] if name == HEADER else np.array(counts[name], np.uint64) for name in counts})

    def _stream(self, view: View) -> Stream:
        from fluxcap.arrow import Stream

        counts = self._counts()
        return Stream(counts.values, [counts], self.metadata, view)

    def to_pandas(self) -> pd.DataFrame:
        """A pandas DataFrame."""
        return wanted("pandas").DataFrame(self._counts().values)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file whose suffix decides its format, as `fluxcap check` does: .json has all, others the counts."""
        name = formats.chosen_by(path)
        if name != "json":
            counts = self._counts()
            formats.save(path, formats.Rows([counts], counts.columns, metadata=lambda: self.metadata))
        else:
            with replacing(path) as out:
                formats.write_object(name, out, members(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and integers; `bad` as one dict a record."""
        columns = [
            text.cells(name, values) if name in text.KINDS else text.objects(values)
            for name, values in ((name, self.bad.raw(name)) for name in self.bad.columns)
        ]
        return {
            "packets": self.packets,
            "verdicts": {str(protocol): counts for protocol, counts in self.verdicts.items()},
            "ip_verdicts": self.ip_verdicts,
            "gre_verdicts": self.gre_verdicts,
            "bad_records": self.bad_records,
            "bad": [dict(zip(self.bad.columns, row, strict=True)) for row in zip(*columns, strict=True)],
            "sources": [source._asdict() for source in self.sources],
            "offload": self.offload,
            "metadata": self.metadata,
        }


def read_checksums(
    src: Captures,
    *,
    where: str | None = None,
    decap: bool = True,
    list_limit: int = 1000,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> ChecksumReport:
    """Judge every checksum of captures, list the first `list_limit` bad ones and count the rest.

    Everything else as in read_flows().
    """
    if list_limit < 0:
        raise ValueError(f"list_limit is at least 0, not {list_limit}")
    reading = Reading(
        key=key_spec(keys.parse("src_ip")),
        columns=BAD_COLUMNS,
        verdicts=LISTED,
        row_limit=max(list_limit, ROWS_AT_ONCE),
        where=where,
        decap=decap,
        threads=threads_for(threads),
        on_damage=on_damage,
        on_interrupt=on_interrupt,
    )
    bad = _Bad(reading)
    with reading.partial(lambda: _report(reading, bad, list_limit)):
        for _ in reading.read(expand(src)):
            bad.take()
    return _report(reading, bad, list_limit)


class _Bad:
    """The first bad records of a reading, and how many there are: rows after `row_limit` are counted and dropped."""

    def __init__(self, reading: Reading) -> None:
        self.columns: dict[str, Column] = {}
        self.records = 0
        self._reading = reading

    def take(self) -> None:
        columns = self._reading.scanner.take()
        self.records += len(columns["packet"])
        self.columns = self.columns or columns


def _report(reading: Reading, bad: _Bad, list_limit: int) -> ChecksumReport:
    bad.take()
    totals = reading.scanner.totals()
    metadata = reading.metadata()
    sources = _sources(reading.scanner.flows())
    listed = PacketTable(bad.columns, metadata)
    return ChecksumReport(
        packets=totals["packets"],
        verdicts={protocol: verdict_names(counts) for protocol, counts in sorted(totals["verdicts"].items())},
        ip_verdicts=verdict_names(totals["ip_verdicts"]),
        gre_verdicts=verdict_names(totals["gre_verdicts"]),
        bad_records=bad.records,
        bad=listed.head(list_limit) if len(listed) > list_limit else listed,
        sources=sources,
        offload=_offload(sources),
        metadata=metadata,
    )


def verdict_names(counts: Sequence[int]) -> dict[str, int]:
    """Counts by verdict code as counts by verdict name."""
    return dict(zip(VERDICTS, counts, strict=True))


def _sources(flows: Mapping[str, Column]) -> tuple[Source, ...]:
    packets, partial, bad = (memoryview(flows[name]) for name in ("packets", "partial", "bad"))
    rows = sorted(compress(range(len(partial)), partial), key=lambda row: partial[row], reverse=True)
    if not rows:
        return ()
    octets = memoryview(flows["src_ip"]).cast("B")
    chosen = b"".join(octets[row * ADDRESS : (row + 1) * ADDRESS] for row in rows)
    addresses = text.addresses(memoryview(chosen).cast("B", (len(rows), ADDRESS)))
    return tuple(
        Source(address, packets[row], partial[row], bad[row]) for address, row in zip(addresses, rows, strict=True)
    )


def _offload(sources: Sequence[Source]) -> str | None:
    """Who sent the partial checksums, and why they are nothing to worry about."""
    if not sources:
        return None
    total = sum(source.partial for source in sources)
    *others, last = [source.address for source in sources[:NAMED_SOURCES]]
    named = f"{', '.join(others)} and {last}" if others else last
    what = "The only partial checksum comes" if total == 1 else f"All {total:,} partial checksums come"
    where = named if len(sources) <= NAMED_SOURCES else f"{len(sources):,} sources, most of them {named}"
    return f"{what} from {where}: captured on the sender before the network card filled them in."
