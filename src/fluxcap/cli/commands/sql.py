"""`fluxcap sql`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.leaving import WATCH
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser, row_limit
from fluxcap.cli.output import Output
from fluxcap.cli.output import choose as choose_output
from fluxcap.cli.progress import Progress
from fluxcap.errors import printable, suggestion
from fluxcap.formats import Listing, Rows
from fluxcap.plan.read_options import DEFAULT, ReadOptions
from fluxcap.values import derived, text

if TYPE_CHECKING:
    import duckdb

    from fluxcap.tables.packets import PacketTable
    from fluxcap.tables.scan import PacketScan
    from fluxcap.values.arrow import Stream

HELP: Final = "a question in SQL, by DuckDB"
DESCRIPTION: Final = """\
Answers a question in SQL about `flows` (by five-tuple), `connections`,
`sockets`, `hosts`, `timeline` (a row a second), `packets` (read as the query
runs, in bounded memory) and `checksums` (counts by kind of header). Only what
the query names is read.

  fluxcap sql 'SELECT dst_port, sum(bytes) AS n FROM flows GROUP BY ALL' x.pcap
"""
NO_PACKETS: Final = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")  # a pcap file header
FETCHED_AT_ONCE: Final = 8192
TABLES: Final = ("flows", "connections", "sockets", "hosts", "timeline", "packets", "checksums")
*_OTHERS, _LAST = TABLES
NAMED: Final = f"{', '.join(_OTHERS)} and {_LAST}"
ARROW: Final = ("parquet", "arrow", "arrows")  # formats that take the answer as DuckDB has it
# What DuckDB says of a name that it does not know.
NOT_OF_INTERVALS: Final = r"types '(\w+)\(INTERVAL\)'"
SUBTRACTED: Final = r"types '-\(TIMESTAMPTZ_NS, TIMESTAMPTZ_NS\)'"
UNKNOWN_COLUMN: Final = r'[Cc]olumn "(\w+)" (?:not found|does not exist)'
UNKNOWN_TABLE: Final = r"Table with name (\w+) does not exist"
ZONED, UNZONED = "TIMESTAMPTZ_NS", "TIMESTAMP_NS"
# Times as everywhere, and lengths of time as nanoseconds: Parquet has no type for these.
IN_ARROW: Final = {UNZONED: "{}::" + ZONED, "INTERVAL": "epoch_ns({})"}
TIME: Final = "TIMESTAMP"  # the types of times begin with this


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("query", metavar="QUERY", help=f"a SELECT over {NAMED}")
    options.add_common(parser)
    options.add_extent(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Ask over empty tables first: errors of the query show before anything is read."""
    WATCH.nothing_to_keep()
    from fluxcap.tables.requirements import wanted

    duckdb = wanted("duckdb")
    if os.path.isfile(given.query):  # noqa: PTH113 - a query is longer than a path may be
        raise UsageError(f"{given.query} is a file: the query comes first", "As in `fluxcap sql 'FROM flows' x.pcap`.")
    output = choose_output(given.format, given.output, given.color, wide=given.wide)
    sources = inputs.find(given.inputs, output)
    limit = row_limit(given, output)
    options = given.reading._replace(on_interrupt="raise")  # an answer from half of the rows would be wrong
    scans: list[Watched] = []
    tables: list[Any] = []
    try:
        named, zoned, besides = _bound(duckdb, given.query)
        connection = _connection(duckdb)
        with Progress(sources, messages, len(named)):
            for name in named:
                table = _table(name, sources.inputs, options, besides)
                tables.append(table)
                _add(connection, name, _watched(table, scans), zoned)
            _write(connection, connection.sql(given.query), output, limit)
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        for scan in scans:
            if scan.errors:
                # The error is not kept here: its traceback would keep this frame, and the connection, to the very end.
                raise scan.errors.pop() from None
        what = str(error).partition("\n")[0]
        raise UsageError(what, f"{_meant(what)}The tables are {NAMED}; 'DESCRIBE flows' lists columns.") from error
    # Each table is read by itself: hints can come twice.
    messages.hints({"hints": dict.fromkeys(hint for table in tables for hint in table.metadata.get("hints", ()))})
    return Exit.DONE


