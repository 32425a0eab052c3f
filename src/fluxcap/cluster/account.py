"""What became of each input, in a reading that goes on behind those that cannot be read."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap.capture.inputs import Input, contents
from fluxcap.capture.magic import is_capture
from fluxcap.capture.reading import Reading
from fluxcap.capture.warn import warn
from fluxcap.cluster.sharing import is_tried_again, stop_if_unwanted
from fluxcap.errors import CaptureError, FilterError, damage_error, printable, unreadable

if TYPE_CHECKING:
    from fluxcap.capture.ahead.next_inputs import InputsAhead
    from fluxcap.capture.compression import DecompressionError
    from fluxcap.capture.inputs import Opened
    from fluxcap.plan.read_options import ReadOptions


class Outcome(NamedTuple):
    """What became of one input: an entry of `metadata["files"]`."""

    path: str
    size: int | None  # bytes as stored
    packets: int
    seconds: float
    worker: str
    error: str  # "" if all of it was read
    tries: int = 1  # of the task that read it
    ranges: int = 1  # that it was read in

    def continued(self, other: Outcome) -> Outcome:
        """The same, of an input of which another task has read what comes next."""
        workers = dict.fromkeys((*self.worker.split(), *other.worker.split()))
        return self._replace(
            packets=self.packets + other.packets,
            seconds=self.seconds + other.seconds,
            worker=" ".join(workers),
            error=self.error or other.error,
            tries=max(self.tries, other.tries),
            ranges=self.ranges + other.ranges,
        )


class Account(NamedTuple):
    """What became of some inputs."""

    outcomes: tuple[Outcome, ...] = ()
    failed: tuple[CaptureError, ...] = ()  # one for each input of which nothing was read
    damaged: tuple[CaptureError, ...] = ()
    warnings: tuple[Warning, ...] = ()  # the others

    def rows(self) -> list[dict[str, Any]]:
        """What became of each input, for the metadata of a result."""
        return [outcome._asdict() for outcome in self.outcomes]

    def tried(self, times: int) -> Account:
        """The same, of a task that was begun so many times."""
        return self._replace(outcomes=tuple(outcome._replace(tries=times) for outcome in self.outcomes))

    def of_inputs(self, items: Sequence[Input]) -> Account:
        """The same, where outcomes of ranges have the sizes of these inputs."""
        sizes = {item.name: item.size for item in items}
        return self._replace(outcomes=tuple(one._replace(size=sizes[one.path]) for one in self.outcomes))

    def continued(self, other: Account) -> Account:
        """Of these inputs, and of one task more that has read what comes next of the last one."""
        last, *more = *self.outcomes[-1:], *other.outcomes
        return self._replace(outcomes=self.outcomes[:-1]) + other._replace(
            outcomes=tuple(last.continued(one) for one in more[:1]) or (last,)
        )

    def __add__(self, other: Account) -> Account:  # type: ignore[override]
        """Of those and of others behind them."""
        return Account(
            self.outcomes + other.outcomes,
            self.failed + other.failed,
            self.damaged + other.damaged,
            self.warnings + other.warnings,
        )


class Accounting(Reading):
    """A reading that keeps such an account. With `collect` an input that cannot be read is passed over."""

    def __init__(self, options: ReadOptions, collect: bool, **told: Any) -> None:
        super().__init__(options, **told)
        self.begun: list[Input] = []  # those that count as inputs
        self._collect = collect
        self._outcomes: list[Outcome] = []
        self._failed: list[CaptureError] = []

    def account(self, warnings: list[Warning]) -> Account:
        """The account up to now. `warnings` are those that came meanwhile."""
        said = tuple(one for one in warnings if not hasattr(one, "error"))
        return Account(tuple(self._outcomes), tuple(self._failed), tuple(self.damage), said)

    def read_one(self, item: Input, ahead: InputsAhead) -> Iterator[None]:
        """Read an input to its end."""
        began, packets, damage = time.monotonic(), self.scanner.totals()["packets"], len(self.damage)
        error: CaptureError | None = None
        try:
            stop_if_unwanted()
            for step in super().read_one(item, ahead):
                yield step
                stop_if_unwanted()
        except (CaptureError, OSError) as caught:
            if is_tried_again(caught):
                raise
            why = caught.strerror if isinstance(caught, OSError) else ""
            error = caught if isinstance(caught, CaptureError) else unreadable(item.name, why or str(caught))
            if not self._collect:
                raise error from None
            self._failed.append(error)
        error = error or next(iter(self.damage[damage:]), None)
        packets = self.scanner.totals()["packets"] - packets
        worker, said = f"{socket.gethostname()}/{os.getpid()}", "" if error is None else str(error)
        self._outcomes.append(Outcome(item.name, item.size, packets, time.monotonic() - began, worker, said))

    def fail(self, why: DecompressionError | OSError) -> Iterator[None]:
        """End the current input as damaged, but for an error that the task is tried again after."""
        if is_tried_again(why):
            raise why
        return super().fail(why)

    def is_skipped(self, item: Input, octets: Opened) -> bool:
        """Whether an input is passed over; what is no capture raises before it counts as an input."""
        if super().is_skipped(item, octets):
            return True
        if not is_capture(octets.head):
            kind, what = "not_a_capture" if octets.head else "empty", contents(octets.head, octets.compression)
            raise damage_error(kind, path=item.name, offset=0, packet=0, what=what)
        self.begun.append(item)
        return False

    def check(self) -> None:
        """Warn of what a result cannot be trusted for; also of a filter that fits nothing: it may fit other groups."""
        try:
            super().check()
        except FilterError as error:
            warn(UserWarning(f"{error}; no record of {printable(self.inputs[0])} and those read with it is counted"))

    def nothing_read(self) -> None:
        """Raise nothing: other groups may have captures."""
