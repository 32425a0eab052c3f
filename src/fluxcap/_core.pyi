"""Types of the compiled core. It needs no numpy: columns leave it as read-only buffers with a numpy typestr."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from fluxcap._core_parts import WALK_ENDED as WALK_ENDED
from fluxcap._core_parts import WALK_WANTS_A as WALK_WANTS_A
from fluxcap._core_parts import WALK_WANTS_B as WALK_WANTS_B
from fluxcap._core_parts import CaptureFormat as CaptureFormat
from fluxcap._core_parts import Comparer as Comparer
from fluxcap._core_parts import Damage as Damage
from fluxcap._core_parts import Endings as Endings
from fluxcap._core_parts import Interface as Interface
from fluxcap._core_parts import KeySpec as KeySpec
from fluxcap._core_parts import LearnedClock as LearnedClock
from fluxcap._core_parts import PayloadWatcher as PayloadWatcher
from fluxcap._core_parts import Totals as Totals
from fluxcap._core_parts import Watcher as Watcher
from fluxcap._core_parts import first_differences as first_differences

FAR: Final[int]  # bytes ahead from which a segment of TCP is believed only when it is acknowledged
NO_TIME: Final[int]  # in a column of times: the record has none. numpy and pandas read it as NaT
RESENT: Final[int]  # in `_mark`, where connections are followed: a retransmission
SHAKEN: Final[int]  # ... the record that completes a handshake
ACKS_UNSEEN: Final[int]  # ... an acknowledgment of bytes that were not seen before it
AFTER_ACK: Final[int]  # ... a segment whose bytes were acknowledged before it
WAITED: Final[int]  # ... and where they are not: a fragment that has waited for the first one of its datagram
VERDICTS: Final[tuple[str, ...]]
DISPOSITIONS: Final[tuple[str, ...]]
REASONS: Final[tuple[str, ...]]  # why a record is malformed or cut, or how a copy differs, by code; 0 is "none"
DAMAGES: Final[tuple[str, ...]]  # what is wrong with a file, by code; 0 is "none"
DIRECTIONS: Final[tuple[str, ...]]  # which way a record went past its interface
TUNNELS: Final[tuple[str, ...]]  # kinds in UDP; "none": a port that carries none whatever its number
STATES: Final[tuple[str, ...]]  # of a connection, by code: conn_state as in Zeek's conn.log
DIRECTION_BASES: Final[tuple[str, ...]]  # why forward is the direction of who began a connection, by code
SERVER_NAME_BASES: Final[tuple[str, ...]]  # what tells the name of a server, by code; 0 is "none"
ANOMALIES: Final[tuple[str, ...]]  # anomalies that are counted, never fatal; order of Totals["anomalies"]

PACKET_COLUMNS: Final[tuple[str, ...]]  # the columns made when none are asked for, in order
# The columns made only by name; among them `expected` (the transport checksum that would be right, where one was
# computed), `ip_checksum` and `ip_expected`, `reason` and `duplicate_kind` (indices into REASONS).
EXTRA_COLUMNS: Final[tuple[str, ...]]
KEPT_COLUMNS: Final[tuple[str, ...]]  # of packets whose first bytes are kept
FLOW_COLUMNS: Final[tuple[str, ...]]  # every value column a flow table can have, in order (key columns not among them)
SERVER_NAME_COLUMNS: Final[tuple[str, ...]]  # those of the name of a server, in a table made with `server_names`
CONNECTION_COLUMNS: Final[tuple[str, ...]]  # those that a table of connections has after them, in order
MAX_SPLT: Final[int]  # first packets of a flow described one by one
MOST_PAYLOAD: Final[int]  # bytes that are kept of a packet or flow
KEY_FIELDS: Final[tuple[str, ...]]  # fields a key can be made of, in the order they stand in a table

# Scanner.run() says why it came back.
WANTS_INPUT: Final[int]  # everything complete in the buffer is processed
ROWS_FULL: Final[int]  # `row_limit` packet rows are collected: take() them, then run() again
FLOWS_FULL: Final[int]  # `max_flows` or `max_memory` is reached: nothing after the last counted record was read
DAMAGED: Final[int]  # the input is broken here; see Window.damage
ENDED: Final[int]  # read() has come to the end of the file
INPUT_ENDED: Final[int]  # Merger: one of the inputs has ended, or is broken
RECORDS_MADE: Final[int]  # Merger: octets() are the next records
UNLIKE: Final[int]  # Copier: this input cannot follow those before it in one file

KernelName = Literal["avx512", "avx2", "neon", "scalar"]

def feature_columns(
    biflow: bool, features: bool, activity: bool, splt: int, payload: int = 0, server_names: bool = False
) -> tuple[str, ...]:
    """The names of the columns of features, activity, first packets, first bytes and names of servers, in order."""

def kernels() -> tuple[KernelName, ...]:
    """Checksum kernels this processor can run, fastest first."""

def kernel() -> KernelName:
    """The kernel in use: the fastest, or the one FLUXCAP_KERNEL named at import."""

def use_kernel(name: str) -> None:
    """Use this kernel from now on. ValueError: unknown, or this processor lacks it."""

def ones_sum(data: bytes | bytearray | memoryview, kernel: str | None = None) -> int:
    """Folded ones'-complement sum (0..0xFFFF) of big-endian 16-bit words, an odd octet padded with zero (RFC 1071)."""

