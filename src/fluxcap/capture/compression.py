"""Compressed inputs: recognised by their first bytes, decompressed in fixed buffers, one layer deep."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fluxcap.errors import UnsupportedError, install
from fluxcap.values.libraries import ZSTD_MODULES

if TYPE_CHECKING:
    from fluxcap.capture.ahead.one_input import Source

# Bytes fed to the decompressor, and decompressed bytes asked for, in one call. A decompressor that meets an error drops
# the output of that call, and isal also up to 64 KiB that it made ahead: small calls lose little. Large inputs need
# large calls: lz4 takes a fifth longer with small calls, and in a thread each call also waits for the lock of the
# interpreter. Flows from gzip were read at 0.82 of the decompressor's own throughput with 32 KiB, at 0.93 with
# 256 KiB; from zstd 512 KiB are another tenth faster.
STEP = 1 << 14
STEP_LARGE = 1 << 19
LARGE = 1 << 20  # bytes of an input; for smaller inputs a thread would cost more than it saves
# In most formats the last bytes of an input are checks (gzip 8, lz4 and zstd 4, xz about 30, bzip2 10 bytes). They are
# fed one by one, in smaller steps, so that a wrong check does not cost any data before it.
TAIL = 64
TAIL_STEP = 64
# A small xz file can ask for a dictionary of 4 GiB; `xz -9` makes one of 64 MiB. Only the text of liblzma's error tells
# a dictionary over the limit from damage.
XZ_MEMORY = 256 << 20
XZ_OVER_LIMIT = "Memory usage limit exceeded"


class Decompressor(Protocol):
    """What bz2, lzma, lz4, zstd and isal have in common."""

    @property
    def eof(self) -> bool:
        """Whether the member, frame or stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether the decompressor gives no more output without more input."""

    @property
    def unused_data(self) -> bytes | None:
        """The bytes that were fed beyond the end; lz4 says None where there are none."""

    def decompress(self, data: bytes | memoryview, max_length: int = ...) -> bytes:
        """Feed bytes, and take at most `max_length` decompressed bytes."""


class DecompressionError(Exception):
    """The rest of the compressed input cannot be read. Everything decompressed before was handed out."""

    kind = "compressed"  # the name of this damage in errors.damage_error()


class CutError(DecompressionError):
    """The compressed input ends too early."""

    kind = "compressed_cut"


class TooLargeError(DecompressionError):
    """Decompressing takes more memory than a codec is allowed."""

    kind = "compressed_too_large"


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

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes:
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


def _xz() -> Decompressor:
    return importlib.import_module("lzma").LZMADecompressor(memlimit=XZ_MEMORY)  # type: ignore[no-any-return]


class Codec(NamedTuple):
    """One compression format."""

    name: str
    magic: bytes
    new: Callable[[], Decompressor]
    extra: str = ""  # of fluxcap, for where the standard library lacks the format
    slow: bool = True  # so slow that a thread of its own saves more than handing over costs


CODECS = (
    Codec("gzip", b"\x1f\x8b", _gzip),
    Codec("zstd", b"\x28\xb5\x2f\xfd", _from("ZstdDecompressor", *ZSTD_MODULES), "zstd"),
    Codec("lz4", b"\x04\x22\x4d\x18", _from("LZ4FrameDecompressor", "lz4.frame"), "lz4", slow=False),
    Codec("xz", b"\xfd7zXZ\x00", _xz),
    Codec("bzip2", b"BZh", _from("BZ2Decompressor", "bz2")),
)
# In zstd (RFC 8878 section 3.1.2) and lz4 a frame without any content may stand before any frame.
SKIPPABLE_MAGICS = tuple(bytes([0x50 + kind]) + b"\x2a\x4d\x18" for kind in range(16))
SKIPPABLE_HEADER = 8  # its magic number, and the bytes that follow, little-endian
MAGIC_LENGTH = max(len(codec.magic) for codec in CODECS)


def recognise(head: bytes) -> Codec | None:
    """The format whose magic number these bytes begin with."""
    return next((codec for codec in CODECS if head.startswith(codec.magic)), None)


def skippable(head: bytes) -> int:
    """The length of the skippable frame that these bytes begin with; 0 if they begin with none."""
    if not head.startswith(SKIPPABLE_MAGICS) or len(head) < SKIPPABLE_HEADER:
        return 0
    return SKIPPABLE_HEADER + int.from_bytes(head[4:SKIPPABLE_HEADER], "little")


class Members:
    """Decompresses the pieces of a source: all its members, frames or streams, one after the other."""

    def __init__(self, codec: Codec, step: int) -> None:
        """ImportError if the library is missing."""
        self._codec = codec
        self._feed = self._step = step
        self._member = codec.new()
        self._inside = False  # the current member has begun and not ended

    def __call__(self, pieces: Iterable[bytearray]) -> Generator[bytes, None, None]:
        """The decompressed bytes. DecompressionError, after everything before it."""
        # What the last bytes gave: to hand over each of thousands of small steps would take longer than all the rest.
        joined = bytearray()
        try:
            for output in self._outputs(pieces):
                if self._step > TAIL_STEP:
                    yield output
                    continue
                joined += output
                if len(joined) >= self._feed:
                    yield bytes(joined)
                    joined.clear()
        except Exception:
            if joined:
                yield bytes(joined)
            raise
        if joined:
            yield bytes(joined)

    def _outputs(self, pieces: Iterable[bytearray]) -> Iterator[bytes]:
        """The same, at most `step` at a time."""
        octets: bytes | memoryview
        for octets in self._feeds(pieces):
            more = bool(octets)
            while more:
                if not self._inside:
                    octets = bytes(octets).lstrip(b"\0")  # padding, to a tape block (gzip) or to four bytes (xz)
                    if not octets:
                        break
                    self._begin_member()
                output = self._decompress(octets)
                if self._member.eof:
                    self._inside = False
                    octets = self._member.unused_data or b""
                    more = bool(octets)
                else:
                    octets = b""
                    # lz4 says that it needs input when it has consumed all and still holds output: the second test.
                    more = not self._member.needs_input or len(output) == self._step
                if output:
                    yield output
        if self._inside:
            raise CutError(f"the {self._codec.name} data ends too early")

    def _begin_member(self) -> None:
        if self._member.eof:
            self._member = self._codec.new()
        self._inside = True

    def _decompress(self, octets: bytes | memoryview) -> bytes:
        try:
            return self._member.decompress(octets, self._step)
        except MemoryError:
            raise
        except Exception as error:  # each library has its own: zlib.error, IsalError, LZMAError, ZstdError, OSError
            if str(error) == XZ_OVER_LIMIT:
                raise TooLargeError(f"decompressing it takes more than {XZ_MEMORY >> 20} MiB of memory") from error
            raise DecompressionError(f"the {self._codec.name} data is damaged: {error}") from error

    def _feeds(self, pieces: Iterable[bytearray]) -> Iterator[bytes | memoryview]:
        """The same bytes in portions to feed; each of the last TAIL bytes is a portion of its own."""
        held = b""
        for piece in pieces:
            if len(piece) < TAIL:
                octets = memoryview(held + piece)
            else:
                yield held
                octets = memoryview(piece)
            end = max(len(octets) - TAIL, 0)
            for at in range(0, end, self._feed):
                yield octets[at : min(at + self._feed, end)]
            held = bytes(octets[end:])
        self._step = TAIL_STEP
        for at in range(len(held)):
            yield held[at : at + 1]


def is_ahead(codec: Codec, size: int | None) -> bool:
    """Whether a thread of its own decompresses an input of this size (None: unknown)."""
    return codec.slow and (size is None or size >= LARGE)


def decompressed(source: Source, codec: Codec, path: str, size: int | None) -> Generator[bytes, None, None]:
    """The decompressed bytes of a source of this size (None: unknown). UnsupportedError without the library."""
    from fluxcap.capture.ahead.one_input import Ahead

    if is_ahead(codec, size):
        return iter(Ahead(source, _members(codec, path, size)))
    return decompressed_here(source, codec, path, size)


def decompressed_here(source: Source, codec: Codec, path: str, size: int | None) -> Generator[bytes, None, None]:
    """The same, decompressed by the thread that asks for them."""
    from fluxcap.capture.ahead.one_input import pieces

    return _members(codec, path, size)(pieces(source, _step(size)))


def _step(size: int | None) -> int:
    return STEP_LARGE if size is None or size >= LARGE else STEP


def _members(codec: Codec, path: str, size: int | None) -> Members:
    try:
        return Members(codec, _step(size))
    except ImportError as error:
        raise UnsupportedError(
            path,
            reason=f"{codec.name} compressed, and no library for that is installed",
            help=f"Run {install(codec.extra)}, or decompress the file first.",
        ) from error
