"""Tables in Arrow's format: which type each column gets, and how its memory is handed over.

Numbers, times, codes and binary addresses leave without a copy. Texts are dictionaries: each is made once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from fluxcap import _core
from fluxcap.values import names, text
from fluxcap.values.metadata import header, members

if TYPE_CHECKING:
    from fluxcap._core import ArrowField, ArrowValues
    from fluxcap.values.arrays import Array

IpForm = Literal["text", "binary", "uint32"]
IP_FORMS: Final = ("text", "binary", "uint32")
ROOT: Final = b"fluxcap"  # the key of a table's metadata, one JSON object

# https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings
STRUCT, UTF8, OCTETS, LIST, TIME = b"+s", b"u", b"w:%d", b"+w:%d", b"tsn:UTC"
DURATION: Final = b"tDn"
UINT8, INT8, INT16, INT32, UINT32, INT64 = b"C", b"c", b"s", b"i", b"I", b"l"
# Codes of a dictionary are signed: pyarrow up to 22 cannot make pandas categories of unsigned codes.
TEXT_CODES: Final = INT32
MOST_NAMES: Final = 128  # that signed codes of one byte can stand for; protocols have more
NUMBERS: Final = {"i1": b"c", "u1": UINT8, "u2": b"S", "u4": UINT32, "u8": b"L", "i8": INT64, "f8": b"g"}
OFFSET: Final = np.int32
NULLABLE: Final = (TIME, NUMBERS["f8"])  # a float that is no number is null

PROTOCOL_NAMES: Final = tuple(map(names.protocol, range(256)))


@dataclass(frozen=True)
class View:
    """The form in which values are handed out.

    `ip`: addresses as texts, as 16 bytes, or as numbers if all are IPv4; MAC addresses are texts with the first, else 6
    bytes. `labels`: verdicts, dispositions and reasons by name and protocols by number (None), all by name (True), or
    all by number (False). `encoded`: addresses as texts with a dictionary a batch (True), or as plain texts, where one
    dictionary would have to hold for all batches (False).
    """

    ip: IpForm = "text"
    labels: bool | None = None
    encoded: bool = True

    def __post_init__(self) -> None:
        if self.ip not in IP_FORMS:
            raise ValueError(f"ip is one of {', '.join(map(repr, IP_FORMS))}, not {self.ip!r}")

    def names(self, name: str) -> tuple[str, ...] | None:
        """The names of the codes in a column, if they are to be shown."""
        kind = PROTOCOL_NAMES if name == "protocol" and self.labels else text.KINDS.get(name)
        return kind if isinstance(kind, tuple) and self.labels is not False else None

    def is_text(self, name: str) -> bool:
        """Whether a column has letters, or addresses that are shown as texts."""
        kind = text.KINDS.get(name)
        return kind in ("letters", "name") or (self.ip == "text" and kind in ("address", "mac"))


PLAIN: Final = View()


class Stream:
    """Tables one after the other, for any reader of Arrow; they are read anew for each reader."""

    def __init__(
        self, like: Mapping[str, Any], tables: Iterable[Any], metadata: Mapping[str, Any], view: View = PLAIN,
        shown: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`like` is a table whose columns have the types of all tables; `shown` gives columns another name."""
        self._view = view
        self._names = tuple(like)
        self._tables = tables
        shown = shown or {}
        fields = [
            _field(shown.get(name, name), *_types(name, like[name], view), _may_lack(name, view)) for name in like
        ]
        self._schema: ArrowField = (STRUCT, b"", _metadata(metadata), False, fields, None)

    def __arrow_c_schema__(self) -> object:
        return _core.arrow_schema(self._schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches: Iterable[ArrowValues] = self._batches(iter(self._tables))
        # Tables in memory are prepared here: from inside a stream only the text of an exception gets through.
        return _core.arrow_stream(self._schema, list(batches) if isinstance(self._tables, list) else batches)

    def _batches(self, tables: Iterator[Any]) -> Iterator[ArrowValues]:
        for table in tables:
            columns = [_values(name, table[name], table.there(name), self._view) for name in self._names]
            yield len(table), (None,), columns, None


def _metadata(metadata: Mapping[str, Any]) -> bytes:
    """One key and its value in the form of the C data interface: counts and lengths as int32, without padding."""
    value = json.dumps({**header(), **members(metadata)}).encode()
    parts = (ROOT, value)
    count = np.int32(len(parts) // 2).tobytes()
    return count + b"".join(np.int32(len(part)).tobytes() + part for part in parts)


def _may_lack(name: str, view: View) -> bool:
    """Whether rows may lack a value; of addresses as numbers of IPv4 a 0 stands for one that is missing."""
    return text.is_name(name) or text.may_be_unknown(name) or (_is_ip(name) and view.ip != "uint32")


def _field(name: str, format: bytes, below: bytes | None, may_lack: bool) -> ArrowField:
    inner = None if below is None else (below, b"item" if format[:1] == b"+" else b"", b"", False, (), None)
    items, dictionary = ((inner,), None) if inner and format[:1] == b"+" else ((), inner)
    return format, name.encode("utf-8", "backslashreplace"), b"", may_lack or format in NULLABLE, items, dictionary


def _types(name: str, values: Any, view: View) -> tuple[bytes, bytes | None]:
    """The format of a column and that of its dictionary or of the items of its lists; None without these."""
    if isinstance(values, list):
        return (INT64 if _are_integers(values) else UTF8), None
    if text.is_sequences(values):
        return LIST % values.shape[1], _number(values)
    if view.is_text(name):
        return (TEXT_CODES, UTF8) if view.encoded else (UTF8, None)
    if (known := view.names(name)) is not None:
        return (INT8 if len(known) <= MOST_NAMES else INT16), UTF8
    if values.ndim > 1:
        return (UINT32 if view.ip == "uint32" and _is_ip(name) else OCTETS % values.shape[1]), None
    if text.is_duration(name):
        return DURATION, None
    return (TIME if text.is_time(name) else _number(values)), None


def _number(values: Array) -> bytes:
    return NUMBERS[values.dtype.str[1:]]


def _values(name: str, values: Any, there: Any, view: View) -> ArrowValues:
    if isinstance(values, list):
        if _are_integers(values):
            return len(values), (None, np.array(values, np.int64)), (), None
        return _texts([str(value) for value in values])
    values = np.ascontiguousarray(values)
    validity = _validity(name, values, there)
    if text.is_sequences(values):
        return len(values), (None,), ((values.size, (None, values), (), None),), None
    if view.is_text(name):
        codes, offsets, octets = dictionary_of(values)
        dictionary: ArrowValues = (len(offsets) // OFFSET().itemsize - 1, (None, offsets, octets), (), None)
        if not view.encoded:
            return len(values), (validity, *_spelled_out(codes, offsets, octets)), (), None
        return len(values), (validity, codes), (), dictionary
    if (known := view.names(name)) is not None:
        return len(values), (None, _codes(name, values, known)), (), _texts(named(values, known))
    if values.ndim > 1 and view.ip == "uint32" and _is_ip(name):
        return len(values), (None, ipv4(name, values)), (), None
    return len(values), (validity, values), (), None


def _validity(name: str, values: Array, there: Any) -> Array | None:
    """A bit a row, set where there is a value; None where there always is."""
    if there is not None:
        there = np.asarray(there, bool)
    elif text.is_time(name):
        there = values != _core.NO_TIME
    elif text.is_name(name):
        there = values != b""
    elif text.may_be_unknown(name):
        there = values >= 0
    elif values.dtype.kind == "f":
        there = ~np.isnan(values)
    else:
        return None
    return None if there.all() else np.packbits(there, bitorder="little")


def _codes(name: str, values: Array, known: Sequence[str]) -> Array:
    """Codes in a type for dictionaries; where names are few, the column itself."""
    if len(known) > MOST_NAMES:
        return values.astype(np.int16)
    if len(values) and values.max() >= MOST_NAMES:
        raise ValueError(f"{name} has the code {values.max()}, and its names end at {len(known) - 1}")
    return values


def _is_ip(name: str) -> bool:
    return text.KINDS.get(name) == "address"


def _are_integers(values: Sequence[Any]) -> bool:
    return bool(values) and all(type(value) is int for value in values)


def _texts(texts: Sequence[str]) -> ArrowValues:
    octets = [one.encode("utf-8", "backslashreplace") for one in texts]
    offsets = np.fromiter(accumulate(map(len, octets), initial=0), OFFSET, len(octets) + 1)
    return len(octets), (None, offsets, b"".join(octets)), (), None


def dictionary_of(values: Array) -> tuple[bytes, bytes, bytes]:
    """Addresses or letters as dictionary-encoded texts, in the form of _core.dictionary()."""
    if values.ndim > 1:
        return _core.dictionary(values)
    distinct, codes = np.unique(values, return_inverse=True)
    _, (_, offsets, octets), _, _ = _texts([letters.decode() for letters in distinct.tolist()])
    return codes.astype(np.uint32).tobytes(), offsets.tobytes(), octets


def _spelled_out(codes: bytes, offsets: bytes, octets: bytes) -> tuple[Array, Array]:
    """The texts of all rows of a dictionary, one after the other: where each ends, and their bytes."""
    rows, starts = np.frombuffer(codes, np.uint32), np.frombuffer(offsets, OFFSET)
    lengths = np.diff(starts)[rows]
    ends = np.zeros(len(rows) + 1, OFFSET)
    np.cumsum(lengths, out=ends[1:])
    # Where each byte comes from: its place in its own text, plus the place of that text in the dictionary.
    source = np.arange(ends[-1], dtype=np.int64) + np.repeat(starts[rows] - ends[:-1], lengths)
    return ends, np.frombuffer(octets, np.uint8)[source]


def named(codes: Array, known: Sequence[str]) -> Sequence[str]:
    """Names for all of the codes: a code without a name is named by its number."""
    last = int(codes.max()) if len(codes) else 0
    return known if last < len(known) else (*known, *map(str, range(len(known), last + 1)))


def ipv4(name: str, octets: Array) -> Array:
    """IPv4 addresses as uint32; records without an address have 0. ValueError if there is an IPv6 address."""
    mapped = (octets[:, :12] == np.frombuffer(text.IPV4_PREFIX, np.uint8)).all(axis=1)
    others = np.flatnonzero(~mapped & octets.any(axis=1))
    if len(others):
        row = int(others[0])
        address = text.addresses(octets[row : row + 1])[0]
        raise ValueError(f"{name} in row {row} is {address}: ip='uint32' is for IPv4 alone, ip='binary' for both")
    return octets[:, 12:].copy().view(">u4").reshape(-1).astype(np.uint32)
