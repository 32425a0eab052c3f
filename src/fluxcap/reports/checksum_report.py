"""The checksum health of captures: verdicts counted, bad records listed, offload explained."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap import formats
from fluxcap.formats import Listing
from fluxcap.reports import verdicts
from fluxcap.reports.origins import Origin
from fluxcap.reports.verdicts import HEADER
from fluxcap.tables.export import Exportable
from fluxcap.tables.packets import PacketTable
from fluxcap.tables.requirements import wanted
from fluxcap.values import human, text
from fluxcap.values.metadata import Metadata, facts, members, notes
from fluxcap.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.reports.hints import Hint
    from fluxcap.values.arrow import Stream, View

BY = ("by_address", "by_mac", "by_interface", "by_direction")


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
        return card(f"{type(self).__name__}: {self._title()}", about, counts, len(counts))

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
