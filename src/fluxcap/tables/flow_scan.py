"""Tables that come while the capture goes on, and those of the flows that have ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from fluxcap import formats
from fluxcap._core import NO_TIME
from fluxcap.capture.inputs import Captures, Input, refuse_once
from fluxcap.capture.live.following import as_read, named
from fluxcap.capture.reading import Reading
from fluxcap.capture.steps import each
from fluxcap.plan import keys
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.payload import Payload, payload_of
from fluxcap.plan.read_options import REORDER, OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.tables.flows import FlowTable, flow_metadata, flow_table, shaped
from fluxcap.tables.merging import joined
from fluxcap.tables.requirements import wanted
from fluxcap.tables.table import Table
from fluxcap.values import other_names

if TYPE_CHECKING:
    import os

    import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # typed where pandas-stubs is installed

    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.semantics import End, SemanticsName
    from fluxcap.plan.tunnels import Tunnels
    from fluxcap.values.arrow import IpForm
    from fluxcap.values.metadata import Metadata
    from fluxcap.values.other_names import Scheme

T = TypeVar("T", bound=Table)

# Open flows, at least, before ended ones are looked for in an input that does not pause. The search reads every row of
# the table, so it comes when as many flows have begun as the last search left open.
LEAST_ROWS: Final = 1 << 16


class PassingTables(ABC, Generic[T]):
    """Tables of captures that are read anew by each iteration."""

    metadata: Metadata

    def __init__(self, inputs: list[Input]) -> None:
        self.metadata = {}
        self._inputs = inputs
        self._begun = False

    def __iter__(self) -> Iterator[T]:
        if self._begun:
            refuse_once(self._inputs, "scan it again")
        self._begun = True
        return self._tables()

    @abstractmethod
    def _tables(self) -> Iterator[T]:
        """Read the inputs: at least one table, which has the columns of all."""

    def write(self, path: str | os.PathLike[str], *, names: Scheme | None = None) -> None:
        """Write a file whose suffix decides the format, table by table, as the capture is read.

        Parameters
        ----------
        path : path or URL
            As in FlowTable.write(). The file appears under its name only when it is whole.
        names : {"cicflowmeter", "ecs", "ipfix", "nfstream", "ocsf", "zeek"}, optional
            Give the columns the names that these programs use, as FlowTable.write() does.

        Raises
        ------
        ValueError
            The suffix or `names` is unknown, or an input can be read only once, and was.
        CaptureError
            While reading; no file is written.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import fluxcap, tempfile
        >>> fluxcap.scan_timeline("samples/session.pcap", "1s").write(tempfile.mkdtemp() + "/seconds.csv")
        """
        tables: Iterator[Table] = iter(self)
        if names == other_names.CICFLOWMETER:
            from fluxcap.tables.naming.cicflowmeter import cicflowmeter

            tables, names = map(cicflowmeter, tables), None
        first = next(tables)
        called = other_names.names(names, first.metadata.get("bytes", "frame"))
        like = first[:0]
        rows = formats.Rows(
            chain([first], tables), first.columns, metadata=lambda: self.metadata, like=like, names=called
        )
        formats.save(path, rows)

    def to_pandas(self, *, ip: IpForm = "text", labels: bool | None = None) -> pd.DataFrame:
        """Give a pandas DataFrame of all rows, in the order in which they came.

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
            As the tables give it.

        Raises
        ------
        ModuleNotFoundError
            The library is not installed; the message says how to install it.
        ValueError
            `ip="uint32"` and an address is IPv6, or an input can be read only once, and was.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.scan_timeline("samples/session.pcap", "1s").to_pandas()["packets"].tolist()
        [1059, 1, 11, 25]
        """
        wanted("pandas")  # before anything is read
        return joined(list(self)).to_pandas(ip=ip, labels=labels)


class FlowScan(PassingTables[FlowTable]):
    """The flows of captures as tables of those that have ended since the table before, in bounded memory.

    Each iteration reads the inputs anew. Standard input, a pipe or an open file can be read only once: the second time
    is a ValueError.

    Attributes
    ----------
    metadata : dict
        Metadata of the last iteration that reached the end, as tables have it.

    See Also
    --------
    scan_flows : makes scans.

    Examples
    --------
    >>> import fluxcap
    >>> scan = fluxcap.scan_flows("samples/office.pcap", idle_timeout="15s")
    >>> sum(len(flows) for flows in scan) == len(fluxcap.read_flows("samples/office.pcap", idle_timeout="15s"))
    True
    """

    def __init__(self, inputs: list[Input], plan: FlowPlan, grace: Duration, options: ReadOptions) -> None:
        spec = plan.spec()
        if not (spec["idle_timeout"] or spec["tcp_idle_timeout"] or spec["active_timeout"] or spec["interval"]):
            raise ValueError("no flow ends before the capture does; say idle_timeout, active_timeout or interval")
        super().__init__(inputs)
        self._plan = plan
        self._grace = nanoseconds(grace, "grace")
        self._options = options

    def __repr__(self) -> str:
        return f"<FlowScan of {', '.join(item.name for item in self._inputs)} by {self._plan.key.text}>"

    def _tables(self) -> Iterator[FlowTable]:
        reading = Reading(self._options, key=self._plan.spec(), stepwise=True)
        full = LEAST_ROWS

        def take() -> FlowTable | None:
            nonlocal full
            if not reading.paused and reading.scanner.open_flows < full:
                return None
            ended = self._ended(reading)
            full = max(LEAST_ROWS, 2 * reading.scanner.open_flows)
            return ended

        with reading.partial(lambda: self._rest(reading)):  # flows that were not handed out yet
            yield from each(reading, as_read(self._inputs, self._options.follow), take)
        rest = self._rest(reading)
        self.metadata = rest.metadata
        yield rest  # perhaps without a row: its columns are those of all tables

    def _ended(self, reading: Reading) -> FlowTable:
        """The flows that have ended since the last call."""
        metadata = flow_metadata(reading, self._plan)
        newest = metadata["last"]
        until = NO_TIME if newest is None else max(newest - self._grace, NO_TIME)
        return FlowTable(shaped(reading.scanner.ended(until), metadata, reading.scanner), metadata)

    def _rest(self, reading: Reading) -> FlowTable:
        return flow_table(FlowTable, reading, self._plan, last=True)


def scan_flows(
    src: Captures,
    by: KeySet | str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    end: End | None = None,
    interval: Duration | None = None,
    grace: Duration = REORDER,
    features: bool = False,
    activity: bool = False,
    splt: int = 0,
    payload: int | Payload = 0,
    server_names: bool = False,
    threads: int | None = None,
    ahead: int | None = None,
    follow: bool = False,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> FlowScan:
    """Scan the flows of captures in tables of those that have ended, so that days of capture fit in memory.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    by : str or iterable of str, default "5tuple"
        Fields that make a flow, or a named set: "5tuple", "ports", "hosts", "sockets".
        "src_ip/24" is a network, "src_ip/24/64" one prefix length for IPv4 and one for IPv6.
    biflow : bool, default True
        Put both directions of a flow into one row, if the key is symmetric in source and destination.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs in the order of time, and sort the records of each within `reorder`. None: as they
        stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, which mirrors and hops show again within 10 ms, or within this: at most "200ms",
        seconds or a text (docs/duplicates.md).
    semantics : {"wireshark", "zeek", "nfstream", "yaf", "cicflowmeter"}, optional
        Take timeouts, direction and bytes from this program (docs/semantics.md).
    idle_timeout : float or str, optional
        End a flow after this long without a packet: seconds, or a text such as "30s" or "500ms".
    active_timeout : float or str, optional
        Split a flow that lasts longer than this. Same units.
    end : {"tcp"}, optional
        "tcp": a SYN begins another flow where a RST, or FINs of both sides, have ended the one before.
    interval : float or str, optional
        Add a column `interval` to the key: the start of the interval that the record falls into. Same units.
    grace : float or str, default "1s"
        How much earlier than the latest record another may still come: a flow that has ended waits for so much more
        time of the capture. Same units.
    features : bool, default False
        Add statistics of packet sizes and gaps, and packets by TCP flag, as in read_flows().
    activity : bool, default False
        Add payload sizes, headers, TCP windows, bulks, active and idle times, subflows (docs/cicflowmeter.md).
    splt : int, default 0
        Add direction, size and gap of this many first packets, as in read_flows().
    payload : int or Payload, default 0
        Add the first so many payload bytes of each flow, as in read_flows().
    server_names : bool, default False
        Add the name of the server and what tells it, as in read_flows() (docs/server-names.md).
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
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
    FlowScan
        Iterable of FlowTable. Nothing is read before the first iteration; each iteration reads the inputs anew.

    Raises
    ------
    ValueError
        The key, a timeout, `splt`, `threads` or `semantics` is not one of those described, or nothing ends a flow.
    CaptureError
        While iterating, as in read_flows().

    Notes
    -----
    The rows of all tables together are those of read_flows(), where no record is later than `grace` and all have times
    (docs/live.md): each row once, in the table after its end. The last table has the flows that the capture ended,
    perhaps none.

    Examples
    --------
    >>> import fluxcap
    >>> for flows in fluxcap.scan_flows("samples/office.pcap", idle_timeout="15s"):
    ...     assert (flows["last"] >= flows["first"]).all()
    """
    plan = FlowPlan(
        keys.parse(by, biflow),
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        end=end,
        interval=interval,
        features=features,
        activity=activity,
        splt=splt,
        payload=payload_of(payload),
        server_names=server_names,
    )
    options = ReadOptions(
        where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead, follow
    )
    return FlowScan(named(src, follow), plan, grace, options)
