"""Several inputs in order: those that come next are decompressed while the current one is counted."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from queue import SimpleQueue
from typing import Final, NamedTuple

from fluxcap.capture.ahead.belt import Belt, start
from fluxcap.capture.compression import STEP_LARGE, decompressed_here, recognise
from fluxcap.capture.inputs import Input, Opened
from fluxcap.capture.meter import METER
from fluxcap.capture.sources import Iterated

# Decompressed bytes of each input that wait for its turn. Two threads decompress inputs of twice that without a pause.
ROOM: Final = 64 << 20
PIECE: Final = STEP_LARGE  # bytes of it that are handed over together


class Begun(NamedTuple):
    """An input that was opened ahead."""

    stored: Opened
    compression: str


class Held:
    """An input that a thread opens and decompresses before its turn."""

    def __init__(self, item: Input) -> None:
        self.item = item
        # First comes a Begun, or None: the input has to be opened in its turn. Then the decompressed bytes. Last comes
        # the error behind them, or None.
        self.belt = Belt(ROOM // PIECE)

    def make(self) -> None:
        """Do that, in the thread."""
        begun, error = False, None
        try:
            with self.item.stored() as (whole, opened):
                if (codec := recognise(opened.head)) is not None:
                    made = decompressed_here(opened, codec, self.item.name, self.item.size)
                    self.belt.tell(Begun(whole, codec.name))
                    begun = self.belt.busy = True
                    self._fill(made)
        except Exception as caught:  # of any kind: the reader raises it in its turn, or meets it where it opens
            error = caught
        self.belt.busy = False
        self.belt.tell(error if begun else None)

    def _fill(self, made: Iterable[bytes]) -> None:
        """Hand over the bytes in pieces that are not small: each takes the room of a large one."""
        piece = bytearray()
        try:
            for octets in made:
                if len(piece) + len(octets) > PIECE and piece:
                    if not self.belt.put(piece):
                        return
                    piece = bytearray()
                if len(octets) < PIECE:
                    piece += octets
                elif not self.belt.put(octets):
                    return
        finally:  # an error comes behind all bytes before it
            if piece:
                self.belt.put(piece)

    def octets(self) -> Generator[bytes | bytearray, None, None]:
        """The decompressed bytes, behind the Begun, and the error that ended them, for the reader."""
        while isinstance(made := self.belt.take(), (bytes, bytearray)):
            yield made
            self.belt.free()
        if made is not None:
            raise made


class InputsAhead:
    """Opens the inputs of a reading in order, and lets threads decompress those that come next.

    The threads start at the first input that is compressed. Only a file whose size is known is read ahead: reading a
    pipe may wait, and what came of it would be lost to the next reader. What cannot be opened ahead is opened in its
    turn, and fails there. So is what is not compressed.
    """

    def __init__(self, inputs: Iterable[Input], ahead: int) -> None:
        """`ahead` is the number of inputs after the current one, and the number of threads."""
        # Other iterables are not asked early: the next input may not be there yet.
        self._inputs = inputs if isinstance(inputs, Sequence) else ()
        METER.expect(item.size for item in self._inputs)
        self._ahead = ahead
        self._opened = self._seen = 0  # inputs that were opened in their turn; inputs that were given to the threads
        self._held: dict[int, Held] = {}  # the current input and those after it, by place
        self._waiting: SimpleQueue[Held | None] = SimpleQueue()  # for the threads; None ends one of them
        self._threads = 0
        self._process = 0  # that the threads belong to; one that was forked from it has none

    @contextmanager
    def open(self, item: Input) -> Iterator[Opened]:
        """The next input, decompressed. OSError if it cannot be opened, UnsupportedError if a library is missing."""
        place = self._opened
        self._opened += 1
        if self._threads:
            self._look_ahead()
        try:
            if begun := self._begun(place):
                with METER.reading(begun.stored), closing(self._held[place].octets()) as octets:
                    yield Opened(Iterated(octets), begun.compression)
                return
            with item.open() as opened:
                if opened.compression and not self._threads:
                    self._look_ahead()
                yield opened
        finally:
            self._drop(place)

    def busy(self) -> int:
        """The number of threads that are decompressing."""
        return sum(held.belt.busy for held in self._held.values())

    def close(self) -> None:
        """Let the threads end."""
        for place in tuple(self._held):
            self._drop(place)
        for _ in range(self._threads):
            self._waiting.put(None)

    def _begun(self, place: int) -> Begun | None:
        """What a thread has opened; None: it has to be opened now."""
        if place in self._held and os.getpid() == self._process:
            return self._held[place].belt.take()  # type: ignore[no-any-return]
        return None

    def _drop(self, place: int) -> None:
        if held := self._held.get(place):
            held.belt.stop()
            del self._held[place]

    def _look_ahead(self) -> None:
        """Give the inputs that come next to the threads."""
        self._seen = max(self._seen, self._opened)
        while self._seen < min(self._opened + self._ahead, len(self._inputs)):
            item = self._inputs[self._seen]
            if item.size is not None and not item.once:
                if not self._start():
                    return
                held = self._held[self._seen] = Held(item)
                self._waiting.put(held)
            self._seen += 1

    def _start(self) -> bool:
        """Start another thread, up to as many as there may be. False where there is none."""
        if self._threads < self._ahead:
            self._process = self._process or os.getpid()
            self._threads += 1  # first: after Ctrl-C in between, close() has to end it
            try:
                start(self._work)
            except RuntimeError:  # the process may have no more threads
                self._threads -= 1
        return self._threads > 0

    def _work(self) -> None:
        while (held := self._waiting.get()) is not None:
            held.make()
