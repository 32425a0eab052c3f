"""One pass of the core over one or several inputs: the loop that feeds it, and the account of what was read.

Imports no numpy, so that what needs no table starts fast.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fluxcap._core import DAMAGED, ENDED, FLOWS_FULL, ROWS_FULL, WANTS_INPUT, Scanner
from fluxcap.capture.ahead.next_inputs import InputsAhead
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.damaged import broken_off, damaged, failure, skipped
from fluxcap.capture.filters import about_filter, check_fits, compiler, inside
from fluxcap.capture.inputs import Input, Opened
from fluxcap.capture.joined import Joined, about_joined, joined
from fluxcap.capture.left_out import about_left_out, no_capture
from fluxcap.capture.magic import HEAD, is_capture
from fluxcap.capture.merging import Counted, Merging, Part
from fluxcap.capture.times import Units, about_order, about_times, untimed
from fluxcap.capture.warn import warn
from fluxcap.errors import (
    CaptureError,
    Damage,
    DamagedCaptureWarning,
    Late,
    OutOfOrderWarning,
    printable,
)
from fluxcap.plan.payload import told as payload_told
from fluxcap.plan.processors import ahead_for, divides, shards_for, threads_for, threads_worth
from fluxcap.plan.read_options import DEFAULT, ReadOptions
from fluxcap.plan.tunnels import codes
from fluxcap.values.metadata import Metadata, ledger

if TYPE_CHECKING:
    from fluxcap._core import KeySpec
    from fluxcap.capture.index.beginning import Way

T = TypeVar("T")

ALL_VERDICTS = 0xFFFFFFFF


class Reading:
    """A scanner, the inputs that it was fed, and their damage."""

    def __init__(
        self,
        options: ReadOptions = DEFAULT,
        *,
        key: KeySpec | None = None,
        columns: Sequence[str] = (),
        verdicts: int = ALL_VERDICTS,
        row_limit: int = 0,
        max_octets: int = 0,
        stepwise: bool = False,
    ) -> None:
        options.check()
        self.options = options
        self.filter = compiler(options.where)
        # Without shards: rows of flows that are asked for by number, or leave before the end.
        shares = divides(key) and not columns and not stepwise
        self._threads = threads_for(1 if options.order else options.threads, shares)  # one reads the merged stream
        self.scanner = self._scanner(
            key=key,
            columns=columns,
            verdicts=verdicts,
            row_limit=row_limit,
            max_octets=max_octets,
            where=self.filter,
            inside=inside(self.filter, options.inner),
            inner=options.inner,
            decap=options.decap,
            tunnels=codes(options.tunnels),
            shards=shards_for(self._threads) if shares else 1,
            resync=options.on_damage == "resync",
            dedupe=options.dedupe is not False,
            copy_window=options.copy_window,
            payload=payload_told(options.payload),
        )
        self.inputs: list[str] = []
        self._begins: list[int] = []  # records that were read before each input
        self._passed: list[int] = []  # records of each input that lie before those that are read
        self._units = Units()
        self.joined: list[Joined] = []
        self.skipped: list[str] = []  # files of a directory that are not captures
        self.damage: list[CaptureError] = []
        self.flows_full = False
        self.limit = ""  # the limit that stopped the reading, or its rows: "max_flows" or "max_memory"
        self.interrupted = False
        self.ended = True  # nothing more is read from the current input
        self.rows_wait = False  # read() yielded because `row_limit` rows wait to be taken
        self.paused = False  # read() yielded because an input that is still being made has paused
        self._stepwise = stepwise  # read() yields after every window or chunk of an input
        self.depends_on_order = key is not None and (
            key["biflow"] or key["idle_timeout"] > 0 or key["active_timeout"] > 0
        )
        self.merging: Merging | None = None  # where records are read in the order of time
        self._directory = ""

    def _scanner(self, **told: Any) -> Scanner:
        return Scanner(**told)

    def read(self, inputs: Iterable[Input]) -> Generator[None, None, None]:
        """Read the inputs to their ends; yields whenever `row_limit` rows wait to be taken, or an input has paused.

        An input that is not a capture raises; damage after its header raises or warns, as `on_damage` says, and the
        next input follows.
        """
        try:
            if self.options.order is None:
                yield from self._read_in_turn(inputs)
            else:
                yield from self.read_merged(inputs)
        except KeyboardInterrupt:
            if self.options.on_interrupt == "raise":
                raise
            self.interrupted = True
        if self.options.on_end is not None and not self.interrupted:
            self.options.on_end()
        if not self.inputs and not self.interrupted:
            self.nothing_read()
        self.check()
        for said in about_left_out(self.scanner.totals(), self.skipped):
            warn(UserWarning(said))

    def nothing_read(self) -> None:
        """Raise a NotACaptureError: no file of a directory is a capture."""
        raise no_capture(self._directory, self.skipped)

    def check(self) -> None:
        """Warn of what a result cannot be trusted for. FilterError if the filter fits nothing that was read."""
        if self.filter is not None:
            check_fits(self.filter, self.scanner.totals())
        self._check_order()
        if said := self._units.about():
            warn(UserWarning(said))

    def _check_order(self) -> None:
        """Warn of records out of order, where directions, timeouts or connections depend on it."""
        late = self.late()
        if late is None or not (self.depends_on_order or self.options.order):
            return
        full = self.merging.full if self.merging is not None else 0
        warn(OutOfOrderWarning(about_order(late, self.inputs[late.input], self.options, full)))

    def late(self) -> Late | None:
        """The records that are earlier than others before them, as they were read."""
        totals = self.scanner.totals()
        if not totals["late"]:
            return None
        if self.merging is not None:
            first = self.merging.merger.late
            assert first is not None
            return Late(totals["late"], totals["latest_by"], *first)
        place = bisect_left(self._begins, totals["first_late"]) - 1
        packet = totals["first_late"] - self._begins[place] + self._passed[place]
        return Late(totals["late"], totals["latest_by"], place, packet)

    def hints(self) -> list[str]:
        """Sentences about what is perhaps not what the user meant: refused records, missing times, joined captures."""
        totals = self.scanner.totals()
        said = [*about_filter(self.filter, totals), *about_times(totals)] if totals["packets"] else []
        if any(self._passed):
            from fluxcap.capture.index.beginning import about_passed

            said += about_passed(sum(self._passed), totals)
        return said + about_joined(self.joined)

    def _read_in_turn(self, inputs: Iterable[Input]) -> Iterator[None]:
        """Read the inputs to their ends, one after the other."""
        with closing(InputsAhead(inputs, ahead_for(self.options.ahead))) as ahead:
            for item in inputs:
                yield from self.read_one(item, ahead)
                if self.flows_full:
                    break

    def read_one(self, item: Input, ahead: InputsAhead) -> Iterator[None]:
        """Read an input to its end."""
        with ahead.open(item) as octets:
            if self.is_skipped(item, octets):
                return
            self.begin(item.name, octets.compression)
            way = self._way(item, octets)
            try:
                while not self.ended:
                    try:
                        if way is not None:
                            if way.pass_on():
                                self._passed[-1], way = way.passed, None
                        elif octets.file is not None and item.size is not None and not self._stepwise:
                            octets.by_core = self.scanner
                            yield from self._read_file(octets.file, item.size)
                        elif octets.take_chunk is not None:
                            yield from self._take(octets.take_chunk, busy=octets.ahead + ahead.busy())
                        else:
                            self.paused = octets.handover.is_due()
                            if self.paused:
                                yield
                            yield from self.feed(octets.readinto)
                    except (DecompressionError, OSError) as error:
                        yield from self.fail(error)
            finally:
                self.note(item)
                self.end()

    def _way(self, item: Input, octets: Opened) -> Way | None:
        """The way to the record at which an input begins to be read; None: it is the first."""
        if self.options.at is None:
            return None
        from fluxcap.capture.index.beginning import WayByIndex

        return WayByIndex(self.scanner, self.options.at, item, octets)

    def note(self, item: Input) -> None:
        """Note what a result says about an input; called when its reading ends, by an error too. For subclasses."""

    def read_merged(self, inputs: Iterable[Input]) -> Iterator[None]:
        """Read all inputs to their ends, in the order of time."""
        with ExitStack() as opened:
            merging = Merging(self.scanner, self.options.window, self._part_ended)
            for item in inputs:
                octets = opened.enter_context(item.open())
                if not self.is_skipped(item, octets):
                    merging.add(item, octets)
                    self.inputs.append(item.name)
            self.merging = merging
            self.ended = not self.inputs
            try:
                yield from self._read_stream(merging)
            except (KeyboardInterrupt, CaptureError):
                merging.stop()  # what was read before that counts, and some of it waits for its turn
                yield from self._read_stream(merging)
                raise
            finally:
                self.note_merged(merging)

    def _read_stream(self, merging: Merging) -> Iterator[None]:
        while not self.ended:
            yield from self._take(merging.take_chunk)

    def _part_ended(self, part: Part, read: Counted) -> None:
        """An input that is merged with others ended, of which so much was read."""
        records, _, _, over_second = read
        self._units.add(part.item.name, over_second, records, part.source.format())
        self.joined += joined(part.source, part.item.name)
        for error in part.errors(records):
            self._report(error)

    def note_merged(self, merging: Merging) -> None:
        """Inputs were merged, and are read as far as they ever will be."""

    def end(self) -> None:
        """Look back at the input that was begun last."""
        self._units.end(self.inputs[-1], self.scanner.totals(), self.scanner.format())
        self.joined += joined(self.scanner, self.inputs[-1])

    def is_skipped(self, item: Input, octets: Opened) -> bool:
        """Whether an input was found in a directory and is not a capture; it is named in the end."""
        if not item.directory or is_capture(octets.head):
            return False
        self._directory = item.directory
        self.skipped.append(item.name)
        return True

    def begin(self, name: str, compression: str = "") -> None:
        """Start the next input."""
        self.scanner.begin()
        self.inputs.append(name)
        self.ended = False
        self.compression = compression
        self._head = b""
        totals = self.scanner.totals()
        self._begins.append(totals["packets"])
        self._passed.append(0)
        self._units.begin(totals)

    def feed(self, fill: Callable[[memoryview], int]) -> Iterator[None]:
        """Let `fill` put bytes into the scanner's buffer, none at the end of the input, and process them."""
        space = self.scanner.space()
        n = fill(space)
        if len(self._head) < HEAD:
            self._head += bytes(space[: min(n, HEAD - len(self._head))])
        if n:
            self.scanner.advance(n)
        else:
            self.scanner.finish()
            self.ended = True
        self._handle_stop((yield from self._process(self.scanner.run, self.scanner.octets)))

    def _read_file(self, file: int, size: int) -> Iterator[None]:
        """Let the core read and process the rest of a file."""
        self._handle_stop((yield from self._process(partial(self.scanner.read, file), size)))

    def _take(self, made: Callable[[], memoryview], busy: int = 0) -> Iterator[None]:
        """Process the next decompressed bytes where they lie, while so many threads are busy decompressing."""
        octets = made()
        at = 0
        while at < len(octets) and not self.ended:
            at = self.scanner.lend(octets, at)
            self._handle_stop((yield from self._process(self.scanner.run, self.scanner.octets, busy)))
        if not octets:
            self.scanner.finish()
            self.ended = True
            self._handle_stop((yield from self._process(self.scanner.run, self.scanner.octets)))

    def _process(self, step: Callable[[int], int], octets: int, busy: int = 0) -> Generator[None, None, int]:
        """Take a step of the scanner, in an input of so many bytes, until all rows of the step are taken."""
        threads = threads_worth(max(self._threads - busy, 1), octets)
        while (state := step(threads)) == ROWS_FULL:
            self.rows_wait = True
            yield
            self.rows_wait = False
        for error in skipped(self.scanner, self.inputs[-1]):
            self._report(error)
        if self._stepwise:
            yield
        return state

    def _handle_stop(self, state: int) -> None:
        """Act on why the scanner stopped."""
        if state == ENDED:
            self.ended = True
        elif state == FLOWS_FULL:
            self.ended = self.flows_full = True
            name = printable(self.inputs[-1]) if self.merging is None else "the merged inputs"
            self.limit = self.scanner.limit
            warn(UserWarning(f"{name}: stopped at {self.limit}; what comes after was not read"))
        elif state == DAMAGED:
            self.ended = True
            damage = self.scanner.damage
            assert damage is not None
            self._report(damaged(damage, self.inputs[-1], self._head, self.compression))

    def fail(self, why: DecompressionError | OSError) -> Iterator[None]:
        """End the current input as damaged for a reason outside the core: reading or decompressing failed."""
        self.ended = True
        # Other threads may still have bytes to process; a stop of one of them before the damage counts.
        state = yield from self._process(self.scanner.run, octets=0)
        if state != WANTS_INPUT:
            self._handle_stop(state)
            return
        self.scanner.finish()
        yield from self._process(self.scanner.run, octets=0)
        read = self.scanner.totals()["packets"] - self._begins[-1] + self._passed[-1], self.scanner.octets
        self._report(broken_off(failure(why), self.inputs[-1], self.scanner.damage, read))

    def _report(self, error: CaptureError) -> None:
        self.damage.append(error)
        if error.fatal or self.options.on_damage == "raise":
            raise error
        warn(DamagedCaptureWarning(error))

    @contextmanager
    def partial(self, build: Callable[[], object]) -> Iterator[None]:
        """A CaptureError that leaves this block has what was read until then as its `partial`."""
        try:
            yield
        except CaptureError as error:
            if self.scanner.totals()["packets"] or not error.fatal:
                error.partial = build()
            raise

    def collect(self, inputs: Iterable[Input], build: Callable[[], T]) -> T:
        """Read the inputs to their ends and build the result."""
        with self.partial(build):
            for _ in self.read(inputs):
                pass
        return build()

    def metadata(self) -> Metadata:
        """The metadata that every table has, about what was read up to now."""
        totals = self.scanner.totals()
        return {
            "inputs": list(self.inputs),
            "skipped": list(self.skipped),
            "damage": [Damage(e.path, e.packet, e.offset, e.reason) for e in self.damage],
            "strays": [(e.path, e.offset, e.skipped) for e in self.damage if e.skipped],
            "joined": list(self.joined),
            "ledger": ledger(totals),
            "packets": totals["packets"],
            "captured_octets": totals["captured_octets"],
            "wire_octets": totals["wire_octets"],
            "first": totals["first"],
            "last": totals["last"],
            "without_time": sum(untimed(totals).values()),
            "order": self.options.order,
            "reorder": self.options.reorder,
            "in_order": totals["late"] == 0,
            "late": self.late(),
            "hints": self.hints(),
            "interrupted": self.interrupted,
        }
