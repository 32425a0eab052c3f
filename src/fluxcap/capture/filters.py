"""Filters in libpcap's language: libpcap compiles them, for each link type, to programs that the core runs."""

from __future__ import annotations

import importlib
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import ANOMALIES, DISPOSITIONS
from fluxcap.capture.magic import FILE_HEADER, MAGIC, SNAPLEN, VERSION
from fluxcap.capture.warn import warn
from fluxcap.errors import FilterError, missing
from fluxcap.values import human, names

if TYPE_CHECKING:
    from fluxcap._core import Totals

BYTE_ORDERS: Final = "<>" if sys.byteorder == "little" else "><"  # this machine's, then the other
INSTRUCTION: Final = struct.Struct("=HBBI")  # code, jump if true, jump if false, k: struct bpf_insn in pcap/bpf.h
REFUSE_ALL: Final = INSTRUCTION.pack(6, 0, 0, 0)  # return 0
# An expression that libpcap refuses for all of these is wrong by itself, not only for the link type at hand.
ETHERNET, RAW, WIRELESS, COOKED = 1, 101, 105, 113
TRIED: Final = (ETHERNET, RAW, WIRELESS, COOKED)


class Filter:
    """An expression that is compiled for a link type when the core meets it: the core's `where`.

    An expression can make sense for one link type and not for another (`vlan` and raw IP): then the records of that
    link type are refused, and `unfit` says why.
    """

    def __init__(self, expression: str, libpcap: Any) -> None:
        self.expression = expression
        self.unfit: dict[int, FilterError] = {}  # by link type
        self.fits = False  # at least one link type of the capture
        self._libpcap = libpcap

    def __call__(self, link_type: int, swapped: bool) -> bytes:
        """The program for a link type, in captures of this or the other byte order. FilterError for a wrong filter."""
        try:
            program = self._compiled(link_type, swapped)
        except FilterError as error:
            if not any(self._is_known_to(other) for other in TRIED):
                raise
            self.unfit[link_type] = error
            return REFUSE_ALL
        self.fits = True
        return program

    def inside(self) -> bytes:
        """The program for an IP packet by itself. FilterError if the filter asks for headers around the packet."""
        return self._compiled(RAW, swapped=False)

    def _is_known_to(self, link_type: int) -> bool:
        try:
            return bool(self._compiled(link_type, swapped=False))
        except FilterError:
            return False

    def _compiled(self, link_type: int, swapped: bool) -> bytes:
        # libpcap does three things only for a file: it translates the link type to its own number, it knows the byte
        # order of the address family in a NULL header, and it refuses what only live packets tell (`inbound`).
        import tempfile

        header = struct.pack(BYTE_ORDERS[swapped] + FILE_HEADER, MAGIC, *VERSION, 0, 0, SNAPLEN, link_type)
        with tempfile.NamedTemporaryFile() as file:
            file.write(header)
            file.flush()
            try:
                with self._libpcap.open_offline(file.name) as capture:
                    try:
                        program = capture.compile(self.expression)
                    except self._libpcap.Error:
                        # Perhaps the optimizer found that the filter refuses every record of this link type; the filter
                        # may still accept records of another.
                        program = capture.compile(self.expression, optimize=False)
            except self._libpcap.Error as error:
                records = f"records of link type {names.link_type(link_type)}"
                raise self._refused(f"filter {self.expression!r} for {records}: {error.msg}") from error
        return b"".join(INSTRUCTION.pack(*one) for one in program)

    def _refused(self, why: str) -> FilterError:
        from fluxcap.plan.display_filters import translated  # only for a wrong filter

        error = FilterError(why)
        ours = translated(self.expression)
        if ours is not None and Filter(ours, self._libpcap)._is_known_to(ETHERNET):
            error.help = f"That is a filter in another language; in that of tcpdump it is '{ours}'."
        return error


def inside(made: Filter | None, inner: bool) -> bytes | None:
    """The program of a filter for an IP packet by itself; None where it needs outer headers, if not `inner`."""
    if made is None:
        return None
    try:
        return made.inside()
    except FilterError:
        if inner:
            raise
        return None


def check_fits(filter: Filter, totals: Totals) -> None:
    """Warn of link types that a filter cannot be applied to. FilterError if the capture has no others."""
    for kind, error in filter.unfit.items():
        if not filter.fits:
            raise error
        warn(UserWarning(f"{error}; {human.counted(totals['link_types'].get(kind, 0), 'record')} of it refused"))


def compiler(expression: str | None) -> Filter | None:
    """The filter of an expression; None without one. ModuleNotFoundError if libpcap's compiler is not installed."""
    if expression is None:
        return None
    try:
        libpcap = importlib.import_module("cypcap")
    except ModuleNotFoundError as error:
        raise missing("a filter", "cypcap", "where") from error
    if not expression.isascii() or "\0" in expression:
        raise FilterError(f"filter {expression!r}: it may hold nothing but ASCII characters")
    return Filter(expression, libpcap)


def tagged(expression: str) -> str:
    """The expression for records with and without a VLAN tag: after `vlan` libpcap looks behind the tag."""
    single = not any(word in expression for word in (" or ", "||", ",", "?"))
    return f"{expression} or (vlan and {expression if single else f'({expression})'})"


def about_filter(filter: Filter | None, totals: Totals) -> list[str]:
    """What is to be said of the records that a filter refused, perhaps against what the user meant."""
    if filter is None:
        return []
    found = []
    refused = totals["dispositions"][DISPOSITIONS.index("filtered")][0]
    if refused == totals["packets"]:
        found.append(f"no record passed the filter {filter.expression!r}")
    behind, inside = (totals["anomalies"][ANOMALIES.index(name)] for name in ("refused_tagged", "refused_inside"))
    if behind or inside:
        records = human.counted(behind + inside, "record")
        tags = f"{tagged(filter.expression)!r} takes the {human.count(behind)} tagged; " if behind else ""
        found.append(
            f"the filter, which sees the outermost headers, refused {records} whose innermost IP packet it would"
            f" accept: {tags}--inner (inner=True) puts the filter to the innermost IP packet"
        )
    return found
