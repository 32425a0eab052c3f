"""Output formats, one module each. A module dropped into this package is a format; nothing else lists it.

A format module has
    HELP      one line for --help
    SUFFIXES  the endings of file names that choose it
    write     write(out, rows, screen) puts `rows` on a binary stream, as they come; only the terminal form looks at
              `screen`
may have
    write_object  write_object(out, members) for what is one object rather than rows of a table; without it the members
                  are written as rows of a table with the columns `field` and `value`
    BINARY        true if a terminal must not be sent it
    SEMANTICS     the semantics of flows whose rows it is made for, unless others are asked for
and imports neither numpy nor a package outside the standard library before write() is called.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol, cast

from fluxcap.formats._compressed import compressing as compressing
from fluxcap.formats._compressed import inner, is_compressed
from fluxcap.values import text
from fluxcap.whole_files import replacing

WORDS: Final = {None: "", True: "true", False: "false"}  # for values that are no text or number


class Table(Protocol):
    """A table as formats see it. Its columns are numpy arrays or lists; raw() may also give other buffers."""

    @property
    def columns(self) -> Sequence[str]:
        """tuple of str: the names of the columns, in order."""

    def __len__(self) -> int: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def raw(self, name: str, /) -> Any:
        """Give a column as any buffer, without importing numpy.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        numpy.ndarray or Column
            The array if it was asked for before, else the buffer that the core made.

        Raises
        ------
        KeyError
            There is no such column; the message suggests the nearest name.

        Examples
        --------
        >>> import fluxcap
        >>> flows = fluxcap.read_flows("samples/verdicts.pcap")
        >>> memoryview(flows.raw("packets")).format
        'Q'
        """

    def there(self, name: str, /) -> Any:
        """Which rows have a value in a column: a byte a row, zero where there is none; None if all have one."""


class Listing:
    """A small table of plain lists, or of arrays."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, in order."""
        return tuple(self.values)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def __getitem__(self, name: str, /) -> Any:
        return self.values[name]

    raw = __getitem__

    def there(self, name: str, /) -> None:
        """All rows have a value."""


class Rows(NamedTuple):
    """The rows to write: tables one after the other that have the same columns."""

    tables: Iterable[Table]
    columns: Sequence[str]  # columns to write, in this order
    chosen: bool = False  # the user named the columns: the terminal form shows just these
    noun: str = "rows"  # what a row is, in the plural
    heading: str = ""  # a line above the terminal form
    metadata: Callable[[], Mapping[str, Any]] = lambda: {}  # of all tables; complete once they are exhausted
    apart: Callable[[], Mapping[str, Any]] = lambda: {}  # what files of Arrow have beside the metadata, to be read back
    left_out: Callable[[], int | None] = lambda: 0  # rows beyond the limit; None: some, not counted
    like: Table | None = None  # a table with the columns, for the case of no tables
    stream: Any = None  # the rows as an Arrow stream, where they are not in tables
    names: Mapping[str, str] = {}  # other names of columns, not for people
    prefixes: Mapping[str, tuple[int, int]] = {}  # lengths for IPv4 and IPv6, of columns that hold networks; for people
    services: bool = False  # ports have the names of services beside them; for people
    live: bool = False  # tables come while a person watches, few rows each: the terminal form has them in one box

    def shown(self, name: str) -> str:
        """The name of a column in the output."""
        return self.names.get(name, name)


class Screen(NamedTuple):
    """The terminal a table is drawn for."""

    width: int | None = None  # None: as wide as the terminal is
    color: bool = False
    encoding: str = "utf-8"


PLAIN: Final = Screen()


class Format(Protocol):
    """A module of this package."""

    HELP: str
    SUFFIXES: tuple[str, ...]

    def write(self, out: BinaryIO, rows: Rows, screen: Screen = ..., /) -> None:
        """Write the rows as they come."""


