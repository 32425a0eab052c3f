"""Two captures of the same traffic, read side by side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from fluxcap._core import WALK_ENDED, Comparer, Watcher
from fluxcap.capture.damaged import Unchanged
from fluxcap.capture.inputs import Captures, Input, expand, refuse_once
from fluxcap.capture.reading import Reading
from fluxcap.capture.times import about_order
from fluxcap.capture.warn import warn
from fluxcap.comparison.beside import Beside
from fluxcap.comparison.clock import clock_of
from fluxcap.comparison.comparison import Comparison, totals_of
from fluxcap.comparison.differences import first_differences
from fluxcap.comparison.tables import Ways, packet_table
from fluxcap.errors import ChangedError, OutOfOrderWarning, printable
from fluxcap.plan.durations import nanoseconds
from fluxcap.plan.read_options import IN_FLIGHT, OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.merging import joint
from fluxcap.values.arrays import array
from fluxcap.values.metadata import members

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.values.metadata import Metadata


def read_comparison(
    a: Captures,
    b: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    in_flight: Duration = IN_FLIGHT,
    every: bool = False,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> Comparison:
    """Compare two captures of the same traffic, recorded at two points: what arrived, how late, and changed by whom.

    Each capture is read twice: to learn what the clocks of both points say of each other, then to count.

    Parameters
    ----------
    a : path, URL, binary file, bytes, or a list of these
        Captures of the first point, read as one in this order. A path may be a glob or a directory.
    b : path, URL, binary file, bytes, or a list of these
        Captures of the second point.
    where : str, optional
        Compare only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs of a point in the order of time, and sort the records of each within `reorder`. None:
        as they stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets that a mirror port or a hop shows again at one point. A length of time: those that
        come within it.
    in_flight : float or str, default "10s"
        How long a packet that one point has seen is looked for at the other one, by the times in the captures: seconds,
        or a text. The clocks of both points may be apart by as much. Memory grows with it.
    every : bool, default False
        Have a row for every packet in `packets`, not only for those of which there is something to say.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the inputs does, with `metadata["interrupted"]` True.

    Returns
    -------
    Comparison
        `sentences`, `flows`, `packets`, `clock`, `totals`. docs/compare.md defines each.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise".
    OSError
        An input cannot be opened.
    ValueError
        An input can be read only once, as a pipe, or changes between two readings; or `in_flight` is no length of time.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is compared.

    Examples
    --------
    >>> import fluxcap
    >>> comparison = fluxcap.read_comparison("samples/session.pcap", "samples/session.pcap")
    >>> int(comparison.flows["sent"].sum()), int(comparison.flows["lost"].sum())
    (1094, 0)
    """
    options = ReadOptions(where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_comparison(a, b, options, nanoseconds(in_flight, "in_flight"), every)


def collect_comparison(a: Captures, b: Captures, options: ReadOptions, in_flight: int, every: bool) -> Comparison:
    """Compare what two points have recorded, where a packet is in flight for so many ns at most."""
    sides = [expand(a), expand(b)]
    for inputs in sides:
        refuse_once(inputs, "compare it")
    unchanged = Unchanged(list(chain(*sides)))
    comparer = Comparer(in_flight, every=every)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the second reading says the same
        readings = _read(comparer, sides, options._replace(on_end=None))
        while not _interrupted(readings) and comparer.learn_again():
            readings = _read(comparer, sides, options._replace(on_end=None))
    clock = clock_of(comparer.learned())
    if not _interrupted(readings):
        learned, readings = readings, _read(comparer, sides, options)
        if not _interrupted(readings):
            _check_alike(learned, readings)
    _check_order(readings, in_flight)
    metadata = _joint([reading.metadata() for reading in readings])
    metadata["in_flight"] = in_flight
    metadata["early"], metadata["early_by"] = comparer.early
    ways = Ways(comparer.ways())
    flows = ways.table(metadata)
    rows = {name: array(column) for name, column in comparer.rows().items()}
    # Who has asked for the end does not wait for the captures to be read once more.
    once_more = [] if _interrupted(readings) else sides
    differences = first_differences(rows, once_more, options._replace(on_end=None))
    unchanged.check()
    packets = packet_table(rows, differences, ways, flows, metadata)
    return Comparison(flows, packets, clock, totals_of(flows, comparer), metadata)


class Watching(Reading):
    """What one point has recorded, as it is read."""

    scanner: Watcher

    def _scanner(self, **told: Any) -> Watcher:
        return Watcher(**told)


class Side:
    """A point: its reading, which goes a step ahead of what is compared."""

    def __init__(self, inputs: Sequence[Input], options: ReadOptions) -> None:
        self.reading = Watching(options._replace(threads=1, on_end=None))
        self._steps = self.reading.read(inputs)
        self.ended = False
        self.waits = False  # what was seen last has not been taken

    def read_on(self) -> None:
        """Read until there is something that can be taken, or the end."""
        if not (self.waits or self.ended):
            self.ended = next(self._steps, self._steps) is self._steps
            self.waits = True


def _read(comparer: Comparer, inputs: Sequence[Sequence[Input]], options: ReadOptions) -> list[Watching]:
    """Read both sides to their ends. A thread compares what they have seen while this one reads on."""
    sides = [Side(one, options) for one in inputs]
    comparer.watch(*(side.reading.scanner for side in sides))
    over = [False, False]
    with closing(Beside(comparer.walk)) as walk:
        while True:
            walk.ask(*over)
            try:
                for side in sides:
                    side.read_on()
                stop = walk.result()
            except KeyboardInterrupt:
                if options.on_interrupt == "raise":
                    raise
                sides[0].reading.interrupted = True
                stop = walk.result()
            if stop == WALK_ENDED:
                break
            for point, side in enumerate(sides):
                if side.waits and comparer.take(point):
                    side.waits = False
                    over[point] = side.ended
            if any(side.reading.interrupted for side in sides):
                over = [True, True]
    readings = [side.reading for side in sides]
    if options.on_end is not None and not _interrupted(readings):
        options.on_end()
    return readings


def _interrupted(readings: Sequence[Watching]) -> bool:
    return any(reading.interrupted for reading in readings)


def _check_alike(before: Sequence[Watching], readings: Sequence[Watching]) -> None:
    """ChangedError if the clocks were learned of more records than are compared, or of fewer."""
    for was, reading in zip(before, readings, strict=True):
        learned, packets = (one.scanner.totals()["packets"] for one in (was, reading))
        if learned != packets:
            names = ", ".join(map(printable, reading.inputs))
            raise ChangedError(f"{names}: {packets:,} packets are there, not {learned:,}")


def _check_order(readings: Sequence[Watching], in_flight: int) -> None:
    """Warn of records that stand so late in their input that nobody looked for them any longer."""
    for reading in readings:
        late = reading.late()
        if late is not None and late.by > in_flight:
            name = reading.inputs[late.input]
            depends = "what stands so late at one point only can be told as lost"
            warn(OutOfOrderWarning(about_order(late, name, reading.options, 0, depends)))


def _joint(parts: Sequence[Metadata]) -> Metadata:
    """The metadata of both sides as that of one table, and that of each."""
    first, second = parts
    return {**first, **joint(parts), "a": members(first), "b": members(second)}