def crc32c(data: bytes | bytearray | memoryview) -> int:
    """CRC32c (RFC 9260 appendix A) as an integer."""

# How the values of a column are written: integers raw, several integers a row with commas between them ("json
# integers": in brackets), floats as repr() writes them and NaN as nothing ("json float": null, and so are infinities),
# (n, 16) octets as IP text, (n, 6) octets as aa:bb:cc:dd:ee:ff, int64 nanoseconds as RFC 3339 in UTC with nine digits
# ("json time": in quotes) and NO_TIME as nothing ("json time": null), octets up to the first zero as they
# are, uint8 codes as their names, a list of octets as it is.
TextKind = (
    Literal["integer", "integers", "float", "address", "mac", "octets", "time", "duration", "name", "letters", "text"]
    | Literal["json integers", "json float", "json address", "json time", "json duration", "json name"]
    | tuple[str, ...]
)

class TextRows:
    """The rows of columns as text, in pieces of some ten KiB, made without holding the GIL. `literals` are the octets
    before each cell of a row and, last, those behind it. `there` has, by the place of a column of addresses, a byte for
    each row: zero where it has none. ValueError: columns of different lengths, or literals that are not one more.
    TypeError: values that have no text of their kind."""

    def __init__(
        self, columns: Sequence[tuple[TextKind, Any]], literals: Sequence[bytes], there: Mapping[int, Any] = ...
    ) -> None: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...

class Column:
    """One column of a table: n values of `width` items of `dtype`, read-only. Its buffer has the shape (n,), or
    (n, width) where a value has several items, and the format of the items."""

    name: str
    dtype: str  # numpy typestr of one item: "|u1" "<u2" "<u4" "<u8" "<i8" "|S28"
    width: int  # items a value: 1; 16 for an IP address, 6 for a MAC address (dtype "|u1")
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Window:
    """Where the octets of one input after the other go in, through one reused buffer."""

    damage: Damage | None  # of the current input; begin() clears it
    joined: tuple[int, int, int]  # captures behind the first one of this input, records before the second, its offset
    def strays(self) -> list[tuple[int, int, int]]:
        """New bytes between records: offset, records before, size."""
    def space(self) -> memoryview:
        """The free part of the read buffer (at least one octet), writable until the next call of any method."""
    def advance(self, n: int) -> None:
        """n octets were put into space()."""
    octets: int  # of the current input that have come
    reached: int  # the same, for another thread to look at
    def lend(self, octets: bytes | memoryview, at: int) -> int:
        """Take the next octets of the input, from `at` on, as they lie: they are the window until more is asked for.
        Where a record has begun before them only some are taken, copied. Where to go on; call run() before that."""
    def finish(self) -> None:
        """The current input has ended; an incomplete record makes run() say DAMAGED."""
    def pass_to(self, number: int | None = None, time: int | None = None) -> int | None:
        """Move past what is in the buffer up to the first record of this number or higher, or of this time (ns) or
        later; nothing of it is counted. None: more is wanted. Else the records before that one, before damage, or in
        all, where the input has ended."""
    def go_on(self, offset: int, number: int) -> None:
        """What comes next is at this offset, behind so many records. ValueError where octets before were not read."""

