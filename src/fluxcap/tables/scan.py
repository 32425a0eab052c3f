"""Packet tables in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxcap import formats
from fluxcap.capture.index.beginning import check_place
from fluxcap.capture.inputs import Captures, Input, refuse_once
from fluxcap.capture.live.following import as_read, named
from fluxcap.capture.reading import Reading
from fluxcap.capture.steps import each
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.payload import Payload, payload_of
from fluxcap.plan.places import place_of
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.sizes import octets
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.export import Exportable, as_asked
from fluxcap.tables.merging import joined
from fluxcap.tables.packets import PacketTable, choose, needs_flows, packet_table, without_rows, witnessed
from fluxcap.tables.requirements import wanted
from fluxcap.values import other_names
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    import os

    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.places import At
    from fluxcap.values.arrow import IpForm, Stream, View
    from fluxcap.values.other_names import Scheme

BATCH_ROWS: Final = 65536  # default rows of a batch


class PacketScan(Exportable):
    """The packets of captures as tables of `batch_size` rows, in bounded memory.

    Arrow readers take a scan as they take a table, batch by batch: `duckdb.sql("SELECT max(time) FROM scan")`.
    Each iteration, reader or query reads the inputs anew. Standard input, a pipe or an open file can be read only
    once: the second time is a ValueError.

    Attributes
    ----------
    columns : tuple of str
        Names of the columns.
    batch_size : int
        Rows of each table; the last one may be shorter, and so are those of a pipe that pauses.
    metadata : dict
        Metadata of the last iteration that reached the end, as tables have it.

    See Also
    --------
    scan_packets : makes scans.

    Examples
    --------
    >>> import fluxcap
    >>> scan = fluxcap.scan_packets("samples/verdicts.pcap", columns="verdict", batch_size=2)
    >>> len(next(iter(scan)))
    2
    """

    def __init__(
        self, inputs: list[Input], columns: tuple[str, ...], plan: FlowPlan | None, batch_size: int,
        options: ReadOptions,
    ) -> None:  # fmt: skip
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, not {batch_size}")
        check_place(inputs, options.at)
        self.columns = columns
        self.batch_size = batch_size
        self.metadata: Metadata = {}
        self._inputs = inputs
        self._plan = plan
        self._options = options._replace(threads=1)  # one thread keeps rows in order
        self._begun = False

    def __repr__(self) -> str:
        names, columns = ", ".join(self._known()["inputs"]), f"{len(self.columns)} columns"
        return f"<PacketScan of {names}: {columns}, {self.batch_size:,} packets a batch>"

    def __iter__(self) -> Iterator[PacketTable]:
        return self.read(self.columns, self.batch_size)

    def read(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        """Read the inputs as tables of some of the columns.

        Parameters
        ----------
        columns : sequence of str
            Names of columns.
        batch_size : int
            Rows of each table.

        Yields
        ------
        PacketTable
            The next rows.

        Raises
        ------
        ValueError
            An input can be read only once, and was.
        CaptureError
            As in read_packets().

        Examples
        --------
        >>> import fluxcap
        >>> scan = fluxcap.scan_packets("samples/verdicts.pcap")
        >>> next(scan.read(["time"], 3)).columns
        ('time',)
        """
        self._check()
        return self._batches(columns, batch_size)

    def _check(self) -> None:
        """ValueError if an input can be read only once, and was."""
        if self._begun:
            refuse_once(self._inputs, "scan it again")

    def _batches(self, columns: Sequence[str], batch_size: int) -> Iterator[PacketTable]:
        self._check()  # checked again: some readers ask for a stream that they do not read
        self._begun = True
        key = self._plan.spec() if self._plan is not None and needs_flows(columns) else None
        reading = Reading(self._options, key=key, columns=witnessed(columns), row_limit=batch_size)
        with reading.partial(lambda: packet_table(reading, columns)):  # rows that were not handed out yet
            inputs = as_read(self._inputs, self._options.follow)
            yield from each(reading, inputs, lambda: packet_table(reading, columns))
        rest = packet_table(reading, columns)
        if len(rest):
            yield rest
        self.metadata = rest.metadata

    def _stream(self, view: View) -> Stream:
        from fluxcap.values.arrow import Stream

        return Stream(self._without_rows().to_dict(), self, self._known(), view)

    def write(self, path: str | os.PathLike[str], *, names: Scheme | None = None) -> None:
        """Write a file whose suffix decides the format, batch by batch, as the capture is read.

        Parameters
        ----------
        path : path or URL
            As in PacketTable.write(). The file appears under its name only when it is whole.
        names : {"zeek", "nfstream"}, optional
            Give the columns the names that these programs use.

        Raises
        ------
        ValueError
            The suffix or `names` is unknown, or an input can be read only once, and was.
        CaptureError
            As in read_packets(); no file is written.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> fluxcap.scan_packets("samples/verdicts.pcap").write(tempfile.mkdtemp() + "/packets.parquet")
        """
        rows = formats.Rows(self, self.columns, like=self._without_rows(), names=other_names.names(names))
        formats.save(path, rows._replace(metadata=lambda: self.metadata or self._known()))

    def _without_rows(self) -> PacketTable:
        return without_rows(self.columns, self._options.payload)

    def _known(self) -> Metadata:
        """What is known before anything is read."""
        return {"inputs": [item.name for item in self._inputs]}

    def to_pandas(self, *, ip: IpForm = "text", labels: bool | None = None) -> pd.DataFrame:
        """Give a pandas DataFrame of all packets.

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        pandas.DataFrame
            As PacketTable.to_pandas() gives it.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.scan_packets("samples/verdicts.pcap", columns="time").to_pandas()["time"].dtype
        datetime64[ns, UTC]
        """
        wanted("pandas")  # before anything is read
        return joined(list(self) or [self._without_rows()]).to_pandas(ip=ip, labels=labels)

    def to_arrow(self, *, ip: IpForm = "text", labels: bool | None = None) -> pa.RecordBatchReader:
        """Give a pyarrow RecordBatchReader, which reads the capture while it is read.

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        pyarrow.RecordBatchReader
            One batch a table of `batch_size` rows.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.scan_packets("samples/verdicts.pcap", columns="verdict").to_arrow().schema.names
        ['verdict']
        """
        return wanted("pyarrow").RecordBatchReader.from_stream(self._stream(as_asked(ip, labels)))

    def lazy(self, *, ip: IpForm = "text", labels: bool | None = None) -> pl.LazyFrame:
        """Give a polars LazyFrame, which reads only the columns and rows that a query needs, at each collect().

        Parameters
        ----------
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        polars.LazyFrame
            Addresses and names as Categoricals.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.scan_packets("samples/verdicts.pcap").lazy().select("src_port").head(1).collect().shape
        (1, 1)
        """
        from fluxcap.tables.lazy import lazy_frame

        return lazy_frame(self, self._without_rows(), as_asked(ip, labels))

    def to_polars(self, *, lazy: bool = False, ip: IpForm = "text", labels: bool | None = None) -> Any:
        """Give a polars DataFrame of all packets, or a LazyFrame as lazy() does.

        Parameters
        ----------
        lazy : bool, default False
            Give the LazyFrame.
        ip : {"text", "binary", "uint32"}, default "text"
            Addresses as dictionary-encoded texts, as 16 bytes each (MAC addresses 6), or as IPv4 numbers.
        labels : bool, optional
            None: verdicts, dispositions and reasons by name, protocols by number. True: protocols by name too.
            False: everything by number.

        Returns
        -------
        polars.DataFrame or polars.LazyFrame
            Addresses and names as Categoricals.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.scan_packets("samples/verdicts.pcap", columns="verdict").to_polars().columns
        ['verdict']
        """
        frame = self.lazy(ip=ip, labels=labels)
        return frame if lazy else frame.collect()


def scan_packets(
    src: Captures,
    *,
    columns: str | Sequence[str] | None = None,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    batch_size: int = BATCH_ROWS,
    by: KeySet | str | Iterable[str] | None = None,
    payload: int | Payload = 0,
    at: At | None = None,
    max_memory: int | str | None = None,
    ahead: int | None = None,
    follow: bool = False,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> PacketScan:
    """Scan the packets of captures in tables of bounded size, for captures larger than memory.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    columns : str or sequence of str, optional
        Columns to make, comma-separated or a sequence. None: the default ones.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs, sorted by time within `reorder`. None: as they stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, as in read_packets().
    batch_size : int, default 65536
        Rows of each table; the last one may be shorter, and so are those of a pipe that pauses.
    by : str or iterable of str, optional
        Make flows by this key in the same pass, for the column `flow`, as in read_packets().
    payload : int or Payload, default 0
        Add the first so many payload bytes of each packet, as in read_packets().
    at : int, str, datetime or numpy.datetime64, optional
        Begin at the packet of this number, or at the first one of this time or later, as in read_packets().
    max_memory : int or str, optional
        Stop, with a warning, before the flows of the column `flow` take more: bytes, or a text such as "512M".
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    follow : bool, default False
        Go on where files end, and with files that come, as docs/live.md has it; Ctrl-C ends it. Paths alone.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    PacketScan
        Iterable. Nothing is read before the first iteration; each iteration reads the inputs anew.

    Raises
    ------
    ValueError
        A column or the key is unknown, `batch_size` is less than 1, or `at` is no place in these inputs.
    CaptureError
        While iterating, as in read_packets().

    Examples
    --------
    >>> import fluxcap
    >>> scan = fluxcap.scan_packets("samples/v*.pcap", columns=["time", "verdict"], batch_size=50)
    >>> all(len(packets) <= 50 for packets in scan)
    True
    """
    chosen, plan = choose(columns, by, kept := payload_of(payload))
    octets(max_memory, "max_memory")  # refused even where there are no flows
    options = ReadOptions(
        where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead, follow
    )
    options = options._replace(at=place_of(at), payload=kept)
    return PacketScan(named(src, follow), chosen, plan and plan._replace(max_memory=max_memory), batch_size, options)
