"""Ranges: parts of one capture that several workers read, where the results of parts are joined exactly.

A range goes from one record to another. Where these begin is not known before: a worker finds the first record at or
behind a place by a chain of plausible headers, as the worker of the range before does for the end of that. It is a
guess, even if a good one. It is true if the reading of the range before, which is true itself, arrives exactly there:
the first range begins with the file, so each proves the next. From the first range on that does not arrive, or has met
what changes the reading of all that follows, one worker reads the rest of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fluxcap._core import RecordFinder, Scanner, Walker, Window
from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.inputs import Input

if TYPE_CHECKING:
    from distributed import Future  # type: ignore[import-untyped,unused-ignore]

    from fluxcap._core import CaptureFormat
    from fluxcap.capture.ahead.one_input import Source
    from fluxcap.capture.inputs import Opened

# Bytes before the first record of a capture that is cut. Each range is sent with them: it has the descriptions of
# interfaces, which take some hundred, and in a pcapng perhaps names of hosts or secrets of TLS.
HEADERS_MAX: Final = 1 << 20
# Bytes of a range at least: to find where it begins and ends, up to 5 MB are read besides.
LEAST: Final = 16 << 20


class Range(NamedTuple):
    """A part of an input: the headers of the capture, and records."""

    item: Input  # all of it
    headers: bytes  # before its first record
    begin: int  # the first record begins here, or is the first one behind: see found()
    end: int | None  # the same of the range behind it; None: there is none
    packets: int | None = None  # records before it, if known

    def found(self) -> Range:
        """The range from a record to a record."""
        size = self.item.size or 0
        with self.item.source() as source:
            finder = RecordFinder(self.headers)
            begin = self.begin if self.packets is not None else _next_record(source, finder, self.begin, size)
            end = None if self.end is None else max(begin, _next_record(source, finder, self.end, size))
        return self._replace(begin=begin, end=end)


@contextmanager
def _opened(found: Range) -> Iterator[Source]:
    with found.item.source() as source:
        yield Section(source, found.headers, found.begin, found.end)


class Section:
    """The bytes of a range, as a source."""

    def __init__(self, source: Any, headers: bytes, begin: int, end: int | None) -> None:
        source.seek(begin)
        self._source = source
        self._headers = headers
        self._left = None if end is None else end - begin

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes into the buffer and say how many; 0 at the end."""
        if self._headers:
            n = min(len(buffer), len(self._headers))
            buffer[:n] = self._headers[:n]
            self._headers = self._headers[n:]
            return n
        if self._left is None:
            return int(self._source.readinto(buffer))
        n = int(self._source.readinto(buffer[: self._left])) if self._left else 0
        self._left -= n
        return n


class Behind:
    """The way of a reading to the first record of a range, of which the number is known."""

    def __init__(self, window: Window, octets: Opened, found: Range) -> None:
        self.passed = found.packets or 0
        self._window = window
        self._octets = octets
        self._found = found

    def pass_on(self) -> bool:
        """Read the headers, and go on with that record."""
        left = len(self._found.headers)
        while left:
            n = self._octets.readinto(self._window.space()[:left])
            self._window.advance(n)
            self._window.pass_to()
            left -= n
        self._window.go_on(self._found.begin, self.passed)
        return True


def _next_record(source: Any, finder: RecordFinder, at: int, size: int) -> int:
    """Where the first record at a place or behind it begins; the size of the input, if none is found."""
    while at < size:
        octets = _read(source, at, 2 * finder.needs)
        ended = at + len(octets) >= size or not octets
        place, searched = finder.find(octets, 0, ended)
        if place is not None:
            return at + place
        if ended:
            break
        at += searched
    return size


def _read(source: Any, at: int, n: int) -> memoryview:
    """So many bytes from a place on; fewer at the end."""
    source.seek(at)
    octets = memoryview(bytearray(n))
    there = 0
    while there < n and (more := source.readinto(octets[there:])):
        there += more
    return octets[:there]