class Scanner(Window):
    """Reads one or several inputs as one capture. RuntimeError where another thread is in one of its methods. For each
    input: begin(), then readinto(space()), advance(n), run() again and again, at its end finish() and run() until it no
    longer says ROWS_FULL."""

    def __init__(
        self,
        *,
        key: KeySpec | None = None,  # None: no flow table is made
        columns: Sequence[str] = (),  # none: no packet rows are collected
        verdicts: int = 0xFFFFFFFF,  # collect a record's row if bit `verdict` or bit 16 + `ip_verdict` is set
        row_limit: int = 0,  # packet rows that make run() say ROWS_FULL; 0 = no limit
        # Octets that packet rows, and flows beside them, take at most; 0 = no bound. Further packets are counted, and
        # have no row.
        max_octets: int = 0,
        decap: bool = True,
        tunnels: Iterable[tuple[int, int]] = (),  # UDP ports besides the registered ones, and indices into TUNNELS
        # Compiles the filter for a link type, in an input of the other byte order or not: `struct bpf_insn`s, packed.
        # Refused records are `filtered`: in the ledger, in no table. What it raises, run() raises.
        where: Callable[[int, bool], bytes] | None = None,
        # The same filter for an IP packet by itself; with `inner` it alone decides, of the innermost one. Else what it
        # would accept of the refused records is counted: anomalies `refused_tagged` and `refused_inside`.
        inside: bytes | None = None,
        inner: bool = False,
        file: int = 0,  # index of the first input
        # Shards of the flow table, a power of two up to 32: so many threads can count at once. ValueError for more than
        # one with packet columns, a bound on flows or memory, or intervals whose flows have a direction by ports.
        shards: int = 1,
        resync: bool = False,  # read on behind damage, see strays()
        # Leave out copies of a packet: `duplicate`, in no table. One comes within `copy_window` ns, 0: 10 ms, at most
        # 200 ms. The columns duplicate_* look for copies too. One thread reads.
        dedupe: bool = False,
        copy_window: int = 0,
        # Of a part of a capture: fragments are in no flow, and only they have rows. `flow` is the flows before each.
        fragments_apart: bool = False,
        # Keep so many bytes of each packet, from the IP header on or not, masked or not: KEPT_COLUMNS, and those of the
        # same name in flows where the key says so too. One thread reads, and one table has the flows.
        payload: tuple[int, bool, bool] | None = None,
    ) -> None: ...
    def begin(self) -> None: ...
    def run(self, threads: int = 1) -> int:
        """Process what is in the buffer without holding the GIL, or hand it to so many `threads`, this one among them.
        The result is the same. Handed over, it may be under way when this comes back; what asks for results waits.
        Threads are no gain where every packet makes a row: rows are made in order."""
    def read(self, file: int, threads: int = 1) -> int:
        """What readinto(space()), advance() and run() do, with all that is left of the file of this descriptor, whose
        octets before that have come already. ENDED at its end, or what run() says but WANTS_INPUT. OSError."""
    limit: str  # after FLOWS_FULL: which one was reached
    def take(self) -> dict[str, Column]:
        """The packet rows collected since the last take(), in the order the columns were asked for."""
    def take_apart(self) -> bytes:
        """The records of this input that stand apart, as they are in it; for a Scanner with fragments_apart."""
    @property
    def open_flows(self) -> int:
        """Rows of the flow table, those of flows that have ended and were not taken among them."""
    def ended(self, until: int) -> dict[str, Column]:
        """Take the rows that no record of the time `until` (ns) or later can change, as flows() gives rows."""
    def flows(self, last: bool = False, newest: int = ..., order: Any = None) -> dict[str, Column]:
        """The flow table, in first-seen order: the key's columns, then FLOW_COLUMNS (reverse_* only when biflow), then
        `_icmp_last`, the time (ns) of the last ICMP error; then what feature_columns() says for this key. The `last`
        time the scanner gives up its own copy on the way: rows and columns together never take twice the room. Rows
        that have been silent or active for too long at the time `newest` (ns) have ended. `order`: the numbers of all
        rows (int64, used up) as they are to come, the last time."""
    def server_names(self, numbers: Column) -> Column:
        """The names with these numbers, those of a column `_server_name`; none for 0."""
    def unseen(self) -> dict[str, Column]:
        """Rows as in flows(), without packets: ICMP errors that quote a flow of which no packet has been seen."""
    def add_flows(self, columns: Mapping[str, Any], n: int, numbers: Any = None) -> None:
        """Merge n rows of flows() or unseen() of the same key into this table (exact; not with active_timeout).
        `numbers` (uint64): those of the records that the rows began with, among all records. Rows may then come in any
        order; without them the one that began first has to come first."""
    def numbers(self) -> bytes:
        """The number (uint64) of the record that each row began with, for rows that were added with numbers."""
    def totals(self) -> Totals: ...
    def format(self) -> CaptureFormat: ...

