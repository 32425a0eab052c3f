"""Mux, the reverse of demux: the messages of an index as segments in a capture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from fluxcap._core import Muxer
from fluxcap.rewrite.directory import INDEX, MESSAGES, PROTOCOLS, OpenFiles, file_name, open_plain
from fluxcap.values.names import TCP
from fluxcap.whole_files import check_target, replacing

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
SECONDS_TEXT: Final = len("1970-01-01T00:00:00")
FRACTION_DIGITS: Final = 9
LONGEST_MESSAGE: Final = 65527  # bytes that a UDP datagram over IPv6 holds
REMEMBERED: Final = 4096  # addresses, and seconds, whose texts recur


class Muxed(NamedTuple):
    """What mux() wrote.

    Attributes
    ----------
    messages : int
        UDP messages written.
    octets : int
        Bytes of these messages.
    streams : int
        TCP streams of the index, which are left out.
    """

    messages: int
    octets: int
    streams: int


def mux(directory: str | os.PathLike[str], dst: str | os.PathLike[str]) -> Muxed:
    """Write the UDP messages of an index as segments, in IP and Ethernet headers, to a pcap.

    Parameters
    ----------
    directory : path
        What demux() made.
    dst : path
        Capture to write; the file appears when it is whole.

    Returns
    -------
    Muxed
        Messages and bytes written, and TCP streams left out.

    Raises
    ------
    ValueError
        The index contradicts itself or its files (the message says file and line), or a packet cannot hold a
        message, or a pcap a time.
    OSError
        The directory is not an index, or a file cannot be read or written.

    Notes
    -----
    Records are in the order of the messages in the index, at their times in nanoseconds, every checksum right
    (docs/mux.md).

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> delivered = fluxcap.demux("samples/sockets.pcapng", folder)
    >>> fluxcap.mux(folder, folder + ".pcap").messages == delivered.messages
    True
    """
    folder = Path(directory)
    check_target(dst, map(str, folder.glob("*")))
    with replacing(dst) as out:
        return write_segments(folder, out)


def write_segments(folder: Path, out: BinaryIO) -> Muxed:
    """Write the capture to a stream."""
    sockets, streams = _read_index(folder / INDEX)
    muxer = Muxer()
    messages = octets = 0
    with closing(OpenFiles(folder, os.O_RDONLY)) as files:
        for where, line in _lines(folder / MESSAGES, may_lack=True):
            try:
                socket = sockets[line["socket"]]
                message = _message(files, socket, line)
                src, dst = _ends(line["src_ip"], socket.address)
                full = muxer.add(
                    message,
                    line["missing"],
                    _nanoseconds(line["time"]),
                    src,
                    line["src_port"],
                    dst,
                    socket.port,
                    socket.protocol,
                )
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise _wrong(where, error) from error
            messages += 1
            octets += len(message)
            if full:
                out.write(muxer.take())
    out.write(muxer.take())
    return Muxed(messages, octets, streams)


class _Socket(NamedTuple):
    protocol: int
    address: str
    port: int
    file: str


def _read_index(path: Path) -> tuple[dict[int, _Socket], int]:
    """The sockets by number, and how many streams there are."""
    sockets: dict[int, _Socket] = {}
    streams = 0
    for where, line in _lines(path):
        streams += line.get("kind") == "stream"
        if line.get("kind") != "socket":
            continue
        try:
            number, protocol = line["number"], line["protocol"]
            if protocol not in PROTOCOLS or protocol == TCP:
                raise ValueError(f"protocol {protocol} has no messages")
            if not isinstance(number, int):
                raise TypeError(f"{number!r} is no number of a socket")
            # The file name is made of the number again: the index does not decide which files are read.
            file = file_name(number, 0, protocol)
            sockets[number] = _Socket(protocol, line["address"], line["port"], file)
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong(where, error) from error
    return sockets, streams


def _lines(path: Path, may_lack: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place of each line, for messages, and its object."""
    if may_lack and not os.path.lexists(path):
        return
    with open(path, encoding="utf-8", opener=open_plain) as lines:
        for number, text in enumerate(lines, 1):
            where = f"{path}, line {number}"
            try:
                line = json.loads(text)
            except ValueError as error:
                raise _wrong(where, error) from error
            except RecursionError as error:
                raise _wrong(where, ValueError("it is nested too deep")) from error
            if not isinstance(line, dict):
                raise _wrong(where, TypeError("it is no object"))
            yield where, line


def _message(files: OpenFiles, socket: _Socket, line: dict[str, Any]) -> bytes:
    """The bytes of a message."""
    offset, length = line["offset"], line["length"]
    if length > LONGEST_MESSAGE:
        raise ValueError(f"a message of {length:,} bytes does not fit into one packet")
    if offset < 0 or length < 0:
        raise ValueError(f"a message of {length} bytes at {offset}")
    if not length:
        return b""
    octets = os.pread(files[socket.file], length, offset)
    if len(octets) != length:
        raise ValueError(f"{socket.file} ends before the {length:,} bytes at {offset:,}")
    return octets


@lru_cache(REMEMBERED)
def _ends(src: str, dst: str) -> tuple[bytes, bytes]:
    """Two addresses as a header holds them. If only one is IPv4, it becomes an IPv4-mapped IPv6 address."""
    ends = ip_address(src), ip_address(dst)
    if ends[0].version == ends[1].version:
        return ends[0].packed, ends[1].packed
    src, dst = (f"::ffff:{end}" if end.version == 4 else str(end) for end in ends)
    return ip_address(src).packed, ip_address(dst).packed


@lru_cache(REMEMBERED)
def _seconds(text: str) -> int:
    return (datetime.fromisoformat(f"{text}+00:00") - EPOCH) // timedelta(seconds=1)


def _nanoseconds(text: str | None) -> int:
    """A time as the index has it: RFC 3339 in UTC, with nine digits. A pcap cannot leave one out: null becomes zero."""
    if text is None:
        return 0
    fraction = text[SECONDS_TEXT + 1 : -1]
    if len(fraction) != FRACTION_DIGITS or not fraction.isdigit() or not text.endswith("Z"):
        raise ValueError(f"{text!r} is no time with nanoseconds")
    return _seconds(text[:SECONDS_TEXT]) * 10**FRACTION_DIGITS + int(fraction)


def _wrong(where: str, error: Exception) -> ValueError:
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    return ValueError(f"{where}: {what}; take that line out, or let demux make the directory anew")