def cut(item: Input, room: int) -> list[Input]:
    """An input as equal ranges of about so many bytes, two thirds to one and a half of these; as it is where it has not
    much more, cannot be read from any place on, or is no pcap or pcapng with records."""
    n = round((item.size or 0) / max(room, LEAST))
    if item.size is None or n < 2 or item.once:
        return [item]
    try:
        headers = headers_of(item)
    except (OSError, ImportError):  # whoever reads the input meets it again, and tells
        headers = b""
    return cut_at(item, headers, [item.size * at // n for at in range(1, n)]) if headers else [item]


def cut_at(item: Input, headers: bytes, places: Iterable[int]) -> list[Input]:
    """The ranges of an input that has these headers, cut at places in order."""
    first = len(headers)
    begins = [first, *(place for place in places if place > first)]
    return [
        as_input(Range(item, headers, begin, end, 0 if begin == first else None))
        for begin, end in pairwise([*begins, None])
        if begin is not None
    ]


def headers_of(item: Input) -> bytes:
    """What an input that can be cut has before its first record; nothing for another."""
    with item.open() as octets:
        headers = b"" if octets.compression or not octets.seek(0) else headers_in(octets)
    try:
        if headers:
            RecordFinder(headers)
    except ValueError:  # of another format
        return b""
    return headers


def headers_in(octets: Opened) -> bytes:
    """What an input has before its first record; nothing if there is none, or more than HEADERS_MAX before it."""
    walker = Walker()
    while not (found := walker.walk(1)) and walker.position < HEADERS_MAX:
        n = octets.readinto(walker.space())
        if not n:
            break
        walker.advance(n)
    headers = bytes(walker.headers)
    return headers if found and len(headers) == walker.position <= HEADERS_MAX else b""


def beginning_of(item: Input) -> bytes:
    """What an input, or the capture of which it is a range, has before its first record; nothing if not known."""
    found = range_of([item])
    if found is not None:
        return found.headers
    try:
        with item.open() as octets:
            return headers_in(octets)
    except (OSError, DecompressionError):
        return b""


def as_input(found: Range) -> Input:
    """A range as the input that a task reads."""
    item, end = found.item, found.end
    size = ((item.size or 0) if end is None else end) - found.begin
    return Input(item.name, partial(_opened, found), size, directory=item.directory)


def range_of(group: Sequence[Input]) -> Range | None:
    """The range that a group is; None for a group of whole inputs."""
    source = group[0].source
    return source.args[0] if isinstance(source, partial) and source.func is _opened else None


class Seam(NamedTuple):
    """How a part stands to the part before it."""

    goes_on: bool = False  # with the input that the part before it ends with
    passes: bool = False  # whether its reading does not count the packets of this input before it as passed, then


def seam_of(group: Sequence[Input]) -> Seam:
    """How the part of a group stands to the part before it."""
    found = range_of(group)
    if found is None or found.packets == 0:
        return Seam()
    return Seam(True, found.packets is None)


def whole(groups: Sequence[Sequence[Input]]) -> list[Input]:
    """All inputs of groups, uncut."""
    made: list[Input] = []
    for group in groups:
        found = range_of(group)
        if not seam_of(group).goes_on:
            made += group if found is None else [found.item]
    return made


class Read(NamedTuple):
    """What became of the reading of a range."""

    begin: int
    end: int | None
    packets: int
    arrived: bool  # exactly at its end, and nothing that was met changes the reading of what follows


def is_described(scanner: Scanner, headers: bytes) -> bool:
    """Whether these headers describe all that a reading of an input has met: no other capture that is joined, no other
    section, no other interface."""
    return bool(headers) and not scanner.joined[0] and _described(scanner.format()) == _described_by(headers)


def _described(made: CaptureFormat) -> tuple[int, int]:
    return made["sections"], len(made["interfaces"])


def _described_by(headers: bytes) -> tuple[int, int]:
    scanner = Scanner()
    scanner.begin()
    scanner.lend(headers, 0)
    scanner.run()
    return _described(scanner.format())


class Begun(NamedTuple):
    """What workers were given to read, and what they make of it."""

    groups: list[list[Input]]
    parts: list[Future]


def mended(begun: Begun, reads: Sequence[Read | None], read: Callable[[list[Input]], Future] | None) -> Begun:
    """The groups and their parts, where one worker reads the rest of each input from the first range on that has not
    arrived at the next. Without `read`, after Ctrl-C, the input ends with the ranges that have."""
    made = Begun([], [])
    item: Input | None = None
    at: int | None = None  # where its ranges have arrived
    packets = 0
    for group, part, one in zip(begun.groups, begun.parts, reads, strict=True):
        found = range_of(group)
        if found is None or one is None:
            made.groups.append(group)
            made.parts.append(part)
            continue
        if found.item is not item:
            item, at, packets = found.item, None if seam_of(group).goes_on else found.begin, 0
        if at is None:  # the rest is read by then
            continue
        if one.arrived and one.begin == at:
            at = one.end
            packets += one.packets
            made.groups.append(group)
            made.parts.append(part)
            continue
        if read is not None:
            left = as_input(found._replace(begin=at, end=None, packets=packets)) if packets else found.item
            made.groups.append([left])
            made.parts.append(read([left]))
        at = None
    return made
