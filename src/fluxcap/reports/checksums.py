"""The checksum health of captures: verdicts counted, bad records listed, offload explained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap import formats
from fluxcap._core import VERDICTS
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import OnDamage, OnInterrupt, Reading, threads_for
from fluxcap.formats import Listing
from fluxcap.plan import keys
from fluxcap.plan.spec import key_spec
from fluxcap.reports import origins, verdicts
from fluxcap.reports.origins import Origin
from fluxcap.reports.verdicts import HEADER
from fluxcap.tables.export import Exportable, wanted
from fluxcap.tables.packets import PacketTable
from fluxcap.values import human, text
from fluxcap.values.metadata import Metadata, facts, members, notes
from fluxcap.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap._core import Column
    from fluxcap.reports.hints import Hint
    from fluxcap.values.arrow import Stream, View

BAD_COLUMNS = (
    *("file", "packet", "time", "offset", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("verdict", "checksum", "expected", "ip_verdict", "ip_checksum", "ip_expected"),
    *("src_mac", "interface", "direction", "offload_flags"),
)
BAD, ILLEGAL = VERDICTS.index("bad"), VERDICTS.index("illegal")
IP_VERDICT_BIT = 16  # where the bits of `ip_verdict` begin in a scanner's `verdicts`
BY = ("by_address", "by_mac", "by_interface", "by_direction")
LISTED = 1 << BAD | 1 << ILLEGAL | 1 << IP_VERDICT_BIT + BAD
# Bad records that hints are looked for in. Causes show in hundreds; these take 2 MB and a few hundredths of a second.
EXAMINED = 16384


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

    `by_address`, `by_mac`, `by_interface`, `by_direction`: where partial and bad checksums came from, in the order of
    their first records; empty where captures do not say. `blame`: one sentence on the bad transport checksums, None
    without any. `hints`: what the first 16,384 bad records have in common, with the evidence; no more than hints, and
    no verdict depends on them.
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
    by_address: tuple[Origin, ...]
    by_mac: tuple[Origin, ...]
    by_interface: tuple[Origin, ...]
    by_direction: tuple[Origin, ...]
    blame: str | None
    hints: tuple[Hint, ...]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join((self._title(), *notes(self.metadata)))}>"

    def _title(self) -> str:
        about = f"{human.counted(self.packets, 'record')} in {human.counted(len(self.metadata['inputs']), 'input')}"
        return f"{human.count(verdicts.bad(self))} bad checksums, of {about}"

    def _repr_html_(self) -> str:
        from fluxcap.tables.card import card

        told = [
            ("bad", self.blame or ""),
            *(("hint", hint.text) for hint in self.hints[: verdicts.HINTS_SHOWN]),
            ("offload", self.offload or ""),
        ]
        counts = self._counts()
        about = [*facts(self.metadata).items(), *told]
        return card(f"{type(self).__name__}: {self._title()}", about, counts.values, len(counts))

    def _counts(self) -> Listing:
        import numpy as np

        counts = verdicts.by_header(self).values
        return Listing({name: counts[name] if name == HEADER else np.array(counts[name], np.uint64) for name in counts})

    def _stream(self, view: View) -> Stream:
        from fluxcap.values.arrow import Stream

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
            **{name: [one._asdict() for one in getattr(self, name)] for name in BY},
            "blame": self.blame,
            "hints": [hint.to_dict() for hint in self.hints],
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
    reading = _Judging(
        key=key_spec(keys.parse(origins.KEY)),
        columns=BAD_COLUMNS,
        verdicts=LISTED,
        row_limit=max(list_limit, EXAMINED),
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


class _Judging(Reading):
    """A reading that takes down what each input calls its interfaces; a pcap has no names for them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.interfaces: list[list[str]] = []

    def read_one(self, item: Input) -> Iterator[None]:
        begun = len(self.inputs)
        try:
            yield from super().read_one(item)
        finally:
            if len(self.inputs) > begun:
                form = self.scanner.format()
                named = form["interfaces"] if form["name"] == "pcapng" else []
                self.interfaces.append([one["name"].rstrip(b"\0").decode(errors="replace") for one in named])


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


def _report(reading: _Judging, bad: _Bad, list_limit: int) -> ChecksumReport:
    bad.take()
    totals = reading.scanner.totals()
    metadata = reading.metadata()
    found = origins.find(reading.scanner.flows(), reading.interfaces)
    listed = PacketTable(bad.columns, metadata)
    return ChecksumReport(
        packets=totals["packets"],
        verdicts={protocol: verdict_names(counts) for protocol, counts in sorted(totals["verdicts"].items())},
        ip_verdicts=verdict_names(totals["ip_verdicts"]),
        gre_verdicts=verdict_names(totals["gre_verdicts"]),
        bad_records=bad.records,
        bad=listed.head(list_limit) if len(listed) > list_limit else listed,
        sources=_sources(found.by_address),
        offload=origins.offload(found),
        metadata=metadata,
        **{name: getattr(found, name) for name in BY},
        blame=origins.blame(found),
        hints=_hints(bad.columns),
    )


def verdict_names(counts: Sequence[int]) -> dict[str, int]:
    """Counts by verdict code as counts by verdict name."""
    return dict(zip(VERDICTS, counts, strict=True))


def _hints(bad: Mapping[str, Column]) -> tuple[Hint, ...]:
    if not len(bad["packet"]):
        return ()
    from fluxcap.reports import hints
    from fluxcap.values.arrays import arrays

    return hints.find(arrays(bad))


def _sources(addresses: Sequence[Origin]) -> tuple[Source, ...]:
    partial = sorted((one for one in addresses if one.partial), key=lambda one: -one.partial)
    return tuple(Source(one.name, one.packets, one.partial, one.bad) for one in partial)
