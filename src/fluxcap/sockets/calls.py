"""The calls of the sockets interface that one socket made, as the records of one conversation imply them.

A conversation is a TCP connection (Stream) or the datagrams between two sockets (Datagrams). Both put the calls that a
record implies into a Log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from fluxcap._core import FAR
from fluxcap.values.names import ACK, EVIDENCE, FIN, RST, SYN

SEQUENCE_SPACE: Final = 1 << 32  # where sequence numbers begin again

# Calls that no record shows: the kernel answers for the program, or keeps what has come until the program asks for it.
INFERRED: Final = frozenset(("bind", "listen", "accept", "read", "recvfrom", "close"))

Address = tuple[bytes, int]  # 16 bytes and a port
NOBODY: Final[Address] = (bytes(16), 0)


class Record(NamedTuple):
    """A record of the conversation, as the socket sees it."""

    order: int  # among all records that were read
    time: int
    file: int
    packet: int
    sent: bool  # by the socket, not to it
    flags: int
    seq: int
    ack: int
    payload: int


@dataclass(slots=True)
class Event:
    """A call, or its outcome, and the record that shows it; repetitions are counted."""

    record: Record
    protocol: int
    call: str
    peer: Address
    octets: int
    records: int = 1

    @property
    def evidence(self) -> str:
        """Whether the record shows the call, or something that follows from it."""
        return EVIDENCE[self.call in INFERRED]


class Log:
    """The events of one socket, over all of its conversations."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._bound: set[tuple[int, str]] = set()

    def add(self, record: Record, protocol: int, call: str, peer: Address, octets: int = 0) -> Event:
        """One more event."""
        event = Event(record, protocol, call, peer, octets)
        self.events.append(event)
        return event

    def once(self, record: Record, protocol: int, *calls: str) -> None:
        """Add calls that a socket makes once, for all conversations."""
        for call in calls:
            if (protocol, call) not in self._bound:
                self._bound.add((protocol, call))
                self.add(record, protocol, call, NOBODY)


class Conversation:
    """The records between two sockets, as one of them sees them."""

    def __init__(self, log: Log, protocol: int, peer: Address) -> None:
        self._log = log
        self._protocol = protocol
        self.peer = peer
        self.sent_last = False  # whether the last record was the socket's own
        self._last: Event | None = None

    def take(self, record: Record) -> None:
        """The next record."""
        self.sent_last = record.sent

    def unreachable(self, record: Record) -> None:
        """Take an ICMP error that says that nobody has bound a port of this conversation."""
        raise NotImplementedError

    def damaged(self, record: Record) -> None:
        """Take a record with a bad checksum, which a kernel drops."""
        self._repeat(record, "bad checksum", record.payload)

    def finish(self) -> None:
        """The conversation has no further record."""

    def _add(self, record: Record, call: str, octets: int = 0) -> Event:
        self._last = self._log.add(record, self._protocol, call, self.peer, octets)
        return self._last

    def _repeat(self, record: Record, call: str, octets: int = 0) -> None:
        """Count a repetition of the last event of this conversation, or add a new event."""
        if self._last is not None and self._last.call == call:
            self._last.octets += octets
            self._last.records += 1
        else:
            self._add(record, call, octets)