def trace_tasks(scanner: Scanner, room: int) -> None: ...  # see TASK_KINDS
def traced_tasks(scanner: Scanner) -> list[tuple[str, int, int, int, int, int, int]]: ...
def round_trips(scanner: Scanner, rows: Any, trips: Any) -> None:
    """Write from SYN to ACK of the handshakes of connections with these row numbers into int64 `trips` (ns)."""

def losses(scanner: Scanner, lost: Any) -> None:
    """Write into uint64 `lost`, of a row a connection and a column a side, the bytes acknowledged and not captured."""

def dictionary(values: Any) -> tuple[bytes, bytes, bytes]:
    """What the (n, 16) or (n, 6) octets of addresses are as dictionary-encoded texts, made without holding the GIL: the
    code of each row (uint32), where each text begins and the last one ends (int32), and the texts in the order of their
    first rows. TypeError: of another width. ValueError: more rows or longer texts than 2^31 - 1."""

def distinct(values: Any) -> tuple[bytes, bytes]:
    """Which values of (n, 16 or fewer) octets differ, told without holding the GIL: the code of each row and the first
    row of each code, both uint32; codes are in the order of the first rows."""

def community_ids(*columns: Any) -> bytes:
    """The Community IDs of rows, one after the other. Columns: protocol, src_ip, src_port, dst_ip, dst_port, `_icmp`
    (1 + an ICMP type that the ports do not tell); then the seed, and whether digits are hexadecimal."""

def icmp_ports(*columns: Any) -> bytes:
    """Two uint16 a row, which stand for its ports in a Community ID and in conn.log: of ICMP the type, and the type
    that answers it or else the code. Columns: protocol, src_port, dst_port, `_icmp`."""

# The nodes of the Arrow C data interface: (format, name, metadata, nullable, children, dictionary), with no text that
# holds a zero octet but the metadata, and (length, buffers, children, dictionary). The first buffer is the validity
# bitmap, None where no value is missing.
ArrowField = tuple[bytes, bytes, bytes, bool, Sequence["ArrowField"], "ArrowField | None"]
ArrowValues = tuple[int, Sequence[Any], Sequence["ArrowValues"], "ArrowValues | None"]

