"""The steps of a reading, of which Ctrl-C is the end wherever it comes: nothing that was read is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

from fluxcap.capture.left_out import LeftOut
from fluxcap.held_signals import HeldSignals

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input
    from fluxcap.capture.reading import Reading

T = TypeVar("T", bound=Sized)


def each(reading: Reading, inputs: Iterable[Input], take: Callable[[], T | None]) -> Iterator[T]:
    """Yield what `take` gives after each step of a reading, where that is neither None nor empty.

    With `on_interrupt="return"` Ctrl-C ends the reading as the end of the inputs does, also while `take` is at work,
    which is not broken off, and when a KeyboardInterrupt is thrown into this generator.
    """
    steps = reading.read(inputs)
    left_out = LeftOut()
    made: T | None = None
    tell = told = False  # whether the reading is to hear of an interrupt, and did
    while True:
        try:
            if made is not None and len(made):
                given, made = made, None
                yield given
            if tell:
                tell = False
                steps.throw(KeyboardInterrupt)  # what waits in the reading still comes
            else:
                next(steps)
            with HeldSignals():
                made = take()
            if reading.paused:
                left_out.warn(reading.scanner.totals())
        except StopIteration:
            return
        except KeyboardInterrupt:
            if reading.options.on_interrupt == "raise":
                raise
            reading.interrupted = True
            if told:  # it has ended already, or this is the second Ctrl-C
                return
            tell = told = True
