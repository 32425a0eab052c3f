"""Timelines: what was sent in each interval of time, empty ones too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fluxcap.capture.inputs import Captures
from fluxcap.plan import keys
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.table import Table
from fluxcap.tables.timeline.counts import of_flows, of_packets
from fluxcap.values import human
from fluxcap.values.names import TIMELINE_COUNTS, TIMELINE_FLOWS, TIMELINE_TRIPS, TIMELINE_VERDICTS

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.values.arrays import Array
    from fluxcap.values.metadata import Metadata

SECOND = "1s"  # the interval, unless another is asked for
IP_BAD = "ip_bad"
PROTOCOL, VERDICT = "protocol", "verdict"  # groups that are no keys of flows
OF_PACKETS: Final = (None, PROTOCOL, VERDICT)


class TimelineTable(Table):
    """One row an interval of time, in order, those without a packet too; with `by` one row an interval and group.

    docs/timeline.md describes the columns.

    See Also
    --------
    read_timeline : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_timeline("samples/session.pcap").columns[:3]
    ('time', 'packets', 'bytes')
    """

    __slots__ = ()

    def _title(self) -> str:
        return f"{human.counted(len(self), 'row')}, interval {human.duration(self.metadata['interval'])}"


def columns_of(by: str | None) -> tuple[str, ...]:
    """The columns of a timeline by protocol, verdict, a key, or nothing. ValueError for an unknown key."""
    followed = *TIMELINE_COUNTS, *TIMELINE_FLOWS, *TIMELINE_VERDICTS, *TIMELINE_TRIPS
    if by is None:
        return ("time", *followed)
    if by == PROTOCOL:
        return ("time", by, *followed)
    if by == VERDICT:
        return ("time", by, *TIMELINE_COUNTS, IP_BAD)
    return ("time", *keys.parse(by).names, *TIMELINE_COUNTS, *TIMELINE_VERDICTS)


def table_of(columns: Mapping[str, Array], interval: int, by: str | None, metadata: Metadata) -> TimelineTable:
    """A timeline of these columns, in their order."""
    wanted = {name: columns[name] for name in columns_of(by)}
    return TimelineTable(wanted, {**metadata, "interval": interval, "group": by})


def plan_of(by: str | None, ignore_checksums: bool, max_memory: int | str | None) -> FlowPlan | None:
    """The plan of the connections that a timeline of packets follows; None for one that follows none. ValueError by a
    key of flows."""
    if by not in OF_PACKETS:
        raise ValueError(f"rows by {by} are known when the input has ended; read_timeline() has them then")
    if by == VERDICT:
        return None
    return FlowPlan(connections=True, ignore_checksums=ignore_checksums, max_memory=max_memory)


def read_timeline(
    src: Captures,
    interval: Duration = SECOND,
    *,
    by: str | None = None,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> TimelineTable:
    """Read captures into one row an interval of time: packets, bytes, rates, flows, checksums, retransmissions.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    interval : float or str, default "1s"
        Length of an interval: seconds, or a text such as "100ms". Intervals begin at its multiples since 1970, UTC.
    by : str, optional
        "protocol" or "verdict": a row an interval and protocol, or verdict on the transport checksum. Or a key of
        flows, as `by` of read_flows(): a row an interval and value of the key.
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
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    max_memory : int or str, optional
        Stop, with a warning, before the table of flows takes more than this: bytes, or a text such as "512M" or
        "2GiB". What was read before is exact.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    TimelineTable
        A row for each interval from the first record to the last, in the order of time; with `by` one for each group
        there. Records without a time, before any with one, have a row without a time at the end. docs/timeline.md
        defines each column.

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
        The interval or the key is not one of those described, or there would be more than a million rows.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    See Also
    --------
    read_flows : with `interval`, one row a flow and interval.

    Examples
    --------
    >>> import fluxcap
    >>> timeline = fluxcap.read_timeline("samples/session.pcap", "1s")
    >>> timeline["packets"].tolist()
    [1059, 1, 11, 25]
    """
    options = ReadOptions(where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_timeline(src, interval, by, options, ignore_checksums, max_memory)


def collect_timeline(
    src: Captures,
    interval: Duration,
    by: str | None,
    options: ReadOptions,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
) -> TimelineTable:
    """Read captures into a timeline: packet by packet, or from the flows of a key."""
    length = nanoseconds(interval, "interval")
    columns_of(by)  # is it one?

    def build(columns: Mapping[str, Array], metadata: Metadata) -> TimelineTable:
        return table_of(columns, length, by, metadata)

    if by in OF_PACKETS:
        return of_packets(src, length, by, plan_of(by, ignore_checksums, max_memory), options, build)
    key = keys.parse(by)
    return of_flows(src, length, FlowPlan(key, interval=interval, max_memory=max_memory), options, build)