def arrow_schema(schema: ArrowField) -> object:
    """A capsule with an ArrowSchema."""

def arrow_stream(schema: ArrowField, batches: Iterable[ArrowValues]) -> object:
    """A capsule with an ArrowArrayStream, which takes a batch of the iterable whenever its reader asks for one."""

SIDES: Final[tuple[str, ...]]  # of a connection, by code: "a" from whoever was seen first
BEGINNINGS: Final[tuple[str, ...]]  # how a stream began, by code
ENDINGS: Final[tuple[str, ...]]  # how it ended, by code

class HeldCounted:
    """While it is entered, the flows and totals of a scanner count what is held back too, as it stands: fragments whose
    first one has not come, and what came after them. The scanner goes on as if it had not been asked."""

    def __init__(self, scanner: Scanner) -> None: ...
    def __enter__(self) -> HeldCounted: ...
    def __exit__(self, *error: object) -> None: ...

class Demuxer(Scanner):
    """A Scanner that also delivers: run() says ROWS_FULL when there is enough to take."""

    keep_bad: bool  # deliver what a kernel would drop for its checksum or length
    max_octets: int  # octets that the table of sockets and streams takes at most; 0 = no bound
    left_out: tuple[int, int]  # packets of further sockets and streams, and the octets of their payload
    incomplete: int  # datagrams of which not all fragments came, or there was no room for them
    refused_fragments: int  # whose IPv4 header checksum is bad
    def end(self) -> bool:
        """After the last input: deliver what waits for octets that did not come. True: take it, and call this again."""
    def delivered(self) -> tuple[memoryview, dict[str, Column]]:
        """Octets, good until the next call of any method, and whose they are: `number`, `side`, `protocol`, `start`
        and `length`, one row a stream."""
    def messages(self) -> dict[str, Column]:
        """The messages since the last call; `offset` is that in the file of their socket."""
    def gaps(self) -> dict[str, Column]:
        """The gaps since the last call; `offset` is where in the file of the stream the octets are missing."""
    def streams(self) -> dict[str, Column]:
        """All sockets and streams up to now, in the order in which they were first seen."""

class Source(Window):  # one of the inputs of a Merger
    def read_on(self, file: int) -> None:
        """readinto(space()) and advance() with the file of this descriptor, or finish() at its end. OSError."""
    def format(self) -> CaptureFormat: ...

class Merger:
    """The records of several inputs in the order of time, as one stream that a scanner takes for an input. add() all
    inputs, then run() again and again, until it says ENDED. What it says is about the source of add() number `at`:
    WANTS_INPUT, which it is to be given, or INPUT_ENDED. After RECORDS_MADE lend `octets` to the scanner, and run it
    until it wants more input."""

    at: int
    octets: memoryview  # whole records; good until the next run()
    late: tuple[int, int] | None  # the first record that was later than the window allows: its source and its number
    early: int  # how often records left early because the pool was full
    def __init__(self, scanner: Scanner, window: int, pool: int) -> None:
        """Begins an input of the scanner. Records are sorted within `window` ns; those that wait take at most `pool`
        bytes, at least 2 MiB."""
    def add(self) -> Source: ...
    def run(self) -> int: ...
    def stop(self) -> None:
        """Want no more input: only what waits is still to come."""
    def counted(self, place: int) -> tuple[int, int, int, int]:
        """What was read of a source: records, captured bytes, bytes on the wire, records of `fraction_over_second`."""

