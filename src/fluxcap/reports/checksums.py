"""The checksum health of captures: verdicts counted, bad records listed, offload explained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap import formats
from fluxcap._core import REASONS, VERDICTS
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import Reading
from fluxcap.formats import Listing
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.reports import origins, verdicts
from fluxcap.reports.origins import LINUX_SLL2, Named, Origin
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

SEGMENTATION_OFFLOAD = REASONS.index("segmentation_offload")
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
    """An address that sent records with partial checksums; numbers of records."""

    address: str
    packets: int
    partial: int
    bad: int


@dataclass(frozen=True, repr=False)
class ChecksumReport(Exportable):
    """Verdicts on the checksums of captures, and who sent bad and partial checksums.

    As a table (to_pandas(), to_arrow(), to_polars(), write()) the report has a row of counts for each kind of
    header that had a checksum; `bad` is a table of its own.

    Attributes
    ----------
    packets : int
        Records.
    verdicts : dict of int to dict of str to int
        Records by IP protocol number and transport verdict.
    ip_verdicts, gre_verdicts : dict of str to int
        Records by verdict on the IPv4 header and on GRE.
    bad_records : int
        Records whose transport checksum is bad or illegal, or whose IPv4 header checksum is bad.
    bad : PacketTable
        The first `list_limit` of these records, with the checksum found and the one expected.
    sources : tuple of Source
        Addresses that sent partial checksums, most of them first.
    offload : str or None
        One sentence on the partial checksums.
    by_address, by_mac, by_interface, by_direction : tuple of Origin
        Where partial and bad checksums came from; empty where captures do not say.
    blame : str or None
        One sentence on the bad transport checksums.
    hints : tuple of Hint
        What the first 16,384 bad records have in common, with the evidence. No verdict depends on a hint.
    metadata : dict
        As tables have it.

    See Also
    --------
    read_checksums : makes this object.

    Examples
    --------
    >>> import fluxcap
    >>> report = fluxcap.read_checksums("samples/veth-checksums-offloaded.pcap")
    >>> report.bad_records
    0
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
        if self.packets and not verdicts.examined(self):
            return f"no record passed the filter, of {human.count(self.packets)}"
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
        """Give the counts as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row a kind of header, one column a verdict.

        Raises
        ------
        ModuleNotFoundError
            pandas is not installed.

        Examples
        --------
        >>> import fluxcap
        >>> len(fluxcap.read_checksums("samples/verdicts.pcap").to_pandas())
        2
        """
        return wanted("pandas").DataFrame(self._counts().values)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file whose suffix decides the format, as `fluxcap check` does.

        Parameters
        ----------
        path : path
            .json has everything; .csv, .tsv, .ndjson, .parquet, .arrow and .npz have the counts. The file appears when
            it is whole.

        Raises
        ------
        ValueError
            The suffix is unknown.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> fluxcap.read_checksums("samples/verdicts.pcap").write(tempfile.mkdtemp() + "/checksums.json")
        """
        name = formats.chosen_by(path)
        if name != "json":
            counts = self._counts()
            formats.save(path, formats.Rows([counts], counts.columns, metadata=lambda: self.metadata))
        else:
            with replacing(path) as out:
                formats.write_object(name, out, members(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """Give the same as dicts, lists, texts and integers.

        Returns
        -------
        dict
            Ready for JSON; `bad` is a list of one dict a record.

        Examples
        --------
        >>> import fluxcap
        >>> "hints" in fluxcap.read_checksums("samples/verdicts.pcap").to_dict()
        True
        """
        columns = [_plain(name, self.bad.raw(name)) for name in self.bad.columns]
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


def _plain(name: str, values: Any) -> list[Any]:
    """The values of a column as texts and integers; None for a time that is missing."""
    if name not in text.KINDS:
        return text.objects(values)
    cells = text.cells(name, values)
    return [cell or None for cell in cells] if text.is_time(name) else cells


def read_checksums(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    list_limit: int = 1000,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> ChecksumReport:
    """Judge every checksum of captures; list the first bad ones and count the rest.

    Parameters
    ----------
    src : path, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    list_limit : int, default 1000
        Bad records to list, at least 0.
    threads : int, optional
        Threads to read with, at most one a processor. None: a few, or one for small inputs. The result is the same.
    on_damage : {"warn", "raise"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage; "raise" raises the CaptureError.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    ChecksumReport
        Verdicts by protocol, the bad records, and who sent bad and partial checksums.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise"; `partial` holds what was read before the damage.
    OSError
        An input cannot be opened.
    ValueError
        `list_limit` is negative.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Examples
    --------
    >>> import fluxcap
    >>> report = fluxcap.read_checksums("samples/verdicts.pcap")
    >>> report.bad_records == len(report.bad)
    True
    >>> sorted(report.verdicts)  # protocol numbers
    [17]
    """
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt, inner=inner, tunnels=tunnels)
    return collect_checksums(src, list_limit, options)


def collect_checksums(src: Captures, list_limit: int, options: ReadOptions) -> ChecksumReport:
    """Read captures and judge their checksums."""
    if list_limit < 0:
        raise ValueError(f"list_limit is at least 0, not {list_limit}")
    reading = _Judging(options, row_limit=max(list_limit, EXAMINED))
    bad = _Bad(reading)
    with reading.partial(lambda: _report(reading, bad, list_limit)):
        for _ in reading.read(expand(src)):
            bad.take()
    return _report(reading, bad, list_limit)


class _Judging(Reading):
    """A reading that notes the interfaces of each input; a pcap neither names nor numbers its interface."""

    def __init__(self, options: ReadOptions, row_limit: int) -> None:
        spec = FlowPlan(keys.parse(origins.KEY)).spec()
        super().__init__(options, key=spec, columns=BAD_COLUMNS, verdicts=LISTED, row_limit=row_limit)
        self.depends_on_order = False  # counts by origin have no direction
        self.interfaces: list[list[Named]] = []

    def read_one(self, item: Input) -> Iterator[None]:
        begun = len(self.inputs)
        try:
            yield from super().read_one(item)
        finally:
            if len(self.inputs) > begun:
                form = self.scanner.format()
                named = [Named(_text(one["name"]), one["link_type"]) for one in form["interfaces"]]
                numbered = form["name"] == "pcapng" or any(one.link_type == LINUX_SLL2 for one in named)
                self.interfaces.append(named if numbered else [])


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")


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
        offload=origins.offload(found, totals["reasons"][SEGMENTATION_OFFLOAD]),
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
