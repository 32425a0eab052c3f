"""Filters in libpcap's language: libpcap compiles them, for each link type, to programs that the core runs."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Callable

from fluxcap.capture.magic import FILE_HEADER, MAGIC, SNAPLEN, VERSION
from fluxcap.errors import FilterError
from fluxcap.values import names

Compile = Callable[[int, bool], bytes]  # the program for a link type, in captures of this or the other byte order

BYTE_ORDERS = "<>" if sys.byteorder == "little" else "><"  # this machine's, then the other
INSTRUCTION = struct.Struct("=HBBI")  # code, jump if true, jump if false, k: struct bpf_insn in pcap/bpf.h


def compiler(expression: str | None) -> Compile | None:
    """What compiles this filter, None for no filter. ModuleNotFoundError if libpcap's compiler is not installed."""
    if expression is None:
        return None
    try:
        libpcap = importlib.import_module("cypcap")
    except ModuleNotFoundError as error:
        what = "filters need libpcap's compiler, of the package cypcap; run `pip install 'fluxcap[where]'`"
        raise ModuleNotFoundError(what, name=error.name) from error
    if not expression.isascii() or "\0" in expression:
        raise FilterError(f"filter {expression!r}: it may hold nothing but ASCII characters")

    def compile(link_type: int, swapped: bool) -> bytes:
        # Only of a file does libpcap translate the link type to its own number, know in which byte order a NULL header
        # holds the address family, and refuse what can be told of live packets alone (`inbound`, `ifindex`).
        import tempfile

        header = struct.pack(BYTE_ORDERS[swapped] + FILE_HEADER, MAGIC, *VERSION, 0, 0, SNAPLEN, link_type)
        with tempfile.NamedTemporaryFile() as file:
            file.write(header)
            file.flush()
            try:
                with libpcap.open_offline(file.name) as capture:
                    try:
                        program = capture.compile(expression)
                    except libpcap.Error:
                        # Perhaps because the optimizer found that it refuses every record of this link type; those of
                        # another it may not.
                        program = capture.compile(expression, optimize=False)
            except libpcap.Error as error:
                records = f"records of link type {names.link_type(link_type)}"
                raise FilterError(f"filter {expression!r} for {records}: {error.msg}") from error
        return b"".join(INSTRUCTION.pack(*one) for one in program)

    return compile