class Stream(Conversation):
    """A TCP connection. Bytes are counted by sequence numbers: each once, bytes that the capture lacks included."""

    def __init__(self, log: Log, protocol: int, peer: Address) -> None:
        super().__init__(log, protocol, peer)
        self._initial: dict[bool, int] = {}  # sequence numbers of SYNs, by sender
        self._next: dict[bool, int] = {}  # the next sequence numbers, by sender
        self._far: dict[bool, Record] = {}  # data far ahead of them, joined, which nobody has acknowledged
        self._syn: Record | None = None  # the last SYN without an answer
        self._syns = 0
        self._answered = self._established = self._ended = False
        self._own_fin: Event | None = None
        self._peer_fin = False
        self.asked: Record | None = None  # a SYN in the open connection, without an answer so far

    def is_reopened_by(self, record: Record) -> bool:
        """Whether a record opens another connection between the same sockets (RFC 9293 section 3.6.1).

        A SYN in an open connection does once the other side answers it (RFC 5961 section 4): until then it is `asked`.
        """
        if not record.flags & SYN:
            return False
        initial = self._initial.get(record.sent)
        if record.flags & ACK:
            return self.asked is not None and self.asked.sent != record.sent and record.seq != initial
        opens = record.seq != initial if initial is not None else self._ended or self._own_fin is not None
        if opens and self._established and not (self._ended or self._peer_fin or self._own_fin is not None):
            self.asked = record
            return False
        return opens

    def take(self, record: Record) -> None:
        """The next segment."""
        super().take(record)
        if record.flags & RST:
            self._reset(record)
            return
        if record.flags & SYN:
            self._open(record)
        elif record.flags & ACK and self._answered and not self._established and not record.sent:
            self._established = True
            self._add(record, "accept")
        if record.flags & ACK:
            self._believe(record)
        self._data(record)
        if record.flags & FIN:
            self._end(record)

    def unreachable(self, record: Record) -> None:
        """Refuse the connection; after it is established the error is not believed (RFC 5927 section 5.2)."""
        if self._initial and not self._established:
            self._ended = True
            self._repeat(record, "refuse" if record.sent else "connection refused")

    def finish(self) -> None:
        """Say that nobody answered."""
        if self._syn is not None and not self._ended:
            self._add(self._syn, "unanswered").records = self._syns

    def _open(self, record: Record) -> None:
        first = record.sent not in self._initial
        self._initial.setdefault(record.sent, record.seq)
        self._next.setdefault(record.sent, (record.seq + 1) % SEQUENCE_SPACE)
        if not record.flags & ACK:
            if self._answered or self._established:
                return
            self._syn = record
            self._syns += 1
            if record.sent:
                self._repeat(record, "connect")
        elif first:
            self._syn = None
            if record.sent:
                self._answered = True
                self._log.once(record, self._protocol, "bind", "listen")
            else:
                self._established = True
                self._add(record, "connected")

    def _believe(self, record: Record) -> None:
        """Count what is far ahead if this record acknowledges it: a stray sequence number is never believed."""
        far = self._far.get(not record.sent)
        if far is not None and 0 < (record.ack - far.seq) % SEQUENCE_SPACE <= far.payload:
            del self._far[far.sent]
            self._data(far, believed=True)

    def _set_aside(self, record: Record) -> None:
        """Keep data far ahead, with what continues it."""
        far = self._far.get(record.sent)
        if far is not None and (far.seq + far.payload) % SEQUENCE_SPACE == record.seq:
            self._far[record.sent] = far._replace(payload=far.payload + record.payload)
        else:
            self._far[record.sent] = record

    def _data(self, record: Record, believed: bool = False) -> None:
        begin = (record.seq + bool(record.flags & SYN)) % SEQUENCE_SPACE
        expected = self._next.setdefault(record.sent, begin)
        end = (begin + record.payload) % SEQUENCE_SPACE
        new = (end - expected) % SEQUENCE_SPACE
        if not record.payload or not 0 < new < SEQUENCE_SPACE // 2:  # no data, or no new data
            return
        seen_both_ways = (not record.sent) in self._next  # else nobody is there to acknowledge
        if new - record.payload > FAR and seen_both_ways and not believed:
            self._set_aside(record)
            return
        self._next[record.sent] = end
        if self._own_fin is not None and not record.sent:
            self._own_fin.call = "shutdown (FIN)"  # the socket still reads; a closed socket would reset the connection
        self._repeat(record, "write" if record.sent else "read", new)

    def _end(self, record: Record) -> None:
        if record.sent:
            self._own_fin = self._own_fin or self._add(record, "close (FIN)")
        elif not self._peer_fin:
            self._peer_fin = True
            if self._own_fin is None or self._own_fin.call == "shutdown (FIN)":  # else nobody reads any more
                self._add(record, "end of file")
            if self._own_fin is not None and self._own_fin.call == "shutdown (FIN)":
                self._add(record, "close")

    def _reset(self, record: Record) -> None:
        self._ended = True
        self._repeat(record, self._sent_reset() if record.sent else self._received_reset())

    def _sent_reset(self) -> str:
        if self._own_fin is not None:
            self._own_fin.call = "close (FIN)"
            return "reset"
        return "refuse" if self._syn is not None and not self._syn.sent else "close (RST)"

    def _received_reset(self) -> str:
        return "connection refused" if self._syn is not None and self._syn.sent else "connection reset"


class Datagrams(Conversation):
    """The datagrams between two sockets of a protocol whose handshake, if it has one, is not read."""

    def __init__(self, log: Log, protocol: int, peer: Address) -> None:
        super().__init__(log, protocol, peer)
        self._serves: bool | None = None  # whether the first datagram came from the peer
        self._octets = 0  # of the last datagram
        self._before: Event | None = None  # what was the last event before it

    def take(self, record: Record) -> None:
        """The next datagram, or the next fragment of one."""
        super().take(record)
        if self._serves is None:
            self._serves = not record.sent
        if record.sent and self._serves:
            self._log.once(record, self._protocol, "bind")  # else the peer could not have known the port
        self._octets, self._before = record.payload, self._last
        self._repeat(record, "sendto" if record.sent else "recvfrom", record.payload)

    def unreachable(self, record: Record) -> None:
        """Nobody had bound the port that the last datagram went to."""
        if not record.sent:
            self._repeat(record, "port unreachable")
            return
        received = self._last
        if received is not None and received.call == "recvfrom":
            received.octets -= self._octets
            received.records -= 1
            self._last = received if received.records else self._before
        self._repeat(record, "refuse", self._octets)