class RecordFinder:
    """Finds the next record, or block that a reading can begin with, from any offset on. A reading from before the
    offset has to come to it: else it was found in a packet that holds a capture."""

    needs: int  # octets behind an offset that decide whether a record begins there
    def __init__(self, head: bytes | memoryview) -> None:
        """`head`: what the capture begins with, to its first record. ValueError: no head of a pcap or pcapng."""
    def find(self, octets: bytes | memoryview, at: int = 0, ended: bool = True) -> tuple[int | None, int]:
        """The first record from `at` on or None, and where the search ended: `needs` before the end, if not `ended`."""

class Walker(Window):
    """Finds the beginnings of records by their framing alone."""

    position: int  # offset of the next record
    packets: int  # records before it
    newest: int | None  # the latest time of these (ns)
    headers: bytearray  # before it: those of the file and of sections, and descriptions of interfaces
    def walk(self, offset: int) -> bool:
        """Move to the first record at or behind this offset. False: not with what has come, or not past damage."""

class Copier(Window):
    """Copies records, octet for octet, from one or several inputs into one capture. For each input: begin(), then
    readinto(space()), advance(n), run() and kept() again and again, at its end finish(), run() and kept(). Of a pcap
    the file header is kept with the records, of a pcapng every block that holds no record; there only the length of a
    section changes, to "not stated"."""

    # `joins`: captures that are joined in an input are joined in the copy.
    def __init__(self, *, resync: bool = False, joins: bool = False) -> None: ...
    packets: int  # records of the current input that have come
    missing: int  # ... and those that are named and have not
    def begin(self, named: Any, leave_out: bool = False) -> None:
        """The next input, of which the records with these numbers, or all others, are wanted: uint64, ascending."""
    def run(self) -> int:
        """WANTS_INPUT; DAMAGED; UNLIKE if the input has another format than those before, or another pcap header."""
    def kept(self) -> memoryview:
        """What is to be written after run(), until the next call of any method."""

def segment(
    message: bytes | bytearray | memoryview,
    src: bytes,  # 4 or 16 octets
    src_port: int,
    dst: bytes,
    dst_port: int,
    *,
    protocol: int,  # 17 UDP, 6 TCP
    framed: bool,  # in an Ethernet frame
    ttl: int,
    identification: int | None,  # None: 0, not to be fragmented
    seq: int,  # of TCP, as all below
    ack: int,
    flags: int,
    window: int,
) -> bytes:
    """The packet that carries a message. ValueError: it does not fit into one, or addresses of different lengths."""

class Muxer:  # messages as the records of a pcap of Ethernet and nanoseconds
    def add(
        self,
        message: bytes,
        missing: int,  # octets that followed and are not there
        time: int,  # ns since the epoch
        src: bytes,  # 4 or 16 octets
        src_port: int,
        dst: bytes,
        dst_port: int,
        protocol: int,  # 17 UDP, 136 UDP-Lite
    ) -> bool:
        """One message more. True: take() has to come before the next. ValueError: no packet can hold it, or no pcap."""
    def take(self) -> memoryview:
        """What is to be written, the file header first, until the next call of any method."""

class Repairer(Scanner):
    """Completes checksums that were left to the network card: an input comes out as it went in, but for these. run()
    says ROWS_FULL when mended() has something; until the next run() that and late() are there to be taken."""

    repaired: tuple[int, int, int]  # records, transport and IPv4 header checksums that were changed
    def __init__(self, *, tunnels: Iterable[tuple[int, int]] = (), resync: bool = False) -> None: ...
    def mended(self) -> memoryview:
        """The octets that follow those of the last time, until the next call of space()."""
    def late(self) -> list[tuple[int, bytes]]:
        """Fields in octets handed out before, or just now: where in the input each lies, and what belongs there."""

class Explainer(Demuxer):
    """A Demuxer that delivers nothing, and keeps one record with what it does to the sockets."""

    def look_for(self, packet: int, in_file: int = 0) -> None:
        """Which record is to be kept; to be called before it comes."""
    def explained(self) -> dict[str, Any] | None:
        """The record; None if it has not come. explaining/rows.py has its type."""
