"""Timelines whose rows leave as the time of the capture passes their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.live.following import as_read, named
from fluxcap.capture.steps import each
from fluxcap.capture.warn import warn
from fluxcap.errors import OutOfOrderWarning, TooManyRowsError
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.read_options import REORDER, OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.flow_scan import PassingTables
from fluxcap.tables.packets import packet_table
from fluxcap.tables.timeline.counts import about, begin
from fluxcap.tables.timeline.passing import Passing
from fluxcap.tables.timeline.table import SECOND, TimelineTable, columns_of, plan_of, table_of
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration


class TimelineScan(PassingTables[TimelineTable]):
    """The timeline of captures as tables of the intervals that have passed since the table before.

    Each iteration reads the inputs anew. Standard input, a pipe or an open file can be read only once: the second time
    is a ValueError.

    Attributes
    ----------
    metadata : dict
        Metadata of the last iteration that reached the end, as tables have it; `past_grace` is how many packets came
        after their interval had passed.

    See Also
    --------
    scan_timeline : makes scans.

    Examples
    --------
    >>> import fluxcap
    >>> scan = fluxcap.scan_timeline("samples/session.pcap", "1s")
    >>> [packets for table in scan for packets in table["packets"].tolist()]
    [1059, 1, 11, 25]
    """

    def __init__(
        self,
        inputs: list[Input],
        interval: Duration,
        by: str | None,
        grace: Duration,
        options: ReadOptions,
        ignore_checksums: bool = False,
        max_memory: int | str | None = None,
    ) -> None:
        columns_of(by)  # is it one?
        super().__init__(inputs)
        self._interval = nanoseconds(interval, "interval")
        self._by = by
        self._plan = plan_of(by, ignore_checksums, max_memory)
        self._grace = nanoseconds(grace, "grace")
        self._options = options

    def __repr__(self) -> str:
        return f"<TimelineScan of {', '.join(item.name for item in self._inputs)}>"

    def _tables(self) -> Iterator[TimelineTable]:
        reading, counting = begin(self._interval, self._by, self._plan, self._options)
        passing = Passing(counting, self._grace)
        told = 0  # packets that came late and were said

        def about_late() -> None:
            nonlocal told
            if passing.late > told:
                told = passing.late
                warn(OutOfOrderWarning(_about_late(told, passing.late_by, self._grace)))

        def take() -> TimelineTable:
            passing.add(packet_table(reading))
            if told == 0:  # the first ones are said when they come, all of them in the end
                about_late()
            return table_of(passing.passed(), self._interval, self._by, about(reading, self._plan))

        def rest() -> TimelineTable:
            passing.add(packet_table(reading))
            metadata = about(reading, self._plan) | {"past_grace": passing.late}
            return table_of(passing.rest(), self._interval, self._by, metadata)

        with reading.partial(rest):  # intervals that were not handed out yet
            try:
                yield from each(reading, as_read(self._inputs, self._options.follow), take)
                last = rest()
            except TooManyRowsError:  # a clock jumped: what was counted before the jump has passed
                yield table_of(passing.rest(), self._interval, self._by, about(reading, self._plan))
                raise
        about_late()
        self.metadata = last.metadata
        yield last  # perhaps without a row: its columns are those of all tables


def _about_late(packets: int, by: int, grace: int) -> str:
    return (
        f"{human.counted(packets, 'packet')} came up to {human.duration(by)} late, after the grace of"
        f" {human.duration(grace)}: their intervals have another row, which adds to the first; a longer grace (--grace)"
        " waits for them"
    )


def scan_timeline(
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
    grace: Duration = REORDER,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
    ahead: int | None = None,
    follow: bool = False,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> TimelineScan:
    """Scan a timeline in tables of the intervals that have passed, as the time of the capture passes them.

    Parameters
    ----------
    src : path, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    interval : float or str, default "1s"
        Length of an interval: seconds, or a text such as "100ms". Intervals begin at its multiples since 1970, UTC.
    by : {"protocol", "verdict"}, optional
        A row an interval and protocol, or verdict on the transport checksum.
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
    grace : float or str, default "1s"
        How much earlier than the latest record another may still come: an interval that has ended waits for so much
        more time of the capture. Same units.
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    max_memory : int or str, optional
        Stop, with a warning, before the table of connections takes more than this: bytes, or a text such as "512M" or
        "2GiB".
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
    TimelineScan
        Iterable of TimelineTable. Nothing is read before the first iteration; each iteration reads the inputs anew.

    Raises
    ------
    ValueError
        The interval, the grace or `by` is not one of those described; while iterating, more than a million intervals
        without a packet follow one another.
    CaptureError
        While iterating, as in read_timeline().

    Warns
    -----
    OutOfOrderWarning
        Packets came after the grace; each is in another row of its interval.

    See Also
    --------
    read_timeline : one table of the whole capture; also by a key of flows.

    Notes
    -----
    The rows of all tables together are those of read_timeline(). A record that is later than `grace` leaves in another
    row of its interval, which adds to the first (docs/live.md), and with `by` the rows of a group begin with the
    interval in which it is first seen. Memory grows with the connections, as in read_connections(); with
    `by="verdict"` it does not grow.

    Examples
    --------
    >>> import fluxcap
    >>> for table in fluxcap.scan_timeline("samples/office.pcap", "1m"):
    ...     assert table["packets"].sum() > 0
    """
    options = ReadOptions(
        where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead, follow
    )
    return TimelineScan(named(src, follow), interval, by, grace, options, ignore_checksums, max_memory)