def _meant(message: str) -> str:
    """What the name may mean that an error of DuckDB does not know; "" if it is about something else."""
    from fluxcap.values.meanings import columns  # only for a wrong query

    if found := re.search(UNKNOWN_COLUMN, message):
        meant = suggestion(found[1], sorted({name for table in TABLES for name in _columns(table)}), columns())
    elif found := re.search(UNKNOWN_TABLE, message):
        meant = suggestion(found[1], TABLES)
    elif found := re.search(NOT_OF_INTERVALS, message):
        meant = f"DuckDB has no {found[1]}() of intervals; {found[1]}(epoch(...)) is in seconds. "
    else:
        meant = ""
    return meant[:1].upper() + meant[1:]


def _columns(table: str) -> Sequence[str]:
    empty = _table(table, NO_PACKETS, DEFAULT, tuple(derived.DERIVED))
    return empty.columns if hasattr(empty, "columns") else ()


def _connection(library: Any) -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection = library.connect()
    connection.execute("SET python_enable_replacements = false")  # variables of this program are not tables
    return connection


def _bound(library: Any, query: str) -> tuple[list[str], bool, Sequence[str]]:
    """The tables that the query names, whether their times have a zone, and which columns on request they have.

    DuckDB cannot subtract times of nanoseconds with a zone: a query that does so has them without one, in UTC. Tables
    have columns on request where the query names these, and does without them only if it gives them a meaning itself.
    """
    mentioned = tuple(name for name in derived.DERIVED if re.search(rf"\b{name}\b", query, re.IGNORECASE))
    unknown = (UNKNOWN_COLUMN.replace(r"\w+", name) for name in mentioned)
    ours = re.compile("|".join((SUBTRACTED, *unknown)), re.IGNORECASE)
    told: Exception | None = None
    for zoned, besides in product((True, False), dict.fromkeys(((), mentioned))):
        try:
            return _named(library, query, zoned, besides), zoned, besides
        except library.Error as error:
            if told is None and not isinstance(error, library.BinderException):
                raise  # not about the types or the columns of the tables
            if told is None or ours.search(str(told)):
                told = error  # what is wrong for good, not what another form of the tables makes up for
    assert told is not None
    raise told


def _named(library: Any, query: str, zoned: bool, besides: Sequence[str]) -> list[str]:
    connection = _connection(library)
    for name in TABLES:
        empty = _table(name, NO_PACKETS, DEFAULT, besides).to_duckdb(connection)
        (empty if zoned else empty.project(_unzoned(empty))).create(name)
    connection.sql(query)
    try:
        named = {name.lower() for name in connection.get_table_names(query)}
    except library.BinderException:  # DuckDB looks for the columns of USING and NATURAL in tables without any
        named = {name for name in TABLES if re.search(rf"\b{name}\b", query, re.IGNORECASE)}
    return [name for name in TABLES if name in named]


def _add(connection: duckdb.DuckDBPyConnection, name: str, table: Any, zoned: bool) -> None:
    """Let queries know a table by its name."""
    if zoned:
        connection.register(name, table)
        return
    connection.execute("SET TimeZone = 'UTC'")
    connection.register(f"zoned_{name}", table)
    columns = _unzoned(connection.table(f"zoned_{name}"))
    connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM zoned_{name}")


def _unzoned(table: duckdb.DuckDBPyRelation) -> str:
    """The columns of a table, times without their zone."""
    return _retyped(table, {ZONED: "{}::" + UNZONED})


def _retyped(table: duckdb.DuckDBPyRelation, forms: Mapping[str, str]) -> str:
    """The columns of a table, those of some types in another form."""
    quoted = ['"' + name.replace('"', '""') + '"' for name in table.columns]
    kinds = zip(quoted, map(str, table.types), strict=True)
    return ", ".join(f"{forms[kind].format(name)} AS {name}" if kind in forms else name for name, kind in kinds)


def _table(name: str, captures: Any, options: ReadOptions, besides: Sequence[str]) -> Any:
    """The table of this name, with those of the columns on request that it can have."""
    from fluxcap.tables.table import Table

    table = _read(name, captures, options, besides)
    if not isinstance(table, Table):
        return table
    return table.with_columns([column for column in table.on_request if column in besides])