def names() -> list[str]:
    """The names of the formats there are."""
    # pkgutil lists modules too, but imports inspect, which takes a tenth of the start of a command.
    return sorted(module.stem for module in Path(__file__).parent.iterdir() if not module.name.startswith("_"))


def find(name: str) -> Format:
    """The format of this name, which is one of names()."""
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def name_for(path: str | Path) -> str | None:
    """The name of the format that the suffix of a file name chooses, before .gz or .zst; None if no format has it."""
    suffix = inner(path).suffix.lower()
    name = next((name for name in names() if suffix in find(name).SUFFIXES), None)
    return name if name is None or not is_compressed(path) or compresses(name, path) else None


def is_binary(name: str) -> bool:
    """Whether a format is no text: a terminal must not be sent it, and it is not compressed as a whole."""
    return bool(getattr(find(name), "BINARY", False))


def compresses(name: str, path: str | Path) -> bool:
    """Whether rows in this format are compressed in a file of this name."""
    return is_compressed(path) and not is_binary(name)


def suffixes() -> list[str]:
    """Every suffix that chooses a format."""
    return sorted(suffix for name in names() for suffix in find(name).SUFFIXES)


def chosen_by(path: str | os.PathLike[str]) -> str:
    """The name of the format that the suffix of a file name chooses. ValueError if none does."""
    if (name := name_for(os.fspath(path))) is None:
        raise ValueError(f"{os.fspath(path)}: its suffix names no format; use one of {' '.join(suffixes())}")
    return name


def save(path: str | os.PathLike[str], rows: Rows) -> None:
    """Write a file in the format that its suffix chooses."""
    module = find(chosen_by(path))
    with replacing(path) as file, compressing(file, path) as out:
        module.write(out, rows)


def write_object(name: str, out: BinaryIO, members: Mapping[str, Any]) -> None:
    """Write one object in the format of this name."""
    module = find(name)
    if own := getattr(module, "write_object", None):
        own(out, members)
        return
    fields = dict(_fields(members.items()))
    listing = Listing({"field": list(fields), "value": list(fields.values())})
    module.write(out, Rows([listing], listing.columns))


def write_report(name: str, out: BinaryIO, whole: Mapping[str, Any], rows: Table) -> None:
    """Write a report in a format for programs: whole as one JSON object, in the others the rows that sum it up."""
    if name == "json":
        write_object(name, out, whole)
    else:
        find(name).write(out, Rows([rows], rows.columns))


def _fields(members: Iterable[tuple[Any, Any]], path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of dicts, lists and tuples; the name of each is the names on the way to it, joined by dots."""
    for name, member in members:
        if isinstance(member, (list, tuple)):
            yield from _fields(enumerate(member), f"{path}{name}.")
        elif isinstance(member, dict):
            yield from _fields(member.items(), f"{path}{name}.")
        else:
            yield f"{path}{name}", word(member)


def at_least_one(rows: Rows) -> Iterator[Table]:
    """The tables; without any, one table without rows, so that the columns are known."""
    tables = iter(rows.tables)
    first = next(tables, rows.like)
    if first is not None:
        yield first
    yield from tables


def word(value: Any) -> Any:
    """A value for a format without words for true, false and None, and without brackets for sequences."""
    if isinstance(value, list):
        return text.in_words(value)
    return WORDS[value] if value is None or isinstance(value, bool) else value


def columns_of(table: Table, rows: Rows) -> dict[str, Any]:
    """The columns to write of one table, by name."""
    return {name: table[name] for name in rows.columns}


def there_in(table: Table, rows: Rows) -> dict[str, Any]:
    """Which rows have a value, by the names of the columns to write that may lack one."""
    witnesses = ((name, table.there(name)) for name in rows.columns)
    return {name: witness for name, witness in witnesses if witness is not None}


def raw_columns_of(table: Table, rows: Rows) -> dict[str, Any]:
    """The same as buffers, for text formats: numpy is not imported."""
    return {name: table.raw(name) for name in rows.columns}
