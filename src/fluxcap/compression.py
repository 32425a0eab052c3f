"""Compressed inputs: recognised by their first octets, decompressed in fixed buffers, one layer deep."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fluxcap.errors import UnsupportedError

PIECE = 1 << 16  # compressed octets read at a time
# A decompressor that meets an error throws away what it made in that call, and isal what it made ahead of that, up to
# 64 KiB. Small calls lose little: against calls of 64 KiB, these cost gzip a tenth of its speed.
FEED = 1 << 13  # compressed octets fed at a time
STEP = 1 << 14  # decompressed octets asked for at a time
# The last octets of an input hold the checks of most formats (gzip 8, lz4 and zstd 4, xz about 30, bzip2 10 octets).
# They are fed one by one, in smaller steps, so that a wrong check takes nothing with it that came before it.
TAIL = 64
TAIL_STEP = 64


class Source(Protocol):
    """Octets in order."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next octets into the buffer and say how many; 0 at the end."""


class Decompressor(Protocol):
    """What bz2, lzma, lz4, zstd and isal have in common."""

    @property
    def eof(self) -> bool:
        """Whether the member, frame or stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more output without more input."""

    @property
    def unused_data(self) -> bytes | None:
        """What was fed beyond the end; lz4 says None for nothing."""

    def decompress(self, data: bytes, max_length: int = ...) -> bytes:
        """Feed octets, and take at most `max_length` decompressed ones."""


class DecompressionError(Exception):
    """The compressed input is damaged, or (`cut`) ends too early. What was decompressed before was handed out."""

    def __init__(self, message: str, *, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


class _Gunzip:
    """zlib's gzip decompressor behind the interface that the other formats share."""

    needs_input = True

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        output = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail
        return output


def _gzip() -> Decompressor:
    try:
        # More than twice as fast as zlib.
        isal = importlib.import_module("isal.igzip_lib")
    except ImportError:
        return _Gunzip()
    return isal.IgzipDecompressor(flag=isal.DECOMP_GZIP)  # type: ignore[no-any-return]


def _from(name: str, *modules: str) -> Callable[[], Decompressor]:
    """The class `name` of the first of these modules that is installed."""

    def make() -> Decompressor:
        for module in modules:
            try:
                return getattr(importlib.import_module(module), name)()  # type: ignore[no-any-return]
            except ImportError:
                continue
        raise ImportError(modules[-1])

    return make


@dataclass(frozen=True)
class Codec:
    """One compression format."""

    name: str
    magic: bytes
    new: Callable[[], Decompressor]
    package: str = ""  # what to install where the standard library does not do


ZSTD_MODULES = ("compression.zstd", "backports.zstd")  # the first from Python 3.14 on

CODECS = (
    Codec("gzip", b"\x1f\x8b", _gzip),
    Codec("zstd", b"\x28\xb5\x2f\xfd", _from("ZstdDecompressor", *ZSTD_MODULES), "backports.zstd"),
    Codec("lz4", b"\x04\x22\x4d\x18", _from("LZ4FrameDecompressor", "lz4.frame"), "lz4"),
    Codec("xz", b"\xfd7zXZ\x00", _from("LZMADecompressor", "lzma")),
    Codec("bzip2", b"BZh", _from("BZ2Decompressor", "bz2")),
)
MAGIC_LENGTH = max(len(codec.magic) for codec in CODECS)


def recognise(head: bytes) -> Codec | None:
    """The format whose magic number these octets begin with."""
    return next((codec for codec in CODECS if head.startswith(codec.magic)), None)


class Decompressed:
    """The decompressed octets of a source: all its members, frames or streams one after the other."""

    def __init__(self, source: Source, codec: Codec, path: str) -> None:
        self._source = source
        self._codec = codec
        try:
            self._member = codec.new()
        except ImportError as error:
            raise UnsupportedError(
                path,
                reason=f"{codec.name} compressed, and no library for that is installed",
                help=f"Run `pip install {codec.package}`, or decompress the file first.",
            ) from error
        self._inside = False  # the current member has begun and not ended
        self._more = False  # it may have output left without further input
        self._held = b""  # read; the first `_fed` octets of it are fed
        self._fed = 0
        self._ended = False  # nothing is left to read
        self._error: Exception | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer. An error comes at the next call, after everything that was decompressed before it."""
        if self._error is not None:
            raise self._error
        filled = 0
        try:
            while filled < len(buffer):
                output = self._step(len(buffer) - filled)
                if not output:
                    break
                buffer[filled : filled + len(output)] = output
                filled += len(output)
        except (DecompressionError, OSError) as error:
            self._error = error
            if not filled:
                raise
        return filled

    def _step(self, room: int) -> bytes:
        """The next octets, at most `room`; none at the end."""
        while True:
            piece = b""
            if not self._more:
                piece = self._piece()
                if not self._inside:
                    piece = piece.lstrip(b"\0")  # padding, to a tape block (gzip) or to four octets (xz)
                    if not piece and self._fed < len(self._held):
                        continue
                if not piece:
                    if self._inside:
                        raise DecompressionError(f"the {self._codec.name} data ends too early", cut=True)
                    return b""
                self._begin_member()
            step = min(TAIL_STEP if self._ended and len(self._held) - self._fed < TAIL else STEP, room)
            output = self._decompress(piece, step)
            # lz4 says that it needs input when it has consumed all and still holds output, hence the second test.
            self._more = not self._member.eof and (not self._member.needs_input or len(output) == step)
            if self._member.eof:
                self._inside = False
                self._held, self._fed = (self._member.unused_data or b"") + self._held[self._fed :], 0
            if output:
                return output

    def _begin_member(self) -> None:
        if not self._inside and self._member.eof:
            self._member = self._codec.new()
        self._inside = True

    def _decompress(self, piece: bytes, step: int) -> bytes:
        try:
            return self._member.decompress(piece, step)
        except Exception as error:  # each library has its own: zlib.error, IsalError, LZMAError, ZstdError, OSError
            raise DecompressionError(f"the {self._codec.name} data is damaged: {error}") from error

    def _piece(self) -> bytes:
        """Compressed octets to feed next, none at the end; the last TAIL ones of the input singly."""
        while len(self._held) - self._fed <= TAIL and not self._ended:
            buffer = bytearray(PIECE)
            n = self._source.readinto(memoryview(buffer))
            self._held, self._fed = self._held[self._fed :] + buffer[:n], 0
            self._ended = n == 0
        size = min(FEED, max(len(self._held) - self._fed - TAIL, 1))
        piece = self._held[self._fed : self._fed + size]
        self._fed += len(piece)
        return piece
