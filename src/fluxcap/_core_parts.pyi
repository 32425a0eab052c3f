"""Parts of _core.pyi, which gives them as those of the core: the dictionaries it makes, and what compares captures."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NotRequired, TypedDict

from fluxcap._core import Column, Scanner

class Damage(TypedDict):
    code: int  # index into DAMAGES
    packet: int  # records read whole before the damage
    offset: int  # octets into the (decompressed) input
    found: int  # the two numbers that disagree; their meaning depends on the code
    wanted: int

class Interface(TypedDict):
    link_type: int
    snaplen: int
    packets: int
    dropped: int | None  # packets that there was no room for, as the file says; None: it does not say
    name: bytes
    ticks_per_second: float

class Totals(TypedDict):  # what was seen since the scanner was made
    packets: int
    captured_octets: int
    wire_octets: int
    first: int | None  # ns; the earliest, and with `last` the latest, time stamp; None where no record has one
    last: int | None
    in_order: bool  # no record is earlier than the one before it in its input
    late: int  # records earlier than one before them, over all inputs,
    first_late: int  # ... number of the first of them, over all inputs; 0: there is none
    latest_by: int  # ... and by how much at most, in ns
    dispositions: list[tuple[int, int]]  # (records, wire octets) by disposition code
    reasons: list[int]  # records by reason code
    verdicts: dict[int, list[int]]  # IP protocol -> records by transport verdict code
    ip_verdicts: list[int]  # records by IPv4 header verdict code
    gre_verdicts: list[int]
    link_types: dict[int, int]  # link type -> records
    unknown_links: dict[int, int]  # link type that is not read -> records
    ip_versions: dict[int, int]  # 0 (no IP), 4, 6 -> records
    non_ip: dict[int, int]  # ethertype, 0 without one -> records without IP; of the first 32 ethertypes
    anomalies: list[int]
    rows_left_out: int  # packet rows that `max_octets` left no room for: the last ones

class CaptureFormat(TypedDict):  # the input being read, or the last one read
    name: str  # "pcap" "pcapng" "snoop" ("" before anything is known)
    variant: str  # e.g. "us" "ns" "us modified"; "" for pcapng
    byte_order: str  # "little" "big"
    sections: int
    interfaces: list[Interface]

class Endings(TypedDict):
    # ns, 0 = none: when connections of TCP are forgotten that nobody answers, and that have ended; both or neither.
    attempt_timeout: NotRequired[int]
    close_timeout: NotRequired[int]

class KeySpec(Endings):
    fields: Sequence[tuple[str, int, int]]  # (name in KEY_FIELDS, IPv4 prefix length 0..32, IPv6 prefix length 0..128)
    biflow: bool
    idle_timeout: int  # ns, 0 = none
    tcp_idle_timeout: NotRequired[int]  # ... of TCP; that of all protocols if it is not there
    active_timeout: int  # ns, 0 = none
    ends_tcp: NotRequired[bool]  # a SYN after a RST, or after a FIN of both sides, begins another row
    interval: int  # ns, 0 = none
    max_flows: int  # 0 = as many as the core can hold
    max_memory: NotRequired[int]  # octets that the table takes at most, as rows or as columns; 0 = no bound
    features: NotRequired[bool]  # statistics of packet sizes and gaps, packets by TCP flag
    activity: NotRequired[bool]  # payloads, headers, windows, active and idle times, bulks, subflows
    ip_octets: NotRequired[bool]  # a flow's octets are of IP packets, not of frames
    # Ports of TCP and of UDP: who sends the first packet of a flow from one of them answers.
    server_ports: NotRequired[tuple[Iterable[int], Iterable[int]] | None]
    # Follow connections, for CONNECTION_COLUMNS; of a biflow key with protocol, addresses and ports, and server_ports.
    connections: NotRequired[bool]
    ignore_checksums: NotRequired[bool]  # segments and datagrams that are corrupt take part in their connections
    splt: NotRequired[int]  # direction, size and gap of so many first packets, 0..MAX_SPLT
    payload: NotRequired[tuple[int, bool, bool] | None]  # the first bytes of a flow: as Scanner has it for packets
    server_names: NotRequired[bool]  # the name of the server: `_server_name` and `server_name_basis`

class LearnedClock(TypedDict):
    basis: str  # "unknown", "one way" or "two ways"
    offset: float  # ns that B is ahead of A at `origin`
    drift: float  # ns a ns, by a clock in the middle of both
    origin: int  # ns since the epoch, in the middle of both clocks
    drifts: bool  # the packets tell the drift; else it is 0
    kind: int  # of "one way": 0 from A, 1 from B; 2 and 3 the same, by nothing but the clocks
    gap: float  # ns between the least differences of both directions

class Watcher(Scanner):
    """A Scanner that notes what is to be compared: run() says ROWS_FULL when Comparer.take() has to be called."""

    seen: tuple[int, int, int]  # packets to compare, fragments in others of these, records left out

# Comparer.walk() says why it came back: it has come to the end of what was taken of a point, whose number this is, or
# both have ended and all is counted.
WALK_WANTS_A: Final[int]
WALK_WANTS_B: Final[int]
WALK_ENDED: Final[int]

class Comparer:
    """Compares what two points have seen. Twice: watch() both inputs, walk() until WALK_ENDED; learned() between.

    A thread may walk() while another one reads the inputs; take() is between both."""

    early: tuple[int, int]  # packets that were seen to arrive before they were sent, and by how many ns at most
    most_in_flight: int  # packets that were kept at once
    def __init__(self, window: int, *, rows: bool = True, every: bool = False) -> None:
        """`window`: ns that a packet is waited for; `rows`: collect some of rows(), or `every` packet."""
    def watch(self, a: Watcher, b: Watcher) -> None: ...
    def take(self, point: int) -> bool:
        """Take what a point has seen behind what was taken before. False: not yet, as walk() has enough of it."""
    def walk(self, a_ended: bool, b_ended: bool) -> int: ...
    def learn_again(self) -> bool: ...
    def learned(self) -> LearnedClock:
        """What the first walk has learned. The next one counts."""
    def ways(self) -> dict[str, Column]:
        """A row a direction of a flow, by place from 1. `stands` is the place of the row that counts for this one, 0 if
        it counts itself; `other` the reverse, `back` the opposite direction; `from`: 0 A, 1 B, 2 not told."""
    def rows(self) -> dict[str, Column]:
        """Packets, in the order in which it was told what became of them. `outcome`: 0 seen at both points, 1 at
        `point` only, 2 once more at `point`. `marks`: bits."""
    def delays(self, shares: Sequence[float]) -> list[tuple[int, int, int, list[int]]]:
        """Of each point: packets that came from there and arrived, least and greatest delay (ns), quantiles."""

class PayloadWatcher(Watcher):
    """A Watcher that keeps the payload of some records instead."""

    def want(self, files: Any, packets: Any) -> None:
        """Which, in the order in which they come: uint32 and uint64. To be called before the first comes, once."""

def first_differences(a: PayloadWatcher, b: PayloadWatcher, of_a: Any, of_b: Any, places: Any) -> None:
    """Write into int64 `places` where the payloads with these numbers (int64), in the order of want(), begin to differ;
    -1 where one was not kept."""