def _read(name: str, captures: Any, options: ReadOptions, besides: Sequence[str]) -> Any:
    """The table of this name, already read; only packets are read as the query runs, with columns on request."""
    from fluxcap._core import PACKET_COLUMNS
    from fluxcap.capture.inputs import expand
    from fluxcap.plan.flow_plan import FlowPlan
    from fluxcap.reports.checksums import collect_checksums
    from fluxcap.sockets.hosts import By, collect_hosts
    from fluxcap.sockets.table import collect_sockets
    from fluxcap.tables.connections import ConnectionTable
    from fluxcap.tables.flows import FlowTable, collect_flows
    from fluxcap.tables.packets import STORED, choose
    from fluxcap.tables.scan import BATCH_ROWS, PacketScan
    from fluxcap.tables.timeline.table import SECOND, collect_timeline

    match name:
        case "flows":
            return collect_flows(captures, FlowPlan(), options, FlowTable)
        case "connections":
            return collect_flows(captures, FlowPlan(connections=True), options, ConnectionTable)
        case "sockets":
            return collect_sockets(captures, options)
        case "hosts":
            return collect_hosts(captures, By(), options)
        case "timeline":
            return collect_timeline(captures, SECOND, None, options)
        case "packets":
            more = [column for column in derived.names(STORED) if column in besides]
            return PacketScan(expand(captures), *choose((*PACKET_COLUMNS, *more), None), BATCH_ROWS, options)
        case _:
            return collect_checksums(captures, 0, options)


def _watched(table: Any, scans: list[Watched]) -> Any:
    """The table as DuckDB takes it; a scan is added to `scans`, which are asked later what went wrong."""
    from fluxcap.tables.scan import PacketScan

    if not isinstance(table, PacketScan):
        return table
    scans.append(Watched(table))
    return scans[-1].stream()


class Watched:
    """A scan that keeps its error: a query that fails because of it has only the text of the error."""

    def __init__(self, scan: PacketScan) -> None:
        self.errors: list[BaseException] = []
        self._scan = scan

    def stream(self) -> Stream:
        """The stream that DuckDB reads."""
        from fluxcap.tables.packets import without_rows
        from fluxcap.values.arrow import Stream

        return Stream(without_rows(self._scan.columns).to_dict(), self, {})

    def __iter__(self) -> Iterator[PacketTable]:
        try:
            yield from self._scan
        except GeneratorExit:
            raise  # the query wants no more rows
        except BaseException as error:
            self.errors.append(error)
            raise


def _write(connection: duckdb.DuckDBPyConnection, answer: duckdb.DuckDBPyRelation, output: Output, limit: int) -> None:
    columns = [printable(name) for name in answer.columns]
    if output.format in ARROW:
        answer = answer.project(_retyped(answer, IN_ARROW))
        output.write(Rows((), columns, stream=answer.limit(limit) if limit else answer))
        return
    if limit:
        answer = answer.limit(limit + 1)  # one row more, to know whether there are more
    times = [place for place, kind in enumerate(answer.types) if str(kind).startswith(TIME)]
    values = (f"epoch_ns(#{n + 1})" if n in times else f"#{n + 1}" for n in range(len(columns)))
    result = connection.execute(answer.project(", ".join(values)).sql_query())
    listings = Listings(result, columns, times, limit)
    output.write(Rows(listings, columns, chosen=True, left_out=listings.left_out))


class Listings:
    """The rows of an answer, at most `limit` of them (0 = all)."""

    def __init__(self, result: duckdb.DuckDBPyConnection, names: list[str], times: list[int], limit: int) -> None:
        self._result = result
        self._names = names
        self._times = times
        self._limit = limit
        self._more = False

    def left_out(self) -> int | None:
        """None if there were more rows: their number is not known."""
        return None if self._more else 0

    def __iter__(self) -> Iterator[Listing]:
        there = 0
        while rows := self._result.fetchmany(FETCHED_AT_ONCE):
            kept = rows[: self._limit - there] if self._limit else rows
            there += len(kept)
            self._more = len(kept) < len(rows)
            if not kept:
                break
            values = [
                [_time(value) if place in self._times else _plain(value) for value in column]
                for place, column in enumerate(zip(*kept, strict=True))
            ]
            yield Listing(dict(zip(self._names, values, strict=True)))


def _time(ns: int | None) -> str | None:
    return None if ns is None else text.time(ns)


def _plain(value: Any) -> Any:
    """A value in a form that every format can write."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
