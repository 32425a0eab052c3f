"""The columns of a table for people: which, under which titles, in which words, and which are dropped first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from typing import Any, Final

from fluxcap._core import KEY_FIELDS, NO_TIME
from fluxcap.errors import printable
from fluxcap.formats import word
from fluxcap.formats.table import outcomes
from fluxcap.formats.table.endpoints import COLUMNS as ENDPOINTS
from fluxcap.formats.table.endpoints import Endpoints
from fluxcap.formats.table.narrow import Narrower, Times, Words
from fluxcap.formats.table.styles import alarm, notice, unstyled, verdict_style
from fluxcap.values import bars, derived, human, names, text
from fluxcap.values.units import NS_PER_SECOND

Values = Any  # a numpy array, one value a row

GAP: Final = 2  # blanks between columns
FRAME: Final = 4  # a line and a blank at either side

# Ranks: without room the highest are dropped first, of one rank the last column. IMPLIED: other columns say it too.
KEY, ESSENTIAL, IMPLIED, USEFUL, MINOR = range(5)
NOTHING: Final = -1  # below every rank


@dataclass(frozen=True)
class Shown:
    """A column as it is drawn."""

    title: str  # nearly always the name of the column, so that people can guess --sort and --columns
    cells: list[str]
    rank: int = KEY
    right: bool = True
    style: Callable[[str], str] = unstyled
    narrower: Narrower | None = None  # the cells, where they can do with less room
    least: int = 0  # the width that the column has in any case

    @property
    def width(self) -> int:
        """The width of the longest line."""
        return max(self.least, *map(len, "\n".join((self.title, *self.cells)).split("\n")))

    def narrowed(self, excess: int) -> "Shown":
        """The column with so many characters less, or as many less as it can do with."""
        if self.narrower is None or excess <= 0:
            return self
        title, *cells = self.narrower.lines(max(self.width - excess, self.narrower.least_width))
        return replace(self, title=title, cells=cells)


@dataclass(frozen=True)
class Spec:
    """How the values of a column are worded, and when the column is worth its room."""

    rank: int
    cells: Callable[[Values], list[str]]
    right: bool = True
    style: Callable[[str], str] = unstyled
    dull: Callable[[Values], bool] = lambda values: False  # whether the column says nothing in this table


def each(word: Callable[[Any], str]) -> Callable[[Values], list[str]]:
    """Cells from a function of one value."""
    return lambda values: [word(value) for value in values.tolist()]


def clock(digits: int) -> Callable[[Values], list[str]]:
    """Times of day with so many digits of a second, behind the date when there is more than one; blank where there is
    no time."""

    def cells(times: Values) -> list[str]:
        texts = text.times(times)
        one_day = len({one[: len("2026-11-02")] for one in texts if one}) == 1
        start, end = len("2026-11-02T") if one_day else 0, len("2026-11-02T10:00:00.") + digits
        return [one[start:end].replace("T", " ") for one in texts]

    return cells


def fraction_digits(times: Values) -> int:
    """How many digits of a second some times need."""
    fractions = {int(time) % NS_PER_SECOND for time in times.tolist() if time != NO_TIME}
    return next(n for n in (0, 3, 6, 9) if all(fraction % 10 ** (9 - n) == 0 for fraction in fractions))


def marks(times: Values, digits: int = 0) -> list[str]:
    """Multiples of an interval as times of day, with as many digits as they need, so many at least."""
    return [cell.removesuffix(".") for cell in clock(max(digits, fraction_digits(times)))(times)]


def unknown(values: Values) -> bool:
    """Whether all times are unknown."""
    return bool((values < 0).all())


def zero(values: Values) -> bool:
    """Whether all are zero."""
    return not values.any()


def nameless(values: Values) -> bool:
    """Whether all texts are empty."""
    return not any(list(values))


def uniform(values: Values) -> bool:
    """Whether all are the same."""
    return bool((values == values[:1]).all())


def protocol(number: int) -> str:
    """The name of a protocol; blank for 0, which a packet without IP has."""
    return names.protocol(number) if number else ""


def words(name: str, *, calm: frozenset[str] = frozenset(), rank: int = USEFUL) -> Spec:
    """A column of names, which is dull if all its names are `calm`."""

    def cells(values: Values) -> list[str]:
        return text.cells(name, values)

    return Spec(rank, cells, False, verdict_style, lambda values: calm.issuperset(cells(values)))


COUNT: Final = each(human.count)
BLANK_ZERO: Final = each(lambda value: human.count(value) if value else "")
OCTETS: Final = each(human.octets)
HEX: Final = each("{:#06x}".format)
COMPUTED: Final = each(lambda value: f"{value:#06x}" if value else "")  # 0 where none was computed
DURATION: Final = each(lambda ns: human.duration(ns) if ns >= 0 else "")  # -1 where the time is not known
BITS: Final = each(lambda rate: "" if rate != rate else human.bits(rate))  # no number where there is no rate
LETTERS: Final = each(bytes.decode)
HOST: Final = each(lambda name: human.shortened(name.decode()))
FLAGS: Final = each(lambda bits: names.tcp_flags(bits) if bits else "")

# Of 80 characters, those that two addresses, or the counts of a socket, need beside the endpoints.
TITLES: Final[Mapping[str, str]] = {"protocol": "proto", "connections": "conns"}
# Of 80, those that the bytes of both directions need; whoever asks for the column by its name reads its name.
ABRIDGED: Final[Mapping[str, str]] = {"retransmitted": "retrans", "reverse_retransmitted": "reverse_retrans"}
LEADING: Final = ("flow", "packet", "time", "interval", "protocol", "call")  # before source and destination
# In the order of the screen. A column that is not here is shown if it is asked for or part of the key.
WORDED: Final[Mapping[str, Spec]] = {
    "flow": Spec(MINOR, each(str)),  # without thousands separators: --extract takes these numbers between commas
    "packet": Spec(KEY, COUNT),
    "time": Spec(ESSENTIAL, clock(6)),
    "interval": Spec(KEY, clock(3)),
    "protocol": Spec(ESSENTIAL, each(protocol), right=False),
    "call": words("call", rank=KEY),
    "octets": Spec(KEY, BLANK_ZERO),
    "records": Spec(USEFUL, COUNT),
    "evidence": words("evidence", rank=KEY),
    "role": words("role", rank=ESSENTIAL),
    "way": words("way", rank=ESSENTIAL),
    "outcome": words("outcome", calm=frozenset(("arrived",)), rank=KEY),
    "sent": Spec(ESSENTIAL, COUNT),
    "arrived": Spec(ESSENTIAL, COUNT),
    **{name: Spec(KEY, COUNT, style=notice, dull=zero) for name in ("lost", "duplicated", "reordered", "changed")},
    **{name: Spec(USEFUL, COUNT, style=notice, dull=zero) for name in ("appeared", "dscp_changed", "mss_changed")},
    "changed_good": Spec(USEFUL, COUNT, style=alarm, dull=zero),
    "uncompared": Spec(MINOR, COUNT, dull=zero),
    "a_packet": Spec(KEY, BLANK_ZERO),
    "b_packet": Spec(KEY, BLANK_ZERO),
    "delay": Spec(KEY, DURATION, dull=unknown),
    "delay_median": Spec(ESSENTIAL, DURATION, dull=unknown),
    **{name: Spec(USEFUL, DURATION, dull=unknown) for name in ("delay_min", "delay_99", "delay_variation")},
    **{name: Spec(MINOR, DURATION, dull=unknown) for name in ("delay_95", "delay_max")},
    "connections": Spec(ESSENTIAL, COUNT),
    "peers": Spec(USEFUL, COUNT),
    "listening": Spec(MINOR, COUNT, dull=zero),
    "ports": Spec(ESSENTIAL, partial(text.cells, "ports"), right=False, dull=nameless),
    "accepted": Spec(ESSENTIAL, COUNT),
    "refused": Spec(ESSENTIAL, COUNT, style=notice, dull=zero),
    "unanswered": Spec(ESSENTIAL, COUNT, style=notice, dull=zero),
    "open": Spec(USEFUL, COUNT, dull=zero),
    "sent_payload_bytes": Spec(KEY, OCTETS),
    "received_payload_bytes": Spec(KEY, OCTETS),
    "fin": Spec(USEFUL, COUNT, dull=zero),
    "rst": Spec(USEFUL, COUNT, style=notice, dull=zero),
    "state": Spec(ESSENTIAL, list, right=False, style=outcomes.style),  # its words depend on the protocol too
    "synack_rtt": Spec(ESSENTIAL, DURATION, dull=unknown),
    "ack_rtt": Spec(MINOR, DURATION, dull=unknown),
    "response_time": Spec(MINOR, DURATION, dull=unknown),
    "retransmitted": Spec(ESSENTIAL, COUNT, style=notice, dull=zero),
    "reverse_retransmitted": Spec(ESSENTIAL, COUNT, style=notice, dull=zero),
    "history": Spec(USEFUL, partial(text.cells, "history"), right=False),
    "server_name": Spec(KEY, HOST, right=False, dull=nameless),
    "server_name_basis": words("server_name_basis", calm=frozenset(("none",)), rank=MINOR),
    "packets": Spec(ESSENTIAL, COUNT),
    "reverse_packets": Spec(USEFUL, COUNT, dull=zero),
    "bytes": Spec(KEY, OCTETS),
    "reverse_bytes": Spec(KEY, OCTETS, dull=zero),  # either direction can be the one that carries nearly all bytes
    "packets_per_second": Spec(MINOR, each(human.rate)),
    "bits_per_second": Spec(ESSENTIAL, BITS),
    "traffic": Spec(USEFUL, lambda rates: bars.bars(rates.tolist()), right=False),
    "flows": Spec(USEFUL, COUNT),
    "new_flows": Spec(USEFUL, COUNT),
    "rtt_median": Spec(USEFUL, DURATION, dull=unknown),
    "sent_packets": Spec(USEFUL, COUNT),
    "sent_bytes": Spec(KEY, OCTETS),
    "received_packets": Spec(USEFUL, COUNT),
    "received_bytes": Spec(KEY, OCTETS),
    "bad": Spec(ESSENTIAL, COUNT, style=alarm, dull=zero),
    "illegal": Spec(ESSENTIAL, COUNT, style=alarm, dull=zero),
    "ip_bad": Spec(ESSENTIAL, COUNT, style=alarm, dull=zero),
    "bad_length": Spec(USEFUL, COUNT, style=alarm, dull=zero),
    "partial": Spec(USEFUL, COUNT, style=notice, dull=zero),
    "icmp_errors": Spec(USEFUL, COUNT, style=notice, dull=zero),
    "duration": Spec(USEFUL, DURATION, dull=unknown),
    **{
        f"{way}{name}": Spec(MINOR, cells, style=notice, dull=zero)
        for name, cells in (
            ("out_of_order", COUNT),
            ("gap_bytes", OCTETS),
            ("zero_window", COUNT),
            ("unreachable", COUNT),
        )
        for way in ("", "reverse_")
    },
    "first": Spec(MINOR, clock(3)),
    "wire_length": Spec(ESSENTIAL, COUNT),
    "ethertype": Spec(KEY, HEX),
    "verdict": words("verdict", calm=frozenset(("none",)), rank=ESSENTIAL),
    "ip_verdict": words("ip_verdict", calm=frozenset(("none", "good"))),
    "checksum": Spec(USEFUL, HEX),
    "expected": Spec(USEFUL, COMPUTED),
    "ip_checksum": Spec(USEFUL, HEX),
    "ip_expected": Spec(USEFUL, COMPUTED),
    "disposition": words("disposition", calm=frozenset(("counted",))),
    "reason": words("reason", calm=frozenset(("none",))),
    "duplicate_kind": words("duplicate_kind", calm=frozenset(("none",))),
    "duplicate_of": Spec(USEFUL, COUNT, dull=zero),
    "duplicate_hops": Spec(MINOR, COUNT, dull=zero),
    "payload_length": Spec(MINOR, COUNT),
    "tcp_flags": Spec(MINOR, FLAGS, right=False, dull=zero),
    "reverse_tcp_flags": Spec(MINOR, FLAGS, right=False, dull=zero),
    "good": Spec(MINOR, COUNT, dull=zero),
    "absent": Spec(MINOR, COUNT, dull=zero),
    "truncated": Spec(MINOR, COUNT, dull=zero),
    "fragment": Spec(MINOR, COUNT, dull=zero),
    "depth": Spec(MINOR, COUNT, dull=zero),
    "interface": Spec(MINOR, COUNT, dull=uniform),
}
OF_UNITS: Final = {
    **{"packets": COUNT, "bytes": OCTETS, "bits/s": BITS, derived.NS: DURATION},
    **dict.fromkeys((derived.NAME, derived.IDENTIFIER), LETTERS),
}
# Columns on request are as their unit says.
SPECS: Final[Mapping[str, Spec]] = {
    **WORDED,
    **{
        name: Spec(KEY, OF_UNITS[one.unit], right=OF_UNITS[one.unit] is not LETTERS)
        for name, one in derived.DERIVED.items()
        if name not in WORDED
    },
}
ABOUT_IP: Final = frozenset(
    (
        *("ip_version", "src_ip", "dst_ip", "protocol", "src_port", "dst_port", "payload_length", "checksum"),
        *("verdict", "ip_verdict", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window", "ttl", "ip_id", "fragment_offset"),
        *("expected", "ip_checksum", "ip_expected", "tos", "flow_label"),
    )
)
# Columns that are abridged on the screen are written in full when they are asked for.
TRAFFIC: Final = "bits_per_second"  # of a timeline, drawn as bars
FULL: Final[Mapping[str, Callable[[Values], list[str]]]] = {
    "time": text.times,
    "interval": text.times,
    "first": text.times,
    "last": text.times,
    "state": partial(text.cells, "state"),
    "payload_bytes": OCTETS,
    "reverse_payload_bytes": OCTETS,
}


def chosen(values: Mapping[str, Values], ip: Sequence[bool] | None = None) -> list[Shown]:
    """Exactly the columns that were asked for, each by itself. `ip`: whether each row has an IP header; all if None."""
    return [_of_ip(name, _by_itself(name, column), ip) for name, column in values.items()]


@dataclass
class Before:
    """What the rows that stand above in the same box were."""

    told: set[str] = field(default_factory=set)  # columns that mattered
    most: float = 0  # the greatest rate of a timeline
    digits: int = 0  # of the times of a timeline

    def add(self, values: Mapping[str, Values]) -> None:
        """Add rows."""
        self.told.update(name for name in values if tells(name, values))
        if "time" in values and TRAFFIC in values:
            self.most = max((self.most, *values[TRAFFIC].tolist()))
            self.digits = max(self.digits, fraction_digits(values["time"]))


def worthwhile(
    values: Mapping[str, Values], ip: Sequence[bool] | None = None, before: Before | None = None
) -> list[Shown]:
    """The columns that matter, in the order of the screen, and those that mattered in rows before."""
    before = before or Before()
    if "duration" in derived.names(values):
        values = {**values, "duration": derived.make("duration", values, values)}
    specs = {**SPECS}
    if "state" in values:
        protocols = values["protocol"].tolist()
        values = {**values, "state": outcomes.outcomes(values["state"], protocols)}
        if set(protocols) == {names.TCP}:  # the words of other protocols are others
            specs["protocol"] = replace(specs["protocol"], rank=IMPLIED)
    if "time" in values and TRAFFIC in values:  # a timeline
        values = {**values, "traffic": values[TRAFFIC]}
        rates = replace(SPECS["traffic"], cells=lambda rates: bars.bars(rates.tolist(), most=before.most))
        specs |= {"time": Spec(KEY, partial(marks, digits=before.digits)), "traffic": rates}
    leading = [_of_ip(name, _abridged(name, values[name], specs[name]), ip) for name in LEADING if name in values]
    sockets = [] if values.keys().isdisjoint(ENDPOINTS) else [_endpoints(values)]
    # A flow table begins with its key, which tells rows apart: all of the key is shown.
    before_values = takewhile(lambda name: name != "packets", values) if "packets" in values else ()
    of_key = [name for name in before_values if name not in (*LEADING, *ENDPOINTS)]
    key = [_by_itself(name, values[name]) for name in of_key]
    done = {*LEADING, *of_key}
    others = [name for name in SPECS if name not in done and (name in before.told or tells(name, values))]
    rest = [_of_ip(name, _abridged(name, values[name], specs[name]), ip) for name in others]
    return leading + sockets + key + rest


def fit(columns: Sequence[Shown], width: int) -> list[Shown]:
    """As many of the columns as there is room for. Before one that matters goes, the longest cells take two lines."""
    flat = _dropped(columns, width, keep=IMPLIED)
    excess = _total(flat) - width
    if excess <= 0:
        return flat
    narrowed = []
    for column in columns:
        narrowed.append(column.narrowed(excess))
        excess -= column.width - narrowed[-1].width
    return _dropped(_dropped(narrowed, width, keep=KEY), width, keep=NOTHING)


def _dropped(columns: Iterable[Shown], width: int, keep: int) -> list[Shown]:
    kept = list(columns)
    while len(kept) > 1 and _total(kept) > width:
        last = max(range(len(kept)), key=lambda place: (kept[place].rank, place))
        if kept[last].rank <= keep:
            break
        del kept[last]
    return kept


def _total(columns: Sequence[Shown]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1) + FRAME


def tells(name: str, values: Mapping[str, Values]) -> bool:
    """Whether a column says something in this table."""
    return name in values and name in SPECS and not SPECS[name].dull(values[name])


def _of_ip(name: str, column: Shown, ip: Sequence[bool] | None) -> Shown:
    """The column; blank, if it is about IP, in rows without an IP header: zeros and `::` stand there."""
    if ip is None or all(ip) or name not in ABOUT_IP:
        return column
    cells = [cell if there else "" for cell, there in zip(column.cells, ip, strict=True)]
    return replace(column, cells=cells)


def _abridged(name: str, values: Values, spec: Spec) -> Shown:
    return Shown(_title(ABRIDGED.get(name, name)), spec.cells(values), spec.rank, spec.right, spec.style)


def _by_itself(name: str, values: Values) -> Shown:
    timed = text.is_time(name)
    spec = SPECS.get(name) or Spec(KEY, partial(text.cells, name), timed or text.is_number(name, values))
    title = _title(name)
    if text.is_free(values) and (isinstance(values, list) or name not in SPECS):
        objects = text.objects(values)
        numbers = all(isinstance(value, int | float) for value in objects)
        count = str if name in KEY_FIELDS else human.count  # a port is 8080, not 8,080
        cells = [count(value) if type(value) is int else printable(_written(value)) for value in objects]
        words = None if numbers or text.KINDS.get(name) == "address" else Words(title, cells)
        return Shown(title, cells, right=numbers, style=spec.style, narrower=words)
    cells = FULL.get(name, spec.cells)(values)
    return Shown(title, cells, KEY, spec.right, spec.style, Times(title, cells) if timed else None)


def _written(value: Any) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(word(value))


def _endpoints(values: Mapping[str, Values]) -> Shown:
    pair = Endpoints(values)
    title, *cells = pair.lines()
    return Shown(title, cells, right=False, narrower=pair)


def _title(name: str) -> str:
    return TITLES.get(name, name).replace("_", "\n")
