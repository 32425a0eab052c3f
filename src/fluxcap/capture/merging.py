"""Several inputs as one, their records in the order of time: which input the core wants more of, and what ended one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from fluxcap._core import ENDED, INPUT_ENDED, RECORDS_MADE, Merger, Scanner, Source
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.damaged import Failure, broken_off, damaged, failure, skipped
from fluxcap.capture.meter import METER
from fluxcap.errors import CaptureError
from fluxcap.plan.durations import nanoseconds

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input, Opened
    from fluxcap.plan.durations import Duration

# Bytes of records that wait for their turn, of all inputs together: two seconds of a gigabit a second.
POOL: Final = 256 << 20

Counted = tuple[int, int, int, int]  # as Merger.counted() gives it


class Part:
    """One of the inputs, while it is read."""

    def __init__(self, item: Input, opened: Opened, source: Source) -> None:
        self.item = item
        self.source = source
        self.head = opened.head
        self.compression = opened.compression
        self.failure: Failure | None = None
        self._opened = opened
        self._chunk = memoryview(b"")
        self._at = 0  # in the chunk: what comes before is read

    def fill(self) -> None:
        """Let the core have more bytes of this input, or know that there are none."""
        try:
            if self._at < len(self._chunk):
                self._at = self.source.lend(self._chunk, self._at)
            elif self._opened.file is not None and self.item.size is not None:
                self._opened.by_core = self.source
                self.source.read_on(self._opened.file)
            elif (take := self._opened.take_chunk) is not None:
                self._lend(take)
            elif n := self._opened.readinto(self.source.space()):
                self.source.advance(n)
            else:
                self.source.finish()
        except (DecompressionError, OSError) as error:
            self.failure = failure(error)
            self.source.finish()

    def errors(self, read: int) -> Iterator[CaptureError]:
        """What was skipped in this input, and what ended it after so many packets, if that is not its end."""
        yield from skipped(self.source, self.item.name)
        damage = self.source.damage
        if self.failure is not None:
            yield broken_off(self.failure, self.item.name, damage, (read, self.source.octets))
        elif damage is not None:
            yield damaged(damage, self.item.name, self.head, self.compression)

    def _lend(self, take: Callable[[], memoryview]) -> None:
        self._chunk, self._at = take(), 0
        if self._chunk:
            self._at = self.source.lend(self._chunk, 0)
        else:
            self.source.finish()


class Merging:
    """The records of some inputs as one stream for a scanner."""

    def __init__(self, scanner: Scanner, window: Duration, ended: Callable[[Part, Counted], None]) -> None:
        """`ended` is called when an input is read to its end, or to its damage, with what was counted of it; what it
        raises, take_chunk() raises."""
        self.merger = Merger(scanner, nanoseconds(window, "reorder"), POOL)
        self.parts: list[Part] = []
        self._ended = ended

    def add(self, item: Input, opened: Opened) -> None:
        """Another input, behind those there are."""
        METER.expect([item.size])
        self.parts.append(Part(item, opened, self.merger.add()))

    def take_chunk(self) -> memoryview:
        """The next records of the stream; none at its end. Good until the next are asked for."""
        while (state := self.merger.run()) not in (RECORDS_MADE, ENDED):
            part = self.parts[self.merger.at]
            if state == INPUT_ENDED:
                self._ended(part, self.merger.counted(self.merger.at))
            else:
                part.fill()
        return self.merger.octets

    @property
    def full(self) -> int:
        """The bytes that the records waiting for their turn may take, if these were ever full; else 0."""
        return POOL if self.merger.early else 0

    def stop(self) -> None:
        """Read no more of the inputs: what waits for its turn is all that comes."""
        self.merger.stop()
